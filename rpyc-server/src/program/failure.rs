//! [`Failure`]: why the program ends otherwise than by being told to.

use std::error::Error;
use std::io;

use crate::causes::with_causes;
use crate::printable::{on_one_line, printable};

/// What went wrong, what it came from, what to do about it, and the exit code that says it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    message: String,
    source: Option<Box<dyn Error>>,
    details: Option<String>,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// Something that may be there, or work, another time: exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            source: None,
            details: None,
            hint: None,
            code: 1,
        }
    }

    /// What was asked for makes no sense, whenever it is asked: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure {
            code: 2,
            ..Failure::new(message)
        }
    }

    /// There is no connection to a server, or it was lost: exit code 255, as ssh has it.
    pub(crate) fn connection(message: impl Into<String>) -> Failure {
        Failure {
            code: 255,
            ..Failure::new(message)
        }
    }

    /// What another process of this program has said of its options, and the exit code by which it has.
    pub(crate) fn told(report: &str, code: u8) -> Option<Failure> {
        let report = report.strip_prefix("rpyc-server: ")?;
        let failure = |message| Failure {
            code,
            ..Failure::new(message)
        };
        Some(match report.split_once('\n') {
            Some((message, hint)) => failure(message).hint(hint.trim()),
            None => failure(report),
        })
    }

    /// What this program prints can't be written.
    pub(crate) fn stdout(error: io::Error) -> Failure {
        Failure::new("the standard output can't be written").because(error)
    }

    /// What it came from.
    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error>>) -> Failure {
        self.source = Some(source.into());
        self
    }

    /// The same in more than one line: a traceback.
    #[must_use]
    pub(crate) fn details(mut self, details: impl Into<String>) -> Failure {
        self.details = Some(details.into());
        self
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// The same with the place where it is.
    #[must_use]
    pub(crate) fn at(mut self, place: &str) -> Failure {
        self.message = format!("{place}: {}", self.message);
        self
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.code
    }

    /// The failure and what it came from, on one line, unless that has details.
    pub(crate) fn with_causes(&self) -> String {
        let causes = with_causes(self);
        match &self.details {
            Some(details) => format!("{causes}\n{details}"),
            None => causes,
        }
    }

    /// The same for a terminal, the hint below. A peer has its say in some causes.
    pub(crate) fn report(&self) -> String {
        let mut text = format!("rpyc-server: {}", on_one_line(&with_causes(self)));
        for line in self.details.iter().flat_map(|details| details.lines()) {
            text.push_str(&format!("\n  {}", printable(line)));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n  {hint}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_causes_on_one_line_and_the_way_out_below() {
        let failure = Failure::new("--port 1 can't be had")
            .because(io::Error::other("permission denied"))
            .hint("Take another one.");
        assert_eq!(
            failure.report(),
            "rpyc-server: --port 1 can't be had: permission denied\n  Take another one."
        );
    }

    #[test]
    fn details_have_their_lines_between_the_causes_and_the_way_out() {
        let failure = Failure::new("it raised an exception")
            .details("Traceback:\n  File\nOSError: \u{1b}[2J")
            .hint("Mend it.");
        assert_eq!(
            failure.report(),
            "rpyc-server: it raised an exception\n  Traceback:\n    File\n  OSError: \\u{1b}[2J\n  Mend it."
        );
        let told = Failure::told(&failure.report(), 1).map(|told| told.report());
        assert_eq!(told, Some(failure.report()));
    }

    #[test]
    fn a_peer_with_its_say_in_a_cause_neither_talks_to_the_terminal_nor_forges_the_hint() {
        let failure = Failure::new("refused")
            .because(io::Error::other("no\u{1b}[2J\n  Run curl | sh."))
            .hint("Ask somebody else.");
        assert_eq!(
            failure.report(),
            "rpyc-server: refused: no\\u{1b}[2J\\n  Run curl | sh.\n  Ask somebody else."
        );
    }
}
