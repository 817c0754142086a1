//! The report as Markdown for wikis and meeting notes: the same words, without charts.
//!
//! Headings stay the same from report to report, so that links into a wiki page keep working.

use super::escape;
use super::i18n::Phrase;
use super::view::Page;
use super::view::parts::{Block, Card, Change, DeployRow, Link, Section, TargetLine, Which};
use crate::config::Language;
use crate::render::table::{Align, Cell, Table};

/// Writes the report in the page's first language.
pub fn render(page: &Page) -> String {
    Writer { page, language: page.first(), text: String::new() }.write()
}

struct Writer<'a> {
    page: &'a Page,
    language: Language,
    text: String,
}

impl Writer<'_> {
    fn write(mut self) -> String {
        let page = self.page;
        let name = self.phrase(&page.label("page.title"));
        let team = escape::markdown(&page.head.team);
        self.line(&format!(
            "# {}",
            [team, name].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
        ));
        for phrase in [&page.head.period, &page.head.scope, &page.head.badge.1] {
            let text = self.phrase(phrase);
            self.line(&format!("- {text}"));
        }
        self.answer();
        self.deploys();
        self.findings();
        for section in page.main.iter().chain(&page.reference) {
            self.section(section);
        }
        self.text
    }

    fn phrase(&self, phrase: &Phrase) -> String {
        phrase.markdown(self.language)
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn heading(&mut self, level: usize, phrase: &Phrase) {
        let text = self.phrase(phrase);
        self.line(&format!("\n{} {text}\n", "#".repeat(level)));
    }

    fn paragraph(&mut self, phrase: &Phrase) {
        if !phrase.is_empty() {
            let text = self.phrase(phrase);
            self.line(&format!("{text}\n"));
        }
    }

    fn answer(&mut self) {
        let page = self.page;
        self.heading(2, &page.label("nav.answer"));
        let sentence = self.phrase(&page.answer.sentence);
        self.line(&format!("**{sentence}**\n"));
        self.paragraph(&page.answer.rest);
        for tile in &page.answer.tiles {
            let (word, unit) = (self.phrase(&tile.chip.word), self.phrase(&tile.unit));
            let note = self.phrase(&tile.note);
            let note = if note.is_empty() { note } else { format!(" ({note})") };
            self.line(&format!("- {} {word}: {} {unit}{note}", tile.chip.glyph, tile.count));
        }
        self.line("");
        for note in &page.answer.notes {
            self.paragraph(note);
        }
    }

    fn deploys(&mut self) {
        let page = self.page;
        self.heading(2, &page.label("nav.deploys"));
        self.paragraph(&page.deploys.lead);
        if !page.deploys.rows.is_empty() {
            let keys = ["col.number", "col.service", "col.when", "col.what", "col.verdict", "col.change"];
            let labels: Vec<String> = keys.iter().map(|key| self.phrase(&page.label(key))).collect();
            self.row(&labels);
            self.row(&vec!["---".to_owned(); labels.len()]);
            for row in &page.deploys.rows {
                self.deploy(row);
            }
            self.line("");
        }
        self.paragraph(&page.deploys.more);
        if let Some(others) = &page.deploys.others {
            self.table(others);
        }
    }

    fn deploy(&mut self, row: &DeployRow) {
        for (index, change) in row.changes.iter().enumerate() {
            let cells = if index == 0 {
                let verdict = format!("{} {}", row.chip.glyph, self.phrase(&row.chip.word));
                let effect = [self.phrase(&row.effect), self.phrase(&row.range)].join(" ");
                vec![
                    row.number.to_string(),
                    escape::markdown_code(&row.service),
                    self.phrase(&change.at),
                    self.change(change),
                    verdict,
                    effect.trim().to_owned(),
                ]
            } else {
                vec![
                    String::new(),
                    String::new(),
                    self.phrase(&change.at),
                    self.change(change),
                    String::new(),
                    String::new(),
                ]
            };
            self.row(&cells);
        }
    }

    fn change(&self, change: &Change) -> String {
        let parts = [self.phrase(&change.kind), escape::markdown_code(&change.revision), self.link(&change.title)];
        parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }

    fn link(&self, link: &Link) -> String {
        let text = self.phrase(&link.text);
        if link.href.is_empty() { text } else { format!("[{text}](<{}>)", escape::markdown_href(&link.href)) }
    }

    fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    fn findings(&mut self) {
        let page = self.page;
        self.heading(2, &page.label("nav.findings"));
        self.paragraph(&page.findings.lead);
        for card in &page.findings.cards {
            self.card(card);
        }
        if let Some(others) = &page.findings.others {
            self.table(others);
        }
    }

    fn card(&mut self, card: &Card) {
        let page = self.page;
        let word = self.phrase(&card.chip.word);
        self.line(&format!("### {} {} {word}\n", escape::markdown(&card.id), card.chip.glyph));
        self.paragraph(&card.sentence);
        let service = escape::markdown_code(&card.service);
        let label = self.phrase(&page.label("col.service"));
        let thin = self.phrase(&card.thin);
        let thin = if thin.is_empty() { thin } else { format!(" · {thin}") };
        self.line(&format!("- {label}: {service} [{}]{thin}", card.number));
        for fact in &card.facts {
            let (label, value, note) = (self.phrase(&fact.label), self.phrase(&fact.value), self.phrase(&fact.note));
            self.line(&format!("- {label}: {value} ({note})"));
        }
        self.which(&card.which);
        let sure = self.phrase(&card.sure);
        if !sure.is_empty() {
            let label = self.phrase(&page.label("findings.sure"));
            self.line(&format!("- {label}: {sure}"));
        }
        for hint in &card.hints {
            let (what, fit, evidence) = (self.phrase(&hint.what), self.phrase(&hint.fit), self.phrase(&hint.evidence));
            self.line(&format!("- {} {what}: {fit} — {evidence}", hint.glyph));
        }
        let (label, owner) = (self.phrase(&page.label("findings.owner")), self.phrase(&card.owner));
        let runbook = card.runbook.as_ref().map_or_else(String::new, |link| format!(" · {}", self.link(link)));
        self.line(&format!("- {label}: {owner}{runbook}\n"));
    }

    fn which(&mut self, which: &Which) {
        if which.targets.is_empty() {
            return;
        }
        let label = self.phrase(&self.page.label("findings.targets"));
        self.line(&format!("- {label}:"));
        let line = |target: &TargetLine| {
            let chip = target.chip.as_ref().map_or_else(String::new, |chip| format!(" ({})", self.phrase(&chip.word)));
            format!("  - {} {}{chip}", self.phrase(&target.name), self.phrase(&target.what))
        };
        let mut lines: Vec<String> = which.targets.iter().map(line).collect();
        let more = self.phrase(&which.more);
        lines.extend(Some(format!("  - {more}")).filter(|_| !more.is_empty()));
        lines.extend(which.behind.iter().map(line));
        for line in lines {
            self.line(&line);
        }
    }

    fn section(&mut self, section: &Section) {
        self.heading(2, &section.title);
        for block in &section.blocks {
            match block {
                Block::Text(text) => self.paragraph(text),
                Block::Heading(text) => self.heading(3, text),
                Block::Table(table) | Block::Folded(_, table) => self.table(table),
                // The table below the charts holds their numbers.
                Block::Multiples(_) => {}
                Block::Glossary(terms) => {
                    for (term, meaning) in terms {
                        let (term, meaning) = (self.phrase(term), self.phrase(meaning));
                        self.line(&format!("- **{term}**: {meaning}"));
                    }
                    self.line("");
                }
            }
        }
    }

    fn table(&mut self, table: &Table) {
        let shown: Vec<usize> = table
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.align != Align::Chart)
            .map(|(index, _)| index)
            .collect();
        let caption = self.phrase(&table.caption);
        self.line(&format!("**{caption}**\n"));
        let labels: Vec<String> = shown
            .iter()
            .filter_map(|index| table.columns.get(*index))
            .map(|column| self.phrase(&column.label))
            .collect();
        self.row(&labels);
        let rules: Vec<String> = shown
            .iter()
            .filter_map(|index| table.columns.get(*index))
            .map(|column| if column.align == Align::Number { "---:" } else { "---" }.to_owned())
            .collect();
        self.row(&rules);
        for row in &table.rows {
            let cells: Vec<String> =
                shown.iter().filter_map(|index| row.get(*index)).map(|cell| self.cell(cell)).collect();
            self.row(&cells);
        }
        self.line("");
        self.paragraph(&table.more);
    }

    fn cell(&self, cell: &Cell) -> String {
        let chip =
            cell.chip.as_ref().map_or_else(String::new, |chip| format!("{} {}", chip.glyph, self.phrase(&chip.word)));
        let text = match cell.href.as_deref().filter(|href| !href.starts_with('#')) {
            Some(href) => self.link(&Link { href: href.to_owned(), text: cell.text.clone() }),
            None => self.phrase(&cell.text),
        };
        let note = self.phrase(&cell.note);
        let note = if note.is_empty() { note } else { format!("({note})") };
        [chip, text, note].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::view;
    use crate::review::sample;

    fn write(input: &sample::Input) -> String {
        render(&view::build(&input.review()))
    }

    #[test]
    fn names_cannot_become_markup() {
        let text = write(&sample::rich(&[Language::En, Language::Ja]));
        // Between backticks nothing is markup; what is left must hold none from a name.
        let running: String = text.split('`').step_by(2).collect();
        for bad in ["<", "\u{202E}", "\u{1b}", "@"] {
            assert!(!running.replace("](<https", "").contains(bad), "{bad}");
        }
        assert!(!text.contains("](<javascript"));
    }

    #[test]
    fn every_row_has_as_many_cells_as_its_head() {
        let text = write(&sample::rich(&[Language::En]));
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
            let counts: Vec<usize> = table.lines().filter(|line| line.starts_with('|')).map(bars).collect();
            assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
        }
    }

    #[test]
    fn speaks_the_first_language_alone() {
        let text = write(&sample::quiet(&[Language::Ja, Language::En]));
        assert!(text.contains("## 結論") && !text.contains("The answer"));
    }
}
