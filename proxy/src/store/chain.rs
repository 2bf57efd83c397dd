//! The audit as a chain: every record carries the digest of the one before it, so that nothing in the middle can be
//! changed, left out or moved without a trace.
//!
//! Shape: one JSON line each in `audit.jsonl`, only ever added to:
//! `{"seq":1,"prev":"000…","digest":"…","record":{…}}`. The digest is the SHA-256 of `prev`, a line feed, `seq`, a line
//! feed, and the record as JSON with sorted keys and without white space. The store has the same links once more; each
//! copy shows what is missing at the end of the other.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Record;
use super::journal::give_to_owner_of_directory;

/// What the first record names as the one before it.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One record in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// Digest of the record before it.
    pub prev: String,
    /// Its own digest.
    pub digest: String,
    /// What happened, without the text of the routing file.
    pub record: Value,
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) seq: u64,
    pub(super) digest: String,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The first record that is wrong or missing.
    pub seq: u64,
    /// What is wrong with it.
    pub why: String,
}

impl Link {
    /// The link of a record of a fleet, after `tip`: it says which node made it, and whether the others could hear of it.
    pub(super) fn of_node(tip: Option<&Tip>, mut record: Value, (node, cut_off): (&str, bool)) -> Self {
        record["node"] = Value::from(node);
        if cut_off {
            record["cut_off"] = Value::from(true);
        }
        Self::holding(tip, record)
    }

    /// The link that comes after `tip`.
    fn holding(tip: Option<&Tip>, record: Value) -> Self {
        let (seq, prev) = tip.map_or((1, GENESIS), |tip| (tip.seq + 1, &tip.digest));
        Self { seq, prev: prev.to_owned(), digest: digest(prev, seq, &record), record }
    }

    pub(super) fn tip(&self) -> Tip {
        Tip { seq: self.seq, digest: self.digest.clone() }
    }

    /// The record, if it can still be read, and tells of a revision.
    pub(super) fn read(&self) -> Option<Record> {
        serde_json::from_value(self.record.clone()).ok()
    }
}

/// A record of a revision as it stands in a chain.
pub(super) fn written(record: &Record) -> serde_json::Result<Value> {
    serde_json::to_value(Record { text: None, ..record.clone() })
}

fn digest(prev: &str, seq: u64, record: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(record, &mut canonical);
    let mut hasher = Sha256::new();
    for part in [prev, "\n", &seq.to_string(), "\n", &canonical] {
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON with sorted keys and without white space.
fn write_canonical(value: &Value, out: &mut String) {
    let mut list = |open: char, close: char, items: &mut dyn Iterator<Item = (Option<&String>, &Value)>| {
        out.push(open);
        for (number, (key, item)) in items.enumerate() {
            if number > 0 {
                out.push(',');
            }
            if let Some(key) = key {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
            }
            write_canonical(item, out);
        }
        out.push(close);
    };
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            list('{', '}', &mut entries.into_iter().map(|(key, value)| (Some(key), value)));
        }
        Value::Array(items) => list('[', ']', &mut items.iter().map(|item| (None, item))),
        plain => out.push_str(&plain.to_string()),
    }
}

/// Checks links in the order in which they are kept, and says where the chain ends.
pub(super) fn verify(links: &[Result<Link, String>]) -> Result<Option<Tip>, Broken> {
    let mut tip: Option<Tip> = None;
    for link in links {
        let expected = tip.as_ref().map_or(1, |tip| tip.seq + 1);
        let broken = |why: String| Err(Broken { seq: expected, why });
        let link = match link {
            Ok(link) => link,
            Err(why) => return broken(why.clone()),
        };
        let prev = tip.as_ref().map_or(GENESIS, |tip| &tip.digest);
        match link.seq {
            seq if seq > expected => return broken(format!("record {seq} stands in its place")),
            seq if seq < expected => {
                return broken(format!("record {seq} is there twice or in the wrong place"));
            }
            _ => {}
        }
        if digest(&link.prev, link.seq, &link.record) != link.digest {
            return broken("it is not what its digest says: somebody changed it".to_owned());
        }
        if link.prev != *prev {
            return broken("it does not follow the record before it".to_owned());
        }
        tip = Some(link.tip());
    }
    Ok(tip)
}

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    path: PathBuf,
}

