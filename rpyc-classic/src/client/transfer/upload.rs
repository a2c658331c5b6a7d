//! Files from here to the server.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rpyc_core::object::Netref;
use rpyc_core::{AsyncResult, args};

use super::target::is_part;
use super::{
    CHUNK, Kind, Phase, Transfer, TransferError, Transferred, WINDOW, bytes, bytes_of, enter,
    identity,
};

impl Transfer<'_> {
    /// Copies a file or a directory to the server. A directory that is there is filled up; the
    /// directories above it are made.
    ///
    /// A file has its name once it is whole, with the owner and the permissions of the one that it
    /// replaces; links are followed. Until then it is `.NAME.rpyc-part` beside that, which stays where the
    /// connection is lost, for [`resume`](Self::resume) to go on with. What has that name and is no file, a
    /// link included, is an error. Of several uploads to one name at the same time the last to end has it, whole
    /// (one part is written by all of them at a server on Windows). Files of such names aren't copied with a directory. What can't be replaced so is written in place: a device,
    /// a file that is mounted or of another owner, or in a folder that the server may not add to.
    ///
    /// # Errors
    /// Every kind of [`TransferError`].
    pub fn upload(
        mut self,
        local: impl AsRef<Path>,
        remote: &str,
    ) -> Result<Transferred, TransferError> {
        self.upload_any(local.as_ref(), remote.as_bytes())?;
        Ok(self.transferred)
    }

    /// Copies a Python package (a directory, or a file) to where the server imports from, or to
    /// the directory `remote`. What Python has compiled of it is left out.
    ///
    /// # Errors
    /// As [`upload`](Transfer::upload); [`TransferError::Connection`] with an OSError where the
    /// server has no directory for it.
    pub fn upload_package(
        mut self,
        local: impl AsRef<Path>,
        remote: Option<&str>,
    ) -> Result<Transferred, TransferError> {
        let local = local.as_ref();
        let name = local.file_name().map(name_bytes).transpose()?;
        let name = name.ok_or_else(|| nothing_to_copy(local))?;
        let folder = match remote {
            Some(folder) => folder.as_bytes().to_vec(),
            None => self.ask_bytes("site_packages", args![])?,
        };
        let target = self.ask_bytes("join", args![bytes(&folder), bytes(&name)])?;
        let mut wanted = self.filter.take();
        self.filter = Some(Box::new(move |path| {
            let compiled = path.extension().is_some_and(|extension| extension == "pyc")
                || path.file_name().is_some_and(|name| name == "__pycache__");
            !compiled && wanted.as_mut().is_none_or(|wanted| wanted(path))
        }));
        self.upload_any(local, &target)?;
        Ok(self.transferred)
    }

    fn upload_any(&mut self, local: &Path, remote: &[u8]) -> Result<(), TransferError> {
        let found = fs::metadata(local).map_err(TransferError::local(local, "looking for it"))?;
        if found.is_dir() {
            self.upload_directory(local, remote, &mut Vec::new())
        } else if found.is_file() {
            self.upload_file(local, remote)
        } else {
            Err(nothing_to_copy(local))
        }
    }

    /// `above` are the directories that this one is in, by their real paths.
    fn upload_directory(
        &mut self,
        local: &Path,
        remote: &[u8],
        above: &mut Vec<PathBuf>,
    ) -> Result<(), TransferError> {
        let real = local.canonicalize();
        let real = real.map_err(TransferError::local(local, "looking for it"))?;
        if !enter(above, real)? {
            return Ok(());
        }
        self.connection
            .helper("make_dirs")?
            .call(args![bytes(remote)])?;
        let listed = fs::read_dir(local).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = listed.map_err(TransferError::local(local, "listing"))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let name = name_bytes(&entry.file_name())?;
            if is_part(&name) || !self.is_wanted(&path) {
                continue;
            }
            let found = match fs::metadata(&path) {
                Ok(found) => found,
                // A link to nowhere, or to itself.
                Err(error)
                    if path.is_symlink()
                        && error.kind() != std::io::ErrorKind::PermissionDenied =>
                {
                    continue;
                }
                // It has gone since it was listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(TransferError::local(&path, "looking for it")(error)),
            };
            let target = self.ask_bytes("join", args![bytes(remote), bytes(&name)])?;
            if found.is_dir() {
                self.upload_directory(&path, &target, above)?;
            } else if found.is_file() {
                self.upload_file(&path, &target)?;
            }
        }
        above.pop();
        Ok(())
    }

    fn upload_file(&mut self, local: &Path, remote: &[u8]) -> Result<(), TransferError> {
        let mut file = File::open(local).map_err(TransferError::local(local, "opening"))?;
        let size = file
            .metadata()
            .map_err(TransferError::local(local, "looking for it"))?;
        let size = size.len();
        self.begin_file();
        let (place, kept) = self.kept_there(local, remote, size)?;
        let args = args![bytes(remote), kept, place == Place::Whole, identity(local)];
        let opened = self.connection.helper("open_part")?.call(args)?;
        let (target, keeps) = opened.extract::<(Netref, u64)>()?;
        let kept = kept.min(keeps);
        file.seek(SeekFrom::Start(kept))
            .map_err(TransferError::local(local, "seeking"))?;
        let finished = self
            .write_file(&mut file, &target, kept, local, size)
            .and_then(|position| {
                target.call_method("finish", args![])?;
                Ok(position)
            });
        let position = match finished {
            Ok(position) => position,
            Err(error) => {
                // A part is for the next one to go on with where the connection was lost, and for nobody elsewhere.
                if !matches!(&error, TransferError::Connection(lost) if lost.as_remote().is_none())
                {
                    let _ = target.call_method("discard", args![]);
                }
                return Err(error);
            }
        };
        self.transferred.files += 1;
        self.transferred.bytes += position - kept;
        self.transferred.kept += kept;
        Ok(())
    }

    /// Sends the file from its position `kept` on, and verifies it if need be; its length.
    fn write_file(
        &mut self,
        file: &mut File,
        target: &Netref,
        kept: u64,
        local: &Path,
        size: u64,
    ) -> Result<u64, TransferError> {
        let patience = self.connection.connection().config().sync_request_timeout;
        let mut under_way: VecDeque<AsyncResult> = VecDeque::new();
        let mut position = kept;
        self.begin(local, Phase::Copy, kept, size, self.to_verify(size));
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = (&mut *file).take(CHUNK as u64).read_to_end(&mut chunk);
            let read = read.map_err(TransferError::local(local, "reading"))?;
            let over = read == 0;
            while under_way.len() >= WINDOW || (over && !under_way.is_empty()) {
                let Some(oldest) = under_way.pop_front() else {
                    break;
                };
                oldest.set_expiry(patience);
                oldest.value()?;
            }
            if over {
                break;
            }
            under_way.push_back(target.async_call_method("write", args![bytes(&chunk)])?);
            position += read as u64;
            self.tell(local, position);
        }
        self.step.size = position;
        self.tell(local, position);
        if self.verify {
            let written = bytes_of(target.call_method("flush", args![])?)?;
            self.check(local, &written, position)?;
        }
        Ok(position)
    }

    /// How much of the file is at the server already and may stay, and where.
    fn kept_there(
        &mut self,
        local: &Path,
        remote: &[u8],
        size: u64,
    ) -> Result<(Place, u64), TransferError> {
        if !self.resume {
            return Ok((Place::Part, 0));
        }
        let part = self.ask_bytes("part_to_resume", args![bytes(remote)])?;
        for (place, path) in [(Place::Part, &part[..]), (Place::Whole, remote)] {
            let (kind, there) = self.remote_kind(path)?;
            let usable = kind == Kind::File && there > 0 && there <= size;
            let ahead = size.saturating_sub(there) + self.to_verify(size);
            if !usable {
                continue;
            }
            match self.is_same(local, path, there, ahead) {
                Ok(true) => return Ok((place, there)),
                // Another upload has given the part its name.
                Err(error) if !is_missing(&error) => return Err(error),
                _ => {}
            }
        }
        Ok((Place::Part, 0))
    }
}

/// What of a file is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Its part, beside it: the file has its name once it is whole.
    Part,
    /// What has the name already, whole or not: it grows in place.
    Whole,
}

fn is_missing(error: &TransferError) -> bool {
    let raised = error.as_remote();
    raised.is_some_and(|raised| raised.is("FileNotFoundError"))
}

fn nothing_to_copy(local: &Path) -> TransferError {
    TransferError::NothingToCopy(local.display().to_string())
}

#[cfg(unix)]
fn name_bytes(name: &std::ffi::OsStr) -> Result<Vec<u8>, TransferError> {
    use std::os::unix::ffi::OsStrExt;
    Ok(name.as_bytes().to_vec())
}

#[cfg(not(unix))]
fn name_bytes(name: &std::ffi::OsStr) -> Result<Vec<u8>, TransferError> {
    match name.to_str() {
        Some(name) => Ok(name.as_bytes().to_vec()),
        None => Err(TransferError::Name(name.to_string_lossy().into_owned())),
    }
}
