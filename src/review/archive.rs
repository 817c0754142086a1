//! The archive: one entry a published report, small enough to be read whole. It is `index.json` of a place that reports
//! are published to; the index page and the feed are made from it, and what was found before is known from it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instant::Instant;
use super::one_deploy::added_waiting;
use super::{Finding, Period, Review, Topic};
use crate::config::Language;
use crate::model::metric::{Class, Kind};
use crate::model::time::local;

/// Name and version of the archive's format.
pub const ARCHIVE_SCHEMA: &str = "fortnight.archive/1";

/// Targets of a finding that the archive names.
const TARGETS: usize = 20;

/// Every report of a place, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "fortnight archive")]
pub struct Archive {
    /// Name and version of this format.
    #[schemars(extend("const" = ARCHIVE_SCHEMA))]
    pub schema: String,
    /// One entry a report, by its first day.
    pub reports: Vec<ArchivedReport>,
}

/// One published report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArchivedReport {
    /// Its first local day, such as `2026-11-09`: the folder of its files.
    pub key: String,
    /// What it judged.
    pub period: Period,
    /// Heading of the report, empty for none.
    pub title: String,
    /// Its answer in one sentence, by language.
    pub sentence: BTreeMap<String, String>,
    /// Deploys of the period.
    pub deploys: usize,
    /// Checks.
    pub checks: usize,
    /// Checks that rule out harm of the size that matters.
    pub ruled_out: usize,
    /// Added waiting of what became worse, milliseconds; null where traffic is not known or nothing became worse.
    pub waiting_ms: Option<f64>,
    /// Share of the expected points that were there; null without a series.
    pub coverage: Option<f64>,
    /// A source failed: what it would have shown is missing.
    pub is_partial: bool,
    /// Traffic or data of a service were lost at a deploy.
    #[serde(default)]
    pub has_lost_traffic: bool,
    /// What became worse, possibly worse or better.
    pub findings: Vec<ArchivedFinding>,
    /// Names of its files in its folder.
    pub files: Vec<String>,
    /// SHA-256 of its `report.json`, hexadecimal.
    pub sha256: String,
    /// Who reviewed it, and when.
    #[serde(default)]
    pub reviewed: Vec<Reviewed>,
}

/// A finding, as the archive keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArchivedFinding {
    /// Its id in the report.
    pub id: String,
    /// The same in the next period.
    pub fingerprint: String,
    /// `worse`, `possibly_worse`, `burst` or `better`.
    pub topic: String,
    /// The old level was back before the period ended.
    pub is_over: bool,
    /// The service.
    pub service: String,
    /// What it was measured on.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// Golden signal.
    #[schemars(with = "String")]
    pub class: Class,
    /// Its targets, the worst first; at most twenty.
    pub targets: Vec<String>,
    /// The team that answers for it, empty for nobody yet.
    pub owner: String,
    /// Id of its deploy, if one is named.
    pub deploy: Option<String>,
    /// What happened, by language.
    pub headline: BTreeMap<String, String>,
}

/// A line of evidence that somebody looked at a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reviewed {
    /// Who, as typed.
    pub by: String,
    /// When, RFC 3339.
    pub on: Instant,
    /// SHA-256 of the `report.json` that was looked at.
    pub sha256: String,
}

/// How a report's regressions relate to those of the reports before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Regressions that no earlier report has open.
    pub new: usize,
    /// Regressions, of this report or earlier ones, that this report shows to be over.
    pub fixed: usize,
    /// Regressions that are not known to be over when this report ends, those of earlier reports included.
    pub open: usize,
}

/// Words about a report in every language, made by who knows the catalogues.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The answer in one sentence.
    pub sentence: BTreeMap<String, String>,
    /// The headline of each finding, in the order of the report.
    pub headlines: Vec<BTreeMap<String, String>>,
}

/// Returns the tag of a language, as keys of texts have it.
pub fn tag(language: Language) -> &'static str {
    Language::ALL.iter().find(|(_, other)| *other == language).map_or("en", |(tag, _)| tag)
}

/// Returns the name of a report's folder: the first local day of its period.
pub fn key_of(period: &Period) -> String {
    local(period.from.ms(), period.zone()).date_naive().to_string()
}

