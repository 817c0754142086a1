//! What the page says of each kind of verdict.

use super::*;
use crate::detect::{Confounder, Effect, Estimate, Pattern, Scale, ScaledEstimate, Verdict};
use crate::model::metric::{Kind, SeriesKey};
use crate::render::sample;

const BOTH: [Language; 2] = [Language::En, Language::Ja];

fn page(input: &sample::Input) -> Page {
    build(&input.judgement, &input.events, &input.states, &input.config)
}

#[test]
fn the_answer_counts_services_that_became_worse() {
    let own = page(&sample::rich(&BOTH));
    assert_eq!(
        own.answer.sentence.bare(Language::En),
        "3 of 4 services became worse after a deploy: bff, card-api, wallet-api."
    );
    assert_eq!(
        own.answer.sentence.bare(Language::Ja),
        "4サービス中3つがデプロイ後に悪化しました（bff、card-api、wallet-api）。"
    );
    assert!(!own.is_quiet);
}

#[test]
fn quiet_and_empty_reports_say_so() {
    let quiet = page(&sample::quiet(&BOTH));
    assert!(quiet.is_quiet);
    assert_eq!(quiet.answer.sentence.bare(Language::Ja), "実質的な悪化はありません。");
    let empty = page(&sample::empty(&BOTH));
    assert_eq!(empty.answer.sentence.bare(Language::En), "There is no data to judge in this period.");
    assert_eq!(empty.head.badge.0, "partial", "no data is not complete data");
}

#[test]
fn a_report_without_deploys_compares_periods() {
    let mut input = sample::quiet(&BOTH);
    input.judgement.groups.clear();
    input.judgement.comparisons.clear();
    let own = page(&input);
    assert!(own.answer.rest.bare(Language::En).starts_with("No deploy was recorded"));
    assert!(own.deploys.lead.bare(Language::Ja).contains("デプロイ記録はありません"));
}

#[test]
fn a_failed_source_makes_the_report_partial() {
    let own = page(&sample::rich(&BOTH));
    assert_eq!(own.head.badge.0, "partial");
    assert!(own.answer.notes.iter().any(|note| note.bare(Language::En).contains("access denied")));
}

#[test]
fn indices_that_lead_nowhere_drop_their_row() {
    let mut input = sample::rich(&BOTH);
    input.judgement.findings[0].lead = usize::MAX;
    input.judgement.findings[1].group = usize::MAX;
    input.judgement.comparisons[5].series = usize::MAX;
    input.judgement.elsewhere[0].series = usize::MAX;
    input.judgement.groups[0].members.push(usize::MAX);
    assert_eq!(page(&input).findings.cards.len(), input.judgement.findings.len() - 2);
}

#[test]
fn senseless_numbers_become_dashes() {
    let mut input = sample::rich(&BOTH);
    let wild = Estimate { value: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY };
    for comparison in &mut input.judgement.comparisons {
        comparison.effect = Some(Effect::new(Scale::LogRatio, wild, f64::INFINITY, Some(f64::NAN)));
        comparison.blame = Some(f64::NAN);
        comparison.coverage = f64::NAN;
    }
    for series in &mut input.judgement.series {
        series.level = f64::NAN;
        series.hourly.fill(f32::INFINITY);
        series.change = Some(ScaledEstimate { scale: Scale::LogRatio, estimate: wild });
        series.peak = Some((f64::INFINITY, i64::MAX));
        series.total_time_s = Some(f64::NAN);
    }
    let html = crate::render::html::render(&page(&input)).expect("rendered");
    assert!(!html.contains("NaN") && !html.contains("inf%"));
}

#[test]
fn time_in_a_database_that_nobody_counts_is_unknown() {
    let mut input = sample::rich(&BOTH);
    for series in input.judgement.series.iter_mut().filter(|series| series.key.kind == Kind::Datastore) {
        series.total_time_s = None;
    }
    assert!(!crate::render::markdown::render(&page(&input)).contains("(0% of all)"));
}

#[test]
fn a_resource_is_in_the_account_of_its_service_or_else_of_the_source_that_gave_it() {
    let mut input = sample::rich(&BOTH);
    let aws = "[[source]]\nid = \"aws\"\nkind = \"cloudwatch\"\naccount = \"shared\"\nregions = [\"eu-west-1\"]\n\
               [[source]]\nid = \"apm\"\nkind = \"newrelic\"\naccount = \"7\"\n";
    let config = crate::config::Config::parse(aws, std::path::Path::new("x.toml")).expect("valid");
    input.config.sources = config.sources;
    input.config.services.iter_mut().for_each(|service| service.account.clear());
    input.config.services[0].account = "cards".into();
    let (own, name) = (input.config.services[0].name.clone(), "redis-main");
    let mut keys: Vec<_> = ["own", "given", "unknown", "of two"]
        .map(|target| SeriesKey {
            service: name.into(),
            kind: Kind::Resource,
            target: target.into(),
            signal: target.into(),
        })
        .into();
    keys[0].service = own.as_str().into();
    input.judgement.series.truncate(4);
    for (series, key) in input.judgement.series.iter_mut().zip(&keys) {
        series.key = key.clone();
    }
    let sources = input.config.sources.clone();
    let state = |index: usize, given: &[usize]| crate::source::SourceState {
        keys: given.iter().map(|index| keys[*index].clone()).collect(),
        ..crate::source::SourceState::of(&sources[index])
    };
    // An account of New Relic is none that a machine is in, and of two sources neither is the one.
    input.states = vec![state(0, &[0, 1, 3]), state(1, &[2, 3])];
    let page = page(&input);
    let infra = page.main.iter().find(|section| section.id == "infra").expect("resources");
    let headings: Vec<String> = infra
        .blocks
        .iter()
        .filter_map(|block| match block {
            view::Block::Heading(heading) => Some(heading.bare(Language::En)),
            _ => None,
        })
        .collect();
    assert_eq!(headings, ["Account cards", "Account shared", "Resources whose account is not known"]);
}

#[test]
fn every_verdict_pattern_and_rival_has_words_in_both_languages() {
    for verdict in Verdict::ALL {
        for rival in
            [None, Some(Confounder::Load), Some(Confounder::Fleet), Some(Confounder::Mix), Some(Confounder::Event)]
        {
            for pattern in [
                None,
                Some(Pattern::Sustained),
                Some(Pattern::Recovered { until: 0, by: Some(1) }),
                Some(Pattern::Burst),
                Some(Pattern::TailOnly),
            ] {
                let mut input = sample::rich(&BOTH);
                input.judgement.findings.truncate(1);
                let lead = input.judgement.findings[0].lead;
                input.judgement.findings[0].verdict = verdict;
                input.judgement.findings[0].pattern = pattern;
                input.judgement.comparisons[lead].verdict = verdict;
                input.judgement.comparisons[lead].explained_by = rival;
                let events = context::Context {
                    judgement: &input.judgement,
                    events: &input.events,
                    states: &input.states,
                    config: &input.config,
                    words: Words::new(&BOTH),
                };
                let card = &findings::section(&events).cards[0];
                for language in BOTH {
                    for phrase in [&card.chip.word, &card.headline, &card.sentence] {
                        assert!(!phrase.bare(language).trim().is_empty());
                    }
                    let is_said = !card.shape.bare(language).is_empty();
                    assert!(!card.sure.bare(language).is_empty());
                    assert_eq!(is_said, pattern.is_some() || input.judgement.comparisons[lead].pattern.is_some());
                }
            }
        }
    }
}
