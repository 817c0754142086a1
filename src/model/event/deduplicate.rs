//! The same deploy, reported by two sources, is one deploy.
//!
//! A pipeline adds a marker, the agent reports a change, the orchestrator's numbers move: counted three times, one
//! change would be blamed in thirds. Two events are the same change if they are of one service and kind, their
//! revisions do not contradict each other, and they began close together:
//!
//! | both name a revision | one of them names none | one of them is inferred |
//! |---|---|---|
//! | within [`SAME_REVISION`] | within [`SAME_MOMENT`] | within [`GIVES_WAY`] of the one that was reported |
//!
//! A pipeline knows the commit, an APM or an orchestrator often only a version label: a commit from one source and a
//! label from another are the same change within [`SAME_MOMENT`], and the change keeps both. Two different commits or
//! labels are never joined, and neither are two services.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Event;
use crate::model::time::MINUTE;

/// Two reports of one revision lie at most this far apart, milliseconds: a roll-out that one source dates by its
/// start and the other by its end. A later deploy of the same revision is a deploy of its own (a restart, a rollback).
const SAME_REVISION: i64 = 10 * MINUTE;

/// Without a revision only the time says that two reports are of the same deploy, milliseconds.
const SAME_MOMENT: i64 = 2 * MINUTE;

/// How far from a reported deploy a change seen in the data is taken for it, milliseconds: collected data
/// are minutes wide, and the slowest roll-outs take the better part of an hour.
const GIVES_WAY: i64 = 60 * MINUTE;

/// Fewest signs of a shortened revision, as version control abbreviates it; fewer are no evidence.
const SHORTEST: usize = 7;

/// Events, each deploy once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deduplicated {
    /// Sorted by time, then id.
    pub events: Vec<Event>,
    /// Ids that are not among the events any more, each with the id that stands for it.
    pub same: BTreeMap<String, String>,
}

/// Joins the events that tell of the same change.
///
/// The id is the one of the best-known [`Origin`](super::Origin): what somebody reported goes before what a source
/// tracked, and that before what was inferred; among tracked ones a log of API calls comes last. Texts come from the best-known source that has
/// them, the revision is the longest commit, or else the longest label; the change lasts from the earliest start to the latest end. A change that was
/// inferred never moves the start of a reported one. The order of `events` does not matter, and joining
/// again changes nothing.
pub fn deduplicate(events: Vec<Event>) -> Deduplicated {
    let mut found = Deduplicated { events, same: BTreeMap::new() };
    // What is joined knows more than before (a revision), so that it may now differ from another one, or fit it.
    loop {
        let before = found.events.len();
        found = once(found);
        if found.events.len() == before {
            break;
        }
    }
    found.events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    found
}

fn once(found: Deduplicated) -> Deduplicated {
    let Deduplicated { events, mut same } = found;
    let mut lists: BTreeMap<_, (Vec<Event>, Vec<Event>)> = BTreeMap::new();
    let mut done: Vec<Event> = Vec::new();
    for event in events {
        if !event.kind.is_judged() {
            done.push(event);
            continue;
        }
        let (reported, inferred) = lists.entry((event.service.clone(), event.kind)).or_default();
        if event.is_inferred() { inferred.push(event) } else { reported.push(event) }
    }
    for (reported, inferred) in lists.into_values() {
        let mut reported = neighbours(reported, &mut same);
        for event in neighbours(inferred, &mut same) {
            match nearest(&reported, &event) {
                Some(index) => reported = joined_at(reported, index, event, &mut same),
                None => done.push(event),
            }
        }
        done.append(&mut reported);
    }
    Deduplicated { events: done, same }
}

/// Joins reports that are alike, the earliest first.
fn neighbours(mut events: Vec<Event>, same: &mut BTreeMap<String, String>) -> Vec<Event> {
    let order = |event: &Event| (event.at, Reverse(event.revision.len()), event.revision.clone(), event.id.clone());
    events.sort_by_cached_key(order);
    let mut kept: Vec<Event> = Vec::new();
    for event in events {
        match kept.iter().position(|earlier| is_same(earlier, &event)) {
            Some(index) => kept = joined_at(kept, index, event, same),
            None => kept.push(event),
        }
    }
    kept
}

