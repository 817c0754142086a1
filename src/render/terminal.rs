//! The short answer for the terminal: how much became worse, and the findings that matter most.
//!
//! Counts, words and numbers are those of the page. Names come from outside, so everything that could steer a terminal is
//! shown as an escape.

use super::columns::{columns, is_wide, wrap};
use super::i18n::{Phrase, Translator};
use super::message::Messages;
use super::number::NONE;
use crate::config::Language;
pub use crate::model::sanitize::escape as plain;
use crate::model::time::local;
use crate::render::change::{self, Readable};
use crate::render::table::Tile;
use crate::review::chapter::moved_leads;
use crate::review::{Finding, Instant, Notice, Review, Topic, Unattributed};

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours may be used.
    pub colour: bool,
    /// Signs such as ▲ and → are shown; otherwise `[WORSE]` and `->`.
    pub signs: bool,
}

/// At most so many findings are printed here; the report has them all.
const SHOWN: usize = 7;

/// Columns of a usual terminal.
const WIDTH: usize = 80;

/// Longest shown name of a target, characters: a line with it still fits on a usual terminal.
const TARGET_WIDTH: usize = 44;

/// Writes the summary: period, counts, sources in trouble, and the first findings, each on one line.
pub fn summary(review: &Review, language: Language, style: Style) -> String {
    summary_within(review, language, style, usize::MAX)
}

/// Writes the same for a terminal of so many columns: where a line would be longer, findings stand on two.
pub fn summary_within(review: &Review, language: Language, style: Style, width: usize) -> String {
    let messages = Messages { words: Translator::new(&[language]), zone: review.period.zone() };
    Writer { review, messages, language, style, width }.write()
}

struct Writer<'a> {
    review: &'a Review,
    messages: Messages,
    language: Language,
    style: Style,
    width: usize,
}

