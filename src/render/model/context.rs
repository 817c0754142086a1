//! What every part of the model needs: the input, and how its things are named.

use super::view::{Chip, Fact};
use crate::config::{Config, Service};
use crate::detect::{Comparison, Estimate, Finding, Judgement, Pattern, SeriesSummary, Target, Verdict};
use crate::model::event::{DeployGroup, Event};
use crate::model::metric::{Direction, Kind, SeriesKey};
use crate::model::time::Window;
use crate::render::chart::{Hours, Ink};
use crate::render::number::Effect;
use crate::render::words::{Arg, Both, Phrase, Words};
use crate::render::{calendar, clean, number};
use crate::source::{self, SourceState};

/// The input of a report.
pub(super) struct Context<'a> {
    /// What was found out.
    pub judgement: &'a Judgement,
    /// What happened.
    pub events: &'a [Event],
    /// How the sources fared.
    pub states: &'a [SourceState],
    /// What the team wants.
    pub config: &'a Config,
    /// How it is said.
    pub words: Words,
}

impl<'a> Context<'a> {
    pub fn label(&self, key: &str) -> Phrase {
        self.words.label(key)
    }

    pub fn say(&self, key: &str, args: &[(&str, Arg)]) -> Phrase {
        self.words.say(key, args)
    }

    pub fn both(&self, text: &Both) -> Phrase {
        self.words.both(text)
    }

    pub fn plain(&self, text: impl Into<String>) -> Phrase {
        self.words.plain(text)
    }

    /// Returns a name from outside, cleaned, in the code face.
    pub fn code(&self, name: &str) -> Phrase {
        self.words.code(clean::name(name))
    }

