#!/usr/bin/env bash
# Holds every request that the tool sends against AWS's own models of its services, as botocore publishes them:
# those that it sends to the local cloud and to a simulated account, written down on the way there, and those of the
# engine's tests. Needs Python 3 with venv and PyPI; ends with 1 on any violation.
#
#   scripts/validate.sh           all of it
#   scripts/validate.sh binary    without the tests
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export CARGO_TERM_COLOR=never INSTA_UPDATE=no AWS_EC2_METADATA_DISABLED=true NO_PROXY=127.0.0.1
unset AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL KINESIS_STACK_ENV KINESIS_STACK_CONFIG

venv=target/botocore
python=$root/$venv/bin/python
pins=(botocore==1.44.8 cbor2==6.3.0 regex==2026.11.19)
if [ "$(cat "$venv/pins" 2>/dev/null)" != "${pins[*]}" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${pins[@]}"
    echo "${pins[*]}" >"$venv/pins"
fi
"$python" scripts/validate_requests.py --self-test

cargo build --quiet --locked
cargo test --quiet --locked --no-run
work=$(mktemp -d)
records=$work/records
mkdir "$records" "$work/bin" "$work/home"
# Copies: whatever is built meanwhile changes nothing.
cp target/debug/kinesis-stack target/debug/simulated-aws "$work/bin/"
# Of a copy of this name the local cloud's processes are found and ended.
tool=$work/bin/kinesis-stack
cache=$work/home/cache
mkdir -p "$cache/local" target/local-install target/tmp/processor
ln -s "$root/target/local-install" "$cache/local/install"
ln -s "$root/target/tmp/processor" "$cache/processor"
export KINESIS_STACK_CACHE_DIR=$cache
printf '#!/bin/sh\n' >"$work/home/bootstrap"

children=()
clean_up() {
    "$tool" local stop >/dev/null 2>&1 || true
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT
cd "$work/home"
# What servers have as their standard input: open for as long as we are there.
mkfifo "$work/open"
exec 9<>"$work/open"

# Starts a server that tells its address in its first line, with a standard input that stays open.
serve() {
    local out=$work/server.${#children[@]}
    "$@" <"$work/open" >"$out" 9>&- &
    children+=($!)
    for ((tenth = 0; tenth < 100; tenth++)); do
        [ ! -s "$out" ] || break
        sleep 0.1
    done
    address=$(head -1 "$out")
}

# Runs one verb, which has to end with this exit code.
verb() {
    local wanted=$1 code=0
    shift
    "$tool" "$@" >"$work/out" 2>&1 9>&- || code=$?
    if [ "$code" != "$wanted" ]; then
        echo "kinesis-stack $*: exit code $code, not $wanted" >&2
        cat "$work/out" >&2
        exit 1
    fi
}

on_the_local_cloud() {
    # Another environment keeps the local cloud alive.
    verb 0 up --local --env other --yes
    local endpoint
    endpoint=$("$tool" local status --output json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["endpoint"])')
    serve python3 "$root/scripts/record_requests.py" "$endpoint" "$records/local.jsonl" ministack
    export AWS_ENDPOINT_URL=$address AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
    verb 0 up --yes --protect
    verb 0 produce --records 100 --seed 7
    verb 0 results --wait 100 --timeout 2m
    verb 0 results --errors
    verb 0 results download downloaded
    verb 0 consume --from trim-horizon --records 100
    verb 0 logs
    verb 0 plan --shards 2
    verb 0 up --yes
    verb 0 up --yes --no-protect --log-retention 14d
    verb 0 up --yes --ephemeral --ttl 4h
    verb 0 extend 2h
    # A second one with the newest code, whatever the first was given.
    verb 0 up --yes --code-only --processor bootstrap
    verb 0 status
    verb 0 status --drift
    verb 0 list
    verb 0 reap --dry-run
    verb 0 down --yes --export exported --proof proof.json
    verb 0 down --yes
    unset AWS_ENDPOINT_URL
    "$tool" local stop >/dev/null
}

in_a_simulated_account() {
    serve "$work/bin/simulated-aws" --speed 1000
    serve python3 "$root/scripts/record_requests.py" "$address" "$records/account.jsonl" account
    export AWS_ENDPOINT_URL=$address AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
    local own=(--processor bootstrap)
    verb 0 up --yes "${own[@]}"
    verb 0 plan "${own[@]}" --shards 2
    verb 0 up --yes "${own[@]}" --shards 2 --role-arn arn:aws:iam::123456789012:role/deployer
    verb 0 up --yes "${own[@]}" --shards 2 --heal
    verb 0 up --yes "${own[@]}" --shards 2 --protect
    verb 5 down --yes
    verb 0 up --yes "${own[@]}" --shards 2 --no-protect
    verb 0 up --yes "${own[@]}" --shards 2 --express --ephemeral --ttl 4h
    printf '#!/bin/sh\nexit\n' >bootstrap
    verb 0 up --yes "${own[@]}" --code-only
    verb 0 status
    verb 0 status --drift
    verb 0 list --all-regions
    verb 0 extend 2h
    verb 0 extend none
    verb 0 produce --records 100 --seed 7
    verb 0 consume --from trim-horizon --records 100
    verb 0 logs
    verb 0 reaper up --yes
    verb 0 reaper status
    verb 0 reap --dry-run
    verb 0 reaper down --yes
    verb 0 down --keep-data
    verb 0 up --yes "${own[@]}" --adopt
    verb 0 down --yes
    verb 0 down --yes
}

# Told to stop in the middle of a creation, it takes back what it began.
in_a_slower_account() {
    serve "$work/bin/simulated-aws" --speed 8
    serve python3 "$root/scripts/record_requests.py" "$address" "$records/slower.jsonl" account
    export AWS_ENDPOINT_URL=$address
    "$tool" up --yes --processor bootstrap --output json >"$work/stopped" 2>&1 9>&- &
    local up=$! code=0
    for ((tenth = 0; tenth < 300; tenth++)); do
        ! grep -q '"operation-started"' "$work/stopped" || break
        sleep 0.1
    done
    kill -INT "$up"
    wait "$up" || code=$?
    [ "$code" = 130 ] || { cat "$work/stopped" >&2; echo "exit code $code, not 130" >&2; exit 1; }
}

# A creation that fails and is rolled back, then one that clears the failed stack first: the recordings' accounts.
in_an_account_where_something_fails() {
    local accounts
    accounts=$(cd "$root" && cargo test --locked --no-run --test terminal 2>&1 |
        sed -n 's/.*Executable.*(\(.*\))$/\1/p' | tail -1)
    unset AWS_ENDPOINT_URL
    SCENARIO=failure ENDPOINT_FILE=$work/endpoint "$root/$accounts" --ignored --exact account --nocapture \
        <"$work/open" >/dev/null 2>&1 9>&- &
    children+=($!)
    for ((tenth = 0; tenth < 300; tenth++)); do
        [ ! -s "$work/endpoint" ] || break
        sleep 0.1
    done
    serve python3 "$root/scripts/record_requests.py" "$(cat "$work/endpoint")" "$records/failing.jsonl" account
    export AWS_ENDPOINT_URL=$address
    verb 4 up --yes --processor bootstrap
    verb 4 up --yes --processor bootstrap
    verb 0 down --yes
}

tests() {
    # Whether they pass isn't asked here: what they sent is.
    (cd "$root" && SIMULATED_AWS_RECORD=$records cargo test --quiet --locked --no-fail-fast --test engine --test data >"$work/tests" 2>&1) ||
        tail -20 "$work/tests"
}

on_the_local_cloud
echo "the local cloud: $SECONDS s"
in_a_simulated_account
in_a_slower_account
echo "simulated accounts: $SECONDS s"
in_an_account_where_something_fails
echo "an account where something fails: $SECONDS s"
if [ "${1:-}" != binary ]; then
    tests
    echo "the engine's tests: $SECONDS s"
fi
"$python" "$root/scripts/validate_requests.py" "$records"/*.jsonl
