//! Writes `report.json`, the machine's twin of the page, in the schema `fortnight.report/1`.
//!
//! Reads a [`Judgement`] and lays it out; decides nothing. Values are in each series' own unit, changes
//! are `after / before` as measured, whatever is better. Every key is always there; what is not known is
//! `null`, and so is a number without a finite value.

mod schema;
#[cfg(test)]
pub(crate) mod tests;

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

use schema::{
    Audit, Burst, Comparison, Deploy, Elsewhere, Finding, Hint, Note, Onset, Period, Report, Source, Target, Words,
};
pub use schema::{SCHEMA, schema};

use crate::config::Config;
use crate::detect::{self, Estimate, Fit, Judgement, Pattern, Scale, UnattributedKind, Verdict};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::Event;
use crate::model::metric::Unit;
use crate::model::time::{Window, rfc3339};
use crate::render::explain;
use crate::source::SourceState;

/// What the report is made of, besides the judgement.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What detection found out.
    pub judgement: &'a Judgement,
    /// The events that the judgement's groups point into.
    pub events: &'a [Event],
    /// How the sources fared.
    pub sources: &'a [SourceState],
    /// Zone, owners, title.
    pub config: &'a Config,
    /// When the report was made, UTC milliseconds; the period's end keeps the bytes the same.
    pub generated_at: i64,
}

/// Renders the whole file: every top-level key and every comparison on a line of its own.
///
/// # Errors
/// Only if a value could not be serialised, which no input is known to cause.
pub fn render(input: &Input<'_>) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64 * 1024 + 700 * input.judgement.comparisons.len());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Lines { depth: 0 });
    input.report(&input.words()).serialize(&mut serializer)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Returns how far a source can be relied on: `ok`, `partial` or `failed`.
pub fn source_state(state: &SourceState) -> &'static str {
    match (state.failure().is_none(), state.series == 0 && state.events == 0) {
        (true, _) => "ok",
        (false, true) => "failed",
        (false, false) => "partial",
    }
}

