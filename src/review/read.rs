//! Reads a written `report.json` back: as a whole, or up to its findings.
//!
//! The file may hold a hundred thousand comparisons; they are its last key, and [`findings`] stops before them.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};

use super::{Deploy, Finding, Miss, Period, Review, SCHEMA};

/// Name and version of what `fortnight explain --json` prints.
pub const EXPLAIN_SCHEMA: &str = "fortnight.explain/1";

/// Returns the JSON Schema of what `fortnight explain --json` prints.
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Explained<'_>>()
        .to_value()
}

/// Why a report could not be read. Every text continues "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("read the report {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not the JSON of a report.
    #[error("read the report {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The file is of another kind or version.
    #[error("read the report {}: its schema is {found:?}, not {SCHEMA:?}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says of itself.
        found: String,
    },
}

impl ReadError {
    /// Returns what to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "write one with `fortnight report` (`json` among its formats), or name one with `--from-report FILE`"
            }
            Self::Open { .. } => "name another one with `--from-report FILE`",
            Self::Json { .. } | Self::Schema { .. } => "write it again with `fortnight report`",
        }
    }
}

/// A written report up to its findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The period that was judged.
    pub period: Period,
    /// The deploys of the period.
    pub deploys: Vec<Deploy>,
    /// Its findings, in order.
    pub findings: Vec<Finding>,
}

/// One finding in full: what `fortnight explain` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(title = "fortnight explain")]
pub struct Explained<'a> {
    /// Name and version of this format.
    #[schemars(extend("const" = EXPLAIN_SCHEMA))]
    pub schema: &'static str,
    /// The period of the report.
    pub period: &'a Period,
    /// The deploys that the finding is held against.
    pub deploys: Vec<&'a Deploy>,
    /// The finding.
    pub finding: &'a Finding,
}

impl<'a> Explained<'a> {
    /// Gathers what belongs to a finding. `deploys`: all deploys of its report.
    pub fn new(period: &'a Period, deploys: &'a [Deploy], finding: &'a Finding) -> Self {
        let own = deploys.iter().filter(|deploy| deploy.number == finding.number);
        Self { schema: EXPLAIN_SCHEMA, period, deploys: own.collect(), finding }
    }
}

impl From<Review> for Findings {
    fn from(review: Review) -> Self {
        Self { period: review.period, deploys: review.deploys, findings: review.findings }
    }
}

impl Findings {
    /// Picks a finding by its id, the beginning of its id, or its number in the list.
    ///
    /// # Errors
    /// [`Miss`] if no finding or more than one is called so.
    pub fn pick(&self, word: &str) -> Result<&Finding, Miss> {
        super::pick::pick(&self.findings, word)
    }

    /// Gathers what belongs to a finding.
    pub fn explained<'a>(&'a self, finding: &'a Finding) -> Explained<'a> {
        Explained::new(&self.period, &self.deploys, finding)
    }
}

/// Reads a whole report.
///
/// # Errors
/// [`ReadError`] if the file cannot be read or is no report of this version.
pub fn review(path: &Path) -> Result<Review, ReadError> {
    let bytes = std::fs::read(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    let json = serde_json::from_slice(&bytes).map_err(|source| ReadError::Json { path: path.to_owned(), source })?;
    drop(bytes);
    of_json(json, path)
}

/// Reads a whole report from its JSON. `path`: where it came from, for errors.
///
/// # Errors
/// [`ReadError`] if it is no report of this version.
pub fn of_json(json: serde_json::Value, path: &Path) -> Result<Review, ReadError> {
    let found = json.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
    if found != SCHEMA {
        return Err(ReadError::Schema { path: path.to_owned(), found: found.to_owned() });
    }
    serde_json::from_value(json).map_err(|source| ReadError::Json { path: path.to_owned(), source })
}

/// Reads a report's findings.
///
/// # Errors
/// [`ReadError`] if the file cannot be read or is no report of this version.
pub fn findings(path: &Path) -> Result<Findings, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    parse(BufReader::with_capacity(1 << 16, file), path)
}

