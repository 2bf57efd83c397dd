//! Where a cluster may live and as whom it runs. PostgreSQL refuses root, and the account it drops to must reach its
//! folder; nothing outside that folder is ever given other rights.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::debian::root;
use crate::problem::{Context, Outcome, bail};
use crate::supervise::Account;

/// Whom PostgreSQL runs as: ourselves, unless we are root.
pub(super) fn account() -> Option<Account> {
    if !root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(Account { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody"))
}

/// A folder for cluster and socket: the wanted one, unless PostgreSQL's account cannot reach it or the socket's
/// path would be longer than the kernel allows; then the other one.
pub(crate) fn home_for(wanted: &Path, otherwise: &Path) -> Outcome<PathBuf> {
    let longest = wanted.join("pg/.s.PGSQL.5432");
    let reachable =
        account().is_none_or(|account| wanted.parent().is_some_and(|parent| can_enter(account, parent)));
    let home = if reachable && longest.as_os_str().len() < 100 { wanted } else { otherwise };
    let made = fs::DirBuilder::new().mode(0o711).recursive(home == wanted).create(home);
    if let Err(error) = made {
        let metadata = fs::symlink_metadata(home);
        // A folder of that name in a shared temporary folder is only used if it is really ours.
        if !metadata.is_ok_and(|found| found.is_dir() && found.uid() == own_uid()) {
            bail!("cannot make `{}`: {error}", home.display());
        }
    }
    Ok(home.to_owned())
}

pub(crate) fn own_uid() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid())
}

/// The innermost folder is the account's alone; everything outside it stays as it was.
pub(super) fn private_folder(folder: &Path, account: Option<Account>) -> Outcome {
    fs::create_dir_all(folder).context(|| format!("cannot make `{}`", folder.display()))?;
    if let Some(account) = account {
        chown(folder, Some(account.uid), Some(account.gid))
            .context(|| format!("cannot hand `{}` to PostgreSQL", folder.display()))?;
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))
        .context(|| format!("cannot make `{}` private", folder.display()))
}

/// Whether the account may pass through every folder on the way.
pub(super) fn can_enter(account: Account, folder: &Path) -> bool {
    folder.ancestors().all(|step| {
        let Ok(found) = fs::metadata(step) else { return !step.exists() };
        let bit = match (found.uid() == account.uid, found.gid() == account.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        found.mode() & bit != 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_enter_a_private_home() {
        let home = std::env::temp_dir().join(format!("xtask-home-{}", std::process::id()));
        fs::create_dir_all(home.join("inside")).unwrap();
        let stranger = Account { uid: 54321, gid: 54321 };
        fs::set_permissions(&home, Permissions::from_mode(0o711)).unwrap();
        assert!(can_enter(stranger, &home.join("inside")));
        fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
        assert!(!can_enter(stranger, &home.join("inside")));
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_given_up() {
        let temp = std::env::temp_dir();
        let short = temp.join(format!("xt-{}", std::process::id()));
        let home = home_for(&temp.join("x".repeat(120)), &short).unwrap();
        assert_eq!(home, short);
        fs::remove_dir(&short).unwrap();
    }
}
