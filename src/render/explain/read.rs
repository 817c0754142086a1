//! Reads the findings of a written `report.json`, and picks one by what somebody typed.
//!
//! The file may hold a hundred thousand comparisons; they stand last, and reading stops before them.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Explanation;
use crate::render::json::SCHEMA;

/// Name and version of what `fortnight explain --json` prints.
pub const EXPLAIN_SCHEMA: &str = "fortnight.explain/1";

/// Returns the JSON Schema of what `fortnight explain --json` prints.
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Output<'_>>()
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

/// What is read of a report: all but its comparisons.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The period that was judged.
    pub period: ToldPeriod,
    /// The deploys of the period.
    pub deploys: Vec<ToldDeploy>,
    /// Its findings, in order.
    pub findings: Vec<Told>,
}

/// The period of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToldPeriod {
    /// First instant inside, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub from: String,
    /// First instant outside, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub to: String,
    /// IANA name of the report's time zone.
    pub timezone: String,
}

/// A deploy of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToldDeploy {
    /// Its id.
    pub id: String,
    /// The service whose series it was held against.
    pub service: String,
    /// When it began, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Commit or version, empty if unknown.
    pub revision: String,
    /// What it was about, empty if unknown.
    pub title: String,
    /// Where to read more, empty if unknown. From outside: check before linking.
    pub url: String,
    /// Who knows this change, empty if unknown.
    pub author: String,
    /// What it is.
    pub kind: String,
    /// Number of its group on the page.
    pub number: usize,
}

/// A finding of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// Stable id.
    pub id: String,
    /// The verdict of its leading comparison.
    pub verdict: String,
    /// The service.
    pub service: String,
    /// What it was measured on.
    pub kind: String,
    /// The endpoint, statement or resource.
    pub target: String,
    /// Signal of the leading comparison.
    pub signal: String,
    /// Unit of the levels, and of a difference.
    pub unit: String,
    /// Id of the deploy (of a group: its first).
    pub deploy: Option<String>,
    /// Ids of the group's deploys.
    pub deploy_group: Vec<String>,
    /// Number of the group on the page.
    pub number: usize,
    /// Shape of the change.
    pub pattern: Option<String>,
    /// With `recovered`: when the old level was back.
    pub until: Option<String>,
    /// With `recovered`: id of the deploy that took it back, if one did.
    pub by: Option<String>,
    /// Typical level before.
    pub before: Option<f64>,
    /// Typical level after.
    pub after: Option<f64>,
    /// Added milliseconds times requests; negative is saved.
    pub cost_ms: Option<f64>,
    /// The team that answers for the service, empty for nobody yet.
    pub owner: String,
    /// Where the steps for its alarms stand, empty for nowhere. From outside: check before linking.
    pub runbook: String,
    /// How the verdict came about; null in reports of versions that did not write it.
    #[serde(default)]
    pub explanation: Option<Box<Explanation>>,
}

/// One finding in full, as `fortnight explain --json` prints it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "fortnight explain")]
pub struct Output<'a> {
    /// Name and version of this format.
    #[schemars(extend("const" = EXPLAIN_SCHEMA))]
    pub schema: &'static str,
    /// The period of the report.
    pub period: &'a ToldPeriod,
    /// The deploys that the finding is held against.
    pub deploys: Vec<&'a ToldDeploy>,
    /// The finding.
    pub finding: &'a Told,
}

impl Document {
    /// Returns the deploys of a finding's group.
    pub fn deploys_of(&self, finding: &Told) -> Vec<&ToldDeploy> {
        self.deploys.iter().filter(|deploy| deploy.number == finding.number).collect()
    }

    /// Returns the number of the group of a deploy.
    pub(crate) fn number_of(&self, id: &str) -> Option<usize> {
        self.deploys.iter().find(|deploy| deploy.id == id).map(|deploy| deploy.number)
    }

    /// Returns a finding with everything that belongs to it.
    pub fn output<'a>(&'a self, finding: &'a Told) -> Output<'a> {
        Output { schema: EXPLAIN_SCHEMA, period: &self.period, deploys: self.deploys_of(finding), finding }
    }

