//! A way to a server that can be cut: to its clients the server seems to stop and to start again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections while it is up; while it is down, it ends those that there are and takes no others. It needs a
/// runtime with threads of its own where tests wait without giving way.
pub(crate) struct Proxy {
    pub(crate) url: String,
    up: watch::Sender<bool>,
    refused: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy of the server at `url`, which is down at first.
    pub(crate) async fn start(url: &str) -> Self {
        let server = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (up, is_up) = watch::channel(false);
        let refused = Arc::new(AtomicU64::new(0));
        let count = refused.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *is_up.borrow() {
                    tokio::spawn(forward(client, server.clone(), is_up.clone()));
                } else {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self {
            url: format!("http://{address}"),
            up,
            refused,
        }
    }

    pub(crate) fn up(&self) {
        self.up.send_replace(true);
    }

    pub(crate) fn down(&self) {
        self.up.send_replace(false);
    }

    /// Connections that found it down, since it was started.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

async fn forward(mut client: TcpStream, server: String, mut is_up: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = is_up.wait_for(|up| !up) => {}
    }
}
