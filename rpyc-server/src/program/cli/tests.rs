//! The command line as a whole.

mod document;

use std::io::Write;
use std::time::Duration;

use clap::ArgAction;
use tempfile::NamedTempFile;

use super::arg::opposite;
use super::*;

fn parse(arguments: &[&str]) -> Result<Result<Invocation, clap::Error>, Failure> {
    let arguments = [NAME].iter().chain(arguments);
    parse_from(arguments.map(OsString::from).collect())
}

#[track_caller]
fn serve(arguments: &[&str]) -> ServeOptions {
    let mut servers = serve_all(arguments);
    assert_eq!(servers.len(), 1);
    servers.remove(0)
}

#[track_caller]
fn serve_all(arguments: &[&str]) -> Vec<ServeOptions> {
    match parse(arguments) {
        Ok(Ok(Invocation::Serve(servers))) => servers,
        other => panic!("not serving: {other:?}"),
    }
}

fn config_file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("it is writable");
    file
}

#[track_caller]
fn serve_with_file(text: &str, arguments: &[&str]) -> ServeOptions {
    let file = config_file(text);
    let path = file.path().to_str().expect("a plain path");
    serve(&[&["--config", path], arguments].concat())
}

#[track_caller]
fn refusal_of_file(text: &str) -> String {
    let file = config_file(text);
    let path = file.path().to_str().expect("a plain path");
    let refused = parse(&["--config", path]).expect_err("the file is wrong");
    refused.report().replace(path, "FILE")
}

#[test]
fn the_flags_are_consistent() {
    command().debug_assert();
}

#[test]
fn without_flags_nothing_is_served_and_the_limits_are_on() {
    let ServeOptions {
        access,
        limits,
        registering,
        serving,
        socket,
        ..
    } = serve(&[]);
    assert!(!serving.classic && !serving.no_pickle && !serving.no_traceback);
    assert!(!access.insecure && socket.host.is_none() && socket.port.is_none());
    assert_eq!(limits.sync_request_timeout, Some(Duration::from_secs(30)));
    assert_eq!((limits.idle_timeout, limits.max_clients), (None, 1000));
    assert!(!registering.register);
    assert_eq!(registering.names, ["SLAVE"]);
}

#[test]
fn a_timeout_of_zero_is_none_and_fractions_count() {
    let timeout = |text: &str| {
        let options = serve(&["--sync-request-timeout", text]);
        options.limits.sync_request_timeout
    };
    assert_eq!(timeout("0"), None);
    assert_eq!(timeout("0.5"), Some(Duration::from_millis(500)));
    assert!(serve(&["--grace", "0"]).limits.grace.is_zero());
}

#[test]
fn what_makes_no_sense_is_refused() {
    for arguments in [
        &["--sync-request-timeout", "-1"][..],
        &["--sync-request-timeout", "soon"],
        &["--sync-request-timeout", "NaN"],
        &["--sync-request-timeout", "inf"],
        &["--port", "65536"],
        &["--max-clients", "0"],
        &["--host", ""],
        &["--no-such-flag"],
        &["--classic", "man"],
        &["completions", "tcsh"],
    ] {
        assert!(matches!(parse(arguments), Ok(Err(_))), "{arguments:?}");
    }
}

#[test]
fn every_option_has_a_variable_of_its_name_and_every_switch_its_opposite() {
    let command = command();
    check_options(&command, "RPYC_SERVER_");
    let registry = command.find_subcommand("registry").expect("is there");
    check_options(registry, "RPYC_REGISTRY_");
}

