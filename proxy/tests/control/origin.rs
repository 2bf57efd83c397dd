//! A backend that says its name.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

/// Answers every request with `name` until the process ends; `/public` may be kept by every cache, `/broken` is a 500.
pub(crate) fn start(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                loop {
                    let head: Vec<String> =
                        lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
                    let status = if path.starts_with("/broken") { "500 Broken" } else { "200 OK" };
                    let public = path.starts_with("/public");
                    let caching = if public { "cache-control: public, max-age=60\r\n" } else { "" };
                    let length = name.len();
                    let answer =
                        format!("HTTP/1.1 {status}\r\n{caching}content-length: {length}\r\n\r\n{name}");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
