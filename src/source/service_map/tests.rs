//! Which names belong together, and which only look so.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::model::event::EventKind;
use crate::model::metric::Unit;
use crate::source::cloudwatch::lists;

fn config(services: &str) -> Config {
    let text = format!("{services}\n[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n");
    Config::parse(&text, Path::new("fortnight.toml")).expect("valid")
}

fn key(service: &str, kind: Kind, target: &str, signal: &str) -> SeriesKey {
    SeriesKey { service: service.into(), kind, target: target.into(), signal: signal.into() }
}

fn resource(service: &str, target: &str) -> SeriesKey {
    key(service, Kind::Resource, target, "cpu_utilization")
}

fn series(key: SeriesKey) -> Series {
    Series { key, unit: Unit::parse("ratio").expect("known"), times: vec![60_000], values: vec![0.5] }
}

/// A map of some services that people named and of names that sources gave.
fn map(told: &[&str], seen: &[&str]) -> ServiceMap {
    let mut names = Names::default();
    names.told(told.iter().copied());
    seen.iter().for_each(|name| names.seen(&resource(name, "cpu")));
    ServiceMap::new(&config(""), &names)
}

#[test]
fn a_resource_that_carries_a_service_name_belongs_to_it() {
    let told = ["card-api", "card-api-admin", "cards", "user-api", "ログ集計"];
    let cases = [
        ("card-api-prod", "card-api"),
        ("prod-card-api-alb", "card-api"),
        ("app/card-api/50dc6c", "card-api"),
        ("cards-db-1", "cards"),
        ("card-api-admin-2", "card-api-admin"),
        ("Card-API.prod", "card-api"),
        ("targetgroup/user-api-blue/9a8b", "user-api"),
        ("ログ集計_1", "ログ集計"),
        // A word that only begins alike, or ends alike, is another word.
        ("card-apis", "card-apis"),
        ("postcards", "postcards"),
        ("cardsdb", "cardsdb"),
        ("discard-api", "discard-api"),
        ("ログ集計機", "ログ集計機"),
        ("redis-main", "redis-main"),
        ("", ""),
        ("-", "-"),
        ("*", "*"),
    ];
    let names: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
    let map = map(&told, &names);
    for (name, service) in cases {
        assert_eq!(map.service(name), service, "{name:?}");
    }
}

#[test]
fn what_people_call_a_service_is_never_moved() {
    let map = map(&["card", "card-api", "card-api-worker"], &["card-api-worker-1"]);
    for name in ["card", "card-api", "card-api-worker"] {
        assert_eq!(map.service(name), name);
    }
    assert_eq!(map.service("card-api-worker-1"), "card-api-worker");
}

#[test]
fn of_two_services_in_a_name_the_longer_counts_then_the_earlier() {
    let map = map(&["user", "card-api", "api-card"], &["user-card-api", "x-api-card-card-api", "card-api-api-card"]);
    assert_eq!(map.service("user-card-api"), "card-api");
    assert_eq!(map.service("x-api-card-card-api"), "api-card");
    assert_eq!(map.service("card-api-api-card"), "card-api");
}

#[test]
fn names_of_two_signs_attract_nothing() {
    assert_eq!(map(&["db", "api"], &["main-db", "public-api"]).service("main-db"), "main-db");
    assert_eq!(map(&["db", "api"], &["main-db", "public-api"]).service("public-api"), "api");
}

#[test]
fn an_application_with_endpoints_is_a_service_and_a_load_balancer_is_not() {
    let mut names = Names::default();
    for application in ["card-api", "card-api-admin"] {
        names.seen(&key(application, Kind::Operation, "GET /v1/cards", "latency_p95"));
    }
    for balancer in ["app/card-api/50dc6c", "prod-card-api"] {
        names.seen(&key(balancer, Kind::Operation, &format!("alb:{balancer}"), "latency_p95"));
        names.seen(&key(balancer, Kind::Operation, "*", "throughput"));
    }
    let map = ServiceMap::new(&config(""), &names);
    assert_eq!(map.service("card-api-admin"), "card-api-admin");
    assert_eq!(map.service("app/card-api/50dc6c"), "card-api");
    assert_eq!(map.service("prod-card-api"), "card-api");
}

#[test]
fn a_deploy_makes_a_service_unless_it_was_inferred() {
    let mut names = Names::default();
    let recorded = Event::new("m-1", "ledger", 0);
    let inferred = Event::new("inferred:ecs:1", "ledger-prod", 0);
    let incident = Event { kind: EventKind::Incident, ..Event::new("i", "ledger-db", 0) };
    [&recorded, &inferred, &incident].iter().for_each(|event| names.happened(event));
    let map = ServiceMap::new(&config(""), &names);
    let events = map.map_events(vec![recorded, inferred, incident]);
    assert!(events.iter().all(|event| event.service == "ledger"), "{events:?}");
}

