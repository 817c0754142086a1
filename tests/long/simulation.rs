//! What the report promises, held against series whose truth is known: coverage of intervals, false alarms, claims of
//! no change, power, false discoveries, and the audit's own count. Seeded: the same numbers on every run.

#![expect(clippy::print_stdout, reason = "the measured shares are what one runs this for; shown with --nocapture")]

use std::sync::OnceLock;

use crate::support::series::random::Random;
use crate::support::series::{Change, Load, Spec, config, event, four_weeks, instant};
use chrono_tz::Tz;
use fortnight::detect::{self, Comparison, Context, Estimate, Judgement, Verdict};
use fortnight::model::event::{Event, EventKind};
use fortnight::model::metric::{Class, Series};
use fortnight::model::time::Window;
use rayon::prelude::*;

/// Reports in a world.
const REPORTS: u64 = 24;
/// Services in a report, operations in a service.
const SERVICES: u64 = 8;
const OPERATIONS: u64 = 4;
/// Deploys of each service in the period: days after its start and hours.
const DEPLOYS: [(i64, i64); 5] = [(1, 10), (3, 15), (6, 9), (8, 20), (11, 13)];
/// The deploy at which worlds with a change change.
const MIDDLE: usize = 2;

/// What a series does at the middle deploy, as a log ratio; told by report, service and operation.
type Truth = dyn Fn([u64; 3]) -> f64 + Sync;

/// A comparison with the log ratio that was really put there.
struct Judged {
    at: [u64; 3],
    deploy: usize,
    class: Class,
    truth: f64,
    comparison: Comparison,
}

/// Makes and judges every report of a world.
fn world(truth: &Truth) -> Vec<(Judgement, Vec<Judged>)> {
    (0..REPORTS).into_par_iter().map(|report| one_report(report, truth)).collect()
}

fn one_report(report: u64, truth: &Truth) -> (Judgement, Vec<Judged>) {
    let config = config("");
    let (history, period) = four_weeks();
    let context = Context { config: &config, period, history };
    let mut events: Vec<Event> = Vec::new();
    let mut made: Vec<Series> = Vec::new();
    for service in 0..SERVICES {
        let name = format!("s{service}");
        for (index, (day, hour)) in DEPLOYS.into_iter().enumerate() {
            // Services deploy at hours of their own.
            let at = instant(period.start, day, hour) + service as i64 * 7 * fortnight::model::time::MINUTE;
            events.push(event(&format!("{name}-{index}"), &name, at, None, EventKind::Deploy));
        }
        let middle = events[events.len() - DEPLOYS.len() + MIDDLE].at;
        for operation in 0..OPERATIONS {
            let place = [report, service, operation];
            operation_of(place, middle, truth(place).exp(), history, &mut made);
        }
    }
    made.sort_by(|a, b| a.key.cmp(&b.key));
    events.sort_by_key(|event| event.at);
    let judgement = detect::merge(
        vec![detect::judge_shard(detect::Shard { series: &made, events: &events, context })],
        &events,
        &context,
    );
    let judged = judgement.comparisons.iter().map(|comparison| {
        let series = &judgement.series[comparison.series];
        let number = |text: &str| text[1..].parse::<u64>().expect("number");
        let at = [report, number(&series.key.service), number(&series.key.target)];
        let id = &events[judgement.groups[comparison.group].members[0]].id;
        let deploy = id.split_once('-').expect("id").1.parse().expect("number");
        let is_changed = deploy == MIDDLE && &*series.key.signal == "latency_p95";
        let truth = if is_changed { truth(at) } else { 0.0 };
        Judged { at, deploy, class: series.class, truth, comparison: comparison.clone() }
    });
    let judged = judged.collect();
    (judgement, judged)
}

