//! A finding in full for the terminal: the page's words and tables, set in plain text.

use chrono_tz::Tz;

use super::read::{Document, Told};
use super::sheet::{self, Sheet, Subject};
use crate::config::Language;
use crate::model::metric::{Class, Unit};
use crate::model::time::{Window, parse_instant};
use crate::render::model::glyph;
use crate::render::model::view::{Align, Cell, Table};
use crate::render::number::{self, Effect};
use crate::render::text::plain;
use crate::render::words::{Arg, Both, Phrase, Words};
use crate::render::{calendar, clean};

/// Columns of text: a line fits on a usual terminal and into a mail.
const WIDTH: usize = 100;

/// Columns that the last column of a table keeps at the least.
const LEAST: usize = 24;

/// Space between columns.
const GAP: usize = 2;

/// How the text is written.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The language.
    pub language: Language,
    /// The time zone of dates.
    pub zone: Tz,
    /// Headings are set bold.
    pub bold: bool,
}

/// Writes one finding in full; `None` if the report holds no explanation of it.
pub fn render(document: &Document, finding: &Told, look: Look) -> Option<String> {
    let explanation = finding.explanation.as_deref()?;
    let words = Words::new(&[look.language]);
    let unit = Unit::parse(&finding.unit).or_else(|| Unit::parse("count"))?;
    let subject = Subject { service: &finding.service, target: &finding.target, signal: &finding.signal, unit };
    let sheet = sheet::sheet(&words, look.zone, subject, explanation);
    let mut writer = Writer { look, text: String::new() };
    let head = Head { document, finding, words: &words, zone: look.zone, unit };
    writer.line(&head.title());
    for phrase in head.lines() {
        writer.paragraph(&phrase);
    }
    let Sheet { signals, inputs, verdict, hours, values, rivals, facts } = &sheet;
    let tables =
        [Some(signals), Some(verdict), Some(rivals), facts.as_ref(), Some(inputs), Some(hours), values.as_ref()];
    for table in tables.into_iter().flatten() {
        writer.table(table);
    }
    Some(writer.text)
}

/// What stands above the tables.
struct Head<'a> {
    document: &'a Document,
    finding: &'a Told,
    words: &'a Words,
    zone: Tz,
    unit: Unit,
}

