//! `report.json` against its own schema and the contract.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{Input, Review, build, schema, to_json};
use crate::config::Config;
use crate::detect::{
    self, Comparison, Confounder, Effect, Estimate, Fit, Hint, Judgement, Pattern, Scale, ScaledEstimate,
    SeriesSummary, Unattributed, UnattributedKind, Verdict,
};
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::event::{DeployGroup, Event};
use crate::model::metric::{Class, Kind, Polarity, SeriesKey, Unit};
use crate::model::time::{DAY, HOUR, Window};
use crate::source::SourceState;

/// A small judgement with every optional part filled in once.
pub(crate) struct Sample {
    pub(crate) judgement: Judgement,
    pub(crate) events: Vec<Event>,
    pub(crate) sources: Vec<SourceState>,
    pub(crate) config: Config,
}

const START: i64 = 1_794_150_000_000;

pub(crate) fn sample() -> Sample {
    let text = "timezone = \"Asia/Tokyo\"\n[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n[[service]]\nname = \"api\"\nowner = \"card-team\"\n";
    Sample {
        judgement: judgement(),
        events: vec![event("d1", START + DAY), event("d2", START + DAY + HOUR), event("d3", START + 3 * DAY)],
        sources: vec![SourceState {
            id: "files".into(),
            kind: "files",
            account: String::new(),
            rows: 10,
            series: 2,
            events: 3,
            keys: BTreeSet::new(),
            diagnostics: vec![Diagnostic::counted(Stage::Source, "files", "duplicate_same_value", 2, "a.csv:3")],
        }],
        config: Config::parse(text, Path::new("fortnight.toml")).expect("valid"),
    }
}

fn event(id: &str, at: i64) -> Event {
    Event {
        until: Some(at + HOUR),
        revision: "4f2c9e1".into(),
        title: "</script> \u{202e}".into(),
        url: "https://example.invalid/1".into(),
        ..Event::new(id, "api", at)
    }
}

fn judgement() -> Judgement {
    let period = Window::new(START, START + 14 * DAY);
    let group = |number: usize, members: Vec<usize>, at: i64| DeployGroup {
        number,
        service: "api".into(),
        members,
        window: Window::new(at, at + HOUR),
    };
    Judgement {
        period,
        groups: vec![group(1, vec![0, 1], START + DAY), group(2, vec![2], START + 3 * DAY)],
        series: vec![series("latency_p95", "ms"), series("error_rate", "percent")],
        comparisons: vec![
            comparison(0, 0, Verdict::Worse),
            comparison(0, 1, Verdict::Explained),
            comparison(1, 1, Verdict::NoData),
        ],
        findings: vec![detect::Finding {
            id: "F-3a9c12".into(),
            fingerprint: detect::FindingFingerprint {
                service: "api".into(),
                kind: Kind::Operation,
                target: "POST /v1/authorizations".into(),
                family: Class::Latency,
                direction: detect::HarmDirection::Worse,
            },
            group: 0,
            verdict: Verdict::Worse,
            lead: 0,
            targets: vec![detect::Target {
                lead: 0,
                members: vec![0],
                verdict: Verdict::Worse,
                cost_s: 54_000.0,
                failed: None,
            }],
            members: vec![0],
            pattern: Some(Pattern::Recovered { until: START + 3 * DAY, by: Some(1) }),
            hints: vec![(Hint::DatabaseTime(Fit::Fits), 1)],
            cost_s: 54_000.0,
            failed: None,
            felt: Window::new(START + DAY + HOUR, START + 3 * DAY),
        }],
        elsewhere: vec![Unattributed {
            series: 1,
            kind: UnattributedKind::Drift,
            at: period,
            change: ScaledEstimate {
                scale: Scale::Difference,
                estimate: Estimate { value: 0.001, low: 0.0005, high: 0.0015 },
            },
            before: None,
            p_value: 1e-4,
            is_worse: true,
        }],
        audit: detect::Audit { tests: 100, false_alarms: 1, expected_false: 0.03, p_threshold: 1e-3 },
    }
}

