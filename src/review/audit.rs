//! How far to trust the report, and how much it found: every form of the report prints these counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::finding::{Finding, Topic};
use crate::model::verdict::Verdict;

/// The placebo audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// Placebo deploys judged.
    pub tests: usize,
    /// Alarms among them.
    pub false_alarms: usize,
    /// Alarms of this report that must be expected to be false.
    pub expected_false: f64,
    /// The p below which a comparison could become an alarm here.
    pub p_threshold: f64,
}

/// How much was found. Findings are what people read, each a cause with all its targets; checks are the comparisons
/// behind them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Findings by what they report.
    pub findings: FindingCounts,
    /// Checks (series × deploy group) by verdict.
    pub checks: CheckCounts,
}

/// Findings by what they report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingCounts {
    /// All of them.
    pub total: usize,
    /// Regressions.
    pub worse: usize,
    /// Possible regressions.
    pub possibly_worse: usize,
    /// Bad spells right after a deploy.
    pub burst: usize,
    /// Improvements.
    pub better: usize,
    /// Changes that something other than the deploy explains.
    pub explained: usize,
    /// Regressions whose old level was back before the end of the data; `worse` counts them too. Zero in reports of
    /// versions that did not write it.
    #[serde(default)]
    pub over: usize,
}

impl FindingCounts {
    /// Returns how many findings report a topic.
    pub fn of(&self, topic: Topic) -> usize {
        match topic {
            Topic::Worse => self.worse,
            Topic::PossiblyWorse => self.possibly_worse,
            Topic::Burst => self.burst,
            Topic::Better => self.better,
            Topic::Explained => self.explained,
        }
    }
}

/// Checks by verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckCounts {
    /// All of them.
    pub total: usize,
    /// By the verdict's word; a verdict that no check has is absent.
    pub by_verdict: BTreeMap<String, usize>,
    /// Checks that rule out harm of the size that matters: no material change, or not worse.
    pub ruled_out: usize,
    /// Checks that settle nothing yet: not enough evidence, or too early.
    pub open: usize,
    /// Checks without enough data.
    pub no_data: usize,
}

impl CheckCounts {
    /// Counts checks.
    pub fn of_all<'a>(comparisons: impl IntoIterator<Item = &'a Comparison>) -> Self {
        let mut checks = Self::default();
        for comparison in comparisons {
            checks.total += 1;
            *checks.by_verdict.entry(comparison.verdict.as_str().to_owned()).or_default() += 1;
        }
        checks.ruled_out = checks.of(Verdict::NoMaterialChange) + checks.of(Verdict::NotWorse);
        checks.open = checks.of(Verdict::Inconclusive) + checks.of(Verdict::TooEarly);
        checks.no_data = checks.of(Verdict::NoData);
        checks
    }

    /// Returns how many checks have a verdict.
    pub fn of(&self, verdict: Verdict) -> usize {
        self.by_verdict.get(verdict.as_str()).copied().unwrap_or(0)
    }
}

impl Counts {
    /// Counts findings and checks.
    pub fn of(findings: &[Finding], comparisons: &[Comparison]) -> Self {
        let topic = |topic: Topic| findings.iter().filter(|finding| finding.topic() == topic).count();
        let findings = FindingCounts {
            total: findings.len(),
            worse: topic(Topic::Worse),
            possibly_worse: topic(Topic::PossiblyWorse),
            burst: topic(Topic::Burst),
            better: topic(Topic::Better),
            explained: topic(Topic::Explained),
            over: findings.iter().filter(|finding| finding.topic() == Topic::Worse && finding.is_over()).count(),
        };
        Self { findings, checks: CheckCounts::of_all(comparisons) }
    }
}
