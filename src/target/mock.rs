//! A function that only takes time.

use super::{Reply, pause};
use crate::engine::{Outcome, Ratio, Rng, Span};
use crate::scenario::{self, Dist};
use crate::source::Draw;
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What it returns: no record failed, and a window's state is empty.
const BODY: &[u8] = b"{\"batchItemFailures\":[],\"state\":{}}";

/// Waits for a drawn time, then succeeds or fails.
#[derive(Debug)]
pub(super) struct Mock {
    duration: Draw,
    error_rate: Ratio,
    timeout: Span,
    concurrency: u64,
    key: u64,
    calls: AtomicU64,
    running: AtomicU64,
}

impl Mock {
    pub(super) fn new(
        target: &scenario::Target,
        duration: &Dist,
        error_rate: Ratio,
        seed: u64,
    ) -> Self {
        Self {
            duration: Draw::new(duration.clone()),
            error_rate,
            timeout: target.timeout,
            concurrency: target.concurrency.map_or(u64::MAX, u64::from),
            key: crate::engine::stream_key(seed, &format!("target/{}", target.function)),
            calls: AtomicU64::new(0),
            running: AtomicU64::new(0),
        }
    }

    pub(super) async fn invoke(&self) -> Reply {
        let running = Running::enter(&self.running);
        if running.number > self.concurrency {
            return Reply::from(Outcome::Throttled {
                retry_after: Span::ZERO,
            });
        }
        let call = self.calls.fetch_add(1, Relaxed);
        let mut rng = Rng::from_key(crate::engine::mix(self.key ^ call));
        let duration = Span::from_nanos(self.duration.next(&mut rng));
        let failed = rng.chance(self.error_rate);
        pause(duration.min(self.timeout)).await;
        if failed || duration > self.timeout {
            Reply::from(Outcome::FunctionError)
        } else {
            Reply::success(Bytes::from_static(BODY))
        }
    }
}

/// Counts down also when the invocation is abandoned.
struct Running<'a> {
    count: &'a AtomicU64,
    number: u64,
}

impl<'a> Running<'a> {
    fn enter(count: &'a AtomicU64) -> Self {
        let number = count.fetch_add(1, Relaxed) + 1;
        Self { count, number }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Relaxed);
    }
}
