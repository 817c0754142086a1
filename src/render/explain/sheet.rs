//! Lays an explanation out as tables in the report's words; the page and the terminal show the same ones.

use chrono_tz::Tz;

use super::{
    Answer, Bound, Change, Explanation, Fact, Limit, LimitFrom, Reason, RivalCheck, Rule, Scale, Side, Signal, Span,
    Spread, TakenBack,
};
use crate::detect::{Estimate, Verdict};
use crate::model::metric::{Direction, Unit};
use crate::model::time::{Window, parse_instant};
use crate::render::model::glyph;
use crate::render::model::view::{Align, Cell, Chip, Column, Table};
use crate::render::number::{self, Effect};
use crate::render::words::{Arg, Both, Phrase, Words};
use crate::render::{calendar, clean};

/// Signals that one finding lists at the most.
const SIGNALS: usize = 30;

/// Whose explanation it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The service.
    pub service: &'a str,
    /// The endpoint, statement or resource.
    pub target: &'a str,
    /// Signal of the leading comparison.
    pub signal: &'a str,
    /// Its unit.
    pub unit: Unit,
}

/// An explanation, ready to be laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sheet {
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

/// Lays an explanation out. Names come from outside and are cleaned here.
pub(crate) fn sheet(words: &Words, zone: Tz, subject: Subject<'_>, explanation: &Explanation) -> Sheet {
    let writer = Writer { words, zone, subject, explanation };
    Sheet {
        signals: writer.signals(),
        inputs: writer.inputs(),
        verdict: writer.verdict(),
        hours: writer.hours(),
        values: writer.values(),
        rivals: writer.rivals(),
        facts: writer.facts(),
    }
}

/// Returns a signal's name as people say it.
pub(crate) fn signal_name(words: &Words, signal: &str) -> Phrase {
    let key = format!("signal.{signal}");
    if words.knows(&key) { words.label(&key) } else { words.code(clean::name(signal)) }
}

/// Returns the verdict that a word of the JSON stands for.
pub(crate) fn verdict_of(word: &str) -> Option<Verdict> {
    Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word)
}

/// Returns a change as it is read; `unit` is that of a difference.
pub(crate) fn effect(change: &Change, unit: Unit) -> Effect {
    let base = |value: Option<f64>| match (value, change.scale) {
        (Some(value), Scale::Ratio) => value.ln(),
        (Some(value), Scale::Difference) => value * unit.factor,
        (None, _) => f64::NAN,
    };
    let estimate = Estimate { value: base(change.value), low: base(change.low), high: base(change.high) };
    Effect { estimate, is_delta: change.scale == Scale::Difference, unit }
}

struct Writer<'a> {
    words: &'a Words,
    zone: Tz,
    subject: Subject<'a>,
    explanation: &'a Explanation,
}

