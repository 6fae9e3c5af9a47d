# Values up to the default limit of 64 MiB, in all the ways in which curl sends them.

setup() {
    source "$BATS_TEST_DIRNAME/server.bash"
    start_server
    head -c 67108864 /dev/urandom >"$BATS_TEST_TMPDIR/value"
}

teardown() {
    stop_server
}

round_trip() {
    expect 200 application/json "$@" --data-binary @"$BATS_TEST_TMPDIR/value" "$URL/append?id=x"
    offset=$(sed 's/{"offset":\([0-9]*\),.*/\1/' "$body")
    expect 200 application/octet-stream "$URL/get?id=x&offset=$offset"
    cmp "$BATS_TEST_TMPDIR/value" "$body"
}

@test "64 MiB with Content-Length" {
    round_trip -H 'Expect:'
}

@test "64 MiB in chunks" {
    round_trip -H 'Transfer-Encoding: chunked' -H 'Expect:'
}

@test "64 MiB with Expect: 100-continue" {
    round_trip -H 'Expect: 100-continue'
}

@test "64 MiB in chunks with Expect: 100-continue" {
    round_trip -H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue'
}

@test "every length from 1 to 2100 bytes" {
    python3 - "$PORT" <<'EOF'
import http.client, json, random, sys
random.seed(1)
client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
def ask(method, path, body=None):
    client.request(method, path, body)
    reply = client.getresponse()
    data = reply.read()
    assert reply.status == 200, data
    return data
for length in range(1, 2101):
    value = random.randbytes(length)
    offset = json.loads(ask("POST", "/append?id=n", value))["offset"]
    assert ask("GET", "/get?id=n&offset=%d" % offset) == value, length
EOF
}
