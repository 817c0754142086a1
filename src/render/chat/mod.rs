//! What is posted where people talk: one short message a report, and a reply for each new regression.
//!
//! `slack` and `teams` lay the same lines out for their services. Every name from outside is escaped by the rules of the
//! service: nothing that a deploy's title or an endpoint is called can mention people, end a link or begin one.

pub mod slack;
pub mod teams;
pub mod webhook;

use std::collections::BTreeMap;

use super::i18n::{Arg, Translator};
use super::message::{Messages, glyph};
use super::{calendar, change, number, sanitize};
use crate::config::Language;
use crate::model::verdict::Verdict;
use crate::render::change::Readable;
use crate::review::{Finding, Review, Topic};

/// Findings that a message names.
const NAMED: usize = 5;
/// Characters of a name or title at most: a message has room for some 3,500 in all.
const LONGEST: usize = 80;

/// A report as news.
#[derive(Debug, Clone, Copy)]
pub struct News<'a> {
    /// The report.
    pub review: &'a Review,
    /// Ids of the regressions that no earlier report has open.
    pub new: &'a [String],
    /// Address of the page; empty for none.
    pub link: &'a str,
    /// Language of the message.
    pub language: Language,
    /// What the service calls the owners of services, such as a user or group id.
    pub mentions: &'a BTreeMap<String, String>,
}

/// How a service marks text up. Every method escapes what it is given.
pub(super) trait Markup {
    /// Running text.
    fn text(&self, text: &str) -> String;
    /// Text that stands out.
    fn strong(&self, text: &str) -> String;
    /// A name.
    fn code(&self, text: &str) -> String;
    /// A link. `url`: `http` or `https`.
    fn link(&self, url: &str, text: &str) -> String;
    /// Calls an owner. `id`: what the service calls them.
    fn mention(&self, id: &str) -> String;
}

/// The lines of a message, marked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    /// One line without markup, for notifications and screen readers.
    pub plain: String,
    /// Title, period and the answer.
    pub head: Vec<String>,
    /// One line a finding.
    pub findings: Vec<String>,
    /// What is missing, the link, the next period.
    pub tail: Vec<String>,
}

/// A reply about one new regression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Id of the finding.
    pub finding: String,
    /// Its lines, marked up.
    pub lines: Vec<String>,
    /// One line without markup.
    pub plain: String,
}

pub(super) struct Writer<'a, M> {
    pub(super) news: News<'a>,
    pub(super) markup: M,
    messages: Messages,
}

impl<'a, M: Markup> Writer<'a, M> {
    pub(super) fn new(news: News<'a>, markup: M) -> Self {
        let messages = Messages { words: Translator::new(&[news.language]), zone: news.review.period.zone() };
        Self { news, markup, messages }
    }

    fn label(&self, key: &str) -> String {
        self.messages.label(key).bare(self.news.language)
    }

    fn said(&self, key: &str, args: &[(&str, Arg)]) -> String {
        self.messages.message(key, args).bare(self.news.language)
    }

    fn period(&self) -> String {
        let period = calendar::period(self.news.review.period.window(), self.messages.zone);
        self.messages.localized(&period).bare(self.news.language)
    }

    /// Writes the message.
    pub(super) fn lines(&self) -> Lines {
        let review = self.news.review;
        let sentence = super::view::build(review).answer.sentence.bare(self.news.language);
        let team = sanitize::name(&review.title);
        let title = if team.is_empty() { self.label("page.title") } else { short(&team) };
        let counts = review.counts.findings;
        let checks = &review.counts.checks;
        let count = |verdict: Verdict, n: usize| {
            format!("{} {} {n}", glyph(verdict), self.label(&format!("verdict.{}", verdict.as_str())))
        };
        let worse = count(Verdict::Worse, counts.worse);
        let counted = [
            match counts.over {
                0 => worse,
                over => format!("{worse} ({})", self.said("answer.resolved", &[("n", over.into())])),
            },
            count(Verdict::PossiblyWorse, counts.possibly_worse),
            count(Verdict::Better, counts.better),
            format!("= {} {}", self.label("answer.tile_ruled_out"), checks.ruled_out),
            count(Verdict::Inconclusive, checks.open),
        ];
        let counted = counted.join("   ");
        let head = vec![
            format!("{}  {}", self.markup.strong(&title), self.markup.text(&self.period())),
            self.markup.text(&short_to(&sentence, 300)),
            self.markup.text(&counted),
        ];
        let alarms = |topic| review.findings.iter().filter(move |finding| finding.topic() == topic);
        let all: Vec<&Finding> = alarms(Topic::Worse).chain(alarms(Topic::PossiblyWorse)).collect();
        let mut findings: Vec<String> =
            all.iter().take(NAMED).enumerate().map(|(index, finding)| self.finding(index + 1, finding)).collect();
        if let Some(left) = all.len().checked_sub(NAMED).filter(|left| *left > 0) {
            findings.push(self.markup.text(&self.said("common.more", &[("n", left.into())])));
        }
        let plain = format!("{title}: {}", short_to(&sentence, 300));
        Lines { plain, head, findings, tail: self.tail() }
    }

