//! Messages with hostile names, too many findings, owners, and what is missing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::review::sample::rich;

/// Every way in which a name could do something in a channel.
const EVIL: &str =
    "<!channel> <!here> <@U1> @everyone <https://evil.example|ok> *a* _b_ ~c~ `d` \n> e |f| &lt; [g](javascript:x)";

fn review(change: impl Fn(&mut Review)) -> Review {
    let mut review = rich(&[Language::En, Language::Ja]).review();
    change(&mut review);
    review
}

fn evil() -> Review {
    review(|review| {
        review.title = EVIL.to_owned();
        for finding in &mut review.findings {
            (finding.service, finding.target) = (EVIL.into(), EVIL.into());
            finding.owner = EVIL.to_owned();
            finding.runbook = "javascript:alert(1)".to_owned();
        }
        for deploy in &mut review.deploys {
            (deploy.title, deploy.url) = (EVIL.to_owned(), "https://x.example/|<!channel>".to_owned());
        }
    })
}

fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(map) => map.values().for_each(|item| texts(item, into)),
        _ => {}
    }
}

fn news<'a>(review: &'a Review, new: &'a [String], mentions: &'a BTreeMap<String, String>) -> News<'a> {
    News { review, new, link: "https://reports.example.com/p/2026-11-09/report.html", language: Language::En, mentions }
}

fn ids(review: &Review) -> Vec<String> {
    review.findings.iter().map(|finding| finding.id.clone()).collect()
}

#[test]
fn a_hostile_name_calls_nobody_and_links_nowhere() {
    let review = evil();
    let (new, mentions) = (ids(&review), BTreeMap::new());
    let post = slack::compose(news(&review, &new, &mentions));
    let mut all = Vec::new();
    texts(&post.message, &mut all);
    post.replies.iter().for_each(|(_, reply)| texts(reply, &mut all));
    for text in &all {
        for part in text.split('<').skip(1) {
            assert!(
                part.starts_with("https://reports.example.com/") || part.starts_with("https://x.example/%7C%3C"),
                "{part}"
            );
        }
        assert!(!text.contains("javascript:alert"), "{text}");
    }
    let card = teams::compose(news(&review, &new, &mentions)).to_string();
    assert!(
        !card.contains("[g](javascript") && !card.contains("javascript:alert") && !card.contains("<!channel>"),
        "{card}"
    );
    assert!(!card.contains("@everyone"), "{card}");
}

#[test]
fn a_message_stays_inside_slacks_limits_whatever_the_names_are() {
    let review = review(|review| {
        let one = review.findings.first().cloned().expect("one");
        review.findings = (0..200)
            .map(|index| Finding { id: format!("F-{index:06}"), target: "あ&<>".repeat(500).into(), ..one.clone() })
            .collect();
        review.title = "長い題".repeat(500);
        review.deploys.iter_mut().for_each(|deploy| deploy.title = "x".repeat(10_000));
    });
    let (new, mentions) = (ids(&review), BTreeMap::new());
    let post = slack::compose(news(&review, &new, &mentions));
    assert!(post.replies.len() <= NAMED);
    for message in post.replies.iter().map(|(_, reply)| reply).chain([&post.message]) {
        let blocks = message["blocks"].as_array().expect("blocks");
        assert!((1..=12).contains(&blocks.len()));
        let mut total = 0;
        for block in blocks {
            let text = block.pointer("/text/text").or_else(|| block.pointer("/elements/0/text"));
            let length = text.and_then(Value::as_str).expect("text").chars().count();
            assert!((1..=3_000).contains(&length), "{length}");
            total += length;
        }
        // Near 13,000 in all Slack refuses a message whose every block it would take.
        assert!(total < 9_000, "{total}");
        assert!(!message["text"].as_str().expect("always there").is_empty());
    }
    // Teams refuses more than 28 KB.
    assert!(teams::compose(news(&review, &new, &mentions)).to_string().len() < 20_000);
}

#[test]
fn only_owners_of_what_is_new_are_called() {
    let review = review(|review| review.findings.iter_mut().for_each(|one| one.owner = "card-team".to_owned()));
    let mentions = BTreeMap::from([("card-team".to_owned(), "S123".to_owned())]);
    let post = |new: &[String]| slack::compose(news(&review, new, &mentions)).message.to_string();
    assert!(!post(&[]).contains("subteam") && post(&[]).contains("card-team"));
    let worse = review.findings.iter().find(|one| one.topic() == Topic::Worse).expect("one").id.clone();
    assert_eq!(post(&[worse]).matches("<!subteam^S123>").count(), 1);
}

#[test]
fn it_speaks_japanese_and_names_what_is_missing() {
    let review = review(|_| {});
    let mentions = BTreeMap::new();
    let message = slack::compose(News { language: Language::Ja, ..news(&review, &[], &mentions) }).message.to_string();
    assert!(message.contains("悪化") && message.contains("レポートを開く") && message.contains("次回"), "{message}");
    let failed = review.sources.iter().find(|source| !source.errors.is_empty()).expect("the sample has one");
    assert!(message.contains(&*failed.id), "{message}");
}
