# Sourced by servers.sh: RabbitMQ with its Erlang, from the packages of Debian or Ubuntu, unpacked under
# target/servers: nothing is installed into the system, and no root is needed.
#
# shellcheck shell=bash

# Erlang without what RabbitMQ does not load.
rabbitmq_packages="rabbitmq-server erlang-base erlang-asn1 erlang-crypto erlang-eldap erlang-inets
    erlang-mnesia erlang-os-mon erlang-parsetools erlang-public-key erlang-runtime-tools erlang-ssl
    erlang-syntax-tools erlang-tools erlang-xmerl"
rabbitmq_user=tidegate
rabbitmq_password=ebb-and-flow
# Besides `/`, which every broker has; the second one needs escapes wherever it is written.
rabbitmq_virtual_hosts="tides harbour/east"

rabbitmq_version() { cat "$servers_root/rabbitmq/version" 2>/dev/null || printf 'of this system'; }

# Erlang's scripts have the folder of the system's packages in them.
rabbitmq_relocate() {
    local usr=$1/usr/lib/erlang script
    for script in "$usr"/bin/{erl,start} "$usr"/erts-*/bin/{erl,start}; do
        sed -i "s|ROOTDIR=/usr/lib/erlang\$|ROOTDIR=\"$usr\"|" "$script" || return 1
    done
}

# apt looks into its signed lists for what a package must be, so what it downloads is what Debian or
# Ubuntu published. Debian 12's packages of today have to be the ones that were pinned, too.
rabbitmq_download() {
    local dir=$1 log=$2
    # Not root's folders, so that anybody can do it; the machine's own lists are often missing or old.
    local -a own=(-o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o Debug::NoLocking=1
        -o APT::Sandbox::User= -q)
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    # shellcheck disable=SC2086
    (
        cd "$dir" || exit 1
        servers_logged "$log" apt-get "${own[@]}" update || exit 1
        servers_logged "$log" apt-get "${own[@]}" download $rabbitmq_packages || exit 1
        if grep -qF "$(ls rabbitmq-server_*.deb)" "$servers_lib/rabbitmq.lock" &&
            grep -qF "$(ls erlang-base_*.deb)" "$servers_lib/rabbitmq.lock"; then
            servers_check_sums "$servers_lib/rabbitmq.lock" >>"$log" 2>&1
        else
            servers_say "this system has another RabbitMQ than the pinned one; apt vouches for it"
        fi
    )
}

servers_install_rabbitmq() {
    local dir=$servers_root/rabbitmq pins package
    pins="$(cat "$servers_lib/rabbitmq.lock") in $dir"
    servers_stamped rabbitmq "$pins" && return 0
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        servers_shout "no RabbitMQ" "its packages come from Debian or Ubuntu, with apt-get and dpkg-deb"
        return 1
    fi
    servers_say "installing RabbitMQ and Erlang"
    rm -rf "$dir"
    mkdir -p "$dir/packages"
    rabbitmq_download "$dir/packages" "$dir/install.log" || return 1
    for package in "$dir"/packages/*.deb; do
        servers_logged "$dir/install.log" dpkg-deb -x "$package" "$dir/root" || return 1
    done
    rabbitmq_relocate "$dir/root" || return 1
    servers_logged "$dir/install.log" "$dir/root/usr/lib/erlang/bin/erl" -noinput -boot start_clean \
        -eval '{ok, _} = application:ensure_all_started(ssl), halt().' || return 1
    servers_certificates "$dir/tls" "$dir/install.log" || return 1
    dpkg-deb -f "$dir"/packages/rabbitmq-server_*.deb Version >"$dir/version"
    rm -rf "$dir/packages"
    servers_stamp rabbitmq "$pins"
}

# A private authority (ca.pem) and a server's certificate for this machine (server.pem, server.key).
servers_certificates() {
    local dir=$1 log=$2
    if ! command -v openssl >/dev/null && ! servers_apt openssl; then
        servers_shout "no openssl" "certificates for the tests are made with it"
        return 1
    fi
    mkdir -p "$dir"
    printf '%s\n' 'subjectAltName = DNS:localhost, IP:127.0.0.1' 'basicConstraints = CA:FALSE' \
        'extendedKeyUsage = serverAuth' >"$dir/server.ext"
    servers_logged "$log" openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=tidegate tests' \
        -addext 'keyUsage = critical, keyCertSign, cRLSign' -keyout "$dir/ca.key" -out "$dir/ca.pem" &&
        servers_logged "$log" openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' \
            -keyout "$dir/server.key" -out "$dir/server.csr" &&
        servers_logged "$log" openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" \
            -CAkey "$dir/ca.key" -CAcreateserial -days 3650 -extfile "$dir/server.ext" \
            -out "$dir/server.pem"
}

# Users and virtual hosts, as the broker reads them when it starts.
rabbitmq_definitions() {
    local host hosts='{"name":"/"}' may=
    for host in / $rabbitmq_virtual_hosts; do
        [ "$host" = / ] || hosts="$hosts,{\"name\":\"$host\"}"
        may="$may${may:+,}{\"user\":\"$rabbitmq_user\",\"vhost\":\"$host\",\"configure\":\".*\",\"write\":\".*\",\"read\":\".*\"}"
    done
    printf '{"users":[{"name":"%s","password":"%s","tags":"administrator"}],"vhosts":[%s],"permissions":[%s]}\n' \
        "$rabbitmq_user" "$rabbitmq_password" "$hosts" "$may"
}

# Ports: AMQP, AMQP over TLS, Erlang's distribution, and the daemon that knows the distribution's ports.
# Called with the array `clean` of servers_exec in sight.
rabbitmq_exec() {
    local run=$servers_run/rabbitmq root=$servers_root/rabbitmq/root/usr/lib sbin tls
    local erlang=$root/erlang/bin
    tls=$servers_root/rabbitmq/tls
    sbin=$(printf '%s\n' "$root"/rabbitmq/lib/rabbitmq_server-*/sbin)
    rm -rf "$run"
    mkdir -p "$run/home"
    rabbitmq_definitions >"$run/definitions.json"
    cat >"$run/rabbitmq.conf" <<CONF
