//! [`Target`]: where a file is written that comes from the server.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

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
    /// Devices, pipes and the like are written in place, and so is a file that has other names, which are to stay
    /// its names. Links are followed: what one leads to that isn't there is made in place.
    pub(super) fn of(local: &Path) -> Target {
        if local.is_symlink() && !local.exists() {
            return Target::in_place(local);
        }
        let whole = fs::canonicalize(local).unwrap_or_else(|_| local.to_path_buf());
        let stays =
            fs::metadata(&whole).is_ok_and(|found| !found.is_file() || has_other_names(&found));
        match part_of(&whole).filter(|_| !stays) {
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
        let before = fs::metadata(whole).ok();
        let part = open_part(&self.written, kept == 0, before.as_ref())?;
        if let Some(before) = before {
            let kept = keep_owner(&part, &before);
            kept.inspect_err(|_| drop(fs::remove_file(&self.written)))?;
        }
        Ok(part)
    }

    /// `file`, which is this one, is whole.
    pub(super) fn finish(self, file: &File) -> Result<(), TransferError> {
        let Some(whole) = self.whole else {
            return Ok(());
        };
        let kept = match fs::metadata(&whole) {
            Ok(before) => keep_permissions(file, &before),
            Err(_) => Ok(()),
        };
        let named = kept.and_then(|()| fs::rename(&self.written, &whole));
        named.map_err(TransferError::local(&whole, "renaming"))
    }
}

/// Opens a part, which is nobody else's until it is closed. Neither is a link followed, which
/// somebody may have put there, nor a pipe waited for. One that replaces a file is its owner's alone.
#[cfg(unix)]
fn open_part(path: &Path, may_create: bool, before: Option<&Metadata>) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let mut options = OpenOptions::new();
    options.write(true).create(may_create).truncate(false);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options.mode(before.map_or(0o666, |_| 0o600));
    for _ in 0..TRIES {
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(io::Error::other(NO_FILE));
        }
        let file = options.open(path)?;
        let opened = file.metadata()?;
        if !opened.is_file() {
            return Err(io::Error::other(NO_FILE));
        }
        let is_own = opened.uid() == rustix::process::geteuid().as_raw();
        // An earlier copy may have given it to the owner of the file, who will have what it gets.
        let is_owners = before.is_some_and(|before| before.uid() == opened.uid());
        if opened.nlink() > 1 || !(is_own || is_owners) {
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
fn open_part(path: &Path, may_create: bool, _: Option<&Metadata>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(may_create);
    options.truncate(false).open(path)
}

#[cfg(unix)]
fn has_other_names(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(found) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

/// Gives a part to the owner of the file that it replaces, and to nobody else: who may not read that file
/// may not read its part either.
#[cfg(unix)]
fn keep_owner(part: &File, before: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let found = part.metadata()?;
    if (found.uid(), found.gid()) != (before.uid(), before.gid()) {
        fchown(part, Some(before.uid()), Some(before.gid()))?;
    }
    part.set_permissions(PermissionsExt::from_mode(before.mode() & 0o700 | 0o200))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Gives a file the permissions of the one that it replaces. It doesn't run as its owner any more.
#[cfg(unix)]
fn keep_permissions(file: &File, before: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = before.permissions().mode() & 0o777;
    file.set_permissions(PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_permissions(file: &File, before: &Metadata) -> io::Result<()> {
    file.set_permissions(before.permissions())
}

/// The name beside a file's own under which it is written: `.NAME.rpyc-part`, where a long name has
/// its beginning and a hash of the whole.
fn part_of(whole: &Path) -> Option<PathBuf> {
    let name = whole.file_name()?;
    let mut part = OsString::from(".");
    if name.len() <= MAX_NAME {
        part.push(name);
    } else {
        let text = name.to_string_lossy();
        let hash = Sha256::digest(name.as_encoded_bytes());
        part.push(&text[..text.floor_char_boundary(MAX_NAME)]);
        part.push(format!(
            "-{:08x}",
            u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
        ));
    }
    part.push(PART);
    Some(whole.with_file_name(part))
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
/// Bytes of a name that are taken whole: most file systems have no more than 255.
const MAX_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn names_without_utf_8_have_a_part_each() {
        use std::os::unix::ffi::OsStringExt;
        let part = |byte| part_of(&PathBuf::from(OsString::from_vec(vec![b'x', byte])));
        assert_ne!(part(0xfe), part(0xff));
    }

    #[test]
    fn a_part_is_beside_its_file_and_its_name_fits() {
        let part = part_of(Path::new("/a/b.txt")).expect("a name");
        assert_eq!(part, Path::new("/a/.b.txt.rpyc-part"));
        for long in ["x".repeat(254), "ä".repeat(127)] {
            let part = part_of(&Path::new("/a").join(&long)).expect("a name");
            let name = part.file_name().expect("a name");
            assert!(name.len() <= 255, "{name:?}");
            assert!(is_part(name.as_encoded_bytes()));
            let other = part_of(&Path::new("/a").join(long + "y"));
            assert_ne!(other, Some(part));
        }
        assert!(part_of(Path::new("/")).is_none() && part_of(Path::new("..")).is_none());
        assert!(!is_part(b"x.rpyc-part") && !is_part(b".x"));
    }
}
