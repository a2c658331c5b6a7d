//! Text that somebody else has a say in, for a terminal or a log.

/// The text with its control characters shown instead of sent, those for the direction of writing
/// as well, but not line breaks and tabs: whoever it comes from must not talk to the terminal.
pub(crate) fn printable(text: &str) -> String {
    show(text, |control| matches!(control, '\n' | '\t'))
}

/// The same for what has one line: nor may it forge a second one.
pub(crate) fn on_one_line(text: &str) -> String {
    show(text, |_| false)
}

/// Whether there is nothing in the text that would have to be shown instead of sent.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.chars().any(is_sent)
}

/// A JSON document on one line with such characters escaped, which can stand in its strings alone.
/// JSON itself asks for the first 32 of them only.
pub(crate) fn json_on_one_line(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for character in document.chars() {
        if is_sent(character) {
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

fn show(text: &str, is_harmless: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_sent(character) && !is_harmless(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether it does something instead of being seen.
fn is_sent(character: char) -> bool {
    character.is_control() || misleads(character)
}

/// Whether it breaks the line, or has what follows shown in another order, where it isn't expected.
fn misleads(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
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
        assert_eq!(
            printable("a\u{202e}b\u{2028}c\u{2066}"),
            "a\\u{202e}b\\u{2028}c\\u{2066}"
        );
        assert_eq!(printable("plain ünïcode"), "plain ünïcode");
        assert!(is_printable("plain ünïcode"));
        assert!(!is_printable("a\tb") && !is_printable("a\u{202e}b"));
    }
}
