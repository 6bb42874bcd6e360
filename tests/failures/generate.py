#!/usr/bin/env python3
"""Writes the failure streams beside it: `./generate.py`. What each is about stands in causes.py, a row a file;
this file adds what CloudFormation tells around it: other resources, cancelled neighbours, roll-backs, earlier
operations. The JSON files are what the tests read."""

import json
import random
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import causes

HERE = Path(__file__).parent
ACCOUNT, REGION = "123456789012", "us-east-1"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/kinesis-stack-dev/5d1c8a60-c93e-11f0-9c7a-0affd5b1c6e3"

# Name in the template: type, name in the account, and when (in seconds) its creation begins, is under way, ends.
RESOURCES = {
    "Stream": ("AWS::Kinesis::Stream", "kinesis-stack-dev", 2, 3, 33),
    "Bucket": ("AWS::S3::Bucket", f"kinesis-stack-{ACCOUNT}-dev-{REGION}", 2, 4, 26),
    "ProcessorLogGroup": ("AWS::Logs::LogGroup", "/kinesis-stack/dev/processor", 2, 3, 8),
    "ProcessorRole": ("AWS::IAM::Role", f"kinesis-stack-dev-processor-{REGION}", 2, 3, 20),
    "DeliveryRole": ("AWS::IAM::Role", f"kinesis-stack-dev-delivery-{REGION}", 2, 3, 20),
    "DeliveryLogGroup": ("AWS::Logs::LogGroup", "/kinesis-stack/dev/delivery", 2, 3, 8),
    "DeliveryLogStream": ("AWS::Logs::LogStream", "S3Delivery", 9, 10, 11),
    "Processor": ("AWS::Lambda::Function", "kinesis-stack-dev-processor", 21, 23, 30),
    "BucketPolicy": ("AWS::S3::BucketPolicy", f"kinesis-stack-{ACCOUNT}-dev-{REGION}", 27, 28, 29),
    "Delivery": ("AWS::KinesisFirehose::DeliveryStream", "kinesis-stack-dev", 34, 36, 110),
}
# What a deletion does first.
BACKWARDS = ["Delivery", "BucketPolicy", "Processor", "DeliveryLogStream", "DeliveryLogGroup", "ProcessorLogGroup",
             "DeliveryRole", "ProcessorRole", "Bucket", "Stream"]


