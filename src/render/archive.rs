//! The pages around the reports of a place: the index with one row a report, and the feed of what became worse.
//!
//! Both are made from the archive alone, so that old reports need not be read again.

use askama::Template;
use chrono_tz::Tz;

use super::escape;
use super::html::{index_style, policy};
use super::i18n::{Arg, Phrase, Translator};
use super::message::Messages;
use super::{ReportError, calendar, number, sanitize};
use crate::config::Language;
use crate::model::time::rfc3339;
use crate::render::view::Page;
use crate::review::archive::{Archive, ArchivedFinding, ArchivedReport, Standing, Told, tag};
use crate::review::{Review, Topic};

/// Reports that the strip at the top shows.
const STRIP: usize = 12;
/// Entries of the feed at most: readers fetch it often.
const ENTRIES: usize = 100;

/// Returns what the archive keeps of the words of a page.
pub fn told(review: &Review, page: &Page) -> Told {
    let every = |phrase: &Phrase| {
        let of = |language: &Language| (tag(*language).to_owned(), phrase.bare(*language));
        page.languages().iter().map(of).collect()
    };
    let messages = Messages { words: page.words.clone(), zone: review.period.zone() };
    let headline = |finding| every(&messages.headline(finding));
    Told { sentence: every(&page.answer.sentence), headlines: review.findings.iter().map(headline).collect() }
}

/// How a report stands out in the strip, with its glyph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    class: &'static str,
    glyph: &'static str,
    key: &'static str,
}

/// Returns the mark of a report. What is missing outweighs silence, and a regression outweighs both.
fn mark(report: &ArchivedReport) -> Mark {
    let has = |topic| report.of_topic(topic).next().is_some();
    match () {
        () if has(Topic::Worse) => Mark { class: "worse", glyph: "▲", key: "archive.mark_worse" },
        () if report.is_partial || report.coverage.is_none() => {
            Mark { class: "inconclusive", glyph: "?", key: "archive.mark_partial" }
        }
        () if has(Topic::PossiblyWorse) || has(Topic::Burst) || report.has_lost_traffic => {
            Mark { class: "possibly_worse", glyph: "△", key: "archive.mark_possibly" }
        }
        () if report.ruled_out == 0 => Mark { class: "inconclusive", glyph: "?", key: "archive.mark_unsettled" },
        () => Mark { class: "no_material_change", glyph: "=", key: "archive.mark_quiet" },
    }
}

struct Row {
    href: String,
    period: Phrase,
    mark: Mark,
    word: Phrase,
    sentence: Phrase,
    standing: Standing,
    waiting: Phrase,
    coverage: String,
    is_thin: bool,
    reviewed: Vec<Phrase>,
    files: Vec<(String, String)>,
    digests: String,
}

#[derive(Template)]
#[template(path = "index.html")]
struct IndexTemplate {
    lang: &'static str,
    title: String,
    team: String,
    policy: String,
    style: &'static str,
    words: Translator,
    strip: Vec<(String, Mark, String)>,
    rows: Vec<Row>,
}

impl IndexTemplate {
    fn tag(&self, language: &Language) -> &'static str {
        tag(*language)
    }

    fn own_name(&self, language: &Language) -> &'static str {
        super::html::own_name(*language)
    }

    fn label(&self, key: &str) -> Phrase {
        self.words.label(key)
    }

    fn bare(&self, key: &str) -> String {
        self.words.label(key).bare(self.words.first())
    }
}

/// Lays the archive out as one HTML file without a script, the newest report first.
///
/// # Errors
/// [`ReportError::Template`] if the layout cannot be written, which only memory could cause.
pub fn index(archive: &Archive, languages: &[Language]) -> Result<String, ReportError> {
    let words = Translator::new(languages);
    let standings = archive.standings();
    let most = archive.reports.iter().filter_map(|report| report.waiting_ms).fold(0.0, f64::max);
    let rows = archive.reports.iter().zip(standings).map(|(report, standing)| row(&words, report, standing, most));
    let rows: Vec<Row> = rows.rev().collect();
    let newest = archive.reports.last();
    let team = newest.map(|report| sanitize::name(&report.title)).unwrap_or_default();
    let name = words.label("archive.title").bare(words.first());
    let title = if team.is_empty() { name } else { format!("{team} · {name}") };
    let strip: Vec<&Row> = rows.iter().take(STRIP).collect();
    let strip = strip.into_iter().rev().map(|row| {
        let first = words.first();
        (row.href.clone(), row.mark, format!("{}: {}", row.period.bare(first), row.word.bare(first)))
    });
    let strip = strip.collect();
    let style = index_style();
    let template =
        IndexTemplate { lang: tag(words.first()), title, team, policy: policy(style), style, strip, rows, words };
    Ok(template.render()?)
}

