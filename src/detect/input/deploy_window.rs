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

/// Returns the deploy groups of a service that touch the grid. Those of before it say nothing, and would stand in its
/// first bucket.
pub fn groups(events: &[Event], service: &str, judge: &Judge, calendar: &Calendar) -> Vec<DeployGroup> {
    let mut groups = group(events, service, judge.group_ms, LONGEST_GROUP);
    let (start, end) = (calendar.at(0), calendar.at(calendar.len()));
    groups.retain(|group| group.window.end + judge.settle_ms > start && group.window.start < end);
    groups
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
