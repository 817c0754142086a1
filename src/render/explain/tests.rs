//! The sheet says something in every cell, whatever is known.

use super::sheet::{Sheet, Subject, bars, sheet};
use super::*;
use crate::config::Language;
use crate::render::json::tests::{rendered, validate};
use crate::render::model::view::{Cell, Table};
use crate::render::words::Words;
use crate::render::{explain, json, sample};

const BOTH: [Language; 2] = [Language::En, Language::Ja];

fn sheets(change: impl Fn(&mut Explanation)) -> Vec<Sheet> {
    let input = sample::rich(&BOTH);
    let words = Words::new(&BOTH);
    let of = |finding: &crate::detect::Finding| {
        let mut made =
            explain::make(&input.judgement, &input.events, &input.states, &input.config, finding).expect("made");
        change(&mut made);
        let series = &input.judgement.series[input.judgement.comparisons[finding.lead].series];
        let key = &series.key;
        let subject = Subject { service: &key.service, target: &key.target, signal: &key.signal, unit: series.unit };
        sheet(&words, input.config.zone, subject, &made)
    };
    input.judgement.findings.iter().map(of).collect()
}

/// Every label, heading and value has words: a key that is in no catalogue would be an empty one.
fn is_whole(table: &Table) {
    for language in BOTH {
        assert!(!table.caption.bare(language).is_empty());
        assert!(table.columns.iter().all(|column| !column.label.bare(language).is_empty()), "{table:?}");
        for row in &table.rows {
            assert_eq!(row.len(), table.columns.len());
            let said = |cell: &Cell| !cell.text.bare(language).trim().is_empty() || cell.chip.is_some();
            assert!(row.iter().all(said), "{row:?}");
        }
    }
}

#[test]
fn every_cell_says_something_in_both_languages() {
    for rival in 0..8 {
        for answer in [Answer::Explains, Answer::Perhaps, Answer::TakenOut, Answer::No, Answer::CannotTell] {
            // Not every answer belongs to every rival; those that do must have words.
            let has_words = |check: &RivalCheck| {
                let key = format!("found.{}.{}", check.rival.as_str(), answer.as_str());
                Words::new(&BOTH).knows(&key)
            };
            for sheet in sheets(|own| {
                if let Some(check) = own.rivals.get_mut(rival).filter(|check| has_words(check)) {
                    check.answer = answer;
                }
            }) {
                let Sheet { signals, inputs, verdict, hours, values, rivals, facts } = &sheet;
                [
                    Some(signals),
                    Some(inputs),
                    Some(verdict),
                    Some(hours),
                    values.as_ref(),
                    Some(rivals),
                    facts.as_ref(),
                ]
                .into_iter()
                .flatten()
                .for_each(is_whole);
            }
        }
    }
}

#[test]
fn what_is_not_known_leaves_no_hole() {
    let sheets = sheets(|own| {
        (own.estimate, own.limit, own.rule, own.blame, own.onset) = (None, None, None, None, None);
        (own.p_value, own.q_value, own.coverage, own.detectable) = (None, None, None, None);
        (own.before.values, own.after.values, own.before.requests) = (None, None, None);
        own.before.span.from = "never".to_owned();
    });
    for sheet in sheets {
        is_whole(&sheet.verdict);
        is_whole(&sheet.hours);
        is_whole(&sheet.inputs);
        assert!(sheet.values.is_none());
    }
}

#[test]
fn bars_show_every_bin_that_holds_something() {
    assert_eq!(bars(&[0, 1, 50, 100]), "·▁▄█");
    assert_eq!(bars(&[]), "");
}

#[test]
fn the_schema_describes_what_is_printed() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("report.json");
    std::fs::write(&path, rendered(&json::tests::sample())).expect("written");
    let document = read::open(&path).expect("read");
    let output = serde_json::to_value(document.output(&document.findings[0])).expect("JSON");
    let schema = read::schema();
    let mut problems = Vec::new();
    validate(&schema, &schema, &output, "", &mut problems);
    assert!(problems.is_empty(), "{problems:#?}");
}
