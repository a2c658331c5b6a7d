//! Colours for a terminal.

use std::env;
use std::io::{self, IsTerminal};

/// Whether the standard error shows colours: it is a terminal, and nobody has said otherwise.
pub(super) fn on_stderr() -> bool {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stderr().is_terminal() && !unwanted
}

/// A traceback: places in cyan, what was raised in red.
pub(super) fn traceback(text: &str) -> String {
    let paint = |line: &str| {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (line, ""),
        };
        let colour = if body.starts_with("  File \"") {
            CYAN
        } else if body.starts_with(' ') || body.is_empty() {
            return line.to_owned();
        } else if body.ends_with(':') && body.contains("most recent call last") {
            BOLD
        } else {
            RED
        };
        format!("{colour}{body}{RESET}{end}")
    };
    text.split_inclusive('\n').map(paint).collect()
}

const BOLD: &str = "\x1b[1m";
const CYAN: &str = "\x1b[36m";
const RED: &str = "\x1b[1;31m";
const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    #[test]
    fn the_text_stays_and_its_parts_are_told_apart() {
        let text = "Traceback (most recent call last):\n  File \"x\", line 1, in f\n    g()\nValueError: no\n";
        let painted = super::traceback(text);
        let expected = "\x1b[1mTraceback (most recent call last):\x1b[0m\n\x1b[36m  File \"x\", line 1, in f\x1b[0m\n    g()\n\x1b[1;31mValueError: no\x1b[0m\n";
        assert_eq!(painted, expected);
    }
}