fn joined_at(mut events: Vec<Event>, index: usize, event: Event, same: &mut BTreeMap<String, String>) -> Vec<Event> {
    let earlier = events.remove(index);
    let (kept, gone) = join(earlier, event);
    if kept.id != gone {
        for standing in same.values_mut().filter(|standing| **standing == gone) {
            standing.clone_from(&kept.id);
        }
        same.insert(gone, kept.id.clone());
    }
    events.insert(index, kept);
    events
}

/// What an event says went live: a commit, a version label, or both.
struct Named<'a> {
    commit: &'a str,
    label: &'a str,
}

impl<'a> Named<'a> {
    fn of(event: &'a Event) -> Self {
        let revision = &*event.revision;
        let is_hex = revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        // Digits alone are the number of a build.
        let is_commit = revision.len() >= SHORTEST && is_hex && revision.bytes().any(|byte| byte.is_ascii_alphabetic());
        if is_commit { Self { commit: revision, label: &event.version } } else { Self { commit: "", label: revision } }
    }

    fn agrees(&self, other: &Self) -> bool {
        agrees(self.commit, other.commit) && agrees(self.label, other.label)
    }

    /// Returns whether both name the same thing, and not only nothing that contradicts.
    fn shares(&self, other: &Self) -> bool {
        let both = |one: &str, other: &str| !one.is_empty() && !other.is_empty();
        both(self.commit, other.commit) || both(self.label, other.label)
    }

    fn is_empty(&self) -> bool {
        self.commit.is_empty() && self.label.is_empty()
    }
}

fn is_same(earlier: &Event, later: &Event) -> bool {
    let (one, other) = (Named::of(earlier), Named::of(later));
    let limit = if one.shares(&other) { SAME_REVISION } else { SAME_MOMENT };
    // One source that names a commit and a label names two changes.
    let is_told = one.shares(&other) || one.is_empty() || other.is_empty() || earlier.origin != later.origin;
    (later.at - earlier.at).abs() <= limit && is_told && one.agrees(&other)
}

/// Returns the reported event nearest to an inferred one that it may stand for.
fn nearest(reported: &[Event], inferred: &Event) -> Option<usize> {
    let distance = |event: &Event| {
        let window = event.window();
        (window.start - inferred.at).max(inferred.at - window.end).max(0)
    };
    let named = Named::of(inferred);
    let fits = |(_, event): &(usize, &Event)| {
        let own = Named::of(event);
        let is_told = own.shares(&named) || own.is_empty() || named.is_empty();
        distance(event) <= if is_told { GIVES_WAY } else { SAME_REVISION } && own.agrees(&named)
    };
    let found = reported.iter().enumerate().filter(fits);
    found.min_by(|(_, a), (_, b)| (distance(a), a.at, &a.id).cmp(&(distance(b), b.at, &b.id))).map(|(index, _)| index)
}

/// Returns whether two revisions may be the same: one unknown, or one the beginning of the other.
fn agrees(one: &str, other: &str) -> bool {
    if one.is_empty() || other.is_empty() || one.eq_ignore_ascii_case(other) {
        return true;
    }
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    short.len() >= SHORTEST && long.get(..short.len()).is_some_and(|start| start.eq_ignore_ascii_case(short))
}