    /// Picks a finding by its id, the beginning of its id, or its number in the list.
    ///
    /// Upper and lower case are the same, and `F-` may be left out. A number that the list has is a number; any other
    /// word is an id.
    ///
    /// # Errors
    /// [`Miss`] if no finding or more than one is called so.
    pub fn pick(&self, word: &str) -> Result<&Told, Miss> {
        if self.findings.is_empty() {
            return Err(Miss::Empty);
        }
        let number = word.strip_prefix('#').unwrap_or(word).parse::<usize>().ok();
        if let Some(finding) = number.and_then(|number| self.findings.get(number.checked_sub(1)?)) {
            return Ok(finding);
        }
        let word = bare(word);
        let ids: Vec<(String, &Told)> = self.findings.iter().map(|finding| (bare(&finding.id), finding)).collect();
        let of = |is: &dyn Fn(&str) -> bool| -> Vec<&Told> {
            ids.iter().filter(|(id, _)| is(id)).map(|(_, finding)| *finding).collect()
        };
        let exact = of(&|id| id == word);
        let found = if exact.is_empty() && !word.is_empty() { of(&|id| id.starts_with(&word)) } else { exact };
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(Miss::Unknown { near: nearest(&word, &ids) }),
            several => Err(Miss::Several { ids: several.iter().map(|finding| finding.id.clone()).collect() }),
        }
    }
}

/// Why no finding was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// The report has no findings.
    Empty,
    /// No finding is called so.
    Unknown {
        /// The id that is nearest, if one is near.
        near: Option<String>,
    },
    /// More than one begins like this.
    Several {
        /// Their ids.
        ids: Vec<String>,
    },
}

fn bare(id: &str) -> String {
    let lower = id.trim().to_lowercase();
    lower.strip_prefix("f-").map_or(lower.clone(), str::to_owned)
}

fn nearest(word: &str, ids: &[(String, &Told)]) -> Option<String> {
    // Two letters or digits of six may be wrong; with more it is another id.
    const MOST_WRONG: usize = 2;
    let distance = |id: &str| strsim::damerau_levenshtein(word, id);
    ids.iter()
        .map(|(id, finding)| (distance(id), finding.id.clone()))
        .filter(|(distance, _)| *distance <= MOST_WRONG)
        .min()
        .map(|(_, id)| id)
}

/// Reads a report's findings.
///
/// # Errors
/// [`ReadError`] if the file cannot be read or is no report of this version.
pub fn open(path: &Path) -> Result<Document, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    parse(BufReader::with_capacity(1 << 16, file), path)
}

fn parse(reader: impl Read, path: &Path) -> Result<Document, ReadError> {
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
        (Some(period), Some(deploys), Some(findings), _) => Ok(Document { period, deploys, findings }),
        (.., Err(source)) => Err(json(source)),
        _ => Err(json(serde_json::Error::custom("`period`, `deploys` or `findings` is missing"))),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Begun {
    schema: Option<String>,
    period: Option<ToldPeriod>,
    deploys: Option<Vec<ToldDeploy>>,
    findings: Option<Vec<Told>>,
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
    use crate::render::json::tests::{rendered, sample};

    fn document() -> Document {
        parse(rendered(&sample()).as_bytes(), Path::new("report.json")).expect("read")
    }

    fn with(ids: &[&str]) -> Document {
        let mut document = document();
        let one = document.findings.remove(0);
        document.findings = ids.iter().map(|id| Told { id: (*id).to_owned(), ..one.clone() }).collect();
        document
    }

    fn picked(document: &Document, word: &str) -> Result<String, Miss> {
        document.pick(word).map(|finding| finding.id.clone())
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        let sample = sample();
        let made = super::super::make(
            &sample.judgement,
            &sample.events,
            &sample.sources,
            &sample.config,
            sample.judgement.findings.first().expect("one"),
        );
        let read = document().findings.remove(0).explanation;
        assert!(made.is_some() && read == made, "{read:#?}");
    }

    #[test]
    fn comparisons_need_not_be_read() {
        let text = rendered(&sample());
        let (head, _) = text.split_once("\"comparisons\":").expect("there");
        assert_eq!(parse(head.as_bytes(), Path::new("x")).expect("read"), document());
    }

    #[test]
    fn ids_prefixes_and_numbers_are_names() {
        let document = with(&["F-3a9c12", "F-3a0000", "F-12ab00"]);
        for (word, id) in [
            ("F-3a9c12", "F-3a9c12"),
            ("f-3A9C", "F-3a9c12"),
            ("3a0", "F-3a0000"),
            ("1", "F-3a9c12"),
            ("#3", "F-12ab00"),
            // No finding has this number, so it is the beginning of an id.
            ("12", "F-12ab00"),
        ] {
            assert_eq!(picked(&document, word).as_deref(), Ok(id), "{word}");
        }
        assert_eq!(picked(&document, "F-3a"), Err(Miss::Several { ids: vec!["F-3a9c12".into(), "F-3a0000".into()] }));
        assert_eq!(picked(&document, "F-3a9c21"), Err(Miss::Unknown { near: Some("F-3a9c12".into()) }));
        for word in ["", "F-", "0", "999", "\u{1b}[2J"] {
            assert!(picked(&document, word).is_err(), "{word:?}");
        }
        assert_eq!(picked(&with(&[]), "1"), Err(Miss::Empty));
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
