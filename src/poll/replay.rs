//! Feeding a recorded run back through the engine.

use crate::engine::{Action, Effects, Event, Fact, Mapping, Rng, Time, Unsupported, pump};
use crate::poll::guard::{Guard, check_config};
use crate::poll::log::{Header, Item, LOG_FORMAT, Line, LogAction, LogEvent};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Mappings in the log.
    pub mappings: u64,
    /// Inputs that were fed.
    pub inputs: u64,
    /// Decisions that were compared.
    pub decisions: u64,
    /// Whether the log breaks off, as that of a killed process does.
    pub is_truncated: bool,
    /// The first decision that differs; the replay ends there.
    pub difference: Option<Difference>,
}

/// A decision that the engine does not make as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Line of the log, from 1: the recorded decision, or the input after which it is missing.
    pub line: u64,
    /// The mapping's name.
    pub mapping: String,
    /// What the log says.
    pub recorded: String,
    /// What the engine does now.
    pub replayed: String,
}

/// A log that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    File {
        /// The log.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line that no recorder wrote.
    #[error("line {line} of the log is damaged: {text}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        text: String,
    },
    /// A parameter that this version cannot carry out.
    #[error("line {line} of the log: {source}")]
    Unsupported {
        /// Counted from 1.
        line: u64,
        /// Which one.
        source: Unsupported,
    },
}

/// Feeds the log at `path` through fresh mappings and compares every decision.
///
/// # Errors
/// When the file cannot be read or a line is damaged. A last line that breaks off is no error.
pub fn replay(path: &Path) -> Result<Replay, ReplayError> {
    let error = |source| ReplayError::File {
        path: path.to_owned(),
        source,
    };
    replay_lines(BufReader::new(File::open(path).map_err(error)?), error)
}

/// [`replay()`] of a log that is read from anywhere.
pub(crate) fn replay_lines(
    mut reader: impl BufRead,
    error: impl Fn(std::io::Error) -> ReplayError,
) -> Result<Replay, ReplayError> {
    let mut replay = Replay::default();
    let mut mappings: BTreeMap<u32, Replayed> = BTreeMap::new();
    let mut text = Vec::new();
    let mut number = 0;
    loop {
        text.clear();
        if reader.read_until(b'\n', &mut text).map_err(&error)? == 0 {
            break;
        }
        number += 1;
        let is_whole = text.ends_with(b"\n");
        let line: Line = match serde_json::from_slice(&text) {
            Ok(line) => line,
            Err(_) if !is_whole => {
                replay.is_truncated = true;
                break;
            }
            Err(error) => return Err(damaged(number, error)),
        };
        accept(&mut mappings, &mut replay, number, line)?;
        if replay.difference.is_some() {
            return Ok(replay);
        }
    }
    for mapping in mappings.values_mut() {
        mapping.run_step(&mut replay, true)?;
        if replay.difference.is_some() {
            break;
        }
    }
    Ok(replay)
}

fn damaged(line: u64, text: impl ToString) -> ReplayError {
    let text = text.to_string();
    ReplayError::Line { line, text }
}

fn accept(
    mappings: &mut BTreeMap<u32, Replayed>,
    replay: &mut Replay,
    number: u64,
    line: Line,
) -> Result<(), ReplayError> {
    let at = Time::from_nanos(line.at);
    match line.item {
        Item::Header(header) => {
            let mapping = Replayed::new(number, at, &header)?;
            if mappings.insert(line.m, mapping).is_some() {
                return Err(damaged(number, "the mapping has a header already"));
            }
            replay.mappings += 1;
            Ok(())
        }
        item => {
            let Some(mapping) = mappings.get_mut(&line.m) else {
                return Err(damaged(number, "the mapping has no header"));
            };
            match item {
                Item::Event(event) => mapping.input(replay, number, at, Some(event)),
                Item::Timeout => mapping.input(replay, number, at, None),
                Item::Answer(event) => mapping.follow(number, at, Output::Answer(event)),
                Item::Action(action) => mapping.follow(number, at, Output::Action(action)),
                Item::Header(_) => unreachable!("headers were taken above"),
            }
        }
    }
}

/// One mapping of the log.
struct Replayed {
    mapping: Mapping<()>,
    /// The input whose outputs are being collected.
    step: Step,
    outputs: VecDeque<(u64, Output)>,
    pending: BTreeMap<u64, LogAction>,
    guard: Guard,
}

struct Step {
    line: u64,
    at: Time,
    input: Input,
}

enum Input {
    /// The mapping was made, which may lead to actions already.
    Start,
    Timeout,
    Event(LogEvent),
}

#[derive(Debug)]
enum Output {
    Action(LogAction),
    Answer(LogEvent),
}

impl Replayed {
    fn new(line: u64, at: Time, header: &Header) -> Result<Self, ReplayError> {
        if header.format != LOG_FORMAT {
            let text = format!(
                "the log has format {}, this version replays format {LOG_FORMAT}",
                header.format
            );
            return Err(damaged(line, text));
        }
        let (config, tuning) = header
            .config
            .restore()
            .and_then(|(config, tuning)| {
                check_config(&config, &tuning)?;
                Ok((config, tuning))
            })
            .map_err(|field| damaged(line, format!("`{field}` has no meaning")))?;
        let rng = Rng::stream(header.seed, &super::rng_label(&config.name));
        let mapping = Mapping::new(config, tuning, rng, at)
            .map_err(|source| ReplayError::Unsupported { line, source })?;
        Ok(Self {
            mapping,
            step: Step {
                line,
                at,
                input: Input::Start,
            },
            outputs: VecDeque::new(),
            pending: BTreeMap::new(),
            guard: Guard::default(),
        })
    }

