//! What else could explain a finding: one check each, with what the judgement says about it.
//!
//! A check repeats what was looked at; it never clears the deploy or convicts it.

use std::collections::{BTreeMap, BTreeSet};

use super::hours::Sided;
use super::make::{Lead, is_located};
use super::{Answer, OtherDeploy, Reason, RivalCheck, RivalKind};
use crate::detect::{Confounder, Effect, ElsewhereKind};
use crate::model::metric::{Class, Kind};
use crate::model::time::{HOUR, Window};
use crate::render::json::{finite, round};

/// A share of the seen change below which load explains next to nothing of it.
const NEXT_TO_NOTHING: f64 = 0.1;

/// Share of the blame on moments without a deploy that is worth a doubt.
const DOUBT: f64 = 0.1;

/// Requests a minute below which a percentile says little.
const FEW_PER_MINUTE: f64 = 1.0;

/// A change of another service counts as the same moment within this time of it.
const SAME_MOMENT: i64 = HOUR;

/// Names that a check lists at the most.
const MOST_NAMES: usize = 8;

/// Returns every check, in the order in which they are read.
pub(super) fn checks(
    lead: &Lead<'_>,
    before: &Sided,
    after: &Sided,
    others: &[OtherDeploy],
    elsewhere: Option<f64>,
) -> Vec<RivalCheck> {
    vec![
        load(lead),
        fleet(lead),
        mix(lead),
        event(lead, before, after),
        deploys(lead, others),
        drift(lead),
        by_itself(lead, elsewhere),
        low_traffic(lead, before, after),
    ]
}

fn blank(rival: RivalKind, answer: Answer) -> RivalCheck {
    RivalCheck { rival, answer, plain: None, left: None, count: None, of: None, share: None, names: Vec::new() }
}

fn is_explained_by(lead: &Lead<'_>, rival: Confounder) -> bool {
    lead.comparison.explained_by == Some(rival)
}

fn load(lead: &Lead<'_>) -> RivalCheck {
    let effect = lead.comparison.effect.as_ref().filter(|effect| !effect.scale.is_difference());
    let plain = effect.and_then(Effect::seen).filter(|plain| plain.is_finite());
    let left = effect.map(|effect| effect.estimate.value).filter(|left| left.is_finite());
    let knows_load = match (lead.series.class, lead.series.key.kind) {
        (Class::Latency, _) => !lead.series.requests.is_empty(),
        (Class::Saturation | Class::Other, Kind::Resource) => service_counts_requests(lead),
        _ => return blank(RivalKind::Load, Answer::NotChecked),
    };
    let answer = match (plain, left) {
        _ if is_explained_by(lead, Confounder::Load) => Answer::Explains,
        _ if !knows_load => Answer::CannotTell,
        (Some(plain), Some(left)) if (plain - left).abs() > NEXT_TO_NOTHING * plain.abs() => Answer::Partly,
        (Some(_), _) => Answer::No,
        // The usual load curve was taken out, and traffic did not step at this deploy.
        (None, _) => Answer::TakenOut,
    };
    let ratio = |log: Option<f64>| log.and_then(|log| finite(log.exp()));
    let told = plain.is_some();
    RivalCheck { plain: ratio(plain), left: ratio(left.filter(|_| told)), ..blank(RivalKind::Load, answer) }
}

fn service_counts_requests(lead: &Lead<'_>) -> bool {
    lead.judgement.series.iter().any(|series| {
        series.key.service == lead.series.key.service
            && series.key.kind == Kind::Operation
            && matches!(&*series.key.signal, "throughput" | "db_calls")
    })
}

/// Looks for other services, not deployed at the time, whose series of the same kind moved at the same moment.
fn fleet(lead: &Lead<'_>) -> RivalCheck {
    let moment = lead.comparison.onset.unwrap_or(lead.group.window);
    let moment = Window::new(moment.start - SAME_MOMENT, moment.end + SAME_MOMENT);
    let own = &*lead.series.key.service;
    let deployed: BTreeSet<&str> = lead
        .judgement
        .groups
        .iter()
        .filter(|group| group.window.start < moment.end && moment.start <= group.window.end)
        .map(|group| group.service.as_str())
        .collect();
    let is_sibling = |index: usize| {
        let series = lead.judgement.series.get(index)?;
        let is_like = series.key.kind == lead.series.key.kind && series.class == lead.series.class;
        (is_like && &*series.key.service != own && !deployed.contains(&*series.key.service))
            .then_some(&*series.key.service)
    };
    let looked_at: BTreeSet<&str> = (0..lead.judgement.series.len()).filter_map(is_sibling).collect();
    let shifted = lead
        .judgement
        .elsewhere
        .iter()
        .filter(|change| change.kind == ElsewhereKind::Shift && change.at.overlaps(moment))
        .filter_map(|change| is_sibling(change.series));
    let moved: BTreeSet<&str> = shifted.collect();
    let answer = match () {
        () if is_explained_by(lead, Confounder::Fleet) => Answer::Explains,
        () if looked_at.is_empty() => Answer::CannotTell,
        () if moved.is_empty() => Answer::No,
        () => Answer::Perhaps,
    };
    RivalCheck {
        count: Some(moved.len()),
        of: Some(looked_at.len()),
        names: moved.into_iter().take(MOST_NAMES).map(str::to_owned).collect(),
        ..blank(RivalKind::Fleet, answer)
    }
}

