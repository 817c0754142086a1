//! What else could explain a change: one row a check.

use super::Writer;
use crate::render::i18n::{Arg, Phrase};
use crate::render::number;
use crate::render::table::{Align, Cell, Table};
use crate::review::Scale;
use crate::review::explanation::{Answer, RivalCheck, RivalKind};

impl Writer<'_> {
    pub(super) fn rivals(&self) -> Table {
        let rows = self.explanation.rivals.iter().map(|check| {
            vec![
                Cell::text(self.label(&format!("rivals.{}", check.rival.as_str()))),
                Cell::text(self.label(&format!("answers.{}", check.answer.as_str()))),
                Cell::text(self.found(check)),
            ]
        });
        let columns = [("col.rival", Align::Text), ("col.answer", Align::Text), ("col.found", Align::Text)];
        self.table("explain.rivals", &columns, rows.collect())
    }

    fn found(&self, check: &RivalCheck) -> Phrase {
        let scale = self.explanation.estimate.map_or(Scale::Ratio, |change| change.scale);
        let plain = match check.rival {
            RivalKind::Drift => self.change(check.plain, scale),
            _ => self.change(check.plain, Scale::Ratio),
        };
        let left = match check.rival {
            RivalKind::LowTraffic => check.left.map_or_else(String::new, number::trimmed),
            _ => self.change(check.left, Scale::Ratio),
        };
        let args = [
            ("plain", Arg::from(plain)),
            ("left", left.into()),
            ("n", check.count.unwrap_or(0).into()),
            ("of", check.of.unwrap_or(0).into()),
            ("share", number::share_words(check.share.unwrap_or(0.0)).into()),
            ("names", self.names(&check.names).into()),
        ];
        let answer = match (check.rival, check.answer) {
            // With the numbers of both there is nothing else to say.
            (RivalKind::Load, Answer::Explains | Answer::Partly | Answer::No) if check.plain.is_some() => "seen",
            (RivalKind::Fleet, Answer::Explains | Answer::Perhaps) if check.names.is_empty() => "moved",
            (RivalKind::ByItself | RivalKind::LowTraffic, Answer::Perhaps) => "no",
            (_, answer) => answer.as_str(),
        };
        self.message(&format!("found.{}.{answer}", check.rival.as_str()), &args)
    }
}
