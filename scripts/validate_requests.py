#!/usr/bin/env python3
"""Holds recorded requests against AWS's own models of its services, as botocore publishes them.

    validate_requests.py FILE...        JSON lines, as record_requests.py and the simulated account write them
    validate_requests.py --self-test    wrong requests, each of which has to be found

A request is taken apart as its service would take it apart, by the protocol of the service's model, into the
operation's input. Whatever the model doesn't know is a violation, and so is everything that breaks one of its rules:
required members, types, enumerations, lengths, ranges, patterns. botocore's own validator is asked, too.
"""

import base64
import binascii
import datetime
import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from urllib.parse import parse_qsl, unquote, urlsplit

import botocore
import botocore.session
import cbor2
import regex
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

# What is no member of an operation, but of the way there.
HEADERS_OF_THE_WAY = (
    "accept", "accept-encoding", "amz-sdk-invocation-id", "amz-sdk-request", "authorization", "connection",
    "content-encoding", "content-length", "content-type", "content-md5", "expect", "host", "user-agent",
    "transfer-encoding", "x-amz-user-agent", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
    "x-amz-target", "x-amz-trailer", "x-amz-decoded-content-length", "x-amz-sdk-checksum-algorithm",
    "x-amzn-query-mode", "smithy-protocol",
)  # fmt: skip
# Services that sign with another name than their model's.
MODELS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
# S3's checksums are sent as headers or trailers whichever algorithm was chosen.
CHECKSUM = regex.compile(r"x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)")
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class Wrong(Exception):
    """A request that isn't even one of the operation's."""


class Models:
    def __init__(self):
        self.loader = botocore.session.get_session().get_component("data_loader")
        self.models = {}

    def of(self, service):
        if service not in self.models:
            name = MODELS.get(service, service)
            self.models[service] = ServiceModel(self.loader.load_service_model(name, "service-2"), name)
        return self.models[service]


class Request:
    """A recorded request."""

    def __init__(self, line):
        self.source = line.get("from", "")
        self.method, self.headers = line["method"], line["headers"]
        self.body = base64.b64decode(line["body"])
        url = urlsplit(line["path"])
        self.path = url.path
        self.query = parse_qsl(url.query, keep_blank_values=True)
        scope = self.headers.get("authorization", "").split("/")
        if len(scope) < 2:
            raise Wrong("it has no credential scope")
        self.service = scope[-2]


# ---- from the wire to the operation's input, by protocol

PARSERS = {}


def parser(*protocols):
    def register(function):
        PARSERS.update(dict.fromkeys(protocols, function))
        return function

    return register


@parser("query")
def parse_query(model, request):
    if request.method != "POST" or request.path != "/":
        raise Wrong(f"{request.method} {request.path} is no call of the query protocol")
    fields = parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
    tree = {}
    for name, value in fields:
        node = tree
        *way, last = name.split(".")
        for step in way:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise Wrong(f"{name} is below a value")
        if last in node:
            raise Wrong(f"{name} is there twice")
        node[last] = value
    operation = operation_of(model, tree.pop("Action", None))
    if (version := tree.pop("Version", None)) != model.api_version:
        raise Wrong(f"Version is {version}, not {model.api_version}")
    return operation, from_query(operation.input_shape, tree)


def from_query(shape, node):
    if shape is None:
        return node
    kind = shape.type_name
    if kind in ("structure", "list", "map") and not isinstance(node, dict):
        # An empty list is written as its name alone.
        return [] if kind == "list" and node == "" else node
    if kind == "structure":
        names = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        return {
            names[name][0] if name in names else name: from_query(names[name][1], value) if name in names else value
            for name, value in node.items()
        }
    if kind == "list":
        if not shape.serialization.get("flattened"):
            step = shape.member.serialization.get("name", "member")
            if set(node) != {step}:
                raise Wrong(f"a list of {shape.name} has {sorted(node)} instead of {step}")
            node = node[step]
        if sorted(map(int, node)) != list(range(1, len(node) + 1)):
            raise Wrong(f"the numbers of a list of {shape.name} are {sorted(node)}")
        return [from_query(shape.member, node[str(number)]) for number in range(1, len(node) + 1)]
    return scalar(shape, node)


