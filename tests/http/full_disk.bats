# A disk that is really full: the server's root is a small tmpfs, in a mount namespace of its own.

setup() {
    source "$BATS_TEST_DIRNAME/server.bash"
    mkdir "$BATS_TEST_TMPDIR/root"
    cat >"$BATS_TEST_TMPDIR/on_tmpfs" <<EOF
#!/bin/sh
mount -t tmpfs -o size=4m none "$BATS_TEST_TMPDIR/root" && exec "$ROCHEFORT" "\$@"
EOF
    chmod +x "$BATS_TEST_TMPDIR/on_tmpfs"
    cat >"$BATS_TEST_TMPDIR/apart" <<EOF
#!/bin/sh
[ "\$(id -u)" -eq 0 ] || become_root="--user --map-root-user"
exec unshare \$become_root --mount "$BATS_TEST_TMPDIR/on_tmpfs" "\$@"
EOF
    chmod +x "$BATS_TEST_TMPDIR/apart"
    ROCHEFORT=$BATS_TEST_TMPDIR/apart start_server
    INSIDE=/proc/$SERVER_PID/root$ROOT # the server's view of its root
}

teardown() {
    stop_server
}

@test "507: the file is as it was before, and the next append works as soon as there is room" {
    expect 200 application/json -d 'some text' "$URL/append?id=x"
    file=$(sed 's/.*"file":"\(.*\)"}/\1/' "$body")
    dd if=/dev/zero of="$INSIDE/filler" bs=64k 2>/dev/null || true # until it is full
    head -c 1000000 /dev/urandom >"$BATS_TEST_TMPDIR/value"
    for try in 1 2 3; do
        expect 507 text/plain --data-binary @"$BATS_TEST_TMPDIR/value" "$URL/append?id=x"
        grep -qx "disk full: $file" "$body"
        [ "$(stat -c %s "/proc/$SERVER_PID/root$file")" = 25 ]
    done
    expect 200 application/octet-stream "$URL/get?id=x&offset=0"
    [ "$(cat "$body")" = 'some text' ]

    rm "$INSIDE/filler"
    expect 200 application/json --data-binary @"$BATS_TEST_TMPDIR/value" "$URL/append?id=x"
    [ "$(cat "$body")" = "{\"offset\":25,\"file\":\"$file\"}" ]
    expect 200 application/octet-stream "$URL/get?id=x&offset=25"
    cmp "$BATS_TEST_TMPDIR/value" "$body"
}
