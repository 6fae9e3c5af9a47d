# The protocol with curl: the examples of the original, and every status of the README's table.

setup() {
    source "$BATS_TEST_DIRNAME/server.bash"
    start_server -max-value 1MiB
}

teardown() {
    stop_server
}

text='text/plain'
json='application/json'
bytes='application/octet-stream'

@test "two appends to one id, get, getMulti and close answer as ever" {
    expect 200 $json -d 'some text' "$URL/append?id=some_identifier"
    grep -qxE '\{"offset":0,"file":"'"$ROOT"'/default/append\.[0-9]\.raw"\}' "$body"
    expect 200 $json -d 'some other data in same identifier' "$URL/append?id=some_identifier"
    grep -qxE '\{"offset":25,"file":"'"$ROOT"'/default/append\.[0-9]\.raw"\}' "$body"

    expect 200 $bytes "$URL/get?id=some_identifier&offset=0"
    [ "$(cat "$body")" = 'some text' ]
    expect 200 $bytes "$URL/get?id=some_identifier&offset=25"
    [ "$(cat "$body")" = 'some other data in same identifier' ]

    offsets 25 0 25 >"$BATS_TEST_TMPDIR/offsets"
    expect 200 $bytes --data-binary @"$BATS_TEST_TMPDIR/offsets" "$URL/getMulti?id=some_identifier"
    other='\x22\x00\x00\x00some other data in same identifier'
    printf "$other"'\x09\x00\x00\x00some text'"$other" >"$BATS_TEST_TMPDIR/wanted"
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/wanted")" = 89 ]
    cmp "$BATS_TEST_TMPDIR/wanted" "$body"

    expect 200 $json "$URL/close"
    [ "$(cat "$body")" = '{"success":true}' ]
    expect 200 $json -X POST "$URL/close?storagePrefix=never_seen"
    [ "$(cat "$body")" = '{"success":true}' ]
}

@test "the bucket of an id does not change with the other parameters" {
    expect 200 $json -d a "$URL/append?id=k&storagePrefix="
    first=$(cat "$body")
    expect 200 $json -d b "$URL/append?unknown=1&id=k"
    [ "${first/\"offset\":0/}" = "$(sed 's/"offset":17//' "$body")" ]
}

@test "HEAD answers the headers of GET" {
    expect 200 $json -d 'nine byte' "$URL/append?id=h"
    run curl -s -m 60 -I "$URL/get?id=h&offset=0"
    [[ "$output" == *'Content-Length: 9'* ]]
    [[ "$output" == 'HTTP/1.1 200 OK'* ]]
    run curl -s -m 60 -I "$URL/get?id=h&offset=1"
    [[ "$output" == 'HTTP/1.1 404 Not Found'* ]]
}

@test "prefixes with spaces, umlauts, ampersands and quotes" {
    for prefix in 'a%20b' 'a+b' '%C3%BC' 'a%26b' '%22q%22' 'back%5Cslash' '%ff'; do
        expect 200 $json -d v "$URL/append?id=x&storagePrefix=$prefix"
        python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$body"
        expect 200 $bytes "$URL/get?id=x&offset=0&storagePrefix=$prefix"
    done
    [ "$(find "$ROOT" -mindepth 1 -maxdepth 1 -type d | wc -l)" = 6 ]
    [ -f "$ROOT/a b/append.0.raw" ]
    [ -f "$ROOT/ü/append.9.raw" ]
}

@test "400: what is missing or wrong is named, and no file is touched" {
    expect 400 $text -d v "$URL/append"
    grep -q 'id missing' "$body"
    expect 400 $text -d v "$URL/append?id="
    expect 400 $text -X POST "$URL/append?id=x"
    grep -q 'value is empty' "$body"
    expect 400 $text -d v "$URL/append?id=x&id=y"
    grep -q 'id given twice' "$body"
    expect 400 $text -d v "$URL/append?id=%zz"
    expect 400 $text -d v "$URL/append?id=%00"
    expect 400 $text "$URL/get?id=x"
    grep -q 'offset missing' "$body"
    for offset in '' -1 +1 1.5 0x1 1e3 9223372036854775808 99999999999999999999999; do
        expect 400 $text -G --data-urlencode "offset=$offset" "$URL/get?id=x"
    done
    for prefix in .. . .hidden a%2fb '%2e%2e' a%01b a%7fb "$(printf 'x%.0s' $(seq 256))"; do
        expect 400 $text -d v "$URL/append?id=x&storagePrefix=$prefix"
        expect 400 $text "$URL/get?id=x&offset=0&storagePrefix=$prefix"
        expect 400 $text "$URL/close?storagePrefix=$prefix"
    done
    expect 400 $text --data-binary 1234567 "$URL/getMulti?id=x"
    [ -z "$(ls "$ROOT")" ]
}