impl<'a> Input<'a> {
    fn report<'b>(&'b self, words: &'b [Words<'a>]) -> Report<'a, Each<'a, 'b>> {
        let judgement = self.judgement;
        Report {
            schema: SCHEMA,
            period: Period {
                from: self.instant(judgement.period.start),
                to: self.instant(judgement.period.end),
                timezone: self.config.zone.name(),
            },
            generated_at: self.instant(self.generated_at),
            title: &self.config.title,
            sources: self.sources.iter().map(|state| self.source(state)).collect(),
            deploys: self.deploys(words),
            findings: judgement.findings.iter().filter_map(|finding| self.finding(finding, words)).collect(),
            elsewhere: judgement.elsewhere.iter().filter_map(|change| self.elsewhere(change)).collect(),
            audit: Audit {
                tests: judgement.audit.tests,
                false_alarms: judgement.audit.false_alarms,
                expected_false: round(judgement.audit.expected_false),
                p_threshold: round(judgement.audit.p_threshold),
            },
            comparisons: Each(self, words),
        }
    }

    fn instant(&self, at: i64) -> String {
        rfc3339(at, self.config.zone)
    }

    fn onset(&self, window: Window) -> Onset {
        Onset { from: self.instant(window.start), to: self.instant(window.end) }
    }

    /// Looks up the ids of each group once, not once a comparison.
    fn words(&self) -> Vec<Words<'a>> {
        self.judgement
            .groups
            .iter()
            .map(|group| {
                let events = group.members.iter().filter_map(|index| self.events.get(*index));
                Words { ids: events.map(|event| event.id.as_str()).collect() }
            })
            .collect()
    }

    fn source(&self, state: &'a SourceState) -> Source<'a> {
        // A series may be of several sources; with one source every series is its own.
        let series = &self.judgement.series;
        let coverage = match self.sources.len() {
            1 if !series.is_empty() => {
                finite(series.iter().map(|series| series.coverage).sum::<f64>() / series.len() as f64)
            }
            1 => Some(0.0),
            _ if source_state(state) == "failed" => Some(0.0),
            _ => None,
        };
        Source {
            id: &state.id,
            kind: state.kind,
            state: source_state(state),
            coverage,
            rows: state.rows,
            series: state.series,
            events: state.events,
            errors: state.diagnostics.iter().filter(|one| one.is_error()).map(Diagnostic::reason).collect(),
            notes: state
                .warnings()
                .map(|one| Note { reason: &one.code, count: one.count, example: &one.example })
                .collect(),
        }
    }

    fn deploys(&self, words: &[Words<'a>]) -> Vec<Deploy<'a>> {
        let mut deploys = Vec::new();
        for ((group, words), verdict) in self.judgement.groups.iter().zip(words).zip(self.worst_by_group()) {
            for event in group.members.iter().filter_map(|index| self.events.get(*index)) {
                deploys.push(Deploy {
                    id: &event.id,
                    service: &group.service,
                    at: self.instant(event.at),
                    until: event.until.map(|until| self.instant(until)),
                    revision: &event.revision,
                    title: &event.title,
                    url: &event.url,
                    author: &event.author,
                    kind: event.kind.as_str(),
                    number: group.number,
                    group: words.ids.clone(),
                    verdict: verdict.as_str(),
                });
            }
        }
        deploys
    }

    /// Returns the worst verdict among each group's comparisons; a group without any has no data.
    fn worst_by_group(&self) -> Vec<Verdict> {
        let rank = |verdict: Verdict| Verdict::ALL.iter().position(|other| *other == verdict);
        let mut worst = vec![Verdict::NoData; self.judgement.groups.len()];
        for comparison in &self.judgement.comparisons {
            if let Some(verdict) = worst.get_mut(comparison.group)
                && rank(comparison.verdict) < rank(*verdict)
            {
                *verdict = comparison.verdict;
            }
        }
        worst
    }

    fn pattern(
        &self,
        pattern: Option<Pattern>,
        of: &detect::Comparison,
        words: &[Words<'a>],
    ) -> (Option<String>, Option<&'a str>) {
        match pattern {
            Some(Pattern::Burst) => (of.burst.map(|burst| self.instant(burst.until)), None),
            Some(Pattern::Recovered { until, by }) => {
                let by = by.and_then(|group| words.get(group)).and_then(|words| words.ids.first().copied());
                (Some(self.instant(until)), by)
            }
            _ => (None, None),
        }
    }

    fn finding(&self, finding: &'a detect::Finding, words: &[Words<'a>]) -> Option<Finding<'a>> {
        let lead = self.judgement.comparisons.get(finding.lead)?;
        let series = self.judgement.series.get(lead.series)?;
        let group = self.judgement.groups.get(finding.group)?;
        let ids = words.get(finding.group)?.ids.clone();
        let service = self.config.services.iter().find(|service| service.name == *series.key.service);
        let change = Change::of(lead, series.unit);
        let (until, by) = self.pattern(finding.pattern, lead, words);
        Some(Finding {
            id: &finding.id,
            fingerprint: finding.fingerprint.to_string(),
            verdict: finding.verdict.as_str(),
            service: &series.key.service,
            kind: series.key.kind.as_str(),
            target: &series.key.target,
            signal: &series.key.signal,
            unit: series.unit.symbol,
            deploy: ids.first().copied(),
            deploy_group: ids,
            number: group.number,
            pattern: finding.pattern.map(Pattern::as_str),
            until,
            by,
            before: change.before,
            after: change.after,
            ratio: change.ratio,
            ratio_ci: change.ratio_ci,
            delta: change.delta,
            delta_ci: change.delta_ci,
            cost_ms: finite(finding.cost_s * 1e3),
            lead: finding.lead,
            targets: finding.targets.iter().filter_map(|target| self.target(target)).collect(),
            members: &finding.members,
            hints: finding.hints.iter().map(|(hint, comparison)| hint_of(*hint, *comparison)).collect(),
            owner: service.map_or("", |service| &service.owner),
            runbook: service.map_or("", |service| &service.runbook),
            explanation: explain::make(self.judgement, self.events, self.sources, self.config, finding),
        })
    }

    fn target(&self, target: &detect::Target) -> Option<Target<'a>> {
        let series = self.judgement.series.get(self.judgement.comparisons.get(target.lead)?.series)?;
        Some(Target {
            kind: series.key.kind.as_str(),
            target: &series.key.target,
            verdict: target.verdict.as_str(),
            lead: target.lead,
            cost_ms: finite(target.cost_s * 1e3),
        })
    }

    fn elsewhere(&self, change: &detect::Unattributed) -> Option<Elsewhere<'a>> {
        let series = self.judgement.series.get(change.series)?;
        let (log_ratio, delta) = (change.change.log_ratio(), change.change.difference());
        let factor = series.unit.factor;
        Some(Elsewhere {
            service: &series.key.service,
            kind: series.key.kind.as_str(),
            target: &series.key.target,
            signal: &series.key.signal,
            unit: series.unit.symbol,
            change: match change.kind {
                UnattributedKind::Shift => "shift",
                UnattributedKind::Drift => "drift",
            },
            at: self.onset(change.at),
            ratio: log_ratio.and_then(|ratio| finite(ratio.value.exp())),
            ratio_ci: log_ratio.and_then(|ratio| interval(ratio.low.exp(), ratio.high.exp())),
            delta: delta.and_then(|delta| finite(delta.value / factor)),
            delta_ci: delta.and_then(|delta| interval(delta.low / factor, delta.high / factor)),
            p_value: finite(change.p_value),
            worse: change.is_worse,
        })
    }

    fn comparison(&self, comparison: &detect::Comparison, words: &[Words<'a>]) -> Option<Comparison<'a>> {
        let series = self.judgement.series.get(comparison.series)?;
        let ids = words.get(comparison.group)?.ids.clone();
        let factor = series.unit.factor;
        let change = Change::of(comparison, series.unit);
        let (until, by) = self.pattern(comparison.pattern, comparison, words);
        Some(Comparison {
            service: &series.key.service,
            kind: series.key.kind.as_str(),
            target: &series.key.target,
            signal: &series.key.signal,
            unit: series.unit.symbol,
            deploy: ids.first().copied(),
            deploy_group: ids,
            verdict: comparison.verdict.as_str(),
            explained_by: comparison.explained_by.map(detect::Confounder::as_str),
            pattern: comparison.pattern.map(Pattern::as_str),
            until,
            by,
            before: change.before,
            after: change.after,
            ratio: change.ratio,
            ratio_ci: change.ratio_ci,
            plain_ratio: change.plain_ratio,
            delta: change.delta,
            delta_ci: change.delta_ci,
            plain_delta: change.plain_delta,
            burst: comparison.burst.map(|burst| Burst {
                ratio: (!burst.scale.is_difference()).then(|| finite(burst.size.exp())).flatten(),
                delta: burst.scale.is_difference().then(|| finite(burst.size / factor)).flatten(),
                p_value: finite(burst.p_value),
            }),
            limit: change.limit,
            limit_delta: change.limit_delta,
            detectable: change.detectable,
            p_value: comparison.p_value.and_then(finite),
            q_value: comparison.q_value.and_then(finite),
            coverage: finite(comparison.coverage),
            onset: comparison.onset.map(|onset| self.onset(onset)),
            blame: comparison.blame.and_then(finite),
            cost_ms: comparison.cost_s.and_then(|cost| finite(cost * 1e3)),
            ready_at: comparison.ready_at.map(|at| self.instant(at)),
            before_window: self.onset(comparison.before_window),
            after_window: self.onset(comparison.after_window),
        })
    }
}

/// Every comparison, laid out one by one while writing: there may be many.
struct Each<'a, 'b>(&'b Input<'a>, &'b [Words<'a>]);

