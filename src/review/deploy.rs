//! Deploys, the groups in which they are judged, and the other events of the period.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instant::{Instant, Span};
use super::words::{EVENTS, VERDICTS};
use crate::model::event::EventKind;
use crate::model::time::Window;
use crate::model::verdict::Verdict;

/// One deploy or other judged change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deploy {
    /// Its id.
    pub id: Arc<str>,
    /// The service whose series it was held against.
    pub service: Arc<str>,
    /// When it began, RFC 3339.
    pub at: Instant,
    /// When it was over, if it was not an instant.
    pub until: Option<Instant>,
    /// Commit or version, empty if unknown.
    pub revision: String,
    /// The version label that another source gave the same deploy, where `revision` is a commit; else empty.
    #[serde(default)]
    pub version: String,
    /// What it was about, empty if unknown.
    pub title: String,
    /// Where to read more, empty if unknown. From outside: check before linking.
    pub url: String,
    /// Who knows this change, empty if unknown.
    pub author: String,
    /// What it is.
    #[schemars(with = "String", extend("enum" = EVENTS))]
    pub kind: EventKind,
    /// Number of its group on the page.
    pub number: usize,
    /// Ids of the deploys that are judged together with it, itself included.
    #[schemars(with = "Vec<String>")]
    pub group: Arc<[Arc<str>]>,
    /// The worst verdict among its group's comparisons.
    #[schemars(with = "String", extend("enum" = VERDICTS))]
    pub verdict: Verdict,
    /// No source reported it: it was seen in the data, such as a version that was not there before.
    #[serde(default)]
    pub inferred: bool,
}

/// Deploys of one service that are too close together to be judged apart; often just one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Its number, from 1, by time.
    pub number: usize,
    /// The service.
    pub service: Arc<str>,
    /// When its first deploy began.
    pub from: Instant,
    /// When its last deploy was over.
    pub to: Instant,
    /// Ids of its deploys, by time.
    #[schemars(with = "Vec<String>")]
    pub deploys: Arc<[Arc<str>]>,
}

impl Group {
    /// Returns its span in UTC milliseconds.
    pub fn window(&self) -> Window {
        Span { from: self.from, to: self.to }.window()
    }
}

/// An incident, campaign or drill: its hours are left out of every comparison that it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// The service that it concerns; `*` means all of them.
    pub service: String,
    /// What it is.
    #[schemars(with = "String", extend("enum" = EVENTS))]
    pub kind: EventKind,
    /// When it began, RFC 3339.
    pub at: Instant,
    /// When it was over, if it was not an instant.
    pub until: Option<Instant>,
    /// What it was about, empty if unknown.
    pub title: String,
    /// Where to read more, empty if unknown. From outside: check before linking.
    pub url: String,
}

impl Event {
    /// Returns its span in UTC milliseconds; an instant gives an empty window.
    pub fn window(&self) -> Window {
        Window::new(self.at.ms(), self.until.unwrap_or(self.at).ms())
    }

    /// Returns whether it touches a service in a window.
    pub fn touches(&self, service: &str, window: Window) -> bool {
        let concerns = self.service == "*" || self.service == service;
        concerns && (self.window().overlaps(window) || window.contains(self.at.ms()))
    }
}
