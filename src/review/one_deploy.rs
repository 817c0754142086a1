//! One deploy out of a report: what `fortnight deploy` prints, as text or as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::words::VERDICTS;
use super::{CheckCounts, Comparison, Deploy, Finding, Group, Instant, Limits, Pattern, Period, Review, Target, Topic};
use crate::model::metric::{Kind, SeriesKey, counted_once};
use crate::model::verdict::Verdict;

/// Name and version of what `fortnight deploy --json` prints.
pub const DEPLOY_SCHEMA: &str = "fortnight.deploy/1";

/// Returns the JSON Schema of what `fortnight deploy --json` prints.
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<OneDeploy<'_>>()
        .to_value()
}

/// What became of one deploy.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(title = "fortnight deploy")]
pub struct OneDeploy<'a> {
    /// Name and version of this format.
    #[schemars(extend("const" = DEPLOY_SCHEMA))]
    pub schema: &'static str,
    /// The period of the report that it was judged in.
    pub period: &'a Period,
    /// The id of the deploy.
    pub id: &'a str,
    /// The worst verdict of its checks; `no_data` without any.
    #[schemars(with = "String", extend("enum" = VERDICTS))]
    pub verdict: Verdict,
    /// Whether any check came to a result. Without one, nothing is known about this deploy.
    pub is_judged: bool,
    /// With checks that came too early: when the last of them can be judged, RFC 3339.
    pub ready_at: Option<Instant>,
    /// How many checks there are.
    pub counts: CheckCounts,
    /// Added milliseconds times requests of what became worse, each request counted once; null where traffic is unknown.
    pub cost_ms: Option<f64>,
    /// The change that matters, unless set otherwise for a service.
    pub limit: Limits,
    /// How many days before the period are used as baseline at most.
    pub baseline_days: u32,
    /// The groups in which it was judged, one for each service that it concerns.
    pub groups: Vec<&'a Group>,
    /// The deploys of these groups, by time; they cannot be separated.
    pub deploys: Vec<&'a Deploy>,
    /// What was found at this deploy, the costliest first.
    pub findings: Vec<&'a Finding>,
    /// Every check of this deploy: regressions first, then what is open, then what is ruled out.
    pub comparisons: Vec<&'a Comparison>,
}

impl<'a> OneDeploy<'a> {
    /// Gathers what a report holds about a deploy; `None` if it has no such deploy.
    ///
    /// `service`: only this one, for a deploy of several services.
    pub fn new(review: &'a Review, id: &str, service: Option<&str>) -> Option<Self> {
        let is_own = |deploy: &&Deploy| &*deploy.id == id && service.is_none_or(|own| own == &*deploy.service);
        let own: Vec<&Deploy> = review.deploys.iter().filter(is_own).collect();
        let first = own.first()?;
        let numbers: BTreeSet<usize> = own.iter().map(|deploy| deploy.number).collect();
        let mut comparisons: Vec<&Comparison> =
            review.comparisons.iter().filter(|one| numbers.contains(&one.number)).collect();
        comparisons.sort_by_key(|one| (rank(one), order(&one.signal)));
        let findings: Vec<&Finding> =
            review.findings.iter().filter(|finding| numbers.contains(&finding.number)).collect();
        let counts = CheckCounts::of_all(comparisons.iter().copied());
        let early = comparisons.iter().filter(|one| one.verdict == Verdict::TooEarly);
        Some(Self {
            schema: DEPLOY_SCHEMA,
            period: &review.period,
            id: &first.id,
            verdict: Verdict::ALL.into_iter().find(|one| counts.of(*one) > 0).unwrap_or(Verdict::NoData),
            is_judged: counts.total > counts.open + counts.no_data,
            ready_at: early.filter_map(|one| one.ready_at).max(),
            cost_ms: added_waiting(&findings),
            limit: review.settings.limit,
            baseline_days: review.settings.baseline_days,
            groups: review.groups.iter().filter(|group| numbers.contains(&group.number)).collect(),
            deploys: review.deploys.iter().filter(|deploy| numbers.contains(&deploy.number)).collect(),
            counts,
            findings,
            comparisons,
        })
    }

    /// Returns the deploy itself.
    pub fn deploy(&self) -> Option<&'a Deploy> {
        self.deploys.iter().find(|deploy| &*deploy.id == self.id).copied()
    }

    /// Returns whether more data may still change the answer: a check came too early.
    pub fn is_waiting(&self) -> bool {
        self.counts.of(Verdict::TooEarly) > 0
    }
}

/// Returns the place of a check in the list: what has to be acted on, what is not known, what is ruled out.
fn rank(comparison: &Comparison) -> usize {
    match comparison.verdict {
        Verdict::Worse => 0,
        Verdict::PossiblyWorse => 1,
        _ if comparison.pattern == Some(Pattern::Burst) => 2,
        Verdict::Better => 3,
        Verdict::Inconclusive => 4,
        Verdict::TooEarly => 5,
        Verdict::Explained => 6,
        Verdict::NotWorse => 7,
        Verdict::NoMaterialChange => 8,
        Verdict::NoData => 9,
    }
}

