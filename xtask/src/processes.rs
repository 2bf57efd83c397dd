//! Process groups as the kernel shows them: who is alive, since when, and how to end them. A record of what was
//! started (pid and start time) survives a kill -9 of xtask itself, so that the next run can tidy up without
//! ever hitting a stranger that was given the same pid. Starting and watching children is in `supervise`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::problem::{Context, Outcome};

/// A process that cannot be confused with a later one of the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number, which is also its group's, because every child gets a group of its own.
    pub(crate) pid: u32,
    /// Clock ticks between boot and its start.
    start: u64,
}

impl Process {
    /// The running process with this number.
    pub(crate) fn find(pid: u32) -> Option<Self> {
        let stat = Stat::read(pid)?;
        Some(Self { pid, start: stat.start })
    }

    /// This process.
    pub(crate) fn this() -> Option<Self> {
        Self::find(std::process::id())
    }

    /// Whether exactly this process still runs.
    pub(crate) fn alive(&self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.start == self.start && stat.state != 'Z')
    }

    /// Whether the process or anything it left behind in its group still runs.
    pub(crate) fn group_alive(&self) -> bool {
        // A number is not given out again while a group bears it: a leader with another start time means that
        // the group is gone.
        if Stat::read(self.pid).is_some_and(|stat| stat.start != self.start) {
            return false;
        }
        all_stats().any(|stat| stat.group == self.pid && stat.state != 'Z')
    }

    /// Processor time that the group's processes have used so far.
    pub(crate) fn group_cpu(&self) -> Duration {
        // The kernel counts in hundredths of a second, on every machine that Linux still runs on.
        Duration::from_millis(self.group().map(|stat| stat.ticks).sum::<u64>() * 10)
    }

    /// Memory that the group's processes have in RAM, in bytes; what they share is counted once for each.
    pub(crate) fn group_rss(&self) -> u64 {
        self.group().map(|stat| stat.pages).sum::<u64>() * 4_096
    }

    fn group(&self) -> impl Iterator<Item = Stat> {
        all_stats().filter(|stat| stat.group == self.pid)
    }

    /// Sends a signal (`TERM`, `INT`, `KILL`) to the whole group.
    pub(crate) fn signal_group(&self, signal: &str) {
        if self.group_alive() {
            send(signal, &format!("-{}", self.pid));
        }
    }

    /// Sends a signal to the process alone.
    pub(crate) fn signal(&self, signal: &str) {
        if self.alive() {
            send(signal, &self.pid.to_string());
        }
    }

    /// Ends a group that is not our child: politely, then not.
    pub(crate) fn end_group(&self, signal: &str, patience: Duration) {
        self.signal_group(signal);
        let deadline = Instant::now() + patience;
        while self.group_alive() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        self.signal_group("KILL");
    }
}

/// The shell's own `kill` is on every machine, and keeps this crate free of unsafe code and of a libc binding.
fn send(signal: &str, whom: &str) {
    // A process that ended meanwhile is what we want anyway.
    let _ =
        Command::new("/bin/sh").args(["-c", "kill -s \"$0\" -- \"$1\" 2>/dev/null", signal, whom]).status();
}

/// The fields of /proc/PID/stat that matter here.
struct Stat {
    state: char,
    group: u32,
    start: u64,
    ticks: u64,
    pages: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(line: &str) -> Option<Self> {
        // The name is in parentheses and may itself contain spaces and parentheses.
        let fields: Vec<&str> = line.get(line.rfind(')')? + 1..)?.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            state: fields.first()?.chars().next()?,
            group: fields.get(2)?.parse().ok()?,
            start: number(19)?,
            ticks: number(11)? + number(12)?,
            pages: number(21)?,
        })
    }
}

fn all_stats() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Stat::read(entry.file_name().to_str()?.parse().ok()?))
}

/// The file that remembers what was started: one line `NAME PID START` each, in the order of starting.
#[derive(Clone, Debug)]
pub(crate) struct Record(PathBuf);

impl Record {
    /// A record kept in this file, which need not exist.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Adds one process.
    pub(crate) fn add(&self, name: &str, process: &Process) -> Outcome {
        let line = format!("{name} {} {}\n", process.pid, process.start);
        let file = OpenOptions::new().create(true).append(true).open(&self.0);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .context(|| format!("cannot write `{}`", self.0.display()))
    }

    /// What was started, in order; lines that cannot be read are left out.
    pub(crate) fn entries(&self) -> Vec<(String, Process)> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let entry = |line: &str| {
            let mut words = line.split(' ');
            let name = words.next()?.to_owned();
            let pid = words.next()?.parse().ok()?;
            let start = words.next()?.parse().ok()?;
            Some((name, Process { pid, start }))
        };
        text.lines().filter_map(entry).collect()
    }

    /// Ends everything in the record that still runs, last started first, and forgets it; how many there were.
    pub(crate) fn clean_up(&self) -> usize {
        let mut ended = 0;
        for (name, process) in self.entries().iter().rev() {
            if process.group_alive() {
                ended += 1;
                let signal = if name == "postgres" { "INT" } else { "TERM" };
                process.end_group(signal, Duration::from_secs(5));
            }
        }
        self.forget();
        ended
    }

    /// Removes the file.
    pub(crate) fn forget(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    #[test]
    fn reads_a_stat_line_whose_name_has_a_parenthesis() {
        let line = "42 (a) b) S 1 40 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 9";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.state, stat.group, stat.start), ('S', 40, 98765));
        assert_eq!((stat.ticks, stat.pages), (11, 9));
    }

    #[test]
    fn a_reused_number_is_a_stranger() {
        let this = Process::this().unwrap();
        assert!(this.alive());
        let stranger = Process { pid: this.pid, start: this.start + 1 };
        assert!(!stranger.alive());
        assert!(!stranger.group_alive());
    }

    #[test]
    fn what_a_dead_leader_left_behind_is_ended() {
        let folder = std::env::temp_dir().join(format!("xtask-record-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let record = Record::at(folder.join("processes"));
        let script = ["-c", "sleep 600 & exec 1>&-; wait"];
        let mut leader = Command::new("/bin/sh").args(script).process_group(0).spawn().unwrap();
        let process = Process::find(leader.id()).unwrap();
        record.add("office", &process).unwrap();
        let members = || all_stats().filter(|stat| stat.group == process.pid && stat.state != 'Z').count();
        while members() < 2 {
            thread::yield_now();
        }
        leader.kill().unwrap();
        leader.wait().unwrap();
        assert!(process.group_alive());
        assert_eq!(record.clean_up(), 1);
        while process.group_alive() {
            thread::yield_now();
        }
        assert!(record.entries().is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }
}
