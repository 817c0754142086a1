//! What the page says of each kind of verdict.

use super::*;
use crate::model::metric::{Kind, SeriesKey};
use crate::model::verdict::{Confounder, Verdict};
use crate::review::{Pattern, sample};

const BOTH: [Language; 2] = [Language::En, Language::Ja];

fn page(input: &sample::Input) -> Page {
    build(&input.review())
}

#[test]
fn the_answer_counts_services_that_became_worse() {
    let own = page(&sample::rich(&BOTH));
    assert_eq!(
        own.answer.sentence.bare(Language::En),
        "2 of 4 services became worse after a deploy: card-api, wallet-api."
    );
    assert_eq!(
        own.answer.sentence.bare(Language::Ja),
        "4サービス中2サービスがデプロイ後に悪化しました（card-api、wallet-api）。"
    );
    let rest = |language| own.answer.rest.bare(language);
    assert!(rest(Language::En).starts_with("1 more regression is resolved."), "{}", rest(Language::En));
    assert!(rest(Language::Ja).starts_with("ほかに解消済みの悪化が1件あります。"), "{}", rest(Language::Ja));
    assert!(!own.is_quiet);
}

#[test]
fn resources_near_their_limit_are_in_every_summary() {
    let mut review = sample::rich(&BOTH).review();
    review.series.iter_mut().for_each(|series| series.hours_near_limit = None);
    assert!(ViewContext::new(&review).near_limit(&review.series).is_none());
    let resources = review.series.iter_mut().filter(|series| series.kind == Kind::Resource);
    let mut count = 0;
    for (hours, series) in [3, 0, 9, 1, 2, 4].into_iter().cycle().zip(resources) {
        series.hours_near_limit = Some(hours);
        count += usize::from(hours > 0);
    }
    let near = crate::review::chapter::near_limit(&review.series);
    assert!(count > 1 && near.len() == count && near[0].hours_near_limit >= near[1].hours_near_limit);
    let page = build(&review);
    let said = |language| {
        let notes: Vec<String> = page.answer.notes.iter().map(|note| note.bare(language)).collect();
        notes.into_iter().find(|note| note.contains("90%")).expect("said")
    };
    assert!(said(Language::En).starts_with("Near the limit (90% or more): "), "{}", said(Language::En));
    assert!(said(Language::Ja).starts_with("上限の90%以上に達したリソース："), "{}", said(Language::Ja));
    let style = crate::render::terminal::Style { colour: false, signs: true };
    assert!(
        crate::render::terminal::summary(&review, Language::En, style).contains("\n- Near the limit (90% or more): ")
    );
}

#[test]
fn a_step_says_the_same_levels_in_its_chapter_and_in_that_of_its_resource() {
    let mut review = sample::rich(&BOTH).review();
    let index = review
        .series
        .iter()
        .position(|series| series.kind == Kind::Resource && series.class == crate::model::metric::Class::Saturation)
        .expect("a resource");
    let own = review.series[index].clone();
    let first = review.unattributed[0].clone();
    review.unattributed = vec![crate::review::Unattributed {
        service: own.service.clone(),
        kind: own.kind,
        target: own.target.clone(),
        signal: own.signal.clone(),
        unit: own.unit,
        change: crate::review::Movement::Shift,
        ratio: Some(1.44),
        ratio_ci: Some([1.42, 1.45]),
        delta: None,
        delta_ci: None,
        before: Some(30.0),
        after: Some(43.2),
        series: index,
        ..first
    }];
    let text = crate::render::markdown::render(&build(&review));
    assert_eq!(text.matches("30 → 43%").count(), 2, "{text}");
    assert!(text.contains("+13 pt") && !text.contains("+44%"), "{text}");
}

#[test]
fn a_comparison_with_less_than_a_week_says_so() {
    let mut review = sample::rich(&BOTH).review();
    let own = build(&review);
    assert!(own.findings.cards.iter().all(|card| card.thin.is_empty()));
    assert!(own.deploys.lead.bare(Language::En).contains("workdays and weekends apart"));
    let cut = |comparison: &mut crate::review::Comparison| {
        let window = comparison.before_window.window();
        comparison.before_window.from =
            crate::review::Instant::new(window.end - 84 * crate::model::time::HOUR, chrono_tz::UTC);
    };
    review.comparisons.iter_mut().for_each(cut);
    review.findings.iter_mut().filter_map(|finding| finding.comparison.as_deref_mut()).for_each(cut);
    let own = build(&review);
    assert!(own.deploys.lead.bare(Language::En).contains("Only 3.5 days are known"), "{:?}", own.deploys.lead);
    let card = &own.findings.cards[0];
    assert_eq!(card.thin.bare(Language::En), "only 3.5 days to compare with");
    assert_eq!(card.thin.bare(Language::Ja), "比較対象は3.5日分のみ");
    assert!(card.week.caption.bare(Language::En).contains("the same hour of day of the only 3.5 days"));
    assert!(!card.week.caption.bare(Language::Ja).contains("曜日"));
}

