//! Tables, counts and verdicts, ready to be laid out by page, Markdown and terminal: nothing in here is computed any more.

use super::chart::Svg;
use super::i18n::Phrase;

/// A verdict as it is shown: class of the style sheet, glyph, word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chip {
    /// The verdict's stable word.
    pub class: &'static str,
    /// Shape that carries the meaning without colour.
    pub glyph: &'static str,
    /// The word.
    pub word: Phrase,
}

/// A count of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tile {
    /// What is counted.
    pub chip: Chip,
    /// How many.
    pub count: String,
    /// Nothing was counted.
    pub is_zero: bool,
    /// What one of them is.
    pub unit: Phrase,
    /// What is not as it seems in the count: how many of them are over. Empty if nothing is.
    pub note: Phrase,
}

/// A cell of a table; what is empty is not written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Before the text.
    pub chip: Option<Chip>,
    /// The text.
    pub text: Phrase,
    /// Makes the text a link.
    pub href: Option<String>,
    /// A quieter second line.
    pub note: Phrase,
    /// A small chart.
    pub svg: Option<Svg>,
}

impl Cell {
    /// Makes a cell that holds a text.
    pub fn text(text: Phrase) -> Self {
        Self { text, ..Self::default() }
    }

    /// Adds a quieter second line.
    pub fn noted(self, note: Phrase) -> Self {
        Self { note, ..self }
    }

    /// Makes a cell that holds a chart.
    pub fn chart(svg: Option<Svg>) -> Self {
        Self { svg, ..Self::default() }
    }

    /// Makes a cell that holds a verdict.
    pub fn chip(chip: Chip) -> Self {
        Self { chip: Some(chip), ..Self::default() }
    }

    /// Makes the text a link to a place on this page.
    pub fn linked(self, href: String) -> Self {
        Self { href: Some(href), ..self }
    }
}

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text, to the left.
    Text,
    /// Numbers, to the right.
    Number,
    /// Small charts; left out of Markdown.
    Chart,
    /// Empty cells to write into.
    Blank,
}

impl Align {
    /// Returns the class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Number => "num",
            Self::Chart => "cht",
            Self::Blank => "blank",
        }
    }
}

/// A column's heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// The heading.
    pub label: Phrase,
    /// How it is set.
    pub align: Align,
}

/// A table. Every row has one cell a column; the first heads the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// What it shows.
    pub caption: Phrase,
    /// Headings.
    pub columns: Vec<Column>,
    /// Cells.
    pub rows: Vec<Vec<Cell>>,
    /// How much was left out, if anything was.
    pub more: Phrase,
}

impl Table {
    /// Pairs the cells of a row with the classes of their columns.
    pub fn cells<'a>(&'a self, row: &'a [Cell]) -> impl Iterator<Item = (&'static str, &'a Cell)> {
        self.columns.iter().map(|column| column.align.class()).zip(row)
    }
}