    pub fn series(&self, index: usize) -> Option<&'a SeriesSummary> {
        self.judgement.series.get(index)
    }

    pub fn comparison(&self, index: usize) -> Option<&'a Comparison> {
        self.judgement.comparisons.get(index)
    }

    /// Returns the deploys of a group, by time.
    pub fn members(&self, group: &'a DeployGroup) -> impl Iterator<Item = &'a Event> {
        group.members.iter().filter_map(|index| self.events.get(*index))
    }

    pub fn group(&self, index: usize) -> Option<&'a DeployGroup> {
        self.judgement.groups.get(index)
    }

    /// Returns the series, comparison and group that a finding is told by.
    pub fn lead(&self, finding: &Finding) -> Option<(&'a SeriesSummary, &'a Comparison, &'a DeployGroup)> {
        let comparison = self.comparison(finding.lead)?;
        Some((self.series(comparison.series)?, comparison, self.group(finding.group)?))
    }

    pub fn service(&self, name: &str) -> Option<&'a Service> {
        self.config.services.iter().find(|service| service.name == name)
    }

    /// Returns the account that a service runs in by the config, empty if it names none.
    pub fn account_of(&self, service: &str) -> &'a str {
        self.service(service).map_or("", |service| service.account.as_str())
    }

    /// Returns the account that a series runs in, empty if unknown: its service's, or that of CloudWatch that gave it.
    ///
    /// An account of New Relic is none that anything runs in.
    pub fn account(&self, key: &SeriesKey) -> &'a str {
        let of_service = self.account_of(&key.service);
        if !of_service.is_empty() {
            return of_service;
        }
        let source = source::source_of(self.states, key);
        let state = self.states.iter().find(|state| Some(state.id.as_str()) == source);
        state.map_or("", |state| &state.account)
    }

    /// Returns who answers for a service, or words for nobody.
    pub fn owner(&self, service: &str) -> Phrase {
        match self.service(service).map(|service| service.owner.as_str()).filter(|owner| !owner.is_empty()) {
            Some(owner) => self.plain(clean::name(owner)),
            None => self.label("common.nobody"),
        }
    }

    /// Returns a signal's name as people say it.
    pub fn signal(&self, signal: &str) -> Phrase {
        let key = format!("signal.{signal}");
        if self.words.knows(&key) { self.label(&key) } else { self.code(signal) }
    }

    /// Returns target and signal of a series.
    pub fn named(&self, key: &SeriesKey) -> Phrase {
        let parts = [("target", Arg::Phrase(self.code(&key.target))), ("signal", self.signal(&key.signal).into())];
        self.say("common.target_signal", &parts)
    }

    /// Names what a finding is about: its leading target, and how many others moved with it.
    pub fn about(&self, finding: &Finding) -> Phrase {
        let Some((series, ..)) = self.lead(finding) else { return Phrase::default() };
        let kinds = finding.targets.iter().filter_map(|target| self.target(target)).map(|(series, _)| series.key.kind);
        let others = kinds.filter(|kind| *kind == series.key.kind).count().saturating_sub(1);
        let name = if series.key.is_whole_service() {
            self.say("many.whole", &[("service", Arg::Code(clean::name(&series.key.service)))])
        } else {
            self.code(&series.key.target)
        };
        if others == 0 {
            return name;
        }
        let key = match series.key.kind {
            Kind::Operation => "many.operations",
            Kind::Datastore => "many.datastores",
            Kind::Resource => "many.resources",
        };
        self.say(key, &[("target", name.into()), ("n", others.into())])
    }

    /// Names what a finding is about, with the signal that it is told by.
    pub fn about_signal(&self, finding: &Finding) -> Option<Phrase> {
        let (series, ..) = self.lead(finding)?;
        let parts = [("target", Arg::from(self.about(finding))), ("signal", self.signal(&series.key.signal).into())];
        Some(self.say("common.target_signal", &parts))
    }

    /// Returns the series and comparison that a target of a finding is told by.
    pub fn target(&self, target: &Target) -> Option<(&'a SeriesSummary, &'a Comparison)> {
        let comparison = self.comparison(target.lead)?;
        Some((self.series(comparison.series)?, comparison))
    }

    pub fn chip(&self, verdict: Verdict) -> Chip {
        let word = self.label(&format!("verdict.{}", verdict.as_str()));
        Chip { class: verdict.as_str(), glyph: glyph(verdict), word }
    }

    pub fn fact(&self, label: &str, value: Phrase, note: Phrase) -> Fact {
        Fact { label: self.label(label), value, note }
    }

    pub fn stamp(&self, at: i64) -> Phrase {
        self.both(&calendar::stamp(at, self.config.zone))
    }

    pub fn span(&self, window: Window) -> Phrase {
        self.both(&calendar::span(window, self.config.zone))
    }

    /// Returns where a finding's card stands.
    pub fn href(&self, index: usize) -> String {
        format!("#{}", self.anchor(index))
    }

    /// Returns the id of a finding's card; its own id, if it is made of plain characters.
    pub fn anchor(&self, index: usize) -> String {
        let id = self.judgement.findings.get(index).map_or("", |finding| finding.id.as_str());
        let is_plain = id.len() <= 32 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !id.is_empty();
        if is_plain { format!("finding-{id}") } else { format!("finding-{index}") }
    }

    /// Returns a range as words: `95% range +19 to +32%`.
    pub fn range(&self, effect: Effect) -> Phrase {
        self.say("common.range", &[("range", effect.range().into())])
    }

    /// Names an event: its title, or what it is.
    pub fn event_name(&self, event: &Event) -> Phrase {
        let title = clean::name(&event.title);
        if title.is_empty() { self.label(&format!("event.{}", event.kind.as_str())) } else { self.plain(title) }
    }

    /// Returns the incidents, campaigns and drills that touch a service in a window, by time.
    pub fn disturbances(&self, service: &str, window: Window) -> Vec<&'a Event> {
        let touches = |event: &&Event| event.window().overlaps(window) || window.contains(event.at);
        self.events.iter().filter(|e| !e.kind.is_judged() && e.concerns(service)).filter(touches).collect()
    }
}

/// Returns a comparison's estimate as it was judged.
pub(super) fn effect(series: &SeriesSummary, comparison: &Comparison) -> Option<Effect> {
    let effect = comparison.effect.as_ref()?;
    Some(Effect { estimate: effect.estimate, is_delta: effect.scale.is_difference(), unit: series.unit })
}