@parser("json")
def parse_json(model, request):
    prefix, _, name = request.headers.get("x-amz-target", "").rpartition(".")
    if prefix != model.metadata["targetPrefix"]:
        raise Wrong(f"X-Amz-Target begins with {prefix}, not {model.metadata['targetPrefix']}")
    if (kind := request.headers.get("content-type")) != f"application/x-amz-json-{model.metadata['jsonVersion']}":
        raise Wrong(f"Content-Type is {kind}")
    operation = operation_of(model, name)
    return operation, from_json(operation.input_shape, json.loads(request.body))


def from_json(shape, value):
    if shape is None:
        return value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        names = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        return {
            names[name][0] if name in names else name: from_json(names[name][1], it) if name in names else it
            for name, it in value.items()
        }
    if kind == "list" and isinstance(value, list):
        return [from_json(shape.member, it) for it in value]
    if kind == "map" and isinstance(value, dict):
        return {key: from_json(shape.value, it) for key, it in value.items()}
    if kind == "blob" and isinstance(value, str):
        return blob(value)
    if kind == "timestamp" and isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
    return value


@parser("smithy-rpc-v2-cbor")
def parse_cbor(model, request):
    found = regex.fullmatch(r"/service/([^/]+)/operation/([^/]+)", request.path)
    if not found or request.method != "POST":
        raise Wrong(f"{request.method} {request.path} is no call of the CBOR protocol")
    if found[1] != model.metadata["targetPrefix"]:
        raise Wrong(f"the service is {found[1]}, not {model.metadata['targetPrefix']}")
    if (kind := request.headers.get("content-type")) != "application/cbor":
        raise Wrong(f"Content-Type is {kind}")
    # Times and bytes have types of their own in CBOR.
    return operation_of(model, found[2]), cbor2.loads(request.body) if request.body else {}


@parser("rest-json", "rest-xml")
def parse_rest(model, request):
    operation, found = route(model, request)
    shape = operation.input_shape
    if shape is None:
        return operation, {}
    by_place = defaultdict(dict)
    for name, member in shape.members.items():
        place = member.serialization.get("location", "body")
        by_place[place][member.serialization.get("name", name)] = (name, member)
    given = {}
    for label, value in found.items():
        name, member = by_place["uri"][label]
        given[name] = scalar(member, value)
    fixed = dict(parse_qsl(urlsplit(operation.http["requestUri"]).query, keep_blank_values=True))
    for key, value in request.query:
        if key in by_place["querystring"]:
            name, member = by_place["querystring"][key]
            is_list = member.type_name == "list"
            given[name] = given.get(name, []) + [value] if is_list else scalar(member, value)
        elif fixed.get(key) != value and (key, value) != ("x-id", operation.name):
            given[f"?{key}"] = value
    headers = {name.lower(): known for name, known in by_place["header"].items()}
    for key, value in request.headers.items():
        if key in headers:
            name, member = headers[key]
            given[name] = scalar(member, value)
        elif prefix := next((it for it in by_place["headers"] if key.startswith(it.lower())), None):
            given.setdefault(by_place["headers"][prefix][0], {})[key[len(prefix) :]] = value
        elif key not in HEADERS_OF_THE_WAY and not CHECKSUM.fullmatch(key):
            given[f"{key}:"] = value
    given.update(from_body(model, shape, by_place["body"], request))
    return operation, given


def route(model, request):
    """The operation whose method, path and fixed query this is, and the labels of its path."""
    best = None
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.http["method"] != request.method:
            continue
        template = urlsplit(operation.http["requestUri"])
        found = labels(template.path, request.path)
        fixed = parse_qsl(template.query, keep_blank_values=True)
        if found is None or not all(pair in request.query for pair in fixed):
            continue
        # GET /bucket?tagging is more than GET /bucket. Two of the same form differ in what they require.
        required = set(operation.input_shape.required_members if operation.input_shape else ())
        members = operation.input_shape.members if operation.input_shape else {}
        asked = {
            members[it].serialization.get("name", it)
            for it in required
            if members[it].serialization.get("location") == "querystring"
        }
        if not asked <= {key for key, _ in request.query}:
            continue
        named = ("x-id", name) in request.query
        rank = (named, len(fixed), len(asked), -len(found), bool(operation.deprecated) is False)
        if best is None or rank > best[0]:
            best = (rank, operation, found)
    if best is None:
        raise Wrong(f"{request.method} {request.path} {request.query} is no operation of {model.service_name}")
    return best[1], best[2]


