#!/bin/bash
# Runs a fuzzer for some seconds from its seeds: tests/fuzz.sh PROGRAM SECONDS

set -u
cd "$(dirname "$0")/.."

program=$1
seconds=$2
name=$(basename "$program")
name=${name#fuzz_}
found=build/fuzz/found/$name
log=build/fuzz/$name.log
options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024
    -print_final_stats=1 -artifact_prefix="build/fuzz/crash-$name-")

mkdir -p "$found"
[ -f "tests/fuzz/$name.dict" ] && options+=(-dict="tests/fuzz/$name.dict")
[ -d "tests/fuzz/corpus/$name" ] && seeds=tests/fuzz/corpus/$name

if ! "$program" "${options[@]}" "$found" ${seeds:+"$seeds"} >"$log" 2>&1; then
    cat "$log"
    exit 1
fi
printf '%s: %s executions\n' "$name" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
