//! Sentences about findings, for every form of the report: page, Markdown, terminal and `explain` say the same.

use chrono_tz::Tz;

use super::i18n::{Arg, Localized, Phrase, Translator};
use super::number;
use super::table::{Align, Cell, Chip, Column, Table, Tile};
use super::{calendar, sanitize};
use crate::model::metric::{Class, Kind, Polarity, SeriesKey};
use crate::model::time::Window;
use crate::model::verdict::Verdict;
use crate::render::change::{self, Readable};
use crate::review::{
    Comparison, Counts, Deploy, Finding, Movement, Pattern, Series, Source, SourceHealth, Topic, Unattributed, chapter,
};

/// Resources near their limit that the answer names.
const NEAR: usize = 3;

/// Writes phrases in the languages of a report and the zone of its dates.
#[derive(Debug, Clone)]
pub(crate) struct Messages {
    /// The catalogues.
    pub words: Translator,
    /// The zone.
    pub zone: Tz,
}

impl Messages {
    /// Returns a fixed text.
    pub fn label(&self, key: &str) -> Phrase {
        self.words.label(key)
    }

    /// Fills a pattern.
    pub fn message(&self, key: &str, args: &[(&str, Arg)]) -> Phrase {
        self.words.message(key, args)
    }

    /// Returns a short text that is not in the catalogues, such as a date.
    pub fn localized(&self, text: &Localized) -> Phrase {
        self.words.localized(text)
    }

    /// Returns a text that is the same in every language.
    pub fn plain(&self, text: impl Into<String>) -> Phrase {
        self.words.plain(text)
    }

    /// Returns a name from outside, sanitised, in the code face.
    pub fn code(&self, name: &str) -> Phrase {
        self.words.code(sanitize::name(name))
    }

    /// Returns what is written where nothing is known.
    pub fn none(&self) -> Phrase {
        self.plain(number::NONE)
    }

    /// Returns an instant within the period.
    pub fn stamp(&self, at: i64) -> Phrase {
        self.localized(&calendar::stamp(at, self.zone))
    }

    /// Returns a span within the period.
    pub fn span(&self, window: Window) -> Phrase {
        self.localized(&calendar::span(window, self.zone))
    }

    /// Returns a signal's name as people say it.
    pub fn signal(&self, signal: &str) -> Phrase {
        let key = format!("signal.{signal}");
        if self.words.knows(&key) { self.label(&key) } else { self.code(signal) }
    }

    /// Returns target and signal of a series.
    pub fn named(&self, key: &SeriesKey) -> Phrase {
        let parts = [("target", Arg::Phrase(self.code(&key.target))), ("signal", self.signal(&key.signal).into())];
        self.message("common.target_signal", &parts)
    }

    /// Returns who answers for a service, or words for nobody.
    pub fn owner(&self, owner: &str) -> Phrase {
        if owner.is_empty() { self.label("common.nobody") } else { self.plain(sanitize::name(owner)) }
    }

    /// Returns a verdict with its glyph.
    pub fn chip(&self, verdict: Verdict) -> Chip {
        let word = self.label(&format!("verdict.{}", verdict.as_str()));
        Chip { class: verdict.as_str(), glyph: glyph(verdict), word }
    }

    /// Writes a change with its interval below, and whether it is for the worse or better where the interval excludes none.
    pub fn change_cell(&self, change: Option<Readable>, better: Polarity) -> Cell {
        let Some(change) = change else { return Cell::text(self.none()) };
        let range = [("range", Arg::from(change.range()))];
        let note = match change.is_worse(better) {
            Some(true) => self.message("common.for_worse", &range),
            Some(false) => self.message("common.for_better", &range),
            None => self.localized(&change.range()),
        };
        Cell::text(self.plain(change.value())).noted(note)
    }

    /// Returns what a finding reports, with its glyph; a burst has the colours of a suspicion.
    pub fn topic(&self, topic: Topic) -> Chip {
        match topic {
            Topic::Worse => self.chip(Verdict::Worse),
            Topic::PossiblyWorse => self.chip(Verdict::PossiblyWorse),
            Topic::Burst => Chip { word: self.label("answer.burst"), ..self.chip(Verdict::PossiblyWorse) },
            Topic::Better => self.chip(Verdict::Better),
            Topic::Explained => self.chip(Verdict::Explained),
        }
    }

