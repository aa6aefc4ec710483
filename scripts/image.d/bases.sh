# shellcheck shell=bash disable=SC2154
# The two base images, made of Debian's packages. Sourced by scripts/image-check.

# Sets go_base and runtime_base, and makes those that are not in the store yet.
make_bases() {
  go_base=localhost/go-base:$suite-$(go env GOVERSION)
  runtime_base=localhost/runtime-base:$suite
  ! { store inspect --type image "$go_base" && store inspect --type image "$runtime_base"; } >/dev/null 2>&1 || return 0
  local work
  work=$(mktemp -d "$cache/base.XXXXXX")
  say "making the bases with debootstrap (once, some minutes)"
  debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev "$suite" "$work/go" >"$cache/debootstrap.log" 2>&1 ||
    die "debootstrap failed; see $cache/debootstrap.log"
  make_runtime "$work/go" "$work/runtime"
  rm -rf "$work"/go/var/cache/apt/archives/*.deb
  cp -a "$(go env GOROOT)" "$work/go/usr/local/go"
  store_base "$work/go" "$go_base" --env PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin --env GOTOOLCHAIN=local
  store_base "$work/runtime" "$runtime_base" --env PATH=/usr/local/bin:/usr/bin:/bin --user 65532
  rm -rf "$work"
}

# What gcr.io/distroless/base-nossl has: the C library, time zones, certificates and
# two users. The packages are unpacked only, so nothing in there can be run.
make_runtime() { # folder of the builder's base, folder of the runtime's
  local package debs=$1/var/cache/apt/archives
  mkdir -p "$2"
  for package in base-files libc6 tzdata; do
    dpkg-deb -x "$debs/${package}"_*.deb "$2"
  done
  mkdir -p "$2/etc/ssl/certs"
  cp "$1/etc/ssl/certs/ca-certificates.crt" "$2/etc/ssl/certs/"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$2/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$2/etc/group"
  install -d -m 1777 "$2/tmp"
  rm -rf "$2"/usr/share/{doc,man,lintian}
}

store_base() { # folder name, settings of buildah config
  local container
  container=$(store from scratch)
  store add --quiet "$container" "$1" / >/dev/null
  store config "${@:3}" "$container"
  store commit --quiet "$container" "$2" >/dev/null
  store rm "$container" >/dev/null
}
