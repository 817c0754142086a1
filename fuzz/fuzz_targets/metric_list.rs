//! Lists of CloudWatch metrics, which users may add.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use fortnight::source::cloudwatch::lists;
use fortnight::config::Config;
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let text = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\n";
    Config::parse(text, Path::new("fortnight.toml")).expect("valid")
});

fuzz_target!(|text: &str| {
    let _ = lists::parse(&CONFIG, "list.toml", text);
});