/// Returns the place of a signal among checks of one verdict: what users feel first, so that a short list names every
/// endpoint once rather than one of them five times.
fn order(signal: &str) -> usize {
    const FIRST: [&str; 6] = ["latency_p95", "latency_mean", "latency_p99", "error_rate", "latency_p50", "db_time"];
    FIRST.iter().position(|first| *first == signal).unwrap_or(FIRST.len())
}

/// Adds up the waiting of what became worse, each request once. Load balancers count the requests of the endpoints behind
/// them, and a service as a whole has them all: of each service the endpoints or the whole count, whichever waited
/// longer. What a database took is part of that already and may run beside other work, so it counts only where no
/// endpoint became slower.
pub(super) fn added_waiting(findings: &[&Finding]) -> Option<f64> {
    let is_harm = |finding: &&&Finding| matches!(finding.topic(), Topic::Worse | Topic::PossiblyWorse | Topic::Burst);
    let of = |finding: &Finding| -> Vec<(SeriesKey, f64)> {
        let target = |target: &Target| {
            let key = SeriesKey { kind: target.kind, target: target.target.clone(), ..finding.key() };
            Some((key, target.cost_ms.filter(|cost| *cost > 0.0)?))
        };
        finding.targets.iter().filter_map(target).collect()
    };
    let all: Vec<(SeriesKey, f64)> = findings.iter().filter(is_harm).flat_map(|finding| of(finding)).collect();
    let mut sums = BTreeMap::<Arc<str>, BTreeMap<(Kind, bool), f64>>::new();
    for (key, cost) in counted_once(all, |(key, _)| key.clone()) {
        let own = sums.entry(key.service.clone()).or_default();
        *own.entry((key.kind, key.is_whole_service())).or_default() += cost;
    }
    let largest = |own: &BTreeMap<(Kind, bool), f64>| {
        let is_felt = own.keys().any(|(kind, _)| *kind == Kind::Operation);
        let counts = own.iter().filter(|((kind, _), _)| !is_felt || *kind == Kind::Operation);
        counts.map(|(_, cost)| *cost).fold(0.0, f64::max)
    };
    (!sums.is_empty()).then(|| sums.values().map(largest).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Language;
    use crate::review::sample::rich;

    #[test]
    fn a_deploy_holds_exactly_its_own_checks_and_findings() {
        let review = rich(&[Language::En]).review();
        let mut checks = 0;
        for number in review.groups.iter().map(|group| group.number) {
            let deploy = review.deploys_of(number).next().expect("a deploy");
            let one = OneDeploy::new(&review, &deploy.id, Some(&deploy.service)).expect("there");
            assert!(one.comparisons.iter().all(|own| own.number == number));
            assert!(one.findings.iter().all(|own| own.number == number));
            assert_eq!(one.counts.total, one.comparisons.len());
            assert_eq!(one.verdict, one.deploy().expect("there").verdict, "{}", deploy.id);
            checks += one.comparisons.len();
        }
        assert_eq!(checks, review.comparisons.len());
        assert!(OneDeploy::new(&review, "nothing", None).is_none());
    }

    #[test]
    fn a_request_that_an_endpoint_and_its_load_balancer_count_waits_once() {
        let mut finding = rich(&[Language::En]).review().findings.remove(0);
        let one = finding.targets.first().expect("one").clone();
        let target = |kind, name: &str, cost| Target { kind, target: name.into(), cost_ms: Some(cost), ..one.clone() };
        let api = finding.service.to_string();
        finding.targets = vec![
            target(Kind::Operation, "GET /a", 400.0),
            target(Kind::Operation, "GET /b", 100.0),
            target(Kind::Operation, "alb:api", 450.0),
            target(Kind::Operation, &api, 480.0),
            target(Kind::Datastore, "select a", 900.0),
        ];
        assert_eq!(added_waiting(&[&finding]), Some(500.0));
        finding.targets.retain(|target| target.kind == Kind::Datastore);
        assert_eq!(added_waiting(&[&finding]), Some(900.0));
        finding.targets.iter_mut().for_each(|target| target.cost_ms = Some(-1.0));
        assert_eq!(added_waiting(&[&finding]), None);
    }

    #[test]
    fn without_a_settled_check_nothing_is_judged() {
        let mut review = rich(&[Language::En]).review();
        let id = review.deploys.first().expect("one").id.clone();
        for verdict in Verdict::ALL {
            review.comparisons.iter_mut().for_each(|one| one.verdict = verdict);
            let one = OneDeploy::new(&review, &id, None).expect("there");
            let settles = !matches!(verdict, Verdict::Inconclusive | Verdict::TooEarly | Verdict::NoData);
            assert_eq!((one.is_judged, one.verdict), (settles, verdict));
            assert_eq!(one.is_waiting(), verdict == Verdict::TooEarly);
        }
        review.comparisons.clear();
        let none = OneDeploy::new(&review, &id, None).expect("there");
        assert_eq!((none.is_judged, none.verdict), (false, Verdict::NoData));
    }
}
