//! Lays the document out for people: one HTML page in English and Japanese, Markdown, lines for a terminal.
//!
//! `view` decides everything that a reader sees (scale, rounding, order, words) and writes it into view structs; `html` and
//! `markdown` only lay those out. `terminal`, `deploy` and `explain` print; `archive` makes the pages around
//! many reports, `chat` the messages about one. Read `i18n` (every sentence), `number` (every number) and
//! `message` (sentences about findings) first, then `view`, then `chart`, which is the only user of the drawing library.
//!
//! This room reads [`crate::review`] and the vocabulary, never the judge or the sources. It must not compute evidence, and
//! must not ask for the time of day, a random number or the order of a hash map: the same document gives the same bytes.

pub mod archive;
mod calendar;
mod change;
mod chart;
pub mod chat;
mod columns;
pub mod deploy;
mod details;
pub mod doctor;
mod escape;
pub mod explain;
pub mod html;
mod i18n;
#[cfg(test)]
mod laws;
pub mod markdown;
mod message;
mod notice;
mod number;
pub mod placebo;
mod sanitize;
mod table;
pub mod terminal;
pub mod view;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The page's layout failed to render.
    #[error("render the page")]
    Template(#[from] askama::Error),
}

/// Returns in English why a diagnostic of this code was made; empty for a code that no catalogue has.
pub fn note_said(reason: &str) -> String {
    let english = crate::config::Language::En;
    i18n::Translator::new(&[english]).label(&format!("note.{reason}")).bare(english)
}