impl Writer<'_> {
    fn label(&self, key: &str) -> Phrase {
        self.words.label(key)
    }

    fn say(&self, key: &str, args: &[(&str, Arg)]) -> Phrase {
        self.words.say(key, args)
    }

    fn plain(&self, text: impl Into<String>) -> Phrase {
        self.words.plain(text)
    }

    fn none(&self) -> Phrase {
        self.plain(number::NONE)
    }

    fn table(&self, caption: &str, columns: &[(&str, Align)], rows: Vec<Vec<Cell>>) -> Table {
        let columns = columns.iter().map(|(key, align)| Column { label: self.label(key), align: *align });
        Table { caption: self.label(caption), columns: columns.collect(), rows, more: Phrase::default() }
    }

    fn pairs(&self, caption: &str, rows: Vec<(&str, Phrase)>) -> Table {
        let rows = rows.into_iter().map(|(key, value)| vec![Cell::text(self.label(key)), Cell::text(value)]);
        self.table(caption, &[("col.what", Align::Text), ("col.value", Align::Text)], rows.collect())
    }

    fn names(&self, names: &[String]) -> Phrase {
        let names: Vec<Phrase> = names.iter().map(|name| self.words.code(clean::name(name))).collect();
        // Titles hold commas of their own.
        self.words.join(&names, &Both::new("; ", "、"))
    }

    fn instant(&self, text: &str) -> Option<i64> {
        parse_instant(text, self.zone)
    }

    fn span(&self, span: &Span) -> Phrase {
        match (self.instant(&span.from), self.instant(&span.to)) {
            (Some(from), Some(to)) => self.words.both(&calendar::span(Window::new(from, to), self.zone)),
            _ => self.none(),
        }
    }

    fn hours_of(&self, hours: f64) -> Phrase {
        self.say("explain.n_hours", &[("n", number::trimmed(hours).into())])
    }

    /// Writes one value of the estimate's scale as a change: `+25%`, `+0.30 pt`.
    fn change(&self, value: Option<f64>, scale: Scale) -> String {
        let change = Change { scale, value, low: value, high: value };
        effect(&change, self.subject.unit).value()
    }

    /// Writes one value of the estimate's scale as a size without a sign.
    fn size(&self, value: Option<f64>, scale: Scale) -> String {
        let change = Change { scale, value, low: value, high: value };
        let effect = effect(&change, self.subject.unit);
        number::size(effect.estimate.value, effect.is_delta, effect.unit)
    }

    fn chip(&self, verdict: &str) -> Option<Chip> {
        let verdict = verdict_of(verdict)?;
        let word = self.label(&format!("verdict.{}", verdict.as_str()));
        Some(Chip { class: verdict.as_str(), glyph: glyph(verdict), word })
    }

    fn signals(&self) -> Table {
        let all = &self.explanation.signals;
        let rows = all.iter().take(SIGNALS).map(|signal| self.signal(signal)).collect();
        let columns = [
            ("col.signal", Align::Text),
            ("col.levels", Align::Number),
            ("col.change", Align::Number),
            ("col.verdict", Align::Text),
        ];
        let more = match all.len().saturating_sub(SIGNALS) {
            0 => Phrase::default(),
            left_out => self.say("common.more", &[("n", left_out.into())]),
        };
        Table { more, ..self.table("findings.signals", &columns, rows) }
    }

    fn signal(&self, signal: &Signal) -> Vec<Cell> {
        let unit = Unit::parse(&signal.unit).unwrap_or(self.subject.unit);
        let base = |value: Option<f64>| value.map(|value| value * unit.factor);
        let levels = number::levels(base(signal.before), base(signal.after), unit);
        let change = signal.change.map(|change| effect(&change, unit));
        let name = Cell::text(signal_name(self.words, &signal.signal));
        let is_own = signal.target == self.subject.target;
        vec![
            if is_own { name } else { name.noted(self.words.code(clean::name(&signal.target))) },
            Cell::text(self.plain(levels)),
            self.change_cell(change, signal.better),
            Cell { chip: self.chip(&signal.verdict), ..Cell::default() },
        ]
    }

    fn change_cell(&self, change: Option<Effect>, better: Direction) -> Cell {
        let Some(effect) = change else { return Cell::text(self.none()) };
        let text = format!("{}{}", effect.mark(better), effect.value());
        Cell::text(self.plain(text)).noted(self.words.both(&effect.range()))
    }

    fn inputs(&self) -> Table {
        let Explanation { inputs, before, after, .. } = self.explanation;
        let key = [self.subject.service, self.subject.target, self.subject.signal];
        let named: Vec<Phrase> = key.iter().map(|part| self.words.code(clean::name(part))).collect();
        let step = number::span((inputs.step_s * 1e3) as i64);
        let step = [("unit", Arg::Code(self.subject.unit.symbol.to_owned())), ("step", step.into())];
        let source = match &inputs.source {
            Some(source) => self.words.code(clean::name(source)),
            None => self.label("explain.several_sources"),
        };
        let requests = match (before.requests, after.requests) {
            (Some(before), Some(after)) => {
                let args = [("before", Arg::from(number::many(before))), ("after", number::many(after).into())];
                self.say("explain.requests_value", &args)
            }
            _ => self.label("explain.requests_unknown"),
        };
        self.pairs(
            "explain.inputs",
            vec![
                ("explain.series", self.words.join(&named, &Both::same(" · "))),
                ("explain.step", self.say("explain.step_value", &step)),
                ("explain.source", source),
                ("explain.requests", requests),
            ],
        )
    }

    fn hours(&self) -> Table {
        let Explanation { before, after, .. } = self.explanation;
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut row = |key: &str, of: &dyn Fn(&Side) -> Phrase| {
            rows.push(vec![Cell::text(self.label(key)), Cell::text(of(before)), Cell::text(of(after))]);
        };
        row("explain.stretch", &|side| self.span(&side.span));
        row("explain.bound", &|side| self.bound(side));
        row("explain.hours_all", &|side| self.hours_of(side.hours));
        row("explain.hours_used", &|side| self.hours_of(side.used));
        for reason in [Reason::Gap, Reason::Incident, Reason::Campaign, Reason::Drill, Reason::Deploy] {
            let is_there = [before, after].iter().any(|side| side.left_out.iter().any(|out| out.reason == reason));
            if is_there || reason == Reason::Gap {
                row(reason_key(reason), &|side| self.left_out(side, reason));
            }
        }
        if !before.as_sunday.is_empty() || !after.as_sunday.is_empty() {
            row("explain.as_sunday", &|side| self.holidays(side));
        }
        let columns = [("col.hours", Align::Text), ("col.before", Align::Text), ("col.after", Align::Text)];
        let settling = self.span(&self.explanation.settling);
        let caption = self.say("explain.hours", &[("settling", settling.into())]);
        Table { caption, ..self.table("explain.hours", &columns, rows) }
    }

    fn bound(&self, side: &Side) -> Phrase {
        match (side.bound, &side.bound_deploy) {
            (Bound::History, _) => self.label("explain.bound_history"),
            (Bound::FirstData, _) => self.label("explain.bound_first_data"),
            (Bound::PeriodEnd, _) => self.label("explain.bound_period_end"),
            (Bound::Change, None) => self.label("explain.bound_change"),
            (Bound::Change, Some(id)) => {
                self.say("explain.bound_change_deploy", &[("deploy", Arg::Code(clean::name(id)))])
            }
        }
    }

    fn left_out(&self, side: &Side, reason: Reason) -> Phrase {
        let Some(out) = side.left_out.iter().find(|out| out.reason == reason) else {
            return self.hours_of(0.0);
        };
        // Deploys are many and listed elsewhere; what disturbed the hours is worth its name.
        let names = if out.titles.is_empty() { &out.ids } else { &out.titles };
        if reason == Reason::Deploy || names.is_empty() {
            return self.hours_of(out.hours);
        }
        let args = [("hours", Arg::from(self.hours_of(out.hours))), ("names", self.names(names).into())];
        self.say("explain.left_out", &args)
    }

    fn holidays(&self, side: &Side) -> Phrase {
        let days: Vec<Phrase> = side
            .as_sunday
            .iter()
            .map(|day| self.plain(format!("{} {}", clean::name(&day.date), clean::name(&day.name)).trim().to_owned()))
            .collect();
        if days.is_empty() { self.none() } else { self.words.list(&days) }
    }

    fn values(&self) -> Option<Table> {
        let Explanation { before, after, .. } = self.explanation;
        let size = |side: &Side| side.values.as_ref().map_or(0.0, |spread| spread.p95.abs());
        let scale = number::scale(size(before).max(size(after)) * self.subject.unit.factor, self.subject.unit);
        let row = |key: &str, spread: &Spread| {
            let level = |value: f64| Cell::text(self.plain(scale.write(value * self.subject.unit.factor)));
            let mut cells = vec![Cell::text(self.label(key)), Cell::text(self.plain(number::whole(spread.n as u64)))];
            cells.extend([spread.p5, spread.p25, spread.median, spread.p75, spread.p95].map(level));
            cells.push(Cell::text(self.plain(bars(&spread.bins))));
            cells
        };
        let rows: Vec<Vec<Cell>> = [("col.before", before), ("col.after", after)]
            .into_iter()
            .filter_map(|(key, side)| Some(row(key, side.values.as_ref()?)))
            .collect();
        let columns = [
            ("col.values", Align::Text),
            ("col.hours", Align::Number),
            ("col.p5", Align::Number),
            ("col.p25", Align::Number),
            ("col.median", Align::Number),
            ("col.p75", Align::Number),
            ("col.p95", Align::Number),
            ("col.spread", Align::Number),
        ];
        (!rows.is_empty()).then(|| self.table("explain.values", &columns, rows))
    }

    fn verdict(&self) -> Table {
        let own = self.explanation;
        let mut rows = Vec::new();
        if let Some(change) = &own.estimate {
            let effect = effect(change, self.subject.unit);
            rows.push(("explain.estimate", self.plain(effect.value())));
            rows.push(("explain.range", self.words.both(&effect.range())));
            if let Some(limit) = &own.limit {
                rows.push(("explain.limit", self.limit(limit, change.scale)));
            }
            if own.detectable.is_some() {
                rows.push(("explain.detectable", self.plain(self.size(own.detectable, change.scale))));
            }
        }
        if let Some(p) = own.p_value {
            rows.push(("explain.p", self.plain(chance(p))));
        }
        if let Some(q) = own.q_value {
            let args = [("q", Arg::from(chance(q))), ("rate", percent(own.false_discovery).into())];
            rows.push(("explain.q", self.say("explain.q_value", &args)));
        }
        if let Some(coverage) = own.coverage {
            rows.push(("explain.coverage", self.plain(number::share(coverage))));
        }
        rows.push((
            "explain.onset",
            own.onset.as_ref().map_or_else(|| self.label("explain.no_onset"), |s| self.span(s)),
        ));
        if let Some(blame) = own.blame {
            rows.push(("explain.blame", self.blame(blame)));
        }
        if let (Some(rule), Some(change)) = (&own.rule, &own.estimate) {
            rows.push(("explain.rule", self.rule(rule, change.scale)));
        }
        self.pairs("findings.explain", rows)
    }

    fn limit(&self, limit: &Limit, scale: Scale) -> Phrase {
        let size = self.size(Some(limit.value), scale);
        let relative = percent(limit.relative);
        let absolute = limit.absolute.map(|value| self.absolute(value));
        let (key, own, other) = match (limit.from, absolute) {
            (LimitFrom::Relative, None) => ("explain.limit_relative_alone", (relative, &limit.relative_key), None),
            (LimitFrom::Relative, Some(absolute)) => {
                ("explain.limit_relative", (relative, &limit.relative_key), Some(absolute))
            }
            (LimitFrom::Absolute, absolute) => {
                let key = limit.absolute_key.as_ref().unwrap_or(&limit.relative_key);
                ("explain.limit_absolute", (absolute.unwrap_or_default(), key), Some(relative))
            }
        };
        let args = [
            ("limit", Arg::Strong(Both::same(size))),
            ("own", own.0.into()),
            ("key", Arg::Code(clean::name(own.1))),
            ("other", other.unwrap_or_default().into()),
        ];
        self.say(key, &args)
    }

    /// Writes an absolute limit: a difference of shares in points, everything else as a level.
    fn absolute(&self, value: f64) -> String {
        number::size(value * self.subject.unit.factor, true, self.subject.unit)
    }

    fn blame(&self, blame: f64) -> Phrase {
        let own = self.explanation;
        let mut parts = vec![self.words.both(&number::share_words(blame))];
        for other in &own.other_deploys {
            let args = [("deploy", Arg::Flag(other.number)), ("share", number::share_words(other.blame).into())];
            parts.push(self.say("explain.blame_other", &args));
        }
        if let Some(rest) = own.blame_elsewhere.filter(|rest| *rest >= 0.005) {
            parts.push(self.say("explain.blame_rest", &[("share", number::share_words(rest).into())]));
        }
        self.words.join(&parts, &Both::new("; ", "、"))
    }

    /// Writes the line of the table that fits: in words, and as an inequality with the numbers put in.
    fn rule(&self, rule: &Rule, scale: Scale) -> Phrase {
        let line = verdict_of(&rule.line).unwrap_or(Verdict::Inconclusive);
        let (e, l, u) = (self.change(rule.e, scale), self.change(rule.l, scale), self.change(rule.u, scale));
        let limit = self.size(rule.limit, scale);
        let gain = match scale {
            Scale::Ratio => self.change(rule.limit.map(f64::recip), scale),
            Scale::Difference => self.change(rule.limit.map(|limit| -limit), scale),
        };
        let numbers = match line {
            Verdict::Worse => format!("L {l} > 0, E {e} ≥ δ {limit}"),
            Verdict::PossiblyWorse => format!("L {l} > 0, E {e} < δ {limit}"),
            Verdict::Better => format!("U {u} < 0, E {e} ≤ −δ {gain}"),
            Verdict::NoMaterialChange => format!("L {l} ≥ −δ {gain}, U {u} ≤ δ {limit}"),
            Verdict::NotWorse => format!("U {u} ≤ δ {limit}"),
            _ => format!("L {l} ≤ 0, U {u} > δ {limit}"),
        };
        let words = match line {
            Verdict::Worse => "explain.rule_worse",
            Verdict::PossiblyWorse => "explain.rule_possibly_worse",
            Verdict::Better => "explain.rule_better",
            Verdict::NoMaterialChange => "explain.rule_no_material_change",
            Verdict::NotWorse => "explain.rule_not_worse",
            _ => "explain.rule_else",
        };
        let args = [
            ("numbers", Arg::Code(numbers)),
            ("words", self.label(words).into()),
            ("verdict", self.label(&format!("verdict.{}", line.as_str())).into()),
        ];
        let mut sentences = vec![self.say("explain.rule_row", &args)];
        for reason in &rule.taken_back {
            let key = match reason {
                TakenBack::FalseDiscovery => "explain.taken_back_q",
                TakenBack::Location => "explain.taken_back_location",
                TakenBack::Explained => "explain.taken_back_explained",
            };
            let word = verdict_of(&rule.verdict).unwrap_or(line);
            let args = [("verdict", Arg::from(self.label(&format!("verdict.{}", word.as_str()))))];
            sentences.push(self.say(key, &args));
        }
        self.words.sentences(&sentences)
    }

    fn rivals(&self) -> Table {
        let rows = self.explanation.rivals.iter().map(|check| {
            vec![
                Cell::text(self.label(&format!("rivals.{}", check.rival.as_str()))),
                Cell::text(self.label(&format!("answers.{}", check.answer.as_str()))),
                Cell::text(self.found(check)),
            ]
        });
        let columns = [("col.rival", Align::Text), ("col.answer", Align::Text), ("col.found", Align::Text)];
        self.table("explain.rivals", &columns, rows.collect())
    }

    fn found(&self, check: &RivalCheck) -> Phrase {
        let scale = self.explanation.estimate.map_or(Scale::Ratio, |change| change.scale);
        let plain = match check.rival {
            super::RivalKind::Drift => self.change(check.plain, scale),
            _ => self.change(check.plain, Scale::Ratio),
        };
        let left = match check.rival {
            super::RivalKind::LowTraffic => check.left.map_or_else(String::new, number::trimmed),
            _ => self.change(check.left, Scale::Ratio),
        };
        let args = [
            ("plain", Arg::from(plain)),
            ("left", left.into()),
            ("n", check.count.unwrap_or(0).into()),
            ("of", check.of.unwrap_or(0).into()),
            ("share", number::share_words(check.share.unwrap_or(0.0)).into()),
            ("names", self.names(&check.names).into()),
        ];
        let answer = match (check.rival, check.answer) {
            // With the numbers of both there is nothing else to say.
            (super::RivalKind::Load, Answer::Explains | Answer::Partly | Answer::No) if check.plain.is_some() => "seen",
            (super::RivalKind::Fleet, Answer::Explains | Answer::Perhaps) if check.names.is_empty() => "moved",
            (super::RivalKind::ByItself | super::RivalKind::LowTraffic, Answer::Perhaps) => "no",
            (_, answer) => answer.as_str(),
        };
        self.say(&format!("found.{}.{answer}", check.rival.as_str()), &args)
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
        let unit = Unit::parse(&fact.unit).unwrap_or(self.subject.unit);
        vec![
            Cell::text(self.label(word)),
            Cell::text(self.label(fit)),
            Cell::text(self.words.code(clean::name(&fact.target))),
            self.change_cell(fact.change.map(|change| effect(&change, unit)), Direction::Neutral),
        ]
    }
}

fn reason_key(reason: Reason) -> &'static str {
    match reason {
        Reason::Gap => "explain.out_gap",
        Reason::Incident => "explain.out_incident",
        Reason::Campaign => "explain.out_campaign",
        Reason::Drill => "explain.out_drill",
        Reason::Deploy => "explain.out_deploy",
    }
}

/// Writes a share of the config, which may be as fine as 7.5 %.
fn percent(share: f64) -> String {
    format!("{}%", number::trimmed(share * 100.0))
}

/// Writes a probability without pretending to know its tail.
fn chance(p: f64) -> String {
    if p < 1e-4 { "< 0.0001".to_owned() } else { number::significant(p, 2) }
}

/// Draws counts as one line of bars; a bin with anything in it is never empty.
pub(super) fn bars(bins: &[usize]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = bins.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &usize| match *count {
        0 => '·',
        count => BARS.get((count * BARS.len()).div_ceil(most).saturating_sub(1)).copied().unwrap_or('█'),
    };
    bins.iter().map(bar).collect()
}
