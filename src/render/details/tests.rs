//! The details say something in every cell, whatever is known.

use super::hours::bars;
use super::*;
use crate::config::Language;
use crate::render::i18n::Translator;
use crate::review::explanation::{Answer, RivalCheck};
use crate::review::sample;

const BOTH: [Language; 2] = [Language::En, Language::Ja];

fn laid_out(change: impl Fn(&mut Explanation)) -> Vec<Details> {
    let review = sample::rich(&BOTH).review();
    let messages = Messages { words: Translator::new(&BOTH), zone: sample::TOKYO };
    let of = |finding: &Finding| {
        let mut own = finding.explanation.clone().expect("explained");
        change(&mut own);
        Details::new(&messages, finding, &own)
    };
    review.findings.iter().map(of).collect()
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
                Translator::new(&BOTH).knows(&key)
            };
            for details in laid_out(|own| {
                if let Some(check) = own.rivals.get_mut(rival).filter(|check| has_words(check)) {
                    check.answer = answer;
                }
            }) {
                let Details { signals, inputs, verdict, hours, values, rivals, facts } = &details;
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
    let laid_out = laid_out(|own| {
        (own.estimate, own.limit, own.rule, own.blame, own.onset) = (None, None, None, None, None);
        (own.p_value, own.q_value, own.coverage, own.detectable) = (None, None, None, None);
        (own.before.values, own.after.values, own.before.requests) = (None, None, None);
    });
    for details in laid_out {
        is_whole(&details.verdict);
        is_whole(&details.hours);
        is_whole(&details.inputs);
        assert!(details.values.is_none());
    }
}

#[test]
fn bars_show_every_bin_that_holds_something() {
    assert_eq!(bars(&[0, 1, 50, 100]), "·▁▄█");
    assert_eq!(bars(&[]), "");
}
