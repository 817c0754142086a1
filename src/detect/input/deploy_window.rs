//! Deploy groups of a service as buckets of the grid, and the keys by which they are known.

use super::calendar::Calendar;
use crate::config::Judge;
use crate::detect::evidence::GroupKey;
use crate::model::event::{DeployGroup, Event, group};
use crate::model::time::MINUTE;

/// A deploy group as the series sees it: its buckets from the first deploy to the end of settling are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeployWindow {
    /// First bucket that the deploy touches.
    pub from: usize,
    /// First bucket of the settled time after it.
    pub to: usize,
}

/// A chain of close deploys is cut into groups no longer than this.
const LONGEST_GROUP: i64 = 120 * MINUTE;

/// Deploys with fewer whole buckets between the end of settling and the next deploy than this are one group: a step at
/// either explains the same data, so no data could tell which of them it was.
const LEAST_BETWEEN: usize = 2;

/// Returns the deploy groups of a service that touch the grid. Those of before it say nothing, and would stand in its
/// first bucket. Deploys that the grid cannot separate are one group.
pub fn groups(events: &[Event], service: &str, judge: &Judge, calendar: &Calendar) -> Vec<DeployGroup> {
    let mut groups = group(events, service, judge.group_ms, LONGEST_GROUP);
    let (start, end) = (calendar.at(0), calendar.at(calendar.len()));
    groups.retain(|group| group.window.end + judge.settle_ms > start && group.window.start < end);
    join_inseparable(groups, judge.settle_ms, calendar)
}

/// Joins neighbours that the grid cannot tell apart, up to the longest group.
fn join_inseparable(groups: Vec<DeployGroup>, settle_ms: i64, calendar: &Calendar) -> Vec<DeployGroup> {
    let mut joined: Vec<DeployGroup> = Vec::with_capacity(groups.len());
    for group in groups {
        if let Some(last) = joined.last_mut()
            && moment(&group, settle_ms, calendar).from < moment(last, settle_ms, calendar).to + LEAST_BETWEEN
            && group.window.end - last.window.start <= LONGEST_GROUP
        {
            last.members.extend(group.members);
            last.window.end = last.window.end.max(group.window.end);
        } else {
            joined.push(group);
        }
    }
    joined
}

/// Returns the buckets of a group, from its first deploy to the end of settling.
pub fn moment(group: &DeployGroup, settle_ms: i64, calendar: &Calendar) -> DeployWindow {
    let from = calendar.bucket(group.window.start);
    DeployWindow { from, to: calendar.bucket_from(group.window.end + settle_ms).max(from + 1) }
}

/// Returns the key of a group.
pub fn key_of(group: &DeployGroup, events: &[Event]) -> GroupKey {
    let first = group.members.first().and_then(|member| events.get(*member));
    GroupKey {
        service: group.service.as_str().into(),
        at: group.window.start,
        deploy: first.map_or("", |event| &event.id).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::time::{DAY, Window};

    /// Groups of one deploy each at some minutes of a day, as they are joined: the number of deploys in each.
    fn joined(minutes: &[i64]) -> Vec<usize> {
        let calendar = Calendar::new(Window::new(0, DAY), chrono_tz::UTC, &BTreeMap::new());
        let one = |(index, at): (usize, &i64)| DeployGroup {
            number: 0,
            service: "api".to_owned(),
            members: vec![index],
            window: Window::new(at * MINUTE, at * MINUTE),
        };
        let groups = minutes.iter().enumerate().map(one).collect();
        join_inseparable(groups, 10 * MINUTE, &calendar).iter().map(|group| group.members.len()).collect()
    }

    #[test]
    fn deploys_with_no_data_between_them_are_one_group() {
        for start in 0..15 {
            assert_eq!(joined(&[600 + start, 631 + start]), [2], "31 minutes apart, from minute {start}");
            assert_eq!(joined(&[600 + start, 660 + start]), [1, 1], "an hour apart, from minute {start}");
        }
    }

    #[test]
    fn a_chain_of_them_is_no_longer_than_two_hours() {
        let minutes: Vec<i64> = (0..12).map(|k| 600 + 30 * k).collect();
        assert!(joined(&minutes).iter().all(|deploys| *deploys <= 5), "{:?}", joined(&minutes));
    }
}
