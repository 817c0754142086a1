//! The other document, of `doctor --placebo`: how often the judge raises an alarm at times without a deploy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Config;
use crate::detect::placebo::Test;
use crate::detect::{Audit, Verdict};
use crate::model::metric::Class;
use crate::model::time::{HOUR, Window, rfc3339};
use crate::review::rounding::{finite, round};
use crate::stats::binomial;
use crate::stats::describe;

/// Name and version of the format.
pub const SCHEMA: &str = "fortnight.placebo/1";

/// Returns the JSON Schema of what `fortnight doctor --placebo --json` prints.
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Outcome>()
        .to_value()
}

/// Alarms among placebos that a limit may raise: one in a thousand.
const MOST_ALARMS: f64 = 1e-3;

/// Share of the comparisons in which a change of the size of the limit must be visible.
const LEAST_DECIDED: f64 = 0.8;

/// Fewer comparisons than this propose no limit.
pub(crate) const LEAST_TESTS: usize = 50;

/// Relative limits that are proposed.
const RELATIVE: [f64; 12] = [0.03, 0.05, 0.075, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50, 0.75, 1.0];

/// Absolute limits of shares of errors that are proposed.
const SHARE: [f64; 10] = [0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05];

/// Alarms that are listed at the most.
const LISTED: usize = 50;

/// Alarms of one series within this time of each other met the same change.
const SAME_CHANGE: i64 = 6 * HOUR;

/// How often the judge cried at moments without a deploy.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "fortnight doctor --placebo")]
pub struct Outcome {
    /// Name and version of this format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// The window that was judged.
    pub period: Period,
    /// How often placebos were drawn.
    pub rounds: usize,
    /// Placebo deploys drawn over all rounds.
    pub placebos: usize,
    /// Comparisons with too little data, which count nowhere else.
    pub not_judged: usize,
    /// All comparisons together.
    pub total: Counts,
    /// Alarms that the audits of the same reports expect to be false, per 1,000 comparisons.
    pub expected_per_1000: Option<f64>,
    /// The measured rate is no larger than what the reports claim, as far as so many comparisons can tell.
    pub within_claim: bool,
    /// By golden signal.
    pub classes: Vec<ClassCounts>,
    /// By signal, with the limits that they speak for.
    pub signals: Vec<SignalCounts>,
    /// By service.
    pub services: Vec<ServiceCounts>,
    /// Moments at which alarms were raised: draws of several rounds that met the same change of a series are one.
    pub moments: usize,
    /// Those moments: each may be a real change whose deploy nobody recorded. The first fifty.
    pub alarms: Vec<Alarm>,
    /// Services without room for a placebo.
    pub left_out: Vec<LeftOut>,
}

/// A half-open window `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Period {
    /// First instant inside, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub from: String,
    /// First instant outside, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub to: String,
    /// IANA name of the time zone.
    pub timezone: &'static str,
}

/// What the judge said of some comparisons with placebos.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Counts {
    /// Comparisons.
    pub tests: usize,
    /// Called worse.
    pub worse: usize,
    /// Called better.
    pub better: usize,
    /// Called possibly worse.
    pub possibly_worse: usize,
    /// Called no material change.
    pub no_material_change: usize,
    /// Alarms (worse and better) per 1,000.
    pub alarms_per_1000: Option<f64>,
    /// Exact 95 % interval of it; it takes the comparisons as independent, which rounds on the same hours are not.
    pub alarms_per_1000_ci: [f64; 2],
    /// Share of the 95 % intervals that hold "no change".
    pub coverage: Option<f64>,
    /// Share that was called no material change.
    pub proven: Option<f64>,
}

/// Counts of a golden signal.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ClassCounts {
    /// The golden signal.
    pub class: Class,
    /// Its counts.
    pub counts: Counts,
}

/// Counts of a service.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ServiceCounts {
    /// The service.
    pub service: String,
    /// Its counts.
    pub counts: Counts,
}

