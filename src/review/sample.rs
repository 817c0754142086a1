//! A made-up judgement with something of everything, for the tests of the report.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::PI;

use chrono_tz::Tz;

use crate::config::{Config, Format, Judge, Language, Limit, Output, Period, Service, Source};
use crate::detect::{
    Audit, Comparison, Confounder, Effect, Estimate, Evidence, Finding, FindingFingerprint, Fit, HarmDirection, Hint,
    Judgement, Pattern, Scale, ScaledEstimate, SeriesSummary, Target, Unattributed, UnattributedKind, Verdict,
};
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::effect::AdjustmentEvidence;
use crate::model::event::{DeployGroup, Event, EventKind, group};
use crate::model::metric::{Kind, SeriesKey, Unit, default_class_and_polarity};
use crate::model::time::{DAY, HOUR, MINUTE, Window, parse_instant};
use crate::source::SourceState;

pub(crate) const TOKYO: Tz = chrono_tz::Asia::Tokyo;
/// A name that tries everything.
pub(crate) const HOSTILE: &str = "GET /<script>alert(1)</script>\u{202E}\"'`|{{x}}\u{1b}[31m](javascript:alert(2)) style=\"x\" src=\"//evil\" @channel";

/// What a report is made from.
pub(crate) struct Input {
    pub judgement: Judgement,
    pub events: Vec<Event>,
    pub states: Vec<SourceState>,
    pub config: Config,
}

impl Input {
    /// Builds the document.
    pub(crate) fn review(&self) -> crate::review::Review {
        crate::review::build(&crate::review::Input {
            judgement: &self.judgement,
            events: &self.events,
            sources: &self.states,
            config: &self.config,
            generated_at: self.judgement.period.end,
        })
    }
}

/// A small generator of numbers, the same on every machine.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    }
}

pub(crate) fn period() -> Window {
    let start = parse_instant("2026-11-09", TOKYO).expect("valid");
    Window::new(start, start + 14 * DAY)
}

pub(crate) fn config(languages: &[Language]) -> Config {
    let service = |name: &str, owner: &str, account: &str, runbook: &str| Service {
        name: name.into(),
        owner: owner.into(),
        account: account.into(),
        runbook: runbook.into(),
        slo: String::new(),
        resources: Vec::new(),
    };
    Config {
        folder: ".".into(),
        title: "Kasumi Pay".into(),
        zone: TOKYO,
        languages: languages.to_vec(),
        period: Period { anchor: chrono::NaiveDate::from_ymd_opt(2026, 11, 9).expect("valid"), days: 14 },
        judge: Judge {
            false_discovery: 0.05,
            limit: Limit { relative: 0.10, latency_s: 0.005, error_share: 0.001, utilization: 0.05 },
            baseline_days: 28,
            group_ms: 45 * MINUTE,
            settle_ms: 10 * MINUTE,
            min_after_ms: 6 * HOUR,
            min_coverage: 0.5,
        },
        signals: BTreeMap::new(),
        sources: sources(),
        scrub: BTreeMap::new(),
        targets: Vec::new(),
        services: vec![
            service("card-api", "Payments", "111122223333 card", "https://runbooks.example.com/card-api"),
            service("wallet-api", "Balance", "444455556666 user", "javascript:alert(1)"),
            service("bff", "Web platform", "444455556666 user", ""),
            service("notifier", "", "", ""),
        ],
        holidays: BTreeMap::from([(
            chrono::NaiveDate::from_ymd_opt(2026, 11, 23).expect("valid"),
            "勤労感謝の日".into(),
        )]),
        output: Output { folder: ".".into(), formats: vec![Format::Html] },
        store: crate::config::Store { folder: ".fortnight".into() },
        memory_by: 1 << 30,
    }
}

const SERVICES: [&str; 4] = ["bff", "card-api", "notifier", "wallet-api"];

