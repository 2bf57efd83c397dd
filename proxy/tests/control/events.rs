//! What happens, as server-sent events and through `ficus watch`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::api::bearer;
use crate::ficus::{Ficus, ROUTES, command};
use crate::schema;

/// Somebody who follows.
struct Reader(BufReader<TcpStream>);

impl Reader {
    fn of(ficus: &Ficus, token: &str, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", ficus.admin_port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let token = bearer(token);
        write!(stream, "GET /v1/events HTTP/1.1\r\nhost: localhost\r\n{last}{token}\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event of this name: its id and data.
    fn next(&mut self, name: &str) -> (String, Value) {
        let (mut event, mut id) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "it ended before {name}");
            if let Some(value) = line.strip_prefix("event:") {
                event = value.trim().to_owned();
            } else if let Some(value) = line.strip_prefix("id:") {
                id = value.trim().to_owned();
            } else if let Some(value) = line.strip_prefix("data:") {
                let data: Value = serde_json::from_str(value.trim()).unwrap();
                schema::check(&data, "Event");
                if event == name {
                    return (id, data);
                }
            }
        }
    }

    /// Whether it ends, and not only falls silent.
    fn ends(mut self) -> bool {
        let mut line = String::new();
        loop {
            line.clear();
            match self.0.read_line(&mut line) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

#[test]
fn changes_are_told_and_a_reader_goes_on_where_it_was_also_after_a_restart() {
    let mut ficus = Ficus::with_api();
    let token = ficus.token(&["--name", "a", "--role", "viewer"]);
    let mut reader = Reader::of(&ficus, &token, None);
    let (first, health) = reader.next("health");
    assert_eq!((health["ready"].as_bool(), first.as_str()), (Some(true), "1-0"));
    assert_eq!(reader.next("store").1["store"]["up"], true);
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    let (id, flipped) = reader.next("revision");
    assert_eq!((id.as_str(), flipped["revision"].as_u64()), ("2-0", Some(2)));
    ficus.ok(&["rollback", "customers.list"]);
    ficus.ok(&["resume", "customers.list"]);
    // It is ended with the process, and not by a timeout.
    ficus.terminate();
    assert!(reader.ends());
    ficus.run();
    let mut again = Reader::of(&ficus, &token, Some(&id));
    let told: Vec<(u64, String)> = (0..2)
        .map(|_| again.next("revision").1)
        .map(|data| (data["revision"].as_u64().unwrap(), data["action"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(told, [(3, "rollback".to_owned()), (4, "resume".to_owned())]);
    let wrong = ficus.tcp("GET", "/v1/events", &format!("last-event-id: x\r\n{}", bearer(&token)), "");
    assert_eq!(wrong.status, 400);
}

#[test]
fn readers_are_bounded_in_number_and_make_room_when_they_leave() {
    let ficus = Ficus::with_api();
    let token = ficus.token(&["--name", "a", "--role", "viewer"]);
    let mut readers: Vec<Reader> = (0..32).map(|_| Reader::of(&ficus, &token, None)).collect();
    readers.iter_mut().for_each(|reader| drop(reader.next("health")));
    let refused = ficus.tcp("GET", "/v1/events", &bearer(&token), "");
    assert_eq!((refused.status, refused.code().as_str()), (503, "too_many_readers"));
    drop(readers);
    ficus.wait("there is room again", |ficus| {
        ficus.tcp("GET", "/v1/events", &bearer(&token), "").status == 200
    });
}

#[test]
fn watch_prints_a_line_for_each_event() {
    let ficus = Ficus::start(ROUTES);
    let mut watch =
        command(ficus.directory.path()).args(["watch", "-n", "3"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.ends_with("ready: legacy up, rust up"), "{first}");
    assert!(lines.next().unwrap().unwrap().ends_with("store ok"));
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    let line = lines.next().unwrap().unwrap();
    assert!(
        line.contains("revision 2, by ") && line.ends_with("customers.list: legacy -> rust (CRM-812)"),
        "{line}"
    );
    assert!(watch.wait().unwrap().success());
    let again = ficus.ok(&["watch", "--since", "1-0", "-n", "1", "--json"]);
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((again["id"].as_str(), again["event"].as_str()), (Some("2-0"), Some("revision")));
}
