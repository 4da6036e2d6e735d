#!/bin/bash
# The shape of the C code: lengths of functions and files, as information for
# the review. Fails for what is no matter of taste: a function over 100
# lines, a line over 80 columns.

set -u
cd "$(dirname "$0")/../.."

# Columns are characters; awk counts them in a UTF-8 locale only, and not
# every awk does: continuation bytes are taken out before counting.
export LC_ALL=C

function_max=100
columns_max=80
failed=0

# "lines file:line name" for each function: from the line with its name, at
# the left margin, to the brace that closes it, at the left margin too.
functions() {
    awk '
        FNR == 1 { name = ""; inside = 0 }
        inside && /^}/ {
            print FNR - begin + 1, FILENAME ":" begin, name
            inside = 0
            name = ""
            next
        }
        inside { next }
        # httpd has the type on the same line
        /^[a-z_][a-z0-9_ *]*\(/ {
            name = $0
            sub(/\(.*/, "", name)
            sub(/.*[ *]/, "", name)
            begin = FNR
            next
        }
        /^\{/ && name != "" { inside = 1; next }
        /^[^ \t{]/ || /;$/ { name = "" }
    ' "$@"
}

# The numbers of the first column as quantiles.
distribution() {
    sort -n | awk -v what="$1" '
        { n[NR] = $1 }
        function at(part) { return n[int((NR - 1) * part) + 1] }
        END {
            if (NR > 0) {
                printf "  %-9s %5d   median %d, 90%% %d, 95%% %d, longest %d\n",
                    what, NR, at(0.5), at(0.9), at(0.95), n[NR]
            }
        }'
}

for folder in acme_core ngx_module apache_module; do
    [ -d "$folder" ] || continue
    mapfile -t files < <(find "$folder" -name '*.[ch]' | sort)
    mapfile -t sources < <(find "$folder" -name '*.c' | sort)
    list=$(functions "${sources[@]}")

    echo "$folder, in lines:"
    for file in "${files[@]}"; do
        wc -l <"$file"
    done | distribution files
    printf '%s\n' "$list" | distribution functions
    echo "  the ten longest functions:"
    printf '%s\n' "$list" | sort -rn | head -n 10 | sed 's/^/    /'

    long=$(printf '%s\n' "$list" | awk -v max=$function_max '$1 > max')
    if [ -n "$long" ]; then
        printf 'functions of more than %d lines:\n%s\n' \
            "$function_max" "$long" >&2
        failed=1
    fi
done

# "columns file:line" of each line that is too wide.
list=$(find acme_core ngx_module apache_module -name '*.[ch]' -exec awk -v max=$columns_max '
    {
        line = $0
        gsub(/[\200-\277]/, "", line)
        if (length(line) > max) {
            print length(line), FILENAME ":" FNR
        }
    }' {} + | sort -rn)
if [ -n "$list" ]; then
    printf 'lines of more than %d columns:\n%s\n' "$columns_max" "$list" >&2
    failed=1
fi

exit $failed