impl Serialize for Each<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(input, words) = self;
        let comparisons = &input.judgement.comparisons;
        serializer.collect_seq(comparisons.iter().filter_map(|comparison| input.comparison(comparison, words)))
    }
}

/// The change of a comparison in the series' own unit.
struct Change {
    before: Option<f64>,
    after: Option<f64>,
    ratio: Option<f64>,
    ratio_ci: Option<[f64; 2]>,
    plain_ratio: Option<f64>,
    delta: Option<f64>,
    delta_ci: Option<[f64; 2]>,
    plain_delta: Option<f64>,
    limit: Option<f64>,
    limit_delta: Option<f64>,
    detectable: Option<f64>,
}

impl Change {
    fn of(comparison: &detect::Comparison, unit: Unit) -> Self {
        let in_unit = |value: f64| finite(value / unit.factor);
        let ends = |estimate: Estimate| (estimate.low, estimate.high);
        let as_ratio = |log: f64| finite(log.exp());
        let effect = comparison.effect.as_ref();
        let log_ratio = effect.and_then(detect::Effect::log_ratio);
        let delta = effect.and_then(detect::Effect::difference);
        let plain = |effect: &detect::Effect| match effect.scale {
            Scale::LogRatio => effect.seen(),
            Scale::Difference => effect.secondary_unadjusted,
        };
        let difference = effect.filter(|effect| effect.scale.is_difference());
        Self {
            before: comparison.before.and_then(in_unit),
            after: comparison.after.and_then(in_unit),
            ratio: log_ratio.and_then(|ratio| as_ratio(ratio.value)),
            ratio_ci: log_ratio.map(ends).and_then(|(low, high)| interval(low.exp(), high.exp())),
            plain_ratio: effect.and_then(plain).and_then(as_ratio),
            delta: delta.and_then(|delta| in_unit(delta.value)),
            delta_ci: delta.map(ends).and_then(|(low, high)| interval(low / unit.factor, high / unit.factor)),
            plain_delta: difference.and_then(detect::Effect::seen).and_then(in_unit),
            limit: effect.and_then(|effect| as_ratio(effect.limit_ratio(comparison.before))),
            limit_delta: difference.and_then(|effect| in_unit(effect.limit)),
            detectable: effect.and_then(|effect| effect.detectable_ratio(comparison.before)).and_then(as_ratio),
        }
    }
}

