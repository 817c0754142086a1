//! One thing that a person should know about a run: an error, a warning, or a count of rows that were ignored.
//!
//! A diagnostic travels from where it happens to where it is shown as a value. No room puts causes or advice into
//! the text and no room takes them out of it again: [`message`](Diagnostic::message) says what happened,
//! [`causes`](Diagnostic::causes) say why, and [`help`](Diagnostic::help) says what to do next.

use std::error::Error;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a diagnostic matters. The most severe is the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is missing; it helps to read the report.
    Info,
    /// The report goes on with less, or with something repaired.
    Warning,
    /// A source, a segment or a step failed.
    Error,
}

/// Where on the way from config to page it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Reading the config or its query lists.
    Config,
    /// Asking a source, or reading its files.
    Source,
    /// Reading or writing the store.
    Store,
    /// Judging.
    Detect,
    /// Rendering a page.
    Render,
    /// Publishing what was rendered.
    Publish,
}

/// One thing that a person should know about a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// Where it happened.
    pub stage: Stage,
    /// What it is about: the id of a source, `store`, a file. Comes from outside: escape it.
    pub subject: String,
    /// Stable word, such as `duplicate_same_value`; the catalogues have a sentence for it.
    pub code: String,
    /// What happened: a lowercase fragment without its causes, one line.
    pub message: String,
    /// Why, from the nearest cause to the first one, one line each.
    #[serde(default)]
    pub causes: Vec<String>,
    /// What to do next, one step each.
    #[serde(default)]
    pub help: Vec<String>,
    /// How many rows, points or events it concerns; 0 if it counts nothing.
    #[serde(default)]
    pub count: u64,
    /// The first place, such as `series.csv:17`; empty if there is none.
    #[serde(default)]
    pub example: String,
}

impl Diagnostic {
    /// Makes a diagnostic of an error: its own text as the message, its sources as the causes.
    pub fn of_error(stage: Stage, subject: impl Into<String>, error: &dyn Error) -> Self {
        let causes = causes(error);
        Self {
            severity: Severity::Error,
            stage,
            subject: subject.into(),
            code: "failed".to_owned(),
            message: without_code(&error.to_string()),
            causes,
            help: Vec::new(),
            count: 0,
            example: String::new(),
        }
    }

    /// Makes a diagnostic that counts rows, points or events.
    pub fn counted(
        stage: Stage,
        subject: impl Into<String>,
        code: impl Into<String>,
        count: u64,
        example: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            stage,
            subject: subject.into(),
            code: code.into(),
            message: String::new(),
            causes: Vec::new(),
            help: Vec::new(),
            count,
            example: example.into(),
        }
    }

    /// Adds a next step.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Returns whether something failed, so that an exit code may have to say so.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Returns the message with its causes on one line, without the next steps.
    pub fn reason(&self) -> String {
        let parts = std::iter::once(&self.message).chain(&self.causes).filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    /// Returns the reason without the source that it begins with, for a place that names the subject itself.
    pub fn reason_alone(&self) -> String {
        let reason = self.reason();
        let rest = reason.strip_prefix(&format!("source `{}`", self.subject));
        let rest = rest.and_then(|rest| rest.strip_prefix(": ").or_else(|| rest.strip_prefix(", ")));
        rest.map_or_else(|| reason.clone(), str::to_owned)
    }
}

/// Returns what the causes of an error say, from the nearest to the first one.
///
/// Left out are layers of the network's libraries that say nothing but that there was an error, and the numbers of the
/// operating system's errors.
pub fn causes(error: &dyn Error) -> Vec<String> {
    let all = std::iter::successors(error.source(), |error: &&dyn Error| (*error).source()).take(DEEPEST);
    let texts: Vec<String> = all.map(|error| without_code(&error.to_string())).collect();
    let is_layer = |index: usize, text: &String| {
        let is_last = index + 1 == texts.len();
        !is_last && LAYERS.iter().any(|layer| text.starts_with(layer))
    };
    texts.iter().enumerate().filter(|(index, text)| !is_layer(*index, text)).map(|(_, text)| text.clone()).collect()
}

