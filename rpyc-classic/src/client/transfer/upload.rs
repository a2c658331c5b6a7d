//! Files from here to the server.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rpyc_core::{AsyncResult, args};

use super::{CHUNK, Kind, Phase, Transfer, TransferError, Transferred, WINDOW, bytes, enter};

impl Transfer<'_> {
    /// Copies a file or a directory to the server. A directory that is there is filled up; the
    /// directories above it are made.
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
            if !self.is_wanted(&path) {
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
            let name = name_bytes(&entry.file_name())?;
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
        let kept = self.kept_there(local, remote, size)?;
        file.seek(SeekFrom::Start(kept))
            .map_err(TransferError::local(local, "seeking"))?;
        let mode = if kept == 0 { "wb" } else { "r+b" };
        let target = self.open_remote(remote, mode, kept, local)?;
        let patience = self.connection.connection().config().sync_request_timeout;
        let mut under_way: VecDeque<AsyncResult> = VecDeque::new();
        let mut position = kept;
        self.begin(local, Phase::Copy, kept, size, self.to_verify(size));
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk);
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
        target.call_method("close", args![])?;
        self.step.size = position;
        self.tell(local, position);
        if self.verify {
            self.check(local, remote, position)?;
        }
        self.transferred.files += 1;
        self.transferred.bytes += position - kept;
        self.transferred.kept += kept;
        Ok(())
    }

    /// How much of the file is at the server already and may stay.
    fn kept_there(&mut self, local: &Path, remote: &[u8], size: u64) -> Result<u64, TransferError> {
        if !self.resume {
            return Ok(0);
        }
        let (kind, there) = self.remote_kind(remote)?;
        let usable = kind == Kind::File && there <= size;
        let ahead = size.saturating_sub(there) + self.to_verify(size);
        Ok(if usable && self.is_same(local, remote, there, ahead)? {
            there
        } else {
            0
        })
    }
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
