# Sourced by servers.sh: what reads reports in tests. Chromium with its driver comes from Debian, whose packages go
# together; pyarrow from PyPI into target/servers. Only the driver is a server.
#
# shellcheck shell=bash

servers_all="$servers_all chromium"
# Installed and named as servers are, but never started.
servers_tools="pyarrow"

servers_version_chromium() {
    chromedriver --version 2>/dev/null | sed -n 's/^ChromeDriver \([0-9.]*\).*/\1/p' | grep . || printf 'of Debian'
}
servers_version_pyarrow() { sed -n 's/^pyarrow==//p' "$servers_lib/pyarrow.lock"; }

readers_find_chromium() {
    local candidate
    command -v chromedriver >/dev/null || return 1
    for candidate in chromium chromium-browser google-chrome; do
        command -v "$candidate" >/dev/null && return 0
    done
    return 1
}

servers_install_chromium() {
    readers_find_chromium && return 0
    mkdir -p "$servers_root"
    servers_apt chromium chromium-driver || true
    hash -r
    readers_find_chromium && return 0
    servers_shout "no Chromium" "reports are read with chromium and chromedriver;" \
        "on Debian: apt-get install chromium chromium-driver"
    return 1
}

# Called with the array `clean` of servers_exec in sight. Only this machine may talk to it.
servers_exec_chromium() { exec "${clean[@]}" chromedriver "--port=$1" --allowed-ips=127.0.0.1 --log-level=WARNING; }

servers_ready_chromium() { servers_http_ok "$1" /status; }

servers_install_pyarrow() {
    local pins dir=$servers_root/pyarrow
    pins=$(cat "$servers_lib/pyarrow.lock")
    # The environment's python is a link to the machine's; it dangles after a system upgrade.
    if servers_stamped pyarrow "$pins" && "$dir/bin/python" -c 'import pyarrow.parquet' 2>/dev/null; then
        return 0
    fi
    servers_say "installing pyarrow $(servers_version_pyarrow)"
    servers_fresh_venv pyarrow || return 1
    servers_logged "$dir/install.log" "$dir/bin/python" -m pip install --disable-pip-version-check --no-input \
        --no-deps --only-binary=:all: -r "$servers_lib/pyarrow.lock" || return 1
    servers_logged "$dir/install.log" "$dir/bin/python" -c 'import pyarrow.parquet' || return 1
    servers_stamp pyarrow "$pins"
}

readers_env() {
    local pid started ports
    if servers_running chromium; then
        printf 'TIDEGATE_TEST_WEBDRIVER=127.0.0.1:%s\n' "${ports%% *}"
    fi
    if ! servers_is_missing pyarrow && [ -x "$servers_root/pyarrow/bin/python" ]; then
        printf 'TIDEGATE_TEST_PYARROW=%s\n' "$servers_root/pyarrow/bin/python"
    fi
}
