#!/bin/sh
# fresh.sh 12|13 [regex]: what README.md tells somebody new, in a bare Debian; for
# `sh cmake/dev fresh`.
#
# Makes a minimal Debian root, puts a clone of the last commit into it, and there builds with the
# build packages alone, serves, and runs the tests that match. The root has a mount and a process
# namespace of its own and is removed at the end, however that comes; .build/fresh-<version>/ keeps
# the bare root and the packages for the next run. Packages come from where this machine gets its
# own, with the same settings. The network is this machine's.
set -eu
. "$(dirname "$0")/debian-root.sh"

fail() {
    echo "fresh: $*" >&2
    exit 1
}

# In the namespaces, as root: everything but the clone.
outside() {
    make_root ""
    mount_all
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/fresh" # nobody wants it after a power cut
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    cp -r /etc/apt/trusted.gpg.d/. "$root/etc/apt/trusted.gpg.d/"
    apt-config dump --no-empty Acquire | grep -v '^Acquire::IndexTargets' \
        >"$root/etc/apt/apt.conf.d/50fresh"
    chown -R 0:0 "$root/rochefort"
    chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        sh /rochefort/cmake/fresh.sh --inside "$regex"
}

step() {
    echo "== fresh: $*"
}

start_line_or_end() {
    port=$(sed -n 's/.*starting http server on 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$log")
    [ -n "$port" ] || ! kill -0 "$server" 2>/dev/null
}

serve() {
    log=/tmp/run.log
    sh cmake/dev run -bind 127.0.0.1:0 >"$log" 2>&1 &
    server=$!
    tries=0
    until start_line_or_end; do
        tries=$((tries + 1))
        [ "$tries" -lt 6000 ] || fail "the server did not start in ten minutes"
        sleep 0.1
    done
    [ -n "$port" ] || {
        cat "$log" >&2
        fail "the server did not start"
    }
    url=http://127.0.0.1:$port
    answer=$(curl -sS -d 'some text' "$url/append?id=some_identifier")
    case $answer in
    '{"offset":0,"file":"'*'/default/append.'*'.raw"}') ;;
    *) fail "append answered: $answer" ;;
    esac
    answer=$(curl -sS "$url/get?id=some_identifier&offset=0")
    [ "$answer" = 'some text' ] || fail "get answered: $answer"
    kill "$server"
    wait "$server" || fail "the server ended with status $?"
}

# In the bare root, with the clone as working directory.
inside() {
    cd /rochefort
    step "cmake -S . -B build && cmake --build build, with the build packages alone"
    apt-get update -qq
    # shellcheck disable=SC2046
    apt-get install -y -qq --no-install-recommends $(sh cmake/dev packages) >/tmp/install.log 2>&1 ||
        {
            tail -n 20 /tmp/install.log >&2
            fail "packages could not be installed"
        }
    cmake -S . -B build
    cmake --build build
    build/rochefort -version
    step "sh cmake/dev run, an append and a get"
    apt-get install -y -qq --no-install-recommends curl >/tmp/install.log 2>&1
    serve
    step "sh cmake/dev test $regex"
    sh cmake/dev test "$regex"
    step "passed on Debian $(cat /etc/debian_version)"
}

# The first process of the process namespace takes all others with it.
stop() {
    # shellcheck disable=SC2046
    $as_root kill -KILL $(pgrep -f -- "--outside $root ") 2>/dev/null || true
}

# As anybody: the clone, then the namespaces.
start() {
    regex=${2:-.}
    cache=$PWD/.build/fresh-$1
    host=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    mkdir -p .build
    root=$(mktemp -d "$PWD/.build/fresh.XXXXXX")
    trap '$as_root rm -rf --one-file-system "$root"' EXIT
    trap 'stop; exit 1' HUP INT TERM
    chmod 755 "$root"
    git clone -q . "$root/rochefort"
    $as_root unshare --mount --pid --fork --kill-child \
        sh cmake/fresh.sh --outside "$root" "$cache" "$host" "$codename" "$regex" &
    wait $! # and not in the foreground, where a shell would put off its traps
}

# Read to its end before it runs: the file may change meanwhile.
main() {
    case $1 in
    12) codename=bookworm ;;
    13) codename=trixie ;;
    --outside)
        root=$2 cache=$3 host=$4 codename=$5 regex=$6
        outside
        return
        ;;
    --inside)
        regex=$2
        inside
        return
        ;;
    *) fail "12 or 13?" ;;
    esac
    start "$@"
}

main "$@"
exit
