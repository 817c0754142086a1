//! The short answer for the terminal: how much became worse, and the findings that matter most.
//!
//! Names come from outside, so everything that could steer a terminal is shown as an escape.

use std::fmt::Write;

use chrono_tz::Tz;

use crate::config::Config;
use crate::detect::{Burst, Comparison, Estimate, Finding, Judgement, Pattern, Scale, Verdict};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::Event;
use crate::model::metric::{Dimension, Unit};
pub use crate::model::sanitize::escape as plain;
use crate::model::time::local;
use crate::render::json::source_state;
use crate::source::SourceState;

/// How the terminal wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours may be used.
    pub colour: bool,
    /// Signs such as ▲ and → are shown; otherwise `[WORSE]` and `->`.
    pub signs: bool,
}

/// At most so many findings are told here; the report has them all.
const SHOWN: usize = 7;

/// Longest shown name of a target, characters: a line with it still fits on a usual terminal.
const TARGET_WIDTH: usize = 44;

/// Writes the summary: period, counts, sources in trouble, and the first findings.
pub fn summary(
    judgement: &Judgement,
    events: &[Event],
    sources: &[SourceState],
    config: &Config,
    style: Style,
) -> String {
    let mut text = String::new();
    let date = |at| local(at, config.zone).format("%Y-%m-%d %H:%M");
    let _ = writeln!(
        text,
        "{} to {} ({}): {}, {}",
        date(judgement.period.start),
        date(judgement.period.end),
        config.zone.name(),
        counted(judgement.groups.iter().map(|group| group.members.len()).sum(), "deploy"),
        counted(judgement.comparisons.len(), "comparison"),
    );
    counts(&mut text, judgement, style);
    for state in sources.iter().filter(|state| state.failure().is_some()) {
        let _ = writeln!(text, "source {} {}: {}", plain(&state.id), source_state(state), plain(&reason(state)));
    }
    let told = judgement.findings.iter().filter(|finding| finding.verdict != Verdict::Explained);
    let rows: Vec<Row> = told.filter_map(|finding| row(judgement, events, finding, config.zone, style)).collect();
    let shown = rows.get(..SHOWN).unwrap_or(&rows);
    if !shown.is_empty() {
        text.push('\n');
    }
    for row in shown {
        let _ = writeln!(text, "{}", row.line(shown, style));
    }
    if rows.len() > shown.len() {
        let _ = writeln!(text, "and {} more in the report", rows.len() - shown.len());
    }
    text
}

/// Returns how many comparisons got a verdict.
pub fn count(judgement: &Judgement, verdict: Verdict) -> usize {
    judgement.comparisons.iter().filter(|comparison| comparison.verdict == verdict).count()
}

fn counts(text: &mut String, judgement: &Judgement, style: Style) {
    let parts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| (*verdict, count(judgement, *verdict)))
        // The alarms are told even when there are none: that is the answer.
        .filter(|(verdict, count)| *count > 0 || verdict.is_alarm())
        .map(|(verdict, count)| {
            let part = format!("{count} {}", words(verdict));
            let part = if style.signs { format!("{} {part}", sign(verdict, style)) } else { part };
            if count > 0 { paint(verdict, &part, style) } else { part }
        })
        .collect();
    let _ = writeln!(text, "{}", parts.join(if style.signs { "   " } else { ", " }));
}

/// Returns why a source failed.
fn reason(state: &SourceState) -> String {
    state.failure().map(Diagnostic::reason).unwrap_or_default()
}

/// One finding: label, id, service, target, signal, levels, change, deploys.
struct Row {
    verdict: Verdict,
    columns: [String; 8],
}

impl Row {
    /// Writes the row with every column as wide as its widest neighbour.
    fn line(&self, all: &[Self], style: Style) -> String {
        let mut line = String::new();
        for (index, text) in self.columns.iter().enumerate() {
            let widths = all.iter().filter_map(|row| row.columns.get(index)).map(|text| text.chars().count());
            let padded = format!("{text:<width$}", width = widths.max().unwrap_or(0));
            line.push_str(&if index == 0 { paint(self.verdict, &padded, style) } else { padded });
            line.push_str("  ");
        }
        line.truncate(line.trim_end().len());
        line
    }
}

fn row(judgement: &Judgement, events: &[Event], finding: &Finding, zone: Tz, style: Style) -> Option<Row> {
    let lead = judgement.comparisons.get(finding.lead)?;
    let series = judgement.series.get(lead.series)?;
    let group = judgement.groups.get(finding.group)?;
    let deploys: Vec<String> =
        group.members.iter().filter_map(|index| events.get(*index)).map(|event| plain(&event.id)).collect();
    let burst = lead.burst.filter(|_| finding.pattern == Some(Pattern::Burst));
    let label = match style.signs {
        _ if burst.is_some() => if style.signs { "△ BURST" } else { "[BURST]" }.to_owned(),
        true => format!("{} {}", sign(finding.verdict, style), words(finding.verdict).to_uppercase()),
        false => sign(finding.verdict, style).to_owned(),
    };
    let is_whole = series.key.is_whole_service();
    Some(Row {
        verdict: finding.verdict,
        columns: [
            label,
            plain(&finding.id),
            plain(&series.key.service),
            target(judgement, finding, if is_whole { "whole service" } else { &series.key.target }, style),
            plain(&series.key.signal),
            levels(lead, burst, series.unit, style),
            match burst {
                Some(burst) => format!("{} until {}", size(burst), local(burst.until, zone).format("%m-%d %H:%M")),
                None => change(lead, style),
            },
            format!("#{} {}", group.number, deploys.join(", ")),
        ],
    })
}

