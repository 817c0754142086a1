//! The configuration, which users write by hand.
#![no_main]

use std::path::Path;

use fortnight::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text, Path::new("fortnight.toml")) {
        assert!(!error.to_string().is_empty());
    }
});
