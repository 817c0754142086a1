//! What the page says: every choice of order, scale, rounding and words is made here, once, for all forms.
//!
//! Indices of the judgement are looked up with `get`; one that leads nowhere drops its row, not the page.

mod answer;
mod context;
mod data;
mod deploys;
mod figures;
mod findings;
mod infra;
mod members;
mod moves;
mod quiet;
mod server;
mod tables;
pub(crate) mod view;

use context::Context;
pub(crate) use context::glyph;
pub(crate) use members::Which;
use view::{Answer, Deploys, Findings, Head, Jump, Section};

use super::words::{Phrase, Words};
use crate::config::{Config, Language};
use crate::detect::Judgement;
use crate::model::event::Event;
use crate::source::SourceState;

/// The whole report, ready to be laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub(crate) words: Words,
    pub(crate) head: Head,
    pub(crate) answer: Answer,
    pub(crate) deploys: Deploys,
    pub(crate) findings: Findings,
    /// Server side, databases, infrastructure, decisions, elsewhere: what is read in the meeting.
    pub(crate) main: Vec<Section>,
    /// Events, quiet list, data, method: what is looked up.
    pub(crate) reference: Vec<Section>,
    pub(crate) jumps: Vec<Jump>,
    /// Nothing is told: the page is short.
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

/// Decides what the report says.
///
/// `events`: the list that the deploy groups of `judgement` point into, by time. `states`: how every
/// source fared, failed ones included. Missing or senseless values become dashes; the page is always made.
pub fn build(judgement: &Judgement, events: &[Event], states: &[SourceState], config: &Config) -> Page {
    let words = Words::new(&config.languages);
    let context = Context { judgement, events, states, config, words };
    // Without any check the tables are all there is to read, so they stay open.
    let is_checked = !judgement.comparisons.is_empty() || judgement.series.is_empty();
    let is_quiet = judgement.findings.is_empty() && judgement.elsewhere.is_empty() && is_checked;
    let main = [
        server::section(&context),
        server::databases(&context),
        infra::section(&context),
        findings::decisions(&context),
        moves::section(&context),
    ];
    let reference = [data::events(&context), quiet::section(&context), data::section(&context), data::method(&context)];
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

fn jumps(context: &Context<'_>, page: &Page) -> Vec<Jump> {
    let count = |n: usize| if n == 0 { String::new() } else { n.to_string() };
    let fixed = [
        ("answer", "nav.answer", String::new()),
        ("deploys", "nav.deploys", count(page.deploys.rows.len())),
        ("findings", "nav.findings", count(context.judgement.findings.len())),
    ];
    // A quiet page has no findings to jump to.
    let fixed = fixed.into_iter().filter(|(id, ..)| !(page.is_quiet && *id == "findings"));
    let fixed = fixed.map(|(id, key, count)| Jump { id, text: context.label(key), count });
    let rest = page.main.iter().chain(&page.reference);
    fixed.chain(rest.map(|s| Jump { id: s.id, text: s.title.clone(), count: String::new() })).collect()
}

#[cfg(test)]
mod tests;
