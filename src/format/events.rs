//! Deploys and other events: JSON lines (one object a line, blank lines skipped, unknown keys ignored) or
//! CSV with the same names, plain or gzip.
//!
//! `id`, `service` and `at` are required; kinds other than `deploy` may leave the service out or say `*`
//! for all of them. Times are RFC 3339 with an offset, or whole seconds or milliseconds since 1970. An
//! event that cannot be understood is an error with file and line, because a lost deploy would shift the
//! blame to another one. A file without an event is fine: nobody deployed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use serde::Deserialize;
use serde_json::Value;

use crate::model::event::{Event, EventKind, Origin};
use crate::model::scrub::excerpt;
use crate::model::time::rfc3339;

use super::csv::failure;
use super::text::{read_error, text_reader};
use super::{LONGEST_TEXT_BY, RecordError, RowError, parse_time};

/// Events of some files, each with the place where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedEvents {
    /// Sorted by time, then id.
    pub events: Vec<Event>,
    /// Events that came again with the same content: how many, and the first place.
    pub repeated: Option<(u64, String)>,
}

/// Reads the events of files; each file is a path and its name in messages.
///
/// # Errors
/// The first event that cannot be understood, or whose id was used with another content before.
pub fn read(files: &[(impl AsRef<Path>, String)]) -> Result<RecordedEvents, RecordError> {
    let mut known: BTreeMap<String, (Event, String)> = BTreeMap::new();
    let mut repeated: Option<(u64, String)> = None;
    for (path, name) in files {
        for (row, event) in read_file(path.as_ref(), name)? {
            let place = format!("{name}:{row}");
            match known.get(&event.id) {
                Some((same, _)) if *same == event => {
                    repeated = Some(repeated.map_or((1, place), |(count, first)| (count + 1, first)));
                }
                Some((_, first)) => {
                    let text = format!("event `{}` differs from the one at {first}", excerpt(&event.id));
                    return Err(broken(name, row, text));
                }
                None => {
                    known.insert(event.id.clone(), (event, place));
                }
            }
        }
    }
    let mut events: Vec<Event> = known.into_values().map(|(event, _)| event).collect();
    sort(&mut events);
    Ok(RecordedEvents { events, repeated })
}

/// Puts events in the order of the contract: by time, then id.
pub fn sort(events: &mut [Event]) {
    events.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
}

/// Checks an event that was not read from a file, by the same rules.
///
/// `fields`: a JSON object with the contract's names.
///
/// # Errors
/// What is wrong with it, as a fragment of a sentence.
pub fn of_fields(fields: serde_json::Map<String, Value>) -> Result<Event, String> {
    serde_json::from_value::<Raw>(Value::Object(fields)).map_err(|error| json_reason(&error))?.check()
}

/// Returns an event as a line of JSON that [`read`] understands, without the line's end.
pub fn to_line(event: &Event) -> String {
    let mut object = serde_json::Map::new();
    let mut put = |key: &str, text: &str| {
        if !text.is_empty() {
            object.insert(key.to_owned(), Value::from(text));
        }
    };
    put("id", &event.id);
    put("service", &event.service);
    put("revision", &event.revision);
    put("title", &event.title);
    put("url", &event.url);
    put("author", &event.author);
    put("kind", event.kind.as_str());
    // An event that says nothing has the origin that its id says.
    if event.origin != Origin::of_id(&event.id) {
        put("origin", &event.origin.word());
    }
    object.insert("at".to_owned(), exact_time(event.at));
    if let Some(until) = event.until {
        object.insert("until".to_owned(), exact_time(until));
    }
    Value::Object(object).to_string()
}

/// Writes a time so that reading gives it back: RFC 3339 with milliseconds.
pub fn exact_time(time: i64) -> Value {
    let utc = crate::model::time::local(time, chrono_tz::UTC);
    Value::from(utc.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// An event as the file says it.
#[derive(Debug, Default, Deserialize)]
struct Raw {
    id: Option<String>,
    service: Option<String>,
    at: Option<Value>,
    until: Option<Value>,
    revision: Option<String>,
    title: Option<String>,
    url: Option<String>,
    author: Option<String>,
    kind: Option<String>,
    origin: Option<String>,
}

fn read_file(path: &Path, name: &str) -> Result<Vec<(u64, Event)>, RecordError> {
    let mut reader = BufReader::new(text_reader(path, name)?);
    let start = reader.fill_buf().map_err(|source| read_error(name, source))?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None | Some(b'{') => read_lines(reader, name),
        Some(b'[') => Err(broken(name, 1, "a JSON array; write one object a line".to_owned())),
        Some(_) => read_csv(reader, name),
    }
}

fn read_lines(mut reader: impl BufRead, name: &str) -> Result<Vec<(u64, Event)>, RecordError> {
    let mut events = Vec::new();
    let mut line = Vec::new();
    for row in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|source| read_error(name, source))? == 0 {
            break;
        }
        let text = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| row == 1).unwrap_or(&line).trim_ascii();
        if text.is_empty() {
            continue;
        }
        let text = std::str::from_utf8(text).map_err(|_| broken(name, row, "not valid UTF-8".to_owned()))?;
        let raw: Raw = serde_json::from_str(text).map_err(|error| broken(name, row, json_reason(&error)))?;
        events.push((row, raw.check().map_err(|reason| broken(name, row, reason))?));
    }
    Ok(events)
}

