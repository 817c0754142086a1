#!/usr/bin/env python3
"""Makes resources with tags and a point of each in MiniStack, by Amazon's own client for Python.

usage: tags.py URL ACCOUNT TIME
TIME: seconds since 1970 of the points. Prints a line a resource: target and the service that its tag names, between
tabs; the service is `-` for the one without the tag. ARNs are made by the server, so what fits them here fits no text of ours."""
import io
import sys
import zipfile

import botocore.session

REGION = "eu-west-1"
KEY = "Service"


def client(url, account, name):
    session = botocore.session.Session()
    return session.create_client(name, region_name=REGION, endpoint_url=url, aws_access_key_id=account, aws_secret_access_key="secret")


def code():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", "def handler(event, context): return 1\n")
    return archive.getvalue()


def main():
    url, account, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
    of = lambda name: client(url, account, name)
    queues = of("sqs")
    queues.create_queue(QueueName="mail", tags={KEY: "notify", "Owner": "team-b"})
    queues.create_queue(QueueName="untagged", tags={"Owner": "team-b"})
    of("dynamodb").create_table(
        TableName="ledger", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], Tags=[{"Key": KEY, "Value": "card-api"}])
    of("lambda").create_function(
        FunctionName="fn-7", Runtime="python3.12", Role=f"arn:aws:iam::{account}:role/fn", Handler="index.handler",
        Code={"ZipFile": code()}, Tags={KEY: "notify"})
    containers, tags = of("ecs"), [{"key": KEY, "value": "card-api"}]
    containers.create_cluster(clusterName="main")
    containers.register_task_definition(
        family="svc", containerDefinitions=[{"name": "svc", "image": "svc", "memory": 64}])
    containers.create_service(cluster="main", serviceName="svc-7", taskDefinition="svc", desiredCount=0, tags=tags)
    point = lambda name, **dimensions: {
        "MetricName": name, "Timestamp": at, "Value": 1.0,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()]}
    metrics = of("cloudwatch")
    for namespace, data in [
        ("AWS/SQS", point("ApproximateAgeOfOldestMessage", QueueName="mail")),
        ("AWS/SQS", point("ApproximateAgeOfOldestMessage", QueueName="untagged")),
        ("AWS/DynamoDB", point("SuccessfulRequestLatency", TableName="ledger", Operation="GetItem")),
        ("AWS/Lambda", point("Invocations", FunctionName="fn-7")),
        ("AWS/ECS", point("CPUUtilization", ClusterName="main", ServiceName="svc-7")),
    ]:
        metrics.put_metric_data(Namespace=namespace, MetricData=[data])
    for target, service in [
        ("dynamodb:ledger GetItem", "card-api"), ("ecs:main/svc-7", "card-api"), ("lambda:fn-7", "notify"),
        ("sqs:mail", "notify"), ("sqs:untagged", "-"),
    ]:
        print(f"{target}\t{service}")


main()
