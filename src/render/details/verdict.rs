//! From the estimate to the verdict: limit, attribution, and the line of the verdict table with its numbers.

use super::Writer;
use crate::model::verdict::Verdict;
use crate::render::change::Readable;
use crate::render::i18n::{Arg, Localized, Phrase};
use crate::render::number;
use crate::render::sanitize;
use crate::render::table::Table;
use crate::review::Scale;
use crate::review::explanation::{Limit, LimitFrom, Rule, TakenBack};

use super::verdict_of;

impl Writer<'_> {
    pub(super) fn verdict(&self) -> Table {
        let own = self.explanation;
        let mut rows = Vec::new();
        if let Some(change) = &own.estimate {
            let change_shown = Readable::change(*change, self.finding.unit).at_level(self.before());
            rows.push(("explain.estimate", self.plain(change_shown.value())));
            rows.push(("explain.range", self.localized(&change_shown.range())));
            if let Some(limit) = &own.limit {
                rows.push(("explain.limit", self.limit_row(limit, change.scale)));
            }
            if own.detectable.is_some() {
                rows.push(("explain.detectable", self.plain(self.size(own.detectable, change.scale))));
            }
        }
        if let Some(p) = own.p_value {
            rows.push(("explain.p", self.plain(chance(p))));
        }
        if let Some(q) = own.q_value {
            let args = [("q", Arg::from(chance(q))), ("rate", percent(own.false_discovery).into())];
            rows.push(("explain.q", self.message("explain.q_value", &args)));
        }
        if let Some(coverage) = own.coverage {
            rows.push(("explain.coverage", self.plain(number::share(coverage))));
        }
        rows.push((
            "explain.onset",
            own.onset.as_ref().map_or_else(|| self.label("explain.no_onset"), |s| self.stretch(s)),
        ));
        if let Some(blame) = own.blame {
            rows.push(("explain.blame", self.blame(blame)));
        }
        if let (Some(rule), Some(change)) = (&own.rule, &own.estimate) {
            rows.push(("explain.rule", self.rule(rule, change.scale)));
        }
        self.pairs("findings.explain", rows)
    }

    fn limit_row(&self, limit: &Limit, scale: Scale) -> Phrase {
        let size = self.size(Some(limit.value), scale);
        let relative = percent(limit.relative);
        let absolute = limit.absolute.map(|value| self.absolute(value));
        let (key, own, other) = match (limit.from, absolute) {
            (LimitFrom::Relative, None) => ("explain.limit_relative_alone", (relative, &limit.relative_key), None),
            (LimitFrom::Relative, Some(absolute)) => {
                ("explain.limit_relative", (relative, &limit.relative_key), Some(absolute))
            }
            (LimitFrom::Absolute, absolute) => {
                let key = limit.absolute_key.as_ref().unwrap_or(&limit.relative_key);
                ("explain.limit_absolute", (absolute.unwrap_or_default(), key), Some(relative))
            }
        };
        let args = [
            ("limit", Arg::Strong(Localized::same(size))),
            ("own", own.0.into()),
            ("key", Arg::Code(sanitize::name(own.1))),
            ("other", other.unwrap_or_default().into()),
        ];
        self.message(key, &args)
    }

    /// Writes an absolute limit: a difference of shares in points, everything else as a level.
    fn absolute(&self, value: f64) -> String {
        self.size(Some(value), Scale::Difference)
    }

    fn blame(&self, blame: f64) -> Phrase {
        let own = self.explanation;
        let mut parts = vec![self.localized(&number::share_words(blame))];
        for other in &own.other_deploys {
            let args = [("deploy", Arg::Flag(other.number)), ("share", number::share_words(other.blame).into())];
            parts.push(self.message("explain.blame_other", &args));
        }
        if let Some(rest) = own.blame_elsewhere.filter(|rest| *rest >= 0.005) {
            parts.push(self.message("explain.blame_rest", &[("share", number::share_words(rest).into())]));
        }
        self.words.join(&parts, &Localized::new("; ", "、"))
    }

    /// Writes the line of the table that fits: in words, and as an inequality with the numbers put in.
    fn rule(&self, rule: &Rule, scale: Scale) -> Phrase {
        let line = verdict_of(&rule.line).unwrap_or(Verdict::Inconclusive);
        let (e, l, u) = (self.change(rule.e, scale), self.change(rule.l, scale), self.change(rule.u, scale));
        let limit = self.size(rule.limit, scale);
        let gain = match scale {
            Scale::Ratio => self.change(rule.limit.map(f64::recip), scale),
            Scale::Difference => self.change(rule.limit.map(|limit| -limit), scale),
        };
        let numbers = match line {
            Verdict::Worse => format!("L {l} > 0, E {e} ≥ δ {limit}"),
            Verdict::PossiblyWorse => format!("L {l} > 0, E {e} < δ {limit}"),
            Verdict::Better => format!("U {u} < 0, E {e} ≤ −δ {gain}"),
            Verdict::NoMaterialChange => format!("L {l} ≥ −δ {gain}, U {u} ≤ δ {limit}"),
            Verdict::NotWorse => format!("U {u} ≤ δ {limit}"),
            _ => format!("L {l} ≤ 0, U {u} > δ {limit}"),
        };
        let words = match line {
            Verdict::Worse => "explain.rule_worse",
            Verdict::PossiblyWorse => "explain.rule_possibly_worse",
            Verdict::Better => "explain.rule_better",
            Verdict::NoMaterialChange => "explain.rule_no_material_change",
            Verdict::NotWorse => "explain.rule_not_worse",
            _ => "explain.rule_else",
        };
        let args = [
            ("numbers", Arg::Code(numbers)),
            ("words", self.label(words).into()),
            ("verdict", self.label(&format!("verdict.{}", line.as_str())).into()),
        ];
        let mut sentences = vec![self.message("explain.rule_row", &args)];
        for reason in &rule.taken_back {
            let key = match reason {
                TakenBack::FalseDiscovery => "explain.taken_back_q",
                TakenBack::Location => "explain.taken_back_location",
                TakenBack::Explained => "explain.taken_back_explained",
            };
            let word = verdict_of(&rule.verdict).unwrap_or(line);
            let args = [("verdict", Arg::from(self.label(&format!("verdict.{}", word.as_str()))))];
            sentences.push(self.message(key, &args));
        }
        self.words.sentences(&sentences)
    }
}

/// Writes a share of the config, which may be as fine as 7.5 %.
fn percent(share: f64) -> String {
    format!("{}%", number::trimmed(share * 100.0))
}

/// Writes a probability without pretending to know its tail.
fn chance(p: f64) -> String {
    if p < 1e-4 { "< 0.0001".to_owned() } else { number::significant(p, 2) }
}
