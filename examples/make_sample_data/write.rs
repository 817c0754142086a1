//! Writes the four files of the sample data. Same values, same bytes: no clock, no host name.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use serde::Serialize;

use crate::deploys::Event;
use crate::fleet::{FLEET, HOLIDAYS, Service};
use crate::noise::round3;
use crate::simulate::{Measured, time};
use crate::stories::Story;

/// Beyond this the size hardly shrinks.
const ZSTD_LEVEL: i32 = 19;

/// Writes `series.parquet` in long form; one row group a service. Returns rows written.
///
/// Values are rounded to three digits: few distinct ones, so a dictionary holds them in some 12 bits.
/// Times step evenly, so their differences pack into almost nothing.
///
/// # Errors
/// The file cannot be created or written.
pub fn series(path: &Path, all: &[Measured]) -> Result<usize> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_created_by("fortnight make_sample_data".to_owned())
        .set_column_dictionary_enabled(ColumnPath::from("time"), false)
        .set_column_encoding(ColumnPath::from("time"), Encoding::DELTA_BINARY_PACKED)
        // Every row group is read as a whole; one page wastes the least.
        .set_data_page_size_limit(16 << 20)
        .set_data_page_row_count_limit(1 << 20)
        .build();
    let mut writer: Option<ArrowWriter<File>> = None;
    let mut rows = 0;
    for of_service in all.chunk_by(|a, b| a.service == b.service) {
        let batch = batch(of_service)?;
        rows += batch.num_rows();
        let open = match writer.as_mut() {
            Some(open) => open,
            None => {
                let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
                writer.insert(ArrowWriter::try_new(file, batch.schema(), Some(properties.clone()))?)
            }
        };
        open.write(&batch)?;
        open.flush()?;
    }
    if let Some(open) = writer {
        open.close()?;
    }
    Ok(rows)
}

fn batch(all: &[Measured]) -> Result<RecordBatch> {
    let mut texts: [StringDictionaryBuilder<Int32Type>; 5] = Default::default();
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for series in all {
        for (i, value) in series.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            times.push(time(i));
            values.push(round3(*value));
            let row = [series.service, series.kind, series.target, series.signal, series.unit];
            for (column, text) in texts.iter_mut().zip(row) {
                column.append(text)?;
            }
        }
    }
    let [service, kind, target, signal, unit] = texts.map(|mut column| Arc::new(column.finish()) as ArrayRef);
    let times = Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC")) as ArrayRef;
    let values = Arc::new(Float64Array::from(values)) as ArrayRef;
    let columns = [
        ("time", times),
        ("service", service),
        ("kind", kind),
        ("target", target),
        ("signal", signal),
        ("unit", unit),
        ("value", values),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// Writes `deploys.jsonl`, one event a line.
///
/// # Errors
/// The file cannot be written.
pub fn deploys(path: &Path, events: &[Event]) -> Result<()> {
    let mut text = String::new();
    for event in events {
        text += &serde_json::to_string(event)?;
        text.push('\n');
    }
    put(path, &text)
}

/// Writes `stories.json`.
///
/// # Errors
/// The file cannot be written.
pub fn stories(path: &Path, stories: &[Story]) -> Result<()> {
    put(path, &(pretty(stories)? + "\n"))
}

fn pretty(value: &(impl Serialize + ?Sized)) -> Result<String> {
    serde_json::to_string_pretty(value).context("cannot write the stories")
}

/// Writes `fortnight.toml`, the config that reports on the sample data.
///
/// # Errors
/// The file cannot be written.
pub fn config(path: &Path) -> Result<()> {
    let mut text = CONFIG.to_owned();
    for (date, name) in HOLIDAYS {
        let _ = writeln!(text, "\"{date}\" = \"{name}\"");
    }
    text += SERVICES;
    for Service { name, owner, account, .. } in FLEET {
        let _ = write!(
            text,
            "\n[[service]]\nname = \"{name}\"\nowner = \"{owner}\"\naccount = \"{account}\"\n\
             runbook = \"https://wiki.example.com/runbooks/{name}\"\n"
        );
    }
    put(path, &text)
}

fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Head of the config, up to the table of holidays.
const CONFIG: &str = r#"# The review of an invented card company, over the sample data beside this file:
#
#     fortnight report -c sample-data/fortnight.toml --from 2026-11-09 --to 2026-11-23
#
# Written by `cargo run --release --example make_sample_data`; change it there.

title = "Kumo Card · biweekly performance check"
timezone = "Asia/Tokyo"         # hours of the week, dates and midnights are local
languages = ["en", "ja"]        # the first one is shown first

[period]
anchor = 2026-11-09             # a Monday on which a period began
days = 14

[[source]]
id = "recorded"
kind = "files"
series = ["series.parquet"]     # relative to this file; globs are allowed
deploys = ["deploys.jsonl"]

# The change that matters. Relative and absolute must both be exceeded. These are the defaults.
[judge]
false_discovery = 0.05

[judge.limit]
relative = 0.10
latency_ms = 5
error_share = 0.001             # a share: 0.1 percentage points
utilization_points = 5          # percentage points

# Days off are left out of the statistics.
[calendar.holidays]
"#;

/// Head of the services.
const SERVICES: &str = r"
# Two AWS accounts: card data, in the scope of PCI DSS, lives alone in `card`.
# `web-bff` is the joint: the app talks to it, it talks to both sides.
";
