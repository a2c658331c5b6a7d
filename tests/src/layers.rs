//! docs/architecture.md has a table of layers: what each may name. Here, that the code keeps to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The head of the table.
const HEAD: &str = "| layer | where | may name |";

/// The crates whose files all belong to a layer: their folders, and their names in code.
const CRATES: [(&str, &str); 6] = [
    ("rpyc-core", "rpyc_core"),
    ("rpyc-core/registry", "rpyc_registry"),
    ("rpyc-classic", "rpyc_classic"),
    ("rpyc-classic/cpython", "rpyc_cpython"),
    ("rpyc-classic/rustpython", "rpyc_rustpython"),
    ("rpyc-server", "rpyc_server"),
];

/// Modules by their paths, such as `rpyc_core::wire`; where a module isn't listed, its parent counts.
struct Layers {
    of_module: BTreeMap<String, String>,
    may_name: BTreeMap<String, Vec<String>>,
}

impl Layers {
    fn read(document: &str) -> Layers {
        let (_, table) = document.split_once(HEAD).expect("the table of layers");
        let mut layers = Layers {
            of_module: BTreeMap::new(),
            may_name: BTreeMap::new(),
        };
        let rows = table.lines().skip(2).take_while(|row| row.starts_with('|'));
        for row in rows {
            let mut cells = row.split('|').skip(1).map(in_backticks);
            let [layer, places, named] = std::array::from_fn(|_| cells.next().expect("a cell"));
            let layer = &layer[0];
            for place in places {
                let known = layers.of_module.insert(module_of(&place), layer.clone());
                assert!(known.is_none(), "{place} is in two layers");
            }
            layers.may_name.insert(layer.clone(), named);
        }
        let named = layers.may_name.values().flatten();
        let unknown: Vec<_> = named.filter(|name| !layers.is_layer(name)).collect();
        assert!(unknown.is_empty(), "no layers: {unknown:?}");
        layers
    }

    fn is_layer(&self, name: &str) -> bool {
        self.may_name.contains_key(name)
    }

    /// The layer of a module or of what is in it.
    fn layer(&self, mut path: &str) -> Option<&String> {
        loop {
            if let Some(layer) = self.of_module.get(path) {
                return Some(layer);
            }
            path = path.rsplit_once("::")?.0;
        }
    }

    /// What a file names and may not.
    fn complaints(&self, file: &str, source: &str) -> Vec<String> {
        let module = module_of(file);
        let Some(layer) = self.layer(&module) else {
            return vec![format!("{file} is in no layer")];
        };
        let mut complaints = Vec::new();
        for path in paths(
            source,
            &module,
            file.ends_with("/mod.rs") || file.ends_with("/lib.rs"),
        ) {
            let named = self.layer(&path);
            let allowed =
                named.is_none_or(|named| named == layer || self.may_name[layer].contains(named));
            if !allowed {
                complaints.push(format!(
                    "{file} ({layer}) names {path} ({})",
                    named.map_or("", |name| name)
                ));
            }
        }
        complaints.sort();
        complaints.dedup();
        complaints
    }
}

/// What a table's cell has in backticks.
fn in_backticks(cell: &str) -> Vec<String> {
    let parts = cell.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// `rpyc-core/src/wire/seq.rs` is `rpyc_core::wire::seq`.
fn module_of(file: &str) -> String {
    let path = file.trim_end_matches('/').trim_end_matches(".rs");
    let path = path
        .trim_end_matches("/mod")
        .trim_end_matches("/lib")
        .trim_end_matches("/src");
    let (head, tail) = path.split_once("/src/").unwrap_or((path, ""));
    let known = CRATES.iter().find(|(folder, _)| *folder == head);
    let head = known.map_or_else(|| head.replace('-', "_"), |(_, name)| (*name).to_owned());
    match tail {
        "" => head,
        tail => format!("{head}::{}", tail.replace('/', "::")),
    }
}

/// The whole paths of what a source names of these crates, outside of its tests.
fn paths(source: &str, module: &str, is_folder: bool) -> Vec<String> {
    let source = source
        .split("#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default();
    let source = source.split("#[cfg(all(test").next().unwrap_or_default();
    let words = words(source);
    let mut found = Vec::new();
    let mut at = 0;
    // Modules within the file, each with the depth of its braces.
    let (mut inner, mut depth) = (Vec::new(), 0);
    while at < words.len() {
        match words[at] {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inner.pop_if(|begun| *begun == depth);
            }
            "mod" if words.get(at + 2) == Some(&"{") => inner.push(depth),
            _ => {}
        }
        let parent = || {
            module
                .rsplit_once("::")
                .map_or(module, |(parent, _)| parent)
        };
        let root = module.split("::").next().unwrap_or_default();
        let own = if is_folder { module } else { parent() };
        let start = match words[at] {
            "crate" => Some(root),
            "super" if !inner.is_empty() => None,
            "super" if is_folder => Some(parent()),
            "super" => Some(own),
            name if CRATES.iter().any(|(_, known)| *known == name) => Some(name),
            _ => None,
        };
        let is_path = at > 0 && words[at - 1] == "::";
        match start.filter(|_| !is_path && words.get(at + 1) == Some(&"::")) {
            Some(start) => at = tree(&words, at + 1, start.to_owned(), &mut found),
            None => at += 1,
        }
    }
    found
}

/// Reads `::a::{b, c::d}` on from `at`; gives where it ends.
fn tree(words: &[&str], mut at: usize, mut path: String, found: &mut Vec<String>) -> usize {
    while words.get(at) == Some(&"::") {
        match words.get(at + 1).copied() {
            Some("{") => {
                at += 2;
                while let Some(word) = words.get(at).copied().filter(|word| *word != "}") {
                    at = match word {
                        "," => at + 1,
                        word => tree(words, at + 1, format!("{path}::{word}"), found),
                    };
                }
                return at + 1;
            }
            Some("super") => {
                path.truncate(path.rfind("::").unwrap_or(path.len()));
                at += 2;
            }
            Some(name) => {
                path = format!("{path}::{name}");
                at += 2;
            }
            None => break,
        }
    }
    // `{self as name}`, `{One as Other}`
    if words.get(at) == Some(&"as") {
        at += 2;
    }
    // A macro is called by the root's name, wherever it stands.
    if words.get(at) != Some(&"!") {
        found.push(path);
    }
    at
}

/// Identifiers, `::` and other characters; no comments.
fn words(source: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for line in source.lines() {
        let mut rest = line.split("//").next().unwrap_or_default();
        while let Some(first) = rest.chars().next() {
            let length = if rest.starts_with("::") {
                2
            } else if first.is_alphanumeric() || first == '_' {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                end.unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let (word, after) = rest.split_at(length);
            if !first.is_whitespace() {
                words.push(word);
            }
            rest = after;
        }
    }
    words
}

/// All sources of a folder but those that are tests.
fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && !matches!(name, "tests" | "model") {
            sources(&path, into);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            into.push(path.to_str().expect("UTF-8").to_owned());
        }
    }
}