/// Makes traffic, latency and errors of one operation, each of another nature.
fn operation_of(place: [u64; 3], middle: i64, factor: f64, history: Window, made: &mut Vec<Series>) {
    let seed = place[0] * 1_000_000 + place[1] * 1000 + place[2] * 10;
    let mut random = Random::new(seed ^ 0xABCD_0000);
    let mut between = |low: f64, high: f64| low + (high - low) * random.uniform();
    let (service, target) = (format!("s{}", place[1]), format!("o{}", place[2]));
    let level = between(5f64.ln(), 2000f64.ln()).exp();
    let mut traffic = Spec::new([&service, &target, "throughput"], "requests/min", level, seed + 1);
    traffic.season = between(0.1, 0.9);
    traffic.weekend = between(0.4, 1.0);
    traffic.noise = between(0.02, 0.1);
    let traffic_made = traffic.make(history, Tz::UTC, None);
    let load = Load { series: &traffic_made, usual: level };
    let mut latency = Spec::new([&service, &target, "latency_p95"], "ms", between(50.0, 800.0), seed + 2);
    latency.season = between(0.0, 0.3);
    latency.weekend = between(0.8, 1.0);
    latency.noise = between(0.01, 0.08);
    // Time constants from half an hour to twelve hours.
    latency.phi = (-0.25 / between(0.5f64.ln(), 12f64.ln()).exp()).exp();
    latency.white = between(0.0, 0.08);
    latency.grain = between(0.3, 1.5);
    latency.follow = between(0.0, 0.2);
    latency.changes.push(Change::Step { at: middle, factor });
    made.push(latency.make(history, Tz::UTC, Some(&load)));
    let mut errors =
        Spec::new([&service, &target, "error_rate"], "ratio", between(1e-4f64.ln(), 0.03f64.ln()).exp(), seed + 3);
    errors.noise = between(0.0, 0.4);
    made.push(errors.make(history, Tz::UTC, Some(&load)));
    made.push(traffic_made);
}

/// The world in which nothing happens.
fn quiet() -> &'static [(Judgement, Vec<Judged>)] {
    static QUIET: OnceLock<Vec<(Judgement, Vec<Judged>)>> = OnceLock::new();
    QUIET.get_or_init(|| world(&|_| 0.0))
}

fn all(world: &[(Judgement, Vec<Judged>)]) -> impl Iterator<Item = &Judged> {
    world.iter().flat_map(|(_, judged)| judged)
}

/// Counts how many of some hold something.
fn share<'a>(judged: impl Iterator<Item = &'a Judged>, holds: impl Fn(&Judged) -> bool) -> (f64, usize) {
    let (mut yes, mut count) = (0, 0);
    for one in judged {
        count += 1;
        yes += usize::from(holds(one));
    }
    (yes as f64 / count.max(1) as f64, count)
}

fn ratio(judged: &Judged) -> Option<Estimate> {
    judged.comparison.effect.as_ref()?.log_ratio()
}

fn difference(judged: &Judged) -> Option<Estimate> {
    judged.comparison.effect.as_ref()?.difference()
}

fn is_latency(judged: &&Judged) -> bool {
    judged.class == Class::Latency && ratio(judged).is_some()
}

fn holds_truth(judged: &Judged) -> bool {
    ratio(judged).is_some_and(|ratio| ratio.low <= judged.truth && judged.truth <= ratio.high)
}

/// Comparisons of errors that have an estimate.
fn errors() -> impl Iterator<Item = &'static Judged> {
    all(quiet()).filter(|one| one.class == Class::Errors && difference(one).is_some())
}

fn holds_nothing(judged: &Judged) -> bool {
    difference(judged).is_some_and(|delta| delta.low <= 0.0 && 0.0 <= delta.high)
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let (latency, count) = share(all(quiet()).filter(is_latency), holds_truth);
    let (shares, of) = share(errors(), holds_nothing);
    let overall = (latency * count as f64 + shares * of as f64) / (count + of) as f64;
    println!("coverage: latency {latency:.4} of {count}, errors {shares:.4} of {of}, overall {overall:.4}");
    assert!(count > 3000 && of > 3000 && (0.93..=0.98).contains(&overall), "{overall:.4}");
    assert!((0.93..=0.985).contains(&latency), "latency {latency:.4} of {count}");
    assert!(shares >= 0.90, "errors {shares:.4} of {of}");
}

#[test]
fn intervals_of_errors_hold_the_truth_as_often_as_they_say() {
    let (shares, of) = share(errors(), holds_nothing);
    assert!((0.93..=0.98).contains(&shares), "errors {shares:.4} of {of}");
}

#[test]
fn nothing_happened_and_hardly_an_alarm() {
    let (rate, count) = share(all(quiet()), |one| one.comparison.verdict.is_alarm());
    println!("alarms: {:.5} of {count}", rate);
    assert!(count > 8000 && rate <= 0.001, "{rate:.5} of {count}");
}

/// Returns the alarms that the audits of the quiet world expect, and those there are among some comparisons.
fn audited(is_counted: impl Fn(&Judged) -> bool) -> (f64, f64) {
    let found = all(quiet()).filter(|one| one.comparison.verdict.is_alarm() && is_counted(one)).count() as f64;
    let expected: f64 = quiet().iter().map(|(judgement, _)| judgement.audit.expected_false).sum();
    println!("audit: expects {expected:.2}, found {found}");
    (expected, found)
}

