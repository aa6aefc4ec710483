# shellcheck shell=bash disable=SC2154
# Services as processes of this machine: a port, a configuration, a pid. Each has a
# folder of its own in the instance's. Sourced by scripts/stack.

# Prints the pid of our process of this service, if it lives. The command line must
# name this instance's folder: a recorded pid may belong to somebody else by now.
running_pid() {
  local pid line
  pid=$(cat "$inst/$1/pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return
  if [[ -d /proc/self ]]; then
    { line=$(tr '\0' ' ' <"/proc/$pid/cmdline"); } 2>/dev/null || return
  else
    line=$(ps -ww -o args= -p "$pid") || return
  fi
  [[ $line == *"$inst/$1/"* ]] && echo "$pid"
}

# A service owns its port and the next one (Kafka's controller, OpenSearch's
# transport). Other instances' ports count as taken while those are stopped, too.
choose_port() {
  local p recorded taken
  case $1 in kafka) p=19092 ;; opensearch) p=19200 ;; redis) p=16379 ;; esac
  if recorded=$(recorded_port "$1") && await_port "$recorded"; then return; fi
  rm -f "$inst/$1/port"
  taken=" $(cat "$cache"/instances/*/*/port 2>/dev/null | tr '\n' ' ' || true) "
  while [[ $taken == *" $p "* ]] || ! port_is_free "$p" || ! port_is_free $((p + 1)); do
    p=$((p + 10))
  done
  mkdir -p "$inst/$1"
  echo "$p" >"$inst/$1/port"
}

