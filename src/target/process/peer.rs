//! Who is at the other end of a connection to the Runtime API.
//!
//! Runtimes build addresses as `http://HOST:PORT/2018-06-01/…` from one variable, and some of them take it apart at its colon,
//! so that no secret fits into it. What a process cannot choose is who it is: on Linux the kernel says which socket is at
//! the other end, and which process holds it. That must be the environment's own process or one that descends from it.

use std::net::SocketAddr;

/// What was found at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A process of the environment.
    Own,
    /// Somebody else, or nobody any more.
    Stranger,
    /// This system does not say.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "Linux says"))]
    Unknown,
}

/// Whether the socket at `peer`, connected to `here`, belongs to the process `root` or to a descendant of it. Reads
/// files of the system.
#[cfg(target_os = "linux")]
pub(super) fn judge(root: u32, peer: SocketAddr, here: SocketAddr) -> Peer {
    let Some(inode) = linux::inode(peer, here) else {
        return Peer::Stranger;
    };
    let wanted = format!("socket:[{inode}]");
    if linux::family(root).any(|process| linux::holds(process, &wanted)) {
        Peer::Own
    } else {
        Peer::Stranger
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn judge(_: u32, _: SocketAddr, _: SocketAddr) -> Peer {
    Peer::Unknown
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::fs;
    use std::net::{IpAddr, SocketAddr};

    /// Processes of an environment that are looked at.
    const FAMILY_MAX: usize = 10_000;
    /// What stands before an address of IPv4 in an address of IPv6.
    const MAPPED: &str = if cfg!(target_endian = "little") {
        "0000000000000000FFFF0000"
    } else {
        "00000000000000000000FFFF"
    };

    /// The number of the socket that is bound to `local` and connected to `remote`. Some runtimes, Java's among them, speak
    /// IPv4 through sockets of IPv6, which have a table of their own.
    pub(super) fn inode(local: SocketAddr, remote: SocketAddr) -> Option<u64> {
        let tables = [("/proc/net/tcp", ""), ("/proc/net/tcp6", MAPPED)];
        tables.iter().find_map(|(table, prefix)| {
            let (local, remote) = (hex(prefix, local)?, hex(prefix, remote)?);
            let table = fs::read_to_string(table).ok()?;
            table.lines().skip(1).find_map(|line| {
                let mut words = line.split_ascii_whitespace().skip(1);
                let is_it = words.next()? == local && words.next()? == remote;
                // Behind the addresses: state, queues, timer, retransmits, user, timeout, inode.
                is_it.then(|| words.nth(6)?.parse().ok())?
            })
        })
    }

    /// An address as the system's tables write it: words in the machine's order.
    fn hex(prefix: &str, address: SocketAddr) -> Option<String> {
        let IpAddr::V4(ip) = address.ip() else {
            return None;
        };
        let number = u32::from_ne_bytes(ip.octets());
        Some(format!("{prefix}{number:08X}:{:04X}", address.port()))
    }

    /// Whether a process has the file open.
    pub(super) fn holds(process: u32, wanted: &str) -> bool {
        let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else {
            return false;
        };
        files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|link| link.as_os_str() == wanted)
    }

    /// The process itself, then everybody who descends from it: looked for only if somebody asks for more than the first.
    pub(super) fn family(root: u32) -> impl Iterator<Item = u32> {
        std::iter::once(root).chain(std::iter::once_with(move || descendants(root)).flatten())
    }

    pub(super) fn descendants(root: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![root];
        while let Some(process) = waiting.pop() {
            for child in children(process) {
                // Nobody descends from himself, but numbers are used again.
                if child != root && found.len() < FAMILY_MAX && found.insert(child) {
                    waiting.push(child);
                }
            }
        }
        found
    }

    fn children(process: u32) -> Vec<u32> {
        let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
            return Vec::new();
        };
        let lists = threads
            .flatten()
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let mut found = Vec::new();
        for list in lists {
            found.extend(
                list.split_ascii_whitespace()
                    .filter_map(|it| it.parse::<u32>().ok()),
            );
        }
        found
    }
}

/// How much memory the process `root` and its descendants hold, in bytes: what is resident, each shared page counted once
/// for every process that maps it. `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn memory(root: u32) -> Option<u64> {
    let kilobytes = |process: u32| -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    let all: u64 = linux::family(root).filter_map(kilobytes).sum();
    Some(all.saturating_mul(1_024))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn memory(_: u32) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    #[test]
    fn a_socket_belongs_to_the_process_that_holds_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let here = listener.local_addr().expect("an address");
        let client = TcpStream::connect(here).expect("a connection");
        let (_server, peer) = listener.accept().expect("a connection");
        assert_eq!(judge(std::process::id(), peer, here), Peer::Own);
        let mut child = Command::new("/bin/sleep")
            .arg("600")
            .spawn()
            .expect("a process");
        assert_eq!(judge(child.id(), peer, here), Peer::Stranger);
        drop(client);
        child.kill().expect("it ran");
        child.wait().expect("it ended");
        // Through a socket of IPv6, if the system has them.
        if let Ok(client) = TcpStream::connect(("::ffff:127.0.0.1", here.port())) {
            let (_server, peer) = listener.accept().expect("a connection");
            assert_eq!(judge(std::process::id(), peer, here), Peer::Own);
            drop(client);
        }
        // Nobody holds what is closed.
        let nobody = "127.0.0.1:1".parse().expect("an address");
        assert_eq!(judge(std::process::id(), nobody, here), Peer::Stranger);
    }

    #[test]
    fn children_of_children_are_descendants_and_their_memory_counts() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "/bin/sh -c '/bin/sleep 600 & echo $!; wait' & wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut out = child.stdout.take().expect("a pipe");
        let mut text = [0; 16];
        let count = out.read(&mut text).expect("a line");
        let grandchild: u32 = String::from_utf8_lossy(&text[..count])
            .trim()
            .parse()
            .expect("a number");
        let descendants = linux::descendants(child.id());
        assert!(
            descendants.contains(&grandchild),
            "{grandchild} in {descendants:?}"
        );
        assert!(!descendants.contains(&std::process::id()));
        let all = memory(child.id()).expect("Linux says");
        let one = memory(grandchild).expect("Linux says");
        assert!(all > one && one > 0, "{all} and {one}");
        for process in descendants.into_iter().chain([child.id()]) {
            let _ = Command::new("kill")
                .args(["-KILL", &process.to_string()])
                .status();
        }
        child.wait().expect("it ended");
    }
}