def labels(template, path):
    found = {}
    steps, parts = template.strip("/").split("/"), path.strip("/").split("/")
    for number, step in enumerate(steps):
        if step.startswith("{") and step.endswith("+}"):
            rest = "/".join(parts[number:])
            return {**found, step[1:-2]: unquote(rest)} if rest else None
        if number >= len(parts):
            return None
        if step.startswith("{"):
            if not parts[number]:
                return None
            found[step[1:-1]] = unquote(parts[number])
        elif step != parts[number]:
            return None
    return found if len(steps) == len(parts) else None


def from_body(model, shape, members, request):
    body = request.body
    if "aws-chunked" in request.headers.get("content-encoding", ""):
        body = unchunked(body)
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name in ("blob", "string"):
        return {payload: body}
    if not body:
        return {}
    if payload:
        member = shape.members[payload]
        return {payload: from_document(model, member, body, member.serialization.get("name"))}
    return {
        members[name][0] if name in members else name: from_json(members[name][1] if name in members else None, it)
        for name, it in json.loads(body).items()
    }


def from_document(model, shape, body, root):
    if model.metadata["protocol"] == "rest-json":
        return from_json(shape, json.loads(body))
    document = ElementTree.fromstring(body)
    space = (shape.serialization.get("xmlNamespace") or {}).get("uri")
    wanted = f"{{{space}}}{root}" if space else root
    if root and document.tag != wanted:
        raise Wrong(f"the document is a {document.tag}, not a {wanted}")
    return from_xml(shape, document)


def from_xml(shape, node):
    kind = shape.type_name
    if kind == "structure":
        given, seen = {}, defaultdict(list)
        for child in node:
            seen[child.tag.rpartition("}")[2]].append(child)
        for name, member in shape.members.items():
            inner = member.serialization.get("name", name)
            if member.type_name == "list" and member.serialization.get("flattened"):
                inner = member.serialization.get("name", member.member.serialization.get("name", name))
                if children := seen.pop(inner, None):
                    given[name] = [from_xml(member.member, child) for child in children]
            elif member.serialization.get("xmlAttribute"):
                if XSI_TYPE in node.attrib:
                    given[name] = node.attrib[XSI_TYPE]
            elif children := seen.pop(inner, None):
                if len(children) > 1:
                    raise Wrong(f"{inner} is there {len(children)} times")
                given[name] = from_xml(member, children[0])
        given.update({name: children[0].text for name, children in seen.items()})
        return given
    if kind == "list":
        return [from_xml(shape.member, child) for child in node]
    return scalar(shape, node.text or "")


def unchunked(body):
    """The content of S3's own chunks, whose trailer holds a checksum."""
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        size = int(size.split(b";")[0], 16)
        if size == 0:
            break
        content, body = content + body[:size], body[size + 2 :]
    return content


def operation_of(model, name):
    if name not in model.operation_names:
        raise Wrong(f"{name} is no operation of {model.service_name}")
    return model.operation_model(name)


def scalar(shape, text):
    """A value that came as text. One that isn't of its type stays text, which the validation finds."""
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "boolean":
            return {"true": True, "false": False}.get(text, text)
        if kind == "timestamp":
            return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        if kind == "blob":
            return blob(text)
    except ValueError:
        pass
    return text


def blob(text):
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text


# ---- the model's rules

TYPES = {
    "structure": dict, "list": list, "map": dict, "string": str, "character": str, "boolean": bool,
    "integer": int, "long": int, "float": (int, float), "double": (int, float),
    "blob": (bytes, bytearray), "timestamp": datetime.datetime,
}  # fmt: skip


