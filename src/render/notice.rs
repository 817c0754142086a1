//! Sentences about the input: what a reader should know before the findings.

use super::calendar;
use super::i18n::{Arg, Phrase};
use super::message::Messages;
use super::{number, sanitize};
use crate::model::metric::Unit;
use crate::review::{Instant, Notice};

impl Messages {
    /// Writes a notice as one or two sentences: what was seen, and what to do about it.
    pub fn notice(&self, notice: &Notice) -> Phrase {
        let code = |name: &str| Arg::Code(sanitize::name(name));
        let count = |n: usize| Arg::from(n);
        let date = |at: Instant| Arg::from(calendar::date_time(at.ms(), self.zone));
        let stamp = |at: Instant| Arg::from(self.stamp(at.ms()));
        let first = |parts: &[std::sync::Arc<str>; 2]| {
            let parts = [("target", Arg::Phrase(self.code(&parts[0]))), ("signal", self.signal(&parts[1]).into())];
            Arg::from(self.message("common.target_signal", &parts))
        };
        match notice {
            Notice::UnknownService { service, deploys, near } => {
                let mut args = vec![("n", count(*deploys)), ("service", code(service))];
                let key = match near {
                    Some(near) => {
                        args.push(("near", code(near)));
                        "notice.unknown_near"
                    }
                    None => "notice.unknown",
                };
                self.message(key, &args)
            }
            Notice::FutureDeploys { deploys, first, at } => {
                self.message("notice.future", &[("n", count(*deploys)), ("first", code(first)), ("at", date(*at))])
            }
            Notice::OtherTimes { deploys, last } => {
                self.message("notice.other_times", &[("n", count(*deploys)), ("at", date(*last))])
            }
            Notice::HoursOff { deploy, service, hours, at } => {
                let args = [
                    ("deploy", code(deploy)),
                    ("service", code(service)),
                    ("n", Arg::from(hours.unsigned_abs() as usize)),
                    ("at", stamp(*at)),
                ];
                self.message(if *hours > 0 { "notice.hours_after" } else { "notice.hours_before" }, &args)
            }
            Notice::UnitFactor { service, factor, up, at, series, unit, first: name } => {
                let args = [
                    ("n", count(*series)),
                    ("service", code(service)),
                    ("factor", number::whole(u64::from(*factor)).into()),
                    ("at", stamp(*at)),
                    ("unit", code(unit)),
                    ("first", first(name)),
                ];
                self.message(if *up { "notice.factor_up" } else { "notice.factor_down" }, &args)
            }
            Notice::Counter { service, series, first: name } => self.message(
                "notice.counter",
                &[("n", count(*series)), ("service", code(service)), ("first", first(name))],
            ),
            Notice::AboveOne { service, series, first: name } => self.message(
                "notice.above_one",
                &[("n", count(*series)), ("service", code(service)), ("first", first(name))],
            ),
            Notice::SharesLeftOut { source, values, example } => {
                let args = [
                    ("n", Arg::from(usize::try_from(*values).unwrap_or(usize::MAX))),
                    ("source", code(source)),
                    ("example", code(example)),
                ];
                self.message("notice.shares_left_out", &args)
            }
            Notice::Renamed { service, from, to, at } => {
                let args = [("service", code(service)), ("from", code(from)), ("to", code(to)), ("at", stamp(*at))];
                self.message("notice.renamed", &args)
            }
            Notice::TrafficLost { service, number, targets, first, levels, unit } => {
                let unit = Unit::parse(unit);
                let levels = levels.zip(unit).map_or_else(String::new, |([before, after], unit)| {
                    number::levels(Some(before * unit.factor), Some(after * unit.factor), unit)
                });
                let args = [
                    ("service", code(service)),
                    ("deploy", Arg::Flag(*number)),
                    ("first", code(first)),
                    ("levels", levels.clone().into()),
                    ("n", count(targets.saturating_sub(1))),
                ];
                let key = match (levels.is_empty(), *targets > 1) {
                    (false, false) => "notice.traffic_lost",
                    (false, true) => "notice.traffic_lost_more",
                    (true, false) => "notice.data_lost",
                    (true, true) => "notice.data_lost_more",
                };
                self.message(key, &args)
            }
            Notice::DroppedLinks { links, first } => {
                self.message("notice.dropped_links", &[("n", count(*links)), ("first", code(first))])
            }
            Notice::New { service, targets, first, at } => self.lived("notice.new", service, *targets, first, *at),
            Notice::Gone { service, targets, first, at } => self.lived("notice.gone", service, *targets, first, *at),
        }
    }

    /// Names the first of several targets, and says how many more there are.
    fn lived(&self, key: &str, service: &str, targets: usize, first: &str, at: Instant) -> Phrase {
        let code = |name: &str| Arg::Code(sanitize::name(name));
        let args = [
            ("service", code(service)),
            ("first", code(first)),
            ("at", Arg::from(self.stamp(at.ms()))),
            ("n", Arg::from(targets.saturating_sub(1))),
        ];
        let key = if targets > 1 { format!("{key}_more") } else { key.to_owned() };
        self.message(&key, &args)
    }
}