/// Makes one event of two that tell of the same change, and returns the id that goes.
fn join(one: Event, other: Event) -> (Event, String) {
    let is_first = (one.standing(), one.at, &one.id) <= (other.standing(), other.at, &other.id);
    let (mut kept, gone) = if is_first { (one, other) } else { (other, one) };
    let is_near = (kept.at - gone.at).abs() <= SAME_REVISION;
    let (start, end) = (kept.at, kept.window().end);
    if gone.is_inferred() && !kept.is_inferred() {
        // It says when the data moved, to the bucket: good for the end of a roll-out, not for its start.
        if is_near && kept.until.is_none() {
            kept.until = gone.until.filter(|until| *until > start);
        }
    } else {
        kept.at = start.min(gone.at);
        let end = end.max(gone.window().end);
        kept.until = (end > kept.at && (kept.until.is_some() || gone.until.is_some())).then_some(end);
    }
    // Also from afar: an event that stood for two revisions without naming one would join them.
    let (own, its) = (Named::of(&kept), Named::of(&gone));
    let longest = |one: &str, other: &str| if other.len() > one.len() { other } else { one }.to_owned();
    let (commit, label) = (longest(own.commit, its.commit), longest(own.label, its.label));
    (kept.revision, kept.version) = if commit.is_empty() { (label, String::new()) } else { (commit, label) };
    for (own, its) in [(&mut kept.title, gone.title), (&mut kept.url, gone.url), (&mut kept.author, gone.author)] {
        if own.is_empty() {
            *own = its;
        }
    }
    (kept, gone.id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::event::EventKind;

    fn deploy(id: &str, minute: i64, revision: &str) -> Event {
        Event { revision: revision.to_owned(), ..Event::new(id, "api", minute * MINUTE) }
    }

    fn ids(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn a_marker_a_tracked_change_and_what_was_seen_are_one_deploy() {
        let marker = Event { title: "Add limit check".into(), ..deploy("m-1", 4, "4f2c9e1") };
        let tracked = Event {
            until: Some(9 * MINUTE),
            url: "https://example.invalid/1".into(),
            title: "release".into(),
            ..deploy("newrelic:77", 1, "4f2c9e1aa0")
        };
        let seen = deploy("inferred:api:1", 35, "");
        let united = deduplicate(vec![seen, tracked, marker]);
        let [only] = united.events.as_slice() else { panic!("one deploy, not {:?}", united.events) };
        assert_eq!((only.id.as_str(), only.at, only.until), ("m-1", MINUTE, Some(9 * MINUTE)));
        assert_eq!((only.revision.as_str(), only.title.as_str()), ("4f2c9e1aa0", "Add limit check"));
        assert_eq!(only.url, "https://example.invalid/1");
        let stands = |id: &str| united.same.get(id).map(String::as_str);
        assert_eq!((stands("newrelic:77"), stands("inferred:api:1")), (Some("m-1"), Some("m-1")));
    }

    #[test]
    fn what_a_person_wrote_goes_before_the_name_of_a_call() {
        let call = Event {
            title: "UpdateService card-api:3".into(),
            author: "deployer".into(),
            ..deploy("cloudwatch:eu-west-1:a", 0, "")
        };
        let tracked = Event { title: "Add limit check".into(), ..deploy("newrelic:77", 1, "4f2c9e1") };
        for order in [vec![call.clone(), tracked.clone()], vec![tracked, call]] {
            let united = deduplicate(order);
            let [only] = united.events.as_slice() else { panic!("one deploy, not {:?}", united.events) };
            assert_eq!((only.id.as_str(), only.title.as_str()), ("newrelic:77", "Add limit check"));
            assert_eq!((only.at, only.author.as_str()), (0, "deployer"), "the rest is kept");
        }
    }

    #[test]
    fn a_pipelines_commit_and_a_label_of_another_source_are_one_deploy_with_both() {
        let pipeline = deploy("m-1", 1, "4f2c9e1aa0");
        let tracked = deploy("newrelic:77", 2, "v1.42.0");
        let seen = deploy("inferred:newrelic:api:v1.42.0", 40, "v1.42.0");
        let united = deduplicate(vec![seen, tracked.clone(), pipeline.clone()]);
        let [only] = united.events.as_slice() else { panic!("one deploy, not {:?}", united.events) };
        assert_eq!((&*only.id, &*only.revision, &*only.version), ("m-1", "4f2c9e1aa0", "v1.42.0"));
        // Seen without a report of its label, it has to be near.
        for (minute, count) in [(11, 1), (12, 2)] {
            let seen = deploy("inferred:newrelic:api:v1.42.0", minute, "v1.42.0");
            assert_eq!(deduplicate(vec![pipeline.clone(), seen]).events.len(), count, "minute {minute}");
        }
        let apart = [
            // Too far away; another commit; another label; both from one source.
            vec![pipeline.clone(), deploy("newrelic:77", 4, "v1.42.0")],
            vec![pipeline.clone(), tracked.clone(), deploy("cloudwatch:a", 2, "5aaaaaaa")],
            vec![pipeline.clone(), tracked, deploy("cloudwatch:a", 2, "v1.43.0")],
            vec![pipeline, deploy("m-2", 2, "v1.42.0")],
        ];
        for case in apart {
            assert_eq!(deduplicate(case.clone()).events.len(), 2, "{case:?}");
        }
    }

    #[test]
    fn what_differs_stays_apart() {
        let other_service = Event { service: "web".into(), ..deploy("c", 0, "4f2c9e1") };
        let other_kind = Event { kind: EventKind::Config, ..deploy("d", 0, "4f2c9e1") };
        let cases = [
            vec![deploy("a", 0, "4f2c9e1"), deploy("b", 0, "4f2c9e2")],
            vec![deploy("a", 0, "4f2c9e1"), deploy("b", 11, "4f2c9e1")],
            vec![deploy("a", 0, "4f2c9e1"), deploy("b", 3, "")],
            // Six signs are no evidence.
            vec![deploy("a", 0, "4f2c9e1"), deploy("b", 0, "4f2c9e")],
            vec![deploy("a", 0, "4f2c9e1"), deploy("inferred:b", 12, "v12")],
            vec![deploy("a", 0, ""), deploy("inferred:b", 61, "")],
            vec![deploy("a", 0, "4f2c9e1"), other_service],
            vec![deploy("a", 0, "4f2c9e1"), other_kind],
        ];
        for case in cases {
            assert_eq!(deduplicate(case.clone()).events.len(), 2, "{case:?}");
        }
    }

    #[test]
    fn incidents_are_never_joined() {
        let incident = |id: &str| Event { kind: EventKind::Incident, ..deploy(id, 0, "") };
        assert_eq!(ids(&deduplicate(vec![incident("b"), incident("a")]).events), ["a", "b"]);
    }

    #[test]
    fn what_was_seen_does_not_move_what_was_told() {
        let seen = Event { until: Some(30 * MINUTE), ..deploy("inferred:x", 0, "4f2c9e1") };
        let united = deduplicate(vec![deploy("m", 8, ""), seen]);
        let [only] = united.events.as_slice() else { panic!("one deploy") };
        assert_eq!((only.at, only.until, only.revision.as_str()), (8 * MINUTE, Some(30 * MINUTE), "4f2c9e1"));
    }

    fn event() -> impl Strategy<Value = Event> {
        let id = prop_oneof![Just(""), Just("newrelic:"), Just("inferred:"), Just("cloudwatch:")];
        let revision = prop_oneof![
            Just(""),
            Just("4f2c9e1"),
            Just("4f2c9e1aaa"),
            Just("4F2C9E1bbb"),
            Just("4f2c9"),
            Just("v1.2.3é"),
            Just("v1.2.3é4"),
        ];
        let service = prop_oneof![Just("api"), Just("web")];
        let kind = prop_oneof![3 => Just(EventKind::Deploy), 1 => Just(EventKind::Canary), 1 => Just(EventKind::Drill)];
        (id, 0..9_999u32, service, 0..90i64, proptest::option::of(0..40i64), revision, kind).prop_map(
            |(id, number, service, minute, lasts, revision, kind)| Event {
                until: lasts.map(|lasts| (minute + lasts) * MINUTE),
                revision: revision.to_owned(),
                kind,
                ..Event::new(format!("{id}{number}"), service, minute * MINUTE)
            },
        )
    }

    /// Events with ids of their own, and the same in another order.
    fn shuffled() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
        let unique = |events: Vec<Event>| -> Vec<Event> {
            let by_id: BTreeMap<String, Event> = events.into_iter().map(|event| (event.id.clone(), event)).collect();
            by_id.into_values().collect()
        };
        let events = proptest::collection::vec(event(), 0..24).prop_map(unique);
        events.prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_twice_is_once((events, other) in shuffled()) {
            let united = deduplicate(events);
            prop_assert_eq!(&united, &deduplicate(other));
            let again = deduplicate(united.events.clone());
            prop_assert_eq!(&again.events, &united.events);
            prop_assert!(again.same.is_empty());
        }

        #[test]
        fn nothing_is_lost_or_made_and_no_two_services_or_revisions_are_joined((events, _) in shuffled()) {
            let united = deduplicate(events.clone());
            prop_assert_eq!(united.events.len() + united.same.len(), events.len());
            let by_id = |id: &str| events.iter().find(|event| event.id == id);
            for (gone, stands) in &united.same {
                let kept = united.events.iter().find(|event| event.id == *stands).expect("it stands");
                let gone = by_id(gone).expect("it was there");
                prop_assert_eq!((&gone.service, gone.kind), (&kept.service, kept.kind));
                prop_assert!(gone.kind.is_judged());
                let told = by_id(stands).expect("it was there");
                let stands = Named::of(kept);
                prop_assert!(Named::of(gone).agrees(&stands) && Named::of(told).agrees(&stands));
                prop_assert!(told.is_inferred() <= gone.is_inferred(), "what was told goes before what was seen");
                prop_assert!(kept.at <= told.at && kept.until.is_none_or(|until| until >= kept.at));
            }
        }
    }
}
