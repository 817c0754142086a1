//! A text without its disguises: full-width letters are narrow, `%40` and `\u0040` are `@`, invisible characters are
//! gone. Findings are searched in the view and replaced in the original; the view itself is never kept.

use std::borrow::Cow;

/// How often `%25` may hide another `%`: `%252540` is `@`.
const MOST_LAYERS: usize = 3;

/// A text without its disguises, with the way back.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// What is searched.
    pub text: Cow<'a, str>,
    /// For each byte of `text` and its end, where it begins in the original; empty if both are the same.
    starts: Vec<usize>,
}

impl<'a> View<'a> {
    /// Removes the disguises of a text.
    pub(super) fn of(text: &'a str) -> Self {
        let mut view = Self { text: Cow::Borrowed(text), starts: Vec::new() };
        for _ in 0..MOST_LAYERS {
            if !may_hide(&view.text) {
                break;
            }
            match undisguise(&view.text, &view.starts) {
                Some((text, starts)) => view = Self { text: Cow::Owned(text), starts },
                None => break,
            }
        }
        view
    }

    /// Returns the bytes that are searched.
    pub(super) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns the byte at an index, 0 outside the text.
    pub(super) fn at(&self, index: usize) -> u8 {
        self.bytes().get(index).copied().unwrap_or(0)
    }

    /// Returns the byte before an index, 0 at the start.
    pub(super) fn before(&self, index: usize) -> u8 {
        index.checked_sub(1).map_or(0, |index| self.at(index))
    }

    /// Returns a part of what is searched; empty if it is none.
    pub(super) fn part(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Tells whether a byte is written as itself in the original.
    pub(super) fn is_plain(&self, index: usize) -> bool {
        match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(start), Some(end)) => end - start == 1,
            _ => true,
        }
    }

    /// Returns where a part of the view is in the original.
    pub(super) fn original(&self, start: usize, end: usize) -> (usize, usize) {
        let place = |index: usize| self.starts.get(index).copied().unwrap_or(index);
        (place(start), place(end))
    }
}

/// Tells whether there is anything to look at more closely; most texts have nothing.
fn may_hide(text: &str) -> bool {
    let is_escape = |byte: u8| matches!(byte, b'%' | b'\\');
    let is_hidden = |letter: char| !letter.is_ascii() && !matches!(plain_of(letter, true), Plain::Same);
    text.bytes().any(is_escape) || !text.is_ascii() && text.chars().any(is_hidden)
}

/// What a character is without its disguise.
enum Plain {
    Same,
    Hidden,
    As(char),
}

/// Removes one layer of disguise; `None` if there is none.
fn undisguise(text: &str, before: &[usize]) -> Option<(String, Vec<usize>)> {
    let place = |index: usize| before.get(index).copied().unwrap_or(index);
    let mut plain = String::with_capacity(text.len());
    let mut starts = Vec::with_capacity(text.len() + 1);
    let mut is_changed = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at = place(text.len() - rest.len());
        let is_after_digit = plain.ends_with(|last: char| last.is_ascii_digit());
        let (found, length) = match first {
            '%' | '\\' => match escaped(rest.as_bytes()).map(|(inner, length)| (inner, plain_of(inner, false), length))
            {
                Some((inner, Plain::Same, length)) if inner.is_ascii() => (Plain::As(inner), length),
                // An escaped letter of Japanese is no disguise.
                Some((_, Plain::Same, _)) | None => (Plain::Same, 1),
                Some((_, found, length)) => (found, length),
            },
            _ => (plain_of(first, is_after_digit), first.len_utf8()),
        };
        let kept = match found {
            Plain::Same => Some(first),
            Plain::As(other) => Some(other),
            Plain::Hidden => None,
        };
        is_changed |= !matches!(found, Plain::Same);
        if let Some(kept) = kept {
            plain.push(kept);
            // Every byte of a character that stays has its own place, so that all of them are plain or none.
            let is_same = matches!(found, Plain::Same);
            let from = text.len() - rest.len();
            starts.extend((0..kept.len_utf8()).map(|byte| if is_same { place(from + byte) } else { at }));
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    starts.push(place(text.len()));
    is_changed.then_some((plain, starts))
}

/// Reads `%XX`, several of them for one character, or `\uXXXX`: the character and the bytes it takes.
fn escaped(bytes: &[u8]) -> Option<(char, usize)> {
    let hex = |start: usize, end: usize| {
        let digits = std::str::from_utf8(bytes.get(start..end)?).ok()?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_hex { u32::from_str_radix(digits, 16).ok() } else { None }
    };
    if bytes.starts_with(b"\\u") {
        return Some((char::from_u32(hex(2, 6)?)?, 6));
    }
    if bytes.first() != Some(&b'%') {
        return None;
    }
    let first = u8::try_from(hex(1, 3)?).ok()?;
    let count = match first {
        0..0x80 => 1,
        0xC2..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF5 => 4,
        _ => return None,
    };
    let mut encoded = [0; 4];
    for (index, byte) in encoded.iter_mut().enumerate().take(count) {
        if bytes.get(3 * index) != Some(&b'%') {
            return None;
        }
        *byte = u8::try_from(hex(3 * index + 1, 3 * index + 3)?).ok()?;
    }
    let text = std::str::from_utf8(encoded.get(..count)?).ok()?;
    Some((text.chars().next()?, 3 * count))
}

/// Returns what a character is without its disguise.
fn plain_of(character: char, is_after_digit: bool) -> Plain {
    let code = u32::from(character);
    let ascii = |code: u32| char::from_u32(code).map_or(Plain::Same, Plain::As);
    let digit = |zero: u32| ascii(u32::from('0') + (code - zero) % 10);
    match character {
        '\0'..='\u{7f}' => Plain::Same,
        '\u{ff01}'..='\u{ff5e}' => ascii(code - 0xfee0),
        '\u{660}'..='\u{669}' => digit(0x660),
        '\u{6f0}'..='\u{6f9}' => digit(0x6f0),
        '\u{966}'..='\u{96f}' => digit(0x966),
        '\u{1d7ce}'..='\u{1d7ff}' => digit(0x1d7ce),
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Plain::As(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' => Plain::As('-'),
        // The long vowel mark is what a Japanese keyboard gives for a dash; within a word it is a letter.
        'ー' | 'ｰ' | '─' if is_after_digit => Plain::As('-'),
        '\u{ad}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => Plain::Hidden,
        _ => Plain::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_are_removed_in_layers() {
        for (disguised, plain) in [
            ("ｔａｒｏ＠例．ｊｐ", "taro@例.jp"),
            ("a%40b", "a@b"),
            ("a%252540b", "a@b"),
            ("%EF%BC%94%EF%BC%92", "42"),
            ("\\uff14\\u0040", "4@"),
            ("4\u{200b}1ー2", "41-2"),
            ("カード%E3%81%82", "カード%E3%81%82"),
            ("100% sure %zz %4", "100% sure %zz %4"),
        ] {
            assert_eq!(View::of(disguised).text, plain, "{disguised}");
        }
    }

    #[test]
    fn a_part_leads_back_to_what_it_was() {
        let text = "カ ｔ%40b \u{200b}x";
        let view = View::of(text);
        let start = view.text.find("t@b").expect("plain");
        let (start, end) = view.original(start, start + 3);
        assert_eq!(&text[start..end], "ｔ%40b");
        assert!(!view.is_plain(view.text.find('@').expect("plain")));
        assert!(view.is_plain(view.text.find('b').expect("plain")));
    }
}