fn series(signal: &str, unit: &str) -> SeriesSummary {
    SeriesSummary {
        doubt: None,
        key: SeriesKey {
            service: "api".into(),
            kind: Kind::Operation,
            target: "POST /v1/authorizations".into(),
            signal: signal.into(),
        },
        unit: Unit::parse(unit).expect("known"),
        class: Class::Latency,
        direction: Polarity::Lower,
        step_ms: 300_000,
        start: START,
        hourly: vec![],
        hourly_max: vec![],
        requests: vec![],
        coverage: 0.5,
        level: f64::NAN,
        level_before: f64::NAN,
        change: None,
        peak: None,
        total_time_s: None,
    }
}

fn comparison(series: usize, group: usize, verdict: Verdict) -> Comparison {
    let known = verdict != Verdict::NoData;
    let ratio = Estimate { value: 1.25_f64.ln(), low: 1.19_f64.ln(), high: 1.32_f64.ln() };
    let window = Window::new(START, START + DAY);
    Comparison {
        series,
        group,
        verdict,
        explained_by: (verdict == Verdict::Explained).then_some(Confounder::Load),
        pattern: (verdict == Verdict::Worse).then_some(Pattern::Recovered { until: START + 3 * DAY, by: Some(1) }),
        before: known.then_some(0.184),
        after: known.then_some(0.230),
        effect: known.then(|| effect(ratio)),
        burst: known.then_some(detect::Burst {
            until: START + DAY,
            size: 0.4,
            scale: Scale::LogRatio,
            p_value: 1e-7,
            cost_s: None,
        }),
        p_value: known.then_some(1e-300),
        q_value: known.then_some(0.0),
        coverage: 1.0,
        before_window: window,
        after_window: window,
        onset: known.then_some(window),
        blame: known.then_some(0.9),
        cost_s: known.then_some(54.0),
        reason: None,
        ready_at: (!known).then_some(START + DAY),
        evidence: detect::Evidence { table: known.then_some(verdict), ..detect::Evidence::default() },
    }
}

/// A difference with its ratio beside it, before which nothing finite was seen.
fn effect(ratio: Estimate) -> Effect {
    let difference = Estimate { value: 0.046, low: 0.04, high: f64::INFINITY };
    Effect {
        secondary_ratio: Some(ratio),
        secondary_unadjusted: Some(f64::NAN),
        ..Effect::new(Scale::Difference, difference, 0.0184, Some(0.01))
    }
}

impl Sample {
    pub(crate) fn review(&self) -> Review {
        build(&Input {
            judgement: &self.judgement,
            events: &self.events,
            sources: &self.sources,
            config: &self.config,
            generated_at: self.judgement.period.end,
        })
    }
}

/// The document of the small judgement.
pub(crate) fn reviewed() -> Review {
    sample().review()
}

/// The document as the file holds it.
pub(crate) fn text(review: &Review) -> String {
    String::from_utf8(to_json(review).expect("serialisable")).expect("UTF-8")
}

fn rendered(sample: &Sample) -> String {
    text(&sample.review())
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} is no number"))
}

#[test]
fn the_first_key_names_the_schema() {
    assert!(rendered(&sample()).starts_with("{\n\"schema\":\"fortnight.report/1\",\n\"period\":{\"from\":\""));
}

#[test]
fn each_comparison_stands_on_its_own_line() {
    let text = rendered(&sample());
    // A finding holds its leading comparison too, inside of its own line.
    let is_comparison = |line: &&str| line.starts_with("{\"service\":") && line.contains("\"plain_ratio\"");
    assert_eq!(text.lines().filter(is_comparison).count(), 3);
    assert!(text.ends_with("]\n}\n"), "{text}");
}

#[test]
fn values_are_in_the_unit_of_the_series_and_changes_as_measured() {
    let value: Value = serde_json::from_str(&rendered(&sample())).expect("JSON");
    assert_eq!(value.pointer("/comparisons/0/before"), Some(&Value::from(184.0)));
    assert_eq!(value.pointer("/comparisons/0/ratio"), Some(&Value::from(1.25)));
    assert_eq!(value.pointer("/comparisons/0/ratio_ci/0"), Some(&Value::from(1.19)));
    assert_eq!(value.pointer("/comparisons/0/delta"), Some(&Value::from(46.0)));
    assert_eq!(value.pointer("/comparisons/0/cost_ms"), Some(&Value::from(54_000.0)));
    assert!((number(&value, "/comparisons/0/limit") - 1.1).abs() < 1e-9);
    // A percentage's difference is in percentage points.
    assert!((number(&value, "/elsewhere/0/delta") - 0.1).abs() < 1e-9);
    assert_eq!(value.pointer("/generated_at"), value.pointer("/period/to"));
    assert!(value.pointer("/period/from").and_then(Value::as_str).is_some_and(|at| at.ends_with("+09:00")));
}

