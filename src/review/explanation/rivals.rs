//! What else could explain a finding: one check each, with what the judge recorded about it.
//!
//! A check repeats what was looked at; it works nothing out by rules of its own.

use std::collections::BTreeSet;

use super::hours::Sided;
use super::lead::Lead;
use super::{Answer, OtherDeploy, RivalCheck, RivalKind};
use crate::detect::Confounder;
use crate::detect::evidence::{LoadCheck, MixCheck};
use crate::model::effect::AdjustmentEvidence;
use crate::model::metric::{Class, Kind};
use crate::review::rounding::{finite, round};

/// A share of the seen change below which load explains next to nothing of it.
const NEXT_TO_NOTHING: f64 = 0.1;

/// Share of the blame on moments without a deploy that is worth a doubt.
const DOUBT: f64 = 0.1;

/// Requests a minute below which a percentile says little.
const FEW_PER_MINUTE: f64 = 1.0;

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
        event(lead),
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
    let effect = lead.comparison.effect.as_ref();
    let adjustment = effect.and_then(|effect| {
        let added = effect.adjustments.iter().find(|adjustment| adjustment.confounder == Confounder::Load)?.amount;
        // Load is looked at first: it is what was seen, less all that came after it.
        Some((effect.unadjusted, effect.unadjusted - added)).filter(|(seen, left)| seen.is_finite() && left.is_finite())
    });
    let answer = match (lead.comparison.evidence.load, adjustment) {
        _ if is_explained_by(lead, Confounder::Load) => Answer::Explains,
        (LoadCheck::NotChecked, _) => Answer::NotChecked,
        (LoadCheck::Unknown, _) => Answer::CannotTell,
        (LoadCheck::Independent, _) => Answer::No,
        (LoadCheck::CurveTakenOut, Some((seen, left))) if (seen - left).abs() > NEXT_TO_NOTHING * seen.abs() => {
            Answer::Partly
        }
        (LoadCheck::CurveTakenOut, Some(_)) => Answer::No,
        // The usual load curve was taken out, and traffic did not step at this deploy.
        (LoadCheck::CurveTakenOut, None) => Answer::TakenOut,
    };
    let ratio = |log: f64| finite(log.exp());
    RivalCheck {
        plain: adjustment.and_then(|(seen, _)| ratio(seen)),
        left: adjustment.and_then(|(_, left)| ratio(left)),
        ..blank(RivalKind::Load, answer)
    }
}

/// Says how the services that were not deployed at the time moved.
fn fleet(lead: &Lead<'_>) -> RivalCheck {
    let Some(peers) = &lead.comparison.evidence.peers else { return blank(RivalKind::Fleet, Answer::NotChecked) };
    let answer = match () {
        () if is_explained_by(lead, Confounder::Fleet) => Answer::Explains,
        () if peers.looked_at == 0 => Answer::CannotTell,
        () if peers.moved.is_empty() => Answer::No,
        () => Answer::Perhaps,
    };
    RivalCheck {
        count: Some(peers.moved.len()),
        of: Some(peers.looked_at),
        names: peers.moved.iter().take(MOST_NAMES).cloned().collect(),
        ..blank(RivalKind::Fleet, answer)
    }
}

fn mix(lead: &Lead<'_>) -> RivalCheck {
    let answer = match (lead.comparison.evidence.mix, lead.series.key.kind, lead.series.class) {
        _ if is_explained_by(lead, Confounder::Mix) => Answer::Explains,
        (MixCheck::CannotTell, ..) => Answer::CannotTell,
        (MixCheck::Composed(_), ..) => Answer::No,
        // Every endpoint is judged alone: requests that move between endpoints cannot show as this change.
        (MixCheck::NotChecked, Kind::Operation, Class::Latency | Class::Errors)
            if !lead.series.key.is_whole_service() =>
        {
            Answer::No
        }
        (MixCheck::NotChecked, ..) => Answer::NotChecked,
    };
    blank(RivalKind::Mix, answer)
}

fn event(lead: &Lead<'_>) -> RivalCheck {
    let adjustments = lead.comparison.effect.iter().flat_map(|effect| &effect.adjustments);
    let explaining = adjustments.filter_map(|adjustment| match &adjustment.evidence {
        AdjustmentEvidence::Event { id } => Some(id.as_str()),
        _ => None,
    });
    let ids: BTreeSet<&str> = lead.comparison.evidence.events.iter().map(String::as_str).chain(explaining).collect();
    let name = |id: &&str| {
        let event = lead.events.iter().find(|event| event.id == **id);
        event.map(|event| event.title.as_str()).filter(|title| !title.is_empty()).unwrap_or(id).to_owned()
    };
    let answer = match () {
        () if is_explained_by(lead, Confounder::Event) => Answer::Explains,
        () if ids.is_empty() => Answer::No,
        () => Answer::TakenOut,
    };
    RivalCheck {
        count: Some(ids.len()),
        names: ids.iter().take(MOST_NAMES).map(name).collect(),
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
    let Some(drift) = lead.comparison.evidence.drift else { return blank(RivalKind::Drift, Answer::No) };
    let change = drift.estimate.value;
    let plain = if drift.scale.is_difference() { change / lead.series.unit.factor } else { change.exp() };
    RivalCheck { plain: finite(plain), ..blank(RivalKind::Drift, Answer::TakenOut) }
}

fn by_itself(lead: &Lead<'_>, elsewhere: Option<f64>) -> RivalCheck {
    let answer = match elsewhere {
        None => Answer::CannotTell,
        Some(share) if share > DOUBT || !lead.comparison.evidence.is_located => Answer::Perhaps,
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
        () if least < FEW_PER_MINUTE || lead.comparison.evidence.is_small_sample => Answer::Perhaps,
        () => Answer::No,
    };
    RivalCheck { left: least.is_finite().then(|| round(least)), ..blank(RivalKind::LowTraffic, answer) }
}
