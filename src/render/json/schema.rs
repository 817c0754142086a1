//! The shape of `report.json`: one struct an object, in the order in which keys are written. The doc
//! comments are the descriptions of the JSON Schema.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::render::explain::Explanation;

/// Name and version of the format; a change that breaks readers gets a new number.
pub const SCHEMA: &str = "fortnight.report/1";

/// Returns the JSON Schema of the report.
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Report<'_, Vec<Comparison<'_>>>>()
        .to_value()
}

/// Ids of the deploys of a group.
pub(super) struct Words<'a> {
    pub(super) ids: Vec<&'a str>,
}

/// What became worse relative to which deploy in one period, and how sure that is.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "fortnight report")]
pub(super) struct Report<'a, C> {
    /// Name and version of this format.
    #[schemars(extend("const" = SCHEMA))]
    pub(super) schema: &'static str,
    /// The window that was judged.
    pub(super) period: Period,
    /// When the report was made, RFC 3339; the period's end unless told otherwise.
    #[schemars(extend("format" = "date-time"))]
    pub(super) generated_at: String,
    /// Heading of the report, empty for none.
    pub(super) title: &'a str,
    /// How each source fared.
    pub(super) sources: Vec<Source<'a>>,
    /// Every judged deploy of the period, by time.
    pub(super) deploys: Vec<Deploy<'a>>,
    /// What the report tells: worse by cost, then possibly worse, better, explained.
    pub(super) findings: Vec<Finding<'a>>,
    /// Changes with no deploy near.
    pub(super) elsewhere: Vec<Elsewhere<'a>>,
    /// How often the judge cries when nothing was deployed, measured on the same data.
    pub(super) audit: Audit,
    /// Every series against every deploy (group) of its service.
    pub(super) comparisons: C,
}

/// A half-open window `[from, to)`.
#[derive(Serialize, JsonSchema)]
pub(super) struct Period {
    /// First instant inside, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub(super) from: String,
    /// First instant outside, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub(super) to: String,
    /// IANA name of the report's time zone.
    pub(super) timezone: &'static str,
}

/// A half-open span of time.
#[derive(Serialize, JsonSchema)]
pub(super) struct Onset {
    /// First instant inside, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub(super) from: String,
    /// First instant outside, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub(super) to: String,
}

/// How one source fared.
#[derive(Serialize, JsonSchema)]
pub(super) struct Source<'a> {
    /// Its id in the config.
    pub(super) id: &'a str,
    /// What it is.
    pub(super) kind: &'static str,
    /// `failed` gave nothing, `partial` gave something and an error.
    #[schemars(extend("enum" = ["ok", "partial", "failed"]))]
    pub(super) state: &'static str,
    /// Share of the period's points that were there, averaged over series; null if they cannot be told apart.
    pub(super) coverage: Option<f64>,
    /// Rows read.
    pub(super) rows: u64,
    /// Series found.
    pub(super) series: usize,
    /// Deploys and other events found.
    pub(super) events: usize,
    /// Why it failed.
    pub(super) errors: Vec<String>,
    /// What was left out or repaired.
    pub(super) notes: Vec<Note<'a>>,
}

/// Rows that were left out or repaired, for one reason.
#[derive(Serialize, JsonSchema)]
pub(super) struct Note<'a> {
    /// Why: a stable word.
    pub(super) reason: &'a str,
    /// How many.
    pub(super) count: u64,
    /// The first place.
    pub(super) example: &'a str,
}

/// One deploy or other judged change.
#[derive(Serialize, JsonSchema)]
pub(super) struct Deploy<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// The service whose series it was held against.
    pub(super) service: &'a str,
    /// When it began, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub(super) at: String,
    /// When it was over, if it was not an instant.
    pub(super) until: Option<String>,
    /// Commit or version, empty if unknown.
    pub(super) revision: &'a str,
    /// What it was about, empty if unknown.
    pub(super) title: &'a str,
    /// Where to read more, empty if unknown. From outside: check before linking.
    pub(super) url: &'a str,
    /// Who knows this change, empty if unknown.
    pub(super) author: &'a str,
    /// What it is.
    #[schemars(extend("enum" = ["deploy", "middleware", "config", "flag", "canary", "incident", "campaign", "drill"]))]
    pub(super) kind: &'static str,
    /// Number of its group on the page.
    pub(super) number: usize,
    /// Ids of the deploys that are judged together with it, itself included.
    pub(super) group: Vec<&'a str>,
    /// The worst verdict among its group's comparisons.
    #[schemars(extend("enum" = VERDICTS))]
    pub(super) verdict: &'static str,
}

