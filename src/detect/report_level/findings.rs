//! Tells each cause once: one finding a deploy, topic, direction and shape, with every target that it moved.
//!
//! First the signals of a target are one thing, then the targets that moved alike at one deploy are. A database that
//! became slower behind slower operations is told with them, as evidence. Operations whose changes took different
//! courses (one stayed, one was taken back by another deploy) are told apart. An improvement that
//! only undoes a regression ends that finding and is none of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::hints;
use crate::detect::fingerprint::{FindingFingerprint, HarmDirection};
use crate::detect::judgement::{Comparison, Finding, Judgement, Pattern, Target};
use crate::model::effect::Effect;
use crate::model::event::DeployGroup;
use crate::model::metric::{Class, FAILED_REQUEST_S, Kind, Polarity, counted_once};
use crate::model::time::{HOUR, Window};
use crate::model::verdict::{Confounder, Verdict};

/// Old levels that are back within this time of each other were taken back together.
const TOGETHER: i64 = 6 * HOUR;

/// Fills the judgement's findings: worse by cost, then possibly worse, bursts, better, explained.
pub fn tell(judgement: &mut Judgement) {
    let mut causes = causes(judgement, without_repairs(judgement, targets(judgement)));
    join_datastores(&mut causes);
    let mut findings: Vec<Finding> =
        causes.into_iter().filter_map(|(cause, targets)| finding(judgement, cause, targets)).collect();
    name(judgement, &mut findings);
    // Users feel operations; a slower database behind them is the same harm told from within, and a busy machine is none
    // until they feel it.
    let kind = |finding: &Finding| judgement.series[judgement.comparisons[finding.lead].series].key.kind;
    let size = |finding: &Finding| judgement.comparisons[finding.lead].size_in_limits();
    findings.sort_by(|a, b| {
        rank(a)
            .cmp(&rank(b))
            .then(kind(a).cmp(&kind(b)))
            .then(harm(b).total_cmp(&harm(a)))
            .then(size(b).total_cmp(&size(a)))
            .then(a.lead.cmp(&b.lead))
    });
    judgement.findings = findings;
}

/// Returns what a finding cost or spared users, in seconds of waiting.
fn harm(finding: &Finding) -> f64 {
    (finding.cost_s + FAILED_REQUEST_S * finding.failed.unwrap_or(0.0)).abs()
}

/// Orders what a reader has to act on before what is over.
fn rank(finding: &Finding) -> usize {
    match (finding.verdict, finding.pattern) {
        (Verdict::Worse, Some(Pattern::Recovered { .. })) => 1,
        (Verdict::Worse, _) => 0,
        (Verdict::PossiblyWorse, _) => 2,
        (_, Some(Pattern::Burst)) => 3,
        (Verdict::Better, _) => 4,
        _ => 5,
    }
}

/// Which way a target moved, and whether anything else explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Worse,
    Better,
    Burst,
    Explained(Option<Confounder>, bool),
}

/// The shape that a change took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Stays,
    Tail,
    /// Taken back, with the number of the batch that was taken back together.
    Back(usize),
    Burst,
}

/// What makes changes one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    group: usize,
    kind: Kind,
    class: Class,
    side: Side,
    shape: Shape,
}

/// One target with its shape, before it is joined with others.
struct Moved {
    group: usize,
    kind: Kind,
    class: Class,
    side: Side,
    pattern: Option<Pattern>,
    /// How much it harms (or helps), and how large it is in limits, for ranking among its like.
    weight: (f64, f64),
    target: Target,
}

/// Joins the signals of each target that moved at a deploy.
fn targets(judgement: &Judgement) -> Vec<Moved> {
    let mut members: BTreeMap<(usize, Kind, Class, &str), Vec<usize>> = BTreeMap::new();
    for (index, comparison) in judgement.comparisons.iter().enumerate() {
        if is_told(comparison, judgement.audit.p_threshold) {
            let series = &judgement.series[comparison.series];
            let key = (comparison.group, series.key.kind, series.class, &*series.key.target);
            members.entry(key).or_default().push(index);
        }
    }
    members.into_values().filter_map(|members| moved(judgement, members)).collect()
}

/// Tells whether a comparison is told as a finding: alarms, explained changes, bursts, and a suspicion that holds among
/// all comparisons of the report and is at least half of what matters.
fn is_told(comparison: &Comparison, p_threshold: f64) -> bool {
    match comparison.verdict {
        Verdict::Worse | Verdict::Better | Verdict::Explained => true,
        _ if comparison.pattern == Some(Pattern::Burst) => true,
        Verdict::PossiblyWorse => {
            comparison.size_in_limits() >= 0.5 && comparison.p_value.is_some_and(|p| p <= p_threshold)
        }
        _ => false,
    }
}

