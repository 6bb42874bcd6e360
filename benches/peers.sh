#!/usr/bin/env bash
# `up` + `down` on the local cloud beside `aws cloudformation deploy` + `delete-stack` + `wait`, and the start of the
# binary, in one run. Needs hyperfine (Debian's package) and a release build; takes the aws cli from PyPI.
# Machines are noisy: quote ratios from one run.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$PWD/target/release/kinesis-stack
work=$(mktemp -d)
export KINESIS_STACK_CACHE_DIR=$work/cache HOME=$work AWS_EC2_METADATA_DISABLED=true
trap '"$tool" local stop >/dev/null 2>&1; rm -rf "$work"' EXIT

cli=target/awscli
[ -x "$cli/bin/aws" ] || { python3 -m venv "$cli" && "$cli/bin/pip" install --quiet awscli==1.46.3; }
aws=$PWD/$cli/bin/aws

# Another environment keeps the local cloud alive between the runs, with the processor built and uploaded.
"$tool" up --local --env other --yes >/dev/null
endpoint=$("$tool" local status --output json | python3 -c 'import json, sys; print(json.load(sys.stdin)["endpoint"])')
key=$("$tool" status --local --env other --output json | python3 -c 'import json, sys; print(json.load(sys.stdin)["outputs"]["ProcessorKey"])')
"$tool" render --env cli >"$work/template.yaml"

cat >"$work/ours" <<END
#!/bin/sh
set -e
"$tool" up --local --env ours --yes
"$tool" down --local --env ours --yes
END
cat >"$work/cli" <<END
#!/bin/sh
set -e
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=$endpoint
"$aws" cloudformation deploy --template-file "$work/template.yaml" --stack-name kinesis-stack-cli \
    --parameter-overrides ProcessorBucket=kinesis-stack-artifacts-000000000000-us-east-1 ProcessorKey=$key \
    --capabilities CAPABILITY_NAMED_IAM
"$aws" cloudformation delete-stack --stack-name kinesis-stack-cli
"$aws" cloudformation wait stack-delete-complete --stack-name kinesis-stack-cli
END
chmod +x "$work/ours" "$work/cli"
hyperfine --warmup 1 --runs "${RUNS:-10}" -n 'kinesis-stack up + down' "$work/ours" -n 'aws deploy + delete + wait' "$work/cli"
hyperfine --warmup 3 -N "$tool --help" "$tool render"
ls -l "$tool"
