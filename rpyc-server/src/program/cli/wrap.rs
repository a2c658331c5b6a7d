//! The help of options in lines that a terminal has room for. (clap's own wrapping would change the
//! features of crates below RustPython.)

use std::collections::HashMap;

use clap::{Arg, Command};

/// The command with its help in lines, and its commands with theirs.
pub(super) fn wrapped(command: Command) -> Command {
    let heading = |arg: &Arg| arg.get_help_heading().map(str::to_owned);
    // Only then an option knows how it is shown.
    let mut built = command.clone();
    built.build();
    let mut names: HashMap<Option<String>, usize> = HashMap::new();
    for arg in built.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let longest = names.entry(heading(arg)).or_default();
        *longest = arg.to_string().len().max(*longest);
    }
    let wrap = |arg: Arg| {
        let (Some(help), Some(name)) = (arg.get_help(), names.get(&heading(&arg))) else {
            return arg;
        };
        let room = WIDTH.saturating_sub(BEFORE + name + BEHIND).max(LEAST);
        let help = in_lines(&help.to_string(), room);
        arg.help(help)
    };
    command.mut_args(wrap).mut_subcommands(wrapped)
}

fn in_lines(text: &str, room: usize) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        if length > 0 {
            let breaks = length + 1 + word.len() > room;
            lines.push(if breaks { '\n' } else { ' ' });
            length = if breaks { 0 } else { length + 1 };
        }
        lines.push_str(word);
        length += word.len();
    }
    lines
}

/// As wide as the examples below the options.
const WIDTH: usize = 100;
/// `  -x, ` in front of a name, and the space behind it.
const BEFORE: usize = 6;
const BEHIND: usize = 2;
/// A column that can be read, however long the names are.
const LEAST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_there_is_room_and_no_word_is_lost() {
        let text = "one two three four-and-a-half five";
        let lines = in_lines(text, 10);
        assert_eq!(lines, "one two\nthree\nfour-and-a-half\nfive");
        assert_eq!(in_lines(text, 100), text);
    }

    #[test]
    fn the_help_of_the_program_fits_a_terminal() {
        let help = wrapped(crate::program::cli::command())
            .render_help()
            .to_string();
        // clap adds the default behind the last line.
        let text = |line: &str| line.split(" [").next().unwrap_or_default().len();
        let widest = help.lines().map(text).max().unwrap_or_default();
        assert!(widest <= WIDTH, "{widest}");
    }
}
