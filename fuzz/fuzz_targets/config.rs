//! The configuration, which users write by hand.
#![no_main]

use std::path::Path;

use fortnight::config::Config;
use fortnight::source::registry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let checked = Config::parse(text, Path::new("fortnight.toml")).and_then(|config| registry::check(&config));
    if let Err(error) = checked {
        assert!(!error.to_string().is_empty());
    }
});
