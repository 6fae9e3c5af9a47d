# Flags, the start line, the root and its lock, the installed files.

setup() {
    source "$BATS_TEST_DIRNAME/server.bash"
}

teardown() {
    stop_server
}

# wrong <flag...>: exit 2 and exactly one line on standard error
wrong() {
    run "$ROCHEFORT" "$@"
    echo "$* -> $status: $output"
    [ "$status" = 2 ]
    [ "${#lines[@]}" = 1 ]
}

# fails <flag...>: exit 1 and exactly one line on standard error
fails() {
    run timeout 60 "$ROCHEFORT" "$@"
    echo "$* -> $status: $output"
    [ "$status" = 1 ]
    [ "${#lines[@]}" = 1 ]
}

@test "-version and -help, with one dash or two" {
    for dash in - --; do
        run "$ROCHEFORT" ${dash}version
        [ "$status" = 0 ]
        [[ "$output" =~ ^rochefort\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
        run "$ROCHEFORT" ${dash}help
        [ "$status" = 0 ]
        [[ "$output" == *-max-value* ]]
    done
}

@test "wrong flags: one line, exit 2" {
    wrong -nonsense
    wrong -bucket 3
    wrong serve
    wrong ''
    wrong -
    wrong --
    wrong -buckets
    wrong -buckets=
    wrong -buckets 0
    wrong -buckets 65537
    wrong -buckets ten
    wrong -buckets 1x
    wrong -buckets ' 1'
    wrong -workers 0
    wrong -workers 65
    wrong -max-value 0
    wrong -max-value 4GiB
    wrong -max-value 4294967296
    wrong -max-value 1GB
    wrong -max-value 99999999999999999999
    wrong -max-value 9223372036854775807GiB
    wrong -max-connections 0
    wrong -max-in-flight 0
    wrong -log-slower-than -2
    wrong -write-behind -1
    wrong -write-behind 4MB
    wrong -write-behind 9223372036854775808
    for sync in '' Never interval interval: interval:0 interval:3600001 interval:1s 'interval: 1' \
        interval:-1 interval:+1 interval:1.5 Interval:1 always: always:1 10; do
        wrong -sync "$sync"
    done
    wrong -sync
    wrong -root ''
    for bind in '' 8001 :65536 :x :80x ::1 '[::1' '[::1]' : localhost:; do
        wrong -bind "$bind"
    done
}

@test "values at the ends of their ranges are taken, with = or a space, the last one counts" {
    start_server --buckets=65536 -buckets=1 -max-value 4294967295 --max-value=1GiB -workers=64 \
        -write-behind 0 -write-behind 9223372036854775807
    expect 200 application/json -d v "$URL/append?id=x"
    [ "$(cat "$body")" = '{"offset":0,"file":"'"$ROOT"'/default/append.0.raw"}' ]
}

@test "every form of -sync" {
    for sync in never interval:1 interval:3600000 always; do
        start_server -sync "$sync"
        expect 200 application/json -d v "$URL/append?id=x&sync=1"
        expect 200 application/json -d v "$URL/append?id=x&sync=0"
        stop_server
        [ "$status" = 0 ]
    done
}

@test "the start line, to the letter" {
    start_server
    [ "$(wc -l <"$LOG")" = 1 ]
    grep -qxE '[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} starting http server on 127\.0\.0\.1:[1-9][0-9]*' "$LOG"
}

@test "every form of an address" {
    for bind in :0 localhost:0 '[::1]:0' '[::]:0' 0.0.0.0:0; do
        start_server -bind "$bind"
        grep -qF "starting http server on ${bind%0}" "$LOG"
        expect 404 text/plain "http://${bind%:0}:$PORT/" || [ "${bind%:0}" = '' ]
        case $bind in :0)
            expect 404 text/plain "http://127.0.0.1:$PORT/"
            expect 404 text/plain "http://[::1]:$PORT/"
            ;;
        esac
        stop_server
        [ "$status" = 0 ]
    done
}

@test "addresses that nobody has: one line, exit 1" {
    for bind in host.invalid:0 '[1::2::3]:0' 192.0.2.1:0; do
        fails -root "$BATS_TEST_TMPDIR/r" -bind "$bind"
    done
}

@test "an address in use: one line that names it, exit 1" {
    start_server
    fails -root "$BATS_TEST_TMPDIR/other" -bind "127.0.0.1:$PORT"
    [[ "$output" == *"127.0.0.1:$PORT"*'in use'* ]]
}

@test "a root in use: one line, exit 1, and the first server goes on" {
    start_server
    fails -root "$ROOT" -bind 127.0.0.1:0
    [[ "$output" == *'another rochefort'* ]]
    expect 200 application/json -d v "$URL/append?id=x"
    stop_server KILL
    start_server
    expect 200 application/octet-stream "$URL/get?id=x&offset=0"
}

@test "a root that cannot be: one line, exit 1" {
    touch "$BATS_TEST_TMPDIR/file"
    fails -bind 127.0.0.1:0 -root "$BATS_TEST_TMPDIR/file"
    fails -bind 127.0.0.1:0 -root "$BATS_TEST_TMPDIR/file/below"
    fails -bind 127.0.0.1:0 -root /proc/nothing
    fails -bind 127.0.0.1:0 -root "/tmp/$(printf 'x%.0s' $(seq 5000))"
}

@test "a relative root, made with its parents, is answered as an absolute path" {
    cd "$BATS_TEST_TMPDIR"
    ROOT=some/deep//root/ start_server
    expect 200 application/json -d v "$URL/append?id=x"
    [[ "$(cat "$body")" == *"\"$(pwd)/some/deep//root/default/append."* ]]
    [ -d some/deep/root/default ]
}

@test "-log-slower-than 0 logs each request on one line, whatever is in it" {
    start_server -log-slower-than 0
    expect 200 application/json -d v "$URL/append?id=a%0Ab"
    expect 404 text/plain "$URL/get?id=x&offset=7"
    stop_server
    grep -qE ' [0-9.]+ ms 200 /append\?id=a%0Ab$' "$LOG"
    grep -qE ' [0-9.]+ ms 404 /get\?id=x&offset=7$' "$LOG"
}

@test "cmake --install puts binary, man page and licence in place" {
    cmake --install "$(dirname "$ROCHEFORT")" --prefix "$BATS_TEST_TMPDIR/usr" >/dev/null
    "$BATS_TEST_TMPDIR/usr/bin/rochefort" -version
    cmp "$SOURCE_DIR/LICENSE" "$BATS_TEST_TMPDIR/usr/share/doc/rochefort/LICENSE"
    groff -man -Tutf8 -ww "$BATS_TEST_TMPDIR/usr/share/man/man1/rochefort.1" \
        >"$BATS_TEST_TMPDIR/page" 2>"$BATS_TEST_TMPDIR/warnings"
    grep -q 'append values to files' "$BATS_TEST_TMPDIR/page"
    [ ! -s "$BATS_TEST_TMPDIR/warnings" ]
}

@test "help, man page and README tell of the same flags" {
    "$ROCHEFORT" -help | sed -n 's/^  -\([a-z-]*\).*/\1/p' | sort >"$BATS_TEST_TMPDIR/help"
    sed -n 's/^\.BI* \\-\([a-z\\-]*\).*/\1/p' "$SOURCE_DIR/src/rochefort.1" | tr -d '\\' | sort \
        >"$BATS_TEST_TMPDIR/man"
    sed -n 's/^| `-\([a-z-]*\).*/\1/p' "$SOURCE_DIR/README.md" | sort >"$BATS_TEST_TMPDIR/readme"
    sort -c -u "$BATS_TEST_TMPDIR/help"
    diff "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/man"
    diff "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/readme"
}
