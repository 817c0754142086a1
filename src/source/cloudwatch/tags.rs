//! Which service a resource belongs to by its tags: the Resource Groups Tagging API, asked once a run and region.
//!
//! GetResources takes one key of a tag, 100 resources a page; several keys in one request would have to be there all at once,
//! so each is asked for by itself. The types of resources that a list knows are named, because a tag also stands at
//! volumes, snapshots and network interfaces. What the API says is an ARN; a list says how one is made of dimensions.
//!
//! Without an answer, or with a part of one, no tag counts: half of an account would go by its tags and half by its
//! names. The outcome is kept for the run, whichever it is, so that the days of one run go by the same names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};

use super::client::RegionClient;
use super::error::CloudWatchError;
use super::list::List;
use super::period::TAG_GAP;
use super::resources::Resource;
use crate::model::event::Event;
use crate::model::sanitize::{escape, excerpt};
use crate::model::scrub;
use crate::source::http::RealTime;

/// Resources a page and types in a request, Amazon's limits, and pages after which a server is not believed to come to
/// an end.
const PAGE: i32 = 100;
const MOST_KINDS: usize = 100;
const MOST_PAGES: usize = 1000;

/// Amazon's longest value of a tag, characters, and longest ARN, bytes.
pub const LONGEST: usize = 256;
const LONGEST_ARN: usize = 1011;

/// The permission.
pub const GET: &str = "tag:GetResources";

/// What the tags of a region say.
#[derive(Debug, Default)]
pub struct Tags {
    /// The service by what stands in an ARN, such as `rds:db:cards-1`.
    services: BTreeMap<String, Arc<str>>,
    /// Pages that were asked for.
    pub requests: u64,
    /// Why no tag is known.
    pub failure: Option<CloudWatchError>,
    /// Values that are no name of a service, and where the first of them stands.
    pub unusable: Option<(u64, String)>,
}

/// Asks for the values of tags. What failed stands in the answer, because the measurements do not depend on it.
///
/// `keys`: the first that a resource has counts.
pub async fn ask(region: &RegionClient, lists: &[List], keys: &[String]) -> Tags {
    let mut tags = Tags::default();
    for key in keys {
        if let Err(error) = ask_key(region, lists, key, &mut tags).await {
            return Tags { requests: tags.requests, failure: Some(error), ..Tags::default() };
        }
    }
    tags
}