# A process that ends loses its command line before it closes its ports: wait for those.
await_port() {
  local deadline=$((SECONDS + 10))
  until port_is_free "$1"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Starts a command as a session of its own, as the services' user, with none of our
# environment. Its pid is recorded by itself, so that no interruption can lose it.
detach() { # service command...
  local dir=$inst/$1
  shift
  rm -f "$dir/pid"
  [[ ! -f $dir/log ]] || mv "$dir/log" "$dir/log.previous"
  # shellcheck disable=SC2016 # expanded by the inner bash
  env -i PATH="$PATH" HOME="$dir" LANG=C.UTF-8 setsid bash -c 'echo $$ >"$1"; shift; exec "$@"' \
    stack "$dir/pid" "${unprivileged[@]}" "$@" </dev/null >"$dir/log" 2>&1 8>&- 9>&- &
  until [[ -s $dir/pid ]]; do sleep 0.05; done
}

launch() { # service
  local dir=$inst/$1 port
  port=$(recorded_port "$1")
  # The services' user owns the config folder: what it put there, such as a link to
  # another file, must not be written to as root.
  rm -rf "${dir:?}/config"
  mkdir -p "$dir"/{data,config,tmp,logs}
  "launch_$1"
}

# Adds what --config has for the service to its configuration.
configure() { # service file
  local extra=$config/$1 n edits=()
  [[ -n $config && -d $extra ]] || return 0
  cp -R "$extra/." "$dir/config/"
  [[ -f $extra/append ]] || return 0
  for n in 1 2 3 4 5 6 7 8 9; do edits+=(-e "s#@PORT+$n@#$((port + n))#g"); done
  sed -e "s#@PORT@#$port#g" -e "s#@CONFIG@#$dir/config#g" "${edits[@]}" "$extra/append" >>"$dir/config/$2"
}

give_away() { ((EUID != 0)) || chown -R "nobody:$(id -g nobody)" "$dir"/{data,config,tmp,logs}; }

launch_redis() {
  cat >"$dir/config/redis.conf" <<EOF
bind 127.0.0.1
port $port
dir $dir/data
save ""
appendonly no
# Its command line keeps the path of this file, by which scripts/stack knows it.
set-proc-title no
EOF
  configure redis redis.conf
  give_away
  detach redis redis-server "$dir/config/redis.conf"
}

launch_kafka() {
  local java=("$java_home/bin/java" -cp "$dist/kafka/*" -Dorg.apache.logging.log4j.level=WARN)
  cat >"$dir/config/kafka.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
log.dirs=$dir/data
# A missing topic must show, not appear.
auto.create.topics.enable=false
log.retention.ms=-1
# One node; few partitions of its own topics, as the first use creates them all.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=16777216
# Groups rebalance at once, and a killed member is missed after 10 s, not 45.
group.initial.rebalance.delay.ms=0
group.consumer.session.timeout.ms=10000
group.consumer.min.session.timeout.ms=6000
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.heartbeat.interval.ms=1000
EOF
  configure kafka kafka.properties
  give_away
  if [[ ! -f $dir/data/meta.properties ]]; then
    rm -rf "${dir:?}"/data/* # of an interrupted format
    (cd "$dir/tmp" && "${unprivileged[@]}" "${java[@]}" -Xmx128m kafka.tools.StorageTool format \
      -t "$(random_uuid)" -c "$dir/config/kafka.properties" >"$dir/log" 2>&1) ||
      die "format Kafka's storage: $(tail -3 "$dir/log")"
  fi
  detach kafka "${java[@]}" -Xms256m -Xmx512m -XX:+ExitOnOutOfMemoryError \
    kafka.Kafka "$dir/config/kafka.properties"
}

# A Kafka cluster id: 16 bytes in URL-safe base64, not led by a dash.
random_uuid() { echo "A$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)"; }

launch_opensearch() {
  local unwanted=Xlog:gc
  cat >"$dir/config/opensearch.yml" <<EOF
cluster.name: search-indexer-$name
node.name: $name
discovery.type: single-node
network.host: 127.0.0.1
http.port: $port
transport.port: $((port + 1))
path.logs: $dir/logs
# A full disk of a developer must not make indices read-only.
cluster.routing.allocation.disk.threshold_enabled: false
EOF
  configure opensearch opensearch.yml
  cp "$opensearch/config/log4j2.properties" "$dir/config/"
  # A small JRE lacks the vector module, and Java refuses to start with it named.
  [[ $("$java_home/bin/java" --list-modules) == *jdk.incubator.vector* ]] || unwanted+="|jdk.incubator.vector"
  # The distribution's options name paths inside of itself, which all instances share.
  sed -E -e "/$unwanted/d" -e "s#=logs/#=$dir/logs/#" -e "s#HeapDumpPath=data#HeapDumpPath=$dir/logs#" \
    "$opensearch/config/jvm.options" >"$dir/config/jvm.options"
  rm -rf "${dir:?}"/tmp/*
  give_away
  detach opensearch env OPENSEARCH_JAVA_HOME="$java_home" OPENSEARCH_PATH_CONF="$dir/config" \
    OPENSEARCH_TMPDIR="$dir/tmp" OPENSEARCH_JAVA_OPTS="-Xms1g -Xmx1g -XX:-AlwaysPreTouch" \
    "$opensearch/bin/opensearch" "-Epath.data=$dir/data" # here, so that running_pid sees the folder
}

# Has a native service to be launched? One that lives but does not answer is given
# the time of a start since its launch, then is ended to be started anew.
is_down() { # service
  local pid age
  pid=$(running_pid "$1") || return 0
  answers "$1" "$(address "$1")" && return 1
  age=$(($(date +%s) - $(date -r "$inst/$1/pid" +%s)))
  ((age >= 60)) || return 1
  say "$1: pid $pid does not answer, starting it anew"
  signal "$1" KILL
}

# Ends a native service with TERM or KILL and waits until it is gone.
signal() { # service signal
  local pid deadline=$((SECONDS + 60))
  pid=$(running_pid "$1") || return 0
  kill -s "$2" "$pid"
  kill -s CONT "$pid" 2>/dev/null || true # a frozen one would not hear
  while running_pid "$1" >/dev/null; do
    if ((SECONDS > deadline)); then
      say "$1: pid $pid ignores $2, killing it"
      kill -s KILL "$pid"
      deadline=$((SECONDS + 60))
    fi
    sleep 0.1
  done
  await_port "$(recorded_port "$1")" || say "$1: something else listens on port $(recorded_port "$1")"
}
