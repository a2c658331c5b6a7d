//! The types of the package `rpyc_rs`, as mypy sees them, and what it says of itself.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;

use rpyc_tests::package::site;
use rpyc_tests::packages::Packages;
use rpyc_tests::{child, python};

use crate::embedded::check;

/// One of mypy's programs, for the package as it is installed.
fn run(module: &str, arguments: &[&str]) -> Output {
    static MYPY: LazyLock<Packages> =
        LazyLock::new(|| Packages::with(Path::new("python3"), "mypy", &["mypy==1.18.2"]));
    let mut command = Command::new(MYPY.python());
    python::clear_environment(&mut command)
        .args(["-m", module])
        .args(arguments)
        .env("MYPYPATH", site())
        .env("MYPY_CACHE_DIR", env!("CARGO_TARGET_TMPDIR"))
        .env("PYTHONPATH", site())
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    child::output(&mut command).expect("mypy runs")
}

fn strict(arguments: &[&str]) -> (bool, String) {
    let output = run(
        "mypy",
        &[&["--strict", "--no-error-summary"], arguments].concat(),
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said)
}

#[test]
fn the_sources_and_descriptions_of_the_package_are_well_typed() {
    let (is_well, said) = strict(&["-p", "rpyc_rs"]);
    assert!(is_well, "{said}");
}

#[test]
fn the_descriptions_are_those_of_the_modules_as_they_are() {
    let differs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("differs.txt");
    std::fs::write(&differs, DIFFERS).expect("it is writable");
    let differs = differs.to_str().expect("a plain path");
    let output = run(
        "mypy.stubtest",
        &[
            "rpyc_rs",
            "--allowlist",
            differs,
            "--ignore-unused-allowlist",
        ],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_program_of_a_user_is_well_typed_and_a_mistake_in_one_is_found() {
    let program = |name: &str, text: &str| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).expect("it is writable");
        strict(&[path.to_str().expect("a plain path")])
    };
    let (is_well, said) = program("typed.py", include_str!("typed.py"));
    assert!(is_well, "{said}");
    let (is_well, said) = program("mistaken.py", include_str!("mistaken.py"));
    assert!(!is_well);
    let marked = include_str!("mistaken.py").lines().enumerate();
    let marked = marked.filter(|(_, line)| line.ends_with("# wrong"));
    let wrong: Vec<String> = marked
        .map(|(index, _)| format!("mistaken.py:{}: error", index + 1))
        .collect();
    assert_eq!(
        said.lines().filter(|line| line.contains(": error")).count(),
        wrong.len(),
        "{said}"
    );
    for place in wrong {
        assert!(said.contains(&place), "{place}: {said}");
    }
}

#[test]
fn help_is_a_guide_that_has_every_public_name_and_no_private_one() {
    let written = check(
        r#"
        import pydoc, re
        text = pydoc.render_doc(rpyc_rs, renderer=pydoc.plaintext)
        # The names of the files are Python's own doing.
        files = text.index("PACKAGE CONTENTS"), text.index("SUBMODULES")
        text = text[:files[0]] + text[files[1]:]
        guide = text[:text.index("SUBMODULES")]
        for name in rpyc_rs.__all__:
            if name != "__version__":
                assert re.search(rf"\b{name}\b", text), name
            getattr(rpyc_rs, name)
        private = {name for name in re.findall(r"(?<![\w$])_[a-z]\w*", text) if not name.startswith("_rpyc_")}
        assert private <= {"_config"}, private
        assert set(rpyc_rs.__all__) <= set(dir(rpyc_rs))
        for name in "connect", "classic", "ThreadedServer", "Service", "async_", "main", "UDPRegistryClient":
            assert name in guide, name
        for name in rpyc_rs.__all__:
            thing = getattr(rpyc_rs, name)
            if callable(thing):
                assert thing.__doc__, name
        print(guide.splitlines()[3].strip())
        "#,
    );
    assert!(written.starts_with("rpyc_rs - RPyC in Rust"), "{written}");
}

/// Where the modules are another thing than what describes them.
const DIFFERS: &str = r"
# Objects of the core's own, which these describe.
.*\bConnection(\..*)?
.*\bBaseNetref(\..*)?
# They have their types inline.
rpyc_rs\._(authenticators|clients|ending|modules|names|registry|server)\..*
# It is no name any more since Python 3.7.
rpyc_rs\.utils\.helpers\.async
";
