//! Small builders for tables and change cells, so that the same thing looks the same everywhere.

use super::context::{Context, hours};
use super::view::{Align, Cell, Column, Table};
use crate::detect::SeriesSummary;
use crate::model::metric::Direction;
use crate::render::chart::{Svg, sparkline};
use crate::render::number::{self, Effect};
use crate::render::words::Phrase;

/// Points of a sparkline over the period: a quarter of a day each in two weeks.
const SPARK_POINTS: usize = 56;

impl Context<'_> {
    /// Makes a table; `columns` are keys of headings.
    pub fn table(&self, caption: &str, columns: &[(&str, Align)], rows: Vec<Vec<Cell>>) -> Table {
        let columns = columns.iter().map(|(key, align)| Column { label: self.label(key), align: *align });
        Table { caption: self.label(caption), columns: columns.collect(), rows, more: Phrase::default() }
    }

    /// Makes a table of at most `most` rows that says how many were left out.
    pub fn short_table(&self, caption: &str, columns: &[(&str, Align)], rows: Vec<Vec<Cell>>, most: usize) -> Table {
        let more = self.more(rows.len(), most);
        let table = self.table(caption, columns, rows.into_iter().take(most).collect());
        Table { more, ..table }
    }

    /// Tells how many of `total` rows a table of at most `most` rows leaves out; nothing if none.
    pub fn more(&self, total: usize, most: usize) -> Phrase {
        match total.saturating_sub(most) {
            0 => Phrase::default(),
            left_out => self.say("common.more", &[("n", left_out.into())]),
        }
    }

    /// Writes a change with its interval below; a mark tells a change for the worse or better whose
    /// interval excludes none.
    pub fn change_cell(&self, effect: Option<Effect>, direction: Direction) -> Cell {
        let Some(effect) = effect else {
            return Cell::text(self.plain(number::NONE));
        };
        Cell::text(self.plain(format!("{}{}", effect.mark(direction), effect.value())))
            .noted(self.both(&effect.range()))
    }

    /// Draws a series over the period.
    pub fn spark(&self, series: &SeriesSummary) -> Option<Svg> {
        let values = hours(series).joined(self.judgement.period, SPARK_POINTS);
        self.spark_of(&values, |value| number::level(value, series.unit))
    }

    /// Draws values over the period; the title tells the smallest and the largest, the description the last.
    pub fn spark_of(&self, values: &[f64], write: impl Fn(f64) -> String) -> Option<Svg> {
        let known = || values.iter().copied().filter(|value| value.is_finite());
        let range =
            format!("{} – {}", write(known().fold(f64::NAN, f64::min)), write(known().fold(f64::NAN, f64::max)));
        let last = known().next_back().map_or_else(String::new, &write);
        sparkline(values, &range, &last)
    }
}
