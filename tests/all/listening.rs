//! Servers inside the test's own process: each connection has a thread, and all end with the server.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A port of this machine that is listened at. Nobody is let in any more when it is dropped.
pub struct Listening {
    pub at: SocketAddr,
    /// The connections that it has.
    pub open: Open,
    stop: Arc<AtomicBool>,
}

impl Listening {
    /// Gives each connection to `each`, in a thread of its own, with the word that it is over.
    pub fn start(each: impl Fn(TcpStream, &AtomicBool) + Clone + Send + 'static) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let (open, stop) = (Open::default(), Arc::new(AtomicBool::new(false)));
        let (counted, over) = (open.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (each, over, one) = (each.clone(), Arc::clone(&over), counted.one());
                std::thread::spawn(move || {
                    each(stream, &over);
                    drop(one);
                });
            }
        });
        Listening { at, open, stop }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.at);
    }
}

/// Connections that are open.
#[derive(Clone, Default)]
pub struct Open(Arc<AtomicUsize>);

impl Open {
    /// Counts one, until it is dropped.
    fn one(&self) -> impl Drop + use<> {
        struct One(Arc<AtomicUsize>);
        impl Drop for One {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.0.fetch_add(1, Ordering::SeqCst);
        One(Arc::clone(&self.0))
    }

    /// Waits until nobody is connected any more: what was sent has come to whatever it comes to.
    pub fn none(&self) {
        let begun = std::time::Instant::now();
        while self.0.load(Ordering::SeqCst) > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "a connection does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
