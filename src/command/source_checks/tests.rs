//! A source that answers as the test wants: what `doctor` makes of it.

use std::path::Path;

use async_trait::async_trait;

use super::*;
use crate::config::Config;
use crate::source::{Checked, Estimated, EventBatch, EventSource, SeriesBatch, SeriesSource, SourceError};

const CANARY: &str = "NRAK-CANARY";

/// How the source behaves.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Denied,
    Silent,
    Empty,
}

struct Fake(Mood);

#[async_trait]
impl SeriesSource for Fake {
    async fn series(&self, _window: Window) -> Result<SeriesBatch, SourceError> {
        panic!("doctor collects nothing")
    }
}

#[async_trait]
impl EventSource for Fake {
    async fn events(&self, _window: Window) -> Result<EventBatch, SourceError> {
        panic!("doctor collects nothing")
    }
}

#[async_trait]
impl Estimated for Fake {
    async fn estimate(&self, window: Window) -> Result<Estimate, SourceError> {
        assert_eq!((window.length(), window.start % DAY), (DAY, 0), "one whole day");
        match self.0 {
            Mood::Well => Ok(Estimate { requests: 12, series: 600, cost_usd: Some(1.728), asks: Vec::new() }),
            Mood::Empty => Ok(Estimate::default()),
            Mood::Denied => Err(SourceError::NotBuiltIn { id: "x".into(), feature: "aws" }),
            Mood::Silent => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Checked for Fake {
    async fn checks(&self, _now: i64) -> Vec<SourceCheck> {
        let check = |health, found: &str, help: &[&str]| SourceCheck {
            name: "cloudwatch:ListMetrics".into(),
            health,
            found: found.into(),
            help: help.iter().map(|line| (*line).to_owned()).collect(),
        };
        match self.0 {
            Mood::Well | Mood::Empty => vec![check(SourceHealth::Ok, "allowed", &[])],
            Mood::Denied => vec![check(SourceHealth::Fail, "denied", &["add it to the role"])],
            Mood::Silent => std::future::pending().await,
        }
    }
}

const TEXT: &str = "[[source]]\nkind = \"newrelic\"\nid = \"apm\"\naccount = \"1\"\n\
    [[source]]\nkind = \"cloudwatch\"\nid = \"aws\"\nregions = [\"eu-west-1\"]\nexternal_id_env = \"ID\"\noptional = true\n";

fn look(mood: Mood, set: &[&str], offline: bool) -> Vec<Check> {
    look_at(TEXT, mood, set, offline)
}

fn look_at(text: &str, mood: Mood, set: &[&str], offline: bool) -> Vec<Check> {
    let config = Config::parse(text, Path::new("x.toml")).expect("valid");
    let sources: Vec<&Source> = config.sources.iter().collect();
    let question = Question {
        now: 20_000 * DAY + 5,
        wanted_ms: 42 * DAY,
        patience: Duration::from_millis(50),
        offline,
        scrubber: Scrubber::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("built");
    let checks = runtime.block_on(all(
        &question,
        &sources,
        |name| if set.contains(&name) { Presence::Set } else { Presence::Missing },
        |_| Ok(Some(CollectedSource::whole(Fake(mood), 15 * DAY))),
    ));
    for check in &checks {
        assert!(check.health == Health::Ok || !check.help.is_empty(), "says what to do: {check:?}");
        assert!(!format!("{check:?}").contains(CANARY));
    }
    checks
}

fn lines(checks: &[Check], id: &str) -> Vec<(&'static str, Health)> {
    checks.iter().filter(|check| check.name == id).map(|check| (check.check, check.health)).collect()
}

const BOTH: [&str; 2] = ["NEW_RELIC_API_KEY", "ID"];

#[test]
fn a_source_that_is_well_has_its_price_and_reach() {
    let checks = look(Mood::Well, &BOTH, false);
    let expected = ["variable", "access", "estimate", "reach"].map(|check| (check, Health::Ok));
    assert_eq!(lines(&checks, "apm"), expected);
    assert_eq!(lines(&checks, "aws"), expected);
    let found: Vec<&str> = checks.iter().map(|check| check.found.as_str()).collect();
    assert!(found.contains(&"600 series, 12 requests a day, about US$ 1.73 a day by the vendor's list, 52 a month"));
    assert!(found.iter().any(|found| found.starts_with("answers 15 days back; a report looks 42 days back")));
}

#[test]
fn a_price_is_never_rounded_to_nothing() {
    let config = Config::parse(TEXT, Path::new("x.toml")).expect("valid");
    let told = |cost| {
        let estimate = Estimate { requests: 22, series: 36, cost_usd: Some(cost), asks: Vec::new() };
        price(&config.sources[1], &estimate, "").found
    };
    assert!(told(0.0006).ends_with(", less than US$ 0.01 a day by the vendor's list, 0.02 a month"));
    assert!(told(0.05).ends_with(", about US$ 0.05 a day by the vendor's list, 1.50 a month"));
}

#[test]
fn a_missing_variable_is_named_and_nothing_is_asked() {
    let checks = look(Mood::Silent, &[], false);
    assert_eq!(lines(&checks, "apm"), [("variable", Health::Fail)]);
    // The report goes on without an optional source.
    assert_eq!(lines(&checks, "aws"), [("variable", Health::Warn)]);
    assert!(checks[0].help[0].contains("export NEW_RELIC_API_KEY=..."), "{checks:?}");
}

#[test]
fn a_denied_permission_is_told_once() {
    let checks = look(Mood::Denied, &BOTH, false);
    assert_eq!(lines(&checks, "apm"), [("variable", Health::Ok), ("access", Health::Fail), ("reach", Health::Ok)]);
    assert_eq!(checks[1].found, "cloudwatch:ListMetrics: denied");
}

#[test]
fn a_server_that_never_answers_does_not_hold_doctor_up() {
    let checks = look(Mood::Silent, &BOTH, false);
    assert_eq!(lines(&checks, "apm"), [("variable", Health::Ok), ("access", Health::Fail), ("reach", Health::Ok)]);
    assert!(checks[1].found.starts_with("no answer within"), "{checks:?}");
}

#[test]
fn a_source_without_a_series_is_to_be_mended() {
    let checks = look(Mood::Empty, &BOTH, false);
    assert_eq!(lines(&checks, "apm")[2], ("estimate", Health::Warn));
}

#[test]
fn offline_opens_nothing() {
    let checks = look(Mood::Silent, &BOTH, true);
    assert_eq!(lines(&checks, "apm"), [("variable", Health::Ok), ("source", Health::Ok)]);
    assert_eq!(lines(&look(Mood::Silent, &[], true), "apm"), [("variable", Health::Fail)]);
}

#[test]
fn a_folder_of_queries_that_is_not_there_is_told_without_a_request() {
    let text = TEXT.replace("account = \"1\"", "account = \"1\"\nqueries = \"no/such/folder\"");
    let checks = look_at(&text, Mood::Silent, &BOTH, true);
    assert_eq!(lines(&checks, "apm"), [("variable", Health::Ok), ("queries", Health::Fail)]);
    assert!(checks[1].found.starts_with("no/such/folder: cannot be listed"), "{checks:?}");
}
