# Deploys a function to the server and calls it, so that the server has a child, which has a child too.
# Neither of them ends by itself when the server dies. Prints the answer: the function's environment.
import base64, io, json, sys, urllib.request, zipfile
endpoint = sys.argv[1]
bootstrap = f"""#!{sys.executable}
import json, os, subprocess, time, urllib.request
subprocess.Popen(["/bin/sleep", "1000"])
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    try:
        with urllib.request.urlopen(base + "next") as event:
            id = event.headers["Lambda-Runtime-Aws-Request-Id"]
        answer = json.dumps(dict(os.environ)).encode()
        urllib.request.urlopen(base + id + "/response", data=answer).read()
    except Exception:
        time.sleep(1)
"""
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as zip:
    info = zipfile.ZipInfo("bootstrap"); info.external_attr = 0o755 << 16
    zip.writestr(info, bootstrap)
auth = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/lambda/aws4_request"
def call(path, body):
    request = urllib.request.Request(endpoint + path, json.dumps(body).encode(), {"Authorization": auth})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return direct.open(request, timeout=30).read().decode()
call("/2015-03-31/functions", {"FunctionName": "f", "Runtime": "provided.al2023", "Handler": "bootstrap",
    "Role": "arn:aws:iam::000000000000:role/r", "Timeout": 20,
    "Code": {"ZipFile": base64.b64encode(code.getvalue()).decode()}})
print(call("/2015-03-31/functions/f/invocations", {}))