/// One change at one deploy (group), with every target that it moved.
#[derive(Serialize, JsonSchema)]
pub(super) struct Finding<'a> {
    /// Stable id: fingerprint and onset.
    pub(super) id: &'a str,
    /// Service, target, signal family and direction in sixteen hexadecimal digits: the same in the next period.
    pub(super) fingerprint: String,
    /// The verdict of its leading comparison.
    #[schemars(extend("enum" = VERDICTS))]
    pub(super) verdict: &'static str,
    /// The service.
    pub(super) service: &'a str,
    /// What it was measured on.
    #[schemars(extend("enum" = KINDS))]
    pub(super) kind: &'static str,
    /// The endpoint, statement or resource that it is told by.
    pub(super) target: &'a str,
    /// Signal of the leading comparison.
    pub(super) signal: &'a str,
    /// Unit of `before`, `after` and `delta`.
    pub(super) unit: &'static str,
    /// Id of the deploy (of a group: its first).
    pub(super) deploy: Option<&'a str>,
    /// Ids of the group's deploys.
    pub(super) deploy_group: Vec<&'a str>,
    /// Number of the group on the page.
    pub(super) number: usize,
    /// Shape of the change.
    #[schemars(extend("enum" = PATTERNS))]
    pub(super) pattern: Option<&'static str>,
    /// With `recovered` and `burst`: when the old level was back.
    pub(super) until: Option<String>,
    /// With `recovered`: id of the deploy that took it back, if one did.
    pub(super) by: Option<&'a str>,
    /// Typical level before.
    pub(super) before: Option<f64>,
    /// Typical level after.
    pub(super) after: Option<f64>,
    /// After / before, beyond what the time of day explains.
    pub(super) ratio: Option<f64>,
    /// 95 % interval of `ratio`.
    pub(super) ratio_ci: Option<[f64; 2]>,
    /// After - before, for shares near zero.
    pub(super) delta: Option<f64>,
    /// 95 % interval of `delta`.
    pub(super) delta_ci: Option<[f64; 2]>,
    /// Added milliseconds times requests, of all targets; negative is saved.
    pub(super) cost_ms: Option<f64>,
    /// Index of the comparison that tells it best.
    pub(super) lead: usize,
    /// The targets that moved, the worst first; behind operations the datastores that moved with them.
    pub(super) targets: Vec<Target<'a>>,
    /// Indices of all comparisons that moved with it.
    pub(super) members: &'a [usize],
    /// Facts beside it, never a claim of cause.
    pub(super) hints: Vec<Hint>,
    /// The team that answers for the service, empty for nobody yet.
    pub(super) owner: &'a str,
    /// Where the steps for its alarms stand, empty for nowhere.
    pub(super) runbook: &'a str,
    /// How the verdict came about: what the page folds away and `fortnight explain` prints.
    pub(super) explanation: Option<Box<Explanation>>,
}

/// One target of a finding.
#[derive(Serialize, JsonSchema)]
pub(super) struct Target<'a> {
    /// What it was measured on.
    #[schemars(extend("enum" = KINDS))]
    pub(super) kind: &'static str,
    /// The endpoint, statement or resource.
    pub(super) target: &'a str,
    /// The verdict of its own leading comparison.
    #[schemars(extend("enum" = VERDICTS))]
    pub(super) verdict: &'static str,
    /// Index of that comparison.
    pub(super) lead: usize,
    /// Added milliseconds times requests; negative is saved.
    pub(super) cost_ms: Option<f64>,
}

/// A bad spell right after a deploy.
#[derive(Serialize, JsonSchema)]
pub(super) struct Burst {
    /// Its level / the usual.
    pub(super) ratio: Option<f64>,
    /// Its level - the usual, for shares near zero.
    pub(super) delta: Option<f64>,
    /// Probability of as much at a moment without a deploy.
    pub(super) p_value: Option<f64>,
}

/// A fact that fits or does not fit a finding.
#[derive(Serialize, JsonSchema)]
pub(super) struct Hint {
    /// What was looked at.
    #[schemars(extend("enum" = ["database_time", "traffic", "processor", "errors"]))]
    pub(super) hint: &'static str,
    /// Whether it moved in the direction that would explain the finding.
    #[schemars(extend("enum" = ["fits", "does_not_fit", "cannot_tell"]))]
    pub(super) fit: &'static str,
    /// Index of the comparison that shows it.
    pub(super) comparison: usize,
}

