//! What an explanation says is what the judge recorded, and what one shard gives survives being written down.

use chrono_tz::Tz;
use fortnight::config::Config;
use fortnight::detect::evidence::{Bound, LoadCheck};
use fortnight::detect::{self, Comparison, Context, Finding, Judgement, Shard, ShardResult, Target};
use fortnight::format::Reader;
use fortnight::model::event::{Event, EventKind};
use fortnight::model::metric::Series;
use fortnight::model::time::{self, DAY, HOUR, MINUTE, Window};
use fortnight::review;
use fortnight::source::{self, RecordedSeries};
use serde_json::Value;

use crate::support::series::{Change, Load, Spec, config, event, four_weeks, instant};

/// Everything that a judgement is made of.
struct World {
    config: Config,
    history: Window,
    period: Window,
    series: Vec<Series>,
    events: Vec<Event>,
}

impl World {
    fn context(&self) -> Context<'_> {
        Context { config: &self.config, period: self.period, history: self.history }
    }

    fn shard<'a>(&'a self, series: &'a [Series]) -> Shard<'a> {
        Shard { series, events: &self.events, context: self.context() }
    }

    fn judgement(&self) -> Judgement {
        detect::merge(vec![detect::judge_shard(self.shard(&self.series))], &self.events, &self.context())
    }

    /// The report as others read it.
    fn report(&self, judgement: &Judgement) -> Value {
        let input = review::Input {
            judgement,
            events: &self.events,
            sources: &[],
            config: &self.config,
            generated_at: judgement.period.end,
        };
        serde_json::from_slice(&review::to_json(&review::build(&input)).expect("serialisable")).expect("JSON")
    }
}

fn demo() -> World {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data");
    let config = Config::load(&folder.join("fortnight.toml")).expect("the sample's config");
    let start = time::midnight(config.period.anchor, config.zone);
    let period = Window::new(start, start + 14 * DAY);
    let history = Window::new(period.start - i64::from(config.judge.baseline_days) * DAY, period.end);
    let mut reader = Reader::new(u64::MAX);
    let mut recorded = RecordedSeries::decode(&config, history, &mut reader);
    reader.plan(|key| key.service.clone()).expect("fits into memory");
    let series = recorded.take(&mut reader, 0);
    let events = source::events(&config).events;
    World { config, history, period, series, events }
}

/// Latencies and traffic of one operation.
fn operation(service: &str, target: &str, seed: u64, changes: &[Change], history: Window) -> Vec<Series> {
    let mut load = Spec::new([service, target, "throughput"], "requests/min", 300.0, seed);
    (load.season, load.noise) = (0.4, 0.05);
    let load = load.make(history, Tz::UTC, None);
    let latency = |signal: &str, level: f64, seed: u64| {
        let mut spec = Spec::new([service, target, signal], "ms", level, seed);
        (spec.noise, spec.white, spec.follow) = (0.03, 0.02, 0.1);
        spec.changes = changes.to_vec();
        spec.make(history, Tz::UTC, Some(&Load { series: &load, usual: 300.0 }))
    };
    let made = vec![latency("latency_p50", 80.0, seed + 1), latency("latency_p95", 200.0, seed + 2)];
    made.into_iter().chain([load]).collect()
}

fn world(series: Vec<Series>, mut events: Vec<Event>) -> World {
    let (history, period) = four_weeks();
    let mut series = series;
    series.sort_by(|a, b| a.key.cmp(&b.key));
    events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    World { config: config(""), history, period, series, events }
}

/// Six services that one shock hits in the minutes in which one of them is deployed, and an incident at another.
fn shock() -> World {
    let (history, period) = four_weeks();
    let at = instant(period.start, 5, 10);
    let incident = (instant(period.start, 9, 8), instant(period.start, 9, 14));
    let mut series = Vec::new();
    for service in 0..6_u64 {
        let name = format!("s{service}");
        let mut changes = vec![Change::Step { at: at + 20 * MINUTE, factor: 1.3 }];
        if service == 0 {
            changes.push(Change::Burst { from: incident.0, to: incident.1, factor: 1.8 });
        }
        series.extend(operation(&name, "GET /x", 100 + service * 17, &changes, history));
    }
    let mut events = vec![
        event("shocked", "s0", at, None, EventKind::Deploy),
        event("in-incident", "s0", incident.0 - 20 * MINUTE, None, EventKind::Deploy),
    ];
    events.push(event("incident", "s0", incident.0, Some(incident.1), EventKind::Incident));
    world(series, events)
}