    /// Returns what goes beside the change that was seen of a comparison: a burst beside the size of a burst, and never
    /// the verdict on what followed it.
    pub fn seen_chip(&self, comparison: &Comparison) -> Chip {
        if comparison.is_burst() { self.topic(Topic::Burst) } else { self.chip(comparison.verdict) }
    }

    /// Counts the findings by what they report; those of all topics add up to all findings.
    pub fn finding_tiles(&self, counts: &Counts) -> Vec<Tile> {
        let is_shown = |topic: &Topic| {
            counts.findings.of(*topic) > 0 || matches!(topic, Topic::Worse | Topic::PossiblyWorse | Topic::Better)
        };
        let shown = Topic::ALL.into_iter().filter(is_shown);
        let tile = |topic: Topic| {
            let over = counts.findings.over;
            let has_over = over > 0 && topic == Topic::Worse;
            let note =
                if has_over { self.message("answer.resolved", &[("n", over.into())]) } else { Phrase::default() };
            Tile { note, ..self.tile(self.topic(topic), counts.findings.of(topic), "answer.unit_findings") }
        };
        shown.map(tile).collect()
    }

    /// Counts the checks: those that rule harm out, those that settle nothing, and those without data.
    pub fn check_tiles(&self, counts: &Counts) -> Vec<Tile> {
        let ruled_out = Chip { word: self.label("answer.tile_ruled_out"), ..self.chip(Verdict::NoMaterialChange) };
        let checks = &counts.checks;
        [
            (ruled_out, checks.ruled_out),
            (self.chip(Verdict::Inconclusive), checks.open),
            (self.chip(Verdict::NoData), checks.no_data),
        ]
        .map(|(chip, count)| self.tile(chip, count, "answer.unit_checks"))
        .into()
    }

    fn tile(&self, chip: Chip, count: usize, unit: &str) -> Tile {
        let unit = self.message(unit, &[("n", count.into())]);
        Tile { chip, count: number::whole(count as u64), is_zero: count == 0, unit, note: Phrase::default() }
    }

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

    /// Writes how many of `total` rows a table of at most `most` rows leaves out; nothing if none.
    pub fn more(&self, total: usize, most: usize) -> Phrase {
        match total.saturating_sub(most) {
            0 => Phrase::default(),
            left_out => self.message("common.more", &[("n", left_out.into())]),
        }
    }

    /// Names what a finding is about: its leading target, and how many others moved with it.
    pub fn about(&self, finding: &Finding) -> Phrase {
        self.about_as(finding, self.code(&finding.target))
    }

    /// Names what a finding is about. `name`: its leading target, as it is shown.
    pub fn about_as(&self, finding: &Finding, name: Phrase) -> Phrase {
        let name = if finding.key().is_whole_service() {
            self.message("many.whole", &[("service", Arg::Code(sanitize::name(&finding.service)))])
        } else {
            name
        };
        let others = finding.alike().count().saturating_sub(1);
        if others == 0 {
            return name;
        }
        let key = match finding.kind {
            Kind::Operation => "many.operations",
            Kind::Datastore => "many.datastores",
            Kind::Resource => "many.resources",
        };
        self.message(key, &[("target", name.into()), ("n", others.into())])
    }

    /// Names what a finding is about, with the signal of its leading series.
    pub fn about_signal(&self, finding: &Finding) -> Phrase {
        let parts = [("target", Arg::from(self.about(finding))), ("signal", self.signal(&finding.signal).into())];
        self.message("common.target_signal", &parts)
    }

    /// Writes what happened, short: ``POST /v1/x` and 3 other endpoints became slower after deploy 7`.
    pub fn headline(&self, finding: &Finding) -> Phrase {
        let args = [
            ("target", Arg::from(self.about(finding))),
            ("count", finding.alike().count().max(1).into()),
            ("signal", self.signal(&finding.signal).into()),
            ("deploy", Arg::Flag(finding.number)),
        ];
        let (topic, class) = (finding.topic().as_str(), class_word(finding.class()));
        match self.end(finding) {
            Some(end) => {
                let args = [&args[..], &[("end", end.into())]].concat();
                self.message(&format!("headline.{topic}_over.{class}"), &args)
            }
            None => self.message(&format!("headline.{topic}.{class}"), &args),
        }
    }

