#!/usr/bin/env python3
"""Puts two weeks of one-minute points of 600 metrics in two accounts into MiniStack, and writes down what it put.

usage: put.py URL FIRST_DAY FILE [all]
FIRST_DAY: seconds since 1970 of a UTC midnight. FILE gets a line a metric: account, namespace, name, dimensions, points
`time:value`, between tabs. Five metrics of each account, one of every kind of resource, have a point in every minute of
the two weeks, the others in twenty minutes of each day, so that it takes seconds and not ten minutes; with `all`, every
metric has every minute.
Speaks rpc-v2-cbor by hand: what is put must not depend on the client that is tested. CloudWatch takes 1,000 data in a
request, MiniStack any number, and it looks at every point that it has on each request: therefore few large ones."""
import http.client
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlparse

import cbor2

DAYS, MINUTES, A_REQUEST = 14, 1440, 100_000
# By their number in the account: two of load balancers, and one each of ECS, RDS and Lambda.
IN_FULL = (0, 1, 60, 180, 260)
REGION = "eu-west-1"
# Level of a value; counters of failures are silent unless something failed.
LEVELS = {
    "RequestCount": 900.0, "TargetResponseTime": 0.120, "HTTPCode_Target_5XX_Count": 0.0,
    "CPUUtilization": 35.0, "MemoryUtilization": 60.0,
    "DatabaseConnections": 80.0, "ReadLatency": 0.0007, "WriteLatency": 0.002, "CommitLatency": 4.0,
    "FreeableMemory": 3e9, "DiskQueueDepth": 0.4, "DBLoad": 1.5,
    "Invocations": 40.0, "Duration": 85.0, "Errors": 0.0, "ConcurrentExecutions": 6.0,
}


def metrics(account):
    mark = account[-1]
    for k in range(20):
        lb = {"LoadBalancer": f"app/web{mark}-{k:02}/50dc6c{k:04x}"}
        for name in ("RequestCount", "TargetResponseTime", "HTTPCode_Target_5XX_Count"):
            yield "AWS/ApplicationELB", name, lb
    for k in range(60):
        for name in ("CPUUtilization", "MemoryUtilization"):
            yield "AWS/ECS", name, {"ClusterName": "main", "ServiceName": f"svc{mark}-{k:02}"}
    for k in range(10):
        for name in ("CPUUtilization", "DatabaseConnections", "ReadLatency", "WriteLatency", "CommitLatency",
                     "FreeableMemory", "DiskQueueDepth", "DBLoad"):
            yield "AWS/RDS", name, {"DBInstanceIdentifier": f"db{mark}-{k:02}"}
    for k in range(10):
        for name in ("Invocations", "Duration", "Errors", "ConcurrentExecutions"):
            yield "AWS/Lambda", name, {"FunctionName": f"fn{mark}-{k:02}"}


def points(number, name, first, everything, rng):
    level = LEVELS[name]
    for day in range(DAYS):
        start = first + day * 86400
        hours = range(MINUTES) if everything or number in IN_FULL else range(600, 620)
        for minute in hours:
            if level == 0.0:
                if rng.random() < 0.05:
                    yield start + minute * 60, float(rng.randrange(1, 4))
            elif rng.random() < 0.98:
                yield start + minute * 60, level * (0.5 + rng.random())


def put(connection, account, namespace, data):
    body = cbor2.dumps({"Namespace": namespace, "MetricData": data})
    scope = f"AWS4-HMAC-SHA256 Credential={account}/20260101/{REGION}/monitoring/aws4_request, SignedHeaders=host, Signature=0"
    connection.request("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", body, {
        "content-type": "application/cbor", "accept": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "authorization": scope})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        sys.exit(f"PutMetricData: HTTP {answer.status}: {text[:300]!r}")


def requests(first, everything, file):
    """Yields account, namespace and data of each request, and writes down what they hold."""
    for account in ("111111111111", "222222222222"):
        waiting, last = [], None
        for number, (namespace, name, dimensions) in enumerate(metrics(account)):
            rng = random.Random(f"{account} {number}")
            values = list(points(number, name, first, everything, rng))
            words = ",".join(f"{key}={value}" for key, value in sorted(dimensions.items()))
            row = " ".join(f"{at}:{value!r}" for at, value in values)
            file.write(f"{account}\t{namespace}\t{name}\t{words}\t{row}\n")
            listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
            if waiting and (last != namespace or len(waiting) + len(values) > A_REQUEST):
                yield account, last, waiting
                waiting = []
            waiting += [{"MetricName": name, "Dimensions": listed, "Timestamp": cbor2.CBORTag(1, at), "Value": value}
                        for at, value in values]
            last = namespace
        yield account, last, waiting


def main():
    url, first, path, everything = urlparse(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:] == ["all"]
    connection = http.client.HTTPConnection(url.hostname, url.port)
    count, sent = 0, None
    # MiniStack answers one request at a time; the next one is made meanwhile, and no more than that waits in memory.
    with open(path, "w", encoding="ascii") as file, ThreadPoolExecutor(1) as sender:
        for account, namespace, data in requests(first, everything, file):
            count += len(data)
            if sent:
                sent.result()
            sent = sender.submit(put, connection, account, namespace, data)
        sent.result()
    print(count)


main()