fn operations(service: &str) -> [(&'static str, f64, f64); 3] {
    match service {
        "card-api" => [
            ("POST /v1/authorizations", 0.184, 42.0),
            ("GET /v1/cards/{id}", 0.061, 80.0),
            ("POST /v1/refunds", 0.320, 1.4),
        ],
        "wallet-api" => {
            [("GET /v1/balance", 0.044, 120.0), ("POST /v1/transfers", 0.410, 6.0), ("GET /v1/history", 0.230, 15.0)]
        }
        "bff" => [("GET /home", 0.290, 64.0), ("POST /login", 0.350, 9.0), (HOSTILE, 0.120, 2.0)],
        _ => [("consume push", 0.012, 30.0), ("consume mail", 0.540, 3.0), ("POST /webhooks", 0.090, 0.02)],
    }
}

/// Makes a day-and-week shape around a level, with a step from `step_at` on.
fn summary(
    key: SeriesKey,
    symbol: &str,
    level: f64,
    requests: f64,
    noise: &mut Noise,
    step: Option<(i64, f64)>,
) -> SeriesSummary {
    let unit = Unit::parse(symbol).expect("known");
    let (class, direction) = default_class_and_polarity(&key.signal, unit);
    let start = period().start - 28 * DAY;
    let count = 42 * 24;
    let swing = |k: usize| {
        let hour = (k % 24) as f64;
        let weekend = if (k / 24) % 7 >= 5 { 0.75 } else { 1.0 };
        weekend * (1.0 + 0.28 * ((hour - 15.0) / 24.0 * 2.0 * PI).cos())
    };
    let mut hourly = Vec::new();
    let mut hourly_max = Vec::new();
    for k in 0..count {
        let at = start + k as i64 * HOUR;
        let factor = step.filter(|(from, _)| at >= *from).map_or(1.0, |(_, factor)| factor);
        let value = level * swing(k) * factor * (1.0 + 0.16 * noise.next() + 0.1 * noise.next());
        hourly.push(value as f32);
        hourly_max.push((value * (1.1 + 0.3 * noise.next().abs())) as f32);
    }
    let traffic = |k: usize| (requests * 3_600.0 * swing(k)) as f32;
    let has_requests = matches!(key.kind, Kind::Operation | Kind::Datastore);
    let factor = step.map_or(1.0, |(_, factor)| factor);
    let peak = hourly_max.iter().enumerate().skip(28 * 24).max_by(|a, b| a.1.total_cmp(b.1));
    let peak = peak.map(|(k, value)| (f64::from(*value), start + k as i64 * HOUR));
    SeriesSummary {
        doubt: None,
        unit,
        class,
        direction,
        step_ms: 5 * MINUTE,
        start,
        hourly,
        hourly_max,
        requests: if has_requests { (0..count).map(traffic).collect() } else { Vec::new() },
        coverage: 1.0,
        level: level * factor.sqrt(),
        level_before: level,
        change: Some(log_ratio((factor.ln() / 2.0, factor.ln() / 2.0 - 0.04, factor.ln() / 2.0 + 0.04))),
        peak,
        total_time_s: (class == crate::model::metric::Class::Latency).then_some(level * requests * 14.0 * 86_400.0),
        key,
    }
}

fn log_ratio((value, low, high): (f64, f64, f64)) -> ScaledEstimate {
    ScaledEstimate { scale: Scale::LogRatio, estimate: Estimate { value, low, high } }
}

fn fingerprint(series: &SeriesSummary, verdict: Verdict) -> FindingFingerprint {
    FindingFingerprint {
        service: series.key.service.clone(),
        kind: series.key.kind,
        target: series.key.target.clone(),
        family: series.class,
        direction: if verdict == Verdict::Better { HarmDirection::Better } else { HarmDirection::Worse },
    }
}

fn key(service: &str, kind: Kind, target: &str, signal: &str) -> SeriesKey {
    SeriesKey { service: service.into(), kind, target: target.into(), signal: signal.into() }
}

fn events() -> Vec<Event> {
    let start = period().start;
    let titles = [
        "Retry on 3DS timeout",
        "Add limit check to authorizations",
        "Bump sqlx 0.8",
        "カード一覧の並び順を修正",
        "Cache balances for 5 s",
    ];
    let mut events = Vec::new();
    for k in 0..30i64 {
        let service = SERVICES[(k as usize * 3 + 1) % 4];
        let at = start + 9 * HOUR + k * 11 * HOUR + (k % 5) * 17 * MINUTE;
        events.push(Event {
            until: (k % 3 == 0).then_some(at + 6 * MINUTE),
            revision: format!("{:08x}", 0x9e37_79b9_u32.wrapping_mul(k as u32 + 3)).repeat(5),
            title: titles[k as usize % titles.len()].into(),
            url: format!("https://github.com/example/{service}/pull/{}", 1200 + k),
            author: "a.mori".into(),
            kind: if k == 13 { EventKind::Middleware } else { EventKind::Deploy },
            ..Event::new(format!("d{k}"), service, at)
        });
        if k == 4 {
            let mut second = events.last().expect("pushed").clone();
            second.id = "d4b".into();
            second.at += 20 * MINUTE;
            second.until = None;
            second.title = "Revert \"<b>Cache</b>\" *now* | [x](y)".into();
            second.url = "javascript:alert(1)".into();
            events.push(second);
        }
    }
    let other = |id: &str, service: &str, kind, from: i64, hours: i64, title: &str| Event {
        until: Some(start + (from + hours) * HOUR),
        title: title.into(),
        url: "https://incidents.example.com/12".into(),
        kind,
        ..Event::new(id, service, start + from * HOUR)
    };
    events.push(other("i12", "card-api", EventKind::Incident, 250, 3, "INC-12 issuer time-outs"));
    events.push(other("c1", "*", EventKind::Campaign, 100, 24, "Payday campaign"));
    events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    events
}

fn groups(events: &[Event]) -> Vec<DeployGroup> {
    let mut groups: Vec<DeployGroup> =
        SERVICES.iter().flat_map(|service| group(events, service, 45 * MINUTE, 4 * HOUR)).collect();
    groups.sort_by_key(|group| (group.window.start, group.service.clone()));
    for (index, group) in groups.iter_mut().enumerate() {
        group.number = index + 1;
    }
    groups
}

fn series(noise: &mut Noise, stepped: i64) -> Vec<SeriesSummary> {
    let mut series = Vec::new();
    for service in SERVICES {
        for (target, latency, requests) in operations(service) {
            let step = (target == "POST /v1/authorizations").then_some((stepped, 1.26));
            let own = |signal: &str| key(service, Kind::Operation, target, signal);
            series.push(summary(own("error_rate"), "ratio", 0.0012, requests, noise, None));
            series.push(summary(
                own("latency_p50"),
                "ms",
                latency * 0.4,
                requests,
                noise,
                step.map(|(at, _)| (at, 1.1)),
            ));
            series.push(summary(own("latency_p95"), "ms", latency, requests, noise, step));
            series.push(summary(own("throughput"), "requests/min", requests, requests, noise, None));
        }
        let store = |target: &str, signal: &str| key(service, Kind::Datastore, target, signal);
        series.push(summary(store("select cards", "latency_mean"), "ms", 0.0042, 300.0, noise, None));
        series.push(summary(store("update ledger", "latency_mean"), "ms", 0.018, 40.0, noise, None));
        let resource = |target: &str, signal: &str| key(service, Kind::Resource, target, signal);
        series.push(summary(resource("rds:main-1", "cpu_utilization"), "percent", 0.52, 0.0, noise, None));
        series.push(summary(resource("rds:main-1", "connections"), "count", 140.0, 0.0, noise, None));
        series.push(summary(resource("ecs:web", "memory_utilization"), "percent", 0.61, 0.0, noise, None));
    }
    series.sort_by(|a, b| a.key.cmp(&b.key));
    // A gap, and a series that is nothing but one.
    if let Some(first) =
        series.iter_mut().find(|s| &*s.key.target == "POST /v1/authorizations" && &*s.key.signal == "latency_p95")
    {
        first.hourly[28 * 24 + 60..28 * 24 + 69].fill(f32::NAN);
        first.coverage = 0.97;
    }
    if let Some(last) =
        series.iter_mut().find(|s| &*s.key.target == "POST /webhooks" && &*s.key.signal == "latency_p95")
    {
        last.hourly.fill(f32::NAN);
        last.hourly_max.fill(f32::NAN);
        (last.coverage, last.level, last.level_before, last.change, last.peak) = (0.0, f64::NAN, f64::NAN, None, None);
        last.total_time_s = None;
    }
    series
}

fn comparison(
    series: usize,
    at: usize,
    groups: &[DeployGroup],
    level: f64,
    verdict: Verdict,
    ratio: (f64, f64, f64),
) -> Comparison {
    let window = groups[at].window;
    let value = ratio.0.ln_1p();
    let known = !matches!(verdict, Verdict::NoData | Verdict::TooEarly);
    Comparison {
        series,
        group: at,
        verdict,
        explained_by: None,
        pattern: None,
        before: known.then_some(level),
        after: known.then_some(level * value.exp()),
        effect: known.then(|| {
            let estimate = Estimate { value, low: ratio.1.ln_1p(), high: ratio.2.ln_1p() };
            let detectable = 1.4 * (ratio.2.ln_1p() - ratio.1.ln_1p()) / 2.0;
            Effect::new(Scale::LogRatio, estimate, 0.10f64.ln_1p(), Some(detectable))
        }),
        burst: None,
        p_value: known.then_some(0.003),
        q_value: known.then_some(0.021),
        coverage: if known { 0.98 } else { 0.15 },
        before_window: Window::new(window.start - 21 * DAY, window.start),
        after_window: Window::new(window.end, (window.end + 6 * DAY).min(period().end)),
        onset: None,
        blame: None,
        cost_s: None,
        reason: None,
        ready_at: (verdict == Verdict::TooEarly).then_some(period().end + 5 * HOUR),
        evidence: Evidence { table: known.then_some(verdict), ..Evidence::default() },
    }
}

/// Makes the whole input.
pub(crate) fn rich(languages: &[Language]) -> Input {
    let mut noise = Noise(7);
    let events = events();
    let groups = groups(&events);
    let card: Vec<usize> = (0..groups.len()).filter(|index| groups[*index].service == "card-api").collect();
    let guilty = card[3];
    let series = series(&mut noise, groups[guilty].window.start);
    let find = |service: &str, target: &str, signal: &str| {
        series
            .iter()
            .position(|s| &*s.key.service == service && &*s.key.target == target && &*s.key.signal == signal)
            .expect("made")
    };
    let mut comparisons = Vec::new();
    for (index, summary) in series.iter().enumerate() {
        for (at, own) in groups.iter().enumerate().filter(|(_, group)| *group.service == *summary.key.service) {
            let wobble = noise.next() * 0.05;
            let verdict = match (own.window.end > period().end - 6 * HOUR, summary.coverage > 0.1) {
                (true, _) => Verdict::TooEarly,
                (_, false) => Verdict::NoData,
                _ if (index + at) % 9 == 0 => Verdict::Inconclusive,
                _ if (index + at) % 5 == 0 => Verdict::NotWorse,
                _ => Verdict::NoMaterialChange,
            };
            let wide = if verdict == Verdict::Inconclusive { 0.16 } else { 0.04 };
            comparisons.push(comparison(
                index,
                at,
                &groups,
                summary.level_before,
                verdict,
                (wobble, wobble - wide, wobble + wide),
            ));
        }
    }
    let mut findings = Vec::new();
    let mut tell = |target: (&str, &str, &str), at: usize, verdict: Verdict, ratio: (f64, f64, f64), cost_s: f64| {
        let own = find(target.0, target.1, target.2);
        let lead = comparisons.iter().position(|c| c.series == own && c.group == at).expect("made");
        comparisons[lead] = comparison(own, at, &groups, series[own].level_before, verdict, ratio);
        let start = groups[at].window.start;
        comparisons[lead].onset = Some(Window::new(start - 10 * MINUTE, start + 50 * MINUTE));
        comparisons[lead].blame = Some(0.93);
        comparisons[lead].cost_s = Some(cost_s);
        let other = comparisons.iter().position(|c| c.group == at && c.series != own).expect("made");
        findings.push(Finding {
            id: format!("F-{:06x}", 0x3a9c21 + findings.len() * 7_919),
            fingerprint: fingerprint(&series[comparisons[lead].series], verdict),
            group: at,
            verdict,
            lead,
            targets: vec![Target { lead, members: vec![lead, other], verdict, cost_s, failed: None }],
            members: vec![lead, other],
            pattern: Some(Pattern::Sustained),
            hints: vec![
                (Hint::DatabaseTime(Fit::Fits), other),
                (Hint::Traffic(Fit::DoesNotFit), other),
                (Hint::Processor(Fit::CannotTell), other),
            ],
            cost_s,
            failed: None,
            felt: Window::new(groups[at].window.end, period().end),
        });
        lead
    };
    let bff = groups.iter().position(|group| group.service == "bff").expect("made");
    let wallet = groups.iter().position(|group| group.service == "wallet-api").expect("made");
    let notifier = groups.iter().position(|group| group.service == "notifier").expect("made");
    tell(("card-api", "POST /v1/authorizations", "latency_p95"), guilty, Verdict::Worse, (0.25, 0.19, 0.32), 55_000.0);
    let doubled = tell(("bff", HOSTILE, "latency_p95"), bff, Verdict::Worse, (1.4, 0.8, 2.1), 4_000.0);
    let errors = tell(("wallet-api", "POST /v1/transfers", "error_rate"), wallet, Verdict::Worse, (0.9, 0.4, 1.5), 0.0);
    tell(("wallet-api", "GET /v1/history", "latency_p95"), wallet, Verdict::PossiblyWorse, (0.09, 0.02, 0.17), 1_900.0);
    tell(("card-api", "GET /v1/cards/{id}", "latency_p95"), card[1], Verdict::Better, (-0.35, -0.41, -0.29), -31_000.0);
    let loaded = tell(("bff", "GET /home", "latency_p95"), bff, Verdict::Explained, (0.13, 0.08, 0.18), 900.0);
    tell(("notifier", "consume mail", "latency_p95"), notifier, Verdict::PossiblyWorse, (0.12, 0.01, 0.24), 300.0);
    findings[1].pattern = Some(Pattern::Recovered {
        until: groups[bff].window.end + 3 * DAY,
        by: groups.iter().rposition(|group| group.service == "bff"),
    });
    findings[1].felt.end = groups[bff].window.end + 3 * DAY;
    findings[2].failed = Some(2_150.0);
    findings[3].pattern = Some(Pattern::TailOnly);
    findings[6].pattern = Some(Pattern::Burst);
    comparisons[doubled].coverage = 0.71;
    comparisons[loaded].explained_by = Some(Confounder::Load);
    if let Some(effect) = &mut comparisons[loaded].effect {
        effect.replace_seen(AdjustmentEvidence::Load { requests_before: 900.0, requests_after: 1200.0 }, 0.19);
    }
    let estimate = Estimate { value: 0.003, low: 0.0014, high: 0.0047 };
    let secondary_ratio = comparisons[errors].effect.as_ref().map(|effect| effect.estimate);
    comparisons[errors].effect =
        Some(Effect { secondary_ratio, ..Effect::new(Scale::Difference, estimate, 0.001, Some(0.0023)) });
    comparisons[errors].after = Some(0.0042);
    let elsewhere = vec![
        Unattributed {
            series: find("wallet-api", "update ledger", "latency_mean"),
            kind: UnattributedKind::Drift,
            at: Window::new(period().start - 28 * DAY, period().end),
            change: log_ratio((0.31, 0.22, 0.4)),
            before: None,
            p_value: 1e-6,
            is_worse: true,
        },
        Unattributed {
            series: find("bff", "GET /home", "throughput"),
            kind: UnattributedKind::Shift,
            at: Window::new(period().start + 70 * HOUR, period().start + 73 * HOUR),
            change: log_ratio((-0.2, -0.25, -0.15)),
            before: None,
            p_value: 1e-6,
            is_worse: false,
        },
    ];
    let audit = Audit { tests: 412, false_alarms: 1, expected_false: 1.2, p_threshold: 0.002 };
    let judgement = Judgement { period: period(), groups, series, comparisons, findings, elsewhere, audit };
    let mut states = states();
    states[0].keys = judgement.series.iter().map(|series| series.key.clone()).collect();
    Input { judgement, events, states, config: config(languages) }
}

fn sources() -> Vec<Source> {
    let text = "[[source]]\nkind = \"files\"\nid = \"recorded\"\nseries = [\"series.parquet\"]\ndeploys = [\"deploys.jsonl\"]\n";
    Config::parse(text, std::path::Path::new("fortnight.toml")).expect("valid").sources
}

fn states() -> Vec<SourceState> {
    let note = |code: &str, count| Diagnostic::counted(Stage::Source, "recorded", code, count, "series.csv:17");
    let denied = std::io::Error::other("access denied (GetMetricData)");
    let denied = Diagnostic::of_error(Stage::Source, "cloudwatch-card", &denied).with_help("let the role read metrics");
    let good = SourceState {
        id: "recorded".into(),
        kind: "files",
        account: String::new(),
        rows: 1_204_113,
        series: 68,
        events: 33,
        keys: BTreeSet::new(),
        diagnostics: vec![note("duplicate_same_value", 14), note("a_new_reason", 1)],
    };
    let bad = SourceState {
        id: "cloudwatch-card".into(),
        kind: "files",
        account: String::new(),
        rows: 0,
        series: 0,
        events: 0,
        keys: BTreeSet::new(),
        diagnostics: vec![denied],
    };
    vec![good, bad]
}

/// Judges some signals by their difference that are no shares: the age of messages, and their number.
pub(crate) fn differences(languages: &[Language]) -> Input {
    let mut input = rich(languages);
    let judgement = &mut input.judgement;
    judgement.findings.truncate(2);
    let changes = [
        ("s", Estimate { value: 45.55, low: 39.9, high: 51.2 }, 5.0, 8.0),
        ("count", Estimate { value: 120.0, low: 90.0, high: 150.0 }, 10.0, 30.0),
    ];
    for (finding, (symbol, estimate, limit, detectable)) in judgement.findings.iter_mut().zip(changes) {
        finding.pattern = Some(Pattern::Sustained);
        let lead = &mut judgement.comparisons[finding.lead];
        judgement.series[lead.series].unit = Unit::parse(symbol).expect("known");
        (lead.before, lead.after) = (Some(3.0), Some(3.0 + estimate.value));
        lead.effect = Some(Effect::new(Scale::Difference, estimate, limit, Some(detectable)));
    }
    // One check that settles nothing, although a difference of 8 s would have been seen.
    let series = judgement.comparisons[judgement.findings[0].lead].series;
    let open = judgement.comparisons.iter_mut().find(|one| one.series == series && one.verdict != Verdict::Worse);
    let open = open.expect("made");
    open.verdict = Verdict::Inconclusive;
    let estimate = Estimate { value: 1.0, low: -4.0, high: 6.0 };
    open.effect = Some(Effect::new(Scale::Difference, estimate, 5.0, Some(8.0)));
    input
}

/// Takes away everything that is told.
pub(crate) fn quiet(languages: &[Language]) -> Input {
    let mut input = rich(languages);
    input.judgement.findings.clear();
    input.judgement.elsewhere.clear();
    for comparison in &mut input.judgement.comparisons {
        if comparison.verdict.is_alarm() || comparison.verdict == Verdict::PossiblyWorse {
            comparison.verdict = Verdict::NoMaterialChange;
        }
    }
    input.states.truncate(1);
    input.states[0].diagnostics.clear();
    input
}

/// Nothing arrived at all.
pub(crate) fn empty(languages: &[Language]) -> Input {
    let judgement = Judgement {
        period: period(),
        groups: Vec::new(),
        series: Vec::new(),
        comparisons: Vec::new(),
        findings: Vec::new(),
        elsewhere: Vec::new(),
        audit: Audit::default(),
    };
    Input { judgement, events: Vec::new(), states: Vec::new(), config: config(languages) }
}