#[test]
fn patterns_of_the_config_go_first_and_reach_targets_of_resources() {
    let text = "[[service]]\nname = \"ledger\"\nresources = [\"cards-db-*\", \"shop-?\"]\n\
                [[service]]\nname = \"cards\"\nresources = [\"*db*\"]\n";
    let mut names = Names::default();
    names.told(["cards", "shop-1"]);
    let hosts = resource("fleet", "rds:cards-db-1");
    for key in [&hosts, &resource("cards-db-7", "cpu"), &resource("main-db", "cpu"), &resource("fleet", "ec2:i-1")] {
        names.seen(key);
    }
    let map = ServiceMap::new(&config(text), &names);
    assert_eq!(map.service("cards-db-7"), "ledger", "the first pattern of the file counts");
    assert_eq!(map.service("main-db"), "cards");
    assert_eq!(map.service("shop-1"), "ledger", "also for what a person called a service");
    assert_eq!(&*map.of_series(&hosts), "ledger");
    assert_eq!(&*map.of_series(&resource("fleet", "ec2:i-1")), "fleet");
    let keys = BTreeSet::from([hosts, resource("main-db", "cpu")]);
    assert_eq!(unused_patterns(&config(text), &keys), [("shop-?", "ledger")]);
}

/// What stands in a dimension of a resource called `ledger-x9`, in the form that CloudWatch gives it.
fn dimension(name: &str) -> &'static str {
    match name {
        "LoadBalancer" => "app/ledger-x9/50dc6c495c0c9188",
        "TargetGroup" => "targetgroup/ledger-x9/9a8b7c6d5e4f3a2b",
        _ => "ledger-x9",
    }
}

#[test]
fn a_resource_of_every_list_goes_to_a_service_by_its_name_and_with_its_prefix() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/cloudwatch");
    let lists = lists::load(&config(""), Some(&folder)).expect("valid");
    assert!(lists.len() >= 17);
    for list in lists {
        for region in ["", " @us-east-1"] {
            let (name, target) = (list.service.fill(dimension), list.target.fill(dimension) + region);
            assert_eq!(name, "ledger-x9", "{}", list.id);
            let (prefix, _) = target.split_once(':').unwrap_or_else(|| panic!("{}: {target} has no prefix", list.id));
            let key = key(&name, list.kind, &target, &list.metrics[0].signal);
            let mut names = Names::default();
            names.seen(&key);
            for pattern in ["ledger-x9", "ledger-*", &format!("{prefix}:ledger-x9"), &format!("{prefix}:ledger-*")] {
                let config = config(&format!("[[service]]\nname = \"cards\"\nresources = [\"{pattern}\"]\n"));
                let map = ServiceMap::new(&config, &names);
                assert_eq!(&*map.of_series(&key), "cards", "{pattern} and {target} of {}", list.id);
                assert_eq!(map.service(&name), "cards", "a deploy of it: {pattern} and {target} of {}", list.id);
                assert!(unused_patterns(&config, &BTreeSet::from([key.clone()])).is_empty(), "{pattern}");
            }
        }
    }
}

#[test]
fn a_prefix_names_one_of_those_that_share_a_name_and_no_endpoint() {
    let text = "[[service]]\nname = \"cards\"\nresources = [\"lambda:notify\", \"*get *\"]\n";
    let queue = resource("notify", "sqs:notify");
    let function = key("notify", Kind::Operation, "lambda:notify", "latency_p95");
    let endpoint = key("user-api", Kind::Operation, "GET /v1/notify", "latency_p95");
    let mut names = Names::default();
    [&queue, &function, &endpoint].iter().for_each(|key| names.seen(key));
    let map = ServiceMap::new(&config(text), &names);
    assert_eq!(&*map.of_series(&function), "cards");
    assert_eq!(&*map.of_series(&queue), "notify", "the queue of that name is another thing");
    assert_eq!(map.service("notify"), "notify", "which of the two was deployed?");
    assert_eq!(&*map.of_series(&endpoint), "user-api");
}

#[test]
fn series_that_meet_are_all_kept_and_told_apart() {
    let map = map(&["card-api"], &["card-api-blue", "card-api-green", "app/card-api/1"]);
    let all = [
        series(resource("card-api-blue", "ecs")),
        series(resource("card-api-green", "ecs")),
        series(resource("card-api", "host-1")),
        series(key("app/card-api/1", Kind::Operation, "*", "throughput")),
        series(key("card-api", Kind::Operation, "*", "throughput")),
    ];
    let mapped = map.map_series(all.into());
    let targets: Vec<&str> = mapped.iter().map(|series| &*series.key.target).collect();
    assert_eq!(targets, ["*", "app/card-api/1", "card-api-blue ecs", "card-api-green ecs", "host-1"]);
    assert!(mapped.iter().all(|series| &*series.key.service == "card-api"));
}

