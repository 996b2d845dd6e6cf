use super::*;
use crate::engine::Profile;
use crate::scenario::{Aws, PollerFile, PollerSettings, TargetKind};
use std::path::Path;
use std::time::Duration;

async fn process(script: &str, timeout: Span, concurrency: u32, folder: &Path) -> Process {
    command(&["/bin/sh", "-c", script], timeout, concurrency, folder).await
}

async fn command(words: &[&str], timeout: Span, concurrency: u32, folder: &Path) -> Process {
    let target = target(words, timeout, concurrency);
    limited(target, None, folder).await
}

pub(super) fn target(words: &[&str], timeout: Span, concurrency: u32) -> scenario::Target {
    let command: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    scenario::Target {
        function: "f".to_owned(),
        kind: TargetKind::Process {
            command,
            env: scenario::Variables::default(),
        },
        concurrency: Some(concurrency),
        timeout,
        memory_mb: 256,
        // The test itself plays the runtime.
        limits: scenario::TargetLimits {
            open_runtime_api: true,
            ..scenario::TargetLimits::default()
        },
    }
}

/// A process under AWS's limits.
pub(super) async fn limited(
    target: scenario::Target,
    account: Option<scenario::Region>,
    folder: &Path,
) -> Process {
    let clock = Clock::start();
    let surroundings = Surroundings {
        aws: Aws::default(),
        clock,
        seed: 1,
        region: region(&target, account, clock),
    };
    let folder = folder.to_string_lossy().into_owned();
    let env = [("FOLDER".to_owned(), folder)];
    let TargetKind::Process { command, .. } = &target.kind else {
        panic!("a process");
    };
    Process::open(&target, command, &env, &surroundings)
        .await
        .expect("a target")
}

fn region(
    target: &scenario::Target,
    region: Option<scenario::Region>,
    clock: Clock,
) -> Arc<Region> {
    let file = PollerFile {
        hash: String::new(),
        profile: Profile::Current,
        aws: Aws::default(),
        region,
        invoke_api: None,
        poller: PollerSettings {
            store: None,
            drain_timeout: Span::ZERO,
            seed: 1,
            leases: None,
            listen: None,
        },
        sources: Vec::new(),
        targets: vec![target.clone()],
        mappings: Vec::new(),
    };
    Arc::new(Region::open(&file, clock).expect("sound limits"))
}

/// A runtime in the shell's own words is beyond it, so its process only shows where its endpoint is, and the
/// test plays the runtime.
pub(super) const SHOW: &str = r#"echo "$AWS_LAMBDA_RUNTIME_API" > "$FOLDER/$$.new"; mv "$FOLDER/$$.new" "$FOLDER/$$.api"; exec sleep 600"#;

pub(super) async fn within<T>(what: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, what).await.expect("in time")
}

