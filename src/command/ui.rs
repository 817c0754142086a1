//! What a person at the terminal sees besides the data: summaries, next steps, progress.

use crate::config::Language;
use crate::render::terminal::{self, Style};
use crate::review::Review;

/// How to talk on standard error.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    /// Say what came out.
    pub summary: bool,
    /// Say it as a log record instead of lines for people.
    pub as_record: bool,
    /// Show how far the work is.
    pub progress: bool,
    /// Colours and signs.
    pub style: Style,
    /// Text on standard output may be set bold and in colour.
    pub colour_data: bool,
    /// Standard output shows signs such as ▲ and →.
    pub signs_data: bool,
}

impl Ui {
    /// Returns how text on standard output looks.
    pub(super) fn data_style(&self) -> Style {
        Style { colour: self.colour_data, signs: true }
    }

    /// Returns how many columns there are for text on standard output: the terminal's, between 40 and 100, else 80.
    pub(super) fn width(&self) -> usize {
        terminal_size::terminal_size_of(std::io::stdout()).map_or(80, |(width, _)| usize::from(width.0).clamp(40, 100))
    }

    /// Says how the work goes on, on a line of its own.
    pub(super) fn say(&self, line: &str) {
        if self.as_record {
            tracing::info!("{line}");
        } else if self.summary {
            // If writing to stderr fails, there is nothing else to do.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
        }
    }

    /// Says which commands to go on with.
    pub(super) fn next(self, commands: &[String]) {
        if self.as_record {
            tracing::info!(next = commands.join("; "), "written");
        } else if self.summary {
            let lines: String = commands.iter().map(|command| format!("next: {command}\n")).collect();
            // Standard error that is gone is no reason to fail: the files are written.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), lines.as_bytes());
        }
    }

    /// Prints what was found, and the command to go on with.
    pub(super) fn print_summary(self, review: &Review, next: Option<String>) {
        if self.as_record {
            let findings = review.counts.findings;
            tracing::info!(
                worse = findings.worse,
                possibly_worse = findings.possibly_worse,
                better = findings.better,
                findings = findings.total,
                checks = review.counts.checks.total,
                "judged"
            );
        } else if self.summary {
            // If writing to stderr fails there is nothing else to do: the report is written.
            // What is not read on a terminal keeps one line a finding.
            let width = terminal_size::terminal_size_of(std::io::stderr());
            let width = width.map_or(usize::MAX, |(width, _)| usize::from(width.0).max(40));
            let mut summary = terminal::summary_within(review, Language::En, self.style, width);
            if let Some(next) = next {
                summary.push_str(&format!("next: {next}\n"));
            }
            let _ = std::io::Write::write_all(&mut std::io::stderr(), summary.as_bytes());
        }
    }
}
