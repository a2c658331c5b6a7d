//! [`Secret`]: a secret that both sides know and neither says.
//!
//! The server sends 32 random bytes; the client answers with their HMAC-SHA256 under the secret, 32
//! bytes, too; then both speak RPyC. A Python client needs no more than this:
//!
//! ```python
//! import hmac, socket, rpyc
//! from rpyc.core.stream import SocketStream
//!
//! sock = socket.create_connection(("server", 18812))
//! challenge = b""
//! while len(challenge) < 32:
//!     challenge += sock.recv(32 - len(challenge)) or exit("refused")
//! sock.sendall(hmac.digest(b"the secret", challenge, "sha256"))
//! conn = rpyc.connect_stream(SocketStream(sock))
//! ```

use std::fs::File;
use std::io::{self, IoSlice, Read};
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use rpyc_core::transport::{PeerAddr, Stream};
use rustls::crypto::aws_lc_rs;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::super::authenticator::{Authenticated, Authenticator, Rejection};
use super::super::raw::RawStream;

/// A secret that clients show they know, without saying it.
///
/// Whoever listens on the network doesn't learn it, nor can answer a second time with what was heard.
/// But without [TLS](super::Tls) what follows is neither secret nor protected, and a client doesn't
/// know who asks: somebody else's server can pass on to it what the real one has asked. The exchange,
/// for clients of any language: 32 random bytes of the server's, answered by their HMAC-SHA256 under
/// the secret's bytes.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

/// A secret that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It could be guessed.
    #[error("the secret has {0} bytes, and fewer than {SHORTEST} could be guessed")]
    Short(usize),
    /// Its file can't be read.
    #[error("the secret's file can't be read")]
    Unreadable(#[source] io::Error),
    /// Others than its owner may read its file, or write to it.
    #[error(
        "the secret's file is open to others than its owner (mode {0:03o}): take their rights away \
         (chmod go-rw)"
    )]
    Exposed(u32),
}

impl Secret {
    /// The secret of these bytes.
    ///
    /// # Errors
    /// [`SecretError::Short`] below 16 bytes.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Secret, SecretError> {
        let secret = secret.as_ref();
        if secret.len() < SHORTEST {
            return Err(SecretError::Short(secret.len()));
        }
        Ok(Secret(secret.into()))
    }

    /// The secret in a file: its bytes less white space at both ends.
    ///
    /// # Errors
    /// A [`SecretError`], also if the group of the file or others may read it or write to it: who
    /// writes to it decides who gets in.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Secret, SecretError> {
        use std::os::unix::fs::PermissionsExt;
        let mut file = File::open(path).map_err(SecretError::Unreadable)?;
        // Of what is open, not of what is in its place by now.
        let metadata = file.metadata().map_err(SecretError::Unreadable)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o066 != 0 {
            return Err(SecretError::Exposed(mode));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(SecretError::Unreadable)?;
        Secret::new(bytes.trim_ascii())
    }

    /// Asks the client for a proof.
    pub(super) fn ask(&self, stream: &dyn Stream) -> Result<(), Rejection> {
        let mut challenge = [0; LENGTH];
        let random = aws_lc_rs::default_provider().secure_random;
        let filled = random.fill(&mut challenge);
        filled.map_err(|_| Rejection::new("the system has no random numbers for it"))?;
        write_all(stream, &challenge)?;
        let mut answer = [0; LENGTH];
        match read_exact(stream, &mut answer) {
            Ok(true) => {}
            Ok(false) => return Err(Rejection::new("it left when it was asked for the secret")),
            Err(error) => {
                let reason = "it didn't answer when it was asked for the secret";
                return Err(Rejection::caused(reason, error));
            }
        }
        if bool::from(self.proof(&challenge).ct_eq(&answer)) {
            Ok(())
        } else {
            Err(Rejection::new("it doesn't know the secret"))
        }
    }

    /// A client's side: answers the server's question.
    ///
    /// # Errors
    /// What the stream says, and `UnexpectedEof` when the server doesn't ask.
    pub fn answer(&self, stream: &dyn Stream) -> io::Result<()> {
        let mut challenge = [0; LENGTH];
        if !read_exact(stream, &mut challenge)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all(stream, &self.proof(&challenge))
    }

    fn proof(&self, challenge: &[u8; LENGTH]) -> [u8; LENGTH] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length");
        mac.update(challenge);
        mac.finalize().into_bytes().into()
    }
}

impl Authenticator for Secret {
    fn authenticate(&self, stream: RawStream, _: &PeerAddr) -> Result<Authenticated, Rejection> {
        let stream = stream.into_stream();
        self.ask(&*stream)?;
        Ok(Authenticated::new(stream))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

fn write_all(stream: &dyn Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write_vectored(&[IoSlice::new(bytes)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills the buffer and reads no byte more. Says no when the stream ends before.
fn read_exact(stream: &dyn Stream, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) => return Ok(false),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A part of a TLS record has come. The server's deadline ends the socket.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && is_tls(stream) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn is_tls(stream: &dyn Stream) -> bool {
    stream.one_frame_a_write()
}

const LENGTH: usize = 32;

/// Bytes of a secret. Stops secrets that a list of words finds: an exchange that was heard can be
/// tried against one at home.
const SHORTEST: usize = 16;

#[cfg(test)]
mod tests {
    use std::thread;

    use rpyc_core::transport::memory_pair;

    use super::*;

    #[test]
    fn who_knows_the_secret_passes_and_who_does_not_doesnt() {
        let secret = |text: &str| Secret::new(text).expect("a secret");
        for (theirs, passes) in [
            ("correct horse battery", true),
            ("wrong horse battery", false),
        ] {
            let (here, there) = memory_pair();
            let theirs = secret(theirs);
            let client = thread::spawn(move || theirs.answer(&there));
            let asked = secret("correct horse battery").ask(&here);
            assert_eq!(asked.is_ok(), passes);
            client.join().expect("no panic").expect("an exchange");
        }
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_refused() {
        assert!(matches!(Secret::new("hunter2"), Err(SecretError::Short(7))));
    }
}