/// Two deploys two hours apart of which either may have done it, and many changes about as large as what can be seen.
fn doubtful() -> World {
    let (history, period) = four_weeks();
    let at = instant(period.start, 4, 9);
    let mut series = operation("api", "GET /shared", 7, &[Change::Step { at: at + HOUR, factor: 1.4 }], history);
    for target in 0..16_u64 {
        let factor = 1.05 + 0.008 * target as f64;
        let change = [Change::Step { at: instant(period.start, 8, 11), factor }];
        series.extend(operation("api", &format!("GET /{target}"), 900 + target * 13, &change, history));
    }
    // So loud that chance alone now and then makes an estimate beyond the limit: such alarms are withdrawn.
    for target in 0..24_u64 {
        let mut spec = Spec::new(["loud", &format!("GET /{target}"), "latency_p95"], "ms", 150.0, 5_000 + target * 7);
        (spec.noise, spec.phi, spec.white) = (0.25, 0.9, 0.1);
        series.push(spec.make(history, Tz::UTC, None));
    }
    let mut events = vec![
        event("first", "api", at, None, EventKind::Deploy),
        event("second", "api", at + 2 * HOUR, None, EventKind::Deploy),
        event("third", "api", instant(period.start, 8, 11) - 10 * MINUTE, None, EventKind::Deploy),
    ];
    events.extend((1..12).map(|day| {
        let at = instant(period.start, day, 7 + day % 5);
        event(&format!("loud-{day}"), "loud", at, None, EventKind::Deploy)
    }));
    world(series, events)
}

/// Returns one finding for every comparison that was an alarm at some time, kept or withdrawn.
fn alarms(judgement: &Judgement) -> Vec<Finding> {
    let Some(like) = judgement.findings.first() else { return Vec::new() };
    let was_alarm = |comparison: &Comparison| {
        let lines = [comparison.evidence.table, comparison.evidence.table_unadjusted];
        lines.into_iter().flatten().any(detect::Verdict::is_alarm)
    };
    let finding = |(lead, comparison): (usize, &Comparison)| Finding {
        id: format!("F-{lead:06x}"),
        group: comparison.group,
        verdict: comparison.verdict,
        lead,
        targets: vec![Target { lead, members: vec![lead], verdict: comparison.verdict, cost_s: 0.0, failed: None }],
        members: vec![lead],
        ..like.clone()
    };
    judgement.comparisons.iter().enumerate().filter(|(_, one)| was_alarm(one)).map(finding).collect()
}

fn check<'a>(explanation: &'a Value, rival: &str) -> &'a Value {
    let rivals = explanation["rivals"].as_array().expect("checks");
    rivals.iter().find(|check| check["rival"] == rival).expect("every rival is there")
}

fn words<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("serialisable")
}

fn is_near(value: &Value, wanted: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - wanted).abs() <= 1e-6 * wanted.abs().max(1.0))
}

