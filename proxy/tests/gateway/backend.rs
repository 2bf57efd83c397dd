//! A fake backend: a thread per connection, a script per request, a memory of what came.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a backend got.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Request line and headers, as they came, without the empty line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn request_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }
}

/// One request at a fake backend.
pub(crate) struct Exchange<'a> {
    pub(crate) head: &'a str,
    reader: &'a mut BufReader<Box<dyn ReadWrite>>,
    received: &'a Mutex<Vec<Received>>,
    index: usize,
    body: Option<Vec<u8>>,
}

impl Exchange<'_> {
    /// Reads the body; must be called before an answer if the connection is to be kept.
    pub(crate) fn read_body(&mut self) -> Vec<u8> {
        if self.body.is_none() {
            let body = read_body(self.head, self.reader);
            self.received.lock().unwrap()[self.index].body.clone_from(&body);
            self.body = Some(body);
        }
        self.body.clone().unwrap_or_default()
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A client that has left is part of some tests.
        let _ = self.reader.get_mut().write_all(bytes.as_ref());
        let _ = self.reader.get_mut().flush();
    }

    /// Sends bytes; false when nobody takes them any more.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let out = self.reader.get_mut();
        out.write_all(bytes.as_ref()).and_then(|()| out.flush()).is_ok()
    }

    /// Reads the next bytes; empty at the end.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let bytes = self.reader.fill_buf().map(<[u8]>::to_vec).unwrap_or_default();
        self.reader.consume(bytes.len());
        bytes
    }

    /// Reads the body and answers 200 with this text.
    pub(crate) fn ok(&mut self, text: &str) {
        self.answer("200 OK", "", text);
    }

    /// Reads the body and answers with a status, further header lines and a body.
    pub(crate) fn answer(&mut self, status: &str, headers: &str, body: &str) {
        self.read_body();
        let length = body.len();
        let body = if self.head.starts_with("HEAD ") { "" } else { body };
        self.send(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"));
    }
}

pub(crate) trait ReadWrite: Read + Write + Send {}
impl<T: Read + Write + Send> ReadWrite for T {}

/// What happens to the connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

type Script = dyn Fn(&mut Exchange<'_>) -> Then + Send + Sync;

/// A fake backend.
pub(crate) struct Backend {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    about: Arc<Mutex<About>>,
    socket: Option<PathBuf>,
}

/// How it answers when Ficus asks what it is; such questions are not among those that came.
#[derive(Debug, Default)]
struct About {
    /// Absent: 404.
    answer: Option<String>,
    heads: Vec<String>,
}

impl Backend {
    /// A backend on TCP.
    pub(crate) fn tcp(script: impl Fn(&mut Exchange<'_>) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::start(url, None, script, move || {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        })
    }

    /// A backend on a Unix socket.
    pub(crate) fn unix(
        path: &Path,
        script: impl Fn(&mut Exchange<'_>) -> Then + Send + Sync + 'static,
    ) -> Self {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        let url = format!("unix:{}", path.display());
        Self::start(url, Some(path.to_owned()), script, move || Ok(Box::new(listener.accept()?.0)))
    }

    /// A backend that answers every request with 200 and this text.
    pub(crate) fn saying(text: &'static str) -> Self {
        Self::tcp(move |exchange| {
            exchange.ok(text);
            Then::Keep
        })
    }

    fn start(
        url: String,
        socket: Option<PathBuf>,
        script: impl Fn(&mut Exchange<'_>) -> Then + Send + Sync + 'static,
        accept: impl Fn() -> std::io::Result<Box<dyn ReadWrite>> + Send + 'static,
    ) -> Self {
        let received = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let about = Arc::<Mutex<About>>::default();
        let backend = Self {
            url,
            received: Arc::clone(&received),
            connections: Arc::clone(&connections),
            about: Arc::clone(&about),
            socket,
        };
        let script: Arc<Script> = Arc::new(script);
        std::thread::spawn(move || {
            while let Ok(stream) = accept() {
                let (received, script) = (Arc::clone(&received), Arc::clone(&script));
                let (connections, about) = (Arc::clone(&connections), Arc::clone(&about));
                std::thread::spawn(move || {
                    serve(stream, &received, (&connections, &about), &*script);
                });
            }
        });
        backend
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Everything that came, in order of arrival.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The only request that came.
    #[track_caller]
    pub(crate) fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        received[0].clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// From now on it says that it is this, as JSON; before, it says nothing.
    pub(crate) fn is_about(&self, document: &str) {
        self.about.lock().unwrap().answer = Some(document.to_owned());
    }

    /// The heads of questions what it is.
    pub(crate) fn asked_about(&self) -> Vec<Received> {
        let about = self.about.lock().unwrap();
        about.heads.iter().map(|head| Received { head: head.clone(), body: Vec::new() }).collect()
    }

    /// Connections that brought at least one byte.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(path) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn serve(
    stream: Box<dyn ReadWrite>,
    received: &Mutex<Vec<Received>>,
    (connections, about): (&AtomicUsize, &Mutex<About>),
    script: &Script,
) {
    let mut reader = BufReader::new(stream);
    let mut first = true;
    while let Some(head) = read_head(&mut reader) {
        if head.starts_with("GET /_ficus/about ") || head.starts_with("GET /_shim/about ") {
            let mut about = about.lock().unwrap();
            about.heads.push(head);
            let (status, body) = about.answer.as_ref().map_or(("404 Not Found", ""), |body| ("200 OK", body));
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = reader.get_mut().write_all(answer.as_bytes());
            return;
        }
        if std::mem::take(&mut first) {
            connections.fetch_add(1, Ordering::SeqCst);
        }
        let index = {
            let mut received = received.lock().unwrap();
            received.push(Received { head: head.clone(), body: Vec::new() });
            received.len() - 1
        };
        let mut exchange = Exchange { head: &head, reader: &mut reader, received, index, body: None };
        if script(&mut exchange) == Then::Close {
            return;
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).ok().filter(|read| *read > 0)?;
        if line == b"\r\n" {
            return Some(head);
        }
        head.push_str(&String::from_utf8_lossy(&line));
    }
}

fn read_body(head: &str, reader: &mut impl BufRead) -> Vec<u8> {
    let received = Received { head: head.to_owned(), body: Vec::new() };
    if received.header("transfer-encoding").is_some() {
        return read_chunks(reader).unwrap_or_default();
    }
    let length = received.header("content-length").map_or(0, |value| value.parse().unwrap());
    let mut body = Vec::new();
    let _ = reader.take(length).read_to_end(&mut body);
    body
}

/// A chunked body, or none if it is cut off.
pub(crate) fn read_chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A connection to somebody that gives up after a while.
pub(crate) fn patient(stream: &TcpStream, patience: Duration) {
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.set_write_timeout(Some(patience)).unwrap();
}
