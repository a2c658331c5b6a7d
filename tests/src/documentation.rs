//! docs/testing.md says by which test each feature is shown; here, that those tests exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The heading that the tables stand below, up to the next one of its level.
const SECTION: &str = "\n## What shows what\n";

/// What is wrong with the tables, line by line; `source` gives the text of a file of the
/// repository.
fn complaints(document: &str, mut source: impl FnMut(&str) -> Option<String>) -> Vec<String> {
    let Some((_, section)) = document.split_once(SECTION) else {
        return vec!["the section is missing".to_owned()];
    };
    let section = section.split("\n## ").next().unwrap_or(section);
    let mut complaints = Vec::new();
    let mut files = BTreeMap::new();
    // Below a table's head, a row for each feature: what it is, and the tests.
    let rows = section.lines().filter(|line| line.starts_with("| "));
    for row in rows.filter(|row| *row != HEAD) {
        let tests: Vec<&str> = row
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|code| code.contains(".rs::"))
            .collect();
        if tests.is_empty() {
            complaints.push(format!("no test: {row}"));
        }
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or((test, ""));
            let text = files
                .entry(file.to_owned())
                .or_insert_with(|| source(file).unwrap_or_default());
            if !defines(text, name) {
                complaints.push(format!("there is no {test}"));
            }
        }
    }
    complaints
}

/// Whether the source has a test of this name: a function under `#[test]`.
fn defines(source: &str, name: &str) -> bool {
    let head = format!("fn {name}()");
    let mut marked = false;
    source.lines().map(str::trim_start).any(|line| {
        let found = marked && line.starts_with(&head);
        // Other attributes and comments may stand in between.
        marked = line == "#[test]" || (marked && (line.starts_with('#') || line.starts_with("//")));
        found
    })
}

const HEAD: &str = "| feature | shown by |";

#[test]
fn every_test_that_the_documentation_names_exists() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |file: &str| fs::read_to_string(repository.join(file)).ok();
    let document = read("docs/testing.md").expect("docs/testing.md");
    let complaints = complaints(&document, read);
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_row_without_a_test_and_a_test_that_is_gone_are_found() {
    let document = format!(
        "# Testing\n{SECTION}\n### Area\n\n{HEAD}\n|---|---|\n\
         | closing | `a.rs::closes`, `a.rs::helper`, `b.rs::closes` |\n\
         | `fileno` | |\n\n## Rules\n\n| other | `c.rs::other` |\n"
    );
    let source = |file: &str| {
        let text = "#[test]\n// why\nfn closes() {}\nfn helper() {}\n";
        (file == "a.rs").then(|| text.to_owned())
    };
    assert_eq!(
        complaints(&document, source),
        [
            "there is no a.rs::helper",
            "there is no b.rs::closes",
            "no test: | `fileno` | |",
        ]
    );
    assert_eq!(
        complaints("# Testing\n", source),
        ["the section is missing"]
    );
}
