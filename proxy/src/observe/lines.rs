//! Lines on their way to a file or a pipe: through a bounded queue, written by a thread of their own.
//!
//! Both logs use it. A disk that is full, a pipe that nobody reads or that was closed cost lines, which are counted;
//! never a request, and never the end of the process.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;

/// Bytes of lines that may wait for the disk.
const MOST_WAITING: usize = 4 * 1024 * 1024;
/// How long lines are gathered before they are written together.
const BATCH: Duration = Duration::from_millis(20);
/// How much memory is kept for the next batch.
const KEPT: usize = 256 * 1024;
/// How long the last lines may take at the end of the process.
const LAST_LINES: Duration = Duration::from_secs(2);
/// A pipe that takes nothing at the moment is asked again this often.
const PIPE_PAUSE: Duration = Duration::from_millis(5);
const PIPE_PAUSES: u32 = 100;

/// Takes lines. Dropping it writes what still waits, for a while.
#[derive(Debug)]
pub struct Lines {
    desk: Arc<Desk>,
    dropped: Counter,
    /// Disconnected when the thread is done.
    writing: Mutex<Receiver<()>>,
}

/// Where lines wait for the thread that writes them.
#[derive(Debug, Default)]
struct Desk {
    tray: Mutex<Tray>,
    news: Condvar,
}

/// All of it is written at once, and both buffers are used again: a line costs its bytes, and no allocation.
#[derive(Debug, Default)]
struct Tray {
    text: Vec<u8>,
    /// The thread waits to be told that there is something to do.
    asleep: bool,
    /// The file shall be opened again.
    reopen: bool,
    /// These are the last lines.
    end: bool,
    /// The thread has taken the last lines.
    closed: bool,
}

impl Desk {
    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is there, and wakes the thread if it sleeps: most lines come while it gathers.
    fn tell(&self, change: impl FnOnce(&mut Tray) -> bool) -> bool {
        let mut tray = self.tray();
        let done = change(&mut tray);
        let wake = std::mem::take(&mut tray.asleep);
        drop(tray);
        if wake {
            self.news.notify_one();
        }
        done
    }

    /// Waits for something to do; the lines come into `batch`.
    fn wait(&self, batch: &mut Vec<u8>) -> (bool, bool) {
        let mut tray = self.tray();
        while tray.text.is_empty() && !tray.reopen && !tray.end {
            tray.asleep = true;
            tray = self.news.wait(tray).unwrap_or_else(PoisonError::into_inner);
        }
        tray.asleep = false;
        tray.closed = tray.end;
        std::mem::swap(&mut tray.text, batch);
        (std::mem::take(&mut tray.reopen), tray.end)
    }
}

/// Where lines go.
#[derive(Debug)]
pub struct Output {
    file: File,
    path: Option<PathBuf>,
    /// The last line that was written is not complete.
    torn: bool,
}

