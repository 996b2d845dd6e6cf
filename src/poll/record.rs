//! Recording a run.

use crate::engine::{Action, Event, MappingConfig, Time, Tuning};
use crate::poll::log::{Header, Item, LOG_FORMAT, Line, LogAction, LogConfig, LogEvent};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The log of a run. Mappings take turns at writing whole steps, so a line is never torn by another one.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// `None` once writing failed: the run goes on, the record ends.
    file: Arc<Mutex<Option<BufWriter<File>>>>,
}

/// One mapping's share of the log.
#[derive(Debug)]
pub(crate) struct MappingLog {
    index: u32,
    file: Arc<Mutex<Option<BufWriter<File>>>>,
    /// Lines of this step; written by [`flush`](Self::flush).
    step: Vec<u8>,
}

impl Recorder {
    /// Creates the file, or empties it.
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        Ok(Self {
            file: Arc::new(Mutex::new(Some(file))),
        })
    }

    /// Opens the log of the mapping with this index, which begins `now`.
    pub(crate) fn mapping(
        &self,
        index: u32,
        now: Time,
        seed: u64,
        config: &MappingConfig,
        tuning: &Tuning,
    ) -> MappingLog {
        let mut log = MappingLog {
            index,
            file: self.file.clone(),
            step: Vec::new(),
        };
        let header = Header {
            tidegate: env!("CARGO_PKG_VERSION").to_owned(),
            format: LOG_FORMAT,
            seed,
            config: LogConfig::new(config, tuning),
        };
        log.line(now, Item::Header(Box::new(header)));
        log
    }
}

impl MappingLog {
    pub(crate) fn event<P>(&mut self, now: Time, event: &Event<P>) {
        self.line(now, Item::Event(LogEvent::new(event)));
    }

    pub(crate) fn answer<P>(&mut self, now: Time, event: &Event<P>) {
        self.line(now, Item::Answer(LogEvent::new(event)));
    }

    pub(crate) fn timeout(&mut self, now: Time) {
        self.line(now, Item::Timeout);
    }

    pub(crate) fn action(&mut self, now: Time, action: &Action) {
        self.line(now, Item::Action(LogAction::new(action)));
    }

    /// Hands what was recorded to the operating system, so that it survives the end of this process.
    pub(crate) fn flush(&mut self) {
        if self.step.is_empty() {
            return;
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = file.as_mut()
            && let Err(error) = writer.write_all(&self.step).and_then(|()| writer.flush())
        {
            tracing::error!(%error, "recording failed; the run goes on without it");
            *file = None;
        }
        self.step.clear();
    }

    fn line(&mut self, now: Time, item: Item) {
        let line = Line {
            m: self.index,
            at: now.as_nanos(),
            item,
        };
        match serde_json::to_writer(&mut self.step, &line) {
            Ok(()) => self.step.push(b'\n'),
            Err(error) => unreachable!("a line of plain data has no JSON form: {error}"),
        }
    }
}
