//! What stands in quotes: strings of every dialect, and names of columns, which stay.

use super::scan::Scanner;

impl Scanner<'_> {
    /// Replaces a string, from where its prefix begins.
    pub(super) fn string(&mut self, start: usize, quote: u8) {
        let end = self.string_end(self.at, quote);
        self.literal(start, end);
    }

    /// Returns where a string ends that is opened at an index.
    fn string_end(&self, open: usize, quote: u8) -> usize {
        let mut index = open + 1;
        while index < self.end {
            let byte = self.byte(index);
            if byte == b'\\' && self.byte(index + 1) == quote {
                return self.last_end(open, quote);
            }
            if byte == quote && self.byte(index + 1) == quote {
                index += 1;
            } else if byte == quote {
                return index + 1;
            }
            index += 1;
        }
        self.end
    }

    /// Returns an end that is right whether `\` before a quote is an escape (MySQL) or a character (standard SQL): behind
    /// the last quote, or the end of the text if either reading is within a string there.
    fn last_end(&self, open: usize, quote: u8) -> usize {
        let bytes = self.text.as_bytes().get(open..self.end).unwrap_or_default();
        let (mut all, mut plain, mut last) = (0, 0, 0);
        for (index, byte) in bytes.iter().enumerate() {
            if *byte == quote {
                let is_escaped = index > 0 && bytes.get(index - 1) == Some(&b'\\');
                (all, last) = (all + 1, index);
                plain += usize::from(!is_escaped);
            }
        }
        if all % 2 == 0 && plain % 2 == 0 { open + last + 1 } else { self.end }
    }

    /// Keeps what is in double quotes where a column or a key is; replaces it elsewhere.
    pub(super) fn double_quoted(&mut self) {
        let open = self.at;
        let end = self.string_end(open, b'"');
        let inner = self.text.get(open + 1..end.saturating_sub(1)).unwrap_or_default().trim_end_matches('\\');
        let is_letter = |letter: char| letter == '_' || letter.is_alphabetic();
        let is_name =
            inner.starts_with(is_letter) && inner.chars().all(|c| is_letter(c) || c == '$' || c.is_ascii_digit());
        let after = self.text.get(end..self.end).unwrap_or_default().trim_start().bytes().next().unwrap_or(0);
        let is_part = self.before(open) == b'.' || after == b'.' || after == b':';
        if is_name && (is_part || !self.is_value) {
            (self.is_value, self.at) = (false, end);
            self.spoil_list();
        } else {
            self.literal(open, end);
        }
    }

    /// Replaces `$$…$$` and `$tag$…$tag$`; tells whether there is one.
    pub(super) fn dollar_quoted(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.bytes().skip(1).take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'_').count();
        let Some(tag) = rest.get(..length + 2).filter(|tag| tag.ends_with('$')) else { return false };
        let body = self.at + tag.len();
        let close = self.text.get(body..self.end).and_then(|body| body.find(tag));
        self.literal(self.at, close.map_or(self.end, |close| body + close + tag.len()));
        true
    }

    /// Replaces `q'[…]'` of Oracle, in which quotes are not doubled.
    pub(super) fn oracle_string(&mut self, start: usize) {
        let body = self.at + 2;
        let close = match self.byte(self.at + 1) {
            b'[' => "]'".to_owned(),
            b'(' => ")'".to_owned(),
            b'{' => "}'".to_owned(),
            b'<' => ">'".to_owned(),
            other if other.is_ascii_punctuation() && other != b'\'' => format!("{}'", char::from(other)),
            _ => return self.string(start, b'\''),
        };
        let found = self.text.get(body..self.end).and_then(|rest| rest.find(&close));
        self.literal(start, found.map_or(self.end, |index| body + index + close.len()));
    }
}
