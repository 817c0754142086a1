//! Card numbers: 13 to 19 digits with an issuer's prefix and a valid check digit, in one run or in groups.

use super::view::View;
use super::{Kind, span::Span};

/// How card numbers are printed. A number in one of these layouts is found among other numbers.
const LAYOUTS: [&[usize]; 9] = [
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4, 1],
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 3],
    &[4, 4, 4, 1],
    &[4, 4, 5],
];

/// Prefixes, from and to, with the lengths that the issuer uses (ISO/IEC 7812 and the issuers' own lists).
///
/// No prefix begins with 1: UATP's would take every timestamp in seconds, milliseconds or nanoseconds.
const ISSUERS: &[(&str, &str, &[usize])] = &[
    ("2200", "2204", &[16, 17, 18, 19]),             // Mir
    ("2221", "2720", &[16]),                         // Mastercard
    ("300", "305", &[14, 16, 19]),                   // Diners Club
    ("3095", "3095", &[14, 16, 19]),                 // Diners Club
    ("34", "34", &[15]),                             // American Express
    ("3528", "3589", &[16, 17, 18, 19]),             // JCB
    ("36", "36", &[14, 16, 19]),                     // Diners Club
    ("37", "37", &[15]),                             // American Express
    ("38", "39", &[14, 16, 19]),                     // Diners Club
    ("4", "4", &[13, 16, 19]),                       // Visa
    ("5018", "5018", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("5019", "5019", &[16]),                         // Dankort
    ("5020", "5020", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("5038", "5038", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("506", "509", &[16, 18, 19]),                   // Verve, Elo, RuPay
    ("51", "55", &[16]),                             // Mastercard
    ("5893", "5893", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("60", "60", &[16, 17, 18, 19]),                 // Discover, RuPay
    ("62", "62", &[16, 17, 18, 19]),                 // UnionPay
    ("6304", "6304", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("636", "639", &[16, 17, 18, 19]),               // InterPayment, InstaPayment
    ("644", "659", &[16, 17, 18, 19]),               // Discover
    ("6759", "6763", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("81", "82", &[16, 17, 18, 19]),                 // UnionPay, RuPay
    ("9792", "9792", &[16]),                         // Troy
];

/// A run of digits: bytes `start..end`.
#[derive(Debug, Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
}

/// Finds card numbers.
pub(super) fn find(view: &View, spans: &mut Vec<Span>) {
    if view.bytes().iter().filter(|byte| byte.is_ascii_digit()).count() < 13 {
        return;
    }
    let groups = groups(view);
    let mut index = 0;
    while let Some(group) = groups.get(index) {
        let count = single(view, *group)
            .or_else(|| LAYOUTS.iter().find_map(|layout| in_layout(view, &groups, index, layout)))
            .or_else(|| whole_chain(view, &groups, index));
        if let Some(last) = count.and_then(|count| groups.get(index + count - 1)) {
            spans.push(Span::new(group.start, last.end, Kind::Card));
        }
        index += count.unwrap_or(1);
    }
}

/// Returns the runs of digits of a text.
fn groups(view: &View) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, byte) in view.bytes().iter().enumerate() {
        if !byte.is_ascii_digit() {
            continue;
        }
        match groups.last_mut() {
            Some(last) if last.end == index => last.end += 1,
            _ => groups.push(Group { start: index, end: index + 1 }),
        }
    }
    groups
}

/// Tells whether one run is a card number; the result is 1, the count of its groups.
fn single(view: &View, group: Group) -> Option<usize> {
    // `0.4111…` is a number with many decimals.
    let is_fraction = view.before(group.start) == b'.'
        && view.before(group.start - 1).is_ascii_digit()
        && (group.start < 5 || !view.part(group.start - 5, group.start - 1).bytes().all(|byte| byte.is_ascii_digit()));
    (!is_fraction && is_card(view, &[group])).then_some(1)
}

/// Tells whether groups are a card number as it is printed.
fn in_layout(view: &View, groups: &[Group], index: usize, layout: &[usize]) -> Option<usize> {
    let groups = groups.get(index..index + layout.len())?;
    let fits = groups.iter().zip(layout).all(|(group, length)| group.end - group.start == *length)
        && groups.windows(2).all(|pair| is_link(view, pair, 3, b" \t\r\n-.+_/"));
    (fits && is_card(view, groups)).then_some(layout.len())
}

/// Tells whether groups of any size, with nothing before or after them, are together a card number.
fn whole_chain(view: &View, groups: &[Group], index: usize) -> Option<usize> {
    let is_linked = |pair: &[Group]| is_link(view, pair, 1, b" -+");
    if index > 0 && groups.get(index - 1..=index).is_some_and(is_linked) {
        return None;
    }
    let rest = groups.get(index..)?;
    // A longer chain is no card number, so that looking at 20 groups is enough.
    let count = 1 + rest.windows(2).take(20).take_while(|pair| is_linked(pair)).count();
    (count > 1 && is_card(view, rest.get(..count)?)).then_some(count)
}

/// Tells whether two groups are apart by at most `most` of some characters.
fn is_link(view: &View, pair: &[Group], most: usize, separators: &[u8]) -> bool {
    let [left, right] = pair else { return false };
    right.start - left.end <= most
        && view.bytes().get(left.end..right.start).is_some_and(|gap| gap.iter().all(|byte| separators.contains(byte)))
}

/// Tells whether the digits of some groups are a card number and no part of a hexadecimal id.
fn is_card(view: &View, groups: &[Group]) -> bool {
    let count: usize = groups.iter().map(|group| group.end - group.start).sum();
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return false };
    if !(13..=19).contains(&count) {
        return false;
    }
    let digits: Vec<u8> =
        groups.iter().flat_map(|group| view.bytes().get(group.start..group.end).unwrap_or_default()).copied().collect();
    has_issuer(&digits) && has_check_digit(&digits) && !is_in_hex(view, *first) && !is_in_hex(view, *last)
}

/// Tells whether a run of digits has letters beside it that are all hexadecimal.
///
/// Only the next letters are looked at: `PAN4111…` is a card number, `a4111…f` is a part of an id.
fn is_in_hex(view: &View, group: Group) -> bool {
    let before = view.bytes().get(..group.start).unwrap_or_default().iter().rev();
    let after = view.bytes().get(group.end..).unwrap_or_default().iter();
    let letters: Vec<u8> = before
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .take(16)
        .chain(after.take_while(|byte| byte.is_ascii_alphanumeric()).take(16))
        .copied()
        .collect();
    !letters.is_empty() && letters.iter().all(u8::is_ascii_hexdigit)
}

fn has_issuer(digits: &[u8]) -> bool {
    ISSUERS.iter().any(|(from, to, lengths)| {
        let prefix = digits.get(..from.len()).unwrap_or_default();
        from.as_bytes() <= prefix && prefix <= to.as_bytes() && lengths.contains(&digits.len())
    })
}

/// Tells whether the last digit is the check digit of the others: H. P. Luhn, US patent 2,950,048.
fn has_check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let digit = u32::from(digit - b'0') * if index % 2 == 1 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        let mut spans = Vec::new();
        find(&View::of(text), &mut spans);
        spans.len()
    }

    #[test]
    fn numbers_of_the_issuers_test_cards_are_found() {
        for card in [
            "4111111111111111",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
            "3530111333300000",
            "6200000000000005",
            "6304000000000000",
            "4000000000000000006",
            "2200000000000004",
            "5019717010103742",
            "6759649826438453",
        ] {
            assert_eq!(count(card), 1, "{card}");
            assert_eq!(count(&format!("お客様{card}様")), 1, "{card}");
            let spaced: Vec<String> = card.as_bytes().chunks(4).map(|c| String::from_utf8_lossy(c).into()).collect();
            for separator in [" ", "-", "  ", " - ", "%20", "+", "."] {
                let spaced = spaced.join(separator);
                // Odd lengths in groups of four are found alone or in a layout.
                let is_exotic =
                    !matches!(card.len(), 13 | 15 | 16 | 19) && !matches!(separator, " " | "-" | "%20" | "+");
                assert!(is_exotic || count(&spaced) == 1, "{spaced}");
            }
        }
    }

    #[test]
    fn other_numbers_are_no_cards() {
        for text in [
            "4111111111111112",
            "41111111111111111111",
            "1762700000000",
            "1762700000000000000",
            "0.4111111111111111",
            "a4111111111111111f",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "2026-11-09 12:34:56.123456789",
            "arn:aws:iam::123456789012:x",
            "192.168.100.200 10.0.0.1 172.16.254.1",
            "5.15.0-1084-aws 22.04.1",
            "978-3-16-148410-0",
        ] {
            assert_eq!(count(text), 0, "{text}");
        }
    }

    #[test]
    fn two_cards_are_two_findings() {
        assert_eq!(count("4111 1111 1111 1111 5555 5555 5555 4444"), 2);
        assert_eq!(count("4111111111111111,5555555555554444 PAN4111111111111111"), 3);
    }
}