    /// Names what ended a finding that is over: the deploy that took it back, or the time.
    pub fn end(&self, finding: &Finding) -> Option<Phrase> {
        let until = finding.until.filter(|_| finding.is_over())?;
        Some(match finding.by_number {
            Some(number) => self.message("pattern.deploy", &[("deploy", Arg::Flag(number))]),
            None => self.stamp(until.ms()),
        })
    }

    /// Writes what happened, with every number, in one sentence.
    pub fn sentence(&self, finding: &Finding) -> Phrase {
        let headline = self.headline(finding);
        let Some(comparison) = finding.comparison.as_deref() else { return self.short_sentence(finding, headline) };
        let Some(change) = Readable::of(comparison) else { return headline };
        let args = [
            ("headline", Arg::from(headline)),
            ("signal", self.signal(&finding.signal).into()),
            ("levels", change::seen_levels(comparison).into()),
            ("change", Arg::Strong(Localized::same(change::seen_change(comparison).unwrap_or_default()))),
            ("range", change.range().into()),
            ("limit", change::limit(comparison).into()),
        ];
        let key = match comparison.seen() {
            Some(seen) if seen.is_burst => "findings.sentence_burst",
            Some(_) => "findings.sentence_left",
            None => "findings.sentence",
        };
        self.message(key, &args)
    }

    /// Writes the sentence of a report whose findings do not hold their leading comparison: what was judged of it.
    fn short_sentence(&self, finding: &Finding, headline: Phrase) -> Phrase {
        let judged = finding.explanation.as_ref().and_then(|own| own.estimate.zip(own.limit.as_ref()));
        let Some((estimate, limit)) = judged else { return headline };
        let unit = finding.unit;
        let level = |value: Option<f64>| value.map(|value| value * unit.factor);
        let change = Readable::change(estimate, unit).at_level(level(finding.before));
        let limit = estimate.scale.read(Some(limit.value), unit);
        let limit = change::size(limit, estimate.scale.of_effect(), unit, level(finding.before));
        let args = [
            ("headline", Arg::from(headline)),
            ("signal", self.signal(&finding.signal).into()),
            ("levels", number::levels(level(finding.before), level(finding.after), unit).into()),
            ("change", Arg::Strong(Localized::same(change.value()))),
            ("range", change.range().into()),
            ("limit", limit.into()),
        ];
        self.message("findings.sentence", &args)
    }

    /// Returns how a series moved with no deploy near, with its glyph: these are no verdicts on a deploy.
    pub fn moved(&self, change: &Unattributed) -> Chip {
        let word = match change.change {
            Movement::Shift => "unattributed.shift",
            Movement::Drift => "unattributed.drift",
        };
        let (class, glyph) = if change.worse { ("possibly_worse", "●") } else { ("better", "○") };
        Chip { class, glyph, word: self.label(word) }
    }

    /// Counts changes that no deploy explains, for a report that has nothing but these.
    pub fn moved_tiles(&self, worse: usize, better: usize) -> Vec<Tile> {
        let chip = |class, glyph, key| Chip { class, glyph, word: self.label(key) };
        vec![
            self.tile(chip("possibly_worse", "●", "unattributed.worse"), worse, "answer.unit_changes"),
            self.tile(chip("better", "○", "unattributed.better"), better, "answer.unit_changes"),
        ]
    }

    /// Says why a source failed and what is missing without it; nothing if it did not.
    pub fn source_failed(&self, source: &Source) -> Option<Phrase> {
        let chapter = |gives: &String| match gives.as_str() {
            "operations" => Some(self.label("nav.server")),
            "datastores" => Some(self.label("nav.databases")),
            "resources" => Some(self.label("nav.infra")),
            "deploys" => Some(self.label("nav.deploys")),
            _ => None,
        };
        let chapters: Vec<Phrase> = source.gives.iter().filter_map(chapter).collect();
        let chapters = if chapters.is_empty() { self.label("answer.all_chapters") } else { self.words.list(&chapters) };
        let errors: Vec<String> = source.errors.iter().map(|error| sanitize::message(error)).collect();
        let args = [
            ("source", Arg::Code(sanitize::name(&source.id))),
            ("error", errors.join("; ").into()),
            ("chapters", chapters.into()),
        ];
        let is_part = source.state == SourceHealth::Partial;
        let key = if is_part { "answer.source_failed_part" } else { "answer.source_failed" };
        (!errors.is_empty()).then(|| self.message(key, &args))
    }

