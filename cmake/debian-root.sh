# debian-root.sh: a bare Debian root to try things in; for fresh.sh and package-check.sh, which read it.
#
# $root is an empty directory, in a mount namespace of its own; $cache has the archive and the packages
# of the last time; $host is the code name of this machine's Debian, $codename that of the root.

# The sources of this machine's own release, as lines of sources.list for the other one.
sources() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Identifier: Packages' |
        sed -n "s/^\([^ ]*\) $host\(-updates\|-security\)\? /deb \1 $codename\2 /p"
}

# make_root <package,...>: a bare root with these packages, from the archive of the last time if there is
# one.
make_root() {
    mkdir -p "$cache/packages"
    if [ -e "$cache/root.tar" ]; then
        tar -C "$root" -xf "$cache/root.tar"
        return
    fi
    apt-get update -qq
    sources >"$cache/sources.list"
    mirror=$(sed -n "s/^deb \([^ ]*\) $codename main$/\1/p" "$cache/sources.list" | head -n 1)
    [ -n "$mirror" ] || fail "no source of $host main is set up on this machine"
    include=$1
    case $mirror in https:*) include=${include:+$include,}ca-certificates ;; esac
    debootstrap --variant=minbase --cache-dir="$cache/packages" ${include:+"--include=$include"} \
        "$codename" "$root" "$mirror" >"$cache/log" || {
        tail -n 20 "$cache/log" >&2
        fail "debootstrap failed; all it said is in $cache/log"
    }
    cp "$cache/sources.list" "$root/etc/apt/sources.list"
    tar -C "$root" --exclude=./rochefort -cf "$cache/root.tar.partial" .
    mv "$cache/root.tar.partial" "$cache/root.tar"
}

# What programs expect to find besides files. The root itself is a mount, as tests make namespaces
# of their own.
mount_all() {
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for device in null zero full random urandom tty; do
        : >"$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s fd/0 "$root/dev/stdin"
    ln -s fd/1 "$root/dev/stdout"
    ln -s fd/2 "$root/dev/stderr"
    mkdir "$root/dev/shm" "$root/dev/pts"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    mount --bind "$cache/packages" "$root/var/cache/apt/archives"
}
