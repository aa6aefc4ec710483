# shellcheck shell=bash disable=SC2154,SC2034
# What must hold of the image before anything is run. Sourced by scripts/image-check.

# Sets user, entrypoint and default_command, from the image's own configuration.
look() {
  local base base_root
  user=$(said '{{.OCIv1.Config.User}}')
  entrypoint=$(words Entrypoint)
  default_command=$(words Cmd)
  [[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || die "the user is '$user', not a number above 0"
  [[ $(said '{{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}') == "$version" ]] || die "the label of the version is wrong"
  [[ $(said '{{index .OCIv1.Config.Labels "org.opencontainers.image.revision"}}') == "$commit" ]] || die "the label of the revision is wrong"

  base=$(store from "$runtime_base")
  base_root=$(store mount "$base")
  added "$base_root"
  sizes "$base_root"
  store rm "$base" >/dev/null
  owners
  libraries "$root$entrypoint" "the program"
}

words() { said "{{range .OCIv1.Config.$1}}{{.}} {{end}}" | sed 's/ *$//'; }

said() { store inspect --type image --format "$1" search-indexer:check; }

# The stage adds one file to its base, and in neither is a shell.
added() { # root of the base
  local more shells
  more=$(comm -13 <(contents "$1") <(contents "$root"))
  [[ $more == "$entrypoint" ]] || die "the image adds more to its base than $entrypoint: $more"
  shells=$(find "$root" -xdev \( -name '*sh' -o -name 'busybox*' \) -perm /111 ! -type d -printf '/%P ')
  [[ -z $shells ]] || die "there are shells in it: $shells"
}

contents() { find "$1" -xdev ! -type d -printf '/%P\n' | LC_ALL=C sort; }

# Nothing belongs to the worker's user, can be written by it, or makes it another;
# folders for everybody's files (/tmp) are marked so that nobody removes another's.
owners() {
  local loose
  [[ $(stat -c '%U:%G %a' "$root$entrypoint") == "root:root 755" ]] || die "$entrypoint is $(stat -c '%U:%G %a' "$root$entrypoint")"
  loose=$(find "$root" -xdev ! -type l \( -uid "${user%%:*}" -o -gid "${user##*:}" -o -type f -perm /6002 \
    -o -type d -perm -0002 ! -perm -1000 \) -printf '/%P ')
  [[ -z $loose ]] || die "its user may change these, or become another: $loose"
}

# librdkafka and what it brings are linked in: of the system it needs the C library.
libraries() { # program, what to call it
  local needed
  needed=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort | tr '\n' ' ')
  [[ ! ${needed} =~ rdkafka|ssl|crypto|sasl|zstd|libz|curl|stdc ]] || die "$2 needs $needed"
  say "$2 needs $needed"
}

sizes() { # root of the base
  local whole base layer
  whole=$(du -sb "$root" | cut -f 1)
  base=$(du -sb "$1" | cut -f 1)
  layer=$(gzip -c "$root$entrypoint" | wc -c)
  say "$(awk -v w="$whole" -v b="$base" -v l="$layer" 'BEGIN {
    printf "%.1f MB above its base of %.1f MB, %.1f MB of it to pull", (w - b) / 1e6, b / 1e6, l / 1e6 }')"
}
