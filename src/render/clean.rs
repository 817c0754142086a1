//! Makes names from outside harmless: what could deceive the eye is spelled out, what is endless is
//! shortened, what has a meaning in HTML or Markdown is escaped.

use std::fmt;

use crate::model::diagnostic::Diagnostic;
use crate::model::sanitize::{is_deceptive, spell};
use crate::source::SourceState;

/// Longest name that is printed whole, in characters; longer ones hide more than they tell.
const LONGEST: usize = 160;

/// Returns a name as it may be shown: control and direction characters spelled out, the middle of a long
/// name replaced by its length.
pub(crate) fn name(raw: &str) -> String {
    shorten(raw, LONGEST)
}

fn shorten(raw: &str, longest: usize) -> String {
    let length = raw.chars().count();
    if length <= longest {
        return spell(raw);
    }
    let keep = longest / 2 - 12;
    let head: String = raw.chars().take(keep).collect();
    let tail: String = raw.chars().skip(length - keep).collect();
    format!("{}…⟨{length} chars⟩…{}", spell(&head), spell(&tail))
}

/// Returns why a source failed, and what to do, cleaned; two empty texts if it did not.
pub(crate) fn failure(state: &SourceState) -> (String, String) {
    let failures = || state.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    // A message of ours is a few lines long; a name in it may still be endless.
    let clean = |lines: Vec<String>| lines.iter().take(8).map(|line| shorten(line, 400)).collect::<Vec<_>>().join("; ");
    let help = failures().flat_map(|failure| &failure.help).map(|help| format!("help: {help}"));
    (clean(failures().map(Diagnostic::reason).collect()), clean(help.collect()))
}

/// Returns an address if it may be linked: `http` or `https`, no blanks, nothing deceiving.
pub(crate) fn link(url: &str) -> Option<String> {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let is_web = lower.starts_with("https://") || lower.starts_with("http://");
    let is_plain = !url.chars().any(|c| is_deceptive(c) || c.is_whitespace());
    (is_web && is_plain && url.len() <= 2_000).then(|| url.to_owned())
}

/// Writes text into HTML, safe in content and in quoted attributes.
pub(crate) fn write_html(out: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '&' => out.write_str("&amp;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#39;")?,
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

/// Returns text as HTML.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Writing into a string cannot fail.
    let _ = write_html(&mut out, text);
    out
}

/// Returns running text for Markdown: everything that could start markup is escaped.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A mention in a chat or a wiki would call people.
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    out
}

/// Returns a name as Markdown code. Bars would end a table's cell even inside code, so they are replaced
/// by a lookalike, and backticks by an apostrophe.
pub(crate) fn markdown_code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '`' => '\'',
            '|' => '¦',
            c => c,
        })
        .collect();
    if plain.trim().is_empty() { String::new() } else { format!("`{plain}`") }
}

/// Returns an address for the angle-bracket form of a Markdown link.
pub(crate) fn markdown_href(url: &str) -> String {
    url.replace('<', "%3C").replace('>', "%3E").replace('|', "%7C").replace('\\', "%5C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::diagnostic::Stage;

    #[test]
    fn direction_marks_are_spelled_out() {
        assert_eq!(name("a\u{202E}b\u{1b}[31m"), "a⟨U+202E⟩b⟨U+001B⟩[31m");
        assert_eq!(name("決済 API"), "決済 API");
    }

    #[test]
    fn long_names_lose_their_middle_and_say_so() {
        let shown = name(&"x".repeat(10_000));
        assert!(shown.chars().count() <= LONGEST && shown.contains("10000 chars"), "{shown}");
    }

    #[test]
    fn a_failure_has_its_causes_and_its_help() {
        let error = std::io::Error::other("read a.csv: no\u{1b} file");
        let failure = Diagnostic::of_error(Stage::Source, "a", &error).with_help("check the path");
        let state = SourceState { diagnostics: vec![failure], ..SourceState::kept("a".to_owned()) };
        let (what, help) = super::failure(&state);
        assert_eq!((what.as_str(), help.as_str()), ("read a.csv: no⟨U+001B⟩ file", "help: check the path"));
    }

    #[test]
    fn only_web_addresses_are_linked() {
        assert!(link("https://example.com/pull/1").is_some());
        for bad in
            ["javascript:alert(1)", "data:text/html,x", "//evil", "https://a b", "ftp://x", "", "https://a\u{202E}"]
        {
            assert_eq!(link(bad), None, "{bad}");
        }
    }

    #[test]
    fn markdown_cannot_be_started_from_a_name() {
        assert_eq!(markdown("[x](y) | <b>"), "\\[x\\](y) \\| &lt;b&gt;");
        assert_eq!(markdown_code("a`b|c"), "`a'b¦c`");
    }
}
