//! What the page says: every choice of order, scale, rounding and words is made here, once, for all forms.
//!
//! Reads a [`Review`] and writes view structs ([`parts`]), which `html` and `markdown` only lay out. An index of the document
//! that leads nowhere drops its row, not the page.

mod answer;
mod context;
mod data;
mod deploys;
mod figures;
mod findings;
mod infra;
mod lines;
mod no_change;
pub(crate) mod parts;
mod server;
mod targets;
#[cfg(test)]
mod tests;
mod unattributed;

use context::ViewContext;
use parts::{Answer, Deploys, Findings, Head, Jump, Section};

use super::i18n::{Phrase, Translator};
use crate::config::Language;
use crate::review::Review;

/// The whole report, ready to be laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub(crate) words: Translator,
    pub(crate) head: Head,
    pub(crate) answer: Answer,
    pub(crate) deploys: Deploys,
    pub(crate) findings: Findings,
    /// Server side, databases, infrastructure, decisions, changes without a deploy: what is read in the meeting.
    pub(crate) main: Vec<Section>,
    /// Holidays, what did not change, data, method: what is looked up.
    pub(crate) reference: Vec<Section>,
    pub(crate) jumps: Vec<Jump>,
    /// There are no findings: the page is short.
    pub(crate) is_quiet: bool,
}

impl Page {
    pub(crate) fn first(&self) -> Language {
        self.words.first()
    }

    pub(crate) fn languages(&self) -> &[Language] {
        self.words.languages()
    }

    pub(crate) fn label(&self, key: &str) -> Phrase {
        self.words.label(key)
    }
}

/// Decides what the report says. Missing or senseless values become dashes; the page is always made.
pub fn build(review: &Review) -> Page {
    let context = ViewContext::new(review);
    // Without any check the tables are all there is to read, so they stay open.
    let is_checked = !review.comparisons.is_empty() || review.series.is_empty();
    let is_quiet = review.findings.is_empty() && review.unattributed.is_empty() && is_checked;
    let main = [
        server::section(&context),
        server::databases(&context),
        infra::section(&context),
        findings::decisions(&context),
        unattributed::section(&context),
    ];
    let reference =
        [data::events(&context), no_change::section(&context), data::section(&context), data::method(&context)];
    let mut page = Page {
        head: answer::head(&context),
        answer: answer::section(&context),
        deploys: deploys::section(&context),
        findings: findings::section(&context),
        main: main.into_iter().flatten().collect(),
        reference: reference.into_iter().flatten().collect(),
        jumps: Vec::new(),
        is_quiet,
        words: context.words.clone(),
    };
    page.jumps = jumps(&context, &page);
    page
}

fn jumps(context: &ViewContext<'_>, page: &Page) -> Vec<Jump> {
    let count = |n: usize| if n == 0 { String::new() } else { n.to_string() };
    let fixed = [
        ("answer", "nav.answer", String::new()),
        ("deploys", "nav.deploys", count(page.deploys.rows.len())),
        ("findings", "nav.findings", count(context.review.counts.findings.total)),
    ];
    // A quiet page has no findings to jump to.
    let fixed = fixed.into_iter().filter(|(id, ..)| !(page.is_quiet && *id == "findings"));
    let fixed = fixed.map(|(id, key, count)| Jump { id, text: context.label(key), count });
    let rest = page.main.iter().chain(&page.reference);
    fixed.chain(rest.map(|s| Jump { id: s.id, text: s.title.clone(), count: String::new() })).collect()
}
