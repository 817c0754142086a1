//! Damaged segments: where they go, and the note of what they held.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::scrub::excerpt;

use super::StoreError;
use super::layout::{source_of_segment, write_whole};
use super::segment::Segment;

/// Puts a segment that is not what was written out of the way, with a note of what it held.
pub(super) fn set_aside(folder: &Path, segment: &Segment, reason: &StoreError) -> io::Result<()> {
    let path = free_name(folder, segment.day);
    let held = match reason {
        StoreError::Damaged { held, .. } => held.as_str(),
        _ => "an unknown number of points",
    };
    let why = Diagnostic::of_error(Stage::Store, "store", reason).reason();
    let note = serde_json::json!({
        "source": source_of_segment(&segment.path),
        "day": segment.day.to_string(),
        "held": held,
        "reason": why,
    });
    let name = path.with_extension("json").file_name().map(|name| name.to_string_lossy().into_owned());
    write_whole(folder, &name.unwrap_or_default(), |file| writeln!(file, "{note:#}"))?;
    fs::rename(&segment.path, path)
}

/// Says what a segment that was set aside held, by the note beside it.
pub(super) fn held(path: &Path) -> String {
    let note = fs::read(path.with_extension("json")).ok();
    let note = note.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok()).unwrap_or_default();
    let text = |key: &str| note.get(key).and_then(serde_json::Value::as_str).map(excerpt);
    match (text("held"), text("source"), text("day")) {
        (Some(held), Some(source), Some(day)) => format!("{held} of source `{source}` on {day}"),
        _ => "an unknown number of points".to_owned(),
    }
}

/// Returns the first free name for a damaged segment of a day.
fn free_name(folder: &Path, day: NaiveDate) -> PathBuf {
    let names = (0..)
        .map(|k: u32| if k == 0 { format!("{day}.damaged.parquet") } else { format!("{day}.damaged-{k}.parquet") });
    names.map(|name| folder.join(name)).find(|path| !path.exists()).unwrap_or_else(|| folder.join("damaged"))
}