@test "404: unknown path, unknown prefix, no record there; reading creates nothing" {
    expect 404 $text "$URL/nothing"
    expect 404 $text "$URL/"
    expect 404 $text "$URL/get?id=x&offset=0"
    grep -q 'no such storagePrefix: default' "$body"
    offsets 0 >"$BATS_TEST_TMPDIR/offsets"
    expect 404 $text --data-binary @"$BATS_TEST_TMPDIR/offsets" "$URL/getMulti?id=x&storagePrefix=p"
    [ -z "$(ls "$ROOT")" ]
    expect 200 $json -d value "$URL/append?id=x"
    for offset in 1 4 5 16 20 21 22 9223372036854775807; do
        expect 404 $text "$URL/get?id=x&offset=$offset"
        grep -q "offset $offset of $ROOT/default/append" "$body"
    done
}

@test "405: with Allow" {
    for try in 'PUT append POST' 'GET append POST' 'DELETE get GET, HEAD' 'POST get GET, HEAD' \
        'GET getMulti POST' 'HEAD getMulti POST' 'PATCH close GET, POST'; do
        read -r method path allow <<<"$try"
        how="-i -X $method"
        [ "$method" != HEAD ] || how=--head
        # shellcheck disable=SC2086
        run curl -s -m 60 $how "$URL/$path?id=x"
        [[ "$output" == 'HTTP/1.1 405 '* ]]
        [[ "$output" == *"Allow: $allow"$'\r'* ]]
    done
}

@test "413: the largest value goes in, one byte more does not" {
    head -c 1048576 /dev/urandom >"$BATS_TEST_TMPDIR/value"
    expect 200 $json --data-binary @"$BATS_TEST_TMPDIR/value" "$URL/append?id=x"
    expect 200 $bytes "$URL/get?id=x&offset=0"
    cmp "$BATS_TEST_TMPDIR/value" "$body"
    echo >>"$BATS_TEST_TMPDIR/value"
    expect 413 $text --data-binary @"$BATS_TEST_TMPDIR/value" "$URL/append?id=x"
    grep -q "the limit is 1048576 bytes" "$body"
    head -c 8388616 /dev/zero >"$BATS_TEST_TMPDIR/value"
    expect 413 $text --data-binary @"$BATS_TEST_TMPDIR/value" "$URL/getMulti?id=x"
    expect 413 $text -H 'Transfer-Encoding: chunked' --data-binary @"$BATS_TEST_TMPDIR/value" \
        "$URL/getMulti?id=x"
}

@test "500: a record whose end is missing" {
    expect 200 $json -d 'some text' "$URL/append?id=x"
    file=$(sed 's/.*"file":"\(.*\)"}/\1/' "$body")
    expect 200 $json "$URL/close"
    truncate -s 24 "$file"
    expect 500 $text "$URL/get?id=x&offset=0"
    grep -q "cut short: offset 0 of $file" "$body"
}

@test "a flipped bit in a header is a 404, not a wrong value" {
    expect 200 $json -d 'some text' "$URL/append?id=x"
    file=$(sed 's/.*"file":"\(.*\)"}/\1/' "$body")
    printf '\x08' | dd of="$file" bs=1 conv=notrunc status=none
    expect 404 $text "$URL/get?id=x&offset=0"
}

@test "the bucket is XXH3_64bits of the id, modulo the buckets" {
    for id in some_identifier x '' a-rather-long-identifier-that-takes-another-path-through-the-hash; do
        hash=$(printf '%s' "$id-1" | xxhsum -H3 | sed 's/.* = //')
        expect 200 $json -d v "$URL/append?id=$id-1"
        wanted=$(python3 -c 'import sys; print(int(sys.argv[1], 16) % 10)' "$hash")
        [[ "$(cat "$body")" == *"/append.$wanted.raw\"}" ]]
    done
}

@test "a prefix whose directory was deleted without a close is made anew" {
    expect 200 $json -d v "$URL/append?id=x"
    file=$(sed 's/.*"file":"\(.*\)"}/\1/' "$body")
    rm -r "$ROOT/default"
    for id in a b c d e f g h i j k l m n o p q r s t u v w y z; do
        expect 200 $json -d v "$URL/append?id=$id"
    done
    [ "$(cat "$ROOT"/default/append.*.raw | wc -c)" -eq $((25 * 17)) ]
    rm -r "$ROOT/default"
    expect 200 $json "$URL/close"
    expect 200 $json -d v "$URL/append?id=x"
    [ "$(cat "$body")" = "{\"offset\":0,\"file\":\"$file\"}" ]
}
