//! Lines of the events that are not what was written, and how they are named.

use std::path::Path;

use crate::model::scrub::excerpt;

/// Lines that are named; more are counted.
const NAMED: usize = 5;

/// A line that is not what was written.
#[derive(Debug)]
pub(super) struct DamagedLine {
    /// The file's name, without its folder.
    file: String,
    /// From 1 on.
    number: usize,
    reason: String,
    /// As it was found, without its end.
    pub(super) bytes: Vec<u8>,
}

impl DamagedLine {
    /// Notes a line with its number from 0 on. `reason`: continues "line 4: …".
    pub(super) fn new((row, bytes): (usize, &[u8]), file: &Path, reason: impl Into<String>) -> Self {
        let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { file, number: row + 1, reason: reason.into(), bytes: bytes.to_vec() }
    }
}

/// Names lines: `line 4: its digest differs; line 7: is not UTF-8`. Those of another file than `path` have its name.
pub(super) fn named(lines: &[DamagedLine], path: &Path) -> String {
    let name = |line: &DamagedLine| {
        let other = if path.ends_with(&line.file) { String::new() } else { format!("{} ", excerpt(&line.file)) };
        format!("{other}line {}: {}", line.number, line.reason)
    };
    let mut named: Vec<String> = lines.iter().take(NAMED).map(name).collect();
    if lines.len() > NAMED {
        named.push(format!("and {} more", lines.len() - NAMED));
    }
    named.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lines_are_named_and_more_are_counted() {
        let line = |row: usize, file: &str| DamagedLine::new((row, b"x"), Path::new(file), "is not UTF-8");
        let events = Path::new("store/events.2.jsonl");
        assert_eq!(named(&[line(3, "store/events.2.jsonl")], events), "line 4: is not UTF-8");
        assert_eq!(named(&[line(0, "told/apm.jsonl")], events), "apm.jsonl line 1: is not UTF-8");
        let many: Vec<DamagedLine> = (0..8).map(|row| line(row, "events.2.jsonl")).collect();
        assert!(named(&many, events).ends_with("line 5: is not UTF-8; and 3 more"));
    }
}
