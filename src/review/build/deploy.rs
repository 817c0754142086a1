//! Deploys, their groups, and the other events.

use std::sync::Arc;

use super::{Builder, Input};
use crate::detect::Verdict;
use crate::review::{Comparison, Deploy, Event, Group};

/// Returns the ids of the deploys of each group, looked up once and not once a comparison.
pub(super) fn ids(input: &Input<'_>) -> Vec<Arc<[Arc<str>]>> {
    let id = |index: &usize| input.events.get(*index).map(|event| Arc::from(event.id.as_str()));
    input.judgement.groups.iter().map(|group| group.members.iter().filter_map(id).collect()).collect()
}

/// Returns every deploy of every group.
pub(super) fn all(builder: &Builder<'_>, comparisons: &[Comparison]) -> Vec<Deploy> {
    let Input { judgement, events, .. } = builder.input;
    let worst = worst_by_number(comparisons);
    let mut deploys = Vec::new();
    for (group, ids) in judgement.groups.iter().zip(&builder.groups) {
        let service: Arc<str> = group.service.as_str().into();
        for event in group.members.iter().filter_map(|index| events.get(*index)) {
            deploys.push(Deploy {
                id: event.id.as_str().into(),
                service: service.clone(),
                at: builder.instant(event.at),
                until: event.until.map(|until| builder.instant(until)),
                revision: event.revision.clone(),
                version: event.version.clone(),
                title: event.title.clone(),
                url: event.url.clone(),
                author: event.author.clone(),
                kind: event.kind,
                number: group.number,
                group: ids.clone(),
                verdict: worst.get(&group.number).copied().unwrap_or(Verdict::NoData),
                inferred: event.is_inferred(),
            });
        }
    }
    deploys
}

/// Returns the worst verdict among each group's comparisons; a group without any has no data.
fn worst_by_number(comparisons: &[Comparison]) -> std::collections::BTreeMap<usize, Verdict> {
    let rank = |verdict: Verdict| Verdict::ALL.iter().position(|other| *other == verdict);
    let mut worst = std::collections::BTreeMap::new();
    for comparison in comparisons {
        let own = worst.entry(comparison.number).or_insert(Verdict::NoData);
        if rank(comparison.verdict) < rank(*own) {
            *own = comparison.verdict;
        }
    }
    worst
}

/// Returns the groups, by time.
pub(super) fn groups(builder: &Builder<'_>) -> Vec<Group> {
    let groups = builder.input.judgement.groups.iter().zip(&builder.groups);
    groups
        .map(|(group, ids)| Group {
            number: group.number,
            service: group.service.as_str().into(),
            from: builder.instant(group.window.start),
            to: builder.instant(group.window.end),
            deploys: ids.clone(),
        })
        .collect()
}

/// Returns the incidents, campaigns and drills that touch the hours that were compared or are drawn.
pub(super) fn events(builder: &Builder<'_>) -> Vec<Event> {
    let history = builder.history();
    let others = builder.input.events.iter().filter(|event| !event.kind.is_judged());
    others
        .filter(|event| event.window().overlaps(history) || history.contains(event.at))
        .map(|event| Event {
            id: event.id.clone(),
            service: event.service.clone(),
            kind: event.kind,
            at: builder.instant(event.at),
            until: event.until.map(|until| builder.instant(until)),
            title: event.title.clone(),
            url: event.url.clone(),
        })
        .collect()
}