impl Writer<'_> {
    fn write(&self) -> String {
        let mut lines = wrap(&self.head(), self.width);
        let [findings, checks] =
            [&self.messages.finding_tiles(&self.review.counts), &self.messages.check_tiles(&self.review.counts)]
                .map(|tiles| self.tiles(tiles));
        let has_checks = self.review.counts.checks.total > 0;
        let moved = moved_leads(&self.review.unattributed, &self.review.series);
        match moved.0.len() + moved.1.len() {
            n if n > 0 && !has_checks => {
                lines.extend(self.tiles(&self.messages.moved_tiles(moved.0.len(), moved.1.len())));
            }
            _ => lines.extend(findings),
        }
        lines.extend(checks.into_iter().filter(|_| has_checks));
        lines.extend(self.failures());
        lines.extend(self.notices());
        lines.extend(self.messages.near_limit(&self.review.series).iter().flat_map(|near| self.marked("- ", near)));
        let reported = self.review.findings.iter().filter(|finding| finding.topic() != Topic::Explained);
        let rows: Vec<Row> = reported.filter_map(|finding| self.row(finding)).collect();
        let rows = if rows.is_empty() && self.review.counts.checks.total == 0 { self.moved() } else { rows };
        let shown = rows.get(..SHOWN).unwrap_or(&rows);
        lines.extend((!shown.is_empty()).then(String::new));
        let fits = shown.iter().all(|row| row.line(shown, self.style).1 <= self.width);
        lines.extend(shown.iter().flat_map(|row| match fits {
            true => vec![row.line(shown, self.style).0],
            false => row.lines(shown, self.style, self.width),
        }));
        if rows.len() > shown.len() {
            let left = rows.len() - shown.len();
            lines.push(self.text(&self.messages.message("terminal.more", &[("n", left.into())])));
        }
        lines.join("\n") + "\n"
    }

    /// Returns a phrase as this terminal shows it.
    fn text(&self, phrase: &Phrase) -> String {
        let text = plain(&phrase.bare(self.language));
        if self.style.signs { text } else { ascii(&text) }
    }

    fn head(&self) -> String {
        let date = |at| local(at, self.messages.zone).format("%Y-%m-%d %H:%M").to_string();
        let period = self.review.period.window();
        let args = [
            ("from", date(period.start).into()),
            ("to", date(period.end).into()),
            ("zone", self.messages.zone.name().to_owned().into()),
            ("deploys", self.review.deploys.len().into()),
            ("checks", self.review.counts.checks.total.into()),
        ];
        self.text(&self.messages.message("terminal.head", &args))
    }

    /// Writes counts: `▲ Worse: 4 findings   ▼ Better: 2 findings`, on as many lines as they need.
    fn tiles(&self, tiles: &[Tile]) -> Vec<String> {
        let part = |tile: &Tile| {
            let note = self.text(&tile.note);
            let note = if note.is_empty() { note } else { format!(" ({note})") };
            let words = format!("{}: {} {}{note}", self.text(&tile.chip.word), tile.count, self.text(&tile.unit));
            let part = if self.style.signs { format!("{} {words}", tile.chip.glyph) } else { words };
            let wide = columns(&part);
            (if tile.is_zero { part } else { paint(tile.chip.class, &part, self.style) }, wide)
        };
        let between = if self.style.signs { "   " } else { ", " };
        let mut lines: Vec<String> = Vec::new();
        let mut used = 0;
        for (part, wide) in tiles.iter().map(part) {
            match lines.last_mut().filter(|_| used + columns(between) + wide <= self.width) {
                Some(line) => {
                    line.push_str(between);
                    line.push_str(&part);
                    used += columns(between) + wide;
                }
                None => {
                    lines.push(part);
                    used = wide;
                }
            }
        }
        lines
    }

    fn failures(&self) -> Vec<String> {
        let failed = self.review.sources.iter().filter_map(|source| self.messages.source_failed(source));
        failed.flat_map(|text| self.marked("! ", &text)).collect()
    }

    /// Writes the notices under one another, wrapped.
    fn notices(&self) -> Vec<String> {
        let lines = |notice: &Notice| {
            let first = if notice.is_mistake() { "! " } else { "- " };
            self.marked(first, &self.messages.notice(notice))
        };
        self.review.notices.iter().flat_map(lines).collect()
    }

    /// Writes a text wrapped, with a mark before its first line.
    fn marked(&self, mark: &str, text: &Phrase) -> Vec<String> {
        let lines = wrap(&self.text(text), self.width.clamp(40, WIDTH) - 2).into_iter().enumerate();
        lines.map(|(index, line)| format!("{}{line}", if index == 0 { mark } else { "  " })).collect()
    }

    /// Returns what changed with no deploy near, what is for the worse first.
    fn moved(&self) -> Vec<Row> {
        let (worse, better) = moved_leads(&self.review.unattributed, &self.review.series);
        let row = |change: &Unattributed| {
            let chip = self.messages.moved(change);
            let word = self.text(&chip.word).to_uppercase();
            let at = local(change.at.from.ms(), self.messages.zone).format("%m-%d %H:%M").to_string();
            Row {
                class: chip.class,
                columns: [
                    if self.style.signs { format!("{} {word}", chip.glyph) } else { format!("[{word}]") },
                    at,
                    plain(&change.service),
                    shorten(&plain(&change.target), TARGET_WIDTH, self.style),
                    plain(&change.signal),
                    self.text(&self.messages.plain(change::moved_levels(change))),
                    self.text(&self.messages.plain(Readable::moved(change).value())),
                    String::new(),
                ],
            }
        };
        worse.into_iter().chain(better).map(row).collect()
    }

    fn row(&self, finding: &Finding) -> Option<Row> {
        let comparison = finding.comparison.as_deref()?;
        let deploys: Vec<String> = finding.deploy_group.iter().map(|id| plain(id)).collect();
        let name = shorten(&plain(&finding.target), TARGET_WIDTH, self.style);
        let about = self.messages.about_as(finding, self.messages.plain(name));
        let change = match (finding.topic(), finding.until) {
            (Topic::Burst, Some(until)) => self.until(change::seen_change(comparison)?, until),
            (_, until) => {
                let own = Readable::of(comparison)?;
                let value = self.text(&self.messages.plain(own.value()));
                let change = match own.range() {
                    // An interval with an open end has no numbers to show.
                    range if range.en == NONE => value,
                    range => format!("{value} [{}]", self.text(&self.messages.localized(&range))),
                };
                match until.filter(|_| finding.is_over()) {
                    Some(until) => self.until(change, until),
                    None => change,
                }
            }
        };
        Some(Row {
            class: self.messages.topic(finding.topic()).class,
            columns: [
                self.label(finding.topic()),
                plain(&finding.id),
                plain(&finding.service),
                self.text(&about),
                plain(&finding.signal),
                self.text(&self.messages.plain(change::seen_levels(comparison))),
                change,
                format!("#{} {}", finding.number, deploys.join(", ")),
            ],
        })
    }

    /// Writes a change that did not last.
    fn until(&self, change: String, until: Instant) -> String {
        let until = local(until.ms(), self.messages.zone).format("%m-%d %H:%M").to_string();
        self.text(&self.messages.message("terminal.until", &[("change", change.into()), ("until", until.into())]))
    }

    /// Writes what a finding reports: `▲ WORSE`, or `[WORSE]`.
    fn label(&self, topic: Topic) -> String {
        let chip = self.messages.topic(topic);
        if self.style.signs {
            return format!("{} {}", chip.glyph, chip.word.bare(self.language).to_uppercase());
        }
        match topic {
            Topic::Worse => "[WORSE]",
            Topic::PossiblyWorse => "[POSSIBLY]",
            Topic::Burst => "[BURST]",
            Topic::Better => "[BETTER]",
            Topic::Explained => "[EXPLAINED]",
        }
        .to_owned()
    }
}

