//! One pass over a statement: strings, numbers, comments and lists of them.

use crate::model::scrub::{Kind, span::Span};

/// Words after which a value follows.
const BEFORE_VALUES: [&str; 24] = [
    "LIKE",
    "ILIKE",
    "RLIKE",
    "REGEXP",
    "SIMILAR",
    "IN",
    "VALUES",
    "VALUE",
    "BETWEEN",
    "LIMIT",
    "OFFSET",
    "TOP",
    "THEN",
    "ELSE",
    "ESCAPE",
    "INTERVAL",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "IS",
    "AGAINST",
    "CONTAINS",
    "RETURN",
    "TO",
];

/// Words after which columns stand in parentheses.
const BEFORE_COLUMNS: [&str; 20] = [
    "USING", "KEY", "INDEX", "TABLE", "OVER", "BY", "AS", "ON", "COUNT", "SUM", "AVG", "MIN", "MAX", "LOWER", "UPPER",
    "COALESCE", "LENGTH", "TRIM", "DISTINCT", "FROM",
];

/// Words after which a table stands: `#tmp` is one, not a comment.
const BEFORE_TABLES: [&str; 6] = ["FROM", "INTO", "JOIN", "TABLE", "UPDATE", "EXISTS"];

/// An open parenthesis.
#[derive(Debug, Clone, Copy)]
struct Paren {
    /// Where its content begins.
    start: usize,
    /// Whether nothing but literals and placeholders was in it.
    is_list: bool,
    /// Whether a literal was in it.
    has_literal: bool,
    /// Whether values are in it, not columns.
    has_values: bool,
}

/// Reads a statement.
pub(super) struct Scanner<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
    pub(super) end: usize,
    /// Whether other text is around it: then comments stay, and numbers go only where a value is.
    is_within: bool,
    /// Whether a value may be next.
    pub(super) is_value: bool,
    /// Where a sign is that belongs to the number after it.
    sign: Option<usize>,
    /// The last word, in capital letters if it is a keyword.
    word: &'t str,
    /// Whether the columns of an `INSERT INTO` may come.
    is_into: bool,
    is_between: bool,
    parens: Vec<Paren>,
    /// The last list of literals: where its content begins and where it is closed.
    list: Option<(usize, usize)>,
    found: Vec<Span>,
}

