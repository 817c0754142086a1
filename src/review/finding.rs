//! A finding: one change at one deploy (group), with every target that it moved and the evidence for it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::explanation::Explanation;
use super::instant::Instant;
use super::words::{KINDS, PATTERNS, Pattern, VERDICTS};
use crate::model::metric::{Class, Kind, Polarity, SeriesKey, Unit};
use crate::model::verdict::Verdict;

/// One change at one deploy (group), with every target that it moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable id: fingerprint and onset.
    pub id: String,
    /// Service, target, signal family and direction in sixteen hexadecimal digits: the same in the next period. Empty in
    /// reports of versions that did not write it.
    #[serde(default)]
    pub fingerprint: String,
    /// The verdict of its leading comparison.
    #[schemars(with = "String", extend("enum" = VERDICTS))]
    pub verdict: Verdict,
    /// The service.
    pub service: Arc<str>,
    /// What it was measured on.
    #[schemars(with = "String", extend("enum" = KINDS))]
    pub kind: Kind,
    /// The endpoint, statement or resource of its leading comparison.
    pub target: Arc<str>,
    /// Signal of the leading comparison.
    pub signal: Arc<str>,
    /// Unit of `before`, `after` and `delta`.
    #[schemars(with = "String")]
    pub unit: Unit,
    /// Id of the deploy (of a group: its first).
    pub deploy: Option<Arc<str>>,
    /// Ids of the group's deploys.
    #[schemars(with = "Vec<String>")]
    pub deploy_group: Arc<[Arc<str>]>,
    /// Number of the group on the page.
    pub number: usize,
    /// Shape of the change.
    #[schemars(with = "Option<String>", extend("enum" = PATTERNS))]
    pub pattern: Option<Pattern>,
    /// With `recovered` and `burst`: when the old level was back; with `gradual` and `delayed`: when the new one was there.
    pub until: Option<Instant>,
    /// With `recovered`: id of the deploy that took it back, if one did.
    pub by: Option<Arc<str>>,
    /// It is over: a deploy took it back, or the old level was back by itself for a day or more at the end of the period.
    /// False in reports of versions that did not write it.
    #[serde(default)]
    pub over: bool,
    /// Typical level before.
    pub before: Option<f64>,
    /// Typical level after.
    pub after: Option<f64>,
    /// After / before, beyond what the time of day explains.
    pub ratio: Option<f64>,
    /// 95 % interval of `ratio`.
    pub ratio_ci: Option<[f64; 2]>,
    /// After - before, for shares near zero.
    pub delta: Option<f64>,
    /// 95 % interval of `delta`.
    pub delta_ci: Option<[f64; 2]>,
    /// Added milliseconds times requests, of all targets; negative is saved.
    pub cost_ms: Option<f64>,
    /// Requests of all targets that failed more; negative is fewer. Null where none of it is known, and in reports of
    /// versions that did not write it.
    #[serde(default)]
    pub failed_requests: Option<f64>,
    /// Index of the comparison that supports it best.
    pub lead: usize,
    /// The targets that moved, the worst first; behind operations the datastores that moved with them.
    pub targets: Vec<Target>,
    /// Indices of all comparisons that moved with it.
    pub members: Vec<usize>,
    /// Facts beside it, never a claim of cause.
    pub hints: Vec<Hint>,
    /// The team that answers for the service, empty for nobody yet.
    pub owner: String,
    /// Where the steps for its alarms are, empty for nowhere. From outside: check before linking.
    pub runbook: String,
    /// How the verdict came about: what the page folds away and `fortnight explain` prints.
    pub explanation: Option<Box<Explanation>>,
    /// Number of the group of `by`.
    #[serde(default)]
    pub by_number: Option<usize>,
    /// The comparison at `lead`, so that a finding can be read alone; null in reports of versions that did not write it.
    #[serde(default)]
    pub comparison: Option<Box<Comparison>>,
}

