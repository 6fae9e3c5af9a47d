#!/bin/sh
# expire.sh URL ROOT DAYS: closes and deletes the prefixes whose names end in a date, as in
# log-2026-11-26, of more than DAYS days ago (UTC). Prints the name of each.
#
# Nobody may append to a prefix of such a date any more. A prefix that the server does not close is left
# alone, and the exit status is 1. A server with -tokens wants one that may close: put
#   header = "Authorization: Bearer TOKEN"
# into the .curlrc of the user that runs this. A client that keeps offsets gets 404 for what is deleted.
set -eu
[ $# -eq 3 ] || {
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
}
url=$1 root=$2 days=$3
case $days in
'' | *[!0-9]*)
    echo "expire.sh: $days: not a number of days" >&2
    exit 2
    ;;
esac
limit=$(date -u -d "$days days ago" +%Y%m%d)
status=0

# What an earlier run has begun to delete. It has a name that is no prefix's.
rm -rf -- "$root"/.expired-*
for directory in "$root"/*-[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]; do
    [ -d "$directory" ] && [ ! -L "$directory" ] && [ -e "$directory/MANIFEST" ] || continue
    name=${directory##*/}
    [ "$(printf %s "$name" | tail -c 10 | tr -d -)" -lt "$limit" ] || continue
    if curl -fsS -m 300 -G --data-urlencode "storagePrefix=$name" -o /dev/null "$url/close"; then
        mv -- "$directory" "$root/.expired-$name"
        rm -rf -- "$root/.expired-$name"
        printf '%s\n' "$name"
    else
        printf 'expire.sh: %s: not closed, so not deleted\n' "$name" >&2
        status=1
    fi
done
exit "$status"
