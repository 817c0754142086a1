//! Lays an explanation out as tables in the report's words; the page and the terminal show the same ones.

mod confounders;
mod hours;
mod verdict;

use std::ops::Deref;

use super::i18n::{Arg, Localized, Phrase};
use super::message::Messages;
use super::number;
use crate::model::metric::{Polarity, Unit};
use crate::model::verdict::Verdict;
use crate::render::change::{self, Readable};
use crate::render::table::{Align, Cell, Chip, Table};
use crate::review::explanation::{Explanation, Fact, Signal};
use crate::review::{Change, Finding, Scale, Span};

/// Signals that one finding lists at the most.
const SIGNALS: usize = 30;

/// An explanation, ready to be laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    /// Every signal that moved.
    pub signals: Table,
    /// What was measured.
    pub inputs: Table,
    /// From the estimate to the verdict.
    pub verdict: Table,
    /// The hours compared, and those left out.
    pub hours: Table,
    /// How the values of single hours are spread.
    pub values: Option<Table>,
    /// What else could explain it.
    pub rivals: Table,
    /// Facts beside it.
    pub facts: Option<Table>,
}

impl Details {
    /// Lays out the explanation of a finding. Names come from outside and are sanitised here.
    pub fn new(messages: &Messages, finding: &Finding, explanation: &Explanation) -> Self {
        let writer = Writer { messages, finding, explanation };
        Self {
            signals: writer.signals(),
            inputs: writer.inputs(),
            verdict: writer.verdict(),
            hours: writer.hours(),
            values: writer.values(),
            rivals: writer.rivals(),
            facts: writer.facts(),
        }
    }
}

/// Returns the verdict that a word of the document means.
fn verdict_of(word: &str) -> Option<Verdict> {
    Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word)
}

struct Writer<'a> {
    messages: &'a Messages,
    finding: &'a Finding,
    explanation: &'a Explanation,
}

impl Deref for Writer<'_> {
    type Target = Messages;

    fn deref(&self) -> &Messages {
        self.messages
    }
}

