//! [`Target`]: where a file is written that comes from the server.

use std::fs::{self, File, OpenOptions};
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
    /// Devices, pipes and the like are written in place. A link is followed, as it was before.
    pub(super) fn of(local: &Path) -> Target {
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
        let path = self.written.clone();
        if kept > 0 {
            let opened = OpenOptions::new().write(true).open(&path);
            let mut file = opened.map_err(TransferError::local(&path, "opening"))?;
            let moved = file
                .set_len(kept)
                .and_then(|()| file.seek(SeekFrom::Start(kept)));
            moved.map_err(TransferError::local(&path, "seeking"))?;
            return Ok(file);
        }
        if let Some(folder) = path.parent() {
            let made = fs::create_dir_all(folder);
            made.map_err(TransferError::local(folder, "making the directory"))?;
        }
        let created = match (File::create(&path), &self.whole) {
            // A file may be writable in a folder that isn't.
            (Err(error), Some(whole))
                if error.kind() == io::ErrorKind::PermissionDenied && whole.exists() =>
            {
                *self = Target::in_place(&whole.clone());
                File::create(&self.written)
            }
            (created, _) => created,
        };
        created.map_err(TransferError::local(&self.written, "creating"))
    }

    /// It is whole.
    pub(super) fn finish(self) -> Result<(), TransferError> {
        let Some(whole) = self.whole else {
            return Ok(());
        };
        let kept = match fs::metadata(&whole) {
            Ok(before) => fs::set_permissions(&self.written, before.permissions()),
            Err(_) => Ok(()),
        };
        let named = kept.and_then(|()| fs::rename(&self.written, &whole));
        named.map_err(TransferError::local(&whole, "renaming"))
    }
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