#[test]
fn no_file_names_what_its_layer_may_not() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = fs::read_to_string(repository.join("docs/architecture.md"));
    let layers = Layers::read(&document.expect("docs/architecture.md"));
    let mut files = Vec::new();
    for (folder, _) in CRATES {
        sources(&repository.join(folder).join("src"), &mut files);
    }
    let complaints: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let source = fs::read_to_string(file).expect("a source");
            let file = Path::new(file).strip_prefix(&repository).expect("within");
            layers.complaints(file.to_str().expect("UTF-8"), &source)
        })
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// What is above the wire asks the dialect for what it wants to know, never which one it is: else each new version of
/// the wire would have to be looked for in all of the code. The config alone names the one to begin with.
#[test]
fn nothing_above_the_wire_asks_for_a_version() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for (folder, _) in CRATES {
        sources(&root.join(folder).join("src"), &mut files);
    }
    let mut asking = Vec::new();
    for file in files {
        if file.contains("rpyc-core/src/wire/") || file.ends_with("_tests.rs") {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
        let versions = versions_named(&source);
        let is_allowed = file.ends_with("rpyc-core/src/config.rs") && versions == ["CURRENT"];
        if !versions.is_empty() && !is_allowed {
            asking.push(format!("{file}: {versions:?}"));
        }
    }
    assert!(asking.is_empty(), "{asking:#?}");
    let asks = "if connection.dialect() == Dialect::NG7 {} else { Dialect::detect(b) }";
    assert_eq!(versions_named(asks), ["NG7"]);
}

/// The versions of the wire that the source names.
fn versions_named(source: &str) -> Vec<&str> {
    let named = source.split("Dialect::").skip(1);
    let named = named.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next());
    let constant = |name: &&str| name.starts_with(|c: char| c.is_ascii_uppercase());
    named.flatten().filter(constant).collect()
}

#[test]
fn a_name_of_another_layer_is_found_however_it_is_written() {
    let document = format!(
        "{HEAD}\n|---|---|---|\n\
         | `low` | `a-b/src/low/`, `a-b/src/odd.rs` | |\n\
         | `high` | `a-b/src/high/`, `a-b/src/lib.rs` | `low` |\n\nText.\n"
    );
    let layers = Layers::read(&document);
    let complain = |file: &str, source: &str| layers.complaints(file, source).len();
    assert_eq!(
        complain("a-b/src/high/one.rs", "use crate::low::{self, x};"),
        0
    );
    for source in [
        "use crate::high::one::One;",
        "use crate::{low::x, high::{One}};",
        "use super::super::high;",
        "use crate::{\n    low,\n    high as other,\n};",
        "fn f() -> crate::high::One {}",
    ] {
        assert_eq!(complain("a-b/src/low/two.rs", source), 1, "{source}");
    }
    assert_eq!(
        complain(
            "a-b/src/low/mod.rs",
            "use super::odd; // crate::high\nfn f() { crate::macros!() }"
        ),
        0
    );
    let tested = "use super::low;\n#[cfg(test)]\nmod tests { use crate::high; }";
    assert_eq!(complain("a-b/src/odd.rs", tested), 0);
    assert_eq!(complain("c/src/odd.rs", ""), 1);
}