def violations(shape, value, where=""):
    kind, rules = shape.type_name, shape.metadata
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not isinstance(value, TYPES[kind]) or (kind in ("integer", "long", "float", "double") and not is_number):
        yield f"{where or 'the input'} is no {kind}: {value!r:.80}"
        return
    if kind == "structure":
        for name in set(value) - set(shape.members):
            yield f"{where}.{name} is unknown"
        for name in set(shape.required_members) - set(value):
            yield f"{where}.{name} is missing"
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            yield f"{where} is a union and has {len(value)} members"
        for name in set(value) & set(shape.members):
            yield from violations(shape.members[name], value[name], f"{where}.{name}")
        return
    if kind in ("list", "map", "string", "blob"):
        least, most = rules.get("min"), rules.get("max")
        if least is not None and len(value) < least:
            yield f"{where} has {len(value)} of at least {least}"
        if most is not None and len(value) > most:
            yield f"{where} has {len(value)} of at most {most}"
    elif is_number:
        least, most = rules.get("min"), rules.get("max")
        if (least is not None and value < least) or (most is not None and value > most):
            yield f"{where} is {value}, not within {least} and {most}"
    if kind == "list":
        for number, it in enumerate(value):
            yield from violations(shape.member, it, f"{where}[{number}]")
    if kind == "map":
        for key, it in value.items():
            yield from violations(shape.key, key, f"{where}[{key}]'s key")
            yield from violations(shape.value, it, f"{where}[{key}]")
    if kind == "string":
        if rules.get("enum") and value not in rules["enum"]:
            yield f"{where} is {value!r:.80}, none of {', '.join(rules['enum'])}"
        if rules.get("pattern") and not regex.fullmatch(rules["pattern"], value, regex.DOTALL):
            yield f"{where} is {value!r:.80}, not like {rules['pattern']}"


def check(models, line):
    """Service, operation and violations of a recorded request."""
    service = operation_name = "?"
    try:
        request = Request(line)
        service = request.service
        model = models.of(service)
        operation_name = f"{request.method} {request.path}"
        # A service may speak several: the request says which one this is.
        is_cbor = request.headers.get("smithy-protocol") == "rpc-v2-cbor"
        spoken = model.metadata.get("protocols", [model.metadata["protocol"]])
        protocol = next((it for it in spoken if ("cbor" in it) == is_cbor), None)
        if protocol is None:
            raise Wrong(f"the service speaks {', '.join(spoken)} only")
        parse = PARSERS[protocol]
        operation, given = parse(model, request)
        operation_name = operation.name
    except (Wrong, ValueError, ElementTree.ParseError, binascii.Error) as error:
        return service, operation_name, [str(error)]
    except botocore.exceptions.UnknownServiceError:
        return service, operation_name, ["the service is unknown"]
    if operation.input_shape is None:
        return service, operation_name, [f"{name} is unknown" for name in given]
    found = list(violations(operation.input_shape, given))
    report = ParamValidator().validate(given, operation.input_shape)
    if report.has_errors():
        found.append("botocore: " + report.generate_report().replace("\n", "; "))
    return service, operation_name, found


def validate(paths):
    models, counts, found = Models(), Counter(), defaultdict(Counter)
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in map(json.loads, file):
                service, operation, wrong = check(models, line)
                counts[service, operation, line.get("from", "")] += 1
                for violation in wrong:
                    found[service, operation][violation] += 1
    sources = sorted({source for _, _, source in counts})
    operations = sorted({(service, operation) for service, operation, _ in counts})
    print(f"{'':<48}" + "".join(f"{source:>18}" for source in sources))
    for service, operation in operations:
        each = "".join(f"{counts[service, operation, source]:>18}" for source in sources)
        print(f"{service + ' ' + operation:<48}{each}")
        for violation, times in found[service, operation].most_common():
            print(f"    WRONG, {times}x: {violation}")
    wrong = sum(found.values(), Counter()).total()
    print(f"{counts.total()} requests of {len(operations)} operations, botocore {botocore.__version__}: {wrong} violations")
    return 1 if wrong or not counts else 0


