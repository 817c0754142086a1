//! Adds hourly values to the series that are drawn, and to no others: they are what makes a document large.

use std::collections::BTreeSet;

use super::Builder;
use super::hourly::Hourly;
use crate::detect::SeriesSummary;
use crate::model::metric::Kind;
use crate::review::chapter::{self, LINE_POINTS, hours_within};
use crate::review::rounding::drawn;
use crate::review::{Finding, Hours, Series, Service, Unattributed};

/// Points of the small chart of a resource; fewer than two with data draw nothing.
const RESOURCE_POINTS: usize = 168;

/// Fills the lines of tables, the hours of findings and the peaks of resources.
pub(super) fn fill(
    builder: &Builder<'_>,
    series: &mut [Series],
    findings: &[Finding],
    unattributed: &[Unattributed],
    services: &[Service],
) {
    let lines = lines(series, unattributed, services);
    let hours = hours(series, findings);
    let peaks = peaks(builder, series);
    let period = builder.input.judgement.period;
    for (index, (own, summary)) in series.iter_mut().zip(&builder.input.judgement.series).enumerate() {
        let factor = own.unit.factor;
        let in_unit = |value: f64| drawn(value / factor);
        if lines.contains(&index) {
            let points = hourly(summary).joined(period, LINE_POINTS);
            own.line = Some(points.into_iter().map(in_unit).collect());
        }
        if hours.contains(&index) {
            let values = summary.hourly.iter().map(|value| in_unit(f64::from(*value))).collect();
            own.hours = Some(Hours { from: builder.instant(summary.start), values });
        }
        if peaks.contains(&index) {
            let start = hours_within(period).next().unwrap_or(period.start);
            let values = most(summary).within(period).map(in_unit).collect();
            own.peaks = Some(Hours { from: builder.instant(start), values });
        }
    }
}

fn hourly(summary: &SeriesSummary) -> Hourly<'_> {
    Hourly { start: summary.start, values: &summary.hourly }
}

fn most(summary: &SeriesSummary) -> Hourly<'_> {
    Hourly { start: summary.start, values: &summary.hourly_max }
}

/// Returns the series whose line a table shows.
fn lines(series: &[Series], unattributed: &[Unattributed], services: &[Service]) -> BTreeSet<usize> {
    let mut shown = BTreeSet::new();
    shown.extend(
        services.iter().filter(|service| service.has_golden()).take(chapter::SERVICES).filter_map(|s| s.latency),
    );
    shown.extend(chapter::busiest(&chapter::endpoints(series)).iter().map(|target| target.index));
    let datastores = chapter::targets(series, Kind::Datastore);
    shown.extend(datastores.iter().take(chapter::DATASTORES).map(|target| target.index));
    shown.extend(chapter::database_time(series).into_iter().take(chapter::ENDPOINTS).map(|(index, _)| index));
    for (_, own) in chapter::resources(series) {
        shown.extend(own.into_iter().take(chapter::RESOURCES).map(|(index, _)| index));
    }
    let together = chapter::moved_together(unattributed, series);
    shown.extend(together.iter().take(chapter::UNATTRIBUTED).filter_map(|own| Some(own.first()?.series)));
    shown
}

/// Returns the series that the charts of the findings show: the leading ones, and the median beside a high percentile.
fn hours(series: &[Series], findings: &[Finding]) -> BTreeSet<usize> {
    let mut shown = BTreeSet::new();
    for finding in chapter::cards(findings) {
        shown.extend(finding.comparison.as_ref().map(|lead| lead.series));
        shown.extend(chapter::companion(series, &finding.key()).map(|(index, _)| index));
    }
    shown
}

/// Returns the resources with a chart of their own: the fullest of each account that have anything to draw.
fn peaks(builder: &Builder<'_>, series: &[Series]) -> BTreeSet<usize> {
    let period = builder.input.judgement.period;
    let is_drawable = |index: usize| {
        let summary = builder.input.judgement.series.get(index);
        let points = summary.map(|summary| most(summary).joined(period, RESOURCE_POINTS)).unwrap_or_default();
        points.iter().filter(|value| value.is_finite()).count() >= 2
    };
    let mut shown = BTreeSet::new();
    for (_, own) in chapter::resources(series) {
        let drawable = own.into_iter().map(|(index, _)| index).filter(|index| is_drawable(*index));
        shown.extend(drawable.take(chapter::RESOURCE_CHARTS));
    }
    shown
}
