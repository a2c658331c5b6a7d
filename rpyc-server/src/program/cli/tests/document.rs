//! docs/options.md, which is made of the command line's own definition.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use clap::{Arg, Command};

use crate::program::cli::options::ServeOption;

#[test]
fn the_page_of_options_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    let page = page();
    if std::env::var_os("RPYC_UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page is writable");
    }
    let written = fs::read_to_string(&path).expect("there is a page");
    assert!(
        written == page,
        "docs/options.md isn't what the command line says; make it anew with RPYC_UPDATE_DOCS=1 \
         and this test"
    );
}

#[test]
fn the_command_lines_of_the_operations_page_and_of_the_deployments_are_understood() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let read = |name: &str| fs::read_to_string(docs.join(name)).expect("a page");
    let mut lines: Vec<Vec<String>> = Vec::new();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    let page = read("operations.md");
    let commands = page.lines().filter(|line| line.starts_with("rpyc-server "));
    lines.extend(commands.map(words));
    for unit in ["deploy/rpyc-server.service", "deploy/rpyc-registry.service"] {
        let unit = read(unit).replace("\\\n", " ");
        let starts = unit
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart="));
        lines.extend(starts.map(words));
    }
    for (name, begins) in [
        ("deploy/Dockerfile", "CMD "),
        ("deploy/Dockerfile.python", "CMD "),
        ("deploy/kubernetes.yaml", "args: "),
        ("deploy/kubernetes-fleet.yaml", "args: "),
    ] {
        let text = read(name);
        let arrays = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(begins));
        lines.extend(arrays.map(|array| {
            let arguments: Vec<String> = serde_json::from_str(array).expect("a JSON array");
            [vec!["rpyc-server".to_owned()], arguments].concat()
        }));
    }
    assert!(lines.len() >= 10, "{lines:?}");
    for line in lines {
        let parsed = super::command().try_get_matches_from(&line);
        assert!(parsed.is_ok(), "{line:?}: {:?}", parsed.err());
    }
    // Options that the text names.
    let mut root = super::command();
    root.build();
    let known = |name: &str| {
        let commands = root.get_subcommands().chain([&root]);
        let mut args = commands.flat_map(Command::get_arguments);
        args.any(|arg| arg.get_long() == Some(name))
    };
    for quoted in page.split('`').skip(1).step_by(2) {
        let Some(name) = quoted.strip_prefix("--") else {
            continue;
        };
        let name = name.split([' ', '=']).next().unwrap_or_default();
        assert!(known(name), "--{name} is no option");
    }
}

fn page() -> String {
    let mut root = super::command();
    root.build();
    let names = |is_meant: fn(&ServeOption) -> bool, before: &str| {
        let options = super::serve_options().into_iter().filter(is_meant);
        let mut names: Vec<_> = options
            .map(|option| format!("`{before}{}`", option.name()))
            .collect();
        names.sort();
        names
    };
    let mut of_program = names(|option| option.is_of_program, "");
    let last = of_program.pop().expect("several");
    let of_program = format!("{} and {last}", of_program.join(", "));
    let protecting = names(|option| option.protects, "--").join(", ");
    let page = INTRODUCTION.replace("{of_program}", &of_program);
    let mut page = page.replace("{protecting}", &protecting);
    write_command(&mut page, &root, "rpyc-server");
    for command in root.get_subcommands() {
        write_command(
            &mut page,
            command,
            &format!("rpyc-server {}", command.get_name()),
        );
    }
    page
}

fn write_command(page: &mut String, command: &Command, name: &str) {
    let about = command
        .get_about()
        .expect("every command says what it does");
    write!(page, "\n## {name}\n\n{about}\n").expect("a String takes it");
    let shown = |arg: &&Arg| {
        let name = arg.get_long().unwrap_or_default();
        !arg.is_hide_set() && !["help", "version"].contains(&name)
    };
    let mut group = None;
    for arg in command.get_arguments().filter(shown) {
        if group != Some(arg.get_help_heading()) {
            group = Some(arg.get_help_heading());
            let heading = arg.get_help_heading().unwrap_or("Arguments");
            write!(
                page,
                "\n### {heading}\n\n| option | default | what |\n|---|---|---|\n"
            )
            .expect("a String takes it");
        }
        write_arg(page, arg);
    }
}

fn write_arg(page: &mut String, arg: &Arg) {
    let value = match (arg.get_action().takes_values(), arg.get_value_names()) {
        (true, Some([name, ..])) => format!(" {name}"),
        _ => String::new(),
    };
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("`-{short}`")));
    match arg.get_long() {
        Some(long) => names.push(format!("`--{long}{value}`")),
        None => names.push(format!("`{}`", value.trim())),
    }
    let help = arg
        .get_help()
        .expect("every option says what it does")
        .to_string();
    let (help, default) = match help.rsplit_once(" [default: ") {
        Some((help, default)) => (help.to_owned(), default.trim_end_matches(']').to_owned()),
        None => {
            let defaults = arg.get_default_values().iter();
            let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
            (help, defaults.join(", "))
        }
    };
    let default = if arg.is_hide_default_value_set() {
        ""
    } else {
        &default
    };
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    writeln!(
        page,
        "| {} | {} | {} |",
        names.join(", "),
        cell(default),
        cell(&help)
    )
    .expect("a String takes it");
}

const INTRODUCTION: &str = "\
# Options

What `--help` says, as a page. It is made of the program's own command line, and a test holds it \
to that.

Each option can be given in three ways; the first one wins:

1. on the command line: `--port 18812`;
2. in the environment: `RPYC_SERVER_PORT=18812`, the name in capitals with `_` for `-`; options \
of the `registry` command begin with `RPYC_REGISTRY_`, those of a client's \
connection and registry with `RPYC_CLIENT_` (`--connect` is `RPYC_CONNECT`);
3. in a TOML file that `--config FILE` names: `port = 18812`; those of the `registry` command \
stand in the table `[registry]`, the client's tools have none. An unknown name in it is an error. \
It is read at the start.

A file with tables `[[server]]` has a server for each of them, all in one process with one Python: \
what stands in such a table is that server's option, what stands above the first one is an option of \
all of them, and the command line and the environment win in each. {of_program} are the program's, \
and stand above. The modes are `threaded`, `pool` and `process`; sockets of systemd's are for one server.

A switch (an option without a value) is `true` or `false` in the environment and in the file. On \
the command line it is turned off by `--no-NAME` (`--no-classic`; `--pickle` for `--no-pickle`).

An option that has no effect in the mode is told of in the log, wherever it was given. One that \
keeps somebody out or within bounds ({protecting}) is refused instead.

| exit code | |
|---|---|
| 0 | stopped by Ctrl-C or SIGTERM, in order; the client of a one-shot server has left; `--check` is content |
| 1 | it couldn't start, or not go on: port in use, no such host, log file not writable |
| 2 | wrong usage: unknown option, nothing to serve, an address without a word on who may come, a wrong config file |
";
