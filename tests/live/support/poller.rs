//! The program under test, run as a user runs it: a file, a command, signals.

use crate::function::event::records;

use super::{ACCESS_KEY_ID, PATIENCE, REGION, SECRET_ACCESS_KEY, test_function};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A poller file with one mapping, the folder it lives in, and what its function saw.
pub(crate) struct Poller {
    folder: TempDir,
    pub(crate) endpoint: String,
    function: String,
    mapping: String,
    target: String,
    /// Replaces mapping and target.
    whole: Option<String>,
    /// Of the program itself.
    variables: Vec<(String, String)>,
    /// What a shell does before it becomes the program.
    before: Option<String>,
}

/// A running poller. It is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    /// Reads what it says from the beginning, so that it never has to wait for a reader.
    output: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// What is left of a poller that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
}

/// An invocation as the test function noted it.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    /// When it was invoked, in milliseconds since the Unix epoch.
    pub(crate) unix_ms: u64,
    pub(crate) records: Vec<Value>,
    /// The whole event.
    pub(crate) event: Value,
}

impl Poller {
    /// A poller of `arn` behind `endpoint`, with further lines for its `[[mapping]]`.
    pub(crate) fn new(arn: &str, endpoint: String, mapping: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            mapping: format!("name = \"tested\"\nEventSourceArn = \"{arn}\"\n{mapping}\n"),
            function: "f".to_owned(),
            target: String::new(),
            whole: None,
            variables: Vec::new(),
            before: None,
            folder,
            endpoint,
        }
        .function("")
    }

    /// A poller of whatever `mapping` says.
    pub(crate) fn of(mapping: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            mapping: format!("name = \"tested\"\n{mapping}\n"),
            function: "f".to_owned(),
            target: String::new(),
            whole: None,
            variables: Vec::new(),
            before: None,
            folder,
            endpoint: "http://127.0.0.1:9".to_owned(),
        }
        .function("")
    }

    /// The server that stands for AWS.
    pub(crate) fn of_server(mut self, endpoint: String) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// A poller file of these lines, which may name files by [`path`](Self::path).
    pub(crate) fn whole(mut self, text: String) -> Self {
        self.whole = Some(text);
        self
    }

    /// Invokes the test function as a process, with further lines for its `[[target]]`.
    pub(crate) fn function(mut self, lines: &str) -> Self {
        let command = test_function();
        let log = self.path("events.jsonl");
        self.target = format!(
            "type = \"process\"\ncommand = [{command:?}]\n{lines}\n[target.env]\nTEST_FUNCTION_LOG = {log:?}\n"
        );
        self
    }

    /// Another environment variable for the function.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.target.push_str(&format!("{name} = {value:?}\n"));
        self
    }

    /// An environment variable for the program itself.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// From the next start on, a shell does this before it becomes the program.
    pub(crate) fn begin_with(&mut self, commands: &str) {
        self.before = Some(commands.to_owned());
    }

    /// From the next start on, the function notes what it sees in this file; in the beginning that is `events.jsonl`.
    pub(crate) fn logs_to(&mut self, name: &str) {
        let log = format!("TEST_FUNCTION_LOG = {:?}", self.path(name));
        let lines = self.target.lines().map(|line| match line {
            line if line.starts_with("TEST_FUNCTION_LOG") => log.as_str(),
            line => line,
        });
        self.target = lines.map(|line| format!("{line}\n")).collect();
    }

    /// The name of the function.
    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.function);
        self
    }

    /// Invokes something else than the test function.
    pub(crate) fn target(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.target);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the program on the file.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let file = self.path("poller.toml");
        let tables = match &self.whole {
            Some(text) => text.clone(),
            None => format!(
                "[[mapping]]\nFunctionName = \"{}\"\n{}[[target]]\nfunction = \"{}\"\n{}",
                self.function, self.mapping, self.function, self.target
            ),
        };
        let text = format!(
            "[aws]\nregion = \"{REGION}\"\nendpoint_url = \"{}\"\n[poller]\nstore = \"checkpoints.redb\"\n{tables}",
            self.endpoint
        );
        std::fs::write(&file, text).expect("the file is written");
        let program = env!("CARGO_BIN_EXE_tidegate");
        let mut command = match &self.before {
            None => Command::new(program),
            Some(before) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), program]);
                shell
            }
        };
        let mut child = command
            .arg("poll")
            .arg(&file)
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("NO_COLOR", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let errors = child.stderr.take().expect("standard error is piped");
        let output = Arc::new(Mutex::new(String::new()));
        let told = output.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let mut text = told.lock().expect("nobody panicked over it");
                text.push_str(&line);
                text.push('\n');
            }
        });
        Running {
            child,
            output,
            reader: Some(reader),
        }
    }

    /// Runs the program until it ends by itself.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// What the function saw, in the order in which it was invoked.
    pub(crate) fn invocations(&self) -> Vec<Invocation> {
        let Ok(text) = std::fs::read_to_string(self.path("events.jsonl")) else {
            return Vec::new();
        };
        // A line that is just being written has no end yet.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete.lines().map(Invocation::parse).collect()
    }

    /// Waits until what the function saw satisfies `enough`.
    pub(crate) fn await_invocations(
        &self,
        what: &str,
        enough: impl Fn(&[Invocation]) -> bool,
    ) -> Vec<Invocation> {
        wait_until(what, || {
            let seen = self.invocations();
            enough(&seen).then_some(seen)
        })
    }
}

