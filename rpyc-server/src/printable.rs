//! Text that somebody else has a say in, for a terminal or a log.

/// The text with its control characters shown instead of sent, but for line breaks and tabs:
/// whoever it comes from must not talk to the terminal.
pub(crate) fn printable(text: &str) -> String {
    show(text, |control| matches!(control, '\n' | '\t'))
}

/// The same for what has one line: nor may it forge a second one.
pub(crate) fn on_one_line(text: &str) -> String {
    show(text, |_| false)
}

fn show(text: &str, is_harmless: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !is_harmless(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_instead_of_sent() {
        assert_eq!(
            printable("\u{1b}[2Jx\r\n\t\u{9b}y"),
            "\\u{1b}[2Jx\\r\n\t\\u{9b}y"
        );
        assert_eq!(on_one_line("a\nb\tc\u{7}"), "a\\nb\\tc\\u{7}");
        assert_eq!(printable("plain ünïcode"), "plain ünïcode");
    }
}
