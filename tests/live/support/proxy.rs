//! A way to a server that can go wrong: cut, slow, narrow, or silent without an end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the way is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Up,
    /// Connections end, and others are taken and ended at once.
    Down,
    /// Whatever is sent arrives this much later, in either direction.
    Delayed(Duration),
    /// At most so many bytes a second, in either direction.
    Narrow(u32),
    /// Connections stay and others are taken, and nothing arrives any more. Neither side ever hears of the other again, not
    /// even when the way is mended: a firewall that has forgotten a connection does the same.
    HalfOpen,
}

/// Forwards connections as its condition says. It needs a runtime with threads of its own where tests wait without giving
/// way.
pub(crate) struct Proxy {
    pub(crate) url: String,
    condition: watch::Sender<Condition>,
    refused: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy of the server at `url`, which is down at first.
    ///
    /// A Kafka broker tells its clients where it is; on its way here, its own address becomes the proxy's.
    pub(crate) async fn start(url: &str) -> Self {
        let server = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (condition, is_now) = watch::channel(Condition::Down);
        let refused = Arc::new(AtomicU64::new(0));
        let count = refused.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let now = *is_now.borrow();
                if now == Condition::Down {
                    count.fetch_add(1, Ordering::Relaxed);
                } else {
                    let names = Names::new(&server, address.port());
                    let way = forward(client, server.clone(), names, is_now.clone());
                    tokio::spawn(way);
                }
            }
        });
        Self {
            url: format!("http://{address}"),
            condition,
            refused,
        }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) fn set(&self, condition: Condition) {
        self.condition.send_replace(condition);
    }

    pub(crate) fn up(&self) {
        self.set(Condition::Up);
    }

    pub(crate) fn down(&self) {
        self.set(Condition::Down);
    }

    /// Connections that found it down, since it was started.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The server's address as Kafka writes it, and the proxy's.
#[derive(Clone)]
struct Names {
    server: Vec<u8>,
    proxy: Vec<u8>,
}

impl Names {
    fn new(server: &str, port: u16) -> Self {
        let (host, of_server) = server.rsplit_once(':').expect("host:port");
        let of_server: u16 = of_server.parse().expect("a port");
        let name = |port: u16| [host.as_bytes(), &u32::from(port).to_be_bytes()].concat();
        Self {
            server: name(of_server),
            proxy: name(port),
        }
    }

    fn replace(&self, bytes: &mut [u8]) {
        let length = self.server.len();
        let mut from = 0;
        while let Some(found) = bytes[from..]
            .windows(length)
            .position(|window| window == self.server)
        {
            bytes[from + found..][..length].copy_from_slice(&self.proxy);
            from += found + length;
        }
    }
}

async fn forward(
    client: TcpStream,
    server: String,
    names: Names,
    mut condition: watch::Receiver<Condition>,
) {
    if *condition.borrow() == Condition::HalfOpen {
        let (from, _to) = client.into_split();
        swallow(from).await;
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (there, back) = (condition.clone(), condition.clone());
    let ended = tokio::select! {
        () = pump(&mut from_client, &mut to_server, None, there) => Condition::Down,
        () = pump(&mut from_server, &mut to_client, Some(names), back) => Condition::Down,
        found = condition.wait_for(|it| matches!(it, Condition::Down | Condition::HalfOpen)) => {
            found.map_or(Condition::Down, |found| *found)
        }
    };
    if ended == Condition::HalfOpen {
        // The other halves are held, so that nobody hears of an end.
        tokio::join!(swallow(from_client), swallow(from_server));
        drop((to_client, to_server));
    }
}

async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    names: Option<Names>,
    condition: watch::Receiver<Condition>,
) {
    let mut buffer = vec![0; 16_384];
    loop {
        // A narrow way shows its width from the first bytes on.
        let now = *condition.borrow();
        let most = match now {
            Condition::Narrow(rate) => (rate as usize / 10).clamp(1, buffer.len()),
            _ => buffer.len(),
        };
        let Ok(length @ 1..) = from.read(&mut buffer[..most]).await else {
            return;
        };
        if let Some(names) = &names {
            names.replace(&mut buffer[..length]);
        }
        let now = *condition.borrow();
        match now {
            Condition::Delayed(delay) => tokio::time::sleep(delay).await,
            Condition::Narrow(rate) => {
                let seconds = f64::from(u32::try_from(length).unwrap_or(0)) / f64::from(rate);
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
            _ => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Reads and forgets, and keeps the connection when its other end is closed.
async fn swallow(mut from: OwnedReadHalf) -> Infallible {
    let mut buffer = vec![0; 16_384];
    while let Ok(1..) = from.read(&mut buffer).await {}
    std::future::pending().await
}
