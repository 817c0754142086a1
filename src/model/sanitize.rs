//! Makes text from outside harmless to the eye: what is not seen, or changes how its neighbours are seen, is spelled out.
//!
//! Names of services, files and servers' words reach terminals, messages and pages. This is the one place that says which
//! characters are dangerous there. Markup (HTML, Markdown) is escaped by whoever writes it.

use std::fmt::Write as _;

/// Characters of an [`excerpt`]: a message with it stays one readable line.
const EXCERPT: usize = 80;

/// Returns whether a character is not seen, ends a line, or turns the text around.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Returns whether an address may be linked: `http` or `https`, no blanks, nothing deceiving, not endless.
pub fn is_web_address(url: &str) -> bool {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let is_web = lower.starts_with("https://") || lower.starts_with("http://");
    let is_plain = !url.chars().any(|c| is_deceptive(c) || c.is_whitespace());
    is_web && is_plain && url.len() <= 2_000
}

/// Returns a text for terminals and messages: deceptive characters become `\u{…}`.
pub fn escape(text: &str) -> String {
    replaced(text, |out, c| out.extend(c.escape_unicode()))
}

/// Returns the beginning of a text, escaped, so that a message stays one readable line.
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        None => escape(text),
        Some((end, _)) => escape(text.get(..end).unwrap_or_default()) + "…",
    }
}

/// Returns a text for pages: deceptive characters become `⟨U+…⟩`.
pub fn spell(text: &str) -> String {
    replaced(text, |out, c| {
        // Writing into a string cannot fail.
        let _ = write!(out, "⟨U+{:04X}⟩", u32::from(c));
    })
}

fn replaced(text: &str, replace: impl Fn(&mut String, char)) -> String {
    if !text.chars().any(is_deceptive) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_deceptive(c) { replace(&mut out, c) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_turns_text_around_is_spelled_out() {
        let name = "a\u{202e}b\u{1b}[31m\u{ad}c\n";
        assert_eq!(escape(name), "a\\u{202e}b\\u{1b}[31m\\u{ad}c\\u{a}");
        assert_eq!(spell(name), "a⟨U+202E⟩b⟨U+001B⟩[31m⟨U+00AD⟩c⟨U+000A⟩");
    }

    #[test]
    fn names_in_other_scripts_stay() {
        for name in ["決済 API", "Zürich – Bern", "🙂 “x”", ""] {
            assert_eq!((escape(name).as_str(), spell(name).as_str(), excerpt(name).as_str()), (name, name, name));
        }
    }

    #[test]
    fn an_excerpt_is_cut_between_characters_and_says_so() {
        let long = "é".repeat(EXCERPT + 1);
        assert_eq!(excerpt(&long), "é".repeat(EXCERPT) + "…");
        assert_eq!(excerpt(&"é".repeat(EXCERPT)), "é".repeat(EXCERPT));
    }
}
