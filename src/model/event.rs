//! Deploys and the other events that explain a change. Calls nobody but the vocabulary.

mod deduplicate;
mod origin;
mod scrub;

use serde::{Deserialize, Serialize};

use crate::model::time::Window;

pub use deduplicate::{Deduplicated, deduplicate};
pub use origin::{API_CALL, INFERRED, Origin};
pub use scrub::scrub;

/// What an event is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// New code went live. Judged.
    #[default]
    Deploy,
    /// Something was broken. Its hours are left out of the statistics.
    Incident,
    /// Planned extra traffic. Its hours are left out of the statistics.
    Campaign,
    /// An engine, runtime or library was updated. Judged.
    Middleware,
    /// A setting changed. Judged.
    Config,
    /// A feature flag moved. Judged.
    Flag,
    /// A practised failure. Its hours are left out of the statistics.
    Drill,
    /// A part of the traffic got new code. Judged.
    Canary,
}

impl EventKind {
    /// Every kind with its word.
    pub const ALL: [(&'static str, Self); 8] = [
        ("deploy", Self::Deploy),
        ("incident", Self::Incident),
        ("campaign", Self::Campaign),
        ("middleware", Self::Middleware),
        ("config", Self::Config),
        ("flag", Self::Flag),
        ("drill", Self::Drill),
        ("canary", Self::Canary),
    ];

    /// Parses the contract's word for a kind of event.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, kind)| *kind)
    }

    /// Returns the contract's word for the kind.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("deploy", |(word, _)| word)
    }

    /// Returns whether the event is a change whose effect is judged; the others are left out of the data.
    pub fn is_judged(self) -> bool {
        !matches!(self, Self::Incident | Self::Campaign | Self::Drill)
    }
}

/// One deploy or other event. Every text comes from outside: escape it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique within the input.
    pub id: String,
    /// The service it belongs to; `*` means all of them.
    pub service: String,
    /// When it began, UTC milliseconds.
    pub at: i64,
    /// When it was over, if it was not an instant; at or after `at`.
    pub until: Option<i64>,
    /// Commit or version, empty if unknown.
    pub revision: String,
    /// The version label that another source gave the same deploy, where `revision` is a commit; else empty. Written when
    /// reports are joined, never by a source.
    pub version: String,
    /// What it was about, empty if unknown.
    pub title: String,
    /// Where to read more (a pull request), empty if unknown. Only `https:` and `http:` may be linked.
    pub url: String,
    /// Who knows this change, empty if unknown.
    pub author: String,
    /// What it is.
    pub kind: EventKind,
    /// Who says so.
    pub origin: Origin,
}

impl Event {
    /// Makes a deploy of which nothing else is known; its origin follows from its id.
    ///
    /// `at`: UTC milliseconds.
    pub fn new(id: impl Into<String>, service: impl Into<String>, at: i64) -> Self {
        let id = id.into();
        Self {
            origin: Origin::of_id(&id),
            id,
            service: service.into(),
            at,
            until: None,
            revision: String::new(),
            version: String::new(),
            title: String::new(),
            url: String::new(),
            author: String::new(),
            kind: EventKind::Deploy,
        }
    }

    /// Returns whether nobody said so: a change that was seen in the data, such as a version that was not there before.
    pub fn is_inferred(&self) -> bool {
        self.origin == Origin::Inferred
    }

    /// Returns how well its words say what happened; the least is the best. What a person or a pipeline wrote goes before
    /// the name of an API call, and that before what was seen in the data.
    pub fn standing(&self) -> (u8, bool) {
        (self.origin.rank(), self.id.starts_with(API_CALL))
    }

    /// Returns its span; an instant gives an empty window.
    pub fn window(&self) -> Window {
        Window::new(self.at, self.until.unwrap_or(self.at))
    }

    /// Returns whether it belongs to a service.
    pub fn concerns(&self, service: &str) -> bool {
        self.service == "*" || self.service == service
    }
}

/// Deploys of one service that are too close together to be told apart; often just one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployGroup {
    /// 1-based number in the report, by time over all services; 0 for groups before the period.
    pub number: usize,
    /// The service.
    pub service: String,
    /// Its deploys, as indices into the list of events, by time; never empty.
    pub members: Vec<usize>,
    /// From the first deploy's start to the last one's end.
    pub window: Window,
}

/// Joins the judged events of one service into groups.
///
/// `events`: all events, sorted by time. Two deploys share a group when the second starts less than
/// `gap_ms` after the first is over, for each neighbouring pair, up to `longest_ms` from the first start
/// so that a busy day does not become one group. Numbers are 0; the report gives them.
pub fn group(events: &[Event], service: &str, gap_ms: i64, longest_ms: i64) -> Vec<DeployGroup> {
    let mut groups: Vec<DeployGroup> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        if !event.kind.is_judged() || !event.concerns(service) {
            continue;
        }
        let window = event.window();
        match groups.last_mut() {
            Some(last) if window.start < last.window.end + gap_ms && window.end <= last.window.start + longest_ms => {
                last.window.end = last.window.end.max(window.end);
                last.members.push(index);
            }
            _ => groups.push(DeployGroup { number: 0, service: service.to_owned(), members: vec![index], window }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::MINUTE;

    fn deploy(minute: i64) -> Event {
        Event::new(format!("d{minute}"), "a", minute * MINUTE)
    }

    #[test]
    fn neighbours_within_the_gap_are_one_group() {
        let events: Vec<Event> = [0, 20, 60, 300].map(deploy).into();
        let groups = group(&events, "a", 30 * MINUTE, 120 * MINUTE);
        let sizes: Vec<usize> = groups.iter().map(|group| group.members.len()).collect();
        assert_eq!(sizes, [2, 1, 1]);
        assert!(group(&events, "b", 30 * MINUTE, 120 * MINUTE).is_empty());
    }

    #[test]
    fn a_chain_does_not_grow_past_the_longest() {
        let events: Vec<Event> = (0..20).map(|k| deploy(k * 20)).collect();
        let groups = group(&events, "a", 30 * MINUTE, 120 * MINUTE);
        assert!(groups.iter().all(|group| group.window.length() <= 120 * MINUTE));
        assert_eq!(groups.iter().map(|group| group.members.len()).sum::<usize>(), 20);
    }
}
