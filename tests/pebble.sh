#!/bin/bash
# Fetches the newest Pebble that Debian has, from the suite "sid", and prints
# the path of its binary: PEBBLE=$(tests/pebble.sh) prove t/acme_http01.t
#
# Only the one package is unpacked, below build/pebble; apt's own state and
# the packages of this machine stay as they are. The sources are those that
# this machine uses, with another suite.

set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

suite=${1:-sid}
apt=$PWD/build/apt
out=$PWD/build/pebble
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
    echo "tests/pebble.sh: $1" >&2
    exit 1
}

# The first URI of a Debian archive, from either form of apt's sources.
archive() {
    local file
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] || continue
        sed -n 's/^URIs: *\([^ ]*\).*/\1/p' "$file"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -e "$file" ] || continue
        sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' "$file"
    done
}

uri=$(archive | grep -E '/debian/?$' | head -n 1)
[ -n "$uri" ] || fail 'no Debian archive among the sources of apt'
[ -e "$keyring" ] || fail "$keyring is missing"

mkdir -p "$apt"/{lists/partial,cache/archives/partial} "$out"
: >"$apt/status"
echo "deb [signed-by=$keyring] $uri $suite main" >"$apt/sources.list"
options=(
    -o "Dir::State=$apt"
    -o "Dir::State::lists=$apt/lists"
    -o "Dir::State::status=$apt/status"
    -o "Dir::Cache=$apt/cache"
    -o "Dir::Etc::sourcelist=$apt/sources.list"
    -o Dir::Etc::sourceparts=/dev/null
    -o Dir::Etc::preferences=/dev/null
    -o Dir::Etc::preferencesparts=/dev/null
    -o APT::Sandbox::User=root
    -o Acquire::Languages=none
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
    -o Acquire::Retries=1
)

log=$apt/log
if ! apt-get "${options[@]}" update >"$log" 2>&1 ||
    ! (cd "$apt" && rm -f -- *.deb &&
        apt-get "${options[@]}" download pebble) >>"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "Debian $suite has no Pebble to offer here"
fi
rm -rf "$out"
dpkg -x "$apt"/pebble_*.deb "$out"

binary=$out/usr/bin/pebble
[ -x "$binary" ] || fail "there is no $binary in the package"
# A binary of a later Debian may want a later C library.
if ldd "$binary" 2>&1 | grep -E 'not found' >&2; then
    rm -rf "$out"
    fail 'it does not run on this version of Debian'
fi
echo "$binary"