/// One finding: label, id, service, target, signal, levels, change, deploys; without a deploy, when it was instead of an id.
struct Row {
    class: &'static str,
    columns: [String; 8],
}

impl Row {
    /// Writes what it is about, and below it what was measured.
    fn lines(&self, all: &[Self], style: Style, width: usize) -> Vec<String> {
        let [label, id, service, about, signal, levels, change, deploys] = &self.columns;
        let indent = all.iter().map(|row| columns(&row.columns[0])).max().unwrap_or(0) + 2;
        let room = width.saturating_sub(indent).max(20);
        let padded = format!("{label}{}", " ".repeat(indent - columns(label)));
        let first = shorten(&format!("{id}  {service}  {about}"), room, style);
        let second = [signal, levels, change, deploys].map(String::as_str);
        let second: Vec<&str> = second.into_iter().filter(|text| !text.is_empty()).collect();
        let second = wrap(&second.join("  "), room).into_iter().map(|line| format!("{}{line}", " ".repeat(indent)));
        std::iter::once(format!("{}{first}", paint(self.class, &padded, style))).chain(second).collect()
    }

    /// Writes the row with every column as wide as its widest neighbour; returns how many columns it takes as well.
    fn line(&self, all: &[Self], style: Style) -> (String, usize) {
        let mut line = String::new();
        let (mut used, mut wide) = (0, 0);
        for (index, text) in self.columns.iter().enumerate() {
            let widths = all.iter().filter_map(|row| row.columns.get(index)).map(|text| columns(text));
            let padding = widths.max().unwrap_or(0).saturating_sub(columns(text));
            let padded = format!("{text}{}", " ".repeat(padding));
            if !text.is_empty() {
                wide = used + columns(text);
            }
            used += columns(text) + padding + 2;
            line.push_str(&if index == 0 { paint(self.class, &padded, style) } else { padded });
            line.push_str("  ");
        }
        line.truncate(line.trim_end().len());
        (line, wide)
    }
}