/// Holds an explanation against what the judge recorded of its comparison.
fn holds(judgement: &Judgement, comparison: &Comparison, explanation: &Value) {
    let evidence = &comparison.evidence;
    let place = format!("{} {explanation}", judgement.series[comparison.series].key);
    assert_eq!(explanation["rule"]["line"], words(&evidence.table), "{place}");
    assert_eq!(explanation["rule"]["taken_back"], words(&evidence.withdrawn), "{place}");
    assert_eq!(explanation["rule"]["verdict"], words(&comparison.verdict), "{place}");
    let attribution = evidence.attribution.as_ref();
    let in_period = |key: &detect::evidence::GroupKey| {
        judgement.groups.iter().any(|group| group.service == *key.service && group.window.start == key.at)
    };
    let own = judgement.groups[comparison.group].window.start;
    let named: Vec<f64> = attribution.map_or(Vec::new(), |attribution| {
        let others = attribution.groups.iter().filter(|(key, _)| key.at != own && in_period(key));
        others.map(|(_, share)| *share).collect()
    });
    let told = explanation["other_deploys"].as_array().expect("a list");
    assert!(told.len() == named.len() && told.iter().zip(&named).all(|(a, b)| is_near(&a["blame"], *b)), "{place}");
    let fleet = check(explanation, "fleet");
    match &evidence.peers {
        Some(peers) => {
            assert_eq!(
                (&fleet["count"], &fleet["of"]),
                (&words(&peers.moved.len()), &words(&peers.looked_at)),
                "{place}"
            );
            let named: Vec<&String> = peers.moved.iter().take(8).collect();
            assert_eq!(fleet["names"], words(&named), "{place}");
        }
        None => assert_eq!(fleet["answer"], "not_checked", "{place}"),
    }
    for (rival, confounder) in [("load", "load"), ("fleet", "fleet"), ("mix", "mix"), ("event", "event")] {
        let explains = check(explanation, rival)["answer"] == "explains";
        assert_eq!(explains, comparison.explained_by.is_some_and(|by| by.as_str() == confounder), "{rival} {place}");
    }
    let load = &check(explanation, "load")["answer"];
    assert_eq!(load == "cannot_tell", evidence.load == LoadCheck::Unknown, "{place}");
    assert_eq!(check(explanation, "drift")["answer"] == "taken_out", evidence.drift.is_some(), "{place}");
    let by_itself = check(explanation, "by_itself");
    assert!(evidence.is_located || by_itself["answer"] != "no", "{place}");
    assert_eq!(by_itself["of"], words(&judgement.audit.tests), "{place}");
    for (side, bound) in ["before", "after"].into_iter().zip(&evidence.bounds) {
        let deploy = match bound {
            Bound::Change(Some(group)) => words(&group.deploy),
            _ => Value::Null,
        };
        assert_eq!(explanation[side]["bound_deploy"], deploy, "{side} {place}");
    }
}

#[test]
fn what_an_explanation_says_is_what_the_judge_recorded() {
    let (mut kept, mut withdrawn, mut explained) = (0, 0, 0);
    for world in [demo(), shock(), doubtful()] {
        let mut judgement = world.judgement();
        let wanted = alarms(&judgement);
        judgement.findings = wanted;
        let report = world.report(&judgement);
        let findings = report["findings"].as_array().expect("findings");
        assert_eq!(findings.len(), judgement.findings.len());
        for (finding, told) in judgement.findings.iter().zip(findings) {
            let comparison = &judgement.comparisons[finding.lead];
            holds(&judgement, comparison, &told["explanation"]);
            kept += usize::from(comparison.verdict.is_alarm());
            explained += usize::from(comparison.explained_by.is_some());
            withdrawn += usize::from(!comparison.verdict.is_alarm());
        }
    }
    assert!(
        kept > 20 && explained > 3 && withdrawn > explained,
        "{kept} kept, {withdrawn} withdrawn, {explained} explained"
    );
}

#[test]
fn shards_in_any_order_and_written_down_give_the_same_bytes() {
    for world in [demo(), shock()] {
        let whole = world.report(&world.judgement());
        let services = world.series.chunk_by(|a, b| a.key.service == b.key.service);
        let mut shards: Vec<ShardResult> = services.map(|series| detect::judge_shard(world.shard(series))).collect();
        assert!(shards.len() > 2);
        shards.reverse();
        let sent = |shard: &ShardResult| {
            let bytes = serde_json::to_vec(shard).expect("serialisable");
            serde_json::from_slice::<ShardResult>(&bytes).expect("reads what it wrote")
        };
        let shards: Vec<ShardResult> = shards.iter().map(sent).collect();
        let merged = detect::merge(shards, &world.events, &world.context());
        assert_eq!(world.report(&merged), whole);
    }
}

#[test]
fn the_fingerprint_stays_when_the_trouble_comes_back_and_ids_are_unique() {
    let world = doubtful();
    let judgement = world.judgement();
    let ids: std::collections::BTreeSet<&str> = judgement.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids.len(), judgement.findings.len());
    let mut later = doubtful();
    for event in &mut later.events {
        event.id = format!("another-{}", event.id);
    }
    let again = later.judgement();
    let marks = |judgement: &Judgement| -> Vec<(String, String)> {
        judgement.findings.iter().map(|finding| (finding.id.clone(), finding.fingerprint.to_string())).collect()
    };
    assert!(!ids.is_empty());
    assert_eq!(marks(&judgement), marks(&again), "neither holds the id of a deploy");
}
