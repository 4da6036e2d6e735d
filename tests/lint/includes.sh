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

# Some libraries belong to some folders, the servers' headers to adapters.
only() {
    local header=$1 allowed=$2 hits
    hits=$(grep -rnE --include='*.[ch]' "^# *include *[<\"]$header" \
        acme_core ngx_module apache_module | grep -vE "^($allowed)")
    [ -z "$hits" ] || fail "only $allowed may include $header:
$hits"
}
only 'openssl/' 'acme_core/crypto/'
only 'curl/' 'acme_core/agent/'
only '(cjson/|cJSON)' 'acme_core/format/json'
only 'seccomp' 'acme_core/helper/sandbox'
only 'libpsl' 'acme_core/keeper/registered_domain'
only 'ngx_' 'ngx_module/'
only '(httpd\.h|mod_|ap_|apr_|apu|http_[a-z]+\.h)' 'apache_module/'

# The adapters see one header of ours. What is theirs begins with their name.
adapter() {
    local folder=$1 servers=$2 hits
    hits=$(grep -rn --include='*.[ch]' '^# *include *"' "$folder" |
        grep -vE "\"(include/acme_core|$servers)\.h\"")
    [ -z "$hits" ] || fail "$folder includes only acme_core.h of ours:
$hits"
}
adapter ngx_module 'ngx_[a-z0-9_]+'
adapter apache_module \
    'mod_acme|httpd|unixd|mpm_common|(http|ap|apr|util)_[a-z_]+'

# Pure folders: no file, no network, no clock, no log file.
hits=$(grep -rnwE --include='*.c' \
    'open|openat|fopen|socket|time|clock_gettime|gettimeofday|fork|getenv' \
    acme_core/{base,format,protocol,plan} 2>/dev/null |
    grep -E '\b(open|openat|fopen|socket|time|clock_gettime|gettimeofday|fork|getenv) ?\(' |
    grep -vE '^[^:]+:[0-9]+: *(/?\*|//)')
[ -z "$hits" ] || fail "base, format, protocol and plan do no I/O and read no clock:
$hits"

exit $failed