listeners.tcp.local = 127.0.0.1:$1
listeners.ssl.local = 127.0.0.1:$2
ssl_options.cacertfile = $tls/ca.pem
ssl_options.certfile = $tls/server.pem
ssl_options.keyfile = $tls/server.key
definitions.import_backend = local_filesystem
definitions.local.path = $run/definitions.json
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
CONF
    : >"$run/none"
    printf '[].\n' >"$run/enabled_plugins"
    local -a node=("${clean[@]}" "PATH=$erlang:$PATH" "HOME=$run/home"
        "ERL_EPMD_ADDRESS=127.0.0.1" "ERL_EPMD_PORT=$4" "RABBITMQ_NODENAME=tidegate-$1@localhost"
        "RABBITMQ_DIST_PORT=$3" "RABBITMQ_CONF_ENV_FILE=$run/none" "RABBITMQ_CONFIG_FILE=$run/rabbitmq.conf"
        "RABBITMQ_MNESIA_BASE=$run/data" "RABBITMQ_LOG_BASE=$run/log" "RABBITMQ_LOGS=-"
        "RABBITMQ_ENABLED_PLUGINS_FILE=$run/enabled_plugins" "RABBITMQ_FEATURE_FLAGS_FILE=$run/feature_flags"
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 2:2")
    # What a test calls to stop and start the broker, or to change a password.
    local word
    {
        printf '#!/bin/sh\nexec'
        for word in "${node[@]}" "RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}" \
            "$sbin/rabbitmqctl"; do
            # It must not end with the shell that wrote it.
            case $word in setpriv | --pdeathsig | TERM) continue ;; esac
            printf " '%s'" "$word"
        done
        printf ' "$@"\n'
    } >"$run/ctl"
    chmod +x "$run/ctl"
    # Started here, in this process group: otherwise the node would start one that outlives it.
    "${node[@]}" epmd -port "$4" -address 127.0.0.1 &
    # `detached` makes the script become the node instead of waiting for it.
    exec "${node[@]}" detached=true "$sbin/rabbitmq-server"
}

# An AMQP broker answers a greeting in a version that it does not speak with its own, and hangs up.
rabbitmq_ready() {
    local fd answer=""
    { exec {fd}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'AMQP\0\0\0\0' >&"$fd"
    IFS= read -r -N 4 -t 2 answer <&"$fd" 2>/dev/null || answer=""
    exec {fd}>&-
    [ "$answer" = AMQP ]
}

rabbitmq_env() {
    local pid started ports
    servers_running rabbitmq || return 0
    # shellcheck disable=SC2086
    set -- $ports
    printf 'TIDEGATE_TEST_RABBITMQ_URL=amqp://127.0.0.1:%s\n' "$1"
    printf 'TIDEGATE_TEST_RABBITMQ_TLS_URL=amqps://localhost:%s\n' "$2"
    printf 'TIDEGATE_TEST_RABBITMQ_CA=%s\n' "$servers_root/rabbitmq/tls/ca.pem"
    printf 'TIDEGATE_TEST_RABBITMQ_CTL=%s\n' "$servers_run/rabbitmq/ctl"
    printf 'TIDEGATE_TEST_RABBITMQ_USER=%s\n' "$rabbitmq_user"
    printf 'TIDEGATE_TEST_RABBITMQ_PASSWORD=%s\n' "$rabbitmq_password"
}
