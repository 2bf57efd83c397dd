//! A tar archive (ustar), as much of it as plain files need.

use std::io::{Result, Write};

const BLOCK: usize = 512;

/// Writes one file; `name` has at most a hundred bytes.
pub(super) fn entry(out: &mut impl Write, name: &str, bytes: &[u8], seconds: u64) -> Result<()> {
    out.write_all(&header(name, bytes.len(), seconds))?;
    out.write_all(bytes)?;
    let rest = bytes.len().next_multiple_of(BLOCK) - bytes.len();
    out.write_all(&[0; BLOCK][..rest])
}

/// Writes the end.
pub(super) fn end(out: &mut impl Write) -> Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

fn header(name: &str, size: usize, seconds: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, room: usize, text: &str| {
        let length = text.len().min(room);
        header[at..at + length].copy_from_slice(&text.as_bytes()[..length]);
    };
    put(0, 100, name);
    put(100, 8, "0000600");
    put(108, 8, "0000000");
    put(116, 8, "0000000");
    put(124, 12, &format!("{size:011o}"));
    put(136, 12, &format!("{seconds:011o}"));
    put(148, 8, "        ");
    put(156, 1, "0");
    put(257, 8, "ustar\u{0}00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let text = format!("{sum:06o}\u{0} ");
    header[148..156].copy_from_slice(text.as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        let long = vec![b'x'; 1_300];
        entry(&mut bytes, "a/short.txt", b"short", 1_700_000_000).unwrap();
        entry(&mut bytes, "a/empty", b"", 1_700_000_000).unwrap();
        entry(&mut bytes, "a/long", &long, 1_700_000_000).unwrap();
        end(&mut bytes).unwrap();
        let mut tar = Command::new("tar")
            .args(["xf", "-", "-C"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert!(tar.wait().unwrap().success());
        let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
        assert_eq!(
            (read("a/short.txt"), read("a/empty"), read("a/long")),
            (b"short".to_vec(), Vec::new(), long)
        );
    }
}
