//! Where in the file a key stands: turns spans into `file:line` and key paths.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Index of every key of a document.
#[derive(Debug)]
pub(super) struct Places {
    /// The file as the user named it.
    file: String,
    /// Byte offset at which each line begins.
    lines: Vec<usize>,
    /// Spans by path, such as `judge.limit.relative` or `source[1].kind`: of the key, and of its value.
    spans: BTreeMap<String, (Range<usize>, Range<usize>)>,
}

impl Places {
    /// Indexes a document; one that is not TOML has lines but no keys.
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut places = Self { file: file.display().to_string(), lines, spans: BTreeMap::new() };
        if let Ok(document) = DeTable::parse(text) {
            places.add_table("", document.get_ref());
        }
        places
    }

    fn add_table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = join(path, key.get_ref());
            self.add_value(path, key.span(), value);
        }
    }

    fn add_value(&mut self, path: String, key: Range<usize>, value: &Spanned<DeValue<'_>>) {
        self.spans.insert(path.clone(), (key, value.span()));
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(&path, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.add_value(format!("{path}[{index}]"), item.span(), item);
                }
            }
            _ => {}
        }
    }

    /// Returns `file:line` of a byte offset.
    pub(super) fn at(&self, offset: usize) -> String {
        let line = self.lines.partition_point(|start| *start <= offset);
        format!("{}:{line}", self.file)
    }

    /// Returns `file:line` of a key, or of the nearest table around it when the key is missing.
    pub(super) fn of(&self, path: &str) -> String {
        let mut path = path;
        loop {
            if let Some((key, _)) = self.spans.get(path) {
                return self.at(key.start);
            }
            match path.rfind(['.', '[']) {
                Some(cut) => path = path.get(..cut).unwrap_or_default(),
                None => return self.file.clone(),
            }
        }
    }

    /// Returns the path of the innermost key whose name or value holds a byte offset.
    pub(super) fn path_at(&self, offset: usize) -> Option<&str> {
        let holds = |span: &Range<usize>| span.start <= offset && offset < span.end.max(span.start + 1);
        self.spans
            .iter()
            .filter(|(_, (key, value))| holds(key) || holds(value))
            // Headers of tables hold their children's keys only by name, so the longest path is the innermost.
            .max_by_key(|(path, _)| path.len())
            .map(|(path, _)| path.as_str())
    }
}

/// Appends a key to a path; a key that is no bare word is quoted.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_line_and_by_offset() {
        let text = "version = 1\n[judge.limit]\nrelative = 0.1\n[[source]]\nkind = \"files\"\n[[source]]\nid = \"b\"\n";
        let places = Places::new(Path::new("a.toml"), text);
        assert_eq!(places.of("judge.limit.relative"), "a.toml:3");
        assert_eq!(places.of("source[1].id"), "a.toml:7");
        assert_eq!(places.of("source[1].kind"), "a.toml:6");
        let offset = text.find("relative").expect("present");
        assert_eq!(places.path_at(offset), Some("judge.limit.relative"));
        assert_eq!(places.of("nothing.here"), "a.toml");
    }

    #[test]
    fn odd_keys_are_quoted() {
        assert_eq!(join("signal", "a.b"), "signal.\"a.b\"");
    }
}
