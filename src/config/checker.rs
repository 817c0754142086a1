//! Checks that more than one section of the file needs: ranges, words of a list, paths, patterns.
//!
//! Every error names the key's path with its file and line.

use super::error::ConfigError;
use super::place::Places;

/// A checked value, or what is wrong with it.
pub(super) type Checked<T> = Result<T, ConfigError>;

/// Where the keys of the file stand.
#[derive(Clone, Copy)]
pub(super) struct Checker<'a> {
    pub(super) places: &'a Places,
}

impl Checker<'_> {
    pub(super) fn wrong(&self, path: &str, reason: impl Into<String>, help: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            place: self.places.of(path),
            key: path.to_owned(),
            reason: reason.into(),
            help: help.into(),
        }
    }

    /// Checks a number; NaN and infinities, which TOML can write, are never in range.
    pub(super) fn number(
        &self,
        path: &str,
        value: Option<f64>,
        default: f64,
        low: f64,
        high: f64,
        help: &str,
    ) -> Checked<f64> {
        let value = value.unwrap_or(default);
        if low <= value && value <= high {
            return Ok(value);
        }
        let range =
            if high.is_finite() { format!("from {low} to {high}") } else { format!("a number of at least {low}") };
        Err(self.wrong(path, format!("{value} is not {range}"), help))
    }

    pub(super) fn whole(&self, path: &str, value: Option<i64>, default: u32, low: u32, high: u32) -> Checked<u64> {
        let value = value.unwrap_or(i64::from(default));
        match u64::try_from(value) {
            Ok(whole) if (u64::from(low)..=u64::from(high)).contains(&whole) => Ok(whole),
            _ => Err(self.wrong(path, format!("{value} is not from {low} to {high}"), "")),
        }
    }

    /// Checks a list of known words: not empty, nothing twice.
    pub(super) fn words<T: Copy + PartialEq>(
        &self,
        path: &str,
        list: Option<Vec<String>>,
        known: &[(&'static str, T)],
    ) -> Checked<Vec<T>> {
        let Some(list) = list else { return Ok(known.iter().map(|(_, value)| *value).collect()) };
        let all = || known.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        if list.is_empty() {
            return Err(self.wrong(path, "the list is empty", format!("name at least one of {}", all())));
        }
        let mut values = Vec::new();
        for (index, word) in list.iter().enumerate() {
            let place = format!("{path}[{index}]");
            let Some((_, value)) = known.iter().find(|(name, _)| name == word) else {
                return Err(self.wrong(&place, format!("unknown word {word:?}"), format!("choose from {}", all())));
            };
            if values.contains(value) {
                return Err(self.wrong(&place, format!("{word:?} is listed twice"), ""));
            }
            values.push(*value);
        }
        Ok(values)
    }

    pub(super) fn path(&self, path: &str, value: Option<String>, default: &str) -> Checked<String> {
        match value {
            Some(value) if value.trim().is_empty() => Err(self.wrong(path, "the path is empty", "")),
            Some(value) => Ok(value),
            None => Ok(default.to_owned()),
        }
    }

    pub(super) fn patterns(&self, path: &str, list: Option<Vec<String>>, needed: bool) -> Checked<Vec<String>> {
        let list = list.unwrap_or_default();
        if needed && list.is_empty() {
            let help = "name at least one file or pattern, such as \"series.parquet\"";
            return Err(self.wrong(path, "names no file", help));
        }
        for (index, pattern) in list.iter().enumerate() {
            let place = format!("{path}[{index}]");
            if pattern.trim().is_empty() {
                return Err(self.wrong(&place, "the pattern is empty", ""));
            }
            if let Err(error) = glob::Pattern::new(pattern) {
                return Err(self.wrong(&place, format!("{pattern:?} is not a pattern: {}", error.msg), ""));
            }
        }
        Ok(list)
    }
}
