//! Turns a judgement into the report that people read: one HTML page in English and
//! Japanese, and Markdown; and into JSON and a few lines for a terminal.
//!
//! It goes in two steps. [`model`] decides everything that a reader sees (scale, rounding, order, words)
//! and writes it into view structs; [`html`] and [`markdown`] only lay them out. `chart` draws and is the
//! only place that knows the drawing library; `words` holds every sentence in every language.
//!
//! Nothing here asks for the time of day, a random number or the order of a hash map, so the same input
//! gives the same bytes. Every name, title and address comes from outside and is escaped where it is written.

mod calendar;
mod chart;
mod clean;
pub mod doctor;
pub mod explain;
pub mod html;
pub mod json;
pub mod markdown;
pub mod model;
mod number;
pub mod placebo;
#[cfg(test)]
pub(crate) mod sample;
pub mod services;
pub mod text;
mod words;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The page's layout failed to render.
    #[error("render the page")]
    Template(#[from] askama::Error),
}

/// Says in English why a diagnostic of this code was made; empty for a reason that is none.
pub fn note_said(reason: &str) -> String {
    let english = crate::config::Language::En;
    words::Words::new(&[english]).label(&format!("note.{reason}")).bare(english)
}
