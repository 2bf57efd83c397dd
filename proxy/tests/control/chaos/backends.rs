//! The two sides of the application, for as long as a test lasts; the candidate can fall ill.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Answers with its name; with a failure while it is `sick`.
pub(super) fn start(name: &'static str, sick: &Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sick = Arc::clone(sick);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sick = Arc::clone(&sick);
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut stream = stream;
                while lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).count() > 0 {
                    let status = if sick.load(Ordering::SeqCst) { "500 Sick" } else { "200 OK" };
                    let length = name.len();
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{name}");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