/// Colours by the class of a verdict; red and green are never set against each other.
pub(super) fn paint(class: &str, text: &str, style: Style) -> String {
    let code = match class {
        "worse" => "1;31",
        "possibly_worse" => "33",
        "better" => "36",
        _ => return text.to_owned(),
    };
    if style.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Exchanges the signs of numbers for what every terminal can show.
pub(super) fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '−' | '–' => plain.push('-'),
            '→' => plain.push_str("->"),
            '×' => plain.push('x'),
            '…' => plain.push_str("..."),
            '±' => plain.push_str("+-"),
            'µ' => plain.push('u'),
            c => plain.push(c),
        }
    }
    plain
}

/// Aligns rows of plain text into columns, one line a row; `left`: the columns set to the left.
pub(crate) fn columns_of(rows: &[Vec<String>], left: &[usize]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|text| text.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|index| width(index).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(index, (text, width))| match left.contains(&index) {
            true => format!("{text:<width$}"),
            false => format!("{text:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Cuts a text to so many columns, with dots where something is missing.
pub(super) fn shorten(text: &str, width: usize, style: Style) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let dots = if style.signs { "…" } else { "..." };
    let room = width.saturating_sub(columns(dots));
    let mut used = 0;
    let fits = |c: &char| {
        used += if is_wide(*c) { 2 } else { 1 };
        used <= room
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}{dots}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::tests::{reviewed, sample};

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(plain("GET /カード"), "GET /カード");
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}");
    }

    #[test]
    fn without_signs_and_colour_the_text_is_ascii() {
        let style = Style { colour: false, signs: false };
        let text = summary(&reviewed(), Language::En, style);
        assert!(text.is_ascii(), "{text}");
        assert!(
            text.contains("Worse: 1 finding (1 resolved), Possibly worse: 0 findings, Better: 0 findings\n"),
            "{text}"
        );
        assert!(text.contains("Ruled out: 0 checks, Not enough evidence: 0 checks, No data: 1 check\n"), "{text}");
        assert!(text.contains("184 -> 230 ms  +46 ms until 11-12 00:00  #1 d1, d2"), "{text}");
        let rich = summary(&crate::review::sample::rich(&[Language::En]).review(), Language::En, style);
        assert!(rich.contains("184 -> 230 ms  +25% [+19 to +32%]"), "{rich}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let review = crate::review::sample::rich(&[Language::En, Language::Ja]).review();
        for language in [Language::En, Language::Ja] {
            for width in [40, 60, 80, 100, 300] {
                for signs in [true, false] {
                    let style = Style { colour: false, signs };
                    let text = summary_within(&review, language, style, width);
                    for line in text.lines() {
                        assert!(columns(line) <= width, "{} of {width}: {line}", columns(line));
                    }
                    for finding in review.findings.iter().filter(|one| one.topic() != Topic::Explained) {
                        assert!(text.contains(&finding.id), "{} at {width}", finding.id);
                    }
                }
            }
            let style = Style { colour: true, signs: true };
            let plain = |text: String| {
                ["0", "1;31", "33", "36"].iter().fold(text, |text, code| text.replace(&format!("\u{1b}[{code}m"), ""))
            };
            let coloured = summary_within(&review, language, style, 200);
            let bare = summary_within(&review, language, Style { colour: false, signs: true }, 200);
            assert_eq!(plain(coloured), bare, "colour takes no columns");
        }
    }

    #[test]
    fn colour_is_on_top_of_the_words_never_instead() {
        let review = sample().review();
        let text = |colour| summary(&review, Language::En, Style { colour, signs: true });
        let plain = text(true).replace("\u{1b}[0m", "").replace("\u{1b}[1;31m", "").replace("\u{1b}[33m", "");
        assert_eq!(plain.replace("\u{1b}[36m", ""), text(false));
        assert!(text(false).contains("▲ WORSE"));
    }
}