impl ArchivedReport {
    /// Makes the entry of a report.
    ///
    /// `files`: names in its folder. `sha256`: of its `report.json`, hexadecimal.
    pub fn of(review: &Review, told: &Told, files: Vec<String>, sha256: String) -> Self {
        let is_kept = |finding: &&Finding| finding.topic() != Topic::Explained;
        let headline = |index: usize| told.headlines.get(index).cloned().unwrap_or_default();
        let findings = review.findings.iter().enumerate().filter(|(_, finding)| is_kept(finding));
        let all: Vec<&Finding> = review.findings.iter().collect();
        Self {
            key: key_of(&review.period),
            period: review.period.clone(),
            title: review.title.clone(),
            sentence: told.sentence.clone(),
            deploys: review.deploys.len(),
            checks: review.counts.checks.total,
            ruled_out: review.counts.checks.ruled_out,
            waiting_ms: added_waiting(&all),
            coverage: review.coverage(),
            is_partial: review.has_failed_source(),
            has_lost_traffic: review.notices.iter().any(|notice| notice.lost_service().is_some()),
            findings: findings.map(|(index, finding)| ArchivedFinding::of(finding, headline(index))).collect(),
            files,
            sha256,
            reviewed: Vec::new(),
        }
    }

    /// Returns the findings of a topic.
    pub fn of_topic(&self, topic: Topic) -> impl Iterator<Item = &ArchivedFinding> {
        self.findings.iter().filter(move |finding| finding.topic == topic.as_str())
    }
}

impl ArchivedFinding {
    fn of(finding: &Finding, headline: BTreeMap<String, String>) -> Self {
        Self {
            id: finding.id.clone(),
            fingerprint: finding.fingerprint.clone(),
            topic: finding.topic().as_str().to_owned(),
            is_over: finding.is_over(),
            service: finding.service.to_string(),
            kind: finding.kind,
            class: finding.class(),
            targets: finding.targets.iter().take(TARGETS).map(|target| target.target.to_string()).collect(),
            owner: finding.owner.clone(),
            deploy: finding.deploy.as_deref().map(str::to_owned),
            headline,
        }
    }

    /// Returns whether two findings are about the same thing, whichever way each went.
    fn is_about_the_same(&self, other: &Self) -> bool {
        let meets = || self.targets.iter().any(|target| other.targets.contains(target));
        self.service == other.service && self.kind == other.kind && self.class == other.class && meets()
    }

    /// Returns whether it is the trouble of an earlier finding.
    fn is_again(&self, earlier: &Self) -> bool {
        let same = !self.fingerprint.is_empty() && self.fingerprint == earlier.fingerprint;
        same || self.is_about_the_same(earlier)
    }
}

impl Default for Archive {
    fn default() -> Self {
        Self { schema: ARCHIVE_SCHEMA.to_owned(), reports: Vec::new() }
    }
}

impl Archive {
    /// Puts a report in its place by time. One of the same first day is replaced; what people wrote about it stays, because
    /// each line names the digest of the report that it is about.
    pub fn put(&mut self, mut report: ArchivedReport) {
        match self.reports.binary_search_by(|other| other.key.cmp(&report.key)) {
            Ok(at) => {
                if let Some(place) = self.reports.get_mut(at) {
                    report.reviewed = std::mem::take(&mut place.reviewed);
                    *place = report;
                }
            }
            Err(at) => self.reports.insert(at, report),
        }
    }

    /// Returns the report of a first day.
    pub fn report(&self, key: &str) -> Option<&ArchivedReport> {
        self.reports.iter().find(|report| report.key == key)
    }

    /// Returns how the regressions of each report relate to those before it, in the order of [`Self::reports`].
    ///
    /// A regression is open until a report shows that its old level came back, or that the same thing became better. That
    /// a later report is silent is no proof: its baseline may hold the new level already.
    pub fn standings(&self) -> Vec<Standing> {
        walk(&self.reports).0
    }

    /// Returns the regressions of a report that no earlier one has open.
    pub fn new_in(&self, key: &str) -> Vec<&ArchivedFinding> {
        let Some(at) = self.reports.iter().position(|report| report.key == key) else { return Vec::new() };
        let (earlier, rest) = self.reports.split_at(at);
        let (_, open) = walk(earlier);
        let alarms = rest.iter().take(1).flat_map(|report| report.of_topic(Topic::Worse));
        alarms.filter(|alarm| !open.iter().any(|known| alarm.is_again(known))).collect()
    }
}

