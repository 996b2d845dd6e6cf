//! A progress bar on standard error, if a person is looking at it.

use crate::engine::Span;
use crate::sim::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of the bar; more would only redraw it without a visible change.
const STEPS: u64 = 1_000;

/// One bar for all replications of a scenario.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    steps: u64,
}

/// The part of one replication in a bar.
#[derive(Debug)]
pub(super) struct Part {
    bar: ProgressBar,
    steps: u64,
    shown: u64,
}

impl Bar {
    /// A bar for `parts` replications of `title`; `quiet` never draws.
    pub(super) fn new(title: &str, parts: u64, quiet: bool) -> Self {
        // Indicatif draws nothing when standard error is no terminal.
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        // Of many short parts nobody sees a share.
        let steps = if parts > STEPS { 1 } else { STEPS };
        let bar = ProgressBar::with_draw_target(Some(steps * parts), target);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3}% {eta:>4} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(title.to_owned());
        Self { bar, steps }
    }

    /// There are so many more parts.
    pub(super) fn more(&self, parts: u64) {
        self.bar.inc_length(self.steps * parts);
    }

    /// The share of one replication.
    pub(super) fn part(&self) -> Part {
        Part {
            bar: self.bar.clone(),
            steps: self.steps,
            shown: 0,
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Part {
    fn advance(&mut self, done: Span, total: Span) {
        let share = u128::from(done.as_nanos()) * u128::from(self.steps)
            / u128::from(total.as_nanos().max(1));
        let share = share as u64;
        if share > self.shown {
            self.bar.inc(share - self.shown);
            self.shown = share;
        }
    }
}
