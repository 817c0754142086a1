//! The series of the document, before charts are added.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Builder;
use super::hourly::Hourly;
use crate::detect::SeriesSummary;
use crate::model::metric::{Kind, Polarity, SeriesKey};
use crate::review::change::Change;
use crate::review::rounding::finite;
use crate::review::{Peak, Series, chapter};
use crate::source;

/// Returns every series, in the judgement's order.
pub(super) fn all(builder: &Builder<'_>) -> Vec<Series> {
    let mut accounts = Accounts { builder, known: BTreeMap::new() };
    builder.input.judgement.series.iter().map(|summary| series(builder, &mut accounts, summary)).collect()
}

fn series(builder: &Builder<'_>, accounts: &mut Accounts<'_>, summary: &SeriesSummary) -> Series {
    let unit = summary.unit;
    let in_unit = |value: f64| finite(value / unit.factor);
    let peak = summary.peak.and_then(|(value, at)| Some(Peak { value: in_unit(value)?, at: builder.instant(at) }));
    let requests = Hourly { start: summary.start, values: &summary.requests };
    let period = builder.input.judgement.period;
    let peaks = Hourly { start: summary.start, values: &summary.hourly_max };
    let has_limit = chapter::has_limit(summary.class, unit) && summary.direction == Polarity::Lower;
    Series {
        service: summary.key.service.clone(),
        kind: summary.key.kind,
        target: summary.key.target.clone(),
        signal: summary.key.signal.clone(),
        unit,
        class: summary.class,
        better: summary.direction,
        step_s: finite(summary.step_ms as f64 / 1e3),
        account: accounts.of(&summary.key),
        coverage: finite(summary.coverage),
        level: in_unit(summary.level),
        level_before: in_unit(summary.level_before),
        change: summary.change.map(|change| Change::new(change.scale.into(), change.estimate, unit)),
        peak,
        hours_near_limit: has_limit.then(|| peaks.count_from(period, chapter::NEAR_LIMIT)),
        total_time_s: summary.total_time_s.and_then(finite),
        requests: requests.sum(period).and_then(finite),
        line: None,
        hours: None,
        peaks: None,
    }
}

/// Accounts by name, each text once.
struct Accounts<'a> {
    builder: &'a Builder<'a>,
    known: BTreeMap<&'a str, Arc<str>>,
}

impl Accounts<'_> {
    /// Returns the account that a series runs in, empty if unknown: that of its service, or for a resource that of the
    /// source that gave it.
    fn of(&mut self, key: &SeriesKey) -> Arc<str> {
        let config = self.builder.input.config;
        let service = config.services.iter().find(|service| service.name == *key.service);
        let mut account = service.map_or("", |service| service.account.as_str());
        if account.is_empty() && key.kind == Kind::Resource {
            let id = source::source_of(self.builder.input.sources, key);
            let state = self.builder.input.sources.iter().find(|state| Some(state.id.as_str()) == id);
            account = state.map_or("", |state| &state.account);
        }
        self.known.entry(account).or_insert_with(|| account.into()).clone()
    }
}