#[test]
fn a_resource_whose_tag_became_known_goes_on() {
    let at = |name: &str, target: &str, points: &[(i64, f64)]| Series {
        times: points.iter().map(|(time, _)| *time).collect(),
        values: points.iter().map(|(_, value)| *value).collect(),
        ..series(resource(name, target))
    };
    let text = "[[service]]\nname = \"card-api\"\nresources = [\"ledger-*\"]\n";
    let points = |own: Series, tagged: Series| -> Vec<(String, Vec<i64>)> {
        let mut names = Names::default();
        [&own, &tagged].iter().for_each(|series| names.seen(&series.key));
        let mapped = ServiceMap::new(&config(text), &names).map_series(vec![own, tagged]);
        assert!(mapped.iter().all(|series| &*series.key.service == "card-api"));
        mapped.into_iter().map(|series| (series.key.target.to_string(), series.times)).collect()
    };
    let (one, target) = ("ledger-1", "rds:ledger-1");
    let tagged = at("card-api", target, &[(2, 0.2), (4, 0.4)]);
    let whole = |times: &[i64]| vec![(target.to_owned(), times.to_vec())];
    assert_eq!(points(at(one, target, &[(1, 0.1)]), tagged.clone()), whole(&[1, 2, 4]), "before the tag was set");
    assert_eq!(points(at(one, target, &[(3, 0.3)]), tagged.clone()), whole(&[2, 3, 4]), "tags could not be asked");
    assert_eq!(points(at(one, target, &[(3, 0.3), (4, 0.4)]), tagged.clone()), whole(&[2, 3, 4]), "asked again");
    // Two things of one target at one time, or a name that the target does not tell: nobody knows that they are one.
    let apart = |own: Series| points(own, tagged.clone()).len();
    assert_eq!(apart(at(one, target, &[(3, 0.3), (4, 0.5)])), 2);
    assert_eq!(apart(at("ledger-2", target, &[(1, 0.1)])), 2);
    let ratio = at(one, target, &[(1, 0.1)]);
    assert_eq!(apart(Series { unit: Unit::parse("s").expect("known"), ..ratio }), 2);
}

#[test]
fn a_map_of_nothing_moves_nothing() {
    let all = vec![series(resource("b", "x")), series(resource("a", "x"))];
    assert!(ServiceMap::default().is_plain());
    assert_eq!(ServiceMap::default().map_series(all.clone()), all);
}

fn name() -> impl Strategy<Value = String> {
    let word = prop_oneof![Just("card"), Just("api"), Just("CARD"), Just("db"), Just("é"), Just("カード"), Just("*")];
    let mark = prop_oneof![Just("-"), Just("/"), Just(" "), Just(""), Just("_"), Just("\u{202e}"), Just("[")];
    proptest::collection::vec((word, mark), 0..5)
        .prop_map(|parts| parts.into_iter().map(|(word, mark)| format!("{word}{mark}")).collect())
}

proptest! {
    #[test]
    fn every_series_is_kept_once_in_order_and_mapping_again_moves_nothing(
        told in proptest::collection::vec(name(), 0..4),
        seen in proptest::collection::vec((name(), name(), 0..3u8), 0..20),
    ) {
        let keys: BTreeSet<SeriesKey> = seen
            .into_iter()
            .map(|(service, target, kind)| {
                let kind = [Kind::Operation, Kind::Datastore, Kind::Resource][usize::from(kind)];
                key(&service, kind, &target, "x")
            })
            .collect();
        let mut names = Names::default();
        names.told(told.iter().map(String::as_str));
        keys.iter().for_each(|key| names.seen(key));
        let map = ServiceMap::new(&config(""), &names);
        // Each has another value, so that none is the other under another name.
        let different = |(number, key)| Series { values: vec![f64::from(number)], ..series(key) };
        let mapped = map.map_series((0_u32..).zip(keys.iter().cloned()).map(different).collect());
        prop_assert_eq!(mapped.len(), keys.len());
        prop_assert!(mapped.windows(2).all(|pair| pair[0].key < pair[1].key));
        for (name, service) in map.moved() {
            prop_assert_eq!(map.service(service), service, "{} goes to what goes on", name);
        }
        for one in &told {
            prop_assert_eq!(map.service(one), one.as_str());
        }
    }
}