/// Counts of a signal.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SignalCounts {
    /// The signal.
    pub signal: String,
    /// The golden signal that it belongs to.
    pub class: Class,
    /// Its counts.
    pub counts: Counts,
    /// Median change that would have been found in 8 of 10 cases, as limits are written: a share of the level, or for
    /// shares of errors a difference of shares.
    pub detectable: Option<f64>,
    /// Which of its two limits is looked at.
    #[schemars(extend("enum" = ["relative", "absolute"]))]
    pub lever: &'static str,
    /// That limit now: relative as a share, absolute as a difference of shares.
    pub limit: f64,
    /// Share of the comparisons in which a change of that size would have been seen.
    pub decided: Option<f64>,
    /// What to do about it.
    #[schemars(extend("enum" = ["fine", "raise", "none", "few"]))]
    pub advice: &'static str,
    /// Alarms that even the largest limit looked at would have raised.
    pub alarms_at_most: usize,
    /// The smallest limit at which at most 1 in 1,000 would have been an alarm and 80 % could be decided.
    pub proposed: Option<Proposed>,
}

/// A proposed limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Proposed {
    /// The limit.
    pub limit: f64,
    /// Alarms that it would have raised.
    pub alarms: usize,
    /// Upper end of the exact 95 % interval of its alarms per 1,000.
    pub upper_per_1000: f64,
    /// Share of the comparisons that could be decided.
    pub decided: f64,
}

/// A false alarm.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Alarm {
    /// The service.
    pub service: String,
    /// What it was measured on.
    pub kind: &'static str,
    /// The endpoint, statement or resource.
    pub target: String,
    /// The signal.
    pub signal: String,
    /// When the (first) placebo was, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// How many placebos met it.
    pub draws: usize,
    /// What the judge said.
    pub verdict: &'static str,
    /// After / before; null where it was judged as a difference.
    pub ratio: Option<f64>,
    /// After - before in the base unit; null where it was judged as a ratio.
    pub delta: Option<f64>,
}

/// A service without a placebo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    /// The service.
    pub service: String,
    /// `too_short`: too few hours of data; `deploys`: deploys or other events everywhere.
    #[schemars(extend("enum" = ["too_short", "deploys"]))]
    pub reason: &'static str,
}

/// What was run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ran {
    /// Rounds.
    pub rounds: usize,
    /// Placebo deploys drawn.
    pub placebos: usize,
    /// Every comparison with a placebo.
    pub tests: Vec<Test>,
    /// Alarms that the rounds' audits expect to be false.
    pub expected_false: f64,
    /// Comparisons that those audits speak of, real deploys included.
    pub audited: usize,
    /// Services without room.
    pub left_out: Vec<LeftOut>,
}

impl Ran {
    /// Adds what the audit of one round expects.
    pub fn audit(&mut self, audit: Audit, judged: usize) {
        self.expected_false += audit.expected_false;
        self.audited += judged;
    }
}

/// Counts what came out. `period`: the window that was judged.
pub fn outcome(ran: &Ran, period: Window, config: &Config) -> Outcome {
    let judged: Vec<&Test> = ran.tests.iter().filter(|test| test.is_judged()).collect();
    let mut classes: BTreeMap<Class, Vec<&Test>> = BTreeMap::new();
    let mut signals: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
    let mut services: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
    for test in &judged {
        classes.entry(test.class).or_default().push(test);
        signals.entry(&test.key.signal).or_default().push(test);
        services.entry(&test.key.service).or_default().push(test);
    }
    let total = counts(&judged);
    let expected = (ran.audited > 0).then(|| round(1e3 * ran.expected_false / ran.audited as f64));
    let instant = |at| rfc3339(at, config.zone);
    let alarms = alarms(&judged, config);
    Outcome {
        schema: SCHEMA,
        period: Period { from: instant(period.start), to: instant(period.end), timezone: config.zone.name() },
        rounds: ran.rounds,
        placebos: ran.placebos,
        not_judged: ran.tests.len() - judged.len(),
        within_claim: expected.is_none_or(|expected| total.alarms_per_1000_ci[0] <= expected),
        total,
        expected_per_1000: expected,
        classes: classes.into_iter().map(|(class, tests)| ClassCounts { class, counts: counts(&tests) }).collect(),
        services: services
            .into_iter()
            .map(|(service, tests)| ServiceCounts { service: service.to_owned(), counts: counts(&tests) })
            .collect(),
        signals: signals.into_iter().filter_map(|(signal, tests)| of_signal(signal, &tests, config)).collect(),
        moments: alarms.len(),
        alarms: alarms.into_iter().take(LISTED).collect(),
        left_out: ran.left_out.clone(),
    }
}

