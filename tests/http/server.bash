# For bats tests: starts the real server in a fresh directory, on a free port.
#   start_server [flag...]   sets URL, ROOT, LOG, SERVER_PID
#   stop_server [signal]     sets status to its exit status

# wait_until <seconds> <command...>
wait_until() {
    local tries=$(($1 * 100))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.01
    done
}

started() {
    PORT=$(sed -n 's/.*starting http server on .*:\([0-9]*\)$/\1/p' "$LOG" | tail -1)
    [ -n "$PORT" ] || ! kill -0 "$SERVER_PID" 2>/dev/null
}

start_server() {
    ROOT=${ROOT:-$BATS_TEST_TMPDIR/root}
    LOG=$BATS_TEST_TMPDIR/log
    : >"$LOG"
    "$ROCHEFORT" -bind 127.0.0.1:0 -root "$ROOT" -buckets 10 "$@" 2>>"$LOG" 3>&- &
    SERVER_PID=$!
    wait_until 60 started
    URL=http://127.0.0.1:$PORT
}

stop_server() {
    [ -n "${SERVER_PID:-}" ] || return 0
    kill -"${1:-TERM}" "$SERVER_PID" 2>/dev/null || true
    status=0
    wait "$SERVER_PID" || status=$?
    SERVER_PID=
    ! grep Sanitizer "$LOG"
}

# expect <status> <content type> <curl argument...>: sets body (a file)
expect() {
    local want_status=$1 want_type=$2 got
    shift 2
    body=$BATS_TEST_TMPDIR/body
    got=$(curl -s -m 60 -o "$body" -w '%{http_code} %{content_type}' "$@")
    if [ "$got" != "$want_status $want_type" ]; then
        echo "wanted: $want_status $want_type, got: $got, from: $*"
        cat "$body"
        return 1
    fi
}

# offsets <number...>: the body of a getMulti
offsets() {
    python3 -c 'import struct, sys
for n in sys.argv[1:]: sys.stdout.buffer.write(struct.pack("<Q", int(n)))' "$@"
}