/// What users saw, where that is not what was judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    /// The change in words.
    pub change: String,
    /// Its size, as a log ratio or a difference.
    pub size: f64,
    /// The level while it lasted.
    pub after: Option<f64>,
    /// It was a spell right after the deploy; otherwise something else explains it.
    pub is_burst: bool,
}

/// Returns what was seen of a change that something else explains, or of a burst. Every other change was judged as it
/// was seen.
pub(super) fn seen(series: &SeriesSummary, comparison: &Comparison) -> Option<Seen> {
    let (size, is_delta, is_burst) = match (comparison.burst, comparison.pattern, comparison.verdict) {
        (Some(burst), Some(Pattern::Burst), _) => (burst.size, burst.scale.is_difference(), true),
        (.., Verdict::Explained) => {
            let effect = comparison.effect.as_ref()?;
            (effect.seen()?, effect.scale.is_difference(), false)
        }
        _ => return None,
    };
    let estimate =
        Some(size).filter(|size| size.is_finite()).map(|size| Estimate { value: size, low: size, high: size })?;
    let after = comparison.before.map(|before| if is_delta { before + size } else { before * size.exp() });
    Some(Seen { change: Effect { estimate, is_delta, unit: series.unit }.value(), size, after, is_burst })
}

/// Writes the change that a headline is about: what was seen.
pub(super) fn seen_change(series: &SeriesSummary, effect: Effect, comparison: &Comparison) -> String {
    seen(series, comparison).map_or_else(|| effect.value(), |seen| seen.change)
}

/// Writes the levels that a headline is about.
pub(super) fn seen_levels(series: &SeriesSummary, comparison: &Comparison) -> String {
    let after = seen(series, comparison).map_or(comparison.after, |seen| seen.after);
    number::levels(comparison.before, after, series.unit)
}

/// Returns the limit on the scale of [`effect`].
pub(super) fn limit(comparison: &Comparison) -> f64 {
    comparison.effect.as_ref().map_or(f64::INFINITY, |effect| effect.limit)
}

/// Turns an estimate so that positive is worse. A signal that has no bad direction stays as it is.
pub(super) fn in_bad_direction(estimate: Estimate, direction: Direction) -> Estimate {
    match direction {
        Direction::Higher => Estimate { value: -estimate.value, low: -estimate.high, high: -estimate.low },
        Direction::Lower | Direction::Neutral => estimate,
    }
}

/// Returns the period's change as it is read.
pub(super) fn period_change(series: &SeriesSummary) -> Option<Effect> {
    let change = series.change?;
    Some(Effect { estimate: change.estimate, is_delta: change.scale.is_difference(), unit: series.unit })
}

pub(super) fn hours(series: &SeriesSummary) -> Hours<'_> {
    Hours { start: series.start, values: &series.hourly }
}

pub(super) fn hours_max(series: &SeriesSummary) -> Hours<'_> {
    Hours { start: series.start, values: &series.hourly_max }
}

/// Returns the requests of a series in a window; `None` where traffic is not known.
pub(super) fn requests(series: &SeriesSummary, window: Window) -> Option<f64> {
    let hours = Hours { start: series.start, values: &series.requests };
    let known: Vec<f64> = hours.within(window).map(|(_, value)| value).filter(|value| value.is_finite()).collect();
    (!known.is_empty()).then(|| known.iter().sum())
}

/// Returns the glyph of a verdict, which carries the meaning without colour.
pub(crate) fn glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "▲",
        Verdict::PossiblyWorse => "△",
        Verdict::Better => "▼",
        Verdict::NoMaterialChange => "=",
        Verdict::NotWorse => "▽",
        Verdict::Explained => "◇",
        Verdict::Inconclusive => "?",
        Verdict::TooEarly => "…",
        Verdict::NoData => "–",
    }
}

/// Returns the ink of a verdict's mark.
pub(super) fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Worse | Verdict::PossiblyWorse => Ink::Worse,
        Verdict::Better => Ink::After,
        _ => Ink::Deploy,
    }
}
