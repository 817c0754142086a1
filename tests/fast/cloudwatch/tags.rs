//! Resources that stand under the service which their tag names.

use fortnight::model::diagnostic::Diagnostic;
use fortnight::source::{SourceCheck, SourceHealth};
use fortnight::store::Store;

use super::*;

const TAG: &str = "service_tag = \"Service\"";
const ECS_ARN: &str = "arn:aws:ecs:eu-west-1:222222222222:service/main/card-api";
const ALB_ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:222222222222:loadbalancer/app/web/50dc6c495c0c9188";

/// A server with an ECS service, a load balancer and a queue.
async fn tagged(tags: &[(&str, &str, &str)]) -> CloudWatch {
    let queue = "AWS/SQS ApproximateAgeOfOldestMessage QueueName=mail".to_owned();
    let server = server(&[ecs(), vec![alb("RequestCount"), queue]].concat()).await;
    set_tags(&server, tags);
    server
}

fn set_tags(server: &CloudWatch, tags: &[(&str, &str, &str)]) {
    let one =
        |(arn, key, value): &(&str, &str, &str)| ((*arn).to_owned(), vec![((*key).to_owned(), (*value).to_owned())]);
    server.set(|script| script.tags = Some(tags.iter().map(one).collect()));
}

/// Services by target.
fn services(intake: &SeriesBatch) -> Vec<String> {
    let mut all: Vec<String> =
        intake.series.iter().map(|series| format!("{} {}", series.key.target, series.key.service)).collect();
    all.sort();
    all.dedup();
    all
}

fn reasons(notes: &[Diagnostic]) -> Vec<&str> {
    notes.iter().map(|note| note.code.as_str()).collect()
}

fn requests(server: &CloudWatch) -> Vec<serde_json::Value> {
    server.script.lock().expect("not poisoned").tag_requests.clone()
}

const OWN: [&str; 3] = ["alb:web web", "ecs:main/card-api card-api", "sqs:mail mail"];

#[test]
fn a_tag_names_the_service_page_by_page_and_the_untagged_keep_their_names() {
    with_keys("tags::a_tag_names_the_service_page_by_page_and_the_untagged_keep_their_names", async || {
        let others: Vec<(String, String)> = (0..150)
            .map(|k| (format!("arn:aws:lambda:eu-west-1:222222222222:function:f{k}"), format!("s{k}")))
            .collect();
        let mut tags: Vec<(&str, &str, &str)> =
            others.iter().map(|(arn, to)| (arn.as_str(), "Service", to.as_str())).collect();
        tags.push(("arn:aws:ec2:eu-west-1:222222222222:volume/vol-1", "Service", "payments"));
        tags.push((ECS_ARN, "Service", "payments"));
        tags.push((ALB_ARN, "Service", "  payments "));
        tags.push(("arn:aws:sqs:eu-west-1:222222222222:mail", "service", "payments"));
        let server = tagged(&tags).await;
        let source = open(&server.server.uri(), TAG);
        let intake = source.series(day(1)).await.expect("answers");
        assert_eq!(services(&intake), ["alb:web payments", "ecs:main/card-api payments", "sqs:mail mail"]);
        assert_eq!(intake.diagnostics, []);
        source.series(day(2)).await.expect("answers");
        let asked = requests(&server);
        assert_eq!(asked.len(), 2, "152 resources are two pages, once a run");
        assert_eq!(asked[0]["ResourcesPerPage"], 100);
        assert_eq!(asked[0]["TagFilters"], serde_json::json!([{"Key": "Service"}]));
        assert!(asked[0].get("PaginationToken").is_none() && asked[1]["PaginationToken"] == "t100", "{asked:?}");
        assert!(asked[0]["ResourceTypeFilters"].as_array().expect("types").contains(&"ecs:service".into()));

        // Without the key in the config nothing is asked, and names are what they were.
        let plain = open(&server.server.uri(), "").series(day(1)).await.expect("answers");
        assert_eq!(services(&plain), OWN);
        assert_eq!(requests(&server).len(), 2);
        let both = open(&server.server.uri(), "service_tag = [\"Service\", \"service\"]")
            .series(day(1))
            .await
            .expect("answers");
        assert_eq!(services(&both), ["alb:web payments", "ecs:main/card-api payments", "sqs:mail payments"]);
        assert!(
            server
                .script
                .lock()
                .expect("not poisoned")
                .scopes
                .iter()
                .any(|scope| scope.contains("/eu-west-1/tagging/"))
        );
    });
}

#[test]
fn what_is_watched_follows_from_names_and_not_from_tags() {
    with_keys("tags::what_is_watched_follows_from_names_and_not_from_tags", async || {
        let server = tagged(&[(ECS_ARN, "Service", "payments"), (ALB_ARN, "Service", "card-web")]).await;
        let more = format!("resources = [\"card-*\"]\n{TAG}");
        let intake = open(&server.server.uri(), &more).series(day(1)).await.expect("answers");
        assert_eq!(services(&intake), ["ecs:main/card-api payments"]);
    });
}

