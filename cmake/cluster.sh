#!/bin/sh
# cluster.sh BINARY ROOT PORT: three nodes and HAProxy on this machine, with src/deploy/haproxy's
# configuration. Prints what to type. Ctrl-C stops all of them; the data stays in ROOT.
set -eu
cd "$(dirname "$0")/.."
binary=$1 root=$2 port=$3
deploy=$PWD/src/deploy
configuration=$deploy/haproxy/haproxy.cfg
PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$root"
root=$(cd "$root" && pwd)
pids=""

# By their ids, and waits for them: nodes finish what they have.
stop() {
    trap - EXIT
    trap '' HUP INT TERM
    for pid in $pids; do
        kill "$pid" 2>/dev/null || :
    done
    wait
}
trap stop EXIT
trap 'exit 0' HUP INT TERM

fail() {
    cat "$1" >&2
    exit 1
}

# started PID LOG: waits until a node listens, and sets `address`.
started() {
    until address=$(sed -n 's/.*starting http server on \(.*\)/\1/p' "$2" | head -n 1) && [ -n "$address" ]; do
        kill -0 "$1" 2>/dev/null || fail "$2"
        sleep 0.02
    done
}

edits="s|/etc/haproxy|$deploy/haproxy|; s|bind :8080|bind 127.0.0.1:$port|"
number=0 nodes="" again="" urls=""
for slots in $(sed -n 's/^#   10\..* -slots //p' "$configuration"); do
    number=$((number + 1))
    log=$root/node$number.log
    : >"$log"
    "$binary" -slots "$slots" -bind 127.0.0.1:0 -root "$root/node$number" -buckets 10 2>"$log" &
    pid=$!
    pids="$pids $pid"
    started "$pid" "$log"
    edits="$edits; s|10.0.0.$number:8000|$address|"
    nodes="$nodes
  node$number   slots $slots   http://$address   process $pid"
    again="$again
  $binary -slots $slots -bind $address -root $root/node$number"
    urls="$urls http://127.0.0.1:$port/node$number"
done
# the comments at the top name addresses too
sed "/^#/d; $edits" "$configuration" >"$root/haproxy.cfg"
haproxy -db -f "$root/haproxy.cfg" >"$root/haproxy.log" 2>&1 &
haproxy=$!
pids="$pids $haproxy"
until curl -fsS -m 1 -o "$root/health" "http://127.0.0.1:$port/healthz" 2>"$root/health"; do
    kill -0 "$haproxy" 2>/dev/null || fail "$root/haproxy.log"
    sleep 0.02
done
rm -f "$root/health"
kill -0 "$haproxy" 2>/dev/null || fail "$root/haproxy.log" # another program has that port

cat <<EOF
Three nodes, and HAProxy on http://127.0.0.1:$port; Ctrl-C stops all
$nodes

An append and a get; HAProxy finds the node:
  curl -d 'some text' 'http://127.0.0.1:$port/append?id=some_identifier'
  curl 'http://127.0.0.1:$port/get?id=some_identifier&offset=0'
What a node that does not have the id says (421), and what a node has:
  curl -d 'some text' 'http://127.0.0.1:$port/node1/append?id=some_identifier'
  curl 'http://127.0.0.1:$port/node2/ends'
To close a prefix on all of them:
  sh $deploy/close-all.sh default$urls
Kill one: its ids get 503, the others do not notice. Then start it again:
$again
Logs, data and the configuration of HAProxy are in $root
EOF
wait "$haproxy" || fail "$root/haproxy.log"
