//! What every part of the page needs: the document, and how its things are named.

use std::ops::Deref;

use super::parts::Fact;
use crate::model::effect::Estimate;
use crate::model::metric::Polarity;
use crate::model::verdict::Verdict;
use crate::render::change::Readable;
use crate::render::chart::{HourlyValues, Ink};
use crate::render::i18n::{Phrase, Translator};
use crate::render::message::Messages;
use crate::render::sanitize;
use crate::review::{Comparison, Event, Finding, Group, Hours, Review, Series};

/// The document with the words for it.
pub(super) struct ViewContext<'a> {
    /// What was found out.
    pub review: &'a Review,
    /// How it is written.
    messages: Messages,
}

impl Deref for ViewContext<'_> {
    type Target = Messages;

    fn deref(&self) -> &Messages {
        &self.messages
    }
}

impl<'a> ViewContext<'a> {
    /// Reads a document in its own languages and zone.
    pub fn new(review: &'a Review) -> Self {
        let words = Translator::new(&review.settings.languages);
        Self { review, messages: Messages { words, zone: review.period.zone() } }
    }

    /// Returns the comparison and group that a finding is about.
    pub fn lead(&self, finding: &'a Finding) -> Option<(&'a Comparison, &'a Group)> {
        Some((finding.comparison.as_deref()?, self.review.group(finding.number)?))
    }

    pub fn fact(&self, label: &str, value: Phrase, note: Phrase) -> Fact {
        Fact { label: self.label(label), value, note }
    }

    /// Returns where a finding's card is.
    pub fn href(&self, index: usize) -> String {
        format!("#{}", self.anchor(index))
    }

    /// Returns the id of a finding's card; its own id, if it is made of plain characters.
    pub fn anchor(&self, index: usize) -> String {
        let id = self.review.findings.get(index).map_or("", |finding| finding.id.as_str());
        let is_plain = id.len() <= 32 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !id.is_empty();
        if is_plain { format!("finding-{id}") } else { format!("finding-{index}") }
    }

    /// Returns a range as words: `95% range +19 to +32%`.
    pub fn range(&self, change: Readable) -> Phrase {
        self.message("common.range", &[("range", change.range().into())])
    }

    /// Names an event: its title, or what it is.
    pub fn event_name(&self, event: &Event) -> Phrase {
        let title = sanitize::name(&event.title);
        if title.is_empty() { self.label(&format!("event.{}", event.kind.as_str())) } else { self.plain(title) }
    }
}

/// Turns an estimate so that positive is worse. A signal that has no bad direction stays as it is.
pub(super) fn in_bad_direction(estimate: Estimate, better: Polarity) -> Estimate {
    match better {
        Polarity::Higher => Estimate { value: -estimate.value, low: -estimate.high, high: -estimate.low },
        Polarity::Lower | Polarity::Neutral => estimate,
    }
}

/// Returns the period's change as it is read.
pub(super) fn period_change(series: &Series) -> Option<Readable> {
    let before = series.level_before.map(|level| level * series.unit.factor);
    Some(Readable::change(series.change?, series.unit).at_level(before))
}

/// Returns hours of the document as a chart reads them.
pub(super) fn drawn<'a>(hours: Option<&'a Hours>, series: &Series) -> HourlyValues<'a> {
    hours.map_or_else(HourlyValues::none, |hours| HourlyValues::new(hours, series.unit))
}

/// Returns the ink of a verdict's mark.
pub(super) fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Worse | Verdict::PossiblyWorse => Ink::Worse,
        Verdict::Better => Ink::After,
        _ => Ink::Deploy,
    }
}