#[test]
fn what_a_later_deploy_took_back_is_over() {
    let mut review = sample::rich(&BOTH).review();
    let over = review.findings.iter().find(|finding| finding.is_over()).expect("one").clone();
    let by = over.by_number.expect("a deploy");
    review.findings.retain(|finding| finding.is_over());
    review.counts = crate::review::Counts::of(&review.findings, &review.comparisons);
    let own = build(&review);
    let said = "Nothing is surely worse any more: 1 regression of this period is resolved (bff).";
    assert_eq!(own.answer.sentence.bare(Language::En), said);
    let said = "現在も続いている悪化はありません。期間中の悪化1件は解消済みです（bff）。";
    assert_eq!(own.answer.sentence.bare(Language::Ja), said);
    let tile = &own.answer.tiles[0];
    assert_eq!((tile.unit.bare(Language::En), tile.note.bare(Language::En)), ("finding".into(), "1 resolved".into()));
    let headline = own.findings.cards[0].headline.bare(Language::En);
    assert!(headline.ends_with(&format!("slower from deploy #{} until deploy #{by}", over.number)), "{headline}");
    let row = own.deploys.rows.iter().find(|row| row.number == by).expect("a row");
    let said = format!("resolved what deploy #{} had made worse", over.number);
    assert_eq!((row.effect.bare(Language::En), &row.href), (said, &own.answer.top[0].href.clone().into()));
    let mut by_itself = review;
    by_itself.findings[0].by_number = None;
    let headline = build(&by_itself).findings.cards[0].headline.bare(Language::En);
    assert!(headline.contains(" until ") && !headline.contains("until deploy"), "{headline}");
}

#[test]
fn the_answer_says_how_many_services_it_does_not_name() {
    let mut review = sample::rich(&BOTH).review();
    let first = review.findings[0].clone();
    for k in 0..21 {
        review.findings.push(crate::review::Finding { service: format!("other-{k:02}").into(), ..first.clone() });
    }
    let own = build(&review).answer.sentence;
    assert!(own.bare(Language::En).starts_with("23 of 4"), "{}", own.bare(Language::En));
    assert!(own.bare(Language::En).ends_with("other-03 and 18 more."), "{}", own.bare(Language::En));
    assert!(own.bare(Language::Ja).contains("23サービスが") && own.bare(Language::Ja).contains("、ほか18サービス"));
}