#[test]
fn the_short_help_shows_what_people_use_and_the_long_one_everything() {
    let mut command = wrap::wrapped(command());
    let short = String::from_utf8(help_short()).expect("text");
    let long = command.render_long_help().to_string();
    let shows = |help: &str, name: &str| {
        // `-p, --port <PORT>  TCP port to listen on`
        let lines = help.lines().map(str::trim_start);
        let mut lines = lines.filter(|line| line.starts_with('-'));
        lines.any(|line| {
            let mut words = line.split_whitespace().take(2);
            words.any(|word| word == format!("--{name}"))
        })
    };
    let options = serve_options();
    assert!(options.len() > 40);
    for option in &options {
        assert!(shows(&long, option.name()), "{option:?}");
        assert_eq!(shows(&short, option.name()), option.in_short.is_some());
    }
    let in_short = options.iter().filter(|option| option.in_short.is_some());
    assert_eq!(in_short.count(), 15);
    assert!(short.contains("--help"));
    // One screen.
    assert!(short.lines().count() <= 40, "{short}");
    assert!(short.lines().all(|line| line.len() <= 100), "{short}");
}

#[test]
fn the_short_help_is_that_of_the_program_alone() {
    let short = |arguments: &[&str]| matches!(parse(arguments), Ok(Ok(Invocation::HelpShort)));
    assert!(short(&["-h"]) && short(&["--classic", "-vh"]));
    assert!(!short(&["--help"]) && !short(&["ping", "-h"]) && !short(&["registry", "-h"]));
}

#[test]
fn every_option_of_a_client_has_a_variable_of_its_name() {
    for command in crate::program::tools::commands() {
        for arg in command.get_arguments() {
            let headed = ["Connection", "Registry"].map(Some);
            let (Some(name), true) = (arg.get_long(), headed.contains(&arg.get_help_heading()))
            else {
                continue;
            };
            let variable = match name {
                "connect" => "RPYC_CONNECT".to_owned(),
                name => format!("RPYC_CLIENT_{}", name.to_uppercase().replace('-', "_")),
            };
            let given = arg.get_env().and_then(|variable| variable.to_str());
            assert_eq!(given, Some(&*variable), "{}: --{name}", command.get_name());
        }
    }
}

fn check_options(command: &Command, prefix: &str) {
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let name = arg.get_long().expect("an option, not an argument");
        let variable = format!("{prefix}{}", name.to_uppercase().replace('-', "_"));
        let given = arg.get_env().and_then(|variable| variable.to_str());
        assert_eq!(given, Some(&*variable), "--{name}");
        assert!(arg.get_help_heading().is_some(), "--{name} is in no group");
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            let opposite = opposite(name);
            let mut args = command.get_arguments();
            assert!(
                args.any(|arg| arg.get_long() == Some(&opposite) && arg.is_hide_set()),
                "--{opposite}"
            );
        }
    }
}

#[test]
fn of_quiet_and_verbose_the_last_one_counts() {
    let logging = |arguments| {
        let logging = serve(arguments).logging;
        (logging.quiet, logging.verbose)
    };
    assert_eq!(logging(&["--quiet", "--verbose"]), (false, true));
    assert_eq!(logging(&["-v", "-q"]), (true, false));
    assert_eq!(logging(&["-v", "--no-verbose"]), (false, false));
}

#[test]
fn the_config_file_gives_options_and_flags_win() {
    let text = "port = 0\nclassic = true\nhost = \"::1\"\nsync-request-timeout = 1.5\n";
    let options = serve_with_file(text, &["--port", "7", "--no-classic"]);
    assert_eq!(options.socket.host.as_deref(), Some("::1"));
    assert_eq!(options.socket.port, Some(7));
    let timeout = options.limits.sync_request_timeout;
    assert_eq!(timeout, Some(Duration::from_millis(1500)));
    assert!(!options.serving.classic);
    assert!(serve_with_file(text, &[]).serving.classic);
    assert!(!serve_with_file("classic = false", &[]).serving.classic);
    assert!(
        serve_with_file("classic = false", &["--classic"])
            .serving
            .classic
    );
}

