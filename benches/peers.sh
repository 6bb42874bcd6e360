#!/usr/bin/env bash
# The tool beside its peers on the local cloud, in one run: `up` + `down` and an `up` with nothing to change, beside a
# bare SDK program (benches/bare) and the aws cli; how many calls each of them makes; and the start of the binary.
# Needs hyperfine (Debian's package); takes the aws cli from PyPI. Machines are noisy: quote ratios from one run.
#
#   benches/peers.sh           10 runs of each, or as many as RUNS says
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
cargo build --quiet --release --locked -p kinesis-stack -p kinesis-stack-bare
work=$(mktemp -d)
# Copies: whatever is built meanwhile changes nothing.
mkdir "$work/bin"
cp target/release/kinesis-stack target/release/bare "$work/bin/"
tool=$work/bin/kinesis-stack
bare=$work/bin/bare
mkdir -p "$work/cache/local" target/local-install target/tmp/processor
ln -s "$root/target/local-install" "$work/cache/local/install"
ln -s "$root/target/tmp/processor" "$work/cache/processor"
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export KINESIS_STACK_CACHE_DIR=$work/cache HOME=$work AWS_EC2_METADATA_DISABLED=true NO_PROXY=127.0.0.1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
unset AWS_PROFILE AWS_ENDPOINT_URL KINESIS_STACK_ENV KINESIS_STACK_CONFIG
trap '"$tool" local stop >/dev/null 2>&1; rm -rf "$work"' EXIT

cli=target/awscli
[ -x "$cli/bin/aws" ] || { python3 -m venv "$cli" && "$cli/bin/pip" install --quiet awscli==1.46.3; }
aws=$root/$cli/bin/aws

# Other environments keep the local cloud alive between the runs, with the processor built and uploaded. Each way
# works on stacks of its own.
"$tool" up --local --env other --yes >/dev/null
"$tool" up --local --env same --yes >/dev/null
field() {
    python3 -c 'import json, sys; value = json.load(sys.stdin)
for name in sys.argv[1:]: value = value[name]
print(value)' "$@"
}
endpoint=$("$tool" local status --output json | field endpoint)
key=$("$tool" status --local --env other --output json | field outputs ProcessorKey)
bucket=kinesis-stack-artifacts-000000000000-us-east-1
# Their buckets go with their stacks: `down` empties ours and removes it, which nobody does for them.
for name in bare cli unchanged; do
    "$tool" render --env "$name" | sed 's/RetainExceptOnCreate/Delete/' >"$work/$name.yaml"
done

# One script a way; the endpoint is its argument.
cat >"$work/ours" <<END
#!/bin/sh
set -e
"$tool" up \$1 --env ours --yes
"$tool" down \$1 --env ours --yes
END
cat >"$work/ours-unchanged" <<END
#!/bin/sh
"$tool" up \$1 --env same --yes
END
cat >"$work/bare" <<END
#!/bin/sh
"$bare" cycle kinesis-stack-bare "$work/bare.yaml" $bucket $key
END
cat >"$work/bare-unchanged" <<END
#!/bin/sh
"$bare" unchanged kinesis-stack-unchanged "$work/unchanged.yaml" $bucket $key
END
cat >"$work/cli" <<END
#!/bin/sh
set -e
"$aws" cloudformation deploy --template-file "$work/cli.yaml" --stack-name kinesis-stack-cli \
    --parameter-overrides ProcessorBucket=$bucket ProcessorKey=$key --capabilities CAPABILITY_NAMED_IAM
"$aws" cloudformation delete-stack --stack-name kinesis-stack-cli
"$aws" cloudformation wait stack-delete-complete --stack-name kinesis-stack-cli
END
chmod +x "$work"/{ours,ours-unchanged,bare,bare-unchanged,cli}
AWS_ENDPOINT_URL=$endpoint "$bare" make kinesis-stack-unchanged "$work/unchanged.yaml" "$bucket" "$key"

# What each calls, written down on its way: the tool takes the endpoint as it takes AWS's there, not as --local.
calls() {
    local name=$1 proxy
    rm -f "$work/calls" "$work/address"
    # The proxy's standard input stays open for as long as this holds it.
    mkfifo "$work/hold"
    exec 9<>"$work/hold"
    python3 scripts/record_requests.py "$endpoint" "$work/calls" <"$work/hold" >"$work/address" 9>&- &
    proxy=$!
    while [ ! -s "$work/address" ]; do sleep 0.05; done
    AWS_ENDPOINT_URL=$(cat "$work/address") "$work/$name" "" >/dev/null 2>&1 9>&-
    kill "$proxy"
    wait "$proxy" 2>/dev/null || true
    exec 9>&-
    rm "$work/hold"
    printf '%-16s %3s calls\n' "$name" "$(wc -l <"$work/calls")"
}

export AWS_ENDPOINT_URL=$endpoint
hyperfine --warmup 2 --runs "${RUNS:-10}" --export-json "$work/times.json" \
    -n 'ours' "$work/ours --local" -n 'bare' "$work/bare" -n 'cli' "$work/cli" \
    -n 'ours-unchanged' "$work/ours-unchanged --local" -n 'bare-unchanged' "$work/bare-unchanged"
for name in ours bare cli ours-unchanged bare-unchanged; do calls "$name"; done
python3 - "$work/times.json" <<'END'
import json
import sys

times = {it["command"]: it["median"] for it in json.load(open(sys.argv[1]))["results"]}
print("medians of one run:", ", ".join(f"{name} {1000 * time:.0f} ms" for name, time in times.items()))
cycle, unchanged = times["ours"] / times["bare"], times["ours-unchanged"] / times["bare-unchanged"]
print(f"up + down: {cycle:.2f} x the bare program (at most 3), 1/{times['cli'] / times['ours']:.1f} of the aws cli")
print(f"up with nothing to change: {unchanged:.2f} x (at most 2)")
sys.exit(cycle > 3 or unchanged > 2)
END
unset AWS_ENDPOINT_URL
hyperfine --warmup 3 -N "$tool --help" "$tool render"
ls -l "$tool" "$bare"