#[test]
fn harm_is_only_ruled_out_where_a_direction_is_bad() {
    let mut review = sample::rich(&BOTH).review();
    let neutral: Vec<usize> = (0..review.series.len())
        .filter(|index| review.series[*index].better == crate::model::metric::Polarity::Neutral)
        .collect();
    for comparison in &mut review.comparisons {
        if neutral.contains(&comparison.series) {
            (comparison.verdict, comparison.ratio_ci) = (Verdict::NotWorse, Some([1.0, 9.0]));
        }
    }
    assert!(!neutral.is_empty());
    let text = crate::render::markdown::render(&build(&review));
    assert!(!text.contains("×9"), "{text}");
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
fn a_report_without_deploys_begins_with_what_changed() {
    let mut review = sample::rich(&BOTH).review();
    review.findings.clear();
    review.comparisons.clear();
    review.groups.clear();
    review.counts = crate::review::Counts::of(&review.findings, &review.comparisons);
    let own = build(&review).answer;
    assert_eq!(own.sentence.bare(Language::En), "Something became worse, with no deploy recorded.");
    let tiles: Vec<(&str, &str)> = own.tiles.iter().map(|tile| (tile.chip.glyph, tile.count.as_str())).collect();
    assert_eq!(tiles, [("●", "1"), ("○", "1")], "no row of zeros");
    assert_eq!(own.top.len(), 2);
    assert!(own.top[0].text.bare(Language::En).starts_with("update ledger "), "{:?}", own.top[0]);
    assert!(own.top.iter().all(|line| line.href == "#elsewhere"));
    let style = crate::render::terminal::Style { colour: false, signs: false };
    let text = crate::render::terminal::summary(&review, Language::En, style);
    assert!(text.contains("For the worse: 1 change, For the better: 1 change"), "{text}");
    assert!(text.contains("[DRIFT]") && !text.contains("0 findings"), "{text}");
}

#[test]
fn a_failed_source_says_what_is_missing_without_it() {
    let mut review = sample::rich(&BOTH).review();
    let source = &mut review.sources[0];
    source.errors = vec!["NerdGraph gives no answer: Connection refused".to_owned()];
    source.gives = vec!["operations".to_owned(), "deploys".to_owned()];
    source.state = crate::review::SourceHealth::Failed;
    let name = source.id.clone();
    let own = build(&review);
    let said = format!(
        "Source {name} failed: NerdGraph gives no answer: Connection refused. What it would have shown is missing in: \
         Server side, Deploys."
    );
    assert!(own.answer.notes.iter().any(|note| note.bare(Language::En) == said), "{:?}", own.answer.notes);
    assert!(own.head.badge.1.bare(Language::En).contains("data "), "the coverage is shown all the same");
    review.sources[0].gives.clear();
    let own = build(&review);
    assert!(own.answer.notes.iter().any(|note| note.bare(Language::En).ends_with("missing in: every chapter.")));
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
    let mut review = sample::rich(&BOTH).review();
    review.findings[0].comparison = None;
    review.findings[1].number = usize::MAX;
    review.findings[2].lead = usize::MAX;
    review.findings[2].targets[0].lead = usize::MAX;
    review.findings[2].hints[0].comparison = usize::MAX;
    review.comparisons[5].series = usize::MAX;
    review.unattributed[0].series = usize::MAX;
    review.services[0].latency = Some(usize::MAX);
    assert_eq!(build(&review).findings.cards.len(), review.findings.len() - 2);
    crate::render::html::render(&build(&review)).expect("rendered");
}

#[test]
fn senseless_numbers_become_dashes() {
    use crate::detect::{Estimate, ScaledEstimate};
    let mut input = sample::rich(&BOTH);
    let wild = Estimate { value: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY };
    for comparison in &mut input.judgement.comparisons {
        if let Some(effect) = &mut comparison.effect {
            (effect.estimate, effect.limit, effect.detectable) = (wild, f64::INFINITY, Some(f64::NAN));
        }
        comparison.blame = Some(f64::NAN);
        comparison.coverage = f64::NAN;
    }
    for series in &mut input.judgement.series {
        series.level = f64::NAN;
        series.hourly.fill(f32::INFINITY);
        series.change = series.change.map(|change| ScaledEstimate { estimate: wild, ..change });
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
            parts::Block::Heading(heading) => Some(heading.bare(Language::En)),
            _ => None,
        })
        .collect();
    assert_eq!(headings, ["Account cards", "Account shared", "Resources whose account is not known"]);
}

#[test]
fn every_verdict_pattern_and_rival_has_words_in_both_languages() {
    let confounders = [Confounder::Load, Confounder::Fleet, Confounder::Mix, Confounder::Event];
    let patterns = [Pattern::Sustained, Pattern::Recovered, Pattern::Burst, Pattern::TailOnly];
    let some = |list: &[Pattern]| std::iter::once(None).chain(list.iter().copied().map(Some)).collect::<Vec<_>>();
    let review = sample::rich(&BOTH).review();
    for verdict in Verdict::ALL {
        for confounder in std::iter::once(None).chain(confounders.map(Some)) {
            for pattern in some(&patterns) {
                let mut review = review.clone();
                review.findings.truncate(1);
                let finding = &mut review.findings[0];
                (finding.verdict, finding.pattern, finding.by_number) = (verdict, pattern, Some(2));
                finding.until = (pattern == Some(Pattern::Recovered)).then_some(review.period.to);
                let lead = finding.comparison.as_mut().expect("built");
                (lead.verdict, lead.explained_by, lead.pattern) = (verdict, confounder, None);
                let card = &findings::section(&ViewContext::new(&review)).cards[0];
                for language in BOTH {
                    for phrase in [&card.chip.word, &card.headline, &card.sentence] {
                        assert!(!phrase.bare(language).trim().is_empty());
                    }
                    assert!(!card.sure.bare(language).is_empty());
                    assert_eq!(!card.shape.bare(language).is_empty(), pattern.is_some());
                }
            }
        }
    }
}
