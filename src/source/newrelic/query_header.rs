//! Reads the comment lines at the top of a query file.

use super::query::{Applications, Divisor, Purpose, Query, QueryError, Signal};
use crate::model::metric::{Class, Kind, Polarity, Unit};
use crate::model::time::HOUR;

/// Every key; `signal` may stand several times.
const KEYS: [&str; 11] =
    ["id", "about", "use", "applications", "service", "kind", "target", "grain", "longest", "split", "top"];

/// A file in two halves: keys with their lines, and the text.
pub(super) struct Header<'a> {
    file: &'a str,
    lines: Vec<(usize, &'a str, &'a str)>,
    text: String,
    text_line: usize,
}

impl<'a> Header<'a> {
    pub(super) fn parse(file: &'a str, text: &'a str) -> Result<Self, QueryError> {
        let mut header = Header { file, lines: Vec::new(), text: String::new(), text_line: 0 };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let Some(comment) = line.trim_start().strip_prefix("--") else {
                if header.text.is_empty() && !line.trim().is_empty() {
                    header.text_line = number;
                }
                header.text.push(' ');
                header.text.push_str(line.trim());
                continue;
            };
            if header.text_line != 0 {
                return Err(header.wrong(number, "a comment below the query; its header stands at the top".to_owned()));
            }
            header.key(number, comment.trim())?;
        }
        header.text = header.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if header.text.is_empty() {
            return Err(header.wrong(text.lines().count().max(1), "there is no query below the header".to_owned()));
        }
        Ok(header)
    }

    fn key(&mut self, number: usize, comment: &'a str) -> Result<(), QueryError> {
        let Some((key, value)) = comment.split_once(':').map(|(key, value)| (key.trim(), value.trim())) else {
            return Err(self.wrong(number, format!("`{comment}` is not `key: value`")));
        };
        if key != "signal" && !KEYS.contains(&key) {
            return Err(self.wrong(number, format!("unknown key `{key}`; known are {} and signal", KEYS.join(", "))));
        }
        if value.is_empty() {
            return Err(self.wrong(number, format!("`{key}` is empty")));
        }
        if key != "signal" && self.lines.iter().any(|(_, known, _)| *known == key) {
            return Err(self.wrong(number, format!("`{key}` stands here a second time")));
        }
        self.lines.push((number, key, value));
        Ok(())
    }

    /// Gives the keys their meaning.
    pub(super) fn query(&self) -> Result<Query, QueryError> {
        let purpose =
            self.word("use", Some("series"), &[("series", Purpose::Series), ("versions", Purpose::Versions)])?;
        let is_series = purpose == Purpose::Series;
        let fallback = |word| (!is_series).then_some(word);
        let (id_line, id) = self.needed("id")?;
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')) {
            return Err(self.wrong(id_line, format!("id `{id}` holds more than letters, digits, `_`, `-` and `.`")));
        }
        let kinds = [("operation", Kind::Operation), ("datastore", Kind::Datastore), ("resource", Kind::Resource)];
        let sources = [("apm", Applications::Apm), ("otel", Applications::Otel), ("none", Applications::None)];
        let (service, service_separator) = match self.needed("service")?.1.split_once(" by ") {
            Some((facet, separator)) => (facet.trim().to_owned(), Some(separator.trim().to_owned())),
            None => (self.needed("service")?.1.to_owned(), None),
        };
        Ok(Query {
            id: id.to_owned(),
            place: self.place(id_line),
            purpose,
            applications: self.word("applications", None, &sources)?,
            service,
            service_separator,
            kind: self.word("kind", fallback("operation"), &kinds)?,
            target: self.needed("target")?.1.to_owned(),
            is_hourly: self.word("grain", fallback("step"), &[("step", false), ("hour", true)])?,
            longest_ms: self.longest()?,
            split: self.optional("split").map(|(_, value)| value.to_owned()),
            top: self.top()?,
            signals: self.signals(is_series)?,
            text: self.text.clone(),
        })
    }

    fn signals(&self, is_series: bool) -> Result<Vec<Signal>, QueryError> {
        let lines: Vec<_> = self.lines.iter().filter(|(_, key, _)| *key == "signal").collect();
        if lines.is_empty() == is_series {
            let reason = if is_series { "a query of series without a `signal`" } else { "versions have no `signal`" };
            return Err(self.wrong(self.text_line, reason.to_owned()));
        }
        let mut signals: Vec<Signal> = Vec::new();
        for (number, _, value) in lines {
            let signal = self.signal(*number, value)?;
            if signals.iter().any(|other| other.name == signal.name) {
                return Err(self.wrong(*number, format!("signal `{}` stands here a second time", signal.name)));
            }
            signals.push(signal);
        }
        Ok(signals)
    }

    /// Reads `error_rate = errors / requests; unit ratio; class errors; better lower; absent zero`.
    fn signal(&self, number: usize, value: &str) -> Result<Signal, QueryError> {
        let mut parts = value.split(';').map(str::trim);
        let Some((name, formula)) = parts.next().and_then(|first| first.split_once('=')) else {
            return Err(self.wrong(number, "a signal is written `name = column; unit …`".to_owned()));
        };
        let mut words = [("unit", ""), ("class", ""), ("better", ""), ("absent", "")];
        for part in parts {
            let (key, word) = part.split_once(' ').unwrap_or((part, ""));
            let Some(slot) = words.iter_mut().find(|(known, old)| *known == key && old.is_empty()) else {
                return Err(self.wrong(number, format!("`{part}` is none of unit, class, better, absent, each once")));
            };
            slot.1 = word.trim();
        }
        if let Some((key, _)) = words.iter().find(|(_, word)| word.is_empty()) {
            return Err(self.wrong(number, format!("the signal `{}` has no `{key}`", name.trim())));
        }
        let [(_, unit), (_, class), (_, better), (_, absent)] = words;
        let (column, divisor) = match formula.split_once('/').map(|(column, by)| (column, by.trim())) {
            None => (formula, Divisor::One),
            Some((column, "seconds")) => (column, Divisor::Seconds),
            Some((column, by)) => (column, Divisor::Column(self.column(number, by)?)),
        };
        let (column, part) = match column.trim().split_once('.') {
            None => (column, None),
            Some((column, part)) => match part.parse::<f64>() {
                Ok(part) if part.is_finite() => (column, Some(part)),
                _ => return Err(self.wrong(number, format!("`{part}` is no percentile"))),
            },
        };
        Ok(Signal {
            name: self.column(number, name)?,
            column: self.column(number, column)?,
            part,
            divisor,
            unit: Unit::parse(unit).ok_or_else(|| self.wrong(number, format!("unknown unit `{unit}`")))?,
            class: self.known(number, class, &CLASSES)?,
            better: self.known(number, better, &DIRECTIONS)?,
            is_zero_when_absent: self.known(number, absent, &[("unknown", false), ("zero", true)])?,
        })
    }

    fn column(&self, number: usize, name: &str) -> Result<String, QueryError> {
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(self.wrong(number, format!("`{name}` is not a name of letters, digits and `_`")));
        }
        Ok(name.to_owned())
    }

    fn longest(&self) -> Result<Option<i64>, QueryError> {
        let Some((number, value)) = self.optional("longest") else { return Ok(None) };
        let hours = value.strip_suffix("hours").or_else(|| value.strip_suffix("hour")).map(str::trim);
        match hours.and_then(|hours| hours.parse::<i64>().ok()) {
            Some(hours @ 1..=24) => Ok(Some(hours * HOUR)),
            _ => Err(self.wrong(number, format!("`{value}` is not `1 hour` to `24 hours`"))),
        }
    }

    fn top(&self) -> Result<Option<usize>, QueryError> {
        let Some((number, value)) = self.optional("top") else { return Ok(None) };
        match value.parse() {
            Ok(top @ 1..=150) => Ok(Some(top)),
            _ => Err(self.wrong(number, format!("`{value}` is not from 1 to 150"))),
        }
    }

    fn optional(&self, key: &str) -> Option<(usize, &'a str)> {
        self.lines.iter().find(|(_, known, _)| *known == key).map(|(number, _, value)| (*number, *value))
    }

    fn needed(&self, key: &str) -> Result<(usize, &'a str), QueryError> {
        self.optional(key).ok_or_else(|| self.wrong(1, format!("the header has no `{key}`")))
    }

    fn word<T: Copy>(&self, key: &str, default: Option<&'static str>, known: &[(&str, T)]) -> Result<T, QueryError> {
        match (self.optional(key), default) {
            (Some((number, value)), _) => self.known(number, value, known),
            (None, Some(default)) => self.known(1, default, known),
            (None, None) => self.needed(key).and_then(|(number, value)| self.known(number, value, known)),
        }
    }

    fn known<T: Copy>(&self, number: usize, word: &str, known: &[(&str, T)]) -> Result<T, QueryError> {
        known.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| {
            let all = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            self.wrong(number, format!("`{word}` is none of {all}"))
        })
    }

    fn place(&self, number: usize) -> String {
        format!("{}:{number}", self.file)
    }

    pub(super) fn text_place(&self) -> String {
        self.place(self.text_line)
    }

    fn wrong(&self, number: usize, reason: String) -> QueryError {
        // The file is a user's; a message stays on its line whatever stands in there.
        let reason = reason
            .chars()
            .flat_map(|sign| if sign.is_control() { sign.escape_default().collect() } else { vec![sign] })
            .collect();
        QueryError::Wrong { place: self.place(number), reason }
    }
}

const CLASSES: [(&str, Class); 5] = [
    ("latency", Class::Latency),
    ("traffic", Class::Traffic),
    ("errors", Class::Errors),
    ("saturation", Class::Saturation),
    ("other", Class::Other),
];

const DIRECTIONS: [(&str, Polarity); 3] =
    [("lower", Polarity::Lower), ("higher", Polarity::Higher), ("neutral", Polarity::Neutral)];