    /// Names the resources that came near their limit; nothing if none did.
    pub fn near_limit(&self, series: &[Series]) -> Option<Phrase> {
        let near = chapter::near_limit(series);
        let one = |series: &&Series| {
            let peak = series.peak.map(|peak| series.base(Some(peak.value)));
            let args = [
                ("name", Arg::from(self.named(&series.key()))),
                ("peak", number::level(peak.unwrap_or(f64::NAN), series.unit).into()),
                ("hours", series.hours_near_limit.unwrap_or(0).into()),
            ];
            self.message("answer.near_limit_one", &args)
        };
        let named: Vec<Phrase> = near.iter().take(NEAR).map(one).collect();
        let names = self.words.list(&named);
        let names = match near.len().saturating_sub(NEAR) {
            0 => names,
            left => self.message("answer.near_limit_more", &[("names", names.into()), ("n", left.into())]),
        };
        let limit = number::share(chapter::NEAR_LIMIT);
        let args = [("limit", Arg::from(limit)), ("names", names.into())];
        (!near.is_empty()).then(|| self.message("answer.near_limit", &args))
    }

    /// Writes the shape over time.
    pub fn shape(&self, finding: &Finding) -> Phrase {
        let lead = finding.comparison.as_deref();
        let mut sentences = Vec::new();
        let until = finding.until.or(lead.and_then(|lead| lead.until));
        match (finding.pattern.or(lead.and_then(|lead| lead.pattern)), until) {
            (Some(Pattern::Recovered), Some(until)) => {
                sentences.push(self.message("pattern.recovered", &[("until", self.stamp(until.ms()).into())]));
                if let Some(number) = finding.by_number {
                    sentences.push(self.message("pattern.recovered_by", &[("deploy", Arg::Flag(number))]));
                }
            }
            (Some(Pattern::Burst), Some(until)) if until.ms() > 0 => {
                sentences.push(self.message("pattern.burst_until", &[("until", self.stamp(until.ms()).into())]));
            }
            (Some(pattern @ (Pattern::Gradual | Pattern::Delayed)), Some(until)) => {
                let key = format!("pattern.{}", pattern.as_str());
                sentences.push(self.message(&key, &[("until", self.stamp(until.ms()).into())]));
                sentences.push(self.label("pattern.sustained"));
            }
            (Some(Pattern::Recovered | Pattern::Gradual | Pattern::Delayed), None) | (None, _) => {}
            (Some(pattern), _) => sentences.push(self.label(&format!("pattern.{}", pattern.as_str()))),
        }
        self.words.sentences(&sentences)
    }

    /// Writes the change of a comparison as it was seen, in the sentence of a list.
    pub fn target_line(&self, comparison: &Comparison) -> Phrase {
        let args = [
            ("signal", Arg::from(self.signal(&comparison.signal))),
            ("levels", change::seen_levels(comparison).into()),
            ("change", change::seen_change(comparison).unwrap_or_default().into()),
        ];
        self.message(if comparison.is_burst() { "findings.target_line_burst" } else { "findings.target_line" }, &args)
    }
}

/// Returns the words that a class of signals moves with: slower, fails more often, busier.
fn class_word(class: Class) -> &'static str {
    match class {
        Class::Latency => "latency",
        Class::Errors => "errors",
        Class::Saturation => "saturation",
        Class::Traffic | Class::Other => "other",
    }
}

/// Names what went live: the commit as `git` shortens it, and beside it the version label that another source gave the
/// same deploy. From outside: escape it.
pub fn revision(deploy: &Deploy) -> String {
    let names = [short_revision(&deploy.revision), &deploy.version];
    let known: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    known.join(" · ")
}

/// Shortens a commit to the seven digits of `git`; a version stays as it is. From outside: escape it.
pub fn short_revision(revision: &str) -> &str {
    let is_commit = revision.len() >= 20 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit { revision.get(..7).unwrap_or(revision) } else { revision }
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
