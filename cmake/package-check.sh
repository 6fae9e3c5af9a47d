#!/bin/sh
# package-check.sh: what becomes of the Debian package where it is installed; for
# `sh cmake/dev package-check`.
#
# Makes a minimal Debian root of this machine's version and boots its systemd in namespaces of their own,
# the network's too. There the package is installed, used, upgraded, removed, installed again and purged,
# as check() says. The root is removed at the end, however that comes; .build/package-check/ keeps the
# bare root for the next run.
set -eu
. "$(dirname "$0")/debian-root.sh"

fail() {
    echo "package-check: $*" >&2
    exit 1
}

step() {
    echo "== package-check: $*"
}

# As root, where there is a network: the bare root for the next step, which has none.
bare() {
    make_root "systemd,systemd-sysv,dbus,init-system-helpers,curl,$packages"
}

# In the namespaces, as root: mounts, then the root's systemd, whose only task is the check.
outside() {
    tar -C "$root" -xf "$cache/root.tar"
    mount_all
    : >"$root/dev/console"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mkdir "$root/check"
    cp "$debs"/*.deb "$root/check"
    cp cmake/package-check.sh cmake/debian-root.sh "$root/check"
    cat >"$root/etc/systemd/system/check.service" <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=HOME=/root LC_ALL=C.UTF-8
ExecStart=/bin/sh -c 'sh /check/package-check.sh --inside >/check/log 2>&1; echo $? >/check/status'
ExecStopPost=systemctl --no-block exit
END
    mkdir -p "$root/etc/systemd/system/default.target.wants"
    ln -s ../check.service "$root/etc/systemd/system/default.target.wants/check.service"
    # Not chroot alone: in one no user namespace can be made, and the unit has one.
    mkdir "$root/outside"
    cd "$root"
    pivot_root . outside
    exec chroot . sh -c 'umount -l /outside && exec env -i container=other \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --show-status=no'
}

# wait_for <port>: until it is ready
wait_for() {
    curl -s -m 60 --retry 100 --retry-delay 1 --retry-max-time 60 --retry-all-errors -f -o /dev/null \
        "http://127.0.0.1:$1/readyz" || {
        journalctl -u rochefort --no-pager | tail -n 20 >&2
        fail "the server on port $1 is not ready"
    }
}

# same <wanted> <found> <what>
same() {
    [ "$1" = "$2" ] || fail "$3: expected \"$1\", found \"$2\""
}

get() {
    curl -sS -m 60 "http://127.0.0.1:$1/get?id=some_identifier&offset=0"
}

# status [token]: of a get
status() {
    curl -s -m 60 -o /dev/null -w '%{http_code}' ${1:+-H "Authorization: Bearer $1"} \
        'http://127.0.0.1:8000/get?id=some_identifier&offset=0'
}

main_pid() {
    systemctl show -P MainPID rochefort
}

# The value that was appended first is there, as a file and, if there is a port, over HTTP.
data_is_there() {
    found=$(find /var/lib/private/rochefort/default -name 'append.*.raw' -size +0)
    [ -n "$found" ] || fail "the data is gone"
    [ $# -eq 0 ] || same "some text" "$(get "$1")" "the value"
}

check() {
    old=$(ls /check/rochefort_[0-9]*.deb) new=/check/rochefort_upgrade.deb

    step "install: the service starts, as no user of this system"
    dpkg -i "$old"
    wait_for 8000
    same active "$(systemctl is-active rochefort)" "is-active"
    same 1min "$(systemctl show -P WatchdogUSec rochefort)" "the watchdog"
    same enabled "$(systemctl is-enabled rochefort)" "is-enabled"
    user=$(awk '$1 == "Uid:" { print $2 }' "/proc/$(main_pid)/status")
    [ "$user" -ge 61184 ] && [ "$user" -le 65519 ] || fail "the server runs as user $user"
    same "CapEff: 0000000000000000" "$(awk '$1 == "CapEff:" { print $1, $2 }' "/proc/$(main_pid)/status")" \
        "capabilities"

    step "use: appends, synced too, reads, close, the tools, reload"
    answer=$(curl -sS -d 'some text' 'http://127.0.0.1:8000/append?id=some_identifier&sync=1')
    case $answer in
    '{"offset":0,"file":"/var/lib/rochefort/default/append.'*'.raw"}') ;;
    *) fail "append answered: $answer" ;;
    esac
    same '{"success":true}' "$(curl -sS 'http://127.0.0.1:8000/close?storagePrefix=default')" "close"
    data_is_there 8000
    rochefort verify /var/lib/rochefort | tail -n 1
    rochefort verify /var/lib/rochefort >/dev/null || fail "verify found damage"
    curl -sS -f http://127.0.0.1:8000/metrics | grep -c '^rochefort_' >/dev/null || fail "no figures"
    pid=$(main_pid)
    systemctl reload rochefort
    same "some text" "$(get 8000)" "after a reload"
    same "$pid" "$(main_pid)" "the process after a reload"

    step "tokens: in a file of root that the service's group may read, read again on reload"
    groupadd --system rochefort-tokens
    install -m 640 -g rochefort-tokens /dev/null /etc/rochefort.tokens
    echo 0123456789abcdef-reader read >/etc/rochefort.tokens
    mkdir -p /etc/systemd/system/rochefort.service.d
    printf '[Service]\nSupplementaryGroups=rochefort-tokens\n' \
        >/etc/systemd/system/rochefort.service.d/tokens.conf
    sed -i 's|:8000|:8000 -tokens /etc/rochefort.tokens|' /etc/default/rochefort
    systemctl daemon-reload
    systemctl restart rochefort
    wait_for 8000
    same 401 "$(status)" "without a token"
    same 200 "$(status 0123456789abcdef-reader)" "with a token"
    echo 0123456789abcdef-second read >/etc/rochefort.tokens
    systemctl reload rochefort
    tries=0
    until [ "$(status 0123456789abcdef-second)" = 200 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "the new token is not known"
        sleep 0.1
    done
    same 401 "$(status 0123456789abcdef-reader)" "with a token of the old file"
    sed -i 's| -tokens /etc/rochefort.tokens||' /etc/default/rochefort
    systemctl restart rochefort
    wait_for 8000

    step "a Unix domain socket in /run/rochefort, beside the port"
    sed -i 's|:8000|:8000 -bind unix:/run/rochefort/socket -socket-mode 0666|' /etc/default/rochefort
    systemctl restart rochefort
    wait_for 8000
    same "some text" "$(curl -sS -m 60 --unix-socket /run/rochefort/socket \
        'http://localhost/get?id=some_identifier&offset=0')" "over the socket"

    step "killed: it is started again, also with the socket that it left"
    pid=$(main_pid)
    kill -KILL "$pid"
    tries=0
    until [ "$(main_pid)" != "$pid" ] && [ "$(main_pid)" != 0 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "it is not started again"
        sleep 0.1
    done
    wait_for 8000
    same "some text" "$(curl -sS -m 60 --unix-socket /run/rochefort/socket \
        'http://localhost/get?id=some_identifier&offset=0')" "over the socket after a kill"

    step "upgrade: what was changed in /etc/default/rochefort stays, and the data"
    sed -i 's/:8000/:8100/' /etc/default/rochefort
    pid=$(main_pid)
    dpkg -i "$new"
    wait_for 8100
    [ "$(main_pid)" != "$pid" ] || fail "the same process after an upgrade"
    data_is_there 8100
    systemctl status rochefort --no-pager | head -n 5

    step "remove: the server is gone, the data and the flags are not"
    dpkg -r rochefort
    same inactive "$(systemctl is-active rochefort || true)" "is-active after removal"
    ! curl -s -m 10 http://127.0.0.1:8100/healthz || fail "a server answers"
    data_is_there
    grep -q :8100 /etc/default/rochefort || fail "/etc/default/rochefort is not as it was"

    step "install where the port is taken: no failure, and the other server goes on"
    dpkg-deb -x "$new" /check/other
    /check/other/usr/bin/rochefort -bind 127.0.0.1:8100 -root /check/root 2>/check/other.log &
    other=$!
    wait_for 8100
    dpkg -i "$new"
    curl -sS -f http://127.0.0.1:8100/healthz >/dev/null || fail "the other server is gone"
    kill "$other"
    wait "$other" || fail "the other server ended with status $?"
    systemctl reset-failed rochefort || true
    systemctl restart rochefort
    wait_for 8100
    data_is_there 8100

    step "purge: the flags are gone, the data is not"
    dpkg -P rochefort
    [ ! -e /etc/default/rochefort ] || fail "/etc/default/rochefort is there"
    [ ! -e /usr/bin/rochefort ] || fail "/usr/bin/rochefort is there"
    data_is_there
    step "passed on Debian $(cat /etc/debian_version), $(systemctl --version | head -n 1)"
}

# The first process of the process namespace takes all others with it.
stop() {
    # shellcheck disable=SC2046
    $as_root kill -KILL $(pgrep -f -- "--outside $root ") 2>/dev/null || true
}

# make_newer <deb> <folder>: the same package with a later version
make_newer() {
    dpkg-deb -R "$1" "$2/tree"
    sed -i 's/^Version: .*/&+upgrade/' "$2/tree/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$2/tree" "$2/rochefort_upgrade.deb" >/dev/null
    rm -rf "$2/tree"
}

