//! Files from the server to here.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use rpyc_core::{Any, AsyncResult, Error, Value, args};

use super::target::{Target, is_part};
use super::{
    CHUNK, Kind, MAX_EXCESS, Phase, Transfer, TransferError, Transferred, WINDOW, bytes, enter,
    identity,
};

impl Transfer<'_> {
    /// Copies a file or a directory of the server's to here. A directory that is here is filled
    /// up; the directories above it are made.
    ///
    /// Whatever the server says, nothing is written but `local` and what is in it; links that are
    /// there already are followed. A file has its name once it is whole: until then it is
    /// `.NAME.rpyc-part` beside that, which [`resume`](Self::resume) goes on with where the copying ended
    /// before; one that has several names is written in place. What has that name and is no file, a link included, is an error, and so is one that
    /// another download is writing. A server's own files of such names aren't copied.
    ///
    /// # Errors
    /// Every kind of [`TransferError`].
    pub fn download(
        mut self,
        remote: &str,
        local: impl AsRef<Path>,
    ) -> Result<Transferred, TransferError> {
        let local = local.as_ref();
        let path = remote.as_bytes();
        match self.remote_kind(path)? {
            (Kind::Directory, _) => self.download_directory(path, local, &mut Vec::new())?,
            (Kind::File, size) => self.download_file(path, local, size)?,
            (Kind::Other | Kind::Missing, _) => {
                return Err(TransferError::NothingToCopy(remote.to_owned()));
            }
        }
        Ok(self.transferred)
    }

    /// `above` are the directories that this one is in, by their real paths.
    fn download_directory(
        &mut self,
        remote: &[u8],
        local: &Path,
        above: &mut Vec<Vec<u8>>,
    ) -> Result<(), TransferError> {
        let real = self.ask_bytes("real_path", args![bytes(remote)])?;
        if !enter(above, real)? {
            return Ok(());
        }
        fs::create_dir_all(local).map_err(TransferError::local(local, "making the directory"))?;
        let entries = self
            .connection
            .helper("entries")?
            .call(args![bytes(remote)])?;
        for entry in entries.iter()? {
            let entry = Entry::of(entry?)?;
            self.count_entry()?;
            let path = local.join(local_name(&entry.name)?);
            if is_part(&entry.name)
                || !self.is_wanted(Path::new(&*String::from_utf8_lossy(&entry.path)))
            {
                continue;
            }
            match entry.kind {
                Kind::Directory => self.download_directory(&entry.path, &path, above)?,
                Kind::File => self.download_file(&entry.path, &path, entry.size)?,
                Kind::Other | Kind::Missing => {}
            }
        }
        above.pop();
        Ok(())
    }

    fn count_entry(&mut self) -> Result<(), TransferError> {
        self.entries += 1;
        if self.entries > self.max_entries {
            return Err(TransferError::Limit {
                what: "files and directories",
                limit: self.max_entries,
            });
        }
        Ok(())
    }

    fn download_file(
        &mut self,
        remote: &[u8],
        local: &Path,
        size: u64,
    ) -> Result<(), TransferError> {
        self.begin_file();
        let (mut target, kept) = self.target(remote, local, size)?;
        let args = args![bytes(remote), kept, identity(local)];
        let source = self.connection.helper("open_file")?.call(args)?;
        let source = source.netref()?;
        let mut file = target.open(kept)?;
        let patience = self.connection.connection().config().sync_request_timeout;
        let mut under_way: VecDeque<AsyncResult> = VecDeque::new();
        let mut position = kept;
        self.begin(local, Phase::Copy, kept, size, self.to_verify(size));
        loop {
            while under_way.len() < WINDOW {
                under_way.push_back(source.async_call_method("read", args![CHUNK])?);
            }
            let Some(oldest) = under_way.pop_front() else {
                break;
            };
            oldest.set_expiry(patience);
            let chunk = super::bytes_of(oldest.value()?)?;
            if chunk.is_empty() {
                break;
            }
            if chunk.len() > CHUNK {
                let error = "a file gave more bytes than were asked for".to_owned();
                return Err(Error::Protocol(error).into());
            }
            position += chunk.len() as u64;
            self.check_length(local, size, kept, position)?;
            file.write_all(&chunk)
                .map_err(TransferError::local(local, "writing"))?;
            self.tell(local, position);
        }
        file.flush()
            .map_err(TransferError::local(local, "writing"))?;
        drop(under_way);
        source.call_method("close", args![])?;
        self.step.size = position;
        self.tell(local, position);
        if self.verify {
            self.check(target.path(), remote, position)?;
        }
        target.finish(&file)?;
        self.excess += position.saturating_sub(size);
        self.transferred.files += 1;
        self.transferred.bytes += position - kept;
        self.transferred.kept += kept;
        Ok(())
    }

    /// Fails when the file is longer than it may be, before what is too much is written.
    fn check_length(
        &self,
        local: &Path,
        announced: u64,
        kept: u64,
        position: u64,
    ) -> Result<(), TransferError> {
        match self.max_bytes {
            Some(limit) if self.transferred.bytes + (position - kept) > limit => {
                let what = "bytes";
                Err(TransferError::Limit { what, limit })
            }
            None if self.excess + position.saturating_sub(announced) > MAX_EXCESS => {
                Err(TransferError::Longer {
                    path: local.to_path_buf(),
                    announced,
                    limit: announced.saturating_add(MAX_EXCESS - self.excess),
                })
            }
            _ => Ok(()),
        }
    }

    /// Where the file is written, and how much of it is there already and may stay.
    fn target(
        &mut self,
        remote: &[u8],
        local: &Path,
        size: u64,
    ) -> Result<(Target, u64), TransferError> {
        let target = Target::of(local);
        let kept = self.kept_here(remote, target.path(), size)?;
        if kept > 0 {
            return Ok((target, kept));
        }
        // What has the name already, whole or not, grows in place.
        match self.kept_here(remote, local, size)? {
            0 => Ok((target, 0)),
            kept => Ok((Target::in_place(local), kept)),
        }
    }

    /// How much of the file is here already and may stay.
    fn kept_here(&mut self, remote: &[u8], local: &Path, size: u64) -> Result<u64, TransferError> {
        if !self.resume {
            return Ok(0);
        }
        let here = match fs::metadata(local) {
            Ok(found) if found.is_file() => found.len(),
            _ => return Ok(0),
        };
        let ahead = size.saturating_sub(here) + self.to_verify(size);
        Ok(
            if here <= size && self.is_same(local, remote, here, ahead)? {
                here
            } else {
                0
            },
        )
    }
}

