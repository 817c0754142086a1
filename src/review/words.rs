//! The stable words of the document, as the schema lists them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a series was measured on.
pub(super) const KINDS: [&str; 3] = ["operation", "datastore", "resource"];

/// Every pattern.
pub(super) const PATTERNS: [Option<&str>; 7] =
    [Some("sustained"), Some("recovered"), Some("burst"), Some("tail_only"), Some("gradual"), Some("delayed"), None];

/// Every verdict.
pub(super) const VERDICTS: [&str; 9] = [
    "worse",
    "possibly_worse",
    "better",
    "no_material_change",
    "not_worse",
    "explained",
    "inconclusive",
    "too_early",
    "no_data",
];

/// Every kind of event.
pub(super) const EVENTS: [&str; 8] =
    ["deploy", "middleware", "config", "flag", "canary", "incident", "campaign", "drill"];

/// The shape of a change over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Still there at the end of the data.
    Sustained,
    /// Went away; `until` says when, `by` which deploy took it back.
    Recovered,
    /// Bad only in the first minutes after the deploy.
    Burst,
    /// Only the high percentiles moved.
    TailOnly,
    /// The new level was reached bit by bit; `until` says by when.
    Gradual,
    /// The old level held on until some time after the deploy; `until` says until when.
    Delayed,
}

impl Pattern {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sustained => "sustained",
            Self::Recovered => "recovered",
            Self::Burst => "burst",
            Self::TailOnly => "tail_only",
            Self::Gradual => "gradual",
            Self::Delayed => "delayed",
        }
    }
}
