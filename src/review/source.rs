//! How the sources fared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How one source fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Its id in the config.
    pub id: String,
    /// What it is.
    pub kind: String,
    /// `failed` gave nothing, `partial` gave something and an error.
    #[schemars(with = "String", extend("enum" = ["ok", "partial", "failed"]))]
    pub state: SourceHealth,
    /// Share of the period's points that were there, averaged over series; null if several sources share them.
    pub coverage: Option<f64>,
    /// Rows read.
    pub rows: u64,
    /// Series found.
    pub series: usize,
    /// Deploys and other events found.
    pub events: usize,
    /// Why it failed.
    pub errors: Vec<String>,
    /// What it can show: `operations`, `datastores`, `resources`, `deploys`. Empty in reports of versions that did not write
    /// it.
    #[serde(default)]
    pub gives: Vec<String>,
    /// What was left out or repaired.
    pub notes: Vec<Note>,
}

/// How far a source can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceHealth {
    /// Everything arrived.
    Ok,
    /// Something arrived, and an error.
    Partial,
    /// Nothing arrived.
    Failed,
}

impl SourceHealth {
    /// Returns the word of the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// Rows that were left out or repaired, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Why: a stable word.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first place.
    pub example: String,
}
