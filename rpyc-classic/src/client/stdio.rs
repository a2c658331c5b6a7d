//! The server's standard streams, redirected to this program's readers and writers.

use std::fmt;
use std::io::{self, BufRead, Write};

use rpyc_core::object::Netref;
use rpyc_core::{Any, Error, Exposed, args};

use super::ClassicConnection;
use super::streams::{InputStream, OutputStream, Source};

/// Readers and writers of this program for the server's `sys.stdin`, `sys.stdout` and
/// `sys.stderr`.
///
/// They are used on whatever thread serves the connection. A writer or reader must not itself use the
/// connection.
#[derive(Default)]
pub struct Stdio {
    stdin: Option<Source>,
    stdout: Option<Box<dyn Write + Send>>,
    stderr: Option<Box<dyn Write + Send>>,
    block_buffered: bool,
}

impl Stdio {
    /// None of the three: each that isn't set stays the server's own.
    pub fn new() -> Stdio {
        Stdio::default()
    }

    /// This process's own three.
    pub fn inherit() -> Stdio {
        let mut stdio = Stdio::new().stdout(io::stdout()).stderr(io::stderr());
        stdio.stdin = Some(Source::Stdin);
        stdio
    }

    /// What the server's code reads: by `input()`, and from `sys.stdin`.
    #[must_use]
    pub fn stdin(mut self, reader: impl BufRead + Send + 'static) -> Stdio {
        self.stdin = Some(Source::Reader(Box::new(reader)));
        self
    }

    /// Where what the server's code prints goes.
    #[must_use]
    pub fn stdout(mut self, writer: impl Write + Send + 'static) -> Stdio {
        self.stdout = Some(Box::new(writer));
        self
    }

    /// Where the server's code writes what isn't its output.
    #[must_use]
    pub fn stderr(mut self, writer: impl Write + Send + 'static) -> Stdio {
        self.stderr = Some(Box::new(writer));
        self
    }

    /// Whether `stdout` is sent in blocks of 8 KiB instead of by lines: less round trips for a
    /// program that prints much to where nobody watches. Default: false.
    #[must_use]
    pub fn block_buffered(mut self, on: bool) -> Stdio {
        self.block_buffered = on;
        self
    }

    /// Hands the streams to the server, which doesn't use them yet.
    pub(super) fn hand_over(self, to: &ClassicConnection) -> Result<HandedOver, Error> {
        let output = |writer| Exposed::new(OutputStream::new(writer));
        let streams = Streams {
            stdin: self
                .stdin
                .map(|source| Exposed::new(InputStream::new(source))),
            stdout: self.stdout.map(output),
            stderr: self.stderr.map(output),
        };
        let input = streams.stdin.as_ref().map(Exposed::object);
        let outputs = [&streams.stdout, &streams.stderr];
        let outputs = outputs.map(|output| output.as_ref().map(Exposed::object));
        let three = [input].into_iter().chain(outputs);
        let three = Any::tuple(three.map(|stream| stream.map_or(Any::NONE, Any::from)));
        let redirection = to.helper("Redirection")?;
        let redirection = redirection.call(args![three, !self.block_buffered])?;
        Ok(HandedOver {
            redirection: redirection.netref()?.clone(),
            streams,
        })
    }
}

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdio")
            .field("stdin", &self.stdin.is_some())
            .field("stdout", &self.stdout.is_some())
            .field("stderr", &self.stderr.is_some())
            .finish_non_exhaustive()
    }
}

/// Streams that the server has, and its handle of them. Dropped, it takes them back.
pub(super) struct HandedOver {
    pub(super) redirection: Netref,
    streams: Streams,
}

struct Streams {
    stdin: Option<Exposed<InputStream>>,
    stdout: Option<Exposed<OutputStream>>,
    stderr: Option<Exposed<OutputStream>>,
}

impl Streams {
    fn close_input(&self) {
        if let Some(stdin) = &self.stdin {
            stdin.close();
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        // The server may hold on to the objects.
        self.close_input();
        for output in [&self.stdout, &self.stderr].into_iter().flatten() {
            output.close();
        }
    }
}

/// The server's standard streams are this program's, until this is restored or dropped; made by
/// [`ClassicConnection::redirect_stdio`].
///
/// Dropped, it has the server restore its streams without waiting for it. What the server's code
/// has written and not flushed arrives then when the connection is next used.
#[must_use = "dropped, it restores the server's streams"]
pub struct Redirected(Option<HandedOver>);

impl Redirected {
    /// Restores the server's streams.
    ///
    /// # Errors
    /// As [`Netref::call`]; whatever the server does, it can't use this program's streams any more.
    pub fn restore(mut self) -> Result<(), Error> {
        match self.0.take() {
            Some(given) => given.redirection.call_method("stop", args![]).map(drop),
            None => Ok(()),
        }
    }
}

impl Drop for Redirected {
    fn drop(&mut self) {
        let Some(given) = self.0.take() else {
            return;
        };
        given.streams.close_input();
        // Where nothing can be sent any more, there is nothing to restore.
        if let Ok(stopped) = given.redirection.async_call_method("stop", args![]) {
            let streams = given.streams;
            stopped.add_callback(move |_| drop(streams));
        }
    }
}

opaque!(Redirected);

impl ClassicConnection {
    /// Lets the server's standard streams be these, until the guard is restored or dropped.
    ///
    /// The streams are the whole interpreter's: what other clients' code prints meanwhile arrives
    /// here, too. [`Prompt`](super::Prompt) redirects for the code alone that it runs.
    ///
    /// # Errors
    /// As [`Netref::call`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rpyc_classic::Stdio;
    /// let conn = rpyc_classic::connect("localhost:18812")?;
    /// let redirected = conn.redirect_stdio(Stdio::inherit())?;
    /// conn.execute("print('here, not there')")?;
    /// redirected.restore()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn redirect_stdio(&self, stdio: Stdio) -> Result<Redirected, Error> {
        let given = stdio.hand_over(self)?;
        given.redirection.call_method("start", args![])?;
        Ok(Redirected(Some(given)))
    }
}
