#!/bin/bash
# All checks, a line for each stage; what a stage printed is shown when it
# fails. The closing lines of the test runners are always shown.

set -u
cd "$(dirname "$0")/.."

make=${MAKE:-make}
jobs=$(nproc)
logs=build/check
passed=0

stage() {
    local name=$1 log=$logs/${1// /-}.log begin=$SECONDS
    shift
    printf '== %s ... ' "$name"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        printf 'FAILED\n'
        cat "$log"
        echo "check: failed at: $name ($passed stages passed before it)"
        exit 1
    fi
    printf 'ok (%d s)\n' $((SECONDS - begin))
    passed=$((passed + 1))
}

build() {
    $make --no-print-directory -j"$jobs" "$@"
}

unit_tests() {
    local test failed=0
    for test in $($make -s --no-print-directory unit-list); do
        echo "-- $test"
        "$test" || failed=1
    done
    return $failed
}

# The last lines of a log that show how many tests ran and passed.
closing_lines() {
    grep -E '^\[( *PASSED *|=+)\].*(run\.|test)' "$logs/$1.log" |
        grep -v 'Running'
}

# The newest Pebble has what the one in PATH may lack: profiles and renewal
# information. Without it the tests of these are skipped, and that is said.
find_newest_pebble() {
    newest=$PWD/build/pebble/usr/bin/pebble
    if ! [ -x "$newest" ] &&
        ! newest=$(tests/pebble.sh 2>"$logs/pebble.log"); then
        newest=
        echo "== no newer Pebble, ARI and profiles are not tested:" \
            "$(tail -n 1 "$logs/pebble.log")"
    fi
}

# Tests wait more than they compute: more of them than there are cores. A test
# that passes prints nothing to its standard error: prove would wait for its
# next line, and start no other test before that.
run_features() {
    local long='t/both_servers.t t/acme_crash.t t/acme_renewal_crash.t
        t/apache_life.t' others
    # the long ones first: none is alone at the end
    others=$(ls t/*.t | grep -vxF "$(printf '%s\n' $long $under_load)")
    ACME_SERVER=$1 ACME_HELPER="$PWD/build/$2" PEBBLE=$3 prove -j6 $long $others
}

# feature_tests NAME SERVER HELPER PEBBLE: all of t/, and prove's closing lines.
feature_tests() {
    stage "$1" run_features "$2" "$3" "$4"
    tail -n 3 "$logs/${1// /-}.log"
}

# This one takes all that the machine has, for minutes: once for each server,
# and beside no other test.
under_load='t/acme_renew_under_load.t'

run_under_load() {
    local server pids= failed=0
    for server in nginx httpd; do
        ACME_SERVER=$server ACME_HELPER="$PWD/build/acme-helper" \
            PEBBLE=$newest prove -v $under_load &
        pids="$pids $!"
    done
    for server in $pids; do
        wait "$server" || failed=1
    done
    return $failed
}

mkdir -p "$logs"
# Leaks of short-lived programs count; reports go to the log they run under.
export UBSAN_OPTIONS=print_stacktrace=1

stage 'packages' tests/deps.sh
stage 'build with gcc' build all
stage 'build with clang' build BUILD=build/clang-check CC=clang all
stage 'build with sanitizers' build helper-asan crash-shim unit fuzz
stage 'lint' build lint
stage 'unit tests' unit_tests
closing_lines unit-tests
stage 'fuzzers' build fuzz-check
# Every test runs with either Pebble on either server.
find_newest_pebble
feature_tests 'feature tests on nginx with sanitizers' nginx \
    acme-helper-asan "$newest"
feature_tests 'feature tests on httpd with sanitizers' httpd \
    acme-helper-asan "$newest"
feature_tests 'feature tests on nginx' nginx acme-helper ''
feature_tests 'feature tests on httpd' httpd acme-helper ''
stage 'renewals under load' run_under_load
grep -E '^Files=|^Result:|^ok .* (fail|of) ' "$logs/renewals-under-load.log"
