#!/bin/bash
# Shows the whole path on loopback: a test CA (Pebble), a server with two ACME
# lines, a placeholder certificate first and the CA's a moment later. The
# server is nginx, or with SERVER=apache Apache httpd.
#
# On a terminal it then waits for Ctrl-C, so that you can try things by hand.
# Without one, or with DEMO_SECONDS=n, it ends by itself. Exit status 0 means
# that the CA's certificate was seen served.

set -u
cd "$(dirname "$0")/.."
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

build=$PWD/build
server=${SERVER:-nginx}
name=example.test
patience=90          # seconds, for each thing waited for
dir=
served=
pids=()
shown=0

# ---- the end

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '\ndemo: %s\n' "$1" >&2
    shift
    local log
    for log in "$@"; do
        grep -v 'client closed connection' "$log" 2>/dev/null |
            tail -n 20 | sed 's/^/    /' >&2
    done
    exit 1
}

# The helper is nobody's child: it is found by its log, which lies in our
# directory. The rest of it ends with the supervisor.
helper_pids() {
    local proc
    for proc in /proc/[0-9]*; do
        case $(readlink "$proc/fd/2" 2>/dev/null) in
        "$dir"/*)
            case $(tr '\0' ' ' <"$proc/cmdline" 2>/dev/null) in
            'acme-helper: '*) echo "${proc#/proc/}" ;;
            esac
            ;;
        esac
    done
}

clean_up() {
    local status=$? pid i
    trap '' INT TERM HUP
    trap - EXIT
    [ -n "$dir" ] || exit "$status"

    # the newest first: the server before the CA
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${pids[i]}" 2>/dev/null
    done
    for pid in "${pids[@]}"; do
        for ((i = 0; i < 50; i++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    for ((i = 0; i < 100; i++)); do
        [ -n "$(helper_pids)" ] || break
        sleep 0.1
    done
    for pid in $(helper_pids); do
        kill -KILL "$pid" 2>/dev/null
    done
    rm -rf "$dir"
    exit "$status"
}

interrupted() {
    echo
    [ -n "$served" ] && exit 0
    exit 1
}

trap clean_up EXIT
trap interrupted INT TERM HUP

# ---- pieces

is_free() {
    local hex
    hex=$(printf '%04X' "$1")
    ! awk -v port=":$hex" '
        substr($2, length($2) - 4) == port &&
            ($4 == "0A" || FILENAME ~ /udp/) { found = 1 }
        END { exit !found }' \
        $(ls /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 \
            2>/dev/null)
}

# choose VARIABLE PORT WHAT: that port, or the next one that is free.
choose() {
    local port=$2
    while ! is_free "$port"; do
        port=$((port + 1))
        [ "$port" -lt $(($2 + 500)) ] || die "no free port after $2"
    done
    [ "$port" = "$2" ] || echo "port $2 is taken: $3 is on $port"
    printf -v "$1" '%s' "$port"
}

# start LOG PROGRAM ...: in the background, until the end.
start() {
    local log=$1
    shift
    "$@" >>"$log" 2>&1 </dev/null &
    pids+=($!)
}

# wait_for WHAT LOG COMMAND ...: until the command succeeds.
wait_for() {
    local what=$1 log=$2 end=$((SECONDS + patience))
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || die "$what" "$log"
        sleep 0.2
    done
}

in_log() {
    grep -q "$1" "$2" 2>/dev/null
}

answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

fetch() {
    curl -sS --max-time 20 --noproxy '*' "$@"
}

issuer() {
    openssl s_client -connect "127.0.0.1:$https" -servername "$name" \
        </dev/null 2>/dev/null | openssl x509 -noout -issuer 2>/dev/null |
        sed 's/^issuer= *//'
}

# The "acme:" lines of the error log that were not shown yet, less the date.
# Theirs: "2026/01/31 10:20:30 [info] 1#2: *3 acme: ..., client: ...", and
# "[Sat Jan 31 10:20:30.123456 2026] [acme:info] [pid 1:tid 2] acme: ...".
progress() {
    local count
    count=$(grep -c '' "$dir/error.log")
    sed -n "$((shown + 1)),${count}p" "$dir/error.log" | grep 'acme: ' |
        sed -E 's/^[0-9]+\/[^ ]+ ([0-9:]+) \[[a-z]+\] [0-9]+#[0-9]+: (\*[0-9]+ )?/    \1 /
                s/, server: .*//
                s/^\[... ... [0-9 ]+ ([0-9:]+)[^]]*\] (\[[^]]*\] )*/    \1 /'
    shown=$count
}

