#!/usr/bin/env bash
# Brings an environment up, sends records through it and tears it down, again and again on one local cloud: nothing
# may be left after any round, and nothing of ours may grow. Needs Python 3 with venv, on Linux; ends with 1 where
# something is left or grew. A round takes some seconds.
#
#   scripts/soak.sh [ROUNDS]      200 rounds, or as many as ROUNDS says
#
# The binary is the one that KINESIS_STACK names, else target/release/kinesis-stack, else target/debug/kinesis-stack.
set -euo pipefail
named=${KINESIS_STACK:+$(realpath "$KINESIS_STACK")}
cd "$(dirname "$0")/.."
for binary in "$named" target/release/kinesis-stack target/debug/kinesis-stack; do
    [ ! -x "$binary" ] || break
done
[ -x "$binary" ] || { echo 'no kinesis-stack is built: cargo build' >&2; exit 1; }
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
unset AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL KINESIS_STACK_ENV KINESIS_STACK_CONFIG
exec python3 scripts/soak.py "$binary" "${1:-200}"
