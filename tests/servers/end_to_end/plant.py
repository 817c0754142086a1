#!/usr/bin/env python3
"""Plants two weeks of two accounts in MiniStack, with one known step, and writes down what it planted.

usage: plant.py URL FIRST END STEP FILE
FIRST, END, STEP: seconds since 1970. A point every five minutes from FIRST to END. From STEP on the service `ledger` takes half
as much processor again. FILE gets a line a metric: account, namespace, name, dimensions, points `time:value`, between tabs.
Speaks rpc-v2-cbor by hand: what is planted must not depend on the client that is tested."""
import http.client
import math
import random
import sys
from urllib.parse import urlparse

import cbor2

REGION = "ap-northeast-1"
APP, CARD = "111111111111", "222222222222"
WEB = {"LoadBalancer": "app/cards/50dc6c495c0c9188"}
LEDGER = {"ClusterName": "main", "ServiceName": "ledger"}
# Account, namespace, dimensions, name, level, and what it is multiplied by after the step.
METRICS = [
    (APP, "AWS/ApplicationELB", WEB, "RequestCount", 900.0, 1.0),
    (APP, "AWS/ApplicationELB", WEB, "TargetResponseTime", 0.120, 1.0),
    (APP, "AWS/ApplicationELB", WEB, "HTTPCode_Target_5XX_Count", 2.0, 1.0),
    (APP, "AWS/ECS", {"ClusterName": "main", "ServiceName": "cards"}, "CPUUtilization", 35.0, 1.0),
    (APP, "AWS/ECS", {"ClusterName": "main", "ServiceName": "cards"}, "MemoryUtilization", 60.0, 1.0),
    (CARD, "AWS/ECS", LEDGER, "CPUUtilization", 30.0, 1.5),
    (CARD, "AWS/ECS", LEDGER, "MemoryUtilization", 50.0, 1.0),
    (CARD, "AWS/RDS", {"DBInstanceIdentifier": "ledger-db"}, "CPUUtilization", 20.0, 1.0),
    (CARD, "AWS/RDS", {"DBInstanceIdentifier": "ledger-db"}, "DatabaseConnections", 80.0, 1.0),
]


def points(number, level, factor, first, end, step):
    rng = random.Random(number)
    for at in range(first, end, 300):
        daily = 1 + 0.2 * math.cos((at % 86400 / 86400 - 0.25) * 2 * math.pi)
        value = level * daily * rng.lognormvariate(0, 0.03) * (factor if at >= step else 1)
        # One in fifty never came.
        if rng.random() > 0.02:
            yield at, value


def main():
    url, path = urlparse(sys.argv[1]), sys.argv[5]
    first, end, step = (int(word) for word in sys.argv[2:5])
    connection = http.client.HTTPConnection(url.hostname, url.port)
    count = 0
    with open(path, "w", encoding="ascii") as file:
        for number, (account, namespace, dimensions, name, level, factor) in enumerate(METRICS):
            values = list(points(number, level, factor, first, end, step))
            words = ",".join(f"{key}={value}" for key, value in sorted(dimensions.items()))
            row = " ".join(f"{at}:{value!r}" for at, value in values)
            file.write(f"{account}\t{namespace}\t{name}\t{words}\t{row}\n")
            listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
            data = [{"MetricName": name, "Dimensions": listed, "Timestamp": cbor2.CBORTag(1, at), "Value": value}
                    for at, value in values]
            body = cbor2.dumps({"Namespace": namespace, "MetricData": data})
            scope = (f"AWS4-HMAC-SHA256 Credential={account}/20260101/{REGION}/monitoring/aws4_request, "
                     "SignedHeaders=host, Signature=0")
            connection.request("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", body, {
                "content-type": "application/cbor", "accept": "application/cbor",
                "smithy-protocol": "rpc-v2-cbor", "authorization": scope})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                sys.exit(f"PutMetricData: HTTP {answer.status}: {text[:300]!r}")
            count += len(values)
    print(count)


main()