/// More than any real error has; an error that is its own cause must not hang.
const DEEPEST: usize = 24;

/// How layers begin that only pass an error on.
const LAYERS: [&str; 6] = [
    "error sending request",
    "client error (",
    "tcp connect error",
    "error trying to connect",
    "connection error",
    "request or response body error",
];

/// Returns a text without the numbers of the operating system's errors: `Connection refused (os error 111)` is for those
/// who write programs.
pub fn without_code(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once(" (os error ") {
        kept.push_str(before);
        match from.split_once(')') {
            Some((number, after)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest = after,
            _ => {
                kept.push_str(" (os error ");
                rest = from;
            }
        }
    }
    kept + rest
}

/// Adds diagnostics to those that are known: counts of the same thing add up, and nothing stands twice.
pub fn merge(known: &mut Vec<Diagnostic>, more: impl IntoIterator<Item = Diagnostic>) {
    for other in more {
        let is_same = |one: &&mut Diagnostic| {
            (one.severity, one.stage, &one.subject, &one.code)
                == (other.severity, other.stage, &other.subject, &other.code)
                && one.reason() == other.reason()
        };
        match known.iter_mut().find(is_same) {
            Some(one) => one.count += other.count,
            None => known.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("read the page")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn numbers_of_the_system_and_empty_layers_are_left_out() {
        #[derive(Debug, thiserror::Error)]
        #[error("client error (Connect)")]
        struct Layer(#[source] std::io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("source `aws`, account 1: cannot be reached")]
        struct Top(#[source] Layer);

        let error = Top(Layer(std::io::Error::from_raw_os_error(111)));
        let diagnostic = Diagnostic::of_error(Stage::Source, "aws", &error);
        assert_eq!(diagnostic.reason(), "source `aws`, account 1: cannot be reached: Connection refused");
        assert_eq!(diagnostic.reason_alone(), "account 1: cannot be reached: Connection refused");
        let other = Diagnostic { subject: "aw".to_owned(), ..diagnostic };
        assert!(other.reason_alone().starts_with("source `aws`"), "another source's name stays");
        // A layer that is all there is stays, and so does what only looks like a number.
        assert_eq!(causes(&Layer(std::io::Error::other("tcp connect error"))), ["tcp connect error"]);
        for kept in ["", "(os error 2)", "x (os error two) y", "x (os error 2", "naïve (os error "] {
            assert_eq!(without_code(kept), kept);
        }
        assert_eq!(without_code("a (os error 2): b (os error 111)"), "a: b");
    }

    #[test]
    fn an_error_keeps_its_causes_apart_from_its_message() {
        let error = Outer(std::io::Error::other("the disk is full"));
        let diagnostic = Diagnostic::of_error(Stage::Source, "aws", &error).with_help("free some space");
        assert_eq!(
            (diagnostic.message.as_str(), diagnostic.causes.as_slice()),
            ("read the page", &["the disk is full".to_owned()][..])
        );
        assert_eq!(diagnostic.reason(), "read the page: the disk is full");
        assert_eq!(diagnostic.help, ["free some space"]);
    }

    #[test]
    fn counts_add_up_and_a_failure_stands_once() {
        let rows = |count, place: &str| Diagnostic::counted(Stage::Source, "a", "negative_rate", count, place);
        let error = |text: &str| Diagnostic::of_error(Stage::Source, "a", &std::io::Error::other(text.to_owned()));
        let mut known = vec![rows(1, "x.csv:2")];
        merge(&mut known, [error("gone"), rows(2, "y.csv:9"), error("gone"), error("denied")]);
        let seen: Vec<(u64, String)> = known.iter().map(|one| (one.count, one.reason())).collect();
        assert_eq!(seen, [(3, String::new()), (0, "gone".to_owned()), (0, "denied".to_owned())]);
        assert_eq!(known[0].example, "x.csv:2", "the first place");
    }

    #[test]
    fn the_most_severe_is_the_largest() {
        assert!(Severity::Error > Severity::Warning && Severity::Warning > Severity::Info);
    }
}
