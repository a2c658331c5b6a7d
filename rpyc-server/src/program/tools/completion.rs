//! What the line editor asks the server: what a word may become, and whether code is complete.

use std::cell::RefCell;
use std::rc::Rc;

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use super::session::Session;
use crate::printable::is_printable;

/// The line editor's view of a session.
pub(super) struct Remote(pub(super) Rc<RefCell<Session>>);

impl Completer for Remote {
    type Candidate = String;

    fn complete(&self, text: &str, at: usize, _: &Context<'_>) -> Result<(usize, Vec<String>)> {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        if line.trim().is_empty() {
            return Ok((at, vec![INDENT.to_owned()]));
        }
        let session = self.0.borrow();
        // A server that is gone completes nothing; the next line that is run says so.
        let names = session.prompt().complete(line).unwrap_or_default();
        let names = names.into_iter().filter(|name| is_printable(name));
        Ok((at - word_before(line).len(), names.collect()))
    }
}

/// The dotted name that a line ends with.
fn word_before(line: &str) -> &str {
    let start = line
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphanumeric() || *c == '_' || *c == '.')
        .last()
        .map_or(line.len(), |(at, _)| at);
    &line[start..]
}

impl Validator for Remote {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        let code = context.input();
        let complete =
            code.trim().is_empty() || self.0.borrow().prompt().is_complete(code).unwrap_or(true);
        Ok(match complete {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Highlighter for Remote {}

impl Hinter for Remote {
    type Hint = String;
}

impl Helper for Remote {}

const INDENT: &str = "    ";

#[cfg(test)]
mod tests {
    use super::word_before;

    #[test]
    fn the_word_is_the_dotted_name_at_the_end() {
        for (line, word) in [
            ("os.pa", "os.pa"),
            ("print(os.pa", "os.pa"),
            ("x = ä1", "ä1"),
            ("f(", ""),
            ("", ""),
        ] {
            assert_eq!(word_before(line), word);
        }
    }
}