#[test]
fn without_an_answer_names_count_and_a_note_says_so() {
    with_keys("tags::without_an_answer_names_count_and_a_note_says_so", async || {
        let server = tagged(&[]).await;
        let garbled = || wiremock::ResponseTemplate::new(200).set_body_raw("<html>no</html>", "text/html");
        let cases: [(Option<wiremock::ResponseTemplate>, &str); 2] = [
            (None, "eu-west-1 of account card-data: tag:GetResources: not allowed: AccessDeniedException"),
            (Some(garbled()), "tag:GetResources: the answer cannot be read"),
        ];
        for (fails, words) in cases {
            server.set(|script| {
                script.tags = None;
                script.tag_fails = fails;
            });
            let source = open(&server.server.uri(), TAG);
            for ago in [1, 2] {
                let intake = source.series(day(ago)).await.expect("the measurements are whole");
                assert_eq!(services(&intake), OWN);
                assert_eq!(reasons(&intake.diagnostics), ["tags_not_known"], "each day says so");
                let said = &intake.diagnostics[0].example;
                assert!(said.contains(words), "{said}");
                no_canary(said);
            }
            // One that would be asked again in the middle of a run would give its days different names.
            set_tags(&server, &[(ECS_ARN, "Service", "payments")]);
            server.set(|script| script.tag_fails = None);
            assert_eq!(services(&source.series(day(3)).await.expect("answers")), OWN);
            let again = open(&server.server.uri(), TAG).series(day(3)).await.expect("answers");
            assert!(services(&again).contains(&"ecs:main/card-api payments".to_owned()), "the next run knows them");
        }
        server.set(|script| script.tags = None);
        let intake = open(&server.server.uri(), TAG).series(day(1)).await.expect("answers");
        assert!(
            intake.diagnostics[0]
                .example
                .ends_with("; allow tag:GetResources on \"*\" in the policy of the role that asks"),
            "{:?}",
            intake.diagnostics
        );
    });
}