fn moved(judgement: &Judgement, members: Vec<usize>) -> Option<Moved> {
    let of = |index: usize| &judgement.comparisons[index];
    let series_of = |index: usize| &judgement.series[of(index).series];
    let told = [Verdict::Worse, Verdict::Better, Verdict::PossiblyWorse, Verdict::Explained]
        .into_iter()
        .find(|verdict| members.iter().any(|index| of(*index).verdict == *verdict));
    let speaks = |index: usize| match told {
        Some(verdict) => of(index).verdict == verdict,
        None => of(index).pattern == Some(Pattern::Burst),
    };
    let lead = members.iter().copied().filter(|index| speaks(*index)).max_by(|a, b| {
        // p95 is what teams watch; among equals the one that is clearest.
        let watched = |index: usize| &*series_of(index).key.signal == "latency_p95";
        let clear = |index: usize| -of(index).p_value.unwrap_or(0.0);
        watched(*a).cmp(&watched(*b)).then(clear(*a).total_cmp(&clear(*b))).then(b.cmp(a))
    })?;
    let patterns = || members.iter().filter(|index| speaks(**index)).filter_map(|index| of(*index).pattern);
    let recovered = patterns().find(|pattern| matches!(pattern, Pattern::Recovered { .. }));
    let pattern = recovered.or_else(|| patterns().find(|pattern| *pattern == Pattern::TailOnly)).or(of(lead).pattern);
    let key = &series_of(lead).key;
    let cost_s = cost(judgement, &members, lead, told.is_none());
    let group = judgement.groups.get(of(lead).group)?;
    let failed = failed(judgement, lead, felt(judgement, group, pattern)).filter(|_| told.is_some());
    Some(Moved {
        group: of(lead).group,
        kind: key.kind,
        class: series_of(lead).class,
        side: match told {
            None => Side::Burst,
            Some(Verdict::Better) => Side::Better,
            Some(Verdict::Explained) => Side::Explained(of(lead).explained_by, is_for_the_worse(judgement, lead)),
            Some(_) => Side::Worse,
        },
        pattern,
        weight: (failed.map_or(cost_s, |failed| failed * FAILED_REQUEST_S).abs(), of(lead).size_in_limits()),
        target: Target { lead, members, verdict: of(lead).verdict, cost_s, failed },
    })
}

/// Leaves out improvements that only take a regression of the same target back; the rest of an improvement that goes
/// below the level before the regression, by more than the limit, is one.
fn without_repairs(judgement: &Judgement, moved: Vec<Moved>) -> Vec<Moved> {
    let of = |one: &Moved| {
        let key = &judgement.series[judgement.comparisons[one.target.lead].series].key;
        (one.kind, one.class, key.target.clone())
    };
    let mut broken: BTreeMap<_, usize> = BTreeMap::new();
    for one in moved.iter().filter(|one| one.side == Side::Worse) {
        if let Some(Pattern::Recovered { by: Some(by), .. }) = one.pattern {
            broken.insert((by, of(one)), one.target.lead);
        }
    }
    let is_repair = |one: &Moved| {
        let broken = broken.get(&(one.group, of(one))).filter(|_| one.side == Side::Better);
        broken.is_some_and(|broken| !goes_beyond(judgement, *broken, &one.target))
    };
    let (_, kept): (Vec<Moved>, Vec<Moved>) = moved.into_iter().partition(is_repair);
    kept
}

/// Returns whether an improvement leaves a target better than it was before an earlier regression, by more than the limit.
/// Both changes are counted from the level in between, on the signal that led the regression.
fn goes_beyond(judgement: &Judgement, broken: usize, better: &Target) -> bool {
    let broken = &judgement.comparisons[broken];
    let members = better.members.iter().map(|index| &judgement.comparisons[*index]);
    let same = members.clone().find(|one| one.series == broken.series);
    let effects = broken.effect.as_ref().zip(same.and_then(|one| one.effect.as_ref()));
    let Some((up, down)) = effects.filter(|(up, down)| up.scale == down.scale) else { return false };
    let left = up.estimate.value + down.estimate.value;
    (left < 0.0) == (down.estimate.value < 0.0) && left.abs() > down.limit
}

