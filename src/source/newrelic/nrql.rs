//! Fills the placeholders of NRQL and quotes what comes from outside.

use super::query::{Applications, Purpose, Query, QueryError};
use crate::model::time::{HOUR, MINUTE, Window};

/// Every placeholder that a text may hold.
const PLACEHOLDERS: [&str; 5] = ["since", "until", "step", "applications", "narrow"];
/// How a text asks for buckets; without it the same text counts facets.
const BUCKETS: &str = "TIMESERIES {step}";

/// What goes into a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filling<'a> {
    /// From when until when.
    pub window: Window,
    /// Width of a bucket, milliseconds; `None` asks for the window as a whole.
    pub step_ms: Option<i64>,
    /// Names of applications, unquoted.
    pub applications: &'a [String],
    /// A further condition, quoted where it has to be; empty for none.
    pub narrow: &'a str,
}

impl Query {
    /// Returns the text to send.
    pub fn fill(&self, filling: &Filling) -> String {
        let text = match filling.step_ms {
            Some(_) => self.text.clone(),
            None => self.text.replacen(BUCKETS, "", 1),
        };
        let names: Vec<String> = filling.applications.iter().map(|name| quoted(name)).collect();
        let narrow = if filling.narrow.is_empty() { String::new() } else { format!(" AND {}", filling.narrow) };
        let mut filled = String::new();
        let mut rest = text.as_str();
        // One pass, so that a brace in an application's name is never taken for a placeholder.
        while let Some((before, name, after)) = next_placeholder(rest) {
            filled.push_str(before);
            match name {
                "since" => filled.push_str(&filling.window.start.to_string()),
                "until" => filled.push_str(&filling.window.end.to_string()),
                "step" => filled.push_str(&step_words(filling.step_ms.unwrap_or(HOUR))),
                "applications" => filled.push_str(&names.join(", ")),
                _ => filled.push_str(&narrow),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// Returns what stands before the next placeholder, its name, and what stands after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// Writes a width as NRQL does.
fn step_words(step_ms: i64) -> String {
    match (step_ms % HOUR, step_ms / HOUR, step_ms / MINUTE) {
        (0, 1, _) => "1 hour".to_owned(),
        (0, hours, _) => format!("{hours} hours"),
        (_, _, 1) => "1 minute".to_owned(),
        (_, _, minutes) => format!("{minutes} minutes"),
    }
}

/// Quotes a value: `it's` becomes `'it\'s'`. Nothing in the value can end the quotation.
pub fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('\'');
    for sign in value.chars() {
        if matches!(sign, '\'' | '\\') {
            text.push('\\');
        }
        text.push(sign);
    }
    text.push('\'');
    text
}

/// Quotes the name of an attribute with backticks; a backtick has no place in a name and is left out.
pub fn attribute(name: &str) -> String {
    format!("`{}`", name.replace('`', ""))
}

/// Checks the text of a query: placeholders known and there, a limit written, facets that the header names.
pub(super) fn check(query: &Query, place: &str) -> Result<(), QueryError> {
    let wrong = |reason: String| Err(QueryError::Wrong { place: place.to_owned(), reason });
    let text = &query.text;
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, name, after)) = next_placeholder(rest) {
        if !PLACEHOLDERS.contains(&name) {
            let known = PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(" ");
            return wrong(format!("unknown placeholder `{{{name}}}`; known are {known}"));
        }
        found.push(name);
        rest = after;
    }
    let mut needed = vec!["since", "until"];
    if query.applications != Applications::None {
        needed.push("applications");
    }
    if query.split.is_some() {
        needed.push("narrow");
    }
    if let Some(name) = needed.into_iter().find(|name| !found.contains(name)) {
        return wrong(format!("the placeholder `{{{name}}}` is missing"));
    }
    if query.purpose == Purpose::Series && text.matches(BUCKETS).count() != 1 {
        return wrong(format!("`{BUCKETS}` has to stand in it once"));
    }
    if !text.contains(" FACET ") || !text.contains(" LIMIT ") {
        return wrong("`FACET` and `LIMIT` have to stand in it, because ten facets are the default".to_owned());
    }
    let top = query.top.map_or_else(|| "LIMIT MAX".to_owned(), |top| format!("LIMIT {top}"));
    if !text.contains(&top) {
        return wrong(format!("`{top}` has to stand in it"));
    }
    if quotes_are_open(text) {
        return wrong("a quotation is not closed".to_owned());
    }
    Ok(())
}

/// Returns whether a text ends inside `'…'` or a backtick quotation.
fn quotes_are_open(text: &str) -> bool {
    let mut open = None;
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match (open, sign) {
            (Some(_), '\\') => {
                signs.next();
            }
            (Some(quote), _) if quote == sign => open = None,
            (None, '\'' | '`') => open = Some(sign),
            _ => {}
        }
    }
    open.is_some()
}
