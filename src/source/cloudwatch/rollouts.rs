//! When a rolling deploy of an ECS service was over, seen in the number of deployments that Container Insights counts.
//!
//! CloudTrail knows the call that began it. While old and new tasks run side by side the service has two deployments or
//! more (`DeploymentCount`), and one again once the old tasks are gone. Without Container Insights, or where two
//! clusters have a service of the same name, the end stays unknown.

use super::parse::{Buckets, Grid};
use super::resources::{Listed, Query};
use crate::model::event::{Event, EventKind};
use crate::model::sanitize::excerpt;
use crate::model::time::{HOUR, MINUTE, Window};

const DIMENSIONS: [&str; 2] = ["ClusterName", "ServiceName"];

/// A second deployment must be counted within this time from the call, or it is another one's.
const BEGINS_WITHIN: i64 = 15 * MINUTE;

/// A rollout that takes longer is not followed.
const LONGEST: i64 = 6 * HOUR;

/// Finds the queries that tell how many deployments a service has.
pub fn queries(listed: &[Listed]) -> Vec<Query> {
    let counts = listed.iter().filter(|one| {
        one.namespace == "ECS/ContainerInsights"
            && one.metric == "DeploymentCount"
            && one.dimensions.iter().map(|(name, _)| name.as_str()).eq(DIMENSIONS)
    });
    let query = |one: &Listed| Query {
        namespace: one.namespace.clone(),
        metric: one.metric.clone(),
        dimensions: one.dimensions.clone(),
        stat: "Maximum".to_owned(),
    };
    counts.map(query).collect()
}

/// Returns the window that has to be asked: with what follows it, because a rollout may end after it.
pub fn around(window: Window, now: i64) -> Window {
    Window::new(window.start, (window.end + LONGEST).min(now.div_euclid(HOUR) * HOUR).max(window.end))
}

/// Writes when each deploy of an ECS service was over, where that can be seen.
///
/// `grid`: of [`around`] the window; `gathered`: one list of buckets a query.
pub fn write_ends(events: &mut [Event], queries: &[Query], gathered: &[Buckets], grid: Grid) {
    for event in events.iter_mut().filter(|event| event.kind == EventKind::Deploy && event.until.is_none()) {
        let mut of_service = queries.iter().zip(gathered).filter(
            |(query, _)| matches!(query.dimensions.as_slice(), [_, (_, service)] if excerpt(service) == event.service),
        );
        if let (Some((_, buckets)), None) = (of_service.next(), of_service.next()) {
            event.until = end(buckets, event.at, grid);
        }
    }
}

/// Returns the first moment after the second deployment at which there was one again.
fn end(buckets: &Buckets, at: i64, grid: Grid) -> Option<i64> {
    let time = |bucket: usize| grid.window.start + bucket as i64 * grid.width;
    let known = || buckets.iter().enumerate().map(|(bucket, count)| (time(bucket), *count));
    let (begun, _) = known().find(|(start, count)| *count > 1.0 && start + grid.width > at)?;
    let (over, _) = known().find(|(start, count)| *start > begun && *count <= 1.0)?;
    (begun <= at + BEGINS_WITHIN.max(grid.width) && over <= at + LONGEST).then_some(over)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(cluster: &str, service: &str) -> Query {
        let listed = Listed {
            namespace: "ECS/ContainerInsights".into(),
            dimensions: [("ClusterName", cluster), ("ServiceName", service)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            metric: "DeploymentCount".into(),
        };
        queries(&[listed]).remove(0)
    }

    /// The end of a deploy at a minute, by the counts of five minutes each.
    fn told(counts: &[f64], minute: i64) -> Option<i64> {
        let grid = Grid { window: Window::new(0, counts.len() as i64 * 5 * MINUTE), width: 5 * MINUTE };
        let mut events = [Event::new("cloudwatch:eu-west-1:a", "card-api", minute * MINUTE)];
        write_ends(&mut events, &[query("main", "card-api")], &[counts.to_vec()], grid);
        events[0].until.map(|until| until / MINUTE)
    }

    #[test]
    fn a_rollout_is_over_when_one_deployment_is_left() {
        assert_eq!(told(&[1.0, 1.0, 2.0, 2.0, 3.0, 1.0, 1.0], 11), Some(25));
        assert_eq!(told(&[1.0, 1.0, 1.0, 2.0, f64::NAN, 1.0], 11), Some(25), "a gap ends nothing");
    }

    #[test]
    fn what_cannot_be_seen_stays_unknown() {
        assert_eq!(told(&[1.0; 12], 11), None, "it was over within a bucket, or is not counted");
        assert_eq!(told(&[1.0, 1.0, 2.0, 2.0, 2.0], 11), None, "it goes on");
        assert_eq!(told(&[f64::NAN; 12], 11), None);
        let late = [&[1.0; 8][..], &[2.0, 1.0]].concat();
        assert_eq!(told(&late, 11), None, "another deploy, half an hour later");
        let mut events = [Event::new("a", "card-api", 0)];
        let grid = Grid { window: Window::new(0, 15 * MINUTE), width: 5 * MINUTE };
        let two = [query("main", "card-api"), query("spare", "card-api")];
        write_ends(&mut events, &two, &[vec![2.0, 2.0, 1.0], vec![1.0; 3]], grid);
        assert_eq!(events[0].until, None, "which of two services of one name was it?");
    }
}