is_served() {
    progress
    case $(issuer) in
    *Pebble*) progress ;;
    *) return 1 ;;
    esac
}

# ---- before anything starts

case $server in
nginx)
    program=nginx
    module=ngx_http_acme_domain_module.so
    ;;
apache | apache2 | httpd)
    program=$(command -v apache2 || command -v httpd) || program=apache2
    module=mod_acme.so
    ;;
*) die "SERVER is \"$server\", it can be nginx or apache" ;;
esac
for tool in $program pebble pebble-challtestsrv openssl curl; do
    command -v "$tool" >/dev/null || die "$tool is missing: run make deps"
done
for file in $module acme-helper; do
    [ -e "$build/$file" ] || die "build/$file is missing: run make"
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/acme-demo-XXXXXX") || exit 1
chmod 755 "$dir"

choose ca 14000 'the CA'
choose http 5002 'plain HTTP'
choose https 8443 HTTPS
choose management 15000 "the CA's management"
choose dns 8053 'the DNS server'
choose dns_management 8055 "the DNS server's management"

# ---- the CA

say "A test CA: Pebble at https://127.0.0.1:$ca/dir"

# The root and the certificate of the CA's own HTTPS.
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$dir/ca.ext"
{
    openssl req -x509 $key -days 2 -subj '/CN=Demo HTTPS root' \
        -keyout "$dir/https-root.key" -out "$dir/pebble-ca.pem" &&
        openssl req -new $key -subj /CN=localhost -keyout "$dir/ca.key" \
            -out "$dir/ca.csr" &&
        openssl x509 -req -in "$dir/ca.csr" -CA "$dir/pebble-ca.pem" \
            -CAkey "$dir/https-root.key" -set_serial 1 -days 2 \
            -extfile "$dir/ca.ext" -out "$dir/ca.pem"
} >"$dir/openssl.log" 2>&1 || die 'openssl fails' "$dir/openssl.log"

cat >"$dir/pebble.json" <<END
{ "pebble": {
    "listenAddress": "127.0.0.1:$ca",
    "managementListenAddress": "127.0.0.1:$management",
    "certificate": "$dir/ca.pem",
    "privateKey": "$dir/ca.key",
    "httpPort": $http,
    "tlsPort": $https,
    "ocspResponderURL": "",
    "externalAccountBindingRequired": false
} }
END

start "$dir/dns.log" pebble-challtestsrv -defaultIPv6 '' -http01 '' \
    -https01 '' -tlsalpn01 '' -dns01 "127.0.0.1:$dns" \
    -management "127.0.0.1:$dns_management"
wait_for 'the DNS server does not start' "$dir/dns.log" \
    answers "$dns_management"
PEBBLE_VA_SLEEPTIME=2 start "$dir/pebble.log" pebble \
    -config "$dir/pebble.json" -dnsserver "127.0.0.1:$dns"
wait_for 'Pebble does not start' "$dir/pebble.log" \
    in_log 'ACME directory available' "$dir/pebble.log"

# ---- the server

# What is shown of the configuration begins after the line "# shown".

configure_nginx() {
    cat >"$dir/paths.conf" <<END
access_log off;
client_body_temp_path $dir/body;
proxy_temp_path $dir/proxy;
fastcgi_temp_path $dir/fastcgi;
uwsgi_temp_path $dir/uwsgi;
scgi_temp_path $dir/scgi;
acme_state_path $dir/state;
acme_helper $build/acme-helper;
END

    cat >"$dir/server.conf" <<END
load_module $build/ngx_http_acme_domain_module.so;
error_log $dir/error.log info;
pid $dir/nginx.pid;
events { }
# shown
http {
    include $dir/paths.conf;

    acme_accept_terms on;

    # the test CA in place of Let's Encrypt, and its odd ports
    acme_ca https://127.0.0.1:$ca/dir;
    acme_ca_certificate $dir/pebble-ca.pem;
    acme_port_map 80:$http;

    server {
        listen 127.0.0.1:$http;
        listen 127.0.0.1:$https ssl;
        server_name $name www.$name;

        acme_domain;

        if (\$scheme = http) {
            return 301 https://\$host:$https\$request_uri;
        }
        return 200 "Hello from \$host, over \$ssl_protocol.\n";
    }
}
END
    command=(nginx -c "$dir/server.conf" -e "$dir/error.log"
        -g 'daemon off;')
}