impl Chain {
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join("audit.jsonl") }
    }

    /// Every line, read or not; nothing if there is no file. The end of a line cut off by a crash is not there yet.
    pub(super) fn links(&self) -> std::io::Result<Vec<Result<Link, String>>> {
        let text = match std::fs::read(&self.path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().filter(|line| !line.is_empty());
        Ok(lines.map(|line| serde_json::from_str(line).map_err(|_| "it cannot be read".to_owned())).collect())
    }

    /// Writes the whole file again, from the store's copy: for one that is gone altogether. One that is only damaged or cut
    /// off stays as it is, for whoever asks what happened to it.
    pub(super) fn restore(&self, links: &[Link]) -> std::io::Result<()> {
        let mut text = String::new();
        for link in links {
            text.push_str(&serde_json::to_string(link)?);
            text.push('\n');
        }
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let next = self.path.with_extension("jsonl.next");
        let mut file = File::create(&next)?;
        file.write_all(text.as_bytes())?;
        give_to_owner_of_directory(&next);
        file.sync_all()?;
        std::fs::rename(&next, &self.path)
    }

    /// Adds a record and waits until it is on disk. `known` is where the store's copy ends: should this file have been
    /// removed, its numbers go on from there and the gap shows.
    pub(super) fn append(&self, record: Value, known: Option<&Tip>) -> std::io::Result<Link> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path)?;
        // An offline rollback may be writing at the same time.
        file.lock()?;
        let (end, last) = end_of(&mut file)?;
        let tip = match (last.map(|link| link.tip()), known) {
            (Some(own), Some(known)) if known.seq > own.seq => Some(known.clone()),
            (Some(own), _) => Some(own),
            (None, known) => known.cloned(),
        };
        let link = Link::holding(tip.as_ref(), record);
        let mut line = serde_json::to_string(&link)?;
        line.push('\n');
        file.seek(SeekFrom::Start(end))?;
        if let Err(error) = file.write_all(line.as_bytes()) {
            // Half a line would be cut off by the next one; better it is never there.
            let _ = file.set_len(end);
            return Err(error);
        }
        file.set_len(end + line.len() as u64)?;
        give_to_owner_of_directory(&self.path);
        file.sync_data()?;
        Ok(link)
    }
}