impl<'t> Scanner<'t> {
    /// Reads a text that is a statement.
    pub(super) fn whole(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            end: text.len(),
            is_within: false,
            is_value: false,
            sign: None,
            word: "",
            is_into: false,
            is_between: false,
            parens: Vec::new(),
            list: None,
            found: Vec::new(),
        }
    }

    /// Reads a statement that begins within a text. It ends with the quote in front of it, or with the text.
    pub(super) fn within(text: &'t str, start: usize) -> Self {
        let mut scanner = Self { at: start, is_within: true, ..Self::whole(text) };
        if scanner.before(start) == b'"' {
            let is_end = |(index, _): &(usize, &str)| scanner.before(start + index) != b'\\';
            let end = text.get(start..).and_then(|rest| rest.match_indices('"').find(is_end));
            scanner.end = end.map_or(text.len(), |(index, _)| start + index);
        }
        scanner
    }

    /// Adds what was found to a list.
    pub(super) fn find(mut self, spans: &mut Vec<Span>) {
        while self.at < self.end {
            self.step();
        }
        spans.append(&mut self.found);
    }

    pub(super) fn byte(&self, index: usize) -> u8 {
        if index < self.end { self.text.as_bytes().get(index).copied().unwrap_or(0) } else { 0 }
    }

    pub(super) fn before(&self, index: usize) -> u8 {
        index.checked_sub(1).and_then(|index| self.text.as_bytes().get(index)).copied().unwrap_or(0)
    }

    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    fn step(&mut self) {
        let byte = self.byte(self.at);
        match byte {
            b'\'' => self.string(self.at, byte),
            b'"' => self.double_quoted(),
            b'`' => self.skip_to(self.at + 1, "`"),
            b'$' if self.dollar_quoted() => {}
            b'-' if !self.is_within && self.byte(self.at + 1) == b'-' => self.comment("\n"),
            b'/' if self.byte(self.at + 1) == b'*' => self.comment("*/"),
            b'#' if !self.is_within && self.is_hash_comment() => self.comment("\n"),
            b'(' => self.open(),
            b')' => self.close(),
            b',' => {
                self.is_value = self.parens.last().map_or(self.is_word("LIMIT"), |paren| paren.has_values);
                self.at += 1;
            }
            b'?' => {
                self.is_value = false;
                self.at += 1;
            }
            b'-' | b'+' => {
                self.sign = self.is_value.then_some(self.at);
                (self.is_value, self.at) = (true, self.at + 1);
            }
            b'=' | b'<' | b'>' | b'!' | b'~' | b'*' | b'/' | b'|' | b'&' | b'^' | b'%' | b':' | b'[' => {
                self.is_value = true;
                self.spoil_list();
                self.at += 1;
            }
            _ if byte.is_ascii_whitespace() => self.at += 1,
            _ => self.word_or_number(),
        }
    }

    fn is_word(&self, word: &str) -> bool {
        self.word.eq_ignore_ascii_case(word)
    }

    fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    /// Something other than a literal is in the innermost parentheses.
    pub(super) fn spoil_list(&mut self) {
        if let Some(paren) = self.parens.last_mut() {
            paren.is_list = false;
        }
    }

    pub(super) fn literal(&mut self, start: usize, end: usize) {
        self.found.push(Span::new(start, end, Kind::Literal));
        if let Some(paren) = self.parens.last_mut() {
            paren.has_literal = true;
        }
        (self.is_value, self.at) = (false, end);
    }

    fn skip_to(&mut self, from: usize, mark: &str) {
        let rest = self.text.get(from..self.end).unwrap_or_default();
        self.at = rest.find(mark).map_or(self.end, |index| from + index + mark.len());
        self.is_value = false;
        self.spoil_list();
    }

    /// Drops a comment and the blanks around it, up to one.
    fn comment(&mut self, mark: &str) {
        let mut start = self.at;
        self.skip_to(self.at + 2, mark);
        while self.byte(self.at).is_ascii_whitespace() {
            self.at += 1;
        }
        while start > 0 && self.before(start).is_ascii_whitespace() {
            start -= 1;
        }
        let instead = if start == 0 || self.at == self.end { "" } else { " " };
        self.found.push(Span { instead: Some(instead), ..Span::new(start, self.at, Kind::Literal) });
    }

    /// Tells whether `#` begins a comment: not `#>` of PostgreSQL, not `#tmp` of SQL Server, not a number.
    fn is_hash_comment(&self) -> bool {
        let next = self.byte(self.at + 1);
        let is_name = next.is_ascii_alphabetic() || next == b'_' || next == b'#';
        let is_other = matches!(next, b'0'..=b'9' | b'>' | b'-') || is_name && self.is_one_of(&BEFORE_TABLES);
        !is_other
    }

    fn open(&mut self) {
        let has_values = !std::mem::take(&mut self.is_into) && !self.is_one_of(&BEFORE_COLUMNS);
        self.spoil_list();
        self.at += 1;
        self.parens.push(Paren { start: self.at, is_list: true, has_literal: false, has_values });
        self.is_value = has_values;
    }

    /// Closes parentheses; a list of literals becomes one, and so do lists that follow one another.
    fn close(&mut self) {
        if let Some(paren) = self.parens.pop()
            && paren.is_list
            && paren.has_literal
        {
            let joined = self.list.filter(|(_, closed)| {
                let between = self.text.get(*closed..paren.start).unwrap_or_default();
                between.len() <= 16 && between.bytes().all(|byte| byte.is_ascii_whitespace() || b"),(".contains(&byte))
            });
            let start = joined.map_or(paren.start, |(start, _)| start);
            self.found.push(Span::new(start, self.at, Kind::Literal));
            self.list = Some((start, self.at));
        }
        (self.is_value, self.at) = (false, self.at + 1);
    }

    /// Reads a word, or replaces a number or the prefix and content of a string.
    fn word_or_number(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let is_part = |letter: char| letter == '_' || letter == '$' || letter.is_alphanumeric();
        let is_digit = |letter: char| letter.is_ascii_digit() || ('０'..='９').contains(&letter);
        let is_number = rest.starts_with(is_digit)
            || rest.starts_with('.') && self.byte(start + 1).is_ascii_digit() && self.is_value;
        if is_number {
            return self.number(start, rest);
        }
        let word = rest.get(..rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())).unwrap_or_default();
        if word.is_empty() {
            self.at += rest.chars().next().map_or(1, char::len_utf8);
            // Signs around a placeholder (`:name`, `@p1`, `{0}`) leave a list what it is.
            return;
        }
        self.at += word.len();
        if self.byte(self.at) == b'\'' && word.len() <= 8 {
            let prefix = word.trim_start_matches('_');
            if matches!(prefix, "q" | "Q" | "nq" | "NQ" | "Nq" | "nQ") {
                return self.oracle_string(start);
            }
            if prefix.len() < word.len() || matches!(prefix, "n" | "N" | "e" | "E" | "x" | "X" | "b" | "B" | "r" | "R")
            {
                return self.string(start, b'\'');
            }
        }
        self.spoil_list();
        self.is_value = BEFORE_VALUES.iter().any(|known| word.eq_ignore_ascii_case(known));
        if word.eq_ignore_ascii_case("AND") {
            self.is_value = std::mem::take(&mut self.is_between);
        } else if word.eq_ignore_ascii_case("BETWEEN") {
            self.is_between = true;
        } else if word.eq_ignore_ascii_case("INTO") {
            self.is_into = true;
        } else if word.eq_ignore_ascii_case("VALUES") || word.eq_ignore_ascii_case("SELECT") {
            self.is_into = false;
            if let Some(paren) = self.parens.last_mut().filter(|_| word.eq_ignore_ascii_case("SELECT")) {
                paren.has_values = false;
            }
        }
        self.word = word;
    }

    /// Replaces a number, unless it is a part of a placeholder or of a name such as `2fa_codes`.
    fn number(&mut self, start: usize, rest: &str) {
        let mut end = 0;
        for (index, letter) in rest.char_indices() {
            let is_exponent = matches!(letter, '+' | '-')
                && rest.get(..index).is_some_and(|head| head.ends_with(['e', 'E']))
                && rest.starts_with(|first: char| first.is_ascii_digit())
                && rest.get(..index).is_some_and(is_decimal);
            if !(letter.is_alphanumeric() || letter == '_' || letter == '.' || is_exponent) {
                break;
            }
            end = index + letter.len_utf8();
        }
        let token = rest.get(..end).unwrap_or_default();
        let is_placeholder = token.len() <= 4
            && match self.before(start) {
                b'$' | b'@' | b'{' => true,
                b':' => !self.before(start - 1).is_ascii_alphanumeric() && self.before(start - 1) != b'"',
                _ => false,
            };
        let is_plain = is_decimal(token) || token.starts_with("0x") || token.starts_with("0X");
        let sign = self.sign.take().filter(|sign| sign + 1 == start);
        if !is_placeholder && (self.is_value || is_plain && !self.is_within) {
            self.literal(sign.unwrap_or(start), start + end.max(1));
        } else {
            self.is_value = false;
            self.at += end.max(1);
        }
    }
}

/// Tells whether a token is a number: digits, dots, an exponent.
fn is_decimal(token: &str) -> bool {
    let mut has_exponent = false;
    token.chars().all(|letter| match letter {
        'e' | 'E' => !std::mem::replace(&mut has_exponent, true),
        '+' | '-' | '.' => true,
        other => other.is_numeric(),
    })
}