/// `most`: the most waiting of any report, milliseconds; the whole column is written in its unit.
fn row(words: &Translator, report: &ArchivedReport, standing: Standing, most: f64) -> Row {
    /// Below this share of the points, the row is marked.
    const COMPLETE_FROM: f64 = 0.95;
    let zone = report.period.zone();
    let mark = mark(report);
    let page = if report.files.iter().any(|name| name == "report.html") { "report.html" } else { "report.json" };
    let reviewed = report.reviewed.iter().map(|line| {
        let args =
            [("by", Arg::from(sanitize::name(&line.by))), ("on", calendar::date_time(line.on.ms(), zone).into())];
        // A review of other bytes than those that are there now is a review of an older report.
        let key = if line.sha256 == report.sha256 { "archive.reviewed" } else { "archive.reviewed_older" };
        words.message(key, &args)
    });
    Row {
        href: format!("{}/{page}", report.key),
        period: words.localized(&calendar::period(report.period.window(), zone)),
        mark,
        word: words.label(mark.key),
        sentence: told_in(words, |language| report.sentence.get(tag(language)).cloned().unwrap_or_default()),
        standing,
        waiting: report.waiting_ms.map_or_else(
            || words.plain(number::NONE),
            |ms| words.localized(&number::waiting_beside(ms / 1000.0, most / 1000.0)),
        ),
        coverage: report.coverage.map_or_else(|| number::NONE.to_owned(), number::share),
        is_thin: report.is_partial || report.coverage.is_none_or(|share| share < COMPLETE_FROM),
        reviewed: reviewed.collect(),
        digests: format!("{}/SHA256SUMS", report.key),
        files: report.files.iter().map(|name| (format!("{}/{name}", report.key), name.clone())).collect(),
    }
}

/// Returns a text that the archive keeps by language; one that it does not have is shown in another.
fn told_in(words: &Translator, of: impl Fn(Language) -> String) -> Phrase {
    let any = || Language::ALL.iter().map(|(_, language)| of(*language)).find(|text| !text.is_empty());
    // The archive comes from the place, where others may write.
    let or_any = |text: String| sanitize::message(&if text.is_empty() { any().unwrap_or_default() } else { text });
    words.localized(&super::i18n::Localized::new(or_any(of(Language::En)), or_any(of(Language::Ja))))
}

/// Writes an Atom feed of the regressions and possible ones, the newest report first.
///
/// `url`: address of the place without a slash at its end; with an empty one, links are relative to the feed.
pub fn feed(archive: &Archive, url: &str, language: Language) -> String {
    let words = Translator::new(&[language]);
    let base = if url.is_empty() { String::new() } else { format!("{url}/") };
    let updated = archive.reports.iter().map(|report| report.period.to.ms()).max().unwrap_or(0);
    let team = archive.reports.last().map(|report| sanitize::name(&report.title)).unwrap_or_default();
    let name = words.label("archive.title").bare(language);
    let title = if team.is_empty() { name } else { format!("{team} · {name}") };
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    text.push_str(&format!("<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{}\">\n", tag(language)));
    text.push_str(&format!("<title>{}</title>\n", xml(&title)));
    // An id must not change when the address does; the first report never does.
    let root = archive.reports.first().map(|report| report.key.clone()).unwrap_or_default();
    text.push_str(&format!("<id>urn:fortnight:archive:{}</id>\n", xml(&root)));
    text.push_str(&format!("<updated>{}</updated>\n", rfc3339(updated, Tz::UTC)));
    text.push_str(&format!("<link rel=\"self\" href=\"{}feed.xml\"/>\n", xml(&base)));
    text.push_str(&format!("<link rel=\"alternate\" type=\"text/html\" href=\"{}index.html\"/>\n", xml(&base)));
    text.push_str("<author><name>fortnight</name></author>\n");
    let told = |report: &'_ ArchivedReport| -> Vec<ArchivedFinding> {
        [Topic::Worse, Topic::PossiblyWorse].iter().flat_map(|topic| report.of_topic(*topic).cloned()).collect()
    };
    let entries =
        archive.reports.iter().rev().flat_map(|report| told(report).into_iter().map(move |one| (report, one)));
    for (report, finding) in entries.take(ENTRIES) {
        text.push_str(&entry(&words, report, &finding, &base, language));
    }
    text.push_str("</feed>\n");
    text
}

