#!/bin/bash
# A folder includes only from folders below it. FOLDERS, from the Makefile,
# lists them from the bottom up; folders of the same row stand beside each
# other in it and still do not include each other upwards.

set -u
cd "$(dirname "$0")/../.."

order=($FOLDERS helper)
failed=0

fail() {
    echo "$1" >&2
    failed=1
}

rank() {
    local i
    for i in "${!order[@]}"; do
        [ "${order[$i]}" = "$1" ] && echo "$i" && return
    done
    echo -1
}

# agent and keeper are the two sides of a wall: neither includes the other.
forbidden() {
    case "$1 $2" in
    'keeper agent' | 'agent keeper') return 0 ;;
    esac
    return 1
}

while IFS=: read -r file line text; do
    folder=${file#acme_core/}
    folder=${folder%%/*}
    wanted=${text#*\"}
    wanted=${wanted%%/*}
    [ "$folder" = include ] && continue
    from=$(rank "$folder")
    to=$(rank "$wanted")
    if [ "$from" -lt 0 ]; then
        fail "$file: folder $folder is not in FOLDERS of the Makefile"
    elif [ "$to" -lt 0 ]; then
        fail "$file:$line: include as \"folder/file.h\", of a known folder"
    elif [ "$to" -gt "$from" ] || forbidden "$folder" "$wanted"; then
        fail "$file:$line: $folder must not include from $wanted"
    fi
done < <(grep -rn --include='*.[ch]' '^# *include *"' acme_core)

# Some libraries belong to some folders.
only() {
    local header=$1 allowed=$2 hits
    hits=$(grep -rnE --include='*.[ch]' "^# *include *<$header" acme_core |
        grep -vE "^acme_core/($allowed)")
    [ -z "$hits" ] || fail "only $allowed may include <$header>:
$hits"
}
only 'openssl/' 'crypto/'
only 'curl/' 'agent/'
only '(cjson/|cJSON)' 'format/json'
only 'seccomp' 'helper/sandbox'
only '(ngx_|httpd\.h|ap_|apr_)' 'none/'

# The adapters see one header of ours.
if [ -d ngx_module ]; then
    hits=$(grep -rn --include='*.[ch]' '^# *include *"' ngx_module |
        grep -vE '"(acme_core\.h|include/acme_core\.h|ngx_[a-z0-9_]+\.h)"')
    [ -z "$hits" ] || fail "ngx_module includes only acme_core.h of ours:
$hits"
fi

if [ -d apache_module ]; then
    hits=$(grep -rn --include='*.[ch]' '^# *include *"' apache_module |
        grep -vE '"(include/acme_core|mod_acme|httpd|unixd|mpm_common|(http|ap|apr|util)_[a-z_]+)\.h"')
    [ -z "$hits" ] || fail "apache_module includes only acme_core.h of ours:
$hits"
fi

# Pure folders: no file, no network, no clock, no log file.
hits=$(grep -rnwE --include='*.c' \
    'open|openat|fopen|socket|time|clock_gettime|gettimeofday|fork|getenv' \
    acme_core/{base,format,protocol,plan} 2>/dev/null |
    grep -E '\b(open|openat|fopen|socket|time|clock_gettime|gettimeofday|fork|getenv) ?\(' |
    grep -vE '^[^:]+:[0-9]+: *(/?\*|//)')
[ -z "$hits" ] || fail "base, format, protocol and plan do no I/O and read no clock:
$hits"

exit $failed
