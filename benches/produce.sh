#!/usr/bin/env bash
# The producer beside boto3's put_records and a program on the bare SDK, in one run, against a PutRecords server of our
# own (benches/produce/server) that answers at once. Each makes the same kind of trades and sends them, 500 a call. Then
# ours alone against the same server that takes what four shards take. It prints wall time, the client's CPU and memory,
# records a second of that CPU, how much of a core the server used (it is no bottleneck below 100 %), and fails where
# ours isn't as far ahead as is promised, or uses four shards to less than nine tenths. Machines are noisy: quote ratios
# from one run.
#
# Needs Python, `unshare`, and PyPI for boto3, which goes into target/boto3. Nothing reaches the network meanwhile:
# server and clients see nothing but a loopback of their own.
#
#   benches/produce.sh                   300,000 records by ours, a third of that by boto3, or as many as RECORDS says
#   benches/produce.sh --profile dev     the same with what another profile builds; the promises are those of releases
set -euo pipefail
cd "$(dirname "$0")/.."
profile=release
if [ "${1:-}" = --profile ]; then profile=$2; fi
cargo build --quiet --locked --profile "$profile" -p kinesis-stack-producing
built=target/$profile
if [ "$profile" = dev ]; then built=target/debug; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Copies: whatever is built meanwhile changes nothing.
cp "$built"/producing-{bare,client,server} "$work/"

python=target/boto3
[ -x "$python/bin/python3" ] || python3 -m venv "$python"
"$python/bin/pip" install --quiet boto3

export PYTHONPATH=benches PYTHONDONTWRITEBYTECODE=1
# shellcheck disable=SC2016 # expanded inside
unshare --map-root-user --net bash -c 'ip link set lo up && exec python3 "$@"' compare \
    benches/produce/compare.py "$work" "$PWD/$python/bin/python3" "${RECORDS:-300000}"
