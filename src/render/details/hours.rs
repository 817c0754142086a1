//! The hours on both sides of the deploy, and how their values are spread.

use super::Writer;
use crate::render::i18n::{Arg, Phrase};
use crate::render::number;
use crate::render::sanitize;
use crate::render::table::{Align, Cell, Table};
use crate::review::explanation::{Bound, Explanation, Reason, Side, Spread};

impl Writer<'_> {
    pub(super) fn hours(&self) -> Table {
        let Explanation { before, after, .. } = self.explanation;
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut row = |key: &str, of: &dyn Fn(&Side) -> Phrase| {
            rows.push(vec![Cell::text(self.label(key)), Cell::text(of(before)), Cell::text(of(after))]);
        };
        row("explain.stretch", &|side| self.stretch(&side.span));
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
        let settling = self.stretch(&self.explanation.settling);
        let caption = self.message("explain.hours", &[("settling", settling.into())]);
        Table { caption, ..self.table("explain.hours", &columns, rows) }
    }

    fn bound(&self, side: &Side) -> Phrase {
        match (side.bound, &side.bound_deploy) {
            (Bound::History, _) => self.label("explain.bound_history"),
            (Bound::FirstData, _) => self.label("explain.bound_first_data"),
            (Bound::PeriodEnd, _) => self.label("explain.bound_period_end"),
            (Bound::Change, None) => self.label("explain.bound_change"),
            (Bound::Change, Some(id)) => {
                self.message("explain.bound_change_deploy", &[("deploy", Arg::Code(sanitize::name(id)))])
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
        self.message("explain.left_out", &args)
    }

    fn holidays(&self, side: &Side) -> Phrase {
        let days: Vec<Phrase> = side
            .as_sunday
            .iter()
            .map(|day| {
                self.plain(format!("{} {}", sanitize::name(&day.date), sanitize::name(&day.name)).trim().to_owned())
            })
            .collect();
        if days.is_empty() { self.none() } else { self.words.list(&days) }
    }

    pub(super) fn values(&self) -> Option<Table> {
        let Explanation { before, after, .. } = self.explanation;
        let size = |side: &Side| side.values.as_ref().map_or(0.0, |spread| spread.p95.abs());
        let scale = number::scale(size(before).max(size(after)) * self.finding.unit.factor, self.finding.unit);
        let row = |key: &str, spread: &Spread| {
            let level = |value: f64| Cell::text(self.plain(scale.write(value * self.finding.unit.factor)));
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
