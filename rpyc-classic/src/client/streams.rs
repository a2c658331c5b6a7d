//! Streams of this program as objects that the server's Python reads and writes.

use std::io::{self, BufRead, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rpyc_core::{Any, Exception, Value, expose};

use crate::threads::lock;

/// A writer that the server may use until it is closed.
pub(super) struct OutputStream(Mutex<Option<Box<dyn Write + Send>>>);

impl OutputStream {
    pub(super) fn new(writer: Box<dyn Write + Send>) -> OutputStream {
        OutputStream(Mutex::new(Some(writer)))
    }

    pub(super) fn close(&self) {
        let writer = lock(&self.0).take();
        drop(writer);
    }
}

#[expose(module = "rpyc_classic")]
impl OutputStream {
    /// Writes the bytes, and passes them on at once.
    #[exposed]
    fn write(&self, data: Any) -> Result<usize, Exception> {
        let data = match &data {
            Any::Value(Value::Bytes(bytes)) => &bytes[..],
            Any::Value(Value::Str(text)) => text.as_bytes(),
            other => {
                let kind = other.type_name();
                let message = format!("a stream takes bytes, not {kind}");
                return Err(Exception::type_error(message));
            }
        };
        let mut writer = lock(&self.0);
        let writer = writer.as_mut().ok_or_else(closed)?;
        writer.write_all(data).and_then(|()| writer.flush())?;
        Ok(data.len())
    }
}

/// Where an input comes from.
pub(super) enum Source {
    /// This process's stdin. What it has read ahead stays with it.
    Stdin,
    /// A reader.
    Reader(Box<dyn BufRead + Send>),
}

impl Source {
    fn read_line(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        match self {
            Source::Stdin => read_line(&mut io::stdin().lock(), limit),
            Source::Reader(reader) => read_line(reader, limit),
        }
    }
}

/// A reader that the server may use until it is closed.
pub(super) struct InputStream {
    source: Mutex<Option<Source>>,
    closed: AtomicBool,
}

impl InputStream {
    pub(super) fn new(source: Source) -> InputStream {
        InputStream {
            source: Mutex::new(Some(source)),
            closed: AtomicBool::new(false),
        }
    }

    /// Nothing is read from now on; it doesn't wait for a read that is under way.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Ok(mut source) = self.source.try_lock() {
            let source = source.take();
            drop(source);
        }
    }

    fn read_line(&self, limit: usize) -> Result<Vec<u8>, Exception> {
        let mut source = lock(&self.source);
        let open = source
            .as_mut()
            .filter(|_| !self.closed.load(Ordering::SeqCst));
        let line = open.ok_or_else(closed)?.read_line(limit)?;
        if self.closed.load(Ordering::SeqCst) {
            // What was typed after the server had lost the stream isn't for it.
            *source = None;
            return Err(closed());
        }
        Ok(line)
    }
}

#[expose(module = "rpyc_classic")]
impl InputStream {
    /// A line with its end, `limit` bytes of it at the most; nothing at the end of the input.
    #[exposed]
    fn readline(&self, #[default = -1] limit: i64) -> Result<Value, Exception> {
        let limit = usize::try_from(limit).map_or(MAX_LINE, |limit| limit.min(MAX_LINE));
        self.read_line(limit).map(Value::from)
    }
}

fn read_line(reader: &mut dyn BufRead, limit: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < limit {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let buffer = &buffer[..buffer.len().min(limit - line.len())];
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(buffer.len(), |end| end + 1);
        line.extend_from_slice(&buffer[..taken]);
        reader.consume(taken);
        if end.is_some() || taken == 0 {
            break;
        }
    }
    Ok(line)
}

fn closed() -> Exception {
    Exception::value_error("I/O operation on closed file: the client has taken its stream back")
}

/// A longer line comes in parts; it stops a server from filling this program's memory with an
/// input that has no lines.
const MAX_LINE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_with_its_end_and_not_longer_than_asked_for() {
        let mut input: &[u8] = b"one\n\ntwo";
        for (limit, line) in [(10, "one\n"), (10, "\n"), (2, "tw"), (2, "o"), (2, "")] {
            let read = read_line(&mut input, limit).expect("no error in memory");
            assert_eq!(String::from_utf8_lossy(&read), line);
        }
    }
}