/// Endpoints that have appeared, by process.
pub(super) async fn endpoints(folder: &Path, count: usize) -> Vec<(u32, String)> {
    within(async {
        loop {
            let mut found = Vec::new();
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.extension().is_some_and(|extension| extension == "api") {
                    let id = path.file_stem().and_then(|stem| stem.to_str());
                    let id = id.and_then(|id| id.parse().ok()).expect("a process");
                    let address = std::fs::read_to_string(&path).expect("an address");
                    found.push((id, address.trim().to_owned()));
                }
            }
            if found.len() >= count {
                found.sort();
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}

/// One request of the runtime interface; returns status, head and body.
pub(super) async fn call(
    address: &str,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let request = format!(
        "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: f\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    (status.expect("a status"), head.to_owned(), body.to_owned())
}

pub(super) fn header(head: &str, name: &str) -> String {
    let found = head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    });
    found.expect("a header")
}

fn is_alive(id: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(i32::try_from(id).expect("an id"));
    rustix::process::test_kill_process(pid.expect("an id")).is_ok()
}

pub(super) async fn gone(id: u32) {
    within(async {
        while is_alive(id) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

pub(super) const EVENT: Bytes = Bytes::from_static(b"{\"Records\":[]}");

#[tokio::test]
async fn a_process_is_started_once_and_answers_for_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = process(SHOW, Span::from_secs(20), 1, folder.path()).await;
    let runtime = async {
        let (_, address) = endpoints(folder.path(), 1).await.remove(0);
        let (status, head, body) = call(&address, "GET", "invocation/next", "").await;
        assert_eq!((status, body.as_bytes()), (200, &EVENT[..]));
        let id = header(&head, "Lambda-Runtime-Aws-Request-Id");
        assert_eq!(id, RequestId(7).to_string());
        let arn = header(&head, "Lambda-Runtime-Invoked-Function-Arn");
        assert!(arn.ends_with(":function:f"));
        let deadline: u64 = header(&head, "Lambda-Runtime-Deadline-Ms")
            .parse()
            .expect("milliseconds");
        assert!(deadline > 1_600_000_000_000);
        let early = call(&address, "GET", "invocation/next", "").await;
        assert_eq!(early.0, 403);
        let stranger = call(&address, "POST", "invocation/other/response", "{}").await;
        assert_eq!(stranger.0, 400);
        let path = format!("invocation/{id}/response");
        assert_eq!(call(&address, "POST", &path, "{\"n\":1}").await.0, 202);
        assert_eq!(call(&address, "POST", &path, "{}").await.0, 400);
    };
    let (reply, ()) =
        within(async { tokio::join!(process.invoke("f", RequestId(7), EVENT), runtime) }).await;
    assert_eq!(reply, Reply::success(Bytes::from_static(b"{\"n\":1}")));

    // The same process takes the next event, and a second one at once is over the limit.
    let runtime = async {
        let (_, address) = endpoints(folder.path(), 1).await.remove(0);
        let (_, head, _) = call(&address, "GET", "invocation/next", "").await;
        let throttled = process.invoke("f", RequestId(9), EVENT).await;
        assert!(matches!(throttled.outcome, Outcome::Throttled { .. }));
        let id = header(&head, "Lambda-Runtime-Aws-Request-Id");
        let error = r#"{"errorType":"Boom","errorMessage":"it broke"}"#;
        let path = format!("invocation/{id}/error");
        assert_eq!(call(&address, "POST", &path, error).await.0, 202);
    };
    let (reply, ()) =
        within(async { tokio::join!(process.invoke("f", RequestId(8), EVENT), runtime) }).await;
    assert_eq!(reply.outcome, Outcome::FunctionError);
    let alive = endpoints(folder.path(), 1).await;
    assert_eq!(alive.len(), 1);
    within(process.close()).await;
    gone(alive[0].0).await;
}

#[tokio::test]
async fn a_timeout_kills_the_process_and_all_that_it_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = r#"sleep 600 & echo $! > "$FOLDER/$!.child"; "#.to_owned() + SHOW;
    let process = process(&script, Span::from_millis(50), 1, folder.path()).await;
    let runtime = async {
        let (id, address) = endpoints(folder.path(), 1).await.remove(0);
        call(&address, "GET", "invocation/next", "").await;
        id
    };
    let (reply, id) =
        within(async { tokio::join!(process.invoke("f", RequestId(1), EVENT), runtime) }).await;
    assert_eq!(reply.outcome, Outcome::FunctionError);
    gone(id).await;
    let child = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .find(|entry| entry.path().extension().is_some_and(|e| e == "child"))
        .and_then(|entry| entry.path().file_stem()?.to_str()?.parse().ok());
    gone(child.expect("a child")).await;
    // The environment exists still, and initialises again.
    std::fs::remove_file(folder.path().join(format!("{id}.api"))).expect("removed");
    let again = async { endpoints(folder.path(), 1).await.remove(0).0 };
    let second = async {
        tokio::select! {
            _ = process.invoke("f", RequestId(2), EVENT) => panic!("nobody answers"),
            id = again => id,
        }
    };
    assert_ne!(within(second).await, id);
    within(process.close()).await;
}

#[tokio::test]
async fn a_crash_is_the_functions_error_and_the_next_one_starts_afresh() {
    let folder = tempfile::tempdir().expect("a folder");
    for script in ["exit 3", "echo oops >&2; kill -KILL $$"] {
        let process = process(script, Span::from_secs(20), 2, folder.path()).await;
        for n in 0..3 {
            let reply = within(process.invoke("f", RequestId(n), EVENT)).await;
            assert_eq!(reply.outcome, Outcome::FunctionError);
        }
        assert_eq!(process.shared.region.running(FunctionId(0)), 0);
        within(process.close()).await;
    }
    let missing = command(&["/does/not/exist"], Span::from_secs(20), 2, folder.path()).await;
    let reply = within(missing.invoke("f", RequestId(1), EVENT)).await;
    assert_eq!(reply.outcome, Outcome::FunctionError);
}

#[tokio::test]
async fn an_initialisation_error_ends_the_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = process(SHOW, Span::from_secs(20), 1, folder.path()).await;
    let runtime = async {
        let (id, address) = endpoints(folder.path(), 1).await.remove(0);
        let error = r#"{"errorType":"Init","errorMessage":"no"}"#;
        assert_eq!(call(&address, "POST", "init/error", error).await.0, 202);
        id
    };
    let (reply, id) =
        within(async { tokio::join!(process.invoke("f", RequestId(1), EVENT), runtime) }).await;
    assert_eq!(reply.outcome, Outcome::FunctionError);
    gone(id).await;
}

#[tokio::test]
async fn an_abandoned_invocation_takes_its_process_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = process(SHOW, Span::from_secs(20), 1, folder.path()).await;
    let id = tokio::select! {
        _ = process.invoke("f", RequestId(1), EVENT) => panic!("nobody answers"),
        found = endpoints(folder.path(), 1) => found[0].0,
    };
    gone(id).await;
    assert_eq!(process.shared.region.running(FunctionId(0)), 0);
}

#[tokio::test]
async fn the_guard_kills_what_is_on_its_list_when_its_pipe_closes() {
    let spawn = || {
        tokio::process::Command::new("/bin/sleep")
            .arg("600")
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("a process")
    };
    let (mut listed, mut removed) = (spawn(), spawn());
    let guard = Guard::start().expect("a guard");
    guard.add(removed.id().expect("an id")).await;
    guard.add(listed.id().expect("an id")).await;
    guard.remove(removed.id().expect("an id")).await;
    drop(guard);
    let status = within(listed.wait()).await.expect("it ended");
    assert!(!status.success());
    assert!(removed.try_wait().expect("a status").is_none());
}

/// A process under everything that is enforced.
async fn enforced(script: &str, memory_mb: u32, folder: &Path) -> Process {
    let mut target = target(&["/bin/sh", "-c", script], Span::from_secs(20), 1);
    target.memory_mb = memory_mb;
    target.limits = scenario::TargetLimits::default();
    limited(target, None, folder).await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_process_is_turned_away_from_the_runtime_api() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::tempdir().expect("a folder");
    let process = enforced(SHOW, 256, folder.path()).await;
    let stranger = async {
        let (id, address) = endpoints(folder.path(), 1).await.remove(0);
        let mut socket = tokio::net::TcpStream::connect(&address)
            .await
            .expect("a port");
        let request = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: f\r\n\r\n";
        let _ = socket.write_all(request).await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert_eq!(answer, b"", "nothing is told to a stranger");
        id
    };
    let invoked = async {
        tokio::select! {
            reply = process.invoke("f", RequestId(1), EVENT) => panic!("nobody may answer: {reply:?}"),
            id = stranger => id,
        }
    };
    let id = within(invoked).await;
    gone(id).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_function_that_outgrows_its_memory_is_ended_as_aws_ends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    // tail keeps the line, which has no end, in memory; it is a child of the first process.
    let script = "(head -c 40000000 /dev/zero; sleep 600) | tail";
    let process = enforced(script, 16, folder.path()).await;
    let reply = within(process.invoke("f", RequestId(1), EVENT)).await;
    assert_eq!(reply.outcome, Outcome::FunctionError);
    let body = String::from_utf8_lossy(&reply.body);
    assert!(
        body.contains("Runtime exited with error: signal: killed"),
        "{body}"
    );
    assert_eq!(process.shared.region.running(FunctionId(0)), 0);
}

#[test]
fn what_an_environment_is_told_is_not_shown() {
    let env = [("PASSWORD".to_owned(), "hunter2".to_owned())];
    let words = ["/bin/login".to_owned(), "hunter2".to_owned()];
    let target = target(&["x"], Span::from_secs(1), 1);
    let spec = Spec::new(&target, &words, &env, "us-east-1", Clock::start());
    let shown = format!("{spec:?}");
    assert!(
        shown.contains("\"f\"") && !shown.contains("hunter2"),
        "{shown}"
    );
}