#[test]
fn a_config_file_with_several_servers_has_a_command_line_for_each() {
    let text = "port = 1\nmax-clients = 5\nshared = true\n[[server]]\nservice = \"lab:Magnet\"\nport = 2\n\
                max-clients = 6\n[[server]]\nservice = \"lab:Coil\"\nshared = false\n";
    let file = config_file(text);
    let path = file.path().to_str().expect("a plain path");
    let shown = |options: &ServeOptions| {
        let (service, socket) = (&options.service, &options.socket);
        let place = service.place.clone().unwrap_or_default();
        (
            place,
            service.shared,
            socket.port,
            options.limits.max_clients,
        )
    };
    let servers = serve_all(&["--config", path]);
    let expected = [
        ("lab:Magnet".to_owned(), true, Some(2), 6),
        ("lab:Coil".to_owned(), false, Some(1), 5),
    ];
    assert_eq!(servers.iter().map(shown).collect::<Vec<_>>(), expected);
    // The command line wins in each.
    let servers = serve_all(&["--config", path, "--port", "0", "--max-clients=7"]);
    let ports = servers
        .iter()
        .map(|options| (options.socket.port, options.limits.max_clients));
    assert_eq!(ports.collect::<Vec<_>>(), [(Some(0), 7), (Some(0), 7)]);
    // Each one's own command line is that of one server, whatever becomes of the file.
    drop(file);
    for (options, expected) in servers.iter().zip(expected) {
        let arguments = options
            .arguments
            .iter()
            .filter_map(|argument| argument.to_str());
        let again = serve(&arguments.collect::<Vec<_>>());
        assert_eq!(again.service.place, Some(expected.0));
        assert_eq!(again.arguments, options.arguments);
    }
    let file = config_file(text);
    let path = file.path().to_str().expect("a plain path");
    for flags in [&["--classic"][..], &["--service", "lab:Other"]] {
        let refused = parse(&[&["--config", path], flags].concat()).expect_err("which server?");
        let refused = refused.report();
        assert!(
            refused.contains("the servers are those of --config"),
            "{refused}"
        );
    }
}

#[test]
fn the_config_file_of_the_page_on_python_is_understood() {
    let page = include_str!("../../../../docs/python.md");
    let (_, begins) = page.split_once("```toml\n").expect("an example");
    let (text, _) = begins.split_once("```").expect("its end");
    let file = config_file(text);
    let path = file.path().to_str().expect("a plain path");
    let servers = serve_all(&["--config", path]);
    let places = servers
        .iter()
        .map(|server| (server.name(), server.socket.port));
    let expected = [
        ("lab.magnets:MagnetService", Some(18861)),
        ("lab.camera:Camera", Some(18862)),
    ];
    assert_eq!(places.collect::<Vec<_>>(), expected);
}

/// What became of the options, as a text; not where they were given.
fn became(arguments: &[&str]) -> Option<String> {
    match parse(arguments) {
        Ok(Ok(Invocation::Serve(mut servers))) => {
            for options in &mut servers {
                options.given.clear();
                options.arguments.clear();
            }
            Some(format!("{servers:?}"))
        }
        Ok(Ok(Invocation::Registry(options))) => Some(format!("{options:?}")),
        _ => None,
    }
}

