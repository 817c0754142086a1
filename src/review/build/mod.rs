//! Fills the document from the judge's result. The only place that maps one to the other, and the only one that rounds.
//!
//! Indices of the judgement are looked up with `get`; one that leads nowhere drops its entry, not the document.

mod comparison;
mod deploy;
mod drawn;
mod finding;
mod golden;
mod hourly;
mod notice;
mod series;
mod source;

use std::sync::Arc;

use super::explanation::Holiday;
use super::rounding::round;
use super::service::coverage;
use super::{Audit, Counts, Instant, Limits, Period, Review, SCHEMA, Service, Settings, Span};
use crate::config::Config;
use crate::detect::Judgement;
use crate::model::event::Event;
use crate::model::time::{Window, local};
use crate::source::SourceState;

/// What a document is built from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What detection found out.
    pub judgement: &'a Judgement,
    /// The events that the judgement's groups point into, by time.
    pub events: &'a [Event],
    /// How every source fared, failed ones included.
    pub sources: &'a [SourceState],
    /// Zone, owners, title, limits.
    pub config: &'a Config,
    /// When the report was made, UTC milliseconds; the period's end keeps the bytes the same.
    pub generated_at: i64,
}

/// Builds the document. Missing or senseless values become null; the document is always made.
pub fn build(input: &Input<'_>) -> Review {
    let builder = Builder { input: *input, groups: deploy::ids(input) };
    let Input { judgement, config, .. } = *input;
    let mut series = series::all(&builder);
    let comparisons = comparison::all(&builder);
    let findings = finding::all(&builder, &comparisons);
    let unattributed = finding::unattributed(&builder);
    let services = services(&builder, &series);
    drawn::fill(&builder, &mut series, &findings, &unattributed, &services);
    let (sources, diagnostics) = source::all(&builder);
    Review {
        schema: SCHEMA.to_owned(),
        period: Period {
            from: builder.instant(judgement.period.start),
            to: builder.instant(judgement.period.end),
            timezone: config.zone.name().to_owned(),
        },
        generated_at: builder.instant(input.generated_at),
        title: config.title.clone(),
        sources,
        notices: notice::all(&builder),
        deploys: deploy::all(&builder, &comparisons),
        counts: Counts::of(&findings, &comparisons),
        findings,
        unattributed,
        audit: Audit {
            tests: judgement.audit.tests,
            false_alarms: judgement.audit.false_alarms,
            expected_false: round(judgement.audit.expected_false),
            p_threshold: round(judgement.audit.p_threshold),
        },
        settings: settings(&builder),
        groups: deploy::groups(&builder),
        events: deploy::events(&builder),
        services,
        diagnostics,
        series,
        comparisons,
    }
}

/// The input with what is looked up again and again.
struct Builder<'a> {
    input: Input<'a>,
    /// Ids of the deploys of each group of the judgement.
    groups: Vec<Arc<[Arc<str>]>>,
}

impl Builder<'_> {
    fn instant(&self, at: i64) -> Instant {
        Instant::new(at, self.input.config.zone)
    }

    fn span(&self, window: Window) -> Span {
        Span::new(window, self.input.config.zone)
    }

    /// Returns everything that was compared or drawn: from the first hour of a baseline to the end of the period.
    fn history(&self) -> Window {
        let judgement = self.input.judgement;
        let compared = judgement.comparisons.iter().map(|one| one.before_window.start).min();
        let drawn = judgement.series.iter().map(|one| one.start).min();
        let start = [compared, drawn].into_iter().flatten().fold(judgement.period.start, i64::min);
        Window::new(start, judgement.period.end)
    }
}

fn settings(builder: &Builder<'_>) -> Settings {
    let config = builder.input.config;
    let judge = &config.judge;
    let seconds = |ms: i64| round(ms as f64 / 1e3);
    let history = builder.history();
    let date = |at| local(at, config.zone).date_naive();
    let (first, last) = (date(history.start), date(history.end - 1));
    let holidays = config.holidays.range(first..=last.max(first));
    Settings {
        languages: config.languages.clone(),
        period_days: config.period.days,
        false_discovery: round(judge.false_discovery),
        limit: Limits {
            relative: round(judge.limit.relative),
            latency_ms: round(judge.limit.latency_s * 1e3),
            error_share: round(judge.limit.error_share),
            utilization_points: round(judge.limit.utilization * 100.0),
        },
        baseline_days: judge.baseline_days,
        group_s: seconds(judge.group_ms),
        settle_s: seconds(judge.settle_ms),
        min_after_s: seconds(judge.min_after_ms),
        min_coverage: round(judge.min_coverage),
        holidays: holidays.map(|(date, name)| Holiday { date: date.to_string(), name: name.clone() }).collect(),
    }
}

fn services(builder: &Builder<'_>, series: &[super::Series]) -> Vec<Service> {
    let Input { judgement, events, config, .. } = builder.input;
    let keys = judgement.series.iter().map(|series| (&series.key, series.class));
    let mut all = Vec::new();
    let mut golden = golden::Golden::new(builder, series);
    for known in coverage(keys, events, config, judgement.period) {
        let own = golden.of(&known.service);
        let configured = config.services.iter().find(|service| service.name == known.service);
        all.push(Service {
            account: configured.map(|service| service.account.clone()).unwrap_or_default(),
            runbook: configured.map(|service| service.runbook.clone()).unwrap_or_default(),
            coverage: own.coverage,
            days: own.days,
            latency: own.latency,
            traffic: own.traffic,
            errors: own.errors,
            known,
        });
    }
    all
}