impl Ended {
    /// Whether nothing that was logged has the secret in it: as it is, in base64, or as a list of its bytes.
    pub(crate) fn keeps(&self, secret: &str) {
        use base64::Engine as _;
        assert!(secret.len() >= 6, "too short to be looked for");
        let list: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
        let base64 = base64::engine::general_purpose::STANDARD.encode(secret);
        for form in [secret, &base64, &list.join(", "), &list.join(",")] {
            let line = self.output.lines().find(|line| line.contains(form));
            let start = line.map(|line| line.chars().take(160).collect::<String>());
            assert_eq!(start, None, "a secret is logged");
        }
    }
}

/// Asks until there is an answer, for as long as a loaded machine may need.
pub(crate) fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain for: {what}"
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

impl Invocation {
    fn parse(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let event = &line["event"];
        Self {
            request_id: line["requestId"].as_str().expect("a request id").to_owned(),
            unix_ms: line["unixMs"].as_u64().expect("a time"),
            records: records(event).cloned().collect(),
            event: event.clone(),
        }
    }
}

impl Running {
    /// Ends it without a chance to do anything (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it still ran");
        self.child.wait().expect("it ended");
    }

    /// Asks it to drain (SIGTERM) and waits for its end.
    pub(crate) fn terminate(self) -> Ended {
        self.signal("TERM");
        self.wait()
    }

    /// Sends it a signal, such as `STOP` and `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// No file that it writes may be longer than this many bytes, or `unlimited`; a full disk is much like it.
    pub(crate) fn limit_files(&self, bytes: &str) {
        let process = self.child.id().to_string();
        let limited = Command::new("prlimit")
            .args(["--pid", &process, &format!("--fsize={bytes}:unlimited")])
            .status()
            .expect("prlimit runs");
        assert!(limited.success());
    }

    /// Its resident memory now, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: usize = kib.expect("a size").trim().parse().expect("a number");
        kib * 1024
    }

    /// Has it read its file again (SIGHUP).
    pub(crate) fn hang_up(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &id]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) fn said(&self) -> String {
        self.output.lock().expect("nobody panicked over it").clone()
    }

    /// Waits until it has said this.
    pub(crate) fn await_output(&self, text: &str) {
        wait_until(text, || self.said().contains(text).then_some(()));
    }

    /// Waits until it has said this, and returns the word that follows.
    pub(crate) fn await_word_after(&self, text: &str) -> String {
        wait_until(text, || {
            let said = self.said();
            let (_, rest) = said.split_once(text)?;
            let (line, _) = rest.split_once('\n')?;
            line.split_whitespace().next().map(str::to_owned)
        })
    }

    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "waited {PATIENCE:?} in vain for the end of the poller, which said:\n{}",
                self.said()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        };
        let reader = self.reader.take().expect("it is waited for once");
        reader.join().expect("its output was read");
        let output = self.said();
        Ended { status, output }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