#[test]
fn the_audit_counts_what_is_found_in_latencies() {
    let (expected, found) = audited(|one| one.class == Class::Latency);
    // Alarms must also be located at the deploy, so the audit may expect more than there are, but not fewer.
    assert!(found <= expected + 3.0 * expected.sqrt() + 1.0, "expects {expected:.2}, found {found}");
    assert!(expected <= 0.002 * all(quiet()).count() as f64, "expects {expected:.2} of {}", all(quiet()).count());
    let tests: usize = quiet().iter().map(|(judgement, _)| judgement.audit.tests).sum();
    assert!(tests > 10 * all(quiet()).count(), "{tests} placebos");
}

#[test]
fn the_audit_counts_what_is_found() {
    let (expected, found) = audited(|_| true);
    assert!(found <= expected + 3.0 * expected.sqrt() + 1.0, "expects {expected:.2}, found {found}");
}

#[test]
fn a_change_of_the_limit_is_not_proven_harmless() {
    let limit = 0.10f64.ln_1p();
    // Absolute limits are far below: levels are 50 ms and more, and 10 % of it is the 5 ms of the default.
    let world = world(&move |[report, service, operation]| {
        if (report + service + operation) % 2 == 0 { limit } else { -limit }
    });
    let changed = || all(&world).filter(is_latency).filter(|one| one.deploy == MIDDLE);
    let wrong = |one: &Judged| match one.comparison.verdict {
        Verdict::NoMaterialChange => true,
        Verdict::NotWorse => one.truth > 0.0,
        _ => false,
    };
    let (rate, count) = share(changed(), wrong);
    let (coverage, _) = share(changed(), holds_truth);
    let (claims, _) = share(all(quiet()).filter(is_latency), |one| one.comparison.verdict == Verdict::NoMaterialChange);
    println!("wrong at the limit: {rate:.4} of {count}, coverage there {coverage:.4}; right claims {claims:.3}");
    // 1.9 % of 3,840 in five times as many reports; two standard errors of a share of 768 are 0.010.
    assert!(rate <= 0.03, "{rate:.4} of {count}");
    assert!((0.90..=0.99).contains(&coverage), "{coverage:.4}");
    assert!(claims >= 0.3, "no change is proven in {claims:.3} only");
}

#[test]
fn the_detectable_change_is_found_four_times_of_five() {
    let middle = || all(quiet()).filter(is_latency).filter(|one| one.deploy == MIDDLE);
    let sizes: std::collections::BTreeMap<[u64; 3], f64> =
        middle().filter_map(|one| Some((one.at, one.comparison.effect.as_ref()?.detectable?))).collect();
    let world = world(&move |at| sizes.get(&at).copied().unwrap_or(0.0));
    let changed = || all(&world).filter(is_latency).filter(|one| one.truth > 0.0);
    let (power, count) = share(changed(), |one| ratio(one).is_some_and(|ratio| ratio.low > 0.0));
    println!("power {power:.3} of {count}");
    // Three standard errors of a share of 768 are 0.043.
    assert!(count > 700 && (0.75..=0.88).contains(&power), "{power:.3} of {count}");
}

#[test]
fn few_discoveries_are_false_and_most_changes_are_found() {
    // Every fourth operation becomes 25 % slower.
    let world = world(&|[report, service, operation]| {
        if (report + service + operation) % 4 == 0 { 0.25f64.ln_1p() } else { 0.0 }
    });
    let alarms = || all(&world).filter(|one| one.comparison.verdict.is_alarm());
    let (false_share, count) = share(alarms(), |one| one.truth <= 0.0);
    let changed = || all(&world).filter(is_latency).filter(|one| one.truth > 0.0);
    let (recall, _) = share(changed(), |one| one.comparison.verdict == Verdict::Worse);
    let (coverage, of) = share(changed(), holds_truth);
    println!("false {false_share:.4} of {count} alarms; recall {recall:.3}; coverage at changes {coverage:.3} of {of}");
    assert!(count > 100 && false_share <= 0.05, "{false_share:.4} of {count}");
    assert!(recall >= 0.7, "{recall:.3}");
    assert!((0.90..=0.99).contains(&coverage), "{coverage:.3} of {of}");
    for (judgement, _) in &world {
        // An alarm never comes from a q above the rate, and no q is below its p.
        for comparison in &judgement.comparisons {
            let (Some(p), Some(q)) = (comparison.p_value, comparison.q_value) else { continue };
            assert!(q >= p && (!comparison.verdict.is_alarm() || q <= 0.05));
        }
    }
}