start() {
    cache=$PWD/.build/package-check
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    mkdir -p "$cache"
    work=$(mktemp -d "$PWD/.build/package-check.XXXXXX")
    root=$work/root
    trap '$as_root rm -rf --one-file-system "$work"' EXIT
    trap 'stop; exit 1' HUP INT TERM
    chmod 755 "$work"
    mkdir "$root" "$work/debs"
    cp .build/package/rochefort_*.deb "$work/debs"
    make_newer "$work"/debs/*.deb "$work/debs"
    packages=$(dpkg-deb -f "$(ls "$work"/debs/*.deb | head -n 1)" Depends |
        sed 's/([^)]*)//g; s/ //g')
    # one that was made for other packages is of no use
    [ "$packages" = "$(cat "$cache/wanted" 2>/dev/null)" ] || $as_root rm -f "$cache/root.tar"
    echo "$packages" >"$cache/wanted"
    [ -e "$cache/root.tar" ] || {
        mkdir "$work/bare"
        $as_root unshare --mount --pid --fork --kill-child \
            sh cmake/package-check.sh --bare "$work/bare" "$cache" "$codename" "$packages"
    }
    $as_root unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child \
        sh cmake/package-check.sh --outside "$root" "$cache" "$codename" "$packages" "$work/debs" &
    wait $! || true # and not in the foreground, where a shell would put off its traps
    $as_root cat "$root/check/log" || fail "systemd did not run the check"
    [ "$(cat "$root/check/status")" = 0 ] || fail "failed"
}

# Read to its end before it runs: the file may change meanwhile.
main() {
    case ${1:-} in
    --outside)
        root=$2 cache=$3 host=$4 codename=$4 packages=$5 debs=$6
        outside
        ;;
    --bare)
        root=$2 cache=$3 host=$4 codename=$4 packages=$5
        bare
        ;;
    --inside) check ;;
    *) start ;;
    esac
}

main "$@"
exit
