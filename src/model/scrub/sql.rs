//! Literals in SQL become `?`, comments go. Works on statements of any dialect, cut off or broken: no grammar, one pass.
//!
//! Where dialects differ, the reading that keeps less wins: text in double quotes is a literal unless it stands where a
//! column does, and after `\'` everything up to the last quote is one.

mod quoted;
mod scan;

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::view::View;
use super::{Field, span::Span};
use scan::Scanner;

/// What a statement looks like within other text.
///
/// Verbs alone are English words. Each needs the clause in which literals are.
static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    let shape = [
        r"select\b.+?\b(?:where|having|limit|values|between|like|on)\b",
        r"insert\s+(?:ignore\s+)?into\b.+?\b(?:values|select|set)\b",
        r"replace\s+into\b.+?\bvalues\b",
        r"update\b.+?\bset\b[^=]+=",
        r"delete\s+from\b.+?\bwhere\b",
        r"merge\s+into\b",
        r#"(?:where|and)\s+[^\s=<>!'()]+\s*(?:[=<>]|(?:not\s+)?(?:like|in|between)\b)\s*\(?\s*['0-9]"#,
        r"values\s*\(\s*'",
        r"exec(?:ute)?\s+[^\s']+\s+@",
        // What MySQL says of a key that is there already.
        r"duplicate\s+entry\s+'",
    ];
    // Boundaries of ASCII words only: those of all scripts cannot be found by the fast automaton.
    let ascii =
        shape.join("|").replace(r"\b", r"(?-u:\b)").replace(r"\s+", r"[\t\n\r +]+").replace(r"\s*", r"[\t\n\r +]*");
    Regex::new(&format!(r"(?is)(?-u:\b)(?:{ascii})")).expect("a constant pattern that a test compiles")
});

/// Verbs with which a target begins that is a statement.
const VERBS: [&str; 7] = ["select ", "insert ", "update ", "delete ", "replace ", "merge ", "with "];

/// Finds literals and comments of statements; the findings are places in `text`.
pub(super) fn find(text: &str, view: &View, field: Field, spans: &mut Vec<Span>) {
    // A statement in a query string has `%27` for its quotes. With quotes of its own it is read as it is: `'%27'` is a
    // literal of three characters.
    let is_encoded = matches!(view.text, Cow::Owned(_)) && !text.contains(['\'', '"']);
    let searched = if is_encoded { &view.text } else { text };
    let is_verb = |verb: &str| searched.get(..verb.len()).is_some_and(|first| first.eq_ignore_ascii_case(verb));
    let scanner = match field {
        Field::Statement => Scanner::whole(searched),
        _ => match start_of(searched) {
            Some(_) if field == Field::Target && VERBS.into_iter().any(is_verb) => Scanner::whole(searched),
            Some(start) => Scanner::within(searched, start),
            None => return,
        },
    };
    let first = spans.len();
    scanner.find(spans);
    if is_encoded {
        for span in spans.iter_mut().skip(first) {
            (span.start, span.end) = view.original(span.start, span.end);
        }
    }
}

/// Returns where a statement begins in a text that has one.
fn start_of(text: &str) -> Option<usize> {
    // Without a literal there is nothing to find, and most names have none.
    let may_be = text.len() > 10 && text.bytes().any(|byte| matches!(byte, b'\'' | b'"' | b'0'..=b'9'));
    if !may_be || !text.bytes().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'+')) {
        return None;
    }
    SHAPE.find(text).map(|found| found.start())
}

#[cfg(test)]
mod tests {
    use crate::model::scrub::{Field, Scrubber};

    fn scrubbed(field: Field, text: &str) -> String {
        Scrubber::default().scrub(field, text).text.into_owned()
    }