#[test]
fn every_option_means_the_same_in_the_config_file_as_on_the_command_line() {
    // One of them is a value of each option, and not its default.
    let samples = [
        "7",
        "127.0.0.1",
        "10.0.0.0/8",
        "pool",
        "json",
        "TCP",
        "7:7",
        "etcd",
    ];
    let root = command();
    let registry = root.find_subcommand("registry").expect("is there");
    for (command, words, table) in [
        (&root, &[][..], ""),
        (registry, &["registry"], "[registry]"),
    ] {
        let default = became(words).expect("the defaults");
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let names = shown.filter_map(|arg| arg.get_long());
        let names: Vec<&str> = names
            .filter(|name| !["check", "config", "help", "version"].contains(name))
            .collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            let flag = format!("--{name}");
            let switch = [words, &[&flag]].concat();
            let sample = |sample: &str| {
                Some((
                    became(&[words, &[&flag, sample]].concat())?,
                    format!("{sample:?}"),
                ))
            };
            let mut given = samples.iter().filter_map(|text| sample(text));
            let given = match became(&switch) {
                Some(given) => Some((given, "true".to_owned())),
                None => given.find(|(given, _)| *given != default),
            };
            let (given, value) = given.unwrap_or_else(|| panic!("no value for --{name}"));
            assert_ne!(given, default, "--{name}");
            let file = config_file(&format!("{table}\n{name} = {value}\n"));
            let path = file.path().to_str().expect("a plain path");
            let read = became(&[words, &["--config", path]].concat());
            assert_eq!(read.as_ref(), Some(&given), "{name} = {value}");
        }
    }
}

#[test]
fn a_wrong_config_file_is_refused_with_the_line_and_the_way_out() {
    for (text, expected) in [
        (
            "# a comment\nprot = 1\n",
            "FILE, line 2: prot is no option\n  Did you mean port?",
        ),
        (
            "\n\nport = 65536",
            "line 3: port: 65536 is not in 0..=65535",
        ),
        ("port = [1, 2]", "line 1: port takes one value, not a list"),
        ("classic = 1", "line 1: classic is true or false"),
        ("no-classic = true", "line 1: no-classic is no option"),
        ("config = \"other\"", "line 1: config is no option"),
        ("port = 1\nport = 2", "line 2: duplicate key"),
        ("port = ", "line 1: "),
        (
            "[server]\nport = 1",
            "line 1: server is a list of tables, [[server]]",
        ),
        (
            "server = [1]",
            "line 1: server is a list of tables, [[server]]",
        ),
        (
            "[[server]]\nprot = 1",
            "line 2: prot is no option\n  Did you mean port?",
        ),
        (
            "[[server]]\nport = 1\n\n[[server]]\nlogfile = \"x\"",
            "line 5: logfile is an option of the program, which all its servers share\n  Write it above",
        ),
        (
            "[[server]]\n[[server.server]]\nport = 1",
            "line 2: server is no option",
        ),
        ("host = \"\"", "line 1: host: "),
        (
            "port = 1\n[registry]\nprot = 1",
            "line 3: prot is no option\n  Did you mean port?",
        ),
        ("registry = 7", "line 1: registry is a table"),
        ("[registry]\nport = 70000", "line 2: port: "),
        ("check = true", "line 1: check is no option"),
    ] {
        let refusal = refusal_of_file(text);
        assert!(refusal.contains(expected), "{text:?}: {refusal}");
    }
    let missing = parse(&["--config", "/no/such/file"]).expect_err("there is none");
    assert!(
        missing
            .report()
            .contains("--config /no/such/file: can't be read: ")
    );
}

/// What `--help` shows of a command: its options and its commands.
fn shown(command: &Command) -> Vec<String> {
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let options = args.filter_map(|arg| arg.get_long());
    let commands = command.get_subcommands().map(Command::get_name);
    options.chain(commands).map(str::to_owned).collect()
}

