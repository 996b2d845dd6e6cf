//! Work spread over threads that keep something between tasks, with a word about every task that is done.

use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does tasks `0..count` on up to `jobs` threads. Each thread makes itself a state with `state` and keeps it from task to
/// task; `done` hears of every result, one at a time and in the order in which they come, and may end the work: what is
/// under way then is finished and told as well.
pub(super) fn spread<S, T: Send>(
    count: usize,
    jobs: NonZeroU32,
    state: impl Fn() -> S + Sync,
    task: impl Fn(&mut S, usize) -> T + Sync,
    done: impl FnMut(usize, T) -> ControlFlow<()> + Send,
) {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let done = Mutex::new(done);
    let work = || {
        let mut state = state();
        while !stopped.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let result = task(&mut state, index);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            if done(index, result).is_break() {
                stopped.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..(jobs.get() as usize).min(count) {
            scope.spawn(work);
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_until_somebody_stops() {
        for jobs in 1..=3 {
            let jobs = NonZeroU32::new(jobs).expect("not zero");
            let mut seen = Vec::new();
            spread(
                20,
                jobs,
                || 0,
                |mine, index| {
                    *mine += 1;
                    (index * index, *mine)
                },
                |index, (square, mine)| {
                    assert_eq!(square, index * index);
                    assert!(mine >= 1);
                    seen.push(index);
                    ControlFlow::Continue(())
                },
            );
            seen.sort_unstable();
            assert_eq!(seen, (0..20).collect::<Vec<_>>());
            let mut told = 0;
            let stop = |_, ()| {
                told += 1;
                match told {
                    5.. => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            };
            spread(20, jobs, || (), |_, _| (), stop);
            assert!((5..=4 + jobs.get()).contains(&told), "{told}");
        }
    }
}
