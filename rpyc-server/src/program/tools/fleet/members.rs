//! What the servers of a fleet are called: on the screen, and as folders.

use std::collections::HashSet;

use super::ending::shortened;
use crate::printable::on_one_line;

/// A server's name on the screen. A registry has its say in it.
pub(super) fn label(target: &str) -> String {
    shortened(&on_one_line(target), MAX_LABEL)
}

/// A folder for each of the servers, of letters, digits, `.`, `-` and `_`: no name leads elsewhere,
/// is hidden, or is another one's, on file systems without capitals either.
pub(super) fn folders(targets: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    let folder = |target: &String| {
        let mut name: String = target.chars().take(MAX_FOLDER).map(harmless).collect();
        if name.starts_with('.') || name.is_empty() {
            name.insert(0, '_');
        }
        let plain = name.clone();
        for number in 2_u64.. {
            if taken.insert(name.to_lowercase()) {
                break;
            }
            name = format!("{plain}-{number}");
        }
        name
    };
    targets.iter().map(folder).collect()
}

fn harmless(character: char) -> char {
    match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => character,
        _ => '_',
    }
}

const MAX_LABEL: usize = 60;
const MAX_FOLDER: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_a_folder_of_its_own_that_leads_nowhere_else() {
        let targets = [
            "host:1",
            "HOST:1",
            "host_1",
            "host/1",
            "..",
            "../../etc",
            "[::1]:5",
            "",
            "tls:host:2",
        ];
        let expected = [
            "host_1",
            "HOST_1-2",
            "host_1-3",
            "host_1-4",
            "_..",
            "_.._.._etc",
            "___1__5",
            "_",
            "tls_host_2",
        ];
        assert_eq!(folders(&targets.map(str::to_owned)), expected);
        let long = ["x".repeat(500), "x".repeat(501)];
        assert!(folders(&long).iter().all(|name| name.len() < 110));
    }

    #[test]
    fn a_name_of_a_registry_is_short_and_has_one_line() {
        assert_eq!(label("a\u{1b}[2J\nb:1"), "a\\u{1b}[2J\\nb:1");
        assert_eq!(label(&"x".repeat(1000)).len(), MAX_LABEL + 3);
    }
}
