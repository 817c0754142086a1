//! One list of metrics: which ones a kind of resource has, what to ask for each, and how to make values of it.

use super::template::{Arn, Template};
use crate::model::metric::{Kind, Unit};

/// One list, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Its name in messages.
    pub id: String,
    /// CloudWatch's namespace.
    pub namespace: String,
    /// The exact set of dimensions, sorted.
    pub dimensions: Vec<String>,
    /// What its resources are.
    pub kind: Kind,
    /// How the name for the service map is made.
    pub service: Template,
    /// How the target's name is made.
    pub target: Template,
    /// What its resources are in an ARN, service and resource; the first that has the tag counts. Empty: no tags.
    pub arns: Vec<Arn>,
    /// Its metrics; never empty, signals are unique.
    pub metrics: Vec<Metric>,
}

/// One series of a resource: what to ask and how to make values of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its signal here.
    pub signal: String,
    /// The unit in which CloudWatch gives it (after `scale`).
    pub unit: Unit,
    /// Multiplies what CloudWatch gives.
    pub scale: f64,
    /// Added up; never empty.
    pub of: Vec<Ask>,
    /// What the sum is divided by; empty for no share.
    pub over: Vec<Ask>,
    /// What says that somebody measured, for `zero_beside` without `over`.
    pub beside: Vec<Ask>,
    /// Divided by the length of the bucket.
    pub per_second: bool,
    /// No point in `of` is 0 where `over` or `beside` has one.
    pub zero_beside: bool,
}

/// A metric of CloudWatch and a statistic of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// CloudWatch's name.
    pub metric: String,
    /// `Sum`, `Average`, `p95`, …
    pub stat: String,
}

impl Ask {
    /// Splits `TargetResponseTime p95` at its last blank: names of metrics may hold blanks, statistics do not.
    pub(super) fn parse(text: &str, stat: &str) -> Result<Self, String> {
        let text = text.replace("{stat}", stat);
        match text.trim().rsplit_once(' ') {
            Some((metric, stat)) if !metric.trim().is_empty() && is_statistic(stat) => {
                Ok(Self { metric: metric.trim().to_owned(), stat: stat.to_owned() })
            }
            _ => Err(format!("{text:?} is not a metric and a statistic, such as \"RequestCount Sum\"")),
        }
    }
}

/// Returns whether CloudWatch knows a statistic, by its form.
fn is_statistic(stat: &str) -> bool {
    const PLAIN: [&str; 6] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum", "IQM"];
    let number = stat.strip_prefix('p').or_else(|| ["tm", "wm", "tc", "ts"].iter().find_map(|p| stat.strip_prefix(p)));
    let is_percent = |text: &str| text.parse::<f64>().is_ok_and(|number| (0.0..=100.0).contains(&number));
    let is_range =
        ["TM(", "WM(", "TC(", "TS(", "PR("].iter().any(|start| stat.starts_with(start)) && stat.ends_with(')');
    PLAIN.contains(&stat) || number.is_some_and(is_percent) || is_range
}

impl Metric {
    /// Returns everything that has to be asked for this series.
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.of.iter().chain(&self.over).chain(&self.beside)
    }
}