/// One target of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// What it was measured on.
    #[schemars(with = "String", extend("enum" = KINDS))]
    pub kind: Kind,
    /// The endpoint, statement or resource.
    pub target: Arc<str>,
    /// The verdict of its own leading comparison.
    #[schemars(with = "String", extend("enum" = VERDICTS))]
    pub verdict: Verdict,
    /// Index of that comparison.
    pub lead: usize,
    /// Added milliseconds times requests; negative is saved.
    pub cost_ms: Option<f64>,
    /// Requests that failed more; negative is fewer.
    #[serde(default)]
    pub failed_requests: Option<f64>,
    /// Requests from the deploy until the old level was back, or else to the end of the period, where traffic is known.
    #[serde(default)]
    pub requests: Option<f64>,
}

/// A fact that fits or does not fit a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hint {
    /// What was looked at.
    #[schemars(with = "String", extend("enum" = ["database_time", "traffic", "processor", "errors"]))]
    pub hint: HintKind,
    /// Whether it moved in the direction that would explain the finding.
    #[schemars(with = "String", extend("enum" = ["fits", "does_not_fit", "cannot_tell"]))]
    pub fit: Fit,
    /// Index of the comparison that shows it.
    pub comparison: usize,
}

/// What a hint looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HintKind {
    /// Time in the database per request.
    DatabaseTime,
    /// Traffic.
    Traffic,
    /// How busy the processor of the service is.
    Processor,
    /// Errors.
    Errors,
}

impl HintKind {
    /// Returns the word of the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseTime => "database_time",
            Self::Traffic => "traffic",
            Self::Processor => "processor",
            Self::Errors => "errors",
        }
    }
}

/// Whether a hint fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It moved in the direction that would explain the finding.
    Fits,
    /// It did not move, or moved the other way.
    DoesNotFit,
    /// Its own evidence is inconclusive.
    CannotTell,
}

impl Fit {
    /// Returns the word of the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::DoesNotFit => "does_not_fit",
            Self::CannotTell => "cannot_tell",
        }
    }
}

/// What a finding reports: its verdict, or the burst where only a burst was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A regression.
    Worse,
    /// A possible regression.
    PossiblyWorse,
    /// A bad spell right after a deploy.
    Burst,
    /// An improvement.
    Better,
    /// A change that something else explains.
    Explained,
}

impl Topic {
    /// Every topic, in the order of the report.
    pub const ALL: [Self; 5] = [Self::Worse, Self::PossiblyWorse, Self::Burst, Self::Better, Self::Explained];

    /// Returns the word of the catalogues.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::PossiblyWorse => "possibly_worse",
            Self::Burst => "burst",
            Self::Better => "better",
            Self::Explained => "explained",
        }
    }
}

impl Finding {
    /// Returns what it reports.
    pub fn topic(&self) -> Topic {
        match (self.verdict, self.pattern) {
            (Verdict::Worse, _) => Topic::Worse,
            (Verdict::PossiblyWorse, _) => Topic::PossiblyWorse,
            (_, Some(Pattern::Burst)) => Topic::Burst,
            (Verdict::Better, _) => Topic::Better,
            _ => Topic::Explained,
        }
    }

    /// Returns whether what it reports is over. What explains a change, and a burst, have their own words for it.
    pub fn is_over(&self) -> bool {
        self.over && matches!(self.topic(), Topic::Worse | Topic::PossiblyWorse | Topic::Better)
    }

    /// Returns what its leading series is of.
    pub fn key(&self) -> SeriesKey {
        SeriesKey {
            service: self.service.clone(),
            kind: self.kind,
            target: self.target.clone(),
            signal: self.signal.clone(),
        }
    }

    /// Returns the golden signal of its leading series.
    pub fn class(&self) -> Class {
        self.explanation.as_ref().map_or(Class::Other, |own| own.inputs.class)
    }

    /// Returns which way its leading series gets better.
    pub fn better(&self) -> Polarity {
        self.explanation.as_ref().map_or(Polarity::Lower, |own| own.inputs.better)
    }

    /// Returns its targets of the same kind as the leading one, the leading one included.
    pub fn alike(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.kind == self.kind)
    }
}