fn parse(reader: impl Read, path: &Path) -> Result<Findings, ReadError> {
    let mut begun = Begun::default();
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let outcome = Head { begun: &mut begun }.deserialize(&mut deserializer);
    let json = |source| ReadError::Json { path: path.to_owned(), source };
    match begun.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(found) => return Err(ReadError::Schema { path: path.to_owned(), found: found.to_owned() }),
        None if outcome.is_ok() => {
            return Err(ReadError::Schema { path: path.to_owned(), found: String::new() });
        }
        None => {}
    }
    match (begun.period, begun.deploys, begun.findings, outcome) {
        (Some(period), Some(deploys), Some(findings), _) => Ok(Findings { period, deploys, findings }),
        (.., Err(source)) => Err(json(source)),
        _ => Err(json(serde_json::Error::custom("`period`, `deploys` or `findings` is missing"))),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Begun {
    schema: Option<String>,
    period: Option<Period>,
    deploys: Option<Vec<Deploy>>,
    findings: Option<Vec<Finding>>,
}

/// Reads the top-level object up to what is needed, and then stops with an error that nobody looks at: serde knows no
/// other way to leave an object early.
struct Head<'a> {
    begun: &'a mut Begun,
}

impl<'de> DeserializeSeed<'de> for Head<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Head<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object of a report")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "schema" => {
                    let schema = map.next_value::<String>()?;
                    let is_known = schema == SCHEMA;
                    self.begun.schema = Some(schema);
                    if !is_known {
                        return Err(A::Error::custom("another schema"));
                    }
                }
                "period" => self.begun.period = Some(map.next_value()?),
                "deploys" => self.begun.deploys = Some(map.next_value()?),
                "findings" => self.begun.findings = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            let Begun { schema, period, deploys, findings } = &*self.begun;
            if schema.is_some() && period.is_some() && deploys.is_some() && findings.is_some() {
                return Err(A::Error::custom("enough was read"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::tests::{reviewed, text};

    fn read() -> Findings {
        parse(text(&reviewed()).as_bytes(), Path::new("report.json")).expect("read")
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        assert_eq!(read(), Findings::from(reviewed()));
        assert!(read().findings[0].explanation.is_some());
    }

    #[test]
    fn a_whole_report_reads_back_and_others_are_refused() {
        let value = |text: &str| serde_json::from_str(text).expect("JSON");
        let path = Path::new("https://example.invalid/report.json");
        assert_eq!(of_json(value(&text(&reviewed())), path).expect("read"), reviewed());
        for other in ["{}", "[]", "3", "{\"schema\":\"fortnight.report/2\"}"] {
            assert!(matches!(of_json(value(other), path), Err(ReadError::Schema { .. })), "{other}");
        }
        let cut = "{\"schema\":\"fortnight.report/1\"}";
        assert!(matches!(of_json(value(cut), path), Err(ReadError::Json { .. })));
    }

    #[test]
    fn comparisons_need_not_be_read() {
        let text = text(&reviewed());
        let (head, _) = text.split_once("\"comparisons\":").expect("there");
        assert_eq!(parse(head.as_bytes(), Path::new("x")).expect("read"), read());
    }

    #[test]
    fn other_files_are_refused_with_their_reason() {
        let schema = |text: &str| match parse(text.as_bytes(), Path::new("x")) {
            Err(ReadError::Schema { found, .. }) => found,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(schema("{\"schema\":\"fortnight.report/2\",\"findings\":7}"), "fortnight.report/2");
        assert_eq!(schema("{}"), "");
        for text in
            ["", "[]", "{\"schema\":\"fortnight.report/1\"}", "{\"schema\":\"fortnight.report/1\",\"period\":3}"]
        {
            assert!(matches!(parse(text.as_bytes(), Path::new("x")), Err(ReadError::Json { .. })), "{text}");
        }
    }
}
