//! docs/testing.md says in which folders the tests of an area stand; here, that they exist.

use std::path::Path;

#[test]
fn every_folder_of_tests_that_the_documentation_names_exists() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document =
        std::fs::read_to_string(repository.join("docs/testing.md")).expect("docs/testing.md");
    let codes = document.split('`').skip(1).step_by(2);
    let folders: Vec<&str> = codes
        .filter(|code| code.ends_with('/') && !code.contains(' '))
        .collect();
    assert!(!folders.is_empty());
    for folder in folders {
        assert!(repository.join(folder).is_dir(), "there is no {folder}");
    }
}