impl Head<'_> {
    /// Writes the id, the verdict and the service.
    fn title(&self) -> Phrase {
        let verdict = sheet::verdict_of(&self.finding.verdict);
        let chip = verdict.map_or_else(Phrase::default, |verdict| {
            let word = self.words.label(&format!("verdict.{}", verdict.as_str()));
            self.words.join(&[self.words.plain(glyph(verdict)), word], &Both::same(" "))
        });
        let parts = [
            self.words.plain(clean::name(&self.finding.id)),
            chip,
            self.words.plain(clean::name(&self.finding.service)),
        ];
        self.words.join(&parts, &Both::same("  "))
    }

    fn lines(&self) -> Vec<Phrase> {
        let mut lines = vec![self.sentence(), self.shape()];
        lines.extend(self.document.deploys_of(self.finding).into_iter().map(|deploy| {
            let mut parts = vec![
                self.words.say("common.flag", &[("deploy", Arg::Flag(deploy.number))]),
                self.words.code(clean::name(&deploy.id)),
            ];
            if let Some(at) = parse_instant(&deploy.at, self.zone) {
                parts.push(self.words.both(&calendar::stamp(at, self.zone)));
            }
            let texts = [&deploy.revision, &deploy.title, &deploy.author, &deploy.url];
            parts.extend(texts.iter().filter(|text| !text.is_empty()).map(|text| self.words.plain(clean::name(text))));
            self.words.join(&parts, &Both::same("  "))
        }));
        let owner = match self.finding.owner.as_str() {
            "" => self.words.label("common.nobody"),
            owner => self.words.plain(clean::name(owner)),
        };
        let mut answers = vec![self.words.label("findings.owner"), owner];
        if !self.finding.runbook.is_empty() {
            answers.push(self.words.plain(clean::name(&self.finding.runbook)));
        }
        lines.push(self.words.join(&answers, &Both::same("  ")));
        let ends = [&self.document.period.from, &self.document.period.to].map(|text| parse_instant(text, self.zone));
        if let [Some(from), Some(to)] = ends {
            let period = self.words.both(&calendar::period(Window::new(from, to), self.zone));
            let zone = self.words.plain(calendar::zone_name(from, self.zone));
            let period = self.words.say("head.period", &[("period", period.into()), ("zone", zone.into())]);
            let parts = [self.words.label("col.period"), period];
            lines.push(self.words.join(&parts, &Both::same("  ")));
        }
        lines.retain(|line| !line.is_empty());
        lines
    }

    /// Writes what happened, with every number, in one sentence.
    fn sentence(&self) -> Phrase {
        let Some(own) = &self.finding.explanation else { return Phrase::default() };
        let class = match own.inputs.class {
            Class::Latency => "latency",
            Class::Errors => "errors",
            Class::Saturation => "saturation",
            Class::Traffic | Class::Other => "other",
        };
        let verdict = match self.finding.verdict.as_str() {
            known @ ("worse" | "possibly_worse" | "better") => known,
            _ => "explained",
        };
        let signal = sheet::signal_name(self.words, &self.finding.signal);
        let args = [
            ("target", Arg::Code(clean::name(&self.finding.target))),
            ("signal", signal.clone().into()),
            ("deploy", Arg::Flag(self.finding.number)),
        ];
        let headline = self.words.say(&format!("headline.{verdict}.{class}"), &args);
        let (Some(change), Some(limit)) = (&own.estimate, &own.limit) else { return headline };
        let effect = sheet::effect(change, self.unit);
        let limit = super::Change { value: Some(limit.value), low: None, high: None, ..*change };
        let limit = sheet::effect(&limit, self.unit);
        // A change that something else explains is told as it was seen, the rest beside it.
        let plain = own.rivals.iter().find_map(|check| check.plain.filter(|_| verdict == "explained"));
        let base = |value: Option<f64>| value.map(|value| value * self.unit.factor);
        let before = base(self.finding.before);
        let (levels, told, key) = match plain {
            Some(ratio) => (
                number::levels(before, before.map(|before| before * ratio), self.unit),
                number::change(ratio.ln()),
                "findings.sentence_left",
            ),
            None => (number::levels(before, base(self.finding.after), self.unit), effect.value(), "findings.sentence"),
        };
        let Effect { is_delta, unit, .. } = limit;
        let args = [
            ("headline", Arg::from(headline)),
            ("signal", signal.into()),
            ("levels", levels.into()),
            ("change", told.into()),
            ("range", effect.range().into()),
            ("limit", number::size(limit.estimate.value, is_delta, unit).into()),
        ];
        self.words.say(key, &args)
    }

    /// Writes the shape over time.
    fn shape(&self) -> Phrase {
        let mut sentences = Vec::new();
        match self.finding.pattern.as_deref() {
            Some("recovered") => {
                if let Some(until) = self.finding.until.as_deref().and_then(|at| parse_instant(at, self.zone)) {
                    let stamp = self.words.both(&calendar::stamp(until, self.zone));
                    sentences.push(self.words.say("pattern.recovered", &[("until", stamp.into())]));
                }
                if let Some(number) = self.finding.by.as_deref().and_then(|id| self.document.number_of(id)) {
                    sentences.push(self.words.say("pattern.recovered_by", &[("deploy", Arg::Flag(number))]));
                }
            }
            Some(known @ ("sustained" | "burst" | "tail_only")) => {
                sentences.push(self.words.label(&format!("pattern.{known}")));
            }
            _ => {}
        }
        self.words.sentences(&sentences)
    }
}

struct Writer {
    look: Look,
    text: String,
}

impl Writer {
    fn say(&self, phrase: &Phrase) -> String {
        plain(&phrase.bare(self.look.language))
    }

    /// Writes a heading.
    fn line(&mut self, phrase: &Phrase) {
        let text = self.say(phrase);
        self.text.push_str(&if self.look.bold { format!("\u{1b}[1m{text}\u{1b}[0m\n") } else { format!("{text}\n") });
    }