/// Returns how each report stands to those before it, and what is open after the last.
fn walk(reports: &[ArchivedReport]) -> (Vec<Standing>, Vec<&ArchivedFinding>) {
    let mut open: Vec<&ArchivedFinding> = Vec::new();
    let mut all = Vec::with_capacity(reports.len());
    for report in reports {
        let mut standing = Standing::default();
        let before = open.len();
        open.retain(|earlier| !report.of_topic(Topic::Better).any(|better| better.is_about_the_same(earlier)));
        standing.fixed = before - open.len();
        for alarm in report.of_topic(Topic::Worse) {
            let known = open.iter().position(|earlier| alarm.is_again(earlier));
            standing.new += usize::from(known.is_none());
            standing.fixed += usize::from(alarm.is_over);
            match (known, alarm.is_over) {
                (Some(at), true) => drop(open.swap_remove(at)),
                (None, false) => open.push(alarm),
                _ => {}
            }
        }
        standing.open = open.len();
        all.push(standing);
    }
    (all, open)
}

/// Returns the JSON Schema of the archive.
pub fn archive_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Archive>()
        .to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::sample::rich;

    fn entry(day: u32, alarms: &[(&str, Topic, bool)]) -> ArchivedReport {
        let review = rich(&[Language::En]).review();
        let mut report = ArchivedReport::of(&review, &Told::default(), Vec::new(), String::new());
        report.key = format!("2026-11-{day:02}");
        let sample = ArchivedFinding::of(review.findings.first().expect("one"), BTreeMap::new());
        let of = |(name, topic, is_over): &(&str, Topic, bool)| ArchivedFinding {
            id: format!("F-{name}{day}"),
            fingerprint: format!("{name}-{}", topic.as_str()),
            topic: topic.as_str().to_owned(),
            is_over: *is_over,
            targets: vec![(*name).to_owned()],
            ..sample.clone()
        };
        report.findings = alarms.iter().map(of).collect();
        report
    }

    fn standing(new: usize, fixed: usize, open: usize) -> Standing {
        Standing { new, fixed, open }
    }

    #[test]
    fn a_trouble_is_new_once_and_open_until_it_is_shown_to_be_over() {
        let mut archive = Archive::default();
        // Out of order, as a report that is made late arrives.
        archive.put(entry(9, &[("a", Topic::Worse, false), ("b", Topic::Worse, true)]));
        archive.put(entry(23, &[("a", Topic::Worse, false), ("c", Topic::PossiblyWorse, false)]));
        archive.put(entry(16, &[]));
        archive.put(entry(30, &[("a", Topic::Better, false)]));
        let keys: Vec<&str> = archive.reports.iter().map(|report| report.key.as_str()).collect();
        assert_eq!(keys, ["2026-11-09", "2026-11-16", "2026-11-23", "2026-11-30"]);
        // Silence in the second report does not close it.
        assert_eq!(archive.standings(), [standing(2, 1, 1), standing(0, 0, 1), standing(0, 0, 1), standing(0, 1, 0)]);
        let ids = |key| -> Vec<&str> { archive.new_in(key).iter().map(|one| one.id.as_str()).collect() };
        assert_eq!(ids("2026-11-09"), ["F-a9", "F-b9"]);
        assert!(ids("2026-11-23").is_empty() && ids("2026-12-07").is_empty());
    }

    #[test]
    fn what_comes_back_after_it_was_over_is_new_again() {
        let mut archive = Archive::default();
        archive.put(entry(9, &[("a", Topic::Worse, true)]));
        archive.put(entry(16, &[("a", Topic::Worse, false)]));
        assert_eq!(archive.standings(), [standing(1, 1, 0), standing(1, 0, 1)]);
        assert_eq!(archive.new_in("2026-11-16").len(), 1);
    }

    #[test]
    fn a_report_made_again_replaces_the_old_one_and_keeps_who_reviewed_it() {
        let mut archive = Archive::default();
        archive.put(entry(9, &[("a", Topic::Worse, false)]));
        let line = Reviewed { by: "Aya".to_owned(), on: Instant::new(0, chrono_tz::UTC), sha256: "old".to_owned() };
        archive.reports.iter_mut().for_each(|report| report.reviewed.push(line.clone()));
        archive.put(entry(9, &[]));
        assert_eq!(archive.reports.len(), 1);
        assert!(archive.reports.iter().all(|report| report.findings.is_empty() && report.reviewed == [line.clone()]));
    }

    #[test]
    fn an_archive_read_back_is_the_archive_that_was_written() {
        let mut archive = Archive::default();
        archive.put(entry(9, &[("a", Topic::Worse, false)]));
        let text = serde_json::to_string(&archive).expect("JSON");
        assert_eq!(serde_json::from_str::<Archive>(&text).expect("read"), archive);
    }
}