fn counts(tests: &[&Test]) -> Counts {
    let of = |verdict: Verdict| tests.iter().filter(|test| test.verdict == verdict).count();
    let alarms = of(Verdict::Worse) + of(Verdict::Better);
    let share = |count: usize| (!tests.is_empty()).then(|| round(count as f64 / tests.len() as f64));
    Counts {
        tests: tests.len(),
        worse: of(Verdict::Worse),
        better: of(Verdict::Better),
        possibly_worse: of(Verdict::PossiblyWorse),
        no_material_change: of(Verdict::NoMaterialChange),
        alarms_per_1000: share(alarms).map(|share| round(share * 1e3)),
        alarms_per_1000_ci: binomial::exact_interval(alarms, tests.len()).map(|end| round(end * 1e3)),
        coverage: share(tests.iter().filter(|test| test.holds_nothing()).count()),
        proven: share(of(Verdict::NoMaterialChange)),
    }
}

/// Returns the alarms by series and time, those that met the same change joined.
fn alarms(judged: &[&Test], config: &Config) -> Vec<Alarm> {
    let mut cried: Vec<&Test> = judged.iter().copied().filter(|test| test.verdict.is_alarm()).collect();
    cried.sort_by(|a, b| (&a.key, a.at).cmp(&(&b.key, b.at)));
    let same = |a: &&Test, b: &&Test| a.key == b.key && b.at - a.at <= SAME_CHANGE;
    let joined = cried.chunk_by(same).filter_map(|tests| {
        let first = alarm(tests.first()?, config);
        Some(Alarm { draws: tests.len(), ..first })
    });
    joined.collect()
}

fn alarm(test: &Test, config: &Config) -> Alarm {
    let value = test.estimate.map_or(f64::NAN, |change| change.estimate.value);
    Alarm {
        service: test.key.service.to_string(),
        kind: test.key.kind.as_str(),
        target: test.key.target.to_string(),
        signal: test.key.signal.to_string(),
        at: rfc3339(test.at, config.zone),
        draws: 1,
        verdict: test.verdict.as_str(),
        ratio: finite(value.exp()).filter(|_| !test.is_difference()),
        delta: finite(value).filter(|_| test.is_difference()),
    }
}

/// Counts one signal and looks for the limit that it can keep.
fn of_signal(signal: &str, tests: &[&Test], config: &Config) -> Option<SignalCounts> {
    let class = tests.first()?.class;
    let (relative, absolute) = config.limit(signal, class);
    // A share of errors is judged by points; everywhere else the relative limit is what teams set.
    let is_share = class == Class::Errors;
    let limits = |limit: f64| if is_share { (relative, limit) } else { (limit, absolute) };
    let at = |limit: f64| {
        let (relative, absolute) = limits(limit);
        let fdr = config.judge.false_discovery;
        let alarms = tests.iter().filter(|test| test.would_cry(relative, absolute, fdr)).count();
        let decided = tests.iter().filter(|test| test.would_decide(relative, absolute)).count();
        let upper = binomial::exact_interval(alarms, tests.len())[1];
        let decided = decided as f64 / tests.len().max(1) as f64;
        Proposed { limit, alarms, upper_per_1000: round(upper * 1e3), decided: round(decided) }
    };
    let holds = |one: &Proposed| one.alarms as f64 <= MOST_ALARMS * tests.len() as f64 && one.decided >= LEAST_DECIDED;
    let limit = if is_share { absolute } else { relative };
    let now = at(limit);
    let ladder: &[f64] = if is_share { &SHARE } else { &RELATIVE };
    let is_enough = tests.len() >= LEAST_TESTS;
    let proposed = ladder.iter().map(|limit| at(*limit)).find(holds).filter(|_| is_enough);
    let advice = match () {
        () if !is_enough => "few",
        () if holds(&now) => "fine",
        () if proposed.is_some() => "raise",
        () => "none",
    };
    let sizes: Vec<f64> = tests
        .iter()
        .filter(|test| test.detectable.is_finite())
        .map(|test| match (is_share, test.is_difference()) {
            (true, true) => test.detectable,
            (true, false) => test.before * test.detectable.exp_m1(),
            (false, true) => test.detectable / test.before,
            (false, false) => test.detectable.exp_m1(),
        })
        .filter(|size| size.is_finite())
        .collect();
    Some(SignalCounts {
        signal: signal.to_owned(),
        class,
        counts: counts(tests),
        detectable: describe::median(&sizes).and_then(finite),
        lever: if is_share { "absolute" } else { "relative" },
        limit: round(limit),
        decided: finite(now.decided),
        advice,
        alarms_at_most: ladder.last().map_or(0, |limit| at(*limit).alarms),
        proposed,
    })
}
