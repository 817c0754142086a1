//! Laws that hold for every form of the report at once.

use super::explain::{self, Look};
use super::terminal::{Style, summary};
use super::{html, markdown, view};
use crate::config::Language;
use crate::review::read::Explained;
use crate::review::{Review, sample, to_json};

const BOTH: [Language; 2] = [Language::En, Language::Ja];

/// Renders every form in every language.
fn rendered(review: &Review) -> Vec<(String, String)> {
    let page = view::build(review);
    let mut forms = vec![
        ("page".to_owned(), html::render(&page).expect("rendered")),
        ("Markdown".to_owned(), markdown::render(&page)),
    ];
    for language in BOTH {
        for signs in [true, false] {
            let style = Style { colour: signs, signs };
            forms.push((format!("terminal {language:?} {signs}"), summary(review, language, style)));
        }
        for finding in &review.findings {
            let look = Look { language, zone: review.period.zone(), bold: true, width: 100 };
            let text = explain::render(&Explained::new(&review.period, &review.deploys, finding), look);
            forms.push((format!("explain {language:?} {}", finding.id), text.expect("explained")));
        }
    }
    forms
}

#[test]
fn what_is_read_back_renders_to_the_same_bytes() {
    for input in [sample::rich(&BOTH), sample::quiet(&[Language::Ja]), sample::empty(&BOTH), sample::differences(&BOTH)]
    {
        let review = input.review();
        let json = to_json(&review).expect("written");
        let read: Review = serde_json::from_slice(&json).expect("read");
        assert!(to_json(&read).expect("written") == json, "the document itself");
        for ((form, one), (_, two)) in rendered(&review).into_iter().zip(rendered(&read)) {
            assert!(one == two, "{form} differs");
        }
    }
}

#[test]
fn a_difference_is_in_the_unit_of_its_series_in_every_form() {
    let mut input = sample::differences(&BOTH);
    for (languages, range_age, range_count) in
        [(BOTH, "+40 to +51 s", "+90 to +150"), ([Language::Ja, Language::En], "+40〜+51 s", "+90〜+150")]
    {
        input.config.languages = languages.to_vec();
        let review = input.review();
        let page = view::build(&review);
        let mut forms = vec![html::render(&page).expect("rendered"), markdown::render(&page)];
        let style = Style { colour: false, signs: true };
        forms.push(summary(&review, languages[0], style));
        let look = Look { language: languages[0], zone: review.period.zone(), bold: false, width: 100 };
        let explained = |index: usize| Explained::new(&review.period, &review.deploys, &review.findings[index]);
        forms.push((0..2).filter_map(|index| explain::render(&explained(index), look)).collect());
        for form in &forms {
            for part in ["+46 s", range_age, "+120", range_count] {
                assert!(form.contains(part), "{part:?} is not in\n{form}");
            }
            for wrong in ["+4555", "+4,555", "15 points", "+12000", "+12,000"] {
                assert!(!form.contains(wrong), "{wrong:?} is in\n{form}");
            }
        }
        let json: serde_json::Value = serde_json::from_slice(&to_json(&review).expect("written")).expect("JSON");
        let finding = json.pointer("/findings/0").expect("a finding");
        assert_eq!((&finding["unit"], &finding["delta"]), (&"s".into(), &45.55.into()));
        assert_eq!(json.pointer("/findings/0/comparison/detectable_delta"), Some(&8.0.into()));
    }
}

#[test]
fn a_report_of_an_older_version_is_explained_from_its_findings_alone() {
    let review = sample::rich(&[Language::En]).review();
    let look = Look { language: Language::En, zone: review.period.zone(), bold: false, width: 100 };
    let text = |review: &Review| {
        let explained = Explained::new(&review.period, &review.deploys, &review.findings[0]);
        explain::render(&explained, look).expect("explained")
    };
    let mut older = review.clone();
    older.findings[0].comparison = None;
    assert_eq!(text(&older), text(&review));
}

#[test]
fn every_form_counts_the_same_findings_and_checks() {
    let review = sample::rich(&BOTH).review();
    let counts = &review.counts;
    assert_eq!(counts.findings.total, review.findings.len());
    let page = view::build(&review);
    let findings: usize =
        page.jumps.iter().find(|jump| jump.id == "findings").expect("a jump").count.parse().expect("n");
    let tiles: usize = page
        .answer
        .tiles
        .iter()
        .map_while(|tile| {
            tile.unit.bare(Language::En).starts_with("finding").then(|| tile.count.parse::<usize>().expect("a number"))
        })
        .sum();
    assert_eq!((findings, tiles), (counts.findings.total, counts.findings.total), "navigation and answer");
    let worse = format!("Worse: {} findings", counts.findings.worse);
    let ruled_out = format!("Ruled out: {} checks", counts.checks.ruled_out);
    let texts = [markdown::render(&page), summary(&review, Language::En, Style { colour: false, signs: false })];
    for text in texts {
        assert!(text.contains(&worse) && text.contains(&ruled_out), "{text}");
    }
}

#[test]
fn a_detectable_difference_is_a_difference() {
    let review = sample::differences(&BOTH).review();
    let markdown = markdown::render(&view::build(&review));
    let said = "Only a change of 8,000 ms or more could have been seen reliably; the limit is 5,000 ms.";
    assert!(markdown.contains(said), "{markdown}");
}