/// Writes the leading target, and how many others there are.
fn target(judgement: &Judgement, finding: &Finding, name: &str, style: Style) -> String {
    let kind = |lead: usize| {
        let series = judgement.comparisons.get(lead).and_then(|lead| judgement.series.get(lead.series));
        series.map(|series| series.key.kind)
    };
    let others = finding.targets.iter().skip(1).filter(|target| kind(target.lead) == kind(finding.lead)).count();
    let name = shorten(&plain(name), TARGET_WIDTH, style);
    if others > 0 { format!("{name} and {others} more") } else { name }
}

/// Writes how bad a burst was: `+45 %` or `+1.20 points`.
fn size(burst: Burst) -> String {
    if burst.scale.is_difference() {
        format!("{:+.2} points", burst.size * 100.0)
    } else {
        format!("{:+.0} %", burst.size.exp_m1() * 100.0)
    }
}

/// Writes `184 -> 230 ms`, shares as percentages.
fn levels(comparison: &Comparison, burst: Option<Burst>, unit: Unit, style: Style) -> String {
    let (Some(before), Some(after)) = (comparison.before, comparison.after) else { return String::new() };
    let after = match burst {
        Some(burst) => burst.scale.after(before, burst.size),
        None => after,
    };
    let (factor, symbol) = match unit.dimension {
        Dimension::Share => (0.01, "%"),
        _ => (unit.factor, unit.symbol),
    };
    let arrow = if style.signs { "→" } else { "->" };
    format!("{} {arrow} {} {symbol}", number(before / factor), number(after / factor))
}

/// Writes `+25 % [+19 .. +32]`, or for shares near zero `+0.67 points [+0.61 .. +0.73]`.
fn change(comparison: &Comparison, style: Style) -> String {
    let Some(effect) = &comparison.effect else { return String::new() };
    let estimate = effect.estimate;
    match effect.scale {
        Scale::Difference => {
            let points = |value: f64| format!("{:+.2}", value * 100.0);
            format!("{} points {}", points(estimate.value), range(estimate, points, style))
        }
        Scale::LogRatio => {
            let percent = |value: f64| format!("{:+.0}", value.exp_m1() * 100.0);
            format!("{} % {}", percent(estimate.value), range(estimate, percent, style))
        }
    }
}

fn range(estimate: Estimate, written: impl Fn(f64) -> String, style: Style) -> String {
    let dots = if style.signs { "…" } else { ".." };
    format!("[{} {dots} {}]", written(estimate.low), written(estimate.high))
}

/// Formats a level with three significant digits.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "worse",
        Verdict::PossiblyWorse => "possibly worse",
        Verdict::Better => "better",
        Verdict::NoMaterialChange => "no material change",
        Verdict::NotWorse => "not worse",
        Verdict::Inconclusive => "not enough evidence",
        Verdict::Explained => "explained",
        Verdict::TooEarly => "too early",
        Verdict::NoData => "no data",
    }
}

fn sign(verdict: Verdict, style: Style) -> &'static str {
    match (verdict, style.signs) {
        (Verdict::Worse, true) => "▲",
        (Verdict::PossiblyWorse, true) => "△",
        (Verdict::Better, true) => "▼",
        (Verdict::NoMaterialChange | Verdict::NotWorse, true) => "=",
        (Verdict::Explained, true) => "·",
        (_, true) => "?",
        (Verdict::Worse, false) => "[WORSE]",
        (Verdict::PossiblyWorse, false) => "[POSSIBLY]",
        (Verdict::Better, false) => "[BETTER]",
        (Verdict::NoMaterialChange | Verdict::NotWorse, false) => "[OK]",
        (Verdict::Explained, false) => "[EXPLAINED]",
        (_, false) => "[UNSURE]",
    }
}

/// Colours by verdict; red and green are never set against each other.
fn paint(verdict: Verdict, text: &str, style: Style) -> String {
    let code = match verdict {
        Verdict::Worse => "1;31",
        Verdict::PossiblyWorse => "33",
        Verdict::Better => "36",
        _ => return text.to_owned(),
    };
    if style.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Aligns rows of plain text into columns, one line a row; `left`: the columns set to the left.
pub(crate) fn columns_of(rows: &[Vec<String>], left: &[usize]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|text| text.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|index| width(index).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(index, (text, width))| match left.contains(&index) {
            true => format!("{text:<width$}"),
            false => format!("{text:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn shorten(text: &str, width: usize, style: Style) -> String {
    let dots = if style.signs { "…" } else { "..." };
    match text.char_indices().nth(width) {
        Some((cut, _)) => format!("{}{dots}", text.get(..cut).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json::tests::sample;

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(plain("GET /カード"), "GET /カード");
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}");
    }

    #[test]
    fn without_signs_and_colour_the_text_is_ascii() {
        let sample = sample();
        let style = Style { colour: false, signs: false };
        let text = summary(&sample.judgement, &sample.events, &sample.sources, &sample.config, style);
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("1 worse, 0 better, 1 explained, 1 no data"), "{text}");
        assert!(text.contains("184 -> 230 ms  +25 % [+19 .. +32]  #1 d1, d2"), "{text}");
    }

    #[test]
    fn colour_is_on_top_of_the_words_never_instead() {
        let sample = sample();
        let style = |colour| Style { colour, signs: true };
        let text = |colour| summary(&sample.judgement, &sample.events, &sample.sources, &sample.config, style(colour));
        let plain = text(true).replace("\u{1b}[0m", "").replace("\u{1b}[1;31m", "").replace("\u{1b}[33m", "");
        assert_eq!(plain.replace("\u{1b}[36m", ""), text(false));
        assert!(text(false).contains("▲ WORSE"));
    }
}
