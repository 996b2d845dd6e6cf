# Sourced by servers.sh: ActiveMQ Classic with its AMQP connector, from Maven Central.
#
# shellcheck shell=bash

# As activemq-broker has them.
activemq_user=tidegate
activemq_password=ebb-and-flow
activemq_reader=reader
activemq_reader_password=slack-water

activemq_version() { sed -n 's/.* activemq-broker-\(.*\)\.jar$/\1/p' "$servers_lib/activemq.lock"; }

servers_install_activemq() {
    local dir=$servers_root/activemq pins
    pins=$(cat "$servers_lib/activemq.lock")
    if servers_stamped activemq "$pins"; then
        servers_need_java
        return
    fi
    servers_say "installing ActiveMQ $(activemq_version)"
    servers_need_java with-maven || return 1
    rm -rf "$dir"
    mkdir -p "$dir"
    cp "$servers_lib/activemq.pom.xml" "$dir/pom.xml"
    servers_logged "$dir/install.log" mvn --batch-mode --file "$dir/pom.xml" \
        "$maven_dependency_plugin:copy-dependencies" -DincludeScope=runtime \
        "-DoutputDirectory=$dir/lib" || return 1
    # Every file that was pinned, unchanged, and none besides.
    if ! (cd "$dir/lib" && servers_check_sums "$servers_lib/activemq.lock") >>"$dir/install.log" 2>&1 ||
        [ "$(cd "$dir/lib" && ls | wc -l)" -ne "$(wc -l <"$servers_lib/activemq.lock")" ]; then
        tail -n 20 "$dir/install.log" >&2
        servers_shout "ActiveMQ's packages are not the ones that were pinned"
        return 1
    fi
    servers_certificates "$dir/tls" "$dir/install.log" || return 1
    servers_logged "$dir/install.log" openssl pkcs12 -export -in "$dir/tls/server.pem" \
        -inkey "$dir/tls/server.key" -certfile "$dir/tls/ca.pem" -passout pass:tidegate \
        -out "$dir/tls/server.p12" || return 1
    servers_stamp activemq "$pins"
}

# Ports: AMQP, AMQP over TLS, STOMP. Called with the array `clean` of servers_exec in sight.
activemq_exec() {
    local run=$servers_run/activemq word
    rm -rf "$run"
    mkdir -p "$run"
    local -a broker=("${clean[@]}" "PATH=${servers_java%/*}:$PATH" "$servers_lib/activemq-broker" "$servers_root/activemq")
    # For tests that stop and start a broker: one of their own, by `broker DIR AMQP AMQPS STOMP`.
    {
        printf '#!/bin/sh\nexec'
        for word in "${broker[@]}"; do
            # The test sees to its end.
            case $word in setpriv | --pdeathsig | TERM) continue ;; esac
            printf " '%s'" "$word"
        done
        printf ' "$@"\n'
    } >"$run/broker"
    chmod +x "$run/broker"
    exec "${broker[@]}" "$run" "$1" "$2" "$3"
}

# The connectors start in the order of their configuration, so all are there when the last one is; and who opens a
# connection in AMQP's 1.0 is answered in kind.
activemq_ready() {
    local fd answer=""
    servers_port_is_free "$3" && return 1
    { exec {fd}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'AMQP\3\1\0\0' >&"$fd"
    IFS= read -r -N 4 -t 2 answer <&"$fd" 2>/dev/null || answer=""
    exec {fd}>&-
    [ "$answer" = AMQP ]
}

activemq_env() {
    local pid started ports
    servers_running activemq || return 0
    # shellcheck disable=SC2086
    set -- $ports
    printf 'TIDEGATE_TEST_ACTIVEMQ_URL=amqp://127.0.0.1:%s\n' "$1"
    printf 'TIDEGATE_TEST_ACTIVEMQ_TLS_URL=amqp+ssl://localhost:%s\n' "$2"
    printf 'TIDEGATE_TEST_ACTIVEMQ_STOMP=127.0.0.1:%s\n' "$3"
    printf 'TIDEGATE_TEST_ACTIVEMQ_CA=%s\n' "$servers_root/activemq/tls/ca.pem"
    printf 'TIDEGATE_TEST_ACTIVEMQ_BROKER=%s\n' "$servers_run/activemq/broker"
    printf 'TIDEGATE_TEST_ACTIVEMQ_USER=%s\n' "$activemq_user"
    printf 'TIDEGATE_TEST_ACTIVEMQ_PASSWORD=%s\n' "$activemq_password"
    printf 'TIDEGATE_TEST_ACTIVEMQ_READER=%s\n' "$activemq_reader"
    printf 'TIDEGATE_TEST_ACTIVEMQ_READER_PASSWORD=%s\n' "$activemq_reader_password"
}