impl Writer<'_> {
    fn pairs(&self, caption: &str, rows: Vec<(&str, Phrase)>) -> Table {
        let rows = rows.into_iter().map(|(key, value)| vec![Cell::text(self.label(key)), Cell::text(value)]);
        self.table(caption, &[("col.what", Align::Text), ("col.value", Align::Text)], rows.collect())
    }

    fn names(&self, names: &[String]) -> Phrase {
        let names: Vec<Phrase> = names.iter().map(|name| self.code(name)).collect();
        // Titles hold commas of their own.
        self.words.join(&names, &Localized::new("; ", "、"))
    }

    fn stretch(&self, span: &Span) -> Phrase {
        self.span(span.window())
    }

    fn hours_of(&self, hours: f64) -> Phrase {
        self.message("explain.n_hours", &[("n", number::trimmed(hours).into())])
    }

    /// Writes one value of the estimate's scale as a change: `+25%`, `+0.30 pt`.
    fn change(&self, value: Option<f64>, scale: Scale) -> String {
        Readable::change(Change::point(scale, value), self.finding.unit).at_level(self.before()).value()
    }

    /// Writes one value of the estimate's scale as a size without a sign.
    fn size(&self, value: Option<f64>, scale: Scale) -> String {
        change::size(scale.read(value, self.finding.unit), scale.of_effect(), self.finding.unit, self.before())
    }

    /// Returns the level before in the base unit.
    fn before(&self) -> Option<f64> {
        self.finding.before.map(|level| level * self.finding.unit.factor)
    }

    fn word(&self, verdict: &str) -> Option<Chip> {
        verdict_of(verdict).map(|verdict| self.chip(verdict))
    }

    fn signals(&self) -> Table {
        let all = &self.explanation.signals;
        let rows = all.iter().take(SIGNALS).map(|signal| self.signal_row(signal)).collect();
        let columns = [
            ("col.signal", Align::Text),
            ("col.levels", Align::Number),
            ("col.change", Align::Number),
            ("col.verdict", Align::Text),
        ];
        let more = match all.len().saturating_sub(SIGNALS) {
            0 => Phrase::default(),
            left_out => self.message("common.more", &[("n", left_out.into())]),
        };
        Table { more, ..self.table("findings.signals", &columns, rows) }
    }

    fn signal_row(&self, signal: &Signal) -> Vec<Cell> {
        let unit = Unit::parse(&signal.unit).unwrap_or(self.finding.unit);
        let base = |value: Option<f64>| value.map(|value| value * unit.factor);
        let levels = number::levels(base(signal.before), base(signal.after), unit);
        let change = signal.change.map(|change| Readable::change(change, unit).at_level(base(signal.before)));
        let name = Cell::text(self.signal(&signal.signal));
        let is_own = signal.target == *self.finding.target;
        vec![
            if is_own { name } else { name.noted(self.code(&signal.target)) },
            Cell::text(self.plain(levels)),
            self.change_cell(change, signal.better),
            Cell { chip: self.word(&signal.verdict), ..Cell::default() },
        ]
    }

    fn inputs(&self) -> Table {
        let Explanation { inputs, before, after, .. } = self.explanation;
        let key = [&self.finding.service, &self.finding.target, &self.finding.signal];
        let named: Vec<Phrase> = key.iter().map(|part| self.code(part)).collect();
        let step = number::span((inputs.step_s * 1e3) as i64);
        let step = [("unit", Arg::Code(self.finding.unit.symbol.to_owned())), ("step", step.into())];
        let source = match &inputs.source {
            Some(source) => self.code(source),
            None => self.label("explain.several_sources"),
        };
        let requests = match (before.requests, after.requests) {
            (Some(before), Some(after)) => {
                let args = [("before", Arg::from(number::many(before))), ("after", number::many(after).into())];
                self.message("explain.requests_value", &args)
            }
            _ => self.label("explain.requests_unknown"),
        };
        self.pairs(
            "explain.inputs",
            vec![
                ("explain.series", self.words.join(&named, &Localized::same(" · "))),
                ("explain.step", self.message("explain.step_value", &step)),
                ("explain.source", source),
                ("explain.requests", requests),
            ],
        )
    }

    fn facts(&self) -> Option<Table> {
        let rows: Vec<Vec<Cell>> = self.explanation.facts.iter().map(|fact| self.fact(fact)).collect();
        let columns = [
            ("col.what", Align::Text),
            ("col.fit", Align::Text),
            ("col.series", Align::Text),
            ("col.change", Align::Number),
        ];
        (!rows.is_empty()).then(|| self.table("findings.hints", &columns, rows))
    }

    fn fact(&self, fact: &Fact) -> Vec<Cell> {
        let [word, fit] = fact_words(fact);
        let unit = Unit::parse(&fact.unit).unwrap_or(self.finding.unit);
        vec![
            Cell::text(self.label(word)),
            Cell::text(self.label(fit)),
            Cell::text(self.code(&fact.target)),
            self.change_cell(
                fact.change.map(|change| Readable::change(change, unit).at_level(fact.level_before(unit))),
                Polarity::Neutral,
            ),
        ]
    }
}

/// Returns the keys of what a fact is about, and of whether it fits.
pub(super) fn fact_words(fact: &Fact) -> [&'static str; 2] {
    let word = match fact.fact.as_str() {
        "database_time" => "hint.database",
        "traffic" => "hint.traffic",
        "processor" => "hint.processor",
        _ => "hint.errors",
    };
    let fit = match fact.fit.as_str() {
        "fits" => "hint.fits",
        "does_not_fit" => "hint.does_not_fit",
        _ => "hint.cannot_tell",
    };
    [word, fit]
}

#[cfg(test)]
mod tests;
