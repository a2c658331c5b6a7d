//! Files and directories, to the server and from it: [`Transfer`].

mod digest;
mod download;
mod error;
mod target;
mod upload;

use std::fmt;
use std::path::Path;

use rpyc_core::{Any, Args, Error, Value, args};

pub use self::error::TransferError;
use super::ClassicConnection;

/// Copies files and directories to the server and from it.
///
/// A directory is copied with everything in it; what is neither file nor directory is left out, and
/// links are followed, but for those to a directory that they are in. Files that exist are
/// overwritten, but for the very file that is copied.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rpyc_classic::Transfer;
/// let conn = rpyc_classic::connect("localhost:18812")?;
/// let done = Transfer::new(&conn)
///     .verify(true)
///     .on_progress(|progress| eprintln!("{progress:?}"))
///     .upload("here", "/tmp/there")?;
/// println!("{} files, {} bytes", done.files, done.bytes);
/// # Ok(())
/// # }
/// ```
#[must_use = "it copies when `upload` or `download` is called"]
pub struct Transfer<'a> {
    connection: &'a ClassicConnection,
    progress: Option<OnProgress<'a>>,
    filter: Option<Filter<'a>>,
    verify: bool,
    resume: bool,
    max_bytes: Option<u64>,
    max_entries: u64,
    entries: u64,
    /// Bytes of a download that were not announced, over all of its files.
    excess: u64,
    step: Step,
    transferred: Transferred,
}

/// A phase of a file, for the progress.
#[derive(Default)]
struct Step {
    phase: Phase,
    /// The position that it begins at.
    from: u64,
    size: u64,
    /// Bytes done in the phases before it, and in it, too.
    before: u64,
    done: u64,
    /// Bytes of the phases behind it.
    ahead: u64,
}

type OnProgress<'a> = Box<dyn FnMut(Progress<'_>) + 'a>;

type Filter<'a> = Box<dyn FnMut(&Path) -> bool + 'a>;

/// How far a transfer is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The file, as it is called on this side.
    pub file: &'a Path,
    /// What is being done with it.
    pub phase: Phase,
    /// How many bytes of it are done in this phase.
    pub position: u64,
    /// How many there are, as far as it is known.
    pub size: u64,
    /// How many bytes are done in all phases of the file: it only grows until the next file, so
    /// that one bar can show it.
    pub done: u64,
    /// How many there will be, as far as it is known: a verified copy of a file has twice its size.
    pub total: u64,
    /// What has been done before this file.
    pub before: Transferred,
}

/// What is being done with a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Its bytes are compared: with what is there already, or at the end.
    Compare,
    /// Its bytes are sent.
    #[default]
    Copy,
}

/// What a transfer has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transferred {
    /// Files that are complete.
    pub files: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Bytes that were there already, and were kept by [`Transfer::resume`].
    pub kept: u64,
}

impl<'a> Transfer<'a> {
    /// A transfer with every option at its default.
    pub fn new(connection: &'a ClassicConnection) -> Transfer<'a> {
        Transfer {
            connection,
            progress: None,
            filter: None,
            verify: false,
            resume: false,
            max_bytes: None,
            max_entries: 1_000_000,
            entries: 0,
            excess: 0,
            step: Step::default(),
            transferred: Transferred::default(),
        }
    }

    /// Called as the transfer gets on: for each file at its beginning and at its end, and a few times a
    /// megabyte.
    pub fn on_progress(mut self, callback: impl FnMut(Progress<'_>) + 'a) -> Transfer<'a> {
        self.progress = Some(Box::new(callback));
        self
    }

    /// Asked for each file and directory within a directory, by its path on the side that it comes
    /// from; what it says false to is left out.
    pub fn filter(mut self, filter: impl FnMut(&Path) -> bool + 'a) -> Transfer<'a> {
        self.filter = Some(Box::new(filter));
        self
    }

    /// Whether each file is read again on both sides when it has been copied, and compared by its
    /// SHA-256. Default: false.
    pub fn verify(mut self, on: bool) -> Transfer<'a> {
        self.verify = on;
        self
    }

    /// Whether the part of a file that is there already is kept: it is compared by its SHA-256, and
    /// what is missing is added. A file that differs is copied anew. Default: false.
    pub fn resume(mut self, on: bool) -> Transfer<'a> {
        self.resume = on;
        self
    }