/// Returns the seconds that users waited longer for this target.
fn cost(judgement: &Judgement, members: &[usize], lead: usize, is_burst: bool) -> f64 {
    let of = |index: usize| &judgement.comparisons[index];
    let signal = |index: usize| &*judgement.series[of(index).series].key.signal;
    let own = |index: usize| {
        if is_burst { of(index).burst.and_then(|burst| burst.cost_s) } else { of(index).cost_s }.unwrap_or(0.0)
    };
    // Requests wait for the median (or mean) longer; where only the tail moved, its share of the requests does.
    match members.iter().find(|index| matches!(signal(**index), "latency_p50" | "latency_mean" | "db_time")) {
        Some(index) => own(*index),
        None => own(lead) * tail_share(signal(lead)),
    }
}

/// Returns the share of requests that a percentile speaks of when the median did not move.
fn tail_share(signal: &str) -> f64 {
    match signal {
        "latency_p99" => 0.01,
        "latency_p95" => 0.05,
        "latency_p90" => 0.1,
        _ => 1.0,
    }
}

/// Returns the requests that failed more (negative: fewer) in a window; `None` for what counts no failures, or where the
/// traffic is not known.
fn failed(judgement: &Judgement, lead: usize, window: Window) -> Option<f64> {
    let comparison = &judgement.comparisons[lead];
    let series = &judgement.series[comparison.series];
    let share = comparison.effect.as_ref().and_then(Effect::difference).filter(|_| series.class == Class::Errors)?;
    let hours = series.requests.iter().enumerate();
    let is_inside = |hour: usize| {
        let start = series.start + hour as i64 * HOUR;
        window.overlaps(Window::new(start, start + HOUR))
    };
    let known = hours.filter(|(hour, n)| n.is_finite() && is_inside(*hour));
    let requests: Vec<f64> = known.map(|(_, n)| f64::from(*n)).collect();
    Some(share.value * some_sum(&requests)?)
}

fn is_for_the_worse(judgement: &Judgement, index: usize) -> bool {
    let comparison = &judgement.comparisons[index];
    let seen = comparison.effect.as_ref().map_or(0.0, |effect| effect.unadjusted);
    (seen > 0.0) == (judgement.series[comparison.series].direction != Polarity::Higher)
}

/// When a target's old level was back, the deploy that did it, and the target.
type TakenBack = (i64, Option<usize>, Moved);

/// Joins the targets that one cause moved; the clearest and costliest first. A load balancer comes after the endpoints
/// behind it, whose requests it counts once more.
fn causes(judgement: &Judgement, moved: Vec<Moved>) -> BTreeMap<Cause, Vec<Moved>> {
    let mut causes: BTreeMap<Cause, Vec<Moved>> = BTreeMap::new();
    let mut back: BTreeMap<(usize, Kind, Class, Side), Vec<TakenBack>> = BTreeMap::new();
    for one in moved {
        let shape = match one.pattern {
            _ if one.side == Side::Burst => Shape::Burst,
            Some(Pattern::Recovered { until, by }) => {
                back.entry((one.group, one.kind, one.class, one.side)).or_default().push((until, by, one));
                continue;
            }
            Some(Pattern::TailOnly) => Shape::Tail,
            _ => Shape::Stays,
        };
        let cause = Cause { group: one.group, kind: one.kind, class: one.class, side: one.side, shape };
        causes.entry(cause).or_default().push(one);
    }
    for ((group, kind, class, side), mut taken_back) in back {
        taken_back.sort_by_key(|(until, by, one)| (*until, *by, one.target.lead));
        let (mut batch, mut last): (usize, Option<(i64, Option<usize>)>) = (0, None);
        for (until, by, one) in taken_back {
            let known = match last {
                // Different deploys are different ends; where one is not known, the same hours are the same end.
                Some((_, Some(other))) if by.is_some_and(|by| by == other) => Some(other),
                Some((before, other)) if (by.is_none() || other.is_none()) && until - before <= TOGETHER => {
                    by.or(other)
                }
                Some(_) => {
                    batch += 1;
                    by
                }
                None => by,
            };
            last = Some((until, known));
            causes.entry(Cause { group, kind, class, side, shape: Shape::Back(batch) }).or_default().push(one);
        }
    }
    for targets in causes.values_mut() {
        targets.sort_by(|a, b| {
            let sure = |one: &Moved| one.target.verdict != Verdict::Worse;
            let front = |one: &Moved| judgement.series[judgement.comparisons[one.target.lead].series].key.front();
            let harm = b.weight.0.total_cmp(&a.weight.0).then(b.weight.1.total_cmp(&a.weight.1));
            sure(a).cmp(&sure(b)).then(front(a).cmp(&front(b))).then(harm).then(a.target.lead.cmp(&b.target.lead))
        });
    }
    causes
}