#[test]
fn completions_name_every_option_and_command_in_each_shell() {
    let root = command();
    let commands = root.get_subcommands().chain([&root]);
    let words: Vec<String> = commands.flat_map(shown).collect();
    assert!(words.len() > 100, "{words:?}");
    for shell in [
        Shell::Bash,
        Shell::Elvish,
        Shell::Fish,
        Shell::PowerShell,
        Shell::Zsh,
    ] {
        let script = String::from_utf8(completions(shell)).expect("text");
        for word in &words {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
}

#[test]
fn the_man_pages_have_every_option_and_an_unknown_command_has_none() {
    let page = |name: Option<&str>| {
        man(name.map(str::to_owned)).map(|page| String::from_utf8(page).expect("text"))
    };
    let root = command();
    for command in root.get_subcommands().chain([&root]) {
        let name = command.get_name();
        let text = page((name != NAME).then_some(name)).expect("a page");
        for word in shown(command) {
            let word = word.replace('-', "\\-");
            assert!(text.contains(&word), "{name}: no {word} in {text}");
        }
    }
    let program = page(None).expect("a page");
    for text in [".TH rpyc-server", "RPYC_SERVER_PORT", "Exit codes"] {
        assert!(program.contains(text), "no {text} in {program}");
    }
    assert!(page(Some("no-such-command")).is_err());
}

#[track_caller]
fn registry(arguments: &[&str]) -> RegistryOptions {
    match parse(&[&["registry"], arguments].concat()) {
        Ok(Ok(Invocation::Registry(options))) => *options,
        other => panic!("no registry: {other:?}"),
    }
}

#[test]
fn a_registry_has_the_switches_and_defaults_of_pythons() {
    use crate::registry::Transport;

    let options = registry(&[]);
    assert_eq!((options.transport, options.port), (Transport::Udp, 18811));
    assert_eq!((options.host(), options.listing), ("0.0.0.0", false));
    assert_eq!(options.timeout, Duration::from_secs(240));
    let arguments = "-m TCP -6 -p 1 -l true -t 5 -q yes --logfile f".split(' ');
    let options = registry(&arguments.collect::<Vec<_>>());
    assert_eq!((options.transport, options.port), (Transport::Tcp, 1));
    assert_eq!((options.host(), options.listing), ("::", true));
    assert!(options.logging.quiet && options.logging.logfile.is_some());
    assert!(registry(&["--listing"]).listing && !registry(&["--listing=no"]).listing);
}

#[test]
fn a_registrys_options_stand_in_a_table_of_the_config_file() {
    let file = config_file("port = 1\n[registry]\nport = 2\nallow = [\"10.0.0.0/8\", \"::1\"]");
    let path = file.path().to_str().expect("a plain path");
    let options = registry(&["--config", path]);
    assert_eq!((options.port, options.allow.len()), (2, 2));
    let options = registry(&["--config", path, "--allow", "192.0.2.0/24"]);
    assert_eq!(options.allow.len(), 1);
    assert_eq!(serve(&["--config", path]).socket.port, Some(1));
}

#[test]
fn the_classic_server_has_the_switches_of_pythons() {
    let arguments = "-m oneshot -p 1 --host h --ipv6 --logfile f -q --register \
                     --registry-type TCP --registry-host r --registry-port 2 \
                     --ssl-keyfile k --ssl-certfile c --ssl-cafile a";
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let options = serve(&arguments);
    assert_eq!(options.serving.mode, ServeMode::OneShot);
    assert!(options.socket.ipv6 && options.logging.quiet);
    let access = options.access;
    assert!(access.ssl_keyfile.is_some() && access.ssl_certfile.is_some());
    assert!(access.ssl_cafile.is_some());
    let registering = options.registering;
    assert!(registering.register);
    assert_eq!(
        (
            registering.directory.host.as_deref(),
            registering.directory.port
        ),
        (Some("r"), 2)
    );
}

#[test]
fn sizes_are_bytes_or_have_a_unit() {
    let size = |text: &str| match parse(&["--max-frame", text]) {
        Ok(Ok(Invocation::Serve(servers))) => Some(servers.first()?.limits.max_frame),
        _ => None,
    };
    assert_eq!(size("1000"), Some(1_000));
    assert_eq!(size("64KiB"), Some(65_536));
    assert_eq!(size("1GiB"), Some(1 << 30));
    for wrong in [
        "0",
        "-1",
        "1GB",
        "many",
        "99999999999999999999",
        "18446744073709551615GiB",
    ] {
        assert_eq!(size(wrong), None, "{wrong}");
    }
}