    /// How many bytes a download may take, whatever the server announces; it stops a server whose
    /// files have no end from filling the disk. Default: of each file what the server announces
    /// before it is copied, and 4 MiB more in all, for files that grow meanwhile.
    pub fn max_bytes(mut self, limit: u64) -> Transfer<'a> {
        self.max_bytes = Some(limit);
        self
    }

    /// How many files and directories a download may take; it stops a server whose directories have
    /// no end. Default: 1,000,000.
    pub fn max_entries(mut self, limit: u64) -> Transfer<'a> {
        self.max_entries = limit;
        self
    }

    /// A file begins.
    fn begin_file(&mut self) {
        self.step = Step::default();
    }

    /// A phase of the file begins at the position `from` of `size`, with so many bytes to be done
    /// in those behind it.
    fn begin(&mut self, file: &Path, phase: Phase, from: u64, size: u64, ahead: u64) {
        let done = self.step.done;
        self.step = Step {
            phase,
            from,
            size,
            before: done,
            done,
            ahead,
        };
        self.tell(file, from);
    }

    fn tell(&mut self, file: &Path, position: u64) {
        let step = &mut self.step;
        // It may have grown.
        let size = step.size.max(position);
        step.done = step.before + (position - step.from);
        if let Some(callback) = &mut self.progress {
            callback(Progress {
                file,
                phase: step.phase,
                position,
                size,
                done: step.done,
                total: step.before + (size - step.from) + step.ahead,
                before: self.transferred,
            });
        }
    }

    /// What verifying a file of this size has to do.
    fn to_verify(&self, size: u64) -> u64 {
        if self.verify { size } else { 0 }
    }

    fn is_wanted(&mut self, path: &Path) -> bool {
        self.filter.as_mut().is_none_or(|filter| filter(path))
    }

    fn ask_bytes(&self, function: &str, args: Args) -> Result<Vec<u8>, Error> {
        let answer = self.connection.helper(function)?.call(args)?;
        bytes_of(answer)
    }

    /// What is at that path of the server's.
    fn remote_kind(&self, path: &[u8]) -> Result<(Kind, u64), Error> {
        let answer = self
            .connection
            .helper("kind_and_size")?
            .call(args![bytes(path)])?;
        let (kind, size) = answer.extract::<(String, u64)>()?;
        Ok((Kind::of(&kind), size))
    }
}

impl fmt::Debug for Transfer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("connection", &self.connection)
            .field("verify", &self.verify)
            .field("resume", &self.resume)
            .field("transferred", &self.transferred)
            .finish_non_exhaustive()
    }
}

impl ClassicConnection {
    /// Copies a file or a directory to the server; [`Transfer`] has the options.
    ///
    /// # Errors
    /// As [`Transfer::upload`].
    pub fn upload(
        &self,
        local: impl AsRef<Path>,
        remote: &str,
    ) -> Result<Transferred, TransferError> {
        Transfer::new(self).upload(local, remote)
    }

    /// Copies a file or a directory of the server's to here; [`Transfer`] has the options.
    ///
    /// # Errors
    /// As [`Transfer::download`].
    pub fn download(
        &self,
        remote: &str,
        local: impl AsRef<Path>,
    ) -> Result<Transferred, TransferError> {
        Transfer::new(self).download(remote, local)
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Other,
    Missing,
}

impl Kind {
    fn of(name: &str) -> Kind {
        match name {
            "file" => Kind::File,
            "dir" => Kind::Directory,
            "missing" => Kind::Missing,
            _ => Kind::Other,
        }
    }
}

/// What a file that is here is known by, for a server that is on the same machine: no file of
/// another one has the same inode that was changed at the same nanosecond.
#[cfg(unix)]
fn identity(path: &Path) -> Any {
    use std::os::unix::fs::MetadataExt;
    let Ok(found) = std::fs::metadata(path) else {
        return Any::from(Value::None);
    };
    let changed = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    let changed = i64::try_from(changed).unwrap_or_default();
    Any::tuple([
        Any::from(found.dev()),
        Any::from(found.ino()),
        Any::from(changed),
        Any::from(found.size()),
    ])
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Any {
    Any::from(Value::None)
}

/// Enters a directory, by its real path, below those `above`; false where it is one of them, which a link leads to.
fn enter<P: PartialEq>(above: &mut Vec<P>, real: P) -> Result<bool, TransferError> {
    if above.contains(&real) {
        return Ok(false);
    }
    if above.len() >= MAX_DEPTH {
        let what = "directories within each other";
        let limit = MAX_DEPTH as u64;
        return Err(TransferError::Limit { what, limit });
    }
    above.push(real);
    Ok(true)
}

fn bytes(path: &[u8]) -> Any {
    Any::from(Value::from(path.to_vec()))
}

fn bytes_of(answer: Any) -> Result<Vec<u8>, Error> {
    match answer {
        Any::Value(Value::Bytes(bytes)) => Ok(bytes.to_vec()),
        other => Err(Error::Protocol(format!(
            "a {} came instead of bytes",
            other.type_name()
        ))),
    }
}

/// How much is asked for or sent at once.
const CHUNK: usize = 256 << 10;

/// How many chunks are under way at the same time, so that a chunk needn't wait for a round trip.
const WINDOW: usize = 4;

/// Bytes of a download beyond those that were announced. Stops a server that announces ten bytes
/// and sends without end; a log that grows while it is copied has room.
const MAX_EXCESS: u64 = 4 << 20;

/// Directories within directories; it stops those that contain themselves.
const MAX_DEPTH: usize = 128;
