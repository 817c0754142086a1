//! Names, titles, statements and log lines from outside: scrubbing never panics, and twice is once.
#![no_main]

use fortnight::model::scrub::{Field, Scrubber};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (number, text) = input;
    let Some(field) = Field::ALL.get(usize::from(number) % Field::ALL.len()) else { return };
    let scrubber = Scrubber::new([("own", r"\d{3}x")]).expect("a pattern");
    let once = scrubber.scrub(*field, text);
    let twice = scrubber.scrub(*field, &once.text);
    assert_eq!(twice.text, once.text);
    assert!(twice.counts.is_empty());
    assert!(!once.counts.is_empty() || once.text == text);
});