async fn ask_key(region: &RegionClient, lists: &[List], key: &str, tags: &mut Tags) -> Result<(), CloudWatchError> {
    let kinds: BTreeSet<&str> = lists.iter().flat_map(|list| &list.arns).map(|arn| arn.kind.as_str()).collect();
    // More than fit: all resources that have the tag.
    let kinds = (kinds.len() <= MOST_KINDS).then(|| kinds.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let mut token: Option<String> = None;
    for page in 1.. {
        region.tag_limiter.take(TAG_GAP, &RealTime).await;
        tags.requests += 1;
        let call = region
            .tagging
            .get_resources()
            .tag_filters(TagFilter::builder().key(key).build())
            .set_resource_type_filters(kinds.clone())
            .resources_per_page(PAGE)
            .set_pagination_token(token.clone());
        let answer = region.answer(GET, call.send()).await?;
        answer.resource_tag_mapping_list().iter().for_each(|found| tags.take(&region.region, key, found));
        let next = answer.pagination_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if next.is_some() && (next == token || page >= MOST_PAGES) {
            let reason = format!("after {page} pages there is still another one");
            return Err(CloudWatchError::Answer { place: region.place.clone(), action: GET, reason });
        }
        token = next;
        if token.is_none() {
            break;
        }
    }
    Ok(())
}

impl Tags {
    /// Takes what one resource has under a key, unless an earlier key said it already.
    fn take(&mut self, region: &str, key: &str, found: &ResourceTagMapping) {
        let Some(name) = found.resource_arn().and_then(|arn| within(arn, region)) else { return };
        let Some(tag) = found.tags().iter().find(|tag| tag.key() == key) else { return };
        let value = tag.value().trim();
        if value.is_empty() {
            return;
        }
        if is_name(value) {
            self.services.entry(name).or_insert_with(|| value.into());
        } else {
            let example = format!("{region}: {}: {}", scrub::excerpt(&name), scrub::excerpt(value));
            self.unusable.get_or_insert((0, example)).0 += 1;
        }
    }

    /// Gives resources the services that their tags name; the others keep their names. Returns how many have a tag.
    pub fn apply(&self, resources: &mut [Resource]) -> usize {
        let mut count = 0;
        for resource in resources {
            let dimensions = &resource.dimensions;
            let value =
                |name: &str| dimensions.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
            let tagged = resource.list.arns.iter().find_map(|arn| self.services.get(&arn.fill(value)));
            if let Some(service) = tagged {
                resource.service = service.clone();
                count += 1;
            }
        }
        count
    }
}

/// Returns service and resource of an ARN of a region: `arn:aws:rds:eu-west-1:1:db:cards-1` is `rds:db:cards-1`.
///
/// `None`: it is none, or of another region. API Gateway's name no account.
fn within(arn: &str, region: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let (start, _, service, place, _, resource) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = arn.len() <= LONGEST_ARN && start == "arn" && !service.is_empty() && !resource.is_empty();
    (fits && (place == region || place.is_empty())).then(|| format!("{service}:{resource}"))
}

/// Returns whether a value can be the name of a service. One that is too long or could make a message lie is not cut or
/// repaired: two services might become one. `*` stands for all services.
fn is_name(value: &str) -> bool {
    value.chars().count() <= LONGEST && escape(value) == value && value != "*"
}

/// Gives events of a resource's name the service that its tag names.
///
/// `events`: each with Amazon's word for the service that it happened to, as an ARN has it. `tagged`: the resources after
/// [`Tags::apply`]. A name of two resources with different services stays: which of them was it?
pub fn name_events<'a>(events: impl Iterator<Item = (&'static str, &'a mut Event)>, tagged: &[Resource]) {
    let mut services: BTreeMap<(&str, String), Option<&Arc<str>>> = BTreeMap::new();
    for resource in tagged {
        let Some(arn) = resource.list.arns.first() else { continue };
        services
            .entry((&arn.service, excerpt(&resource.own)))
            .and_modify(|known| *known = known.filter(|known| **known == resource.service))
            .or_insert(Some(&resource.service));
    }
    for (of, event) in events {
        if let Some(Some(service)) = services.get(&(of, event.service.clone())) {
            event.service = service.to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_sdk_resourcegroupstagging::types::Tag;
    use glob::Pattern;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;
    use crate::source::cloudwatch::lists;
    use crate::source::cloudwatch::resources::{self, Listed};

    fn all_lists() -> Vec<List> {
        let text = "[[source]]\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\n";
        let config = Config::parse(text, Path::new("fortnight.toml")).expect("valid");
        lists::load(&config, None).expect("valid")
    }

    fn mapping(arn: &str, tags: &[(&str, &str)]) -> ResourceTagMapping {
        let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build().expect("whole");
        ResourceTagMapping::builder().resource_arn(arn).set_tags(Some(tags.iter().map(tag).collect())).build()
    }

    /// One resource of a list, by `Name=value` of its dimensions.
    fn listed(list: &List, dimensions: &str) -> Listed {
        let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut dimensions: Vec<(String, String)> = dimensions.split(' ').filter_map(pair).collect();
        dimensions.sort();
        let metric = list.metrics[0].of[0].metric.clone();
        Listed { namespace: list.namespace.clone(), dimensions, metric }
    }

    /// What a resource is stored under when the tags of some ARNs are known.
    fn service(list: &str, dimensions: &str, tags: &Tags) -> String {
        let lists = all_lists();
        let list = lists.iter().find(|one| one.id == list).expect("a list");
        let listed = [listed(list, dimensions)];
        let all = [Pattern::new("*").expect("a pattern")];
        let mut found = resources::resources(std::slice::from_ref(list), &listed, &all, "");
        tags.apply(&mut found);
        found[0].service.to_string()
    }

    fn known(arns: &[&str]) -> Tags {
        let mut tags = Tags::default();
        for (number, arn) in arns.iter().enumerate() {
            tags.take("eu-west-1", "Service", &mapping(arn, &[("Service", &format!("svc-{number}"))]));
        }
        tags
    }

    /// ARNs in the forms that Amazon documents, and the dimensions that CloudWatch has of the same resource.
    const PAIRS: [(&str, &str, &str); 15] = [
        (
            "alb",
            "LoadBalancer=app/web/50dc6c495c0c9188",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188",
        ),
        (
            "alb_target_group",
            "LoadBalancer=app/web/50dc6c495c0c9188 TargetGroup=targetgroup/card/6d0ecf831eec9f09",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/card/6d0ecf831eec9f09",
        ),
        ("api_http", "ApiId=a1b2c3 Stage=$default", "arn:aws:apigateway:eu-west-1::/apis/a1b2c3/stages/$default"),
        ("api_http", "ApiId=d4e5f6 Stage=live", "arn:aws:apigateway:eu-west-1::/apis/d4e5f6"),
        ("dynamodb", "TableName=cards Operation=GetItem", "arn:aws:dynamodb:eu-west-1:123456789012:table/cards"),
        ("ec2", "InstanceId=i-0a1b", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0a1b"),
        ("ec2_memory", "InstanceId=i-0a1b", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0a1b"),
        ("ecs", "ClusterName=main ServiceName=card", "arn:aws:ecs:eu-west-1:123456789012:service/main/card"),
        ("ecs_tasks", "ClusterName=main ServiceName=card", "arn:aws:ecs:eu-west-1:123456789012:service/main/card"),
        ("elasticache", "CacheClusterId=s-001", "arn:aws:elasticache:eu-west-1:123456789012:cluster:s-001"),
        ("lambda", "FunctionName=notify", "arn:aws-cn:lambda:eu-west-1:123456789012:function:notify"),
        ("lambda_insights", "function_name=notify", "arn:aws:lambda:eu-west-1:123456789012:function:notify"),
        ("rds", "DBInstanceIdentifier=db-1", "arn:aws:rds:eu-west-1:123456789012:db:db-1"),
        ("rds_cluster", "DBClusterIdentifier=db", "arn:aws:rds:eu-west-1:123456789012:cluster:db"),
        ("sqs", "QueueName=mail.fifo", "arn:aws:sqs:eu-west-1:123456789012:mail.fifo"),
    ];

    #[test]
    fn every_kind_of_resource_is_found_by_its_arn_and_no_other() {
        let all: Vec<&str> = PAIRS.iter().map(|(.., arn)| *arn).collect();
        for (list, dimensions, arn) in PAIRS {
            assert_eq!(service(list, dimensions, &known(&[arn])), "svc-0", "{list} {arn}");
            let others: Vec<&str> =
                all.iter().copied().filter(|other| within(other, "eu-west-1") != within(arn, "eu-west-1")).collect();
            assert!(!service(list, dimensions, &known(&others)).starts_with("svc-"), "{list} by another's tag");
            let abroad = arn.replace("eu-west-1", "us-east-1");
            assert!(!service(list, dimensions, &known(&[&abroad])).starts_with("svc-"), "{list} by another region's");
        }
        let without: Vec<String> =
            all_lists().into_iter().filter(|list| list.arns.is_empty()).map(|list| list.id).collect();
        assert_eq!(without, ["api_rest", "ec2_group", "ec2_memory_group"], "every other list is in the table");
        let tried: BTreeSet<&str> = PAIRS.iter().map(|(list, ..)| *list).collect();
        assert_eq!(tried.len() + without.len(), all_lists().len());
    }

    #[test]
    fn a_stage_goes_before_its_api() {
        let tags =
            known(&["arn:aws:apigateway:eu-west-1::/apis/a", "arn:aws:apigateway:eu-west-1::/apis/a/stages/live"]);
        assert_eq!(service("api_http", "ApiId=a Stage=live", &tags), "svc-1");
        assert_eq!(service("api_http", "ApiId=a Stage=test", &tags), "svc-0");
    }

    #[test]
    fn names_that_look_like_patterns_or_arns_fit_nothing_else() {
        let tags = known(&["arn:aws:sqs:eu-west-1:1:mail", "arn:aws:sqs:eu-west-1:1:*"]);
        for name in ["mai*", "1:mail", "mail:", "MAIL", "arn:aws:sqs:eu-west-1:1:mail"] {
            assert_eq!(service("sqs", &format!("QueueName={name}"), &tags), name);
        }
        for arn in [
            "",
            "arn",
            "arn:aws:sqs:eu-west-1:1",
            "arn:aws::eu-west-1:1:mail",
            "arn:aws:sqs:eu-west-1:1:",
            "x:aws:sqs:eu-west-1:1:mail",
        ] {
            assert_eq!(within(arn, "eu-west-1"), None, "{arn}");
        }
        assert_eq!(within(&format!("arn:aws:sqs:eu-west-1:1:{}", "x".repeat(2000)), "eu-west-1"), None);
    }

    #[test]
    fn the_first_key_with_a_value_counts_and_only_that_key() {
        let arn = "arn:aws:sqs:eu-west-1:1:mail";
        let of = |rounds: &[(&str, &[(&str, &str)])]| {
            let mut tags = Tags::default();
            rounds.iter().for_each(|(key, all)| tags.take("eu-west-1", key, &mapping(arn, all)));
            (service("sqs", "QueueName=mail", &tags), tags.unusable)
        };
        assert_eq!(of(&[("Service", &[("service", "x"), ("Service", " card-api ")])]).0, "card-api");
        assert_eq!(of(&[("Service", &[("service", "x")])]).0, "mail", "keys care about case");
        assert_eq!(of(&[("Service", &[("Service", " ")]), ("App", &[("App", "cards")])]), ("cards".to_owned(), None));
        assert_eq!(of(&[("Service", &[("Service", "a")]), ("App", &[("App", "b")])]).0, "a");
    }

    #[test]
    fn a_hostile_value_is_no_name_and_is_told() {
        let long = "x".repeat(257);
        for value in ["*", "a\u{7}b", "card\n- api", "card\u{202e}ipa", &long] {
            let mut tags = Tags::default();
            tags.take("eu-west-1", "Service", &mapping("arn:aws:sqs:eu-west-1:1:mail", &[("Service", value)]));
            assert_eq!(service("sqs", "QueueName=mail", &tags), "mail");
            let (count, first) = tags.unusable.expect("told");
            assert!(count == 1 && first.starts_with("eu-west-1: sqs:mail: ") && first.chars().count() < 120, "{first}");
            assert!(!first.chars().any(char::is_control), "{first:?}");
        }
        assert!(is_name(&"カ".repeat(256)), "Amazon counts characters");
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(arn in ".{0,60}|arn(:[a-z0-9*/-]{0,9}){0,9}", key in ".{0,9}", value in ".{0,300}") {
            let mut tags = Tags::default();
            tags.take("eu-west-1", &key, &mapping(&arn, &[(&key, &value)]));
            for service in tags.services.values() {
                prop_assert!(!service.is_empty() && &**service != "*" && service.chars().count() <= LONGEST);
                prop_assert!(!service.chars().any(char::is_control) && service.trim() == &**service);
            }
        }
    }

    #[test]
    fn events_go_with_the_series_of_their_resource() {
        let lists = all_lists();
        let of =
            |id: &str, dimensions: &str| listed(lists.iter().find(|list| list.id == id).expect("a list"), dimensions);
        let mut all = vec![
            of("ecs", "ClusterName=main ServiceName=prod-7"),
            of("ecs_tasks", "ClusterName=main ServiceName=prod-7"),
            of("ecs", "ClusterName=main ServiceName=twice"),
            of("ecs", "ClusterName=spare ServiceName=twice"),
            of("alb_target_group", "LoadBalancer=app/a/1 TargetGroup=targetgroup/prod-7/2"),
            of("lambda", "FunctionName=prod-7"),
        ];
        all.sort();
        let patterns = [Pattern::new("*").expect("a pattern")];
        let mut found = resources::resources(&lists, &all, &patterns, "");
        let tags = known(&[
            "arn:aws:ecs:eu-west-1:1:service/main/prod-7",
            "arn:aws:ecs:eu-west-1:1:service/main/twice",
            "arn:aws:lambda:eu-west-1:1:function:prod-7",
        ]);
        assert_eq!(tags.apply(&mut found), 4);
        let named = |of: &'static str, name: &str| {
            let mut event = Event::new("a", name, 0);
            name_events([(of, &mut event)].into_iter(), &found);
            event.service
        };
        assert_eq!(named("ecs", "prod-7"), "svc-0", "the target group of that name has no tag");
        assert_eq!(named("lambda", "prod-7"), "svc-2", "a function of that name is another thing");
        assert_eq!(named("ecs", "twice"), "twice", "which of the two was it?");
        assert_eq!(named("", "prod-7"), "prod-7");
        assert_eq!(named("rds", "prod-7"), "prod-7");
    }
}
