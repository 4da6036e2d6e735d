#!/bin/sh
# Installs the Debian packages that building and testing need, those that are
# missing. Quick when nothing is.

set -eu

packages="gcc libc6-dev make clang nginx nginx-dev apache2 apache2-dev
    libssl-dev libcurl4-openssl-dev libcjson-dev libseccomp-dev libidn2-dev
    libpsl-dev libcmocka-dev pebble curl openssl ca-certificates perl
    libio-socket-ssl-perl wrk"

# The sanitizers of the clang that is installed, else of the default one.
if version=$(clang -dumpversion 2>/dev/null); then
    packages="$packages libclang-rt-${version%%.*}-dev"
else
    packages="$packages libclang-rt-dev"
fi

installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages \
    2>/dev/null || true)
missing=
for package in $packages; do
    case "
$installed
" in
    *"
$package installed
"*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "Missing Debian packages:$missing" >&2
    echo "Install them as root: apt-get install$missing" >&2
    exit 1
fi

echo "installing:$missing"

# A build must not start a web server on port 80: they stay as they are.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

log=$(mktemp)
if ! {
    apt-get update &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends $missing
} >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
