//! A plain JSON body for programs of one's own.

use serde_json::{Value, json};

use super::News;
use crate::review::archive::key_of;
use crate::review::{Finding, Topic};

/// Name and version of the body.
pub const SCHEMA: &str = "fortnight.notice/1";

/// Writes the body: what was found, without markup.
pub fn compose(news: News<'_>) -> Value {
    let review = news.review;
    let finding = |finding: &Finding| {
        json!({
            "id": finding.id,
            "fingerprint": finding.fingerprint,
            "topic": finding.topic().as_str(),
            "is_new": news.new.contains(&finding.id),
            "service": finding.service,
            "target": finding.target,
            "signal": finding.signal,
            "unit": finding.unit.symbol,
            "is_over": finding.is_over(),
            "before": finding.before,
            "after": finding.after,
            "ratio": finding.ratio,
            "delta": finding.delta,
            "deploy": finding.deploy,
            "owner": finding.owner,
        })
    };
    let is_told = |finding: &&Finding| !matches!(finding.topic(), Topic::Explained);
    json!({
        "schema": SCHEMA,
        "key": key_of(&review.period),
        "period": review.period,
        "title": review.title,
        "sentence": super::super::view::build(review).answer.sentence.bare(news.language),
        "counts": review.counts,
        "coverage": review.coverage(),
        "is_partial": review.has_failed_source(),
        "findings": review.findings.iter().filter(is_told).map(finding).collect::<Vec<Value>>(),
        "url": Some(news.link).filter(|link| !link.is_empty()),
    })
}
