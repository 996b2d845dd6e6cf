//! What function processes get, what they may not do, and that none outlives its poller.

use super::{Running, start, wait_until};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// A poller whose function is this script.
fn poller(script: &str, lines: &str) -> Running {
    let file = format!(
        r#"
[poller]
listen = "127.0.0.1:0"
[[target]]
function = "f"
type = "process"
command = ["/bin/sh", "-c", '''{script}''']
concurrency = 1
{lines}
[target.env]
STATED = "by the file"
[[source]]
name = "clicks"
type = "generated"
kind = "sqs"
rate = 50
[[mapping]]
name = "clicks"
EventSource = "clicks"
FunctionName = "f"
"#
    );
    let variables = [
        ("AWS_SECRET_ACCESS_KEY", "not for functions"),
        ("LD_PRELOAD_OF_SOMEBODY", "not for functions"),
    ];
    start(&file, &["--drain-timeout", "1s"], &variables)
}

/// What a script has written, once it is whole.
fn written(running: &Running, name: &str) -> String {
    wait_until(name, || std::fs::read_to_string(running.path(name)).ok())
}

fn is_alive(process: &str) -> bool {
    // A zombie that nobody has waited for yet is not alive.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_function_gets_awss_variables_and_those_of_the_file_alone() {
    let running = poller(
        "env > env.new; ulimit -c > core; mv env.new env; exec sleep 600",
        "",
    );
    let text = written(&running, "env");
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    // The last two are the shell's own.
    let expected = [
        "AWS_DEFAULT_REGION",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "PATH",
        "STATED",
        "TZ",
        "_HANDLER",
    ];
    let own = names
        .iter()
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    assert_eq!(own.copied().collect::<Vec<_>>(), expected);
    assert_eq!(written(&running, "core").trim(), "0", "no core files");
}

#[test]
fn no_other_process_takes_or_answers_a_functions_events() {
    let script = r#"echo "$AWS_LAMBDA_RUNTIME_API" > api.new; mv api.new api; exec sleep 600"#;
    let running = poller(script, "");
    let address = written(&running, "api").trim().to_owned();
    for request in [
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: f\r\n\r\n",
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: f\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let mut socket = TcpStream::connect(&address).expect("the port is open");
        let patience = Some(Duration::from_secs(30));
        socket.set_read_timeout(patience).expect("a limit");
        // It may be closed before everything is written.
        let _ = socket.write_all(request.as_bytes());
        let mut answer = Vec::new();
        match socket.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
        assert_eq!(
            String::from_utf8_lossy(&answer),
            "",
            "a stranger is told nothing"
        );
    }
    running.says(
        "a process that does not belong to the environment was turned away from its Runtime API",
    );
    // The environment waits for its own process as before.
    let clicks = running.mapping("clicks").expect("it runs");
    assert_eq!(
        (&clicks["invocationsInFlight"], &clicks["errors"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn an_open_runtime_api_is_warned_of() {
    let running = poller("exec sleep 600", "open_runtime_api = true");
    running.says("every process of this machine may take and answer the function's events");
}

#[test]
fn a_function_that_holds_more_than_its_memory_is_ended() {
    // tail keeps the line, which has no end, in memory.
    let script = "(head -c 200000000 /dev/zero; sleep 600) | tail";
    let running = poller(script, "memory_mb = 128");
    running.says("more than its memory_mb");
    wait_until("the function's error", || {
        running.mapping("clicks")?["errors"]
            .as_u64()
            .filter(|errors| *errors > 0)
    });
}

#[cfg(target_os = "linux")]
#[test]
fn no_process_outlives_a_poller_that_is_killed() {
    let script = "echo $$ > first.new; sleep 600 & echo $! > second; mv first.new first; wait";
    let running = poller(script, "");
    let processes = [written(&running, "first"), written(&running, "second")];
    let processes = processes.map(|text| text.trim().to_owned());
    for process in &processes {
        assert!(
            is_alive(process),
            "{process} in {}",
            Path::new("/proc").display()
        );
    }
    running.signal("-KILL");
    for process in &processes {
        wait_until("its end", || (!is_alive(process)).then_some(()));
    }
    assert_eq!(running.wait().status.code(), None);
}

#[test]
fn a_line_of_output_without_end_is_logged_in_bounded_parts() {
    let script = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo done; exec sleep 600";
    let running = poller(script, "");
    running.says("done");
    let said = running.said();
    let longest = said.lines().map(str::len).max().unwrap_or_default();
    assert!((16_000..17_000).contains(&longest), "{longest} bytes");
    assert!(said.matches('x').count() >= 100_000, "nothing is left out");
}
