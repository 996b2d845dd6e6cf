//! Work spread over threads, with results in the order of the work.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Threads that the machine can run at once.
pub fn cores() -> NonZeroU32 {
    let found = std::thread::available_parallelism();
    found
        .ok()
        .and_then(|cores| cores.try_into().ok())
        .unwrap_or(NonZeroU32::MIN)
}

/// Does tasks `0..count` on up to `jobs` threads, each thread taking the next one that nobody has, and returns what they
/// gave, in the order of the tasks: which thread did what cannot be told from it.
///
/// ```
/// use std::num::NonZeroU32;
/// use tidegate::study::ordered;
///
/// let two = NonZeroU32::new(2).expect("not zero");
/// assert_eq!(ordered(4, two, |task| task * task), [0, 1, 4, 9]);
/// let halves = ordered(3, two, |task| if task % 2 == 0 { Ok(task / 2) } else { Err(task) });
/// assert_eq!(halves, [Ok(0), Err(1), Ok(1)]);
/// ```
///
/// # Panics
/// When a task does.
pub fn ordered<T: Send>(
    count: usize,
    jobs: NonZeroU32,
    task: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(count));
    let work = || loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= count {
            return;
        }
        let result = task(index);
        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
        results.push((index, result));
    };
    std::thread::scope(|scope| {
        for _ in 1..(jobs.get() as usize).min(count) {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