fn hint_of(hint: detect::Hint, comparison: usize) -> Hint {
    let (hint, fit) = match hint {
        detect::Hint::DatabaseTime(fit) => ("database_time", fit),
        detect::Hint::Traffic(fit) => ("traffic", fit),
        detect::Hint::Processor(fit) => ("processor", fit),
        detect::Hint::Errors(fit) => ("errors", fit),
    };
    let fit = match fit {
        Fit::Fits => "fits",
        Fit::DoesNotFit => "does_not_fit",
        Fit::CannotTell => "cannot_tell",
    };
    Hint { hint, fit, comparison }
}

pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then(|| round(value))
}

/// An interval with an end that is not finite says nothing that a reader could use.
fn interval(low: f64, high: f64) -> Option<[f64; 2]> {
    Some([finite(low)?, finite(high)?])
}

/// Rounds to ten significant digits, far beyond any measurement: 0.184 s / 0.001 is then 184 and not
/// 184.00000000000003, and the file is a third smaller.
pub(super) fn round(value: f64) -> f64 {
    const DIGITS: i32 = 10;
    if value.abs() < f64::MIN_POSITIVE || !value.is_finite() {
        return if value.is_finite() { 0.0 } else { value };
    }
    let exponent = DIGITS - 1 - value.abs().log10().floor() as i32;
    let scale = 10_f64.powi(exponent.abs());
    let rounded = if exponent >= 0 { (value * scale).round() / scale } else { (value / scale).round() * scale };
    if rounded.is_finite() { rounded } else { value }
}

/// Puts each top-level key and each element of a top-level list on a line of its own, so that two
/// reports can be compared by line, without the size of full indentation.
struct Lines {
    depth: usize,
}

impl Lines {
    fn open<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(bracket)
    }

    fn close<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.depth == 0 {
            writer.write_all(b"\n")?;
        }
        writer.write_all(bracket)
    }

    fn next<W: ?Sized + io::Write>(&self, writer: &mut W, first: bool, depth: usize) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        if self.depth == depth {
            writer.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl Formatter for Lines {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first, 1)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first, 2)
    }
}
