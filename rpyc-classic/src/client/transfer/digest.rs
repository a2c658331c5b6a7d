//! Comparing files of both sides by their SHA-256.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rpyc_core::{Any, Error, args};
use sha2::{Digest, Sha256};

use super::{Phase, Transfer, TransferError, bytes};

impl Transfer<'_> {
    /// The digests of the first `length` bytes of both files: here, and there. `ahead` are the bytes
    /// that remain to be done with the file afterwards.
    pub(super) fn digests(
        &mut self,
        local: &Path,
        remote: &[u8],
        length: u64,
        ahead: u64,
    ) -> Result<(String, String), TransferError> {
        let there = self.connection.helper("Digest")?;
        let there = there.call(args![bytes(remote), length])?;
        let mut file = File::open(local).map_err(TransferError::local(local, "opening"))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        let mut left = length;
        let mut remote_digest = None;
        let mut steps = length.div_ceil(STEP).max(1);
        self.begin(local, Phase::Compare, 0, length, ahead);
        loop {
            // Both sides read at the same time.
            let step = match remote_digest {
                None if steps == 0 => {
                    let error = "the digest of a file has no end".to_owned();
                    return Err(Error::Protocol(error).into());
                }
                None => Some(there.async_call_method("step", args![STEP])?),
                Some(_) => None,
            };
            steps = steps.saturating_sub(1);
            let before = left;
            while left > 0 && before - left < STEP {
                let most = buffer
                    .len()
                    .min(usize::try_from(left).unwrap_or(usize::MAX));
                let read = file.read(&mut buffer[..most]);
                let read = read.map_err(TransferError::local(local, "reading"))?;
                if read == 0 {
                    return Err(TransferError::Local {
                        path: local.to_path_buf(),
                        doing: "reading",
                        source: std::io::ErrorKind::UnexpectedEof.into(),
                    });
                }
                hash.update(&buffer[..read]);
                left -= read as u64;
            }
            if let Some(step) = step {
                step.set_expiry(self.connection.connection().config().sync_request_timeout);
                remote_digest = digest_of(step.value()?)?;
            }
            self.tell(local, length - left);
            if left == 0
                && let Some(there) = remote_digest
            {
                return Ok((hex(&hash.finalize()), there));
            }
        }
    }

    /// Whether what is there of the file is the beginning of what is here, or the reverse.
    pub(super) fn is_same(
        &mut self,
        local: &Path,
        remote: &[u8],
        length: u64,
        ahead: u64,
    ) -> Result<bool, TransferError> {
        if length == 0 {
            return Ok(true);
        }
        let (here, there) = self.digests(local, remote, length, ahead)?;
        Ok(here == there)
    }

    /// Fails unless both files are the same.
    pub(super) fn check(
        &mut self,
        local: &Path,
        remote: &[u8],
        size: u64,
    ) -> Result<(), TransferError> {
        let (here, mut there) = self.digests(local, remote, size, 0)?;
        if self.remote_kind(remote)?.1 != size {
            there = "of another size".to_owned();
        }
        if here == there {
            return Ok(());
        }
        Err(TransferError::Differs {
            path: local.to_path_buf(),
            here,
            there,
        })
    }
}

/// None as long as there is more to read.
fn digest_of(answer: Any) -> Result<Option<String>, Error> {
    if answer.is_none() {
        return Ok(None);
    }
    let (digest, missing) = answer.extract::<(String, u64)>()?;
    Ok(Some(match missing {
        0 => digest,
        missing => format!("with {missing} bytes less"),
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes that one request of the server's reads: well within a time limit.
const STEP: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    #[test]
    fn digests_are_written_as_python_writes_them() {
        assert_eq!(super::hex(&[0, 0x0a, 0xff]), "000aff");
    }
}
