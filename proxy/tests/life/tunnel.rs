//! Tunnels: a backend that switches protocols and sends back what it hears, and a client that has such a tunnel.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::backend::{Backend, Exchange, Then};
use crate::client::Client;
use crate::ficus::{Ficus, Setup};

/// The backend's side.
pub(crate) fn echo(exchange: &mut Exchange<'_>) -> Then {
    exchange.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    loop {
        let heard = exchange.receive();
        if heard.is_empty() {
            return Then::Close;
        }
        exchange.send(heard);
    }
}

/// A tunnel.
pub(crate) fn open(ficus: &Ficus) -> Client {
    let mut client = ficus.connect();
    client.send(
        "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    assert_eq!(client.answer().status, 101);
    client
}

/// A backend may be so quick that its 101 is there before pingora has passed on the end of the request.
#[test]
fn a_tunnel_stands_however_quick_the_backend_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                // Before it has read a byte.
                let switch =
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
                let _ = stream.write_all(switch.as_bytes());
                let mut bytes = [0; 4096];
                let mut heard = Vec::new();
                let end = loop {
                    match stream.read(&mut bytes) {
                        Ok(0) | Err(_) => return,
                        Ok(read) => heard.extend_from_slice(&bytes[..read]),
                    }
                    if let Some(at) = heard.windows(4).position(|four| four == b"\r\n\r\n") {
                        break at + 4;
                    }
                };
                let _ = stream.write_all(&heard[end..]);
                while let Ok(read @ 1..) = stream.read(&mut bytes) {
                    let _ = stream.write_all(&bytes[..read]);
                }
            });
        }
    });
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("backends.legacy", &format!("http://{address}")).start();
    for _ in 0..50 {
        let mut tunnel = open(&ficus);
        tunnel.send("ping");
        tunnel.expect("ping");
    }
}