class Stream:
    """Events in the order in which they happen."""

    def __init__(self, seed, begin):
        self.random = random.Random(seed)
        self.begin, self.events = begin, []

    def id(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def tell(self, second, name, status, reason=None):
        kind, physical = ("AWS::CloudFormation::Stack", STACK) if name == "kinesis-stack-dev" else RESOURCES[name][:2]
        time = self.begin + timedelta(seconds=second)
        event = {
            "StackId": STACK,
            "EventId": self.id() if kind.endswith("::Stack") else f"{name}-{status}-{self.id()}",
            "LogicalResourceId": name,
            "PhysicalResourceId": physical if "Initiated" in (reason or "") or not status.startswith("CREATE_IN")
            or kind.endswith("::Stack") else "",
            "ResourceType": kind,
            "Timestamp": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "ResourceStatus": status,
        }
        if reason is not None:
            # The ids in a reason are its own.
            while "UUID" in reason:
                reason = reason.replace("UUID", self.id(), 1)
            event["ResourceStatusReason"] = reason
        self.events.append((second, event))

    def stack(self, second, status, reason=None):
        self.tell(second, "kinesis-stack-dev", status, reason)

    def listing(self):
        """As DescribeStackEvents lists them: newest first."""
        return [event for _, event in sorted(self.events, key=lambda e: e[0])][::-1]


def creation(stream, until=None, skip=(), without=None):
    """All that happens before a moment."""
    stream.stack(0, "REVIEW_IN_PROGRESS", "User Initiated")
    stream.stack(1, "CREATE_IN_PROGRESS", "User Initiated")
    for name, (_, _, begin, initiated, complete) in RESOURCES.items():
        if name == without:
            continue
        for second, status, reason in [(begin, "CREATE_IN_PROGRESS", None),
                                       (initiated, "CREATE_IN_PROGRESS", "Resource creation Initiated"),
                                       (complete, "CREATE_COMPLETE", None)]:
            if (until is None or second + len(name) / 100 < until) and (second == begin or name not in skip):
                stream.tell(second + len(name) / 100, name, status, reason)
    if until is None:
        stream.stack(112, "CREATE_COMPLETE")


def failed_creation(stream, row):
    failing = [(row.resource, row.text, 0.0), *row.also]
    at = row.at or RESOURCES[row.resource][2] + 1.2
    creation(stream, at, {name for name, _, _ in failing})
    for name, text, delay in failing:
        stream.tell(at + delay, name, "CREATE_FAILED", text)
    last = max(delay for _, _, delay in failing if delay < 5)
    busy = [name for name, (_, _, begin, _, complete) in RESOURCES.items()
            if begin + len(name) / 100 < at <= complete + len(name) / 100 and name not in {f for f, _, _ in failing}]
    # Now and then all in one instant, and then the cancelled ones may be listed on either side.
    pause = stream.random.choice([0.0, 0.0, 0.35, 1.1])
    for name in busy:
        second = at - 0.001 if row.cancelled_first else at + last + pause
        stream.tell(second, name, "CREATE_FAILED", "Resource creation cancelled")
    names = ", ".join([name for name, _, _ in failing] + busy)
    stream.stack(at + last + pause + 0.4, "ROLLBACK_IN_PROGRESS",
                 f"The following resource(s) failed to create: [{names}]. Rollback requested by user.")
    second = at + last + pause + 2
    for name in BACKWARDS:
        if RESOURCES[name][2] < at:
            stream.tell(second, name, "DELETE_IN_PROGRESS")
            stuck = row.rollback.get(name)
            stream.tell(second + 2, name, "DELETE_FAILED" if stuck else "DELETE_COMPLETE", stuck)
            second += 0.7
    if row.rollback:
        stream.stack(second + 3, "ROLLBACK_FAILED",
                     f"The following resource(s) failed to delete: [{', '.join(row.rollback)}]. ")
    else:
        stream.stack(second + 3, "ROLLBACK_COMPLETE")


def failed_update(stream, row):
    stream.stack(0, "UPDATE_IN_PROGRESS", "User Initiated")
    new = row.status == "CREATE_FAILED"
    others = [name for name in row.changes if name != row.resource]
    for place, name in enumerate(others):
        stream.tell(2 + place * 0.2, name, "UPDATE_IN_PROGRESS")
    stream.tell(2.9, row.resource, "CREATE_IN_PROGRESS" if new else "UPDATE_IN_PROGRESS")
    stream.tell(4.4, row.resource, row.status or "UPDATE_FAILED", row.text)
    for name, text, delay in row.also:
        stream.tell(4.4 + delay, name, "UPDATE_FAILED", text)
    for name in others:
        if name not in {failed for failed, _, _ in row.also}:
            stream.tell(4.4, name, "UPDATE_FAILED", "Resource update cancelled")
    failed = ", ".join([row.resource, *others])
    stream.stack(5.1, "UPDATE_ROLLBACK_IN_PROGRESS",
                 row.stack_reason or f"The following resource(s) failed to update: [{failed}]. ")
    for place, name in enumerate([*others, row.resource]):
        # What is new to the stack was never there.
        if name == row.resource and new:
            continue
        stream.tell(7 + place, name, "UPDATE_IN_PROGRESS")
        stuck = row.rollback.get(name)
        stream.tell(9 + place, name, "UPDATE_FAILED" if stuck else "UPDATE_COMPLETE", stuck)
    if row.rollback:
        stream.stack(14, "UPDATE_ROLLBACK_FAILED",
                     f"The following resource(s) failed to update: [{', '.join(row.rollback)}]. ")
    else:
        stream.stack(14, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        stream.stack(15, "UPDATE_ROLLBACK_COMPLETE")


def failed_deletion(stream, row):
    stream.stack(0, "DELETE_IN_PROGRESS", "User Initiated")
    failing = {row.resource: row.text, **{name: text for name, text, _ in row.also}}
    # Nothing is deleted that something which stays depends on.
    needed = {"Delivery": ["Bucket", "Stream", "DeliveryRole", "Processor", "ProcessorRole", "BucketPolicy",
                           "DeliveryLogStream", "DeliveryLogGroup", "ProcessorLogGroup"],
              "Processor": ["ProcessorRole", "ProcessorLogGroup"], "BucketPolicy": ["Bucket"],
              "DeliveryLogStream": ["DeliveryLogGroup"]}
    kept = {name for failed in failing for name in needed.get(failed, [])}
    second = 2.0
    for name in BACKWARDS:
        if name in kept:
            continue
        stream.tell(second, name, "DELETE_IN_PROGRESS")
        failed = name in failing
        stream.tell(second + 3, name, "DELETE_FAILED" if failed else "DELETE_COMPLETE", failing.get(name))
        second += 0.9 if name != "Delivery" else 12
    stream.stack(second + 4, "DELETE_FAILED",
                 f"The following resource(s) failed to delete: [{', '.join(failing)}]. ")


def main():
    for old in HERE.glob("*.json"):
        old.unlink()
    names = set()
    for number, row in enumerate(causes.rows()):
        begin = datetime(2026, 11, 2, 9, 0, tzinfo=timezone.utc) + timedelta(minutes=37 * number)
        stream = Stream(row.name, begin)
        before = []
        if row.operation != "create" or row.second_try:
            earlier = Stream(row.name + "/before", begin - timedelta(hours=5))
            if row.second_try:
                # A failed attempt, with a reason of its own that must not count.
                earlier.stack(1, "CREATE_IN_PROGRESS", "User Initiated")
                earlier.tell(3, "Stream", "CREATE_IN_PROGRESS")
                earlier.tell(4, "Stream", "CREATE_FAILED", row.second_try)
                earlier.stack(5, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Stream]. ")
                earlier.stack(9, "ROLLBACK_COMPLETE")
            else:
                creation(earlier, without=row.resource if row.status == "CREATE_FAILED" else None)
            # The first page of a stack's events need not go back to its beginning.
            before = earlier.listing()[:14]
        {"create": failed_creation, "update": failed_update, "delete": failed_deletion}[row.operation](stream, row)
        events = stream.listing()
        if row.out_of_order:
            # Pages that were read while events came in overlap, and late events come with a later page.
            late = events.pop(len(events) // 2)
            events.insert(0, late)
            events.insert(3, events[5])
        assert row.name not in names, row.name
        names.add(row.name)
        assert 8 <= len(events) + len(before) <= 60, (row.name, len(events) + len(before))
        document = {
            "what": row.what,
            "why": row.why,
            "operation": row.operation,
            "expect": {"code": row.code, "logical_id": row.expected or row.resource, "property": row.about, "retry": row.retry,
                       "mentions": row.mentions},
            "before": [event["EventId"] for event in before],
            "events": events + before,
        }
        assert len(row.why) > 20, row.name
        # An event a line, so that a stream can be read as one.
        lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in document.items()
                 if key != "events"]
        told = ",\n  ".join(json.dumps(event, ensure_ascii=False) for event in document["events"])
        text = "{\n" + ",\n".join(lines) + f',\n "events": [\n  {told}\n ]\n}}'
        (HERE / f"{row.name}.json").write_text(text + "\n")
    print(len(names), "streams")


if __name__ == "__main__":
    main()