#[test]
fn groups_recoveries_and_worst_verdicts_are_told_by_id() {
    let value: Value = serde_json::from_str(&rendered(&sample())).expect("JSON");
    let at = |pointer: &str| value.pointer(pointer).cloned().unwrap_or(Value::Null);
    assert_eq!(at("/comparisons/0/deploy"), "d1");
    assert_eq!(at("/comparisons/0/deploy_group"), serde_json::json!(["d1", "d2"]));
    assert_eq!((at("/comparisons/0/pattern"), at("/comparisons/0/by")), ("recovered".into(), "d3".into()));
    assert_eq!(at("/deploys/1/verdict"), "worse");
    assert_eq!(at("/deploys/2/verdict"), "explained");
    assert_eq!(at("/deploys/2/number"), 2);
    assert_eq!(at("/findings/0/owner"), "card-team");
}

#[test]
fn what_is_not_finite_is_null() {
    let text = rendered(&sample());
    let value: Value = serde_json::from_str(&text).expect("JSON");
    for pointer in
        ["/comparisons/0/plain_ratio", "/comparisons/0/delta_ci", "/comparisons/2/limit", "/comparisons/2/ratio"]
    {
        assert_eq!(value.pointer(pointer), Some(&Value::Null), "{pointer}");
    }
    assert_eq!(value.pointer("/comparisons/0/q_value"), Some(&Value::from(0.0)));
}

#[test]
fn indices_that_lead_nowhere_do_not_panic() {
    let mut sample = sample();
    sample.events.clear();
    sample.judgement.series.pop();
    sample.judgement.groups.pop();
    let value: Value = serde_json::from_str(&rendered(&sample)).expect("JSON");
    assert_eq!(value.pointer("/comparisons/0/deploy"), Some(&Value::Null));
}

#[test]
fn the_schema_describes_what_is_rendered() {
    let value: Value = serde_json::from_str(&rendered(&sample())).expect("JSON");
    let schema = schema();
    let mut problems = Vec::new();
    validate(&schema, &schema, &value, "", &mut problems);
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_schema_lists_every_verdict() {
    let schema = schema();
    let listed: BTreeSet<&str> = schema
        .pointer("/$defs/Comparison/properties/verdict/enum")
        .and_then(Value::as_array)
        .expect("listed")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(listed, Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect());
}

/// A walk over the few words of JSON Schema that schemars writes here: nothing missing, nothing extra,
/// types, lists of words, descriptions.
pub(crate) fn validate(root: &Value, schema: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).expect("reference");
        return validate(root, target, value, path, problems);
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let fits = |choice: &Value| {
            let mut inner = Vec::new();
            validate(root, choice, value, path, &mut inner);
            inner.is_empty()
        };
        if !choices.iter().any(fits) {
            problems.push(format!("{path}: fits no choice"));
        }
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        problems.push(format!("{path}: {value} is not listed"));
    }
    if let Some(types) = schema.get("type") {
        let fits = |name: &str| match name {
            "null" => value.is_null(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_u64() || value.is_i64(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => false,
        };
        let names: Vec<&str> = match types {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect(),
        };
        if !names.iter().any(|name| fits(name)) {
            problems.push(format!("{path}: {value} is not {names:?}"));
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (index, item) in list.iter().enumerate() {
            validate(root, items, item, &format!("{path}/{index}"), problems);
        }
    }
    let (Some(properties), Some(object)) = (schema.get("properties").and_then(Value::as_object), value.as_object())
    else {
        return;
    };
    let required: BTreeSet<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let written: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    if required != written {
        problems.push(format!("{path}: required {required:?}, written {written:?}"));
    }
    for (name, inner) in properties {
        let path = format!("{path}/{name}");
        if inner.get("description").is_none() {
            problems.push(format!("{path}: has no description"));
        }
        if let Some(value) = object.get(name) {
            validate(root, inner, value, &path, problems);
        }
    }
}