def self_test():
    def line(service, method="POST", path="/", body="", **headers):
        scope = {"authorization": f"us-east-1/{service}/aws4_request"}
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        body = body if isinstance(body, bytes) else body.encode()
        return {"method": method, "path": path, "headers": scope | headers, "body": base64.b64encode(body)}

    def query(service, version, rest):
        return line(service, body=f"Version={version}&{rest}")

    def cloudformation(rest):
        return query("cloudformation", "2010-05-15", rest)

    def kinesis(body):
        kind = "application/x-amz-json-1.1"
        return line("kinesis", body=body, content_type=kind, x_amz_target="Kinesis_20131202.PutRecords")

    def tagging(operation, body):
        target = f"ResourceGroupsTaggingAPI_20170126.{operation}"
        return line("tagging", body=body, content_type="application/x-amz-json-1.1", x_amz_target=target)

    def metrics(operation, body):
        path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
        cbor = {"content_type": "application/cbor", "smithy_protocol": "rpc-v2-cbor"}
        return line("monitoring", path=path, body=cbor2.dumps(body), **cbor)

    record = '{"Data": "YQ==", "PartitionKey": "1"}'
    now = datetime.datetime.now(datetime.timezone.utc)
    tags = "Action=CreateChangeSet&StackName=a&ChangeSetName=b&Tags.member.1.Key=k"
    cases = [
        (cloudformation("Action=DescribeStacks&StackName=a"), None),
        (cloudformation("Action=DescribeStacks&Stack=a"), "is unknown"),
        (cloudformation("Action=DescribeStackz"), "is no operation"),
        (query("cloudformation", "2010-05-16", "Action=DescribeStacks"), "Version"),
        (cloudformation(tags), "is missing"),
        (cloudformation(tags + "&Tags.member.1.Value=v"), None),
        (cloudformation(tags + "&Tags.1.Value=v"), "instead of member"),
        (cloudformation("Action=DeleteStack&StackName=a&DeletionMode=SOME"), "none of"),
        (cloudformation("Action=DeleteStack&StackName=a&ClientRequestToken=" + "a" * 129), "at most 128"),
        (cloudformation("Action=ExecuteChangeSet&ChangeSetName=a&DisableRollback=maybe"), "is no boolean"),
        (cloudformation("Action=ExecuteChangeSet&ChangeSetName=a b"), "not like"),
        (query("iam", "2010-05-08", "Action=GetRole&RoleName="), "at least 1"),
        (query("iam", "2010-05-08", "Action=GetAccountSummary"), None),
        (query("iam", "2010-05-08", "Action=GetAccountSummary&RoleName=a"), "is unknown"),
        (kinesis('{"StreamName": "a", "Records": [%s]}' % record), None),
        (kinesis('{"StreamName": "a", "Records": []}'), "at least 1"),
        (kinesis('{"StreamName": "a", "Records": [{"PartitionKey": "1"}]}'), "is missing"),
        (kinesis('{"StreamName": "a", "Records": [%s], "Order": 1}' % record), "is unknown"),
        (kinesis('{"StreamName": "a", "Records": [%s]}' % record.replace('"1"', "1")), "is no string"),
        (line("s3", "GET", "/bucket?tagging&x-id=GetBucketTagging"), None),
        (line("s3", "GET", "/bucket?list-type=2&max-keys=many"), "is no integer"),
        (line("s3", "GET", "/bucket?list-type=2&limit=3"), "is unknown"),
        (line("s3", "DELETE", "/bucket", x_amz_owner="1"), "is unknown"),
        (line("s3", "POST", "/bucket?delete", body="<Delete><Object><Name>a</Name></Object></Delete>"), "document"),
        (line("lambda", "GET", "/2015-03-31/functions/a/configuration"), None),
        (line("lambda", "PUT", "/2015-03-31/functions/a/code", body='{"S3Bucket": "a"}'), "at least 3"),
        (line("lambda", "PUT", "/2015-03-31/functions/a/code", body='{"DryRun": "no"}'), "is no boolean"),
        (line("lambda", "GET", "/2015-03-31/function/a"), "is no operation"),
        (metrics("GetMetricData", {"MetricDataQueries": [], "StartTime": now, "EndTime": now}), None),
        (metrics("GetMetricData", {"MetricDataQueries": [], "StartTime": now}), "is missing"),
        (metrics("GetMetricData", {"MetricDataQueries": [], "StartTime": 1, "EndTime": now}), "is no timestamp"),
        (metrics("GetMetricDatum", {}), "is no operation"),
        (tagging("GetResources", '{"ResourcesPerPage": 100}'), None),
        (tagging("GetResources", '{"Pages": 100}'), "is unknown"),
        (line("nowhere"), "is unknown"),
    ]
    models = Models()
    for number, (case, wanted) in enumerate(cases):
        *_, found = check(models, case)
        is_right = not found if wanted is None else any(wanted in violation for violation in found)
        assert is_right, f"case {number}: {found}, not {wanted}"
    print(f"{len(cases)} cases are told apart")
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else validate(sys.argv[1:]))
