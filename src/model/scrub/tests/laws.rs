//! The laws of `scrub`: stable, borrowed if clean, linear, no digit of a card left.

use std::borrow::Cow;

use proptest::prelude::*;

use super::super::*;

#[test]
fn a_pattern_that_matches_its_own_mark_comes_to_an_end() {
    for pattern in [r"\w+", ".", r"\S+", "a", r"\[", "x]?"] {
        let scrubber = Scrubber::new([("a", pattern)]).expect("a pattern");
        let once = scrubber.scrub(Field::Title, "ab [a] x]").text.into_owned();
        assert_eq!(scrubber.scrub(Field::Title, &once).text, once, "{pattern}");
    }
}

#[test]
fn time_is_linear_in_the_length() {
    let scrubber = Scrubber::default();
    let parts = [
        "4",
        "4 ",
        "@",
        "a@",
        "a@b.",
        "\"@",
        "://",
        "://x:y",
        "password=",
        "token=a.",
        "password='",
        "eyJ",
        "-----BEGIN PRIVATE KEY",
        "gh\u{70}_",
        "%",
        "%25",
        "'",
        "\\'",
        "(",
        "(1),",
        "$a$",
        "/*",
        "/",
        "select ",
        "select where ",
        "update set ",
        "[a]",
        "は",
        "{",
        "NRAL",
    ];
    for part in parts {
        for field in [Field::Statement, Field::Target, Field::Text] {
            let took = |length: usize| {
                let text = part.repeat(length / part.len());
                let start = std::time::Instant::now();
                let _ = scrubber.scrub(field, &text);
                start.elapsed()
            };
            // 16 times the text in 64 times the time and a pause of the machine; quadratic would be 256 times. Another
            // program may take the processor, so one good run of five is enough.
            let is_linear = || took(32_000) < took(2_000) * 64 + std::time::Duration::from_millis(50);
            assert!((0..5).any(|_| is_linear()), "{part} in {field:?}");
        }
    }
}

/// Texts of the pieces that the finders look for.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "4111111111111111",
        "4111",
        " ",
        "-",
        "@",
        "a@b.com",
        "://",
        "user:pass",
        "password",
        "token",
        "=",
        ":",
        "\"",
        "'",
        "\\",
        "%27",
        "%40",
        "%25",
        "/users/",
        "123456",
        "eyJhbGciOi",
        ".",
        "select a from t where b = ",
        "values (",
        "(",
        ")",
        ",",
        "--",
        "/*",
        "*/",
        "$$",
        "?",
        "&",
        "#",
        "{id}",
        "[card]",
        "[secret]",
        "[email]",
        "Bearer ",
        "カード",
        "は",
        "ー",
        "１２",
        "\u{200b}",
        "\n",
        "x",
        "q'",
        "<",
        ">",
        " #2",
        "[",
    ]);
    prop_oneof![prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat()), ".{0,40}", "[ -~]{0,60}",]
}

fn fields() -> impl Strategy<Value = Field> {
    prop::sample::select(Field::ALL.to_vec())
}

/// Card numbers: a prefix, any digits, the check digit.
fn cards() -> impl Strategy<Value = String> {
    let prefixes = vec![
        ("4", 16),
        ("4", 13),
        ("4", 19),
        ("51", 16),
        ("37", 15),
        ("36", 14),
        ("3530", 16),
        ("6011", 16),
        ("62", 18),
    ];
    (prop::sample::select(prefixes), "[0-9]{19}").prop_map(|((prefix, length), digits)| {
        let body: String = prefix.chars().chain(digits.chars()).take(length - 1).collect();
        let sum = body.bytes().rev().enumerate().map(|(index, digit)| {
            let digit = u32::from(digit - b'0') * if index % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        });
        format!("{body}{}", (10 - sum.sum::<u32>() % 10) % 10)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scrubbing_twice_is_scrubbing_once(text in pieces(), field in fields()) {
        let scrubber = Scrubber::new([("own", r"\d{3}x")]).expect("a pattern");
        let once = scrubber.scrub(field, &text);
        let twice = scrubber.scrub(field, &once.text);
        prop_assert_eq!(&twice.text, &once.text);
        prop_assert!(twice.counts.is_empty());
    }

    #[test]
    fn a_text_is_borrowed_exactly_if_nothing_was_found(text in pieces(), field in fields()) {
        let scrubbed = Scrubber::default().scrub(field, &text);
        prop_assert_eq!(matches!(scrubbed.text, Cow::Borrowed(_)), scrubbed.counts.is_empty());
        prop_assert!(!scrubbed.counts.is_empty() || scrubbed.text == text);
    }

    #[test]
    fn no_digits_of_a_card_survive(card in cards(), field in fields(), separator in "[ -]?", before in "[a-z ]{0,5}[ /:=「]", after in "([ ,」様].{0,5})?") {
        prop_assume!(!after.contains(|letter: char| letter.is_numeric()));
        let spaced = card.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(&separator);
        let text = format!("{before}{spaced}{after}");
        let scrubbed = Scrubber::default().scrub(field, &text);
        let left = scrubbed.text.chars().any(char::is_numeric);
        prop_assert!(!left, "{}", scrubbed.text);
    }
}