fn entry(
    words: &Translator,
    report: &ArchivedReport,
    finding: &ArchivedFinding,
    base: &str,
    language: Language,
) -> String {
    let headline = finding.headline.get(tag(language)).or_else(|| finding.headline.values().next());
    let headline = headline.map_or_else(|| finding.id.clone(), |text| format!("{}: {text}", finding.service));
    let word = words.label(&format!("verdict.{}", finding.topic)).bare(language);
    let period = words.localized(&calendar::period(report.period.window(), report.period.zone())).bare(language);
    let owner = match finding.owner.as_str() {
        "" => words.label("common.nobody").bare(language),
        owner => sanitize::name(owner),
    };
    let summary = format!("{word} · {period} · {owner}");
    let href = format!("{base}{}/report.html#{}", report.key, finding.id);
    format!(
        "<entry>\n<title>{}</title>\n<id>urn:fortnight:finding:{}:{}</id>\n<updated>{}</updated>\n\
         <link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n<summary>{}</summary>\n</entry>\n",
        xml(&sanitize::message(&headline)),
        xml(&report.key),
        xml(&finding.id),
        rfc3339(report.period.to.ms(), Tz::UTC),
        xml(&href),
        xml(&summary),
    )
}

/// Escapes text for XML, and drops what no XML document may hold.
fn xml(text: &str) -> String {
    let legal: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
    escape::html(&legal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::view;
    use crate::review::sample::rich;

    fn archive(change: impl Fn(&mut ArchivedReport)) -> Archive {
        let review = rich(&[Language::En, Language::Ja]).review();
        let told = told(&review, &view::build(&review));
        let files = vec!["report.html".to_owned(), "report.json".to_owned()];
        let mut report = ArchivedReport::of(&review, &told, files, "aa".to_owned());
        change(&mut report);
        let mut archive = Archive::default();
        archive.put(report);
        archive
    }

    #[test]
    fn a_hostile_name_is_text_in_index_and_feed() {
        let evil = "<script>alert(1)</script>&\"'\u{1b}]";
        let archive = archive(|report| {
            report.title = evil.to_owned();
            report.sentence.values_mut().for_each(|text| *text = evil.to_owned());
            for finding in &mut report.findings {
                finding.service = evil.to_owned();
                finding.owner = evil.to_owned();
                finding.headline.values_mut().for_each(|text| *text = evil.to_owned());
            }
        });
        let html = index(&archive, &[Language::En, Language::Ja]).expect("a page");
        let xml = feed(&archive, "https://x.example/p", Language::En);
        for text in [&html, &xml] {
            assert!(!text.contains("<script") && !text.contains('\u{1b}'), "{text}");
            assert!(text.contains("&lt;script&gt;") || text.contains("&#60;script&#62;"), "{text}");
        }
    }

    #[test]
    fn a_report_with_a_failed_source_never_looks_quiet() {
        let quiet = archive(|report| {
            report.findings.clear();
            report.is_partial = false;
        });
        let partial = archive(|report| {
            report.findings.clear();
            report.is_partial = true;
        });
        let glyph = |archive: &Archive| archive.reports.first().map(|report| mark(report).glyph);
        assert_eq!((glyph(&quiet), glyph(&partial)), (Some("="), Some("?")));
        let unsettled = archive(|report| {
            report.findings.clear();
            (report.is_partial, report.ruled_out) = (false, 0);
        });
        assert_eq!(glyph(&unsettled), Some("?"));
    }

    #[test]
    fn a_review_of_older_bytes_says_so() {
        let with = |sha: &str| {
            let sha = sha.to_owned();
            archive(move |report| {
                let on = report.period.to;
                report.reviewed.push(crate::review::Reviewed { by: "Aya".to_owned(), on, sha256: sha.clone() });
            })
        };
        let page = |archive: &Archive| index(archive, &[Language::En]).expect("a page");
        assert!(page(&with("aa")).contains("Reviewed by Aya"));
        assert!(page(&with("bb")).contains("An earlier version"), "{}", page(&with("bb")));
    }
}
