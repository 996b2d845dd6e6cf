//! As much of the WebDriver protocol (W3C) as the tests need, and Chromium's own commands through it.

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// Nothing waits this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser of its own, which ends with this.
pub struct Browser {
    driver: String,
    session: String,
    runs_scripts: bool,
}

impl Browser {
    /// A window of this size, in pixels of the page.
    pub fn start(width: u32, height: u32) -> Self {
        Self::begin(width, height, &json!({}), true)
    }

    /// The same with JavaScript switched off, as a reader may have it. What a test asks for is evaluated all the same.
    pub fn without_scripts(width: u32, height: u32) -> Self {
        const BLOCKED: u8 = 2;
        let settings = json!({ "profile.managed_default_content_settings.javascript": BLOCKED });
        Self::begin(width, height, &settings, false)
    }

    fn begin(width: u32, height: u32, settings: &Value, runs_scripts: bool) -> Self {
        let address = super::given("TIDEGATE_TEST_WEBDRIVER");
        let window = format!("--window-size={width},{height}");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            &window,
        ];
        let answer = request(
            &address,
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": {
                "browserName": "chrome",
                "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
                "goog:chromeOptions": { "args": arguments, "prefs": settings },
            } } }),
        );
        let session = answer["sessionId"].as_str();
        let session = session.unwrap_or_else(|| panic!("no session: {answer}"));
        let browser = Self {
            driver: address,
            session: session.to_owned(),
            runs_scripts,
        };
        // A window has a least width; what the page is shown in has none.
        browser.resize(width, height);
        browser
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{command}", self.session);
        let answer = request(&self.driver, "POST", &path, body);
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer
    }

    /// A command of the Chrome DevTools protocol.
    pub fn devtools(&self, command: &str, parameters: Value) {
        self.post(
            "goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        );
    }

    /// Gives the page this much room.
    pub fn resize(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        );
    }

    /// What the page's media queries say.
    pub fn media(&self, medium: &str, scheme: &str) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "media": medium, "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
    }

    pub fn open(&self, file: &Path) {
        let url = format!("file://{}", file.display());
        self.post("url", &json!({ "url": url }));
        self.settle();
    }

    /// What a function of this body returns in the page.
    pub fn eval(&self, body: &str) -> Value {
        self.post("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Waits until everything that is due was drawn. Without scripts nothing is ever due.
    pub fn settle(&self) {
        if !self.runs_scripts {
            return;
        }
        let twice = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(1)));";
        self.post("execute/async", &json!({ "script": twice, "args": [] }));
    }

    /// Takes the pointer through these places, with the button down from the second to the last if it drags.
    pub fn pointer(&self, places: &[(f64, f64)], drags: bool) {
        let mut actions = Vec::new();
        for (index, (x, y)) in places.iter().enumerate() {
            actions.push(json!({ "type": "pointerMove", "duration": 50, "x": x.round(), "y": y.round(), "origin": "viewport" }));
            if drags && index == 0 {
                actions.push(json!({ "type": "pointerDown", "button": 0 }));
            }
        }
        if drags {
            actions.push(json!({ "type": "pointerUp", "button": 0 }));
        }
        let pointer = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": actions });
        self.post("actions", &json!({ "actions": [pointer] }));
        self.settle();
    }

    /// Presses keys one after the other.
    pub fn keys(&self, keys: &[&str]) {
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                let action = |kind: &str| json!({ "type": kind, "value": key });
                [action("keyDown"), action("keyUp")]
            })
            .collect();
        let keys = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("actions", &json!({ "actions": [keys] }));
        self.settle();
    }

    /// What the window shows, as a PNG image.
    pub fn screenshot(&self) -> Vec<u8> {
        let path = format!("/session/{}/screenshot", self.session);
        let answer = request(&self.driver, "GET", &path, &json!({}));
        let text = answer.as_str().expect("an image");
        let mut bytes = Vec::with_capacity(text.len());
        for group in text.as_bytes().chunks(4) {
            let digits = group.iter().filter_map(|digit| sextet(*digit));
            let (bits, known) = digits.fold((0_u32, 0), |(bits, known), digit| {
                (bits << 6 | digit, known + 1)
            });
            let bits = bits << (6 * (4 - known));
            bytes.extend(&bits.to_be_bytes()[1..known as usize]);
        }
        bytes
    }

    /// What the page wrote to the console, errors of its policy included.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().expect("a list of entries").iter();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses of everything that was asked for since the start or the last call.
    pub fn requests(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "performance" }));
        let entries = entries.as_array().expect("a list of entries").iter();
        let messages = entries.filter_map(|entry| entry["message"].as_str());
        let messages =
            messages.map(|text| serde_json::from_str::<Value>(text).expect("a JSON message"));
        let sent = messages.filter(|it| it["message"]["method"] == "Network.requestWillBeSent");
        sent.map(|it| it["message"]["params"]["request"]["url"].to_string())
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let path = format!("/session/{}", self.session);
        request(&self.driver, "DELETE", &path, &json!({}));
    }
}

/// The value of a digit of base 64; padding has none.
fn sextet(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// One exchange with the driver: the value of its answer.
fn request(address: &str, method: &str, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).expect("a running driver");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let mut buffer = [0; 65_536];
    // The driver may keep the connection open, so that the length decides where the answer ends.
    let text = loop {
        let read = stream.read(&mut buffer).expect("an answer in time");
        answer.extend_from_slice(&buffer[..read]);
        if let Some(body) = whole(&answer) {
            break body;
        }
        assert!(read > 0, "the answer to {path} was cut short");
    };
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    answer["value"].clone()
}

/// The body of an answer that is there to its end.
fn whole(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = lengths.next()?.1.trim().parse().ok()?;
    let body = answer.get(head.len() + 4..)?;
    (body.len() >= length).then(|| String::from_utf8_lossy(&body[..length]).into_owned())
}
