# Sourced by servers.sh: Apache Kafka, one node that is broker and controller at once. How it is configured, and who
# may log in, is in kafka-broker, which tests also run themselves when they want a broker to stop and start.
#
# shellcheck shell=bash

servers_version_kafka() { sed -n 's/.* kafka_2\.13-\(.*\)\.jar$/\1/p' "$servers_lib/kafka.lock"; }

servers_install_kafka() {
    local dir=$servers_root/kafka pins
    pins=$(cat "$servers_lib/kafka.lock")
    if ! servers_stamped kafka "$pins"; then
        servers_say "installing Apache Kafka $(servers_version_kafka)"
        servers_need_java with-maven || return 1
        rm -rf "$dir"
        mkdir -p "$dir"
        cp "$servers_lib/kafka.pom.xml" "$dir/pom.xml"
        servers_logged "$dir/install.log" mvn --batch-mode --file "$dir/pom.xml" \
            "$maven_dependency_plugin:copy-dependencies" -DincludeScope=runtime \
            "-DoutputDirectory=$dir/lib" || return 1
        if ! (cd "$dir/lib" && servers_check_sums "$servers_lib/kafka.lock") >>"$dir/install.log" 2>&1 ||
            [ "$(cd "$dir/lib" && ls | wc -l)" -ne "$(wc -l <"$servers_lib/kafka.lock")" ]; then
            tail -n 20 "$dir/install.log" >&2
            servers_shout "Apache Kafka's packages are not the ones that were pinned"
            return 1
        fi
        servers_stamp kafka "$pins"
    fi
    servers_need_java || return 1
    if ! command -v openssl >/dev/null; then
        servers_apt openssl || true
        hash -r
        command -v openssl >/dev/null || {
            servers_shout "no openssl" "Kafka's certificates are made with it"
            return 1
        }
    fi
    # Machines change their Java; a broker that a test starts has to find it, too.
    printf '%s\n' "$servers_java" >"$dir/.java"
}

# Expects `clean` from servers_exec. Five ports: see kafka-broker.
servers_exec_kafka() {
    # Every start has ports of its own, which the kept state would contradict.
    rm -rf "$servers_run/kafka"
    mkdir -p "$servers_run/kafka"
    exec "${clean[@]}" "$servers_lib/kafka-broker" "$servers_root/kafka" "$servers_run/kafka" "$@"
}

# It listens before it is ready, and its own tools take a second to ask.
servers_ready_kafka() {
    grep -q 'Kafka Server started' "$servers_run/kafka.log" && ! servers_port_is_free "$1"
}

kafka_env() {
    local pid started ports plain sasl mtls sasl_tls
    servers_running kafka || return 0
    read -r plain sasl mtls sasl_tls _ <<<"$ports"
    printf 'TIDEGATE_TEST_KAFKA=127.0.0.1:%s\n' "$plain"
    printf 'TIDEGATE_TEST_KAFKA_SASL=127.0.0.1:%s\n' "$sasl"
    printf 'TIDEGATE_TEST_KAFKA_MTLS=127.0.0.1:%s\n' "$mtls"
    printf 'TIDEGATE_TEST_KAFKA_SASL_TLS=127.0.0.1:%s\n' "$sasl_tls"
    printf 'TIDEGATE_TEST_KAFKA_CERTIFICATES=%s\n' "$servers_run/kafka/tls"
    printf 'TIDEGATE_TEST_KAFKA_HOME=%s\n' "$servers_root/kafka"
}