fn mix(lead: &Lead<'_>) -> RivalCheck {
    let answer = match (lead.series.key.kind, lead.series.class) {
        _ if is_explained_by(lead, Confounder::Mix) => Answer::Explains,
        // Every endpoint is judged alone: requests that move between endpoints cannot show as this change.
        (Kind::Operation, Class::Latency | Class::Errors) => Answer::No,
        _ => Answer::NotChecked,
    };
    blank(RivalKind::Mix, answer)
}

fn event(lead: &Lead<'_>, before: &Sided, after: &Sided) -> RivalCheck {
    let mut events: BTreeMap<&str, &str> = BTreeMap::new();
    for left_out in before.side.left_out.iter().chain(&after.side.left_out) {
        if matches!(left_out.reason, Reason::Incident | Reason::Campaign | Reason::Drill) {
            events.extend(left_out.ids.iter().map(|id| (id.as_str(), id.as_str())));
        }
    }
    for event in lead.events {
        if let Some(name) = events.get_mut(event.id.as_str()).filter(|_| !event.title.is_empty()) {
            *name = &event.title;
        }
    }
    let answer = match () {
        () if is_explained_by(lead, Confounder::Event) => Answer::Explains,
        () if events.is_empty() => Answer::No,
        () => Answer::TakenOut,
    };
    RivalCheck {
        count: Some(events.len()),
        names: events.into_values().take(MOST_NAMES).map(str::to_owned).collect(),
        ..blank(RivalKind::Event, answer)
    }
}

fn deploys(lead: &Lead<'_>, others: &[OtherDeploy]) -> RivalCheck {
    let own = lead.ids(lead.group);
    let names: Vec<String> =
        own.iter().skip(1).chain(others.iter().flat_map(|other| &other.deploys)).cloned().collect();
    let answer = match (own.len(), others) {
        // Deploys of one group are too close together to be told apart.
        (2.., _) => Answer::CannotTell,
        (_, []) => Answer::No,
        _ => Answer::Perhaps,
    };
    RivalCheck {
        count: Some(names.len()),
        names: names.into_iter().take(MOST_NAMES).collect(),
        ..blank(RivalKind::Deploys, answer)
    }
}

fn drift(lead: &Lead<'_>) -> RivalCheck {
    let drift = lead
        .judgement
        .elsewhere
        .iter()
        .find(|change| change.series == lead.comparison.series && change.kind == ElsewhereKind::Drift);
    let Some(drift) = drift else { return blank(RivalKind::Drift, Answer::No) };
    let change = drift.change.estimate.value;
    let plain = if drift.change.scale.is_difference() { change / lead.series.unit.factor } else { change.exp() };
    RivalCheck { plain: finite(plain), ..blank(RivalKind::Drift, Answer::TakenOut) }
}

fn by_itself(lead: &Lead<'_>, elsewhere: Option<f64>) -> RivalCheck {
    let is_located = is_located(lead.comparison);
    let answer = match elsewhere {
        None => Answer::CannotTell,
        Some(share) if share > DOUBT || !is_located => Answer::Perhaps,
        Some(_) => Answer::No,
    };
    let audit = lead.judgement.audit;
    RivalCheck {
        count: Some(audit.false_alarms),
        of: Some(audit.tests),
        share: elsewhere,
        ..blank(RivalKind::ByItself, answer)
    }
}

fn low_traffic(lead: &Lead<'_>, before: &Sided, after: &Sided) -> RivalCheck {
    if lead.series.key.kind == Kind::Resource {
        return blank(RivalKind::LowTraffic, Answer::NotChecked);
    }
    let least = before.requests_per_min.min(after.requests_per_min);
    let answer = match () {
        () if !least.is_finite() => Answer::CannotTell,
        () if least < FEW_PER_MINUTE => Answer::Perhaps,
        () => Answer::No,
    };
    RivalCheck { left: least.is_finite().then(|| round(least)), ..blank(RivalKind::LowTraffic, answer) }
}
