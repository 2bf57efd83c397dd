//! Tunnels: a backend that switches protocols and sends back what it hears, and a client that has such a tunnel.

use crate::backend::{Exchange, Then};
use crate::client::Client;
use crate::ficus::Ficus;

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

/// A tunnel through which something has gone in both directions.
///
/// pingora 0.9.1 sometimes ends a tunnel right after its handshake: when the backend's 101 is read before the end of the
/// request's empty body was passed on, that end is taken for the end of the tunnel. Clients of WebSockets connect again
/// then, and so does this one; what is tested here is the life of a tunnel that stands.
pub(crate) fn open(ficus: &Ficus) -> Client {
    for _ in 0..20 {
        let mut client = ficus.connect();
        client.send(
            "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        );
        assert_eq!(client.answer().status, 101);
        if client.try_send(b"ping").is_ok() && !client.is_closed() {
            client.expect("ping");
            return client;
        }
    }
    panic!("no tunnel stands; ficus said:\n{}", ficus.said());
}
