//! Processor time and memory of a part of this process.
//!
//! The load, the reading of what was delivered and the poller share a process. What is asked for is the poller's part:
//! threads that are there before the poller begins belong to the others, and their time is taken off.

use std::collections::BTreeMap;

/// What a part took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Processor time of its threads, seconds.
    pub(crate) cpu_secs: f64,
    /// How much the resident memory of the whole process grew at most, bytes.
    pub(crate) grown: u64,
}

/// The process as it was before a part began.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    cpu_secs: f64,
    /// Time of each thread that is not part of it, nanoseconds.
    others: BTreeMap<u64, u64>,
    resident: u64,
}

impl Meter {
    /// Looks at the process now; `None` where it cannot be looked at as on Linux.
    pub(crate) fn start() -> Option<Self> {
        // The largest size so far begins anew. Without it the growth would be that of everything before, too.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Some(Self {
            cpu_secs: process_secs()?,
            others: threads()?,
            resident: status("VmRSS:")?,
        })
    }

    /// What was taken since, by threads that were not there then.
    pub(crate) fn stop(&self) -> Option<Usage> {
        let now = threads()?;
        let others: u64 = self
            .others
            .iter()
            .filter_map(|(thread, before)| Some(now.get(thread)?.saturating_sub(*before)))
            .sum();
        let whole = process_secs()? - self.cpu_secs;
        Some(Usage {
            cpu_secs: (whole - others as f64 / 1e9).max(0.0),
            grown: status("VmHWM:")?.saturating_sub(self.resident),
        })
    }
}

/// Processor time of all threads, also of those that ended.
fn process_secs() -> Option<f64> {
    const TICKS_PER_SEC: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold spaces: fields are counted behind it.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SEC)
}

/// Processor time of every thread, nanoseconds.
fn threads() -> Option<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        // One that ended meanwhile has nothing to read.
        let time = std::fs::read_to_string(entry.path().join("schedstat"));
        let time = time
            .ok()
            .and_then(|text| text.split(' ').next()?.parse().ok());
        if let (Some(thread), Some(time)) = (entry.file_name().to_str()?.parse().ok(), time) {
            found.insert(thread, time);
        }
    }
    Some(found)
}

/// A size out of the status of the process, bytes.
fn status(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_threads_that_began_later_count() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (done, is_done) = std::sync::mpsc::channel::<u64>();
        // Works, but was there before.
        let other = std::thread::spawn(move || {
            let _ = wait.recv();
            let _ = done.send((0..30_000_000_u64).fold(0, |sum, n| sum ^ n.wrapping_mul(sum | 1)));
            let _ = wait.recv();
        });
        let meter = Meter::start().expect("Linux");
        go.send(()).expect("it waits");
        is_done.recv().expect("it worked");
        let usage = meter.stop().expect("Linux");
        let whole = process_secs().expect("Linux") - meter.cpu_secs;
        // Other tests may run in threads of this process at the same time; what is taken off is this one's work.
        assert!(usage.cpu_secs <= whole, "{usage:?} of {whole}");
        drop(go);
        other.join().expect("it ended");
    }

    #[test]
    fn memory_that_was_taken_shows() {
        let meter = Meter::start().expect("Linux");
        let block = vec![1_u8; 64 << 20];
        let usage = meter.stop().expect("Linux");
        assert!(usage.grown >= 48 << 20, "{usage:?}");
        assert_eq!(
            block[usize::try_from(usage.grown).unwrap_or(0) % block.len()],
            1
        );
    }
}