configure_apache() {
    local modules part
    modules=$(apxs -q LIBEXECDIR) || die 'apxs is missing: run make deps'
    mkdir "$dir/site"
    echo "Hello from $name." >"$dir/site/index.html"

    # of these some are part of httpd itself, as it was built
    for part in mpm_event unixd authz_core alias dir ssl; do
        [ ! -e "$modules/mod_$part.so" ] ||
            echo "LoadModule ${part}_module $modules/mod_$part.so"
    done >"$dir/paths.conf"
    cat >>"$dir/paths.conf" <<END
DefaultRuntimeDir $dir
PidFile $dir/httpd.pid
User $(id -un www-data 2>/dev/null || echo daemon)
Group $(id -gn www-data 2>/dev/null || echo daemon)
ServerName localhost
Listen 127.0.0.1:$http
Listen 127.0.0.1:$https
DocumentRoot $dir/site
DirectoryIndex index.html
AcmeStatePath $dir/state
AcmeHelper $build/acme-helper
END

    cat >"$dir/server.conf" <<END
ServerRoot $dir
ErrorLog $dir/error.log
LogLevel info
LoadModule acme_module $build/$module
# shown
Include $dir/paths.conf

AcmeAcceptTerms on

# the test CA in place of Let's Encrypt, and its odd ports
AcmeCA https://127.0.0.1:$ca/dir
AcmeCACertificate $dir/pebble-ca.pem
AcmePortMap 80:$http

<VirtualHost 127.0.0.1:$http>
    ServerName $name
    Redirect permanent / https://$name:$https/
</VirtualHost>

<VirtualHost 127.0.0.1:$https>
    ServerName $name
    ServerAlias www.$name
    SSLEngine on

    AcmeDomain
</VirtualHost>
END
    command=("$program" -f "$dir/server.conf" -DFOREGROUND)
}

case $server in
nginx) configure_nginx ;;
*) configure_apache ;;
esac

say "${program##*/}, with this configuration"
sed '1,/^# shown/d; s/^/    /' "$dir/server.conf"

: >"$dir/error.log"
start "$dir/server.log" "${command[@]}"
wait_for "${program##*/} does not start" "$dir/error.log" answers "$https"

say 'Issuer of the certificate at once'
before=$(issuer)
printf '    %s\n' "$before"

say 'The error log, while the certificate is obtained'
wait_for 'no certificate was obtained' "$dir/error.log" is_served

say 'Issuer of the certificate now'
printf '    %s\n' "$(issuer)"

# ---- the proof

fetch --cacert "$dir/pebble-ca.pem" -o "$dir/root.pem" \
    "https://127.0.0.1:$management/roots/0" || die 'no root from the CA'
proof=(--cacert "$dir/root.pem" --resolve "$name:$https:127.0.0.1"
    "https://$name:$https/")

say "Proved with the CA's root"
printf '    curl %s\n' "${proof[*]}"
answer=$(fetch "${proof[@]}" 2>&1) || die "curl: $answer" "$dir/error.log"
printf '    %s\n' "$answer"
served=yes

# ---- time to look around

if [ -n "${DEMO_SECONDS:-}" ]; then
    end=$((SECONDS + DEMO_SECONDS))
    say "For $DEMO_SECONDS seconds more: the store is $dir/state"
elif [ -t 0 ]; then
    end=
    say "Until Ctrl-C: the store is $dir/state"
else
    exit 0
fi
while [ -z "$end" ] || [ $SECONDS -lt "$end" ]; do
    sleep 0.5
    progress
done
