//! Where things are: the checkout, the target folder, the logs, the demo's own folder. The first thing every
//! command makes; nothing is created here but folders.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::problem::{Context, Outcome};

/// The checkout, and the folders inside it that xtask writes to.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the checkout that this xtask was started from.
    pub(crate) fn find() -> Outcome<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = PathBuf::from(manifest).join("..");
        let root = fs::canonicalize(&root)
            .context(|| format!("cannot find the checkout at `{}`", root.display()))?;
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// A path inside the checkout.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The checkout itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A binary of the dev profile, built or not.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// The folder of virtual environments; always in the checkout, because tests look for it there.
    pub(crate) fn python(&self, name: &str) -> PathBuf {
        self.root.join("target/python").join(name)
    }

    /// A log file under `target/logs`, its folder made.
    pub(crate) fn log(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.root.join("target/logs");
        fs::create_dir_all(&folder).context(|| format!("cannot make `{}`", folder.display()))?;
        Ok(folder.join(format!("{}.log", name.replace(['/', ' '], "-"))))
    }

    /// The path as a person at the root of the checkout would type it.
    pub(crate) fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}