    fn input(
        &mut self,
        replay: &mut Replay,
        line: u64,
        at: Time,
        event: Option<LogEvent>,
    ) -> Result<(), ReplayError> {
        self.run_step(replay, false)?;
        if at < self.step.at {
            return Err(damaged(line, "time goes back"));
        }
        let input = event.map_or(Input::Timeout, Input::Event);
        self.step = Step { line, at, input };
        Ok(())
    }

    fn follow(&mut self, line: u64, at: Time, output: Output) -> Result<(), ReplayError> {
        if at != self.step.at {
            return Err(damaged(line, "a decision is not at the time of its input"));
        }
        self.outputs.push_back((line, output));
        Ok(())
    }

    /// Feeds the collected input and compares what follows. The last step of a log may miss decisions.
    fn run_step(&mut self, replay: &mut Replay, is_last: bool) -> Result<(), ReplayError> {
        let (line, at) = (self.step.line, self.step.at);
        let input = std::mem::replace(&mut self.step.input, Input::Timeout);
        match input {
            Input::Start => {}
            Input::Timeout => {
                replay.inputs += 1;
                self.mapping.handle_timeout(at);
            }
            Input::Event(event) => {
                replay.inputs += 1;
                let (pending, guard) = (&mut self.pending, &mut self.guard);
                let event = check(&self.mapping, pending, guard, line, &event)?;
                self.mapping.handle(at, event);
            }
        }
        let mut checker = Checker {
            outputs: &mut self.outputs,
            pending: &mut self.pending,
            guard: &mut self.guard,
            line,
            mapping: self.mapping.name().to_owned(),
            is_last,
            compared: 0,
            difference: None,
            error: None,
        };
        pump(&mut self.mapping, at, &mut checker);
        let (compared, difference, error) = (checker.compared, checker.difference, checker.error);
        replay.decisions += compared;
        if let Some(error) = error {
            return Err(error);
        }
        let left = self.outputs.pop_front().map(|(line, output)| Difference {
            line,
            mapping: self.mapping.name().to_owned(),
            recorded: format!("{output:?}"),
            replayed: "nothing".to_owned(),
        });
        replay.difference = difference.or(left);
        Ok(())
    }
}

/// Refuses what would be an error of the driver, which the engine answers with a panic.
fn check(
    mapping: &Mapping<()>,
    pending: &mut BTreeMap<u64, LogAction>,
    guard: &mut Guard,
    line: u64,
    event: &LogEvent,
) -> Result<Event<()>, ReplayError> {
    let mut answered = None;
    if let Some(token) = event.token() {
        answered = pending.remove(&token);
        if !answered.as_ref().is_some_and(|action| action.takes(event)) {
            return Err(damaged(line, format!("nothing waits for token {token}")));
        }
    }
    guard
        .admit(mapping, answered.as_ref(), event)
        .map_err(|text| damaged(line, text))?;
    event.restore().map_err(|text| damaged(line, text))
}

struct Checker<'a> {
    outputs: &'a mut VecDeque<(u64, Output)>,
    pending: &'a mut BTreeMap<u64, LogAction>,
    guard: &'a mut Guard,
    line: u64,
    mapping: String,
    is_last: bool,
    compared: u64,
    difference: Option<Difference>,
    error: Option<ReplayError>,
}

impl Effects<()> for Checker<'_> {
    fn start(&mut self, _: Time, mapping: &mut Mapping<()>, action: Action) -> Option<Event<()>> {
        if self.difference.is_some() || self.error.is_some() {
            return None;
        }
        let found = LogAction::new(&action);
        let (line, recorded) = match self.outputs.pop_front() {
            Some((line, Output::Action(recorded))) => (line, recorded),
            Some((line, Output::Answer(answer))) => {
                self.differs(line, format!("{answer:?}"), &found);
                return None;
            }
            None => {
                if !self.is_last {
                    self.differs(self.line, "nothing".to_owned(), &found);
                }
                return None;
            }
        };
        self.compared += 1;
        if recorded != found {
            self.differs(line, format!("{recorded:?}"), &found);
            return None;
        }
        self.pending.insert(found.token(), found);
        let Some((line, Output::Answer(answer))) = self
            .outputs
            .pop_front_if(|(_, output)| matches!(output, Output::Answer(_)))
        else {
            return None;
        };
        match check(mapping, self.pending, self.guard, line, &answer) {
            Ok(event) => Some(event),
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }

    fn observe(&mut self, _: Time, _: Fact) {}
}

impl Checker<'_> {
    fn differs(&mut self, line: u64, recorded: String, found: &LogAction) {
        self.difference = Some(Difference {
            line,
            mapping: self.mapping.clone(),
            recorded,
            replayed: format!("{found:?}"),
        });
    }
}
