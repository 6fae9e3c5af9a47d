#!/bin/sh
# close-all.sh PREFIX URL...: closes a storagePrefix on all nodes, and says which of them has failed.
#
# URL is that of a node, as http://10.0.0.1:8000 or, by way of a proxy, http://proxy:8080/node1. All are
# tried; the exit status is 1 if one of them did not close it. Nodes with -tokens want one that may write:
# put
#   header = "Authorization: Bearer TOKEN"
# into the .curlrc of the user that runs this.
set -eu
[ $# -ge 2 ] || {
    sed -n '2s/^# //p' "$0" >&2
    exit 2
}
prefix=$1
shift
failed=0
for url in "$@"; do
    # the text, and the status on a line of its own; 000 if there was no reply
    answer=$(curl -sS -m 300 -w '\n%{http_code}' -G --data-urlencode "storagePrefix=$prefix" "$url/close" 2>&1) || :
    status=$(printf %s "$answer" | tail -n 1)
    if [ "$status" = 200 ]; then
        echo "$url: closed"
    else
        echo "$url: not closed: $status: $(printf %s "$answer" | sed '$d' | tr -s '\r\n' ' ')" >&2
        failed=1
    fi
done
exit "$failed"