#[test]
fn half_of_the_tags_is_none_of_them() {
    with_keys("tags::half_of_the_tags_is_none_of_them", async || {
        let server = tagged(&[(ECS_ARN, "Service", "payments"), (ALB_ARN, "Service", "payments")]).await;
        server.set(|script| script.tag_fails = Some(wiremock::ResponseTemplate::new(200).set_body_raw(
            format!(r#"{{"PaginationToken":"round","ResourceTagMappingList":[{{"ResourceARN":"{ECS_ARN}","Tags":[{{"Key":"Service","Value":"payments"}}]}}]}}"#),
            "application/x-amz-json-1.1",
        )));
        let intake = open(&server.server.uri(), TAG).series(day(1)).await.expect("answers");
        assert_eq!(services(&intake), OWN);
        assert!(
            intake.diagnostics[0].example.contains("after 2 pages there is still another one"),
            "{:?}",
            intake.diagnostics
        );
    });
}

#[test]
fn a_hostile_value_leaves_its_resource_alone() {
    with_keys("tags::a_hostile_value_leaves_its_resource_alone", async || {
        let long = "x".repeat(5000);
        for value in ["a\u{1b}[31mb", "*", &long] {
            let server = tagged(&[(ECS_ARN, "Service", value), (ALB_ARN, "Service", "payments")]).await;
            let intake = open(&server.server.uri(), TAG).series(day(1)).await.expect("answers");
            assert_eq!(services(&intake), ["alb:web payments", "ecs:main/card-api card-api", "sqs:mail mail"]);
            assert_eq!(reasons(&intake.diagnostics), ["tag_no_name"]);
            let said = &intake.diagnostics[0].example;
            assert!(
                said.len() < 300 && said.contains("ecs:service/main/card-api") && !said.contains('\u{1b}'),
                "{said:?}"
            );
        }
        let server = tagged(&[(ECS_ARN, "Service", ""), (ALB_ARN, "Service", " ")]).await;
        let intake = open(&server.server.uri(), TAG).series(day(1)).await.expect("answers");
        assert_eq!(
            (services(&intake), intake.diagnostics),
            (OWN.map(str::to_owned).to_vec(), Vec::new()),
            "nothing is no tag"
        );
    });
}

#[test]
fn deploys_go_with_the_series_of_their_resource() {
    with_keys("tags::deploys_go_with_the_series_of_their_resource", async || {
        let server = tagged(&[(ECS_ARN, "Service", "payments")]).await;
        let window = day(1);
        let body = r#"{"requestParameters":{"service":"card-api","taskDefinition":"card-api:7"}}"#;
        let event = ("UpdateService".to_owned(), "a".to_owned(), window.start / 1000 + 3600, body.to_owned());
        server.set(|script| script.trail = Some(vec![event]));
        let named = async |more: &str| {
            let found = open(&server.server.uri(), more).events(window).await.expect("answers");
            found.events.into_iter().map(|event| event.service).collect::<Vec<_>>()
        };
        assert_eq!(named(TAG).await, ["payments"]);
        assert_eq!(named("").await, ["card-api"]);
        assert_eq!(
            named(&format!("resources = [\"card-*\"]\n{TAG}")).await,
            ["payments"],
            "a pattern is about its own name"
        );
        server.set(|script| script.tags = None);
        assert_eq!(named(TAG).await, ["card-api"]);
    });
}

#[test]
fn an_estimate_counts_the_pages_of_tags_too() {
    with_keys("tags::an_estimate_counts_the_pages_of_tags_too", async || {
        let server = tagged(&[(ECS_ARN, "Service", "payments"), (ALB_ARN, "Service", "payments")]).await;
        server.set(|script| script.tag_page = 1);
        let with = open(&server.server.uri(), TAG).estimate(day(1)).await.expect("answers");
        assert_eq!(requests(&server).len(), 2);
        let without = open(&server.server.uri(), "").estimate(day(1)).await.expect("answers");
        assert_eq!((with.requests, with.series), (without.requests + 2, without.series));
        assert_eq!(with.cost_usd, without.cost_usd, "tags cost nothing");
        assert_eq!(with.asks.last().map(String::as_str), Some("eu-west-1: tag:GetResources Service"));
    });
}

#[test]
fn doctor_tries_the_permission_and_counts_what_has_the_tag() {
    with_keys("tags::doctor_tries_the_permission_and_counts_what_has_the_tag", async || {
        let server = tagged(&[(ECS_ARN, "Service", "payments")]).await;
        let check = async |more: &str| -> Option<SourceCheck> {
            let checks = open(&server.server.uri(), more).checks(NOW).await;
            checks.into_iter().find(|check| check.name.starts_with("tag:GetResources eu-west-1"))
        };
        assert!(check("").await.is_none(), "nobody asked for tags");
        let good = check(TAG).await.expect("checked");
        assert_eq!(
            (good.health, good.found.as_str()),
            (SourceHealth::Ok, "allowed; 1 of 3 watched resources have `Service`")
        );
        let none = check("service_tag = \"service\"").await.expect("checked");
        assert_eq!(none.health, SourceHealth::Warn);
        assert!(none.help[0].contains("care about case"), "{none:?}");
        set_tags(&server, &[(ECS_ARN, "Service", "a\tb")]);
        let odd = check(TAG).await.expect("checked");
        assert!(odd.health == SourceHealth::Warn && odd.found.contains("ecs:service/main/card-api"), "{odd:?}");
        server.set(|script| script.tags = None);
        let denied = check(TAG).await.expect("checked");
        assert_eq!(denied.health, SourceHealth::Warn);
        assert!(
            denied.found.contains("not allowed") && denied.help[0].contains("allow tag:GetResources"),
            "{denied:?}"
        );
    });
}

#[test]
fn a_whole_collect_keeps_series_under_the_value_of_the_tag() {
    with_keys("tags::a_whole_collect_keeps_series_under_the_value_of_the_tag", async || {
        let server = tagged(&[(ECS_ARN, "Service", "payments"), (ALB_ARN, "Service", "payments")]).await;
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[[source]]\nid = \"aws\"\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\nendpoint = \"{}\"\n{TAG}\n",
            server.server.uri()
        );
        std::fs::write(folder.path().join("fortnight.toml"), text).expect("written");
        let window = day(2);
        let date =
            |at: i64| chrono::DateTime::from_timestamp_millis(at).expect("a time").format("%Y-%m-%d").to_string();
        let run = |more: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
            let (since, until) = (date(window.start), date(window.end));
            command.current_dir(folder.path()).args(["collect", "--since", &since, "--until", &until]).args(more);
            process::environment(&mut command, &variables());
            let output = command.output().expect("runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{said}");
            no_canary(&said);
            (String::from_utf8_lossy(&output.stdout).into_owned(), said)
        };
        let dry = run(&["--dry-run"]).0;
        assert!(dry.contains("eu-west-1: tag:GetResources Service"), "{dry}");
        let kept = || {
            let store = Store::open(&folder.path().join(".fortnight")).expect("opened");
            let history = store.read(window).expect("read");
            let mut all: Vec<String> =
                history.series.iter().map(|series| format!("{} {}", series.key.target, series.key.service)).collect();
            all.sort();
            all.dedup();
            all
        };
        let (_, said) = run(&[]);
        assert_eq!(kept(), ["alb:web payments", "ecs:main/card-api payments", "sqs:mail mail"]);
        assert!(!said.contains("own names"), "{said}");

        // Without the permission the run is whole, keeps the names of the resources, and says so.
        std::fs::remove_dir_all(folder.path().join(".fortnight")).expect("removed");
        server.set(|script| script.tags = None);
        let (_, said) = run(&[]);
        assert_eq!(kept(), OWN);
        for words in ["stands under the resources' own names", "allow tag:GetResources on", "aws"] {
            assert!(said.contains(words), "{said}");
        }
    });
}