    fn tail(&self) -> Vec<String> {
        let review = self.news.review;
        let failed: Vec<String> = review
            .sources
            .iter()
            .filter(|one| !one.errors.is_empty())
            .map(|one| short(&sanitize::name(&one.id)))
            .collect();
        let mut lines = Vec::new();
        if !failed.is_empty() {
            lines.push(self.markup.text(&self.said("chat.failed", &[("sources", failed.join(", ").into())])));
        }
        if let Some(coverage) = review.coverage() {
            let share = [("share", number::share_words(coverage).into())];
            lines.push(self.markup.text(&self.said("answer.coverage", &share)));
        }
        let end = review.period.to.ms();
        let next = calendar::days_later(end, i64::from(review.settings.period_days), self.messages.zone);
        let next = self.said("chat.next", &[("at", calendar::date(next, self.messages.zone).into())]);
        let next = self.markup.text(&next);
        lines.push(match self.news.link {
            "" => next,
            link => format!("{}   {next}", self.markup.link(link, &self.label("chat.open"))),
        });
        lines
    }

    /// Writes one line: `1. ▲ card-api  POST /v1/x  p95 184 → 230 ms (+25%, …)  deploy #7  owner  [new]`.
    fn finding(&self, number: usize, finding: &Finding) -> String {
        let signal = self.messages.signal(&finding.signal).bare(self.news.language);
        let mut parts = vec![
            format!("{number}. {}", self.messages.topic(finding.topic()).glyph),
            self.markup.strong(&short(&sanitize::name(&finding.service))),
            self.markup.code(&short(&sanitize::name(&finding.target))),
            self.markup.text(&format!("{signal} {}", self.size(finding))),
            self.deploy(finding),
            self.owner(finding),
        ];
        if self.news.new.contains(&finding.id) {
            parts.push(self.markup.strong(&format!("[{}]", self.label("archive.new"))));
        }
        parts.retain(|part| !part.is_empty());
        parts.join("  ")
    }

    fn size(&self, finding: &Finding) -> String {
        let Some(comparison) = finding.comparison.as_deref() else { return String::new() };
        let levels = change::seen_levels(comparison);
        let of = Readable::of(comparison).map(|change| {
            let range = self.messages.localized(&change.range()).bare(self.news.language);
            format!("{}, {range}", change::seen_change(comparison).unwrap_or_default())
        });
        of.map_or_else(|| levels.clone(), |change| format!("{levels} ({change})"))
    }

    fn deploy(&self, finding: &Finding) -> String {
        let deploy = self.news.review.deploys.iter().find(|one| Some(&*one.id) == finding.deploy.as_deref());
        let Some(deploy) = deploy else { return String::new() };
        let name = format!("{} #{}", self.label("chat.deploy"), finding.number);
        let url = sanitize::link(&deploy.url).map(|url| self.markup.link(&url, &short(&sanitize::name(&deploy.id))));
        match url {
            Some(link) => format!("{} {link}", self.markup.text(&name)),
            None => format!("{} {}", self.markup.text(&name), self.markup.code(&short(&sanitize::name(&deploy.id)))),
        }
    }

    /// Names the owner; only of something new is the owner called.
    fn owner(&self, finding: &Finding) -> String {
        let id = self.news.mentions.get(&finding.owner).filter(|_| self.news.new.contains(&finding.id));
        match (id, finding.owner.as_str()) {
            (Some(id), _) => self.markup.mention(id),
            (None, "") => self.markup.text(&self.label("common.nobody")),
            (None, owner) => self.markup.text(&short(&sanitize::name(owner))),
        }
    }

    /// Writes a reply for each new regression: what happened, the title of the deploy, the next step.
    pub(super) fn replies(&self) -> Vec<Reply> {
        let is_new = |finding: &&Finding| finding.topic() == Topic::Worse && self.news.new.contains(&finding.id);
        self.news.review.findings.iter().filter(is_new).take(NAMED).map(|finding| self.reply(finding)).collect()
    }

    fn reply(&self, finding: &Finding) -> Reply {
        let headline = self.messages.headline(finding).bare(self.news.language);
        let plain = format!("{}: {}", sanitize::name(&finding.service), short_to(&headline, 200));
        let mut lines = vec![format!("▲ {}", self.markup.strong(&plain))];
        let deploy = self.news.review.deploys.iter().find(|one| Some(&*one.id) == finding.deploy.as_deref());
        if let Some(deploy) = deploy {
            let title = short(&sanitize::message(&deploy.title));
            lines.push(format!("{}  {}", self.deploy(finding), self.markup.text(&title)));
        }
        lines.push(self.markup.text(&self.size(finding)));
        if let Some(cost) = finding.cost_ms.filter(|cost| *cost > 0.0) {
            let waiting = number::waiting(cost / 1000.0);
            lines.push(self.markup.text(&self.said("one_deploy.cost_so_far", &[("waiting", waiting.into())])));
        }
        if let Some(runbook) = sanitize::link(&finding.runbook) {
            lines.push(self.markup.link(&runbook, &self.label("one_deploy.runbook")));
        }
        lines.push(self.markup.code(&format!("fortnight explain {}", finding.id)));
        if !self.news.link.is_empty() {
            let link = format!("{}#{}", self.news.link, finding.id);
            lines.push(self.markup.link(&link, &self.label("chat.open")));
        }
        Reply { finding: finding.id.clone(), lines, plain }
    }
}

fn short(text: &str) -> String {
    short_to(text, LONGEST)
}

/// Cuts a text between characters, and says so.
fn short_to(text: &str, longest: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > longest {
        true => line.chars().take(longest - 1).chain(['…']).collect(),
        false => line,
    }
}

#[cfg(test)]
mod tests;
