//! docs/architecture.md has a table of layers: what each may name. Here, that the code keeps to it.

use std::collections::{BTreeMap, BTreeSet};
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
    /// What a crate's root names of its own modules: `rpyc_core::Any` is `rpyc_core::object::Any`.
    reexports: BTreeMap<String, String>,
}

impl Layers {
    fn read(document: &str) -> Layers {
        let (_, table) = document.split_once(HEAD).expect("the table of layers");
        let mut layers = Layers {
            of_module: BTreeMap::new(),
            may_name: BTreeMap::new(),
            reexports: BTreeMap::new(),
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

    /// Takes up what a folder's module re-exports.
    fn read_module(&mut self, module: &str, source: &str) {
        let root = module.split("::").next().unwrap_or_default();
        for statement in reexporting(source) {
            let words = words(statement);
            let start = match words.first().copied() {
                Some("crate") => root.to_owned(),
                Some("self") => module.to_owned(),
                Some("super") => parent(module).to_owned(),
                Some(name) if CRATES.iter().any(|(_, known)| *known == name) => name.to_owned(),
                Some(name) if source.contains(&format!("mod {name};")) => {
                    format!("{module}::{name}")
                }
                _ => continue,
            };
            let mut found = Vec::new();
            tree(&words, 1, start, &mut found);
            for path in found {
                let name = path.rsplit("::").next().unwrap_or_default();
                self.reexports.insert(format!("{module}::{name}"), path);
            }
        }
    }

    /// The path of what it names where it is defined.
    fn definition(&self, path: &str) -> String {
        let reexported = |head: &&str| {
            let known = self.reexports.get(*head);
            // A function may be called like its module.
            known.is_some_and(|known| !known.starts_with(&format!("{head}::")))
        };
        match heads(path).into_iter().find(reexported) {
            Some(head) => {
                let known = &self.reexports[head];
                self.definition(&format!("{known}{}", &path[head.len()..]))
            }
            None => path.to_owned(),
        }
    }

    /// The layers that may be named, and those that these may name, and so on.
    fn below<'a>(&'a self, layer: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut left = vec![layer];
        while let Some(layer) = left.pop() {
            let named = self.may_name[layer].iter().map(String::as_str);
            left.extend(named.filter(|name| found.insert(*name)));
        }
        found
    }

    /// The layer of a module or of what is in it.
    fn layer(&self, path: &str) -> Option<&String> {
        let path = self.definition(path);
        let mut heads = heads(&path).into_iter().rev();
        heads.find_map(|head| self.of_module.get(head))
    }

    /// What a file names and may not.
    fn complaints(&self, file: &str, source: &str) -> Vec<String> {
        let module = module_of(file);
        let Some(layer) = self.layer(&module) else {
            return vec![format!("{file} is in no layer")];
        };
        let mut complaints = Vec::new();
        for path in paths(source, &module, is_folder(file)) {
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

/// The path, its parents first.
fn heads(path: &str) -> Vec<&str> {
    let ends = path.match_indices("::").map(|(at, _)| at);
    let heads = ends.chain([path.len()]).map(|end| &path[..end]);
    heads.collect()
}

fn parent(module: &str) -> &str {
    module
        .rsplit_once("::")
        .map_or(module, |(parent, _)| parent)
}

/// What stands behind `pub use`, `pub(super) use` and their like.
fn reexporting(source: &str) -> impl Iterator<Item = &str> {
    source.split("\npub").skip(1).filter_map(|statement| {
        let (visible, what) = statement.split_once("use ")?;
        let is_one = visible == " " || (visible.starts_with('(') && visible.ends_with(") "));
        is_one.then(|| what.split(';').next().unwrap_or_default())
    })
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
    // Tests stand last; `mod tests;` has a file of its own, which isn't read.
    let tests = source.find("#[cfg(test)]\nmod tests {");
    let words = words(&source[..tests.unwrap_or(source.len())]);
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
        let root = module.split("::").next().unwrap_or_default();
        let own = if is_folder { module } else { parent(module) };
        let start = match words[at] {
            "crate" => Some(root),
            "super" if !inner.is_empty() => None,
            "super" if is_folder => Some(parent(module)),
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

/// All sources of all crates, by their places in the repository.
fn all_sources() -> BTreeMap<String, String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for (folder, _) in CRATES {
        sources(&repository.join(folder).join("src"), &mut files);
    }
    let read = files.iter().map(|file| {
        let source = fs::read_to_string(file).unwrap_or_else(|e| panic!("{file}: {e}"));
        let file = Path::new(file).strip_prefix(&repository).expect("within");
        (file.to_str().expect("UTF-8").to_owned(), source)
    });
    read.collect()
}

fn is_folder(file: &str) -> bool {
    file.ends_with("/mod.rs") || file.ends_with("/lib.rs")
}

/// The table of docs/architecture.md.
fn documented(sources: &BTreeMap<String, String>) -> Layers {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = fs::read_to_string(repository.join("docs/architecture.md"));
    let mut layers = Layers::read(&document.expect("docs/architecture.md"));
    for (file, source) in sources.iter().filter(|(file, _)| is_folder(file)) {
        layers.read_module(&module_of(file), source);
    }
    layers
}

/// For each file, those that it names; what a folder's module re-exports is its definition's.
fn names(
    layers: &Layers,
    sources: &BTreeMap<String, String>,
) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<String> = sources.keys().map(|file| module_of(file)).collect();
    let named = sources.iter().map(|(file, source)| {
        let module = module_of(file);
        let own = reexporting(source).fold(source.clone(), |all, one| all.replace(one, ""));
        let found = paths(&own, &module, is_folder(file)).into_iter();
        let found = found.filter_map(|path| {
            let path = layers.definition(&path);
            let mut heads = heads(&path).into_iter().rev();
            let file = heads.find(|head| modules.contains(*head))?;
            (file != module).then(|| file.to_owned())
        });
        let found = found.collect();
        (module, found)
    });
    named.collect()
}

/// The files that name one another, directly or by others, of each circle.
fn circles(names: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<BTreeSet<String>> {
    let reached = |from: &String| {
        let mut found = BTreeSet::new();
        let mut left = vec![from];
        while let Some(module) = left.pop() {
            left.extend(
                names[module]
                    .iter()
                    .filter(|name| found.insert((*name).clone())),
            );
        }
        found
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = names
        .keys()
        .map(|module| (module, reached(module)))
        .collect();
    let circle = |module: &String| {
        let others = reached[module].iter();
        let others = others.filter(|other| reached[other].contains(module));
        others.cloned().collect::<BTreeSet<_>>()
    };
    let all = names.keys().map(circle);
    all.filter(|circle| circle.len() > 1).collect()
}

/// The largest circle of files that a stranger has to understand at once.
const LARGEST_CIRCLE: usize = 12;

#[test]
fn no_circle_of_files_is_large_or_crosses_layers() {
    let sources = all_sources();
    let layers = documented(&sources);
    for circle in circles(&names(&layers, &sources)) {
        let of: BTreeSet<_> = circle.iter().map(|module| layers.layer(module)).collect();
        assert_eq!(of.len(), 1, "{circle:#?}");
        assert!(
            circle.len() <= LARGEST_CIRCLE,
            "{}: {circle:#?}",
            circle.len()
        );
    }
}

#[test]
fn no_layer_stands_on_itself() {
    let layers = documented(&all_sources());
    for layer in layers.may_name.keys() {
        assert!(!layers.below(layer).contains(&**layer), "{layer}");
    }
}

#[test]
fn no_file_names_what_its_layer_may_not() {
    let sources = all_sources();
    let layers = documented(&sources);
    let complaints = sources
        .iter()
        .flat_map(|(file, source)| layers.complaints(file, source));
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// What is above the wire asks the dialect for what it wants to know, never which one it is: else each new version of
/// the wire would have to be looked for in all of the code. The config alone names the one to begin with.
#[test]
fn nothing_above_the_wire_asks_for_a_version() {
    let mut asking = Vec::new();
    for (file, source) in all_sources() {
        if file.contains("rpyc-core/src/wire/") || file.ends_with("_tests.rs") {
            continue;
        }
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
