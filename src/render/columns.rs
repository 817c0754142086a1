//! How text fits into the columns of a terminal: its width, and where it breaks.

/// Returns how many columns of a terminal a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Returns whether a terminal gives a character two columns: the wide and full-width blocks of Unicode's East Asian Width.
pub(super) fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xA960..=0xA97F | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1F64F | 0x1F900..=0x1F9FF | 0x20000..=0x3FFFD)
}

/// Breaks a text into lines of at most `width` columns: at spaces, and between characters that need none.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in pieces(text) {
        let wide = columns(word);
        if used > 0 && used + columns(word.trim_end()) > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if wide <= width.max(1) {
            line.push_str(word);
            used += wide;
            continue;
        }
        // A name longer than a line is broken anywhere.
        for c in word.chars() {
            let wide = columns(c.encode_utf8(&mut [0; 4]));
            if used + wide > width && used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

/// Splits a text into pieces that are not broken: words with the spaces after them, and single wide characters with
/// the punctuation that must not begin a line.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut previous: Option<char> = None;
    for (at, c) in text.char_indices() {
        let breaks = previous.is_some_and(|previous| {
            let after_space = previous == ' ' && c != ' ';
            let beside_wide = (is_wide(previous) || is_wide(c)) && c != ' ';
            let is_held = "、。：；）」』！？ー〜".contains(c) || "（「『".contains(previous);
            after_space || (beside_wide && !is_held)
        });
        if breaks {
            pieces.push(text.get(start..at).unwrap_or_default());
            start = at;
        }
        previous = Some(c);
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn japanese_is_broken_between_characters_and_not_before_its_punctuation() {
        assert_eq!(wrap("悪化、改善。", 4), ["悪", "化、", "改", "善。"]);
        assert_eq!(wrap("a long line", 6), ["a long", "line"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), Vec::<String>::new());
        assert_eq!(columns("GET /カード"), 11);
    }
}