impl Lines {
    /// Starts the thread; `dropped` counts lines that are lost.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn start(name: &str, output: Output, dropped: Counter) -> io::Result<Self> {
        let (alive, writing) = channel();
        let lost = dropped.clone();
        let desk = Arc::new(Desk::default());
        let theirs = Arc::clone(&desk);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            write_lines(&theirs, output, &lost);
            drop(alive);
        })?;
        Ok(Self { desk, dropped, writing: Mutex::new(writing) })
    }

    /// Adds a line, with its end. Never waits for a disk or a reader.
    pub fn send(&self, line: &[u8]) {
        let taken = self.desk.tell(|tray| {
            let fits = !tray.closed && tray.text.len() + line.len() <= MOST_WAITING;
            if fits {
                tray.text.extend_from_slice(line);
            }
            fits
        });
        if !taken {
            self.lost();
        }
    }

    /// Counts a line that could not even be made.
    pub fn lost(&self) {
        self.dropped.inc();
    }

    /// The number of lines lost so far.
    pub fn dropped(&self) -> &Counter {
        &self.dropped
    }

    /// Opens the file again, after it was renamed away.
    pub fn reopen(&self) {
        self.desk.tell(|tray| std::mem::replace(&mut tray.reopen, true));
    }

    /// Writes what waits; gives up after a while, because a pipe that nobody reads must not keep a process alive.
    pub fn finish(&self) {
        let deadline = Instant::now() + LAST_LINES;
        self.desk.tell(|tray| std::mem::replace(&mut tray.end, true));
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        while let Err(RecvTimeoutError::Timeout) = writing.recv_timeout(BATCH) {
            if Instant::now() >= deadline {
                return;
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Output {
    /// Appends to a file, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self { file, path: Some(path.to_owned()), torn: false })
    }

    /// Standard output.
    ///
    /// # Errors
    /// When the process has none.
    pub fn stdout() -> io::Result<Self> {
        Self::stream(&io::stdout())
    }

    /// Standard error.
    ///
    /// # Errors
    /// When the process has none.
    pub fn stderr() -> io::Result<Self> {
        Self::stream(&io::stderr())
    }

    /// A descriptor of our own: std's streams keep what they could not write, and would write it in the middle of
    /// something else.
    fn stream(stream: &impl AsFd) -> io::Result<Self> {
        let file = File::from(stream.as_fd().try_clone_to_owned()?);
        Ok(Self { file, path: None, torn: false })
    }

    /// Writes whole lines.
    ///
    /// # Errors
    /// With the number of lines that are lost.
    fn write(&mut self, batch: &[u8]) -> Result<(), (u64, io::Error)> {
        // Half a line from before must not run into the first of these.
        if self.torn && self.file.write_all(b"\n").is_ok() {
            self.torn = false;
        }
        let mut written = 0;
        let mut pauses = 0;
        while written < batch.len() {
            match self.file.write(&batch[written..]) {
                Ok(0) => return Err(self.failed(batch, written, ErrorKind::WriteZero.into())),
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && pauses < PIPE_PAUSES => {
                    pauses += 1;
                    thread::sleep(PIPE_PAUSE);
                }
                Err(error) => return Err(self.failed(batch, written, error)),
            }
        }
        Ok(())
    }

    fn failed(&mut self, batch: &[u8], written: usize, error: io::Error) -> (u64, io::Error) {
        if written > 0 {
            self.torn = batch[written - 1] != b'\n';
        }
        (batch[written..].iter().filter(|byte| **byte == b'\n').count() as u64, error)
    }

    fn reopen(&mut self) {
        let Some(path) = &self.path else { return };
        match Self::file(path) {
            Ok(opened) => *self = opened,
            Err(error) => tracing::error!(path = %path.display(), %error, "cannot open the log again"),
        }
    }
}

/// Sleeps until there is a line, then writes what comes in batches: waking this thread and calling the system for
/// every line would cost more than the rest of a request's bookkeeping.
fn write_lines(desk: &Desk, mut output: Output, lost: &Counter) {
    let mut batch = Vec::new();
    let mut troubled = false;
    loop {
        let (reopen, end) = desk.wait(&mut batch);
        if reopen {
            output.reopen();
        }
        write_batch(&mut output, &mut batch, &mut troubled, lost);
        if end {
            return;
        }
        if batch.capacity() > KEPT {
            batch = Vec::new();
        }
        thread::sleep(BATCH);
    }
}

/// Says once per trouble, not once per line, that lines are lost.
fn write_batch(output: &mut Output, batch: &mut Vec<u8>, troubled: &mut bool, lost: &Counter) {
    if batch.is_empty() {
        return;
    }
    match output.write(batch) {
        Ok(()) => *troubled = false,
        Err((lines, error)) => {
            lost.inc_by(lines);
            if !std::mem::replace(troubled, true) {
                tracing::error!(%error, "cannot write a log; its lines are lost and counted");
            }
        }
    }
    batch.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("ficus-lines-{name}-{}", std::process::id()))
    }

    #[test]
    fn lines_are_all_there_when_the_log_is_dropped() {
        let path = path("all");
        let lines = Lines::start("test", Output::file(&path).unwrap(), Counter::default()).unwrap();
        for number in 0..1_000 {
            lines.send(format!("{number}\n").as_bytes());
        }
        drop(lines);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count(), 1_000);
    }

    #[test]
    fn a_full_disk_costs_lines_which_are_counted() {
        let dropped = Counter::default();
        let lines =
            Lines::start("test", Output::file(Path::new("/dev/full")).unwrap(), dropped.clone()).unwrap();
        for _ in 0..10 {
            lines.send(b"line\n");
        }
        drop(lines);
        assert_eq!(dropped.get(), 10);
    }

    #[test]
    fn a_pipe_that_nobody_reads_blocks_nobody() {
        let (reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let dropped = Counter::default();
        let output = Output { file, path: None, torn: false };
        let lines = Lines::start("test", output, dropped.clone()).unwrap();
        for _ in 0..4 * MOST_WAITING / 200 {
            lines.send(&[b'x'; 200]);
        }
        assert!(dropped.get() > 0);
        drop(lines);
        drop(reader);
    }

    #[test]
    fn half_a_line_does_not_run_into_the_next() {
        let path = path("torn");
        let mut output = Output::file(&path).unwrap();
        output.file.write_all(b"half").unwrap();
        let (lines, _) = output.failed(b"half a line\nanother\n", 4, ErrorKind::StorageFull.into());
        output.write(b"whole\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((lines, text.as_str()), (2, "half\nwhole\n"));
    }
}