/// Words serde's reason without its "at line 1", which would contradict the line in the file.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    format!("not an event: {} in column {}", excerpt(reason), error.column())
}

fn read_csv(reader: impl Read, name: &str) -> Result<Vec<(u64, Event)>, RecordError> {
    let mut reader = ReaderBuilder::new().from_reader(reader);
    let header = reader.byte_headers().map_err(|error| failure(name, error))?.clone();
    let find = |column: &str| header.iter().position(|title| title.trim_ascii() == column.as_bytes());
    for column in ["id", "service", "at"] {
        if find(column).is_none() {
            return Err(RecordError::MissingEventColumn { file: name.to_owned(), column });
        }
    }
    let mut events = Vec::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| failure(name, error))? {
        let row = record.position().map_or(0, csv::Position::line);
        let text = |column: &str| match find(column).and_then(|at| record.get(at)) {
            None | Some([]) => Ok(None),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(broken(name, row, format!("{column} is not valid UTF-8"))),
            },
        };
        let raw = Raw {
            id: text("id")?,
            service: text("service")?,
            at: text("at")?.map(Value::from),
            until: text("until")?.map(Value::from),
            revision: text("revision")?,
            title: text("title")?,
            url: text("url")?,
            author: text("author")?,
            kind: text("kind")?,
            origin: text("origin")?,
        };
        events.push((row, raw.check().map_err(|reason| broken(name, row, reason))?));
    }
    Ok(events)
}

impl Raw {
    fn check(self) -> Result<Event, String> {
        let kind = self.kind.filter(|kind| !kind.is_empty()).map_or(Ok(EventKind::Deploy), |word| {
            EventKind::parse(&word).ok_or_else(|| {
                let words: Vec<&str> = EventKind::ALL.iter().map(|(word, _)| *word).collect();
                format!("unknown kind `{}`; kinds are {}", excerpt(&word), words.join(", "))
            })
        })?;
        let id = self.id.filter(|id| !id.is_empty()).ok_or("`id` is missing")?;
        let service = match self.service.filter(|service| !service.is_empty()) {
            Some(service) if service == "*" && kind == EventKind::Deploy => {
                return Err("a deploy belongs to one service, not `*`".to_owned());
            }
            Some(service) => service,
            None if kind == EventKind::Deploy => return Err("`service` is missing".to_owned()),
            None => "*".to_owned(),
        };
        let at = time(&self.at.ok_or("`at` is missing")?, "at")?;
        let until = self.until.filter(|until| !until.is_null()).map(|until| time(&until, "until")).transpose()?;
        if let Some(until) = until.filter(|until| *until < at) {
            let zone = chrono_tz::UTC;
            return Err(format!("`until` {} is before `at` {}", rfc3339(until, zone), rfc3339(at, zone)));
        }
        let origin = match self.origin.filter(|origin| !origin.is_empty()) {
            None => Origin::of_id(&id),
            Some(word) => Origin::parse(&word).ok_or_else(|| {
                format!("unknown origin `{}`; write `reported`, `tracked:SOURCE` or `inferred`", excerpt(&word))
            })?,
        };
        let event = Event {
            until,
            revision: self.revision.unwrap_or_default(),
            title: self.title.unwrap_or_default(),
            url: self.url.unwrap_or_default(),
            author: self.author.unwrap_or_default(),
            kind,
            origin,
            ..Event::new(id, service, at)
        };
        let texts = [&event.id, &event.service, &event.revision, &event.title, &event.url, &event.author];
        if texts.iter().any(|text| text.len() > LONGEST_TEXT_BY) {
            return Err(format!("a text longer than {LONGEST_TEXT_BY} bytes"));
        }
        Ok(event)
    }
}

fn time(value: &Value, key: &str) -> Result<i64, String> {
    let parsed = match value {
        Value::String(text) => parse_time(text),
        Value::Number(number) => number.as_i64().and_then(|number| parse_time(&number.to_string())),
        _ => None,
    };
    let help = "RFC 3339 with an offset, or whole seconds or milliseconds since 1970";
    parsed.ok_or_else(|| format!("`{key}` {} is not a time: {help}", excerpt(&value.to_string())))
}

fn broken(name: &str, row: u64, text: String) -> RecordError {
    RecordError::Row { file: name.to_owned(), row, error: RowError::Event(text) }
}
