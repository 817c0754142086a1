//! Findings and how they are replaced: overlapping ones become one.

use super::Kind;

/// The marks of the kinds that are built in.
pub(super) const MARKS: [&str; 7] = ["[jwt]", "[key]", "[secret]", "[card]", "[email]", "{id}", "?"];

/// Returns the mark of a kind that is built in.
pub(super) fn mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Jwt => "[jwt]",
        Kind::Key => "[key]",
        Kind::Secret | Kind::Own(_) => "[secret]",
        Kind::Card => "[card]",
        Kind::Email => "[email]",
        Kind::Id => "{id}",
        Kind::Literal => "?",
    }
}

/// A finding: bytes `start..end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
    /// What takes its place, if not the mark of its kind.
    pub instead: Option<&'static str>,
}

impl Span {
    pub(super) fn new(start: usize, end: usize, kind: Kind) -> Self {
        Self { start, end, kind, instead: None }
    }
}

/// Joins findings that overlap, so that no part of any survives.
///
/// The one that holds the other names both; if neither does, the first kind in the order of [`Kind`].
fn join(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end), span.kind));
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.start < last.end => {
                if span.end > last.end {
                    last.end = span.end;
                    last.kind = last.kind.min(span.kind);
                    last.instead = None;
                }
            }
            _ => joined.push(span),
        }
    }
    joined
}

/// Replaces the findings in a text; `None` if that changes nothing.
///
/// `mark`: what takes the place of a kind. `count`: called for each finding that was replaced.
pub(super) fn replace<'a>(
    text: &str,
    spans: Vec<Span>,
    mark: impl Fn(Kind) -> &'a str,
    mut count: impl FnMut(Kind),
) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    let mut done = 0;
    let mut is_changed = false;
    for span in join(spans) {
        let (start, end) = (boundary_before(text, span.start).max(done), boundary_after(text, span.end).max(done));
        let mark = span.instead.unwrap_or_else(|| mark(span.kind));
        if text.get(start..end).is_none_or(|found| found == mark) {
            continue;
        }
        kept.push_str(text.get(done..start).unwrap_or_default());
        kept.push_str(mark);
        count(span.kind);
        (done, is_changed) = (end, true);
    }
    kept.push_str(text.get(done..).unwrap_or_default());
    is_changed.then_some(kept)
}

/// Returns the start of the character that holds a byte.
fn boundary_before(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0)
}

/// Returns the index itself or, within a character, its end.
fn boundary_after(text: &str, index: usize) -> usize {
    (index..text.len()).find(|index| text.is_char_boundary(*index)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str, spans: &[(usize, usize, Kind)]) -> Option<String> {
        let spans = spans.iter().map(|(start, end, kind)| Span::new(*start, *end, *kind)).collect();
        replace(text, spans, mark, |_| {})
    }

    #[test]
    fn overlapping_findings_leave_nothing_of_either() {
        let found = replaced("abcdefgh", &[(1, 4, Kind::Email), (3, 6, Kind::Card)]);
        assert_eq!(found.as_deref(), Some("a[card]gh"));
    }

    #[test]
    fn the_outer_finding_names_the_inner_one() {
        let found = replaced("abcdefgh", &[(2, 4, Kind::Card), (1, 7, Kind::Literal)]);
        assert_eq!(found.as_deref(), Some("a?h"));
    }

    #[test]
    fn a_finding_within_a_character_takes_all_of_it() {
        assert_eq!(replaced("aカb", &[(2, 3, Kind::Card)]).as_deref(), Some("a[card]b"));
        assert_eq!(replaced("a[card]b", &[(1, 7, Kind::Card)]), None);
    }
}
