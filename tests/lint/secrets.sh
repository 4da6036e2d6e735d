#!/bin/bash
# No secret in the repository, and nothing that prints one: key material is
# a type of its own and has no place in a format string.

set -u
cd "$(dirname "$0")/../.."

failed=0

complain() {
    [ -z "$2" ] && return
    printf '%s:\n%s\n' "$1" "$2" >&2
    failed=1
}

if git rev-parse --git-dir >/dev/null 2>&1; then
    files=$(git ls-files -co --exclude-standard)
else
    files=$(find . -path ./build -prune -o -type f -print)
fi

# Keys in tests are made when the test runs.
complain 'a private key lies in the repository' "$(printf '%s\n' $files |
    grep -vE '^(\./)?tests/(fuzz/corpus|unit)/|^(\./)?tests/lint/secrets.sh$' |
    xargs grep -lE '^-----BEGIN [A-Z ]*PRIVATE KEY-----$' 2>/dev/null)"

# A key, key authorization or secret as an argument of a log or error call.
complain 'a secret goes into a log line or an error text' "$(
    grep -rnE --include='*.[ch]' \
        '(acme_log[a-z_]*|acme_fail[a-z_]*|acme_while|fprintf|dprintf|ngx_log_error|ngx_conf_log_error|ap_log_r?error) ?\(.*(key_auth|key_authorization|thumbprint|privkey_pem|key_pem|hmac_key|->secret)' \
        acme_core ngx_module apache_module 2>/dev/null | grep -v sizeof)"

# libcurl's verbose mode prints requests.
complain 'verbose mode of libcurl' "$(grep -rn --include='*.c' \
    'CURLOPT_VERBOSE\|CURLOPT_DEBUGFUNCTION' acme_core 2>/dev/null)"
# A probe talks to our own server, and says nothing to it.
complain 'verification of the CA is switched off' "$(grep -rnE --include='*.c' \
    'CURLOPT_SSL_VERIFY(PEER|HOST), *0' acme_core 2>/dev/null |
    grep -v '^acme_core/agent/probe\.c:')"

exit $failed
