//! Running a poller: what it shows while it runs, and what it does with a file that changes.

mod monitor;
mod processes;
mod prometheus;
mod reload;
mod secrets;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// What a loaded machine may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A poller that serves its status, with a stream and a queue that never end and a function that is quick.
pub(crate) const FILE: &str = r#"
[poller]
listen = "127.0.0.1:0"
store = "checkpoints.redb"
[[target]]
function = "checkout"
type = "mock"
duration = "1ms"
[[source]]
name = "clicks"
type = "generated"
kind = "kinesis"
shards = 2
rate = 500
[[source]]
name = "orders"
type = "generated"
kind = "sqs"
rate = 200
[[mapping]]
name = "clicks"
EventSource = "clicks"
FunctionName = "checkout"
StartingPosition = "TRIM_HORIZON"
BatchSize = 100
[[mapping]]
name = "orders"
EventSource = "orders"
FunctionName = "checkout"
"#;

/// A running `tidegate poll`. It is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    folder: TempDir,
    output: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// What is left of it.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Asks until there is an answer.
pub(crate) fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let mut waited = Duration::ZERO;
    let pause = Duration::from_millis(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(waited < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        std::thread::park_timeout(pause);
        waited += pause;
    }
}

pub(crate) fn start(file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("poller.toml");
    std::fs::write(&path, file).expect("written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .arg("poll")
        .arg(&path)
        .args(arguments)
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let output = Arc::new(Mutex::new(String::new()));
    let (told, errors) = (output.clone(), child.stderr.take().expect("a pipe"));
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(errors).lines().map_while(Result::ok) {
            let mut text = told.lock().expect("nobody panicked");
            text.push_str(&line);
            text.push('\n');
        }
    });
    Running {
        child,
        folder,
        output,
        reader: Some(reader),
    }
}

impl Running {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn said(&self) -> String {
        self.output.lock().expect("nobody panicked").clone()
    }

    pub(crate) fn says(&self, text: &str) {
        wait_until(text, || {
            let said = self.said();
            said.contains(text).then_some(())
        });
    }

    /// Replaces its file as editors do: a neighbour is written and renamed.
    pub(crate) fn write(&self, text: &str) {
        let neighbour = self.path("poller.toml.new");
        std::fs::write(&neighbour, text).expect("written");
        std::fs::rename(neighbour, self.path("poller.toml")).expect("renamed");
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Where it serves its status.
    pub(crate) fn address(&self) -> String {
        let text = "metrics, health and status are served";
        wait_until(text, || {
            let said = self.said();
            let line = said.lines().find(|line| line.contains(text))?;
            let (_, rest) = line
                .split_once("address\":\"")
                .or_else(|| line.split_once("address="))?;
            let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)));
            Some(rest[..end.unwrap_or(rest.len())].to_owned())
        })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        request(&self.address(), "GET", path, &self.address())
    }

    pub(crate) fn status(&self) -> Value {
        let answer = self.get("/status");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// What `/status` says of a mapping.
    pub(crate) fn mapping(&self, name: &str) -> Option<Value> {
        let status = self.status();
        let mappings = status["mappings"].as_array().expect("a list");
        mappings.iter().find(|it| it["name"] == name).cloned()
    }

    pub(crate) fn wait(mut self) -> Ended {
        let status = wait_until("the end of the poller", || {
            self.child.try_wait().expect("its status")
        });
        let reader = self.reader.take().expect("it is waited for once");
        reader.join().expect("its output was read");
        let mut output = self.said();
        let mut stdout = self.child.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut output).expect("text");
        Ended { status, output }
    }

    pub(crate) fn terminate(self) -> Ended {
        self.signal("-TERM");
        self.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request by hand, so that heads can be what no client would send.
pub(crate) fn request(address: &str, method: &str, path: &str, host: &str) -> Answer {
    let mut socket = TcpStream::connect(address).expect("a connection");
    let text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(text.as_bytes()).expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