    #[test]
    fn literals_become_placeholders() {
        for (text, expected) in [
            ("SELECT * FROM t_2024 WHERE a = 'Taro''s' AND b=-1.5e3", "SELECT * FROM t_2024 WHERE a = ? AND b=?"),
            ("select a from t where id in (1, 2 ,3) limit 10", "select a from t where id in (?) limit ?"),
            ("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')", "INSERT INTO t (a, b) VALUES (?)"),
            ("INSERT INTO \"t\" (\"a\") VALUES (\"taro\", NOW())", "INSERT INTO \"t\" (\"a\") VALUES (?, NOW())"),
            ("SELECT 1 -- taro\nFROM t /* 4111 */ WHERE a = 0xFF", "SELECT ? FROM t WHERE a = ?"),
            ("UPDATE t SET a = \"taro\" WHERE \"b\" = ?", "UPDATE t SET a = ? WHERE \"b\" = ?"),
            ("SELECT $$taro$$, $x$it's$x$, E'a\\nb', N'山田', x'41'", "SELECT ?, ?, ?, ?, ?"),
            ("SELECT q'[it's taro]' FROM dual", "SELECT ? FROM dual"),
            ("SELECT * FROM t WHERE a = 'cut of", "SELECT * FROM t WHERE a = ?"),
            ("WHERE name = '山田'", "WHERE name = ?"),
            ("{\"find\": \"users\", \"age\": 42}", "{\"find\": ?, \"age\": ?}"),
            ("GET user:12345", "GET user:?"),
            ("SELECT * FROM t WHERE id = １２３", "SELECT * FROM t WHERE id = ?"),
            ("SELECT * FROM t WHERE a = 4f3c2a1b", "SELECT * FROM t WHERE a = ?"),
        ] {
            assert_eq!(scrubbed(Field::Statement, text), expected, "{text}");
        }
    }

    #[test]
    fn a_backslash_before_a_quote_never_lets_a_literal_out() {
        for text in [
            "a = 'x\\' AND b = 'secret'",
            "a = 'it\\'s secret' AND b = 1",
            "a = 'x\\', 'secret",
            "a = \"x\\\" + secret\"",
        ] {
            assert!(!scrubbed(Field::Statement, text).contains("secret"), "{}", scrubbed(Field::Statement, text));
        }
    }

    #[test]
    fn statements_without_literals_are_left_alone() {
        for text in [
            "SELECT a, b2 FROM table_2024 t1 JOIN utf8mb4_x ON t1.id = x.id WHERE a = ? AND b = $1 AND c = :name AND d = @p1",
            "SELECT \"u\".\"id\", count(\"id\") FROM \"users\" \"u\" WHERE lower(\"email\") = $1 ORDER BY \"name\", \"id\"",
            "INSERT INTO `cards` (`a`, `b`) VALUES (?, ?)",
            "select cards",
            "SELECT * FROM #tmp1",
            "a #>> b",
            "2fa_codes",
            "SELECT a::int4 FROM t WHERE x IN ($1, $2) AND y = %s AND z = {0} AND w = :1",
            "SELECT `2024`.`a` FROM `2024`",
            "SELECT * FROM t WHERE a BETWEEN ? AND ? AND \"b\" IS NULL",
        ] {
            assert_eq!(scrubbed(Field::Statement, text), text);
        }
    }

    #[test]
    fn statements_within_other_text_lose_their_literals_and_the_text_stays() {
        for (field, text, expected) in [
            (
                Field::Title,
                "slow: SELECT a FROM t WHERE b = 'Taro' took 5 s",
                "slow: SELECT a FROM t WHERE b = ? took 5 s",
            ),
            (
                Field::Text,
                "{\"q\":\"select a from t where b = 42\",\"ms\":17}",
                "{\"q\":\"select a from t where b = ?\",\"ms\":17}",
            ),
            (Field::Target, "SELECT a FROM t WHERE b = 42 LIMIT 5", "SELECT a FROM t WHERE b = ? LIMIT ?"),
            (
                Field::Target,
                "GET /q?sql=select+a+from+t+where+b%3D%27taro%27",
                "GET /q?sql=select+a+from+t+where+b%3D?",
            ),
            (Field::Title, "Select cards from the 3 lists", "Select cards from the 3 lists"),
            (Field::Title, "Update 12 crates, set limits to 3", "Update 12 crates, set limits to 3"),
            (Field::Title, "Delete 3 columns from cards", "Delete 3 columns from cards"),
        ] {
            assert_eq!(scrubbed(field, text), expected);
        }
    }
}
