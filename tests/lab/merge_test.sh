#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A campaign run in shards and joined gives the bytes of the same campaign run at once. merge_test.sh MESHNET_LAB
set -euo pipefail
lab=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

same() { # same NAME SHARDS COMMAND...: the command takes --shard i/n
    local name=$1 shards=$2 i
    shift 2
    "$lab" "$@" --json --quiet >"$name.whole" || [ $? -eq 1 ] # 1: a rule was broken, which is not the question here
    for ((i = shards - 1; i >= 0; --i)); do
        "$lab" "$@" --quiet --shard "$i/$shards" >"$name.$i"
    done
    "$lab" merge "$name".[0-9]* >"$name.joined" || [ $? -eq 1 ]
    [ -s "$name.whole" ] && cmp "$name.whole" "$name.joined"
    cat "$name".[0-9]* | "$lab" merge - >"$name.piped" || [ $? -eq 1 ]
    cmp "$name.whole" "$name.piped"
}

same mac 3 mac --stations 3 --seconds 2 --warmup 4 --seeds 4
same hostile 2 hostile --seeds 3 --seconds 2 --nodes 5
same sweep 3 sweep --mode qpsk-1/2 --snr-db 0:1:2 --frames 40 --payload 100

refuses() { # refuses PATTERN COMMAND...: exit code 2 and one line
    local pattern=$1 code=0
    shift
    "$lab" "$@" >out 2>err || code=$?
    [ $code -eq 2 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "$pattern" err || {
        printf 'meshnet-lab %s: code %s, expected 2 and %s\n' "$*" "$code" "$pattern" >&2
        cat err >&2
        exit 1
    }
}
refuses "1 of 4 items are missing" merge mac.0 mac.2
refuses "is in two shards" merge mac.0 mac.0 mac.1 mac.2
refuses "not of one campaign" merge mac.0 hostile.1
echo "no JSON" >junk
refuses "does not hold one JSON" merge junk
refuses "not what a campaign" merge mac.whole
refuses "cannot read 'nothing'" merge nothing
refuses "write i/n" mac --shard 2/2
refuses "write i/n" hostile --shard 1
refuses "min-errors must be 0" sweep --mode qpsk-1/2 --snr-db 1 --min-errors 5 --shard 0/2