    fn paragraph(&mut self, phrase: &Phrase) {
        for line in wrap(&self.say(phrase), WIDTH) {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    fn cell(&self, cell: &Cell) -> String {
        let chip =
            cell.chip.as_ref().map_or_else(String::new, |chip| format!("{} {}", chip.glyph, self.say(&chip.word)));
        let note = self.say(&cell.note);
        let note = if note.is_empty() { note } else { format!("({note})") };
        let parts = [chip, self.say(&cell.text), note];
        parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }

    /// Writes a table: columns as wide as they need to be, what does not fit wrapped inside of its column.
    fn table(&mut self, table: &Table) {
        self.text.push('\n');
        self.line(&table.caption);
        // Two columns of term and value need no headings.
        let heads = (table.columns.len() > 2)
            .then(|| table.columns.iter().map(|column| self.say(&column.label)).collect::<Vec<_>>());
        let rows: Vec<Vec<String>> = heads
            .into_iter()
            .chain(table.rows.iter().map(|row| row.iter().map(|cell| self.cell(cell)).collect()))
            .collect();
        let widths = widths(&rows, table.columns.len());
        for row in &rows {
            self.row(row, &widths, table);
        }
        self.paragraph(&table.more);
    }

    fn row(&mut self, row: &[String], widths: &[usize], table: &Table) {
        let cells: Vec<Vec<String>> = row.iter().zip(widths).map(|(text, width)| wrap(text, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for index in 0..height {
            let mut line = String::new();
            for ((lines, width), column) in cells.iter().zip(widths).zip(&table.columns) {
                let text = lines.get(index).map_or("", String::as_str);
                let padding = " ".repeat(width.saturating_sub(columns(text)));
                line.push_str(&" ".repeat(GAP));
                match column.align {
                    Align::Number => line.push_str(&format!("{padding}{text}")),
                    _ => line.push_str(&format!("{text}{padding}")),
                }
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}

/// Returns how wide each column is: what it needs, the widest cut down until a line fits.
fn widths(rows: &[Vec<String>], count: usize) -> Vec<usize> {
    let need = |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|text| columns(text)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..count).map(need).collect();
    loop {
        let total: usize = widths.iter().map(|width| width + GAP).sum();
        let widest = widths.iter().enumerate().max_by_key(|(_, width)| **width).map(|(index, _)| index);
        let Some(width) = widest.and_then(|index| widths.get_mut(index)) else { return widths };
        if total <= WIDTH || *width <= LEAST {
            return widths;
        }
        *width -= 1;
    }
}

/// Breaks a text into lines of at most `width` columns: at spaces, and between characters that need none.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in pieces(text) {
        let wide = columns(word);
        if used > 0 && used + columns(word.trim_end()) > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if wide <= width.max(1) {
            line.push_str(word);
            used += wide;
            continue;
        }
        // A name longer than a line is broken anywhere.
        for c in word.chars() {
            let wide = columns(c.encode_utf8(&mut [0; 4]));
            if used + wide > width && used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

/// Splits a text into pieces that are not broken: words with the spaces after them, and single wide characters with
/// the punctuation that must not begin a line.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut previous: Option<char> = None;
    for (at, c) in text.char_indices() {
        let breaks = previous.is_some_and(|previous| {
            let after_space = previous == ' ' && c != ' ';
            let beside_wide = (is_wide(previous) || is_wide(c)) && c != ' ';
            let is_held = "、。：；）」』！？ー〜".contains(c) || "（「『".contains(previous);
            after_space || (beside_wide && !is_held)
        });
        if breaks {
            pieces.push(text.get(start..at).unwrap_or_default());
            start = at;
        }
        previous = Some(c);
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

/// Returns how many columns of a terminal a text takes.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Tells whether a terminal gives a character two columns: the wide and full-width blocks of Unicode's East Asian Width.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xA960..=0xA97F | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1F64F | 0x1F900..=0x1F9FF | 0x20000..=0x3FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use crate::render::{explain, json};

    fn documents(languages: &[Language]) -> (Document, Vec<String>) {
        let input = sample::rich(languages);
        let json = json::Input {
            judgement: &input.judgement,
            events: &input.events,
            sources: &input.states,
            config: &input.config,
            generated_at: 0,
        };
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("report.json");
        std::fs::write(&path, json::render(&json).expect("rendered")).expect("written");
        let document = explain::read::open(&path).expect("read");
        let mut texts = Vec::new();
        for language in languages {
            let look = Look { language: *language, zone: sample::TOKYO, bold: false };
            texts.extend(document.findings.iter().filter_map(|finding| render(&document, finding, look)));
        }
        (document, texts)
    }

    #[test]
    fn every_finding_is_told_within_the_width_in_both_languages() {
        let (document, texts) = documents(&[Language::En, Language::Ja]);
        assert_eq!(texts.len(), document.findings.len() * 2);
        for text in texts {
            assert!(text.lines().count() > 40, "{text}");
            for line in text.lines() {
                assert!(columns(line) <= WIDTH + GAP, "{} columns: {line}", columns(line));
            }
            for bad in ["NaN", "inf%", "{n}", "{share}", "{names}", "\u{1b}", "\u{202E}"] {
                assert!(!text.contains(bad), "{bad:?} in {text}");
            }
        }
    }

    #[test]
    fn japanese_is_broken_between_characters_and_not_before_its_punctuation() {
        assert_eq!(wrap("悪化、改善。", 4), ["悪", "化、", "改", "善。"]);
        assert_eq!(wrap("a long line", 6), ["a long", "line"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), Vec::<String>::new());
        assert_eq!(columns("GET /カード"), 11);
    }
}
