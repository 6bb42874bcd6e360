#!/usr/bin/env bash
# Records what people see on a terminal: the built binary against a simulated account, inside tmux, at 80 and 140
# columns, with and without colour. Times and ids are normalised; the recordings go to tests/terminal/snapshots/.
#
#   tests/terminal/record.sh [SCENARIO]…
#
# Needs tmux. Takes some minutes, and ends everything that it starts.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/../.."

scenarios=("$@")
[ $# -gt 0 ] || scenarios=(creation replacement failure recovery cancel cancelled-update
    results stats watch smoke-stream smoke-delivery smoke-transform smoke-bucket)
snapshots=$PWD/tests/terminal/snapshots
work=$(mktemp -d)
mkdir -p "$snapshots" "$work/bin"

# Each recording is a tmux server of its own, with the account in one of its sessions: ending it ends both.
clean_up() {
    local socket
    for socket in "$work"/*.tmux; do
        [ ! -S "$socket" ] || tmux -S "$socket" kill-server 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT

cargo test --no-run -p kinesis-stack --test terminal 2>"$work/build" || { cat "$work/build"; exit 1; }
# Copies: whatever is built meanwhile doesn't change what is recorded. The account's program runs the binary, too.
cp "$(sed -n 's/.*Executable.*(\(.*\))$/\1/p' "$work/build" | tail -1)" "$work/bin/accounts"
cp target/debug/kinesis-stack "$work/bin/kinesis-stack"
printf '#!/bin/sh\n' >"$work/bootstrap"

# Times, ids and the frame of a spinner differ from run to run.
normalised() {
    sed -E -e 's/\x1b/␛/g' -e 's/^((␛\[[0-9;]*m)*  )[⠁⠉⠙⠚⠒⠂⠲⠴⠤⠄⠠⠦⠖⠐⠓⠋⠈]/\1⠿/' -e 's/ +$//' \
        -e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/g' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?/DATE/g' \
        -e 's/[0-9]{2}:[0-9]{2}:[0-9]{2}/HH:MM:SS/g' \
        -e 's/([ (m])([0-9]+m [0-9]{2}s|[0-9]+(\.[0-9])?s|[0-9]+m$)/\1TIME/g' |
        sed -e :again -e '/^\n*$/{$d;N;b again' -e '}'
}

# What the recorded terminal shows, what scrolled off its top included.
shown() {
    tmux -S "$1" capture-pane -p -S - "${@:2}" -t recorded
}

# Waits until the terminal shows this, for at most so many seconds.
until_shown() {
    local socket=$1 pattern=$2 seconds=$3
    for ((tenth = 0; tenth < seconds * 10; tenth++)); do
        shown "$socket" | grep -qE "$pattern" && return
        sleep 0.1
    done
    shown "$socket" >&2
    echo "never shown: $pattern" >&2
    return 1
}

told_to_stop() {
    sleep 1
    tmux -S "$1" send-keys -t recorded C-c
    until_shown "$1" "$2" 60
}

record() {
    local scenario=$1 columns=$2 rows=$3 colour=$4 name=$1-$2-$4
    local socket=$work/$name.tmux endpoint=$work/$name.endpoint shape=() colours=never
    [ "$colour" = plain ] || { colours=always; shape=(-e); }
    local clean=(env -i HOME="$work" PATH="$work/bin:/usr/bin:/bin" LANG=C.UTF-8 TERM=screen-256color
        KINESIS_STACK_CACHE_DIR="$work/cache" AWS_EC2_METADATA_DISABLED=true NO_PROXY=127.0.0.1
        AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test "PS1=\$ ")

    tmux -S "$socket" -f /dev/null new-session -d -s account -c "$work" \
        "${clean[@]}" SCENARIO="$scenario" ENDPOINT_FILE="$endpoint" accounts --ignored --exact account --nocapture
    for ((tenth = 0; tenth < 1200; tenth++)); do
        [ ! -e "$endpoint" ] || break
        sleep 0.1
    done
    tmux -S "$socket" new-session -d -s recorded -x "$columns" -y "$rows" -c "$work" \
        "${clean[@]}" AWS_ENDPOINT_URL="$(cat "$endpoint")" sh
    until_shown "$socket" '^\$ ?$' 30
    local typed until
    case $scenario in
        results)
            typed="kinesis-stack produce --records 40 --seed 7 --color $colours && kinesis-stack results --wait 40"
            until='landed'
            ;;
        stats)
            typed="kinesis-stack produce -q --rate 100 --duration 30s --seed 7 & kinesis-stack consume --from trim-horizon --stats --records 2000"
            until='Most popular stock being sold'
            ;;
        watch)
            typed="kinesis-stack produce -q --rate 20 --duration 15m & sleep 240; kinesis-stack watch"
            until='[0-9]/min'
            ;;
        smoke-*) typed="kinesis-stack smoke" until='[Ww]aiting|broken' ;;
        *) typed="kinesis-stack up --yes --processor bootstrap" until='waiting for [A-Z]' ;;
    esac
    tmux -S "$socket" send-keys -t recorded \
        "clear; $typed --region us-east-1 --color $colours; echo exit \$?" Enter

    until_shown "$socket" "$until" 400
    # What is shown half way: the way back, where it is told to stop, else the waiting.
    case $scenario in
        cancel) told_to_stop "$socket" DELETE_IN_PROGRESS ;;
        cancelled-update) told_to_stop "$socket" UPDATE_ROLLBACK_IN_PROGRESS ;;
        watch) sleep 12 ;;
        *) sleep 1.5 ;;
    esac
    shown "$socket" "${shape[@]}" | normalised >"$snapshots/$name-half-way.txt"
    [ "$scenario" != watch ] || tmux -S "$socket" send-keys -t recorded q
    until_shown "$socket" '^exit [0-9]' 900
    shown "$socket" "${shape[@]}" | normalised >"$snapshots/$name-at-the-end.txt"
    tmux -S "$socket" kill-server
    echo "recorded $name"
}

for scenario in "${scenarios[@]}"; do
    recordings=()
    for colour in plain colour; do
        record "$scenario" 80 24 "$colour" &
        recordings+=($!)
        record "$scenario" 140 40 "$colour" &
        recordings+=($!)
    done
    for recording in "${recordings[@]}"; do
        wait "$recording"
    done
done