/// A change that no deploy explains.
#[derive(Serialize, JsonSchema)]
pub(super) struct Elsewhere<'a> {
    /// The service.
    pub(super) service: &'a str,
    /// What it was measured on.
    #[schemars(extend("enum" = KINDS))]
    pub(super) kind: &'static str,
    /// The endpoint, statement or resource.
    pub(super) target: &'a str,
    /// The signal.
    pub(super) signal: &'a str,
    /// Unit of `delta`.
    pub(super) unit: &'static str,
    /// A step, or a slow climb or fall.
    #[schemars(extend("enum" = ["shift", "drift"]))]
    pub(super) change: &'static str,
    /// When it happened; for a drift the span it was seen over.
    pub(super) at: Onset,
    /// After / before.
    pub(super) ratio: Option<f64>,
    /// 95 % interval of `ratio`.
    pub(super) ratio_ci: Option<[f64; 2]>,
    /// After - before, for shares near zero.
    pub(super) delta: Option<f64>,
    /// 95 % interval of `delta`.
    pub(super) delta_ci: Option<[f64; 2]>,
    /// Two-sided p of no change.
    pub(super) p_value: Option<f64>,
    /// It is for the worse.
    pub(super) worse: bool,
}

/// The placebo audit.
#[derive(Serialize, JsonSchema)]
pub(super) struct Audit {
    /// Placebo deploys judged.
    pub(super) tests: usize,
    /// Alarms among them.
    pub(super) false_alarms: usize,
    /// Alarms of this report that must be expected to be false.
    pub(super) expected_false: f64,
    /// The p below which a comparison could become an alarm here.
    pub(super) p_threshold: f64,
}

/// One series against one deploy (group).
#[derive(Serialize, JsonSchema)]
pub(super) struct Comparison<'a> {
    /// The service.
    pub(super) service: &'a str,
    /// What it was measured on.
    #[schemars(extend("enum" = KINDS))]
    pub(super) kind: &'static str,
    /// The endpoint, statement or resource.
    pub(super) target: &'a str,
    /// The signal.
    pub(super) signal: &'a str,
    /// Unit of `before`, `after`, `delta` and `limit_delta`.
    pub(super) unit: &'static str,
    /// Id of the deploy (of a group: its first).
    pub(super) deploy: Option<&'a str>,
    /// Ids of the group's deploys.
    pub(super) deploy_group: Vec<&'a str>,
    /// The verdict.
    #[schemars(extend("enum" = VERDICTS))]
    pub(super) verdict: &'static str,
    /// With `explained`: by what.
    #[schemars(extend("enum" = ["load", "fleet", "mix", "event", null]))]
    pub(super) explained_by: Option<&'static str>,
    /// Shape of the change.
    #[schemars(extend("enum" = PATTERNS))]
    pub(super) pattern: Option<&'static str>,
    /// With `recovered` and `burst`: when the old level was back.
    pub(super) until: Option<String>,
    /// With `recovered`: id of the deploy that took it back, if one did.
    pub(super) by: Option<&'a str>,
    /// Typical level before, in the hours compared.
    pub(super) before: Option<f64>,
    /// Typical level after, in the hours compared.
    pub(super) after: Option<f64>,
    /// After / before as measured, beyond what the time of day explains.
    pub(super) ratio: Option<f64>,
    /// 95 % interval of `ratio`.
    pub(super) ratio_ci: Option<[f64; 2]>,
    /// The same ratio before what explains it was taken out, where that was done.
    pub(super) plain_ratio: Option<f64>,
    /// After - before, for shares near zero.
    pub(super) delta: Option<f64>,
    /// 95 % interval of `delta`.
    pub(super) delta_ci: Option<[f64; 2]>,
    /// The same of `delta`.
    pub(super) plain_delta: Option<f64>,
    /// With `burst`: how bad it was.
    pub(super) burst: Option<Burst>,
    /// The change that would matter here, as a ratio above 1; null when none could.
    pub(super) limit: Option<f64>,
    /// The change that would matter as a difference, with `delta`.
    pub(super) limit_delta: Option<f64>,
    /// The smallest ratio that would have been found with 80 % power.
    pub(super) detectable: Option<f64>,
    /// Two-sided p of no change.
    pub(super) p_value: Option<f64>,
    /// p after control of the false discovery rate.
    pub(super) q_value: Option<f64>,
    /// Share of the compared hours that had data.
    pub(super) coverage: Option<f64>,
    /// When the change began, if it was located.
    pub(super) onset: Option<Onset>,
    /// Share of the blame that falls on this deploy, 0 to 1.
    pub(super) blame: Option<f64>,
    /// Added milliseconds times requests, for latency; negative is saved.
    pub(super) cost_ms: Option<f64>,
    /// With `too_early`: when it can be judged.
    pub(super) ready_at: Option<String>,
    /// The hours compared before the deploy.
    pub(super) before_window: Onset,
    /// The hours compared after it.
    pub(super) after_window: Onset,
}

const KINDS: [&str; 3] = ["operation", "datastore", "resource"];

const PATTERNS: [Option<&str>; 5] = [Some("sustained"), Some("recovered"), Some("burst"), Some("tail_only"), None];

const VERDICTS: [&str; 9] = [
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
