//! [`Target`]: where a file is written that comes from the server.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::TransferError;

/// A file that has its name once it is whole. Until then it is beside that, under a
/// [name of its own](part_of), which stays where the copying ends before: for the next one to go on with.
#[derive(Debug)]
pub(super) struct Target {
    written: PathBuf,
    // What it is called when it is whole, unless it is written in place.
    whole: Option<PathBuf>,
}

impl Target {
    /// Devices, pipes and the like are written in place. Links are followed: what one leads to that isn't there
    /// is made in place.
    pub(super) fn of(local: &Path) -> Target {
        if local.is_symlink() && !local.exists() {
            return Target::in_place(local);
        }
        let whole = fs::canonicalize(local).unwrap_or_else(|_| local.to_path_buf());
        let is_other = fs::metadata(&whole).is_ok_and(|found| !found.is_file());
        match part_of(&whole).filter(|_| !is_other) {
            Some(written) => Target {
                written,
                whole: Some(whole),
            },
            None => Target::in_place(local),
        }
    }

    pub(super) fn in_place(local: &Path) -> Target {
        Target {
            written: local.to_path_buf(),
            whole: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.written
    }

    /// Opens it behind its first `kept` bytes; what follows them is gone.
    pub(super) fn open(&mut self, kept: u64) -> Result<File, TransferError> {
        if kept == 0
            && let Some(folder) = self.written.parent()
        {
            let made = fs::create_dir_all(folder);
            made.map_err(TransferError::local(folder, "making the directory"))?;
        }
        let mut file = match (self.opened(kept), &self.whole) {
            // A file may be writable in a folder that isn't.
            (Err(error), Some(whole))
                if kept == 0
                    && error.kind() == io::ErrorKind::PermissionDenied
                    && whole.exists() =>
            {
                *self = Target::in_place(&whole.clone());
                self.opened(kept)
            }
            (opened, _) => opened,
        }
        .map_err(TransferError::local(&self.written, "opening"))?;
        if kept > 0 || self.whole.is_some() {
            let moved = file
                .set_len(kept)
                .and_then(|()| file.seek(SeekFrom::Start(kept)));
            moved.map_err(TransferError::local(&self.written, "seeking"))?;
        }
        Ok(file)
    }

    fn opened(&self, kept: u64) -> io::Result<File> {
        let Some(whole) = &self.whole else {
            return match kept {
                0 => File::create(&self.written),
                _ => OpenOptions::new().write(true).open(&self.written),
            };
        };
        let part = open_part(&self.written, kept == 0)?;
        // Who may not read the file that is replaced may not read its part either.
        if let Ok(before) = fs::metadata(whole) {
            part.set_permissions(writable(before.permissions()))?;
        }
        Ok(part)
    }

    /// `file`, which is this one, is whole.
    pub(super) fn finish(self, file: &File) -> Result<(), TransferError> {
        let Some(whole) = self.whole else {
            return Ok(());
        };
        let kept = match fs::metadata(&whole) {
            Ok(before) => file.set_permissions(before.permissions()),
            Err(_) => Ok(()),
        };
        let named = kept.and_then(|()| fs::rename(&self.written, &whole));
        named.map_err(TransferError::local(&whole, "renaming"))
    }
}

/// Opens a part, which is nobody else's until it is closed. Neither is a link followed, which
/// somebody may have put there, nor a pipe waited for.
#[cfg(unix)]
fn open_part(path: &Path, may_create: bool) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let mut options = OpenOptions::new();
    options.write(true).create(may_create).truncate(false);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    for _ in 0..TRIES {
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(io::Error::other(NO_FILE));
        }
        let file = options.open(path)?;
        let opened = file.metadata()?;
        if !opened.is_file() {
            return Err(io::Error::other(NO_FILE));
        }
        if opened.nlink() > 1 {
            return Err(io::Error::other(OTHERS));
        }
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, BUSY));
        }
        // Whoever had the lock may have given the file its name meanwhile.
        let named = fs::symlink_metadata(path);
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino())) {
            return Ok(file);
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, BUSY))
}

#[cfg(not(unix))]
fn open_part(path: &Path, may_create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(may_create);
    options.truncate(false).open(path)
}

#[cfg(unix)]
fn writable(mut permissions: Permissions) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    permissions.set_mode(permissions.mode() | 0o200);
    permissions
}

#[cfg(not(unix))]
fn writable(mut permissions: Permissions) -> Permissions {
    permissions.set_readonly(false);
    permissions
}

/// The name beside a file's own under which it is written: `.NAME.rpyc-part`, where a long name has
/// its beginning alone.
fn part_of(whole: &Path) -> Option<PathBuf> {
    let name = whole.file_name()?.to_string_lossy();
    let end = name.floor_char_boundary(MAX_NAME);
    Some(whole.with_file_name(format!(".{}{PART}", &name[..end])))
}

/// Whether a file of this name isn't whole.
pub(super) fn is_part(name: &[u8]) -> bool {
    name.starts_with(b".") && name.ends_with(PART.as_bytes())
}

#[cfg(unix)]
const NO_FILE: &str = "what has this name is no file: remove it, or copy to another place";
#[cfg(unix)]
const OTHERS: &str = "others have what has this name: remove it, or copy to another place";
#[cfg(unix)]
const BUSY: &str = "another download is writing it";
/// How often a part is opened anew that others gave its name, or removed.
#[cfg(unix)]
const TRIES: usize = 16;
const PART: &str = ".rpyc-part";
/// Bytes of a name that are taken: most file systems have no more than 255.
const MAX_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_beside_its_file_and_its_name_fits() {
        let part = part_of(Path::new("/a/b.txt")).expect("a name");
        assert_eq!(part, Path::new("/a/.b.txt.rpyc-part"));
        for long in ["x".repeat(255), "ä".repeat(127)] {
            let part = part_of(&Path::new("/a").join(long)).expect("a name");
            let name = part.file_name().expect("a name");
            assert!(name.len() <= 255, "{name:?}");
            assert!(is_part(name.as_encoded_bytes()));
        }
        assert!(part_of(Path::new("/")).is_none() && part_of(Path::new("..")).is_none());
        assert!(!is_part(b"x.rpyc-part") && !is_part(b".x"));
    }
}
