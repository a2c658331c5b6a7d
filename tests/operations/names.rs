//! docs/differences.md says of each name of Python's rpyc where it is here, or why it isn't.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rpyc_tests::python::Script;

#[test]
fn each_factory_helper_and_server_of_python_has_its_row() {
    let names = Script::new(
        "
        import inspect
        from rpyc.utils import factory, helpers, server, zerodeploy
        for module in factory, helpers, server, zerodeploy:
            for name, value in vars(module).items():
                is_code = inspect.isfunction(value) or inspect.isclass(value)
                if is_code and value.__module__ == module.__name__ and name[0] != '_':
                    print(name)
        ",
    );
    let names = names.outcome().unwrap_or_else(|reason| panic!("{reason}"));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, table) = page
        .split_once("## Names of Python's rpyc")
        .expect("the table");
    let (table, _) = table.split_once("\n## ").unwrap_or((table, ""));
    let firsts = table.lines().filter_map(|line| line.split('|').nth(1));
    let told = |cell: &str| -> Vec<String> {
        let names = cell.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect()
    };
    let told: BTreeSet<String> = firsts.flat_map(told).collect();
    // A keyword by now, and the same as the one with the underscore.
    let names: BTreeSet<String> = names
        .lines()
        .filter(|name| *name != "async")
        .map(str::to_owned)
        .collect();
    assert_eq!(told, names);
}
