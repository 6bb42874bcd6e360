#!/usr/bin/env python3
"""The workshop's transform in Python: what the Rust processor is measured and checked by.

reference.py --bench EVENT REPETITIONS      print each run's time, in seconds
reference.py --serve                        run as a Lambda function, for as long as it is let
reference.py --check EVENT ANSWER TIME      compare ANSWER with Python's own; list what differs

EVENT and ANSWER are files. TIME is the tradeTime, "YYYY-MM-DD HH:MM:SS".
"""

import base64
import http.client
import json
import math
import os
import sys
import time


def refuse(word):
    raise ValueError(word + " is not JSON")


# Made once: as fast as json.loads, but without NaN and Infinity.
decoder = json.JSONDecoder(parse_constant=refuse)


def convert(kind, value):
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        return None
    # The row must stay JSON, which knows neither infinity nor NaN.
    return number if kind is int or math.isfinite(number) else None


def transform_record(text, now):
    data = decoder.decode(text)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    if "price" in data:
        data["price"] = convert(float, data["price"])
    for field in ("quantity", "id"):
        if field in data:
            data[field] = convert(int, data[field])
    if "tickerSymbol" in data:
        data["stockId"] = data.pop("tickerSymbol")
    data["tradeTime"] = now
    return json.dumps(data)


def handler(event, now):
    output = []
    for record in event["records"]:
        try:
            text = base64.b64decode(record["data"], validate=True).decode("utf-8")
            row = transform_record(text, now)
            output.append({
                "recordId": record["recordId"],
                "result": "Ok",
                "data": base64.b64encode(row.encode("utf-8")).decode("utf-8"),
            })
        except (ValueError, RecursionError):
            output.append({
                "recordId": record["recordId"],
                "result": "ProcessingFailed",
                "data": record["data"],
            })
    return {"records": output}


def run(request, now):
    return json.dumps(handler(json.loads(request), now)).encode("utf-8")


def bench(event, repetitions):
    with open(event, "rb") as file:
        request = file.read()
    for _ in range(int(repetitions)):
        start = time.perf_counter()
        run(request, "2024-10-03 09:45:20")
        print(time.perf_counter() - start)


def serve():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", "/2018-06-01/runtime/invocation/next")
        response = api.getresponse()
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        answer = run(response.read(), now)
        api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", answer)
        api.getresponse().read()


def comparable(record):
    """A record with its row normalised: spelled as Python spells it, order kept.

    The numbers that were converted are compared as they were written, too.
    """
    if record["result"] != "Ok":
        return record
    row = base64.b64decode(record["data"], validate=True).decode("utf-8")
    assert "\n" not in row, row
    written = json.loads(row, parse_float=str, parse_int=str, parse_constant=str)
    numbers = [written.get(field) for field in ("price", "quantity", "id")]
    return {**record, "data": json.dumps(json.loads(row)), "numbers": numbers}


def check(event, answer, now):
    with open(event, "rb") as file:
        expected = json.loads(run(file.read(), now))["records"]
    with open(answer, "rb") as file:
        actual = json.load(file)["records"]
    assert len(expected) == len(actual), (len(expected), len(actual))
    differing = 0
    for ours, theirs in zip(map(comparable, actual), map(comparable, expected)):
        if ours != theirs:
            differing += 1
            print("rust  ", ours, "\npython", theirs)
    print(len(actual), "compared")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    {"--bench": bench, "--serve": serve, "--check": check}[sys.argv[1]](*sys.argv[2:])
