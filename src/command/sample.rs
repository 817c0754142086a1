//! The sample data inside the program, for `fortnight demo`.

/// Files of the sample by name: a configuration, its series and its deploys.
///
/// The configuration's `period.anchor` is the first day of the period that the demo judges.
pub const FILES: [(&str, &[u8]); 3] = [
    (CONFIG, include_bytes!("../../sample-data/fortnight.toml")),
    ("series.parquet", include_bytes!("../../sample-data/series.parquet")),
    ("deploys.jsonl", include_bytes!("../../sample-data/deploys.jsonl")),
];

/// Name of the configuration among [`FILES`].
pub const CONFIG: &str = "fortnight.toml";
