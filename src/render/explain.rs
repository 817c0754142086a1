//! A finding in full for the terminal: the page's words and tables, set in plain text.

use chrono_tz::Tz;

use super::calendar;
use super::columns::{columns, wrap};
use super::details::Details;
use super::i18n::{Arg, Localized, Phrase, Translator};
use super::message::Messages;
use super::sanitize;
use super::terminal::plain;
use crate::config::Language;
use crate::render::table::{Align, Cell, Table};
use crate::review::read::Explained;

/// Columns that a column of a table keeps at the least.
const LEAST: usize = 12;

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
    /// Columns of the terminal.
    pub width: usize,
}

/// Writes one finding in full; `None` if the report holds no explanation of it.
pub fn render(explained: &Explained<'_>, look: Look) -> Option<String> {
    let explanation = explained.finding.explanation.as_deref()?;
    let messages = Messages { words: Translator::new(&[look.language]), zone: look.zone };
    let details = Details::new(&messages, explained.finding, explanation);
    let mut writer = Writer { look, text: String::new() };
    let head = Head { explained, messages: &messages };
    writer.line(&head.title());
    for phrase in head.lines() {
        writer.paragraph(&phrase);
    }
    let Details { signals, inputs, verdict, hours, values, rivals, facts } = &details;
    let tables =
        [Some(signals), Some(verdict), Some(rivals), facts.as_ref(), Some(inputs), Some(hours), values.as_ref()];
    for table in tables.into_iter().flatten() {
        writer.table(table);
    }
    Some(writer.text)
}

/// What is written above the tables.
struct Head<'a> {
    explained: &'a Explained<'a>,
    messages: &'a Messages,
}

impl Head<'_> {
    /// Writes the id, the verdict and the service.
    fn title(&self) -> Phrase {
        let own = self.messages;
        let finding = self.explained.finding;
        let chip = own.topic(finding.topic());
        let chip = own.words.join(&[own.plain(chip.glyph), chip.word], &Localized::same(" "));
        let names = [&*finding.id, &*finding.service].map(|name| own.plain(sanitize::name(name)));
        let [id, service] = names;
        own.words.join(&[id, chip, service], &Localized::same("  "))
    }

    fn lines(&self) -> Vec<Phrase> {
        let own = self.messages;
        let finding = self.explained.finding;
        let join = |parts: &[Phrase]| own.words.join(parts, &Localized::same("  "));
        let mut lines = vec![own.sentence(finding), own.shape(finding)];
        lines.extend(self.explained.deploys.iter().map(|deploy| {
            let mut parts = vec![
                own.message("common.flag", &[("deploy", Arg::Flag(deploy.number))]),
                own.code(&deploy.id),
                own.stamp(deploy.at.ms()),
            ];
            let texts = [&deploy.revision, &deploy.version, &deploy.title, &deploy.author, &deploy.url];
            parts.extend(texts.iter().filter(|text| !text.is_empty()).map(|text| own.plain(sanitize::name(text))));
            join(&parts)
        }));
        let mut answers = vec![own.label("findings.owner"), own.owner(&finding.owner)];
        if !finding.runbook.is_empty() {
            answers.push(own.plain(sanitize::name(&finding.runbook)));
        }
        lines.push(join(&answers));
        let period = self.explained.period.window();
        let args = [
            ("period", Arg::from(calendar::period(period, own.zone))),
            ("zone", calendar::zone_name(period.start, own.zone).into()),
        ];
        lines.push(join(&[own.label("col.period"), own.message("head.period", &args)]));
        lines.retain(|line| !line.is_empty());
        lines
    }
}

struct Writer {
    look: Look,
    text: String,
}

impl Writer {
    fn phrase(&self, phrase: &Phrase) -> String {
        plain(&phrase.bare(self.look.language))
    }

    /// Writes a heading.
    fn line(&mut self, phrase: &Phrase) {
        for text in wrap(&self.phrase(phrase), self.look.width) {
            let line = if self.look.bold { format!("\u{1b}[1m{text}\u{1b}[0m\n") } else { format!("{text}\n") };
            self.text.push_str(&line);
        }
    }

    fn paragraph(&mut self, phrase: &Phrase) {
        for line in wrap(&self.phrase(phrase), self.look.width) {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    fn cell(&self, cell: &Cell) -> String {
        let chip =
            cell.chip.as_ref().map_or_else(String::new, |chip| format!("{} {}", chip.glyph, self.phrase(&chip.word)));
        let note = self.phrase(&cell.note);
        let note = if note.is_empty() { note } else { format!("({note})") };
        let parts = [chip, self.phrase(&cell.text), note];
        parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }

    /// Writes a table: columns as wide as they need to be, what does not fit wrapped inside of its column.
    fn table(&mut self, table: &Table) {
        self.text.push('\n');
        self.line(&table.caption);
        // Two columns of term and value need no headings.
        let heads = (table.columns.len() > 2)
            .then(|| table.columns.iter().map(|column| self.phrase(&column.label)).collect::<Vec<_>>());
        let rows: Vec<Vec<String>> = heads
            .into_iter()
            .chain(table.rows.iter().map(|row| row.iter().map(|cell| self.cell(cell)).collect()))
            .collect();
        let widths = widths(&rows, table.columns.len(), self.look.width);
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
fn widths(rows: &[Vec<String>], count: usize, most: usize) -> Vec<usize> {
    let need = |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|text| columns(text)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..count).map(need).collect();
    loop {
        let total: usize = widths.iter().map(|width| width + GAP).sum();
        let widest = widths.iter().enumerate().max_by_key(|(_, width)| **width).map(|(index, _)| index);
        let Some(width) = widest.and_then(|index| widths.get_mut(index)) else { return widths };
        if total <= most || *width <= LEAST {
            return widths;
        }
        *width -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::sample;

    fn texts(languages: &[Language], width: usize) -> (usize, Vec<String>) {
        let review = sample::rich(languages).review();
        let mut texts = Vec::new();
        for language in languages {
            let look = Look { language: *language, zone: sample::TOKYO, bold: false, width };
            let explained = review.findings.iter().map(|one| Explained::new(&review.period, &review.deploys, one));
            texts.extend(explained.filter_map(|explained| render(&explained, look)));
        }
        (review.findings.len(), texts)
    }

    #[test]
    fn every_finding_is_printed_within_the_width_in_both_languages() {
        let all = [72, 80, 100].map(|width| (width, texts(&[Language::En, Language::Ja], width)));
        for (width, text) in all.iter().flat_map(|(width, (_, texts))| texts.iter().map(move |text| (*width, text))) {
            assert!(text.lines().count() > 40, "{text}");
            for line in text.lines() {
                assert!(columns(line) <= width, "{} columns of {width}: {line}", columns(line));
            }
            for bad in ["NaN", "inf%", "{n}", "{share}", "{names}", "\u{1b}", "\u{202E}"] {
                assert!(!text.contains(bad), "{bad:?} in {text}");
            }
        }
    }
}
