//! Deploys that nobody marked: a version attribute that was not there before.
//!
//! A version that is first seen inside the window, of a service that ran another one before, is an inferred deploy:
//! from its first sight to the last sight of the version before, if both ran for a while. Its id begins with
//! [`INFERRED`]. A version that comes back within a day of its own last sight is not seen as new.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::error::NewRelicError;
use super::parse::{self, Row};
use super::partitioning::{Piece, QueryRunner, lists};
use crate::model::event::{Event, INFERRED, Origin};
use crate::model::time::{DAY, HOUR, MINUTE, Window};

/// How long before the window versions are looked at, milliseconds.
pub(super) const BEFORE: i64 = DAY;
/// A marker of the service this near to the first sight is the same deploy.
pub(super) const NEAR: i64 = 30 * MINUTE;
/// Two versions side by side for longer than this are no rolling deploy but a choice.
const LONGEST_ROLL: i64 = 6 * HOUR;
/// One version of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    pub service: Arc<str>,
    pub version: String,
    pub first: i64,
    pub last: i64,
}

impl QueryRunner<'_> {
    /// Asks which versions ran in a window.
    ///
    /// # Errors
    /// [`NewRelicError`].
    pub(super) async fn sights(&self, window: Window, applications: &[String]) -> Result<Vec<Sight>, NewRelicError> {
        let mut sights = Vec::new();
        for applications in lists(self.query, applications) {
            let piece = Piece { window, applications, narrow: Vec::new() };
            for (piece, rows) in self.complete(piece).await? {
                for (index, row) in rows.iter().enumerate() {
                    self.sight(index, row, piece.window, &mut sights)?;
                }
            }
        }
        Ok(sights)
    }

    fn sight(&self, index: usize, row: &Value, asked: Window, sights: &mut Vec<Sight>) -> Result<(), NewRelicError> {
        let row = Row::new(self.query, index, row)?;
        let (first, last) = (row.millis("first")?, row.millis("last")?);
        let version = row.target()?;
        if !asked.contains(first) || last < first {
            return Err(parse::cut(self.query, format!("version {version} seen from {first} to {last}")));
        }
        for service in row.services(self.services)? {
            sights.push(Sight { service, version: version.clone(), first, last });
        }
        Ok(())
    }
}

/// Makes events of versions that appear in the window, of services that ran another version before, unless a marker
/// tells of them.
pub(super) fn inferred(account: i64, sights: &[Sight], marked: &[Event], window: Window) -> Vec<Event> {
    let mut by_version: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
    for sight in sights {
        let span = by_version.entry((&sight.service, &sight.version)).or_insert((sight.first, sight.last));
        *span = (span.0.min(sight.first), span.1.max(sight.last));
    }
    let mut events = Vec::new();
    for ((service, version), (first, _)) in &by_version {
        let before = by_version.iter().filter(|((other, _), span)| other == service && span.0 < *first);
        let Some((_, (_, last_before))) = before.max_by_key(|(_, span)| span.0) else { continue };
        let is_marked = marked.iter().any(|event| {
            let is_near = (event.window().start - NEAR..=event.window().end + NEAR).contains(first);
            event.service == *service && event.kind.is_judged() && (event.revision == *version || is_near)
        });
        if !window.contains(*first) || is_marked {
            continue;
        }
        let until = (*first < *last_before && last_before - first <= LONGEST_ROLL).then_some(*last_before);
        let id = format!("{INFERRED}newrelic:{account}:{service}:{version}:{}", first.div_euclid(DAY));
        events.push(Event {
            until,
            revision: (*version).to_owned(),
            title: format!("{version} (inferred: a version without a marker)"),
            origin: Origin::Inferred,
            ..Event::new(id, *service, *first)
        });
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(version: &str, first: i64, last: i64) -> Sight {
        Sight { service: "a".into(), version: version.into(), first, last }
    }

    #[test]
    fn a_new_version_without_a_marker_is_inferred() {
        let window = Window::new(DAY, 2 * DAY);
        let sights = [sight("v1", 0, DAY + HOUR + 9 * MINUTE), sight("v2", DAY + HOUR, 2 * DAY - 1)];
        let events = inferred(7, &sights, &[], window);
        assert_eq!(events.len(), 1, "the first version that is seen is no deploy");
        assert_eq!(events[0].id, "inferred:newrelic:7:a:v2:1");
        assert_eq!((events[0].at, events[0].until), (DAY + HOUR, Some(DAY + HOUR + 9 * MINUTE)));
        assert!(events[0].is_inferred());
        let mut marker = events[0].clone();
        marker.id = "m".into();
        marker.at -= 5 * MINUTE;
        marker.revision = "tag-of-v2".into();
        assert!(inferred(7, &sights, &[marker], window).is_empty(), "a marker tells of it");
    }

    #[test]
    fn a_service_that_is_new_has_no_deploy() {
        let sights = [sight("v1", DAY + HOUR, 2 * DAY - 1)];
        assert!(inferred(7, &sights, &[], Window::new(DAY, 2 * DAY)).is_empty());
    }
}