/// Puts slower datastores behind the operations that became slower at the same deploy with the same shape.
fn join_datastores(causes: &mut BTreeMap<Cause, Vec<Moved>>) {
    let behind: Vec<Cause> =
        causes.keys().filter(|cause| cause.kind == Kind::Datastore && cause.class == Class::Latency).copied().collect();
    for cause in behind {
        let front = |shape| Cause { kind: Kind::Operation, shape, ..cause };
        // Slow statements may show in the slowest requests alone.
        let Some(front) = [front(cause.shape), front(Shape::Tail)].into_iter().find(|key| causes.contains_key(key))
        else {
            continue;
        };
        if let Some(stores) = causes.remove(&cause)
            && let Some(operations) = causes.get_mut(&front)
        {
            operations.extend(stores);
        }
    }
}

fn finding(judgement: &Judgement, cause: Cause, moved: Vec<Moved>) -> Option<Finding> {
    let first = moved.first()?;
    let (lead, verdict) = (first.target.lead, first.target.verdict);
    let taken_back =
        moved.iter().find_map(|one| one.pattern.filter(|p| matches!(p, Pattern::Recovered { by: Some(_), .. })));
    let pattern = match cause.shape {
        Shape::Stays => moved.iter().find_map(|one| one.pattern),
        Shape::Tail => Some(Pattern::TailOnly),
        Shape::Back(_) => taken_back.or(first.pattern),
        Shape::Burst => Some(Pattern::Burst),
    };
    // A target that stands for the whole service has its operations' waiting in it, a load balancer that of the
    // endpoints behind it.
    let key = |one: &&Moved| judgement.series[judgement.comparisons[one.target.lead].series].key.clone();
    let own: Vec<&Moved> = moved.iter().filter(|one| one.kind == cause.kind).collect();
    let counted: Vec<&Moved> = counted_once(own, key).into_iter().filter(|one| !key(one).is_whole_service()).collect();
    let parts: Vec<f64> = counted.iter().map(|one| one.target.cost_s).collect();
    let cost_s = if parts.is_empty() { first.target.cost_s } else { parts.iter().sum() };
    let failed: Vec<f64> = counted.iter().filter_map(|one| one.target.failed).collect();
    let failed = if counted.is_empty() { first.target.failed } else { some_sum(&failed) };
    let felt = felt(judgement, judgement.groups.get(cause.group)?, pattern);
    let targets: Vec<Target> = moved.into_iter().map(|one| one.target).collect();
    Some(Finding {
        id: String::new(),
        fingerprint: fingerprint(judgement, &cause, lead, &targets),
        group: cause.group,
        verdict,
        lead,
        members: targets.iter().flat_map(|target| target.members.iter().copied()).collect(),
        targets,
        pattern,
        hints: hints::beside(judgement, lead),
        cost_s,
        failed,
        felt,
    })
}

fn some_sum(known: &[f64]) -> Option<f64> {
    (!known.is_empty()).then(|| known.iter().sum())
}

/// Returns the hours in which users felt a change of this shape.
fn felt(judgement: &Judgement, group: &DeployGroup, pattern: Option<Pattern>) -> Window {
    let end = match pattern {
        Some(Pattern::Recovered { until, .. }) => until.min(judgement.period.end),
        _ => judgement.period.end,
    };
    Window::new(group.window.end, end.max(group.window.end))
}

/// Gives every finding its id; where two come to the same, the later in a fixed order counts on.
fn name(judgement: &Judgement, findings: &mut [Finding]) {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for finding in findings {
        let onset = judgement.groups.get(finding.group).map_or(0, |group| group.window.start);
        let ids = (0..).map(|attempt| finding.fingerprint.id_at(onset, attempt));
        finding.id = ids.into_iter().find(|id| taken.insert(id.clone())).unwrap_or_default();
    }
}

/// Returns what is the same when the trouble comes back. Which target leads may change from one period to the next, so
/// the first by name stands for all that moved.
fn fingerprint(judgement: &Judgement, cause: &Cause, lead: usize, targets: &[Target]) -> FindingFingerprint {
    let key = |lead: usize| &judgement.series[judgement.comparisons[lead].series].key;
    let names = targets.iter().map(|target| key(target.lead)).filter(|key| key.kind == cause.kind);
    let target = names.map(|key| &key.target).min().unwrap_or(&key(lead).target);
    FindingFingerprint {
        service: key(lead).service.clone(),
        kind: cause.kind,
        target: target.clone(),
        family: cause.class,
        direction: match cause.side {
            Side::Better | Side::Explained(_, false) => HarmDirection::Better,
            Side::Worse | Side::Burst | Side::Explained(_, true) => HarmDirection::Worse,
        },
    }
}