/// Where the last whole line ends, and what it says.
fn end_of(file: &mut File) -> std::io::Result<(u64, Option<Link>)> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut window = 64 * 1024;
    loop {
        let start = length.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let begin = whole.and_then(|end| bytes[..end].iter().rposition(|byte| *byte == b'\n'));
        match (whole, begin) {
            (Some(end), Some(begin)) => {
                let link = serde_json::from_slice(&bytes[begin + 1..end]).ok();
                return Ok((start + end as u64 + 1, link));
            }
            (Some(end), None) if start == 0 => {
                return Ok((end as u64 + 1, serde_json::from_slice(&bytes[..end]).ok()));
            }
            (None, _) if start == 0 => return Ok((0, None)),
            _ => window *= 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::recorder::tests::record;

    fn plain(record: &Record) -> Value {
        written(record).unwrap()
    }

    fn chain(directory: &Path, records: u64) -> Chain {
        let chain = Chain::new(directory);
        for revision in 1..=records {
            chain.append(plain(&record(revision)), None).unwrap();
        }
        chain
    }

    fn lines(chain: &Chain) -> Vec<String> {
        std::fs::read_to_string(&chain.path).unwrap().lines().map(str::to_owned).collect()
    }

    fn rewritten(chain: &Chain, lines: &[String]) -> Result<Option<Tip>, Broken> {
        std::fs::write(&chain.path, lines.join("\n") + "\n").unwrap();
        verify(&chain.links().unwrap())
    }

    #[test]
    fn an_untouched_chain_is_good_and_goes_on_after_a_torn_line() {
        let directory = tempfile::tempdir().unwrap();
        let chain = chain(directory.path(), 3);
        assert_eq!(verify(&chain.links().unwrap()).unwrap().unwrap().seq, 3);
        let mut text = std::fs::read_to_string(&chain.path).unwrap();
        text.push_str("{\"seq\":4,\"prev\":\"half a li");
        std::fs::write(&chain.path, text).unwrap();
        assert_eq!(chain.append(plain(&record(4)), None).unwrap().seq, 4);
        assert_eq!(verify(&chain.links().unwrap()).unwrap().unwrap().seq, 4);
        assert_eq!(chain.links().unwrap()[3].as_ref().unwrap().read().unwrap().revision, 4);
    }

    #[test]
    fn every_single_changed_byte_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let chain = chain(directory.path(), 3);
        let good = std::fs::read(&chain.path).unwrap();
        let second = lines(&chain)[0].len() + 1;
        for place in (second..second + lines(&chain)[1].len()).step_by(7) {
            let mut bad = good.clone();
            bad[place] = if bad[place] == b'x' { b'y' } else { b'x' };
            std::fs::write(&chain.path, &bad).unwrap();
            let broken = verify(&chain.links().unwrap()).unwrap_err();
            assert_eq!(broken.seq, 2, "byte {place}: {broken:?}");
        }
    }

    #[test]
    fn the_first_broken_record_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let chain = chain(directory.path(), 5);
        let good = lines(&chain);
        let mut changed = good.clone();
        changed[2] = changed[2].replace("\"ana\"", "\"eve\"");
        assert_eq!(rewritten(&chain, &changed).unwrap_err().seq, 3);
        let mut deleted = good.clone();
        deleted.remove(1);
        assert_eq!(rewritten(&chain, &deleted).unwrap_err().seq, 2);
        let mut beheaded = good.clone();
        beheaded.remove(0);
        assert_eq!(rewritten(&chain, &beheaded).unwrap_err().seq, 1);
        let mut swapped = good.clone();
        swapped.swap(1, 2);
        assert_eq!(rewritten(&chain, &swapped).unwrap_err().seq, 2);
        let mut twice = good.clone();
        twice.insert(3, good[2].clone());
        assert_eq!(rewritten(&chain, &twice).unwrap_err().seq, 4);
        let mut renumbered = good.clone();
        renumbered.remove(1);
        renumbered[1] = renumbered[1].replace("\"seq\":3", "\"seq\":2");
        assert_eq!(rewritten(&chain, &renumbered).unwrap_err().seq, 2);
    }

    #[test]
    fn a_removed_file_goes_on_where_the_store_ends_and_the_gap_shows() {
        let directory = tempfile::tempdir().unwrap();
        let chain = chain(directory.path(), 3);
        let tip = verify(&chain.links().unwrap()).unwrap();
        std::fs::remove_file(&chain.path).unwrap();
        assert_eq!(chain.append(plain(&record(4)), tip.as_ref()).unwrap().seq, 4);
        assert_eq!(verify(&chain.links().unwrap()).unwrap_err().seq, 1);
    }

    #[test]
    fn the_canonical_form_is_what_other_languages_write() {
        let value = serde_json::json!({"b": [1, true, null], "a": {"é": "x\"\n\u{1}", "Z": -2}});
        let mut text = String::new();
        write_canonical(&value, &mut text);
        assert_eq!(text, "{\"a\":{\"Z\":-2,\"é\":\"x\\\"\\n\\u0001\"},\"b\":[1,true,null]}");
    }

    #[test]
    fn a_long_record_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let chain = Chain::new(directory.path());
        let long = Record { reason: Some("x".repeat(200_000)), ..record(1) };
        chain.append(plain(&long), None).unwrap();
        assert_eq!(chain.append(plain(&record(2)), None).unwrap().seq, 2);
        chain.append(plain(&Record { revision: 3, ..long }), None).unwrap();
        assert_eq!(chain.append(plain(&record(4)), None).unwrap().seq, 4);
        assert_eq!(verify(&chain.links().unwrap()).unwrap().unwrap().seq, 4);
    }
}
