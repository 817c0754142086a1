//! Makes names from outside harmless: what could deceive the eye is spelled out, what is endless is shortened.

use crate::model::sanitize::{is_web_address, spell};

/// Longest name that is printed whole, in characters; longer ones hide more than they tell.
const LONGEST: usize = 160;

/// Returns a name as it may be shown: control and direction characters spelled out, the middle of a long
/// name replaced by its length.
pub(crate) fn name(raw: &str) -> String {
    shorten(raw, LONGEST)
}

fn shorten(raw: &str, longest: usize) -> String {
    let length = raw.chars().count();
    let guard = if is_formula(raw) { "'" } else { "" };
    if length <= longest {
        return format!("{guard}{}", spell(raw));
    }
    let keep = longest / 2 - 12;
    let head: String = raw.chars().take(keep).collect();
    let tail: String = raw.chars().skip(length - keep).collect();
    format!("{guard}{}…⟨{length} chars⟩…{}", spell(&head), spell(&tail))
}

/// Returns whether a spreadsheet would run a name that a table is copied into it with: it begins as a formula does, and
/// calls something.
fn is_formula(raw: &str) -> bool {
    raw.starts_with(['=', '+', '-', '@']) && raw.contains(['(', '|', '!'])
}

/// Returns one line of a message as it may be shown; a name in it may be endless.
pub(crate) fn message(raw: &str) -> String {
    shorten(raw.trim(), 400)
}

/// Returns an address if it may be linked.
pub(crate) fn link(url: &str) -> Option<String> {
    is_web_address(url).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_marks_are_spelled_out() {
        assert_eq!(name("a\u{202E}b\u{1b}[31m"), "a⟨U+202E⟩b⟨U+001B⟩[31m");
        assert_eq!(name("決済 API"), "決済 API");
    }

    #[test]
    fn a_formula_is_text_in_a_spreadsheet() {
        for formula in ["=cmd|' /C calc'!A0", "=HYPERLINK(\"http://x\")", "+SUM(A1)", "-1+cmd|x", "@SUM(1)"] {
            assert_eq!(name(formula), format!("'{formula}"));
        }
        for plain in ["@org/mail", "-", "=", "GET /a(b)", "+81"] {
            assert_eq!(name(plain), plain);
        }
    }

    #[test]
    fn long_names_lose_their_middle_and_say_so() {
        let shown = name(&"x".repeat(10_000));
        assert!(shown.chars().count() <= LONGEST && shown.contains("10000 chars"), "{shown}");
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
}