/// What the server says of something in a directory.
struct Entry {
    name: Vec<u8>,
    path: Vec<u8>,
    kind: Kind,
    size: u64,
}

impl Entry {
    fn of(answer: Any) -> Result<Entry, Error> {
        let (name, path, kind, size) = answer.extract::<(Value, Value, String, u64)>()?;
        Ok(Entry {
            name: super::bytes_of(Any::Value(name))?,
            path: super::bytes_of(Any::Value(path))?,
            kind: Kind::of(&kind),
            size,
        })
    }
}

/// The name of a file in a directory, and nothing that leads elsewhere.
fn local_name(name: &[u8]) -> Result<PathBuf, TransferError> {
    let refused = || TransferError::Name(String::from_utf8_lossy(name).into_owned());
    let path = path_of(name).ok_or_else(refused)?;
    let mut components = path.components();
    let only = (components.next(), components.next());
    let plain = matches!(only, (Some(Component::Normal(part)), None) if part == path.as_os_str());
    if !plain || name.contains(&0) {
        return Err(refused());
    }
    Ok(path)
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(name)))
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(name).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_within_the_directory_is_taken() {
        for name in ["a", "a b", "...", ".hidden", "ä", "-rf"] {
            assert!(local_name(name.as_bytes()).is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "/",
            "/etc/passwd",
            "../x",
            "a/b",
            "a/",
            "a\0b",
            "./a",
        ] {
            assert!(local_name(name.as_bytes()).is_err(), "{name}");
        }
    }
}
