//! Latencies that moved along their load curve because traffic changed at the same deploy, and what is known of the load.

use crate::detect::compare::verdict;
use crate::detect::evidence::LoadCheck;
use crate::detect::input::calendar::Calendar;
use crate::detect::input::requests::{Input, Traffic};
use crate::detect::judgement::Comparison;
use crate::detect::model::series_model::SeriesModel;
use crate::model::effect::{AdjustmentEvidence, Scale};
use crate::model::metric::{Class, Kind, Polarity, Series};
use crate::model::verdict::Confounder;
use crate::stats::describe;

/// Finds latencies that moved along their load curve because their traffic changed at the same deploy.
pub fn explain(
    series: &[Series],
    classes_and_polarities: &[(Class, Polarity)],
    judged: &[SeriesModel],
    traffic: &Traffic,
    calendar: &Calendar,
    comparisons: &mut [Comparison],
) {
    for comparison in comparisons {
        let key = &series[comparison.series].key;
        let (Class::Latency, SeriesModel::Level(track)) =
            (classes_and_polarities[comparison.series].0, &judged[comparison.series])
        else {
            continue;
        };
        if track.seasonality.load.is_empty() || comparison.log_ratio().is_none() {
            continue;
        }
        let requests = traffic.requests(key);
        let Some(SeriesModel::Level(traffic)) = traffic.counted_by(key).map(|counted| &judged[counted]) else {
            continue;
        };
        let Some(position) = traffic.changes.iter().position(|change| change.group == Some(comparison.group)) else {
            continue;
        };
        let at = traffic.changes[position].at;
        let begin = position.checked_sub(1).map_or(0, |before| traffic.changes[before].at);
        let end = traffic.changes.get(position + 1).map_or(calendar.len(), |after| after.at);
        if let Some(added) = track.seasonality.load_step(begin, at, end, calendar) {
            let typical = |from: usize, to: usize| {
                describe::median(requests.get(from..to.min(requests.len())).unwrap_or(&[])).unwrap_or(0.0)
            };
            let evidence =
                AdjustmentEvidence::Load { requests_before: typical(begin, at), requests_after: typical(at, end) };
            adjust(comparison, added, evidence, classes_and_polarities[comparison.series].1);
        }
    }
}

/// Says of a latency that moved along its load curve that its load explains it.
///
/// `added`: what the load curve adds after the deploy, log ratio; `evidence`: the requests that make it. Nothing is explained unless the plain change would
/// matter and the change beyond the load does not.
fn adjust(comparison: &mut Comparison, added: f64, evidence: AdjustmentEvidence, direction: Polarity) {
    let Some(effect) = comparison.effect.as_mut().filter(|effect| effect.scale == Scale::LogRatio) else { return };
    let plain = effect.estimate.moved(added);
    effect.add_seen(evidence, added);
    let unadjusted = verdict::rule(plain, effect.limit, direction);
    comparison.evidence.table_unadjusted = Some(unadjusted);
    if unadjusted.is_alarm() && !comparison.verdict.is_alarm() && added.abs() > 0.5 * plain.value.abs() {
        comparison.explain(Confounder::Load);
    }
}

/// Returns what is known of the load behind a series.
pub fn check(judged: &SeriesModel, input: &Input, class: Class, kind: Kind) -> LoadCheck {
    let SeriesModel::Level(track) = judged else { return LoadCheck::NotChecked };
    match (class, kind) {
        (Class::Latency, _) | (Class::Saturation | Class::Other, Kind::Resource) => {}
        _ => return LoadCheck::NotChecked,
    }
    match (input.load.log.is_empty(), track.seasonality.load.is_empty()) {
        (true, _) => LoadCheck::Unknown,
        (false, true) => LoadCheck::Independent,
        (false, false) => LoadCheck::CurveTakenOut,
    }
}
