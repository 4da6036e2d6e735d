#!/bin/bash
# The table of directives in README.md is made from the settings table.
# readme.sh PROGRAM checks that it is current; --write PROGRAM renews it.

set -eu
cd "$(dirname "$0")/../.."

write=
[ "$1" = --write ] && write=yes && shift

begin='<!-- directives: made by "make readme" -->'
end='<!-- end of directives -->'
new=$(mktemp)
trap 'rm -f "$new"' EXIT

for mark in "$begin" "$end"; do
    if ! grep -qxF -- "$mark" README.md; then
        echo "README.md has lost its line: $mark" >&2
        exit 1
    fi
done

{
    sed "/^$begin\$/q" README.md
    echo
    "$1"
    echo
    sed -n "/^$end\$/,\$p" README.md
} >"$new"

cmp -s "$new" README.md && exit 0
if [ -n "$write" ]; then
    cat "$new" >README.md
    exit 0
fi
echo 'README.md: the table of directives is old: run "make readme"' >&2
diff -u README.md "$new" | head -20 >&2
exit 1
