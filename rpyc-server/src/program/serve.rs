//! A plan to a running server, until it is stopped.

use std::ffi::OsString;
use std::io::{self, Write};
use std::thread;

use crate::auth::Access;
use crate::metrics::{Metrics, MetricsEndpoint};
use crate::{
    Address, Builder, ChildCommand, InheritedClient, ListenError, Listener, Mode, Server, Stopper,
};
use log::{error, info, warn};
use rpyc_classic::code_pages;
use rpyc_core::service::VoidService;

use crate::program::cli::{SERVES_CLIENT, ServeMode, ServeOptions};
use crate::program::failure::Failure;
use crate::program::host::Host;
use crate::program::interpreter::Interpreter;
use crate::program::logging::LogFile;
use crate::program::plan::Plan;
use crate::program::register::{Facts, register};
use crate::program::user::User;
use crate::program::{check, classic, logging, offer, signals, systemd};

/// Serves until a signal stops it, or says whether it could.
pub(crate) fn run(
    servers: &[ServeOptions],
    arguments: &[OsString],
    host: &Host,
) -> Result<(), Failure> {
    // What is of the program is the same in the options of all.
    let [options, ..] = servers else {
        return Ok(());
    };
    let other = Interpreter::wanted(options, host);
    let mut python = host
        .python
        .as_ref()
        .map(|python| python.description.clone());
    // A server in process mode runs no Python itself.
    let is_apart = |options: &ServeOptions| options.serving.mode == ServeMode::Process;
    let is_check = options.serving.check;
    let mut checked: Vec<Option<String>> = vec![None; servers.len()];
    if let Some(other) = &other {
        if is_check || !servers.iter().all(is_apart) {
            return Err(other.exec(arguments));
        }
        for (options, checked) in servers.iter().zip(&mut checked) {
            let told = try_child(options, Some(other), host);
            *checked = Some(told.map_err(|failure| options.failed(failure))?);
        }
        python = checked
            .iter()
            .flatten()
            .find_map(|told| offer::python_in(told));
    }
    let plans = Plan::of_all(servers)?;
    for (options, checked) in servers.iter().zip(&mut checked) {
        let runs_code = options.service.place.is_some() || options.python.init.is_some();
        let may_fail = runs_code || options.limits.user.is_some();
        if is_apart(options) && may_fail && !is_check && checked.is_none() {
            let told = try_child(options, None, host);
            *checked = Some(told.map_err(|failure| options.failed(failure))?);
        }
    }
    if is_check {
        return report(servers, &plans, host);
    }
    let log = logging::start(&options.logging)?;
    // A process that serves one client of a server's says nothing that the server has said.
    if let Some(python) = &python
        && options.serving.mode != ServeMode::Child
    {
        info!("{python}");
    }
    for warning in plans.iter().flat_map(|plan| &plan.warnings) {
        warn!("{warning}");
    }
    // A client that is there already is taken first of all: nothing else may read from the
    // standard input, or write to the standard output.
    if let ([plan], ServeMode::Child) = (&plans[..], options.serving.mode) {
        return serve_client(InheritedClient::take(), options, plan, log, host);
    }
    if let ([plan], ServeMode::Stdio) = (&plans[..], options.serving.mode) {
        return serve_client(InheritedClient::stdio(), options, plan, log, host);
    }
    let tls = plans.iter().filter_map(|plan| plan.tls.clone()).collect();
    let signals = signals::catch(log, tls).map_err(broken)?;
    let with_python = servers.iter().find(|options| !is_apart(options));
    let evaluator = with_python.map(|options| classic::Running::start(host, options));
    let evaluator = evaluator.transpose()?;
    let mut offers = Vec::new();
    for (options, checked) in servers.iter().zip(checked) {
        offers.push(match &evaluator {
            Some(evaluator) if !is_apart(options) => {
                let offer = evaluator.offer(options);
                let offer = offer.map_err(|failure| options.failed(failure))?;
                (
                    Server::builder(offer.factory).mode(mode(options)?),
                    offer.names,
                )
            }
            _ => {
                let command = child_command(options, other.as_ref(), host)?;
                let builder = Server::builder(|| VoidService).mode(Mode::Process(command));
                (
                    builder,
                    offer::names_in(&checked.unwrap_or_default(), options),
                )
            }
        });
    }
    serve(servers, &plans, offers, python.as_deref(), signals)?;
    if let Some(evaluator) = evaluator {
        evaluator.stop();
    }
    info!("stopped");
    Ok(())
}

/// What `--check` says of options that make sense.
fn report(servers: &[ServeOptions], plans: &[Plan], host: &Host) -> Result<(), Failure> {
    for (options, plan) in servers.iter().zip(plans) {
        let can_listen = check::addresses("--host, --port", &plan.addresses);
        can_listen.map_err(|failure| options.failed(failure))?;
        match (options.serving.mode, options.limits.user) {
            // The server's own, which that user may not have.
            (ServeMode::Child, _) => {}
            (mode, user) => {
                check::addresses("--metrics", options.operations.metrics.as_slice())?;
                if mode == ServeMode::Process && user.is_some() {
                    let can_start = can_start(options, host);
                    can_start.map_err(|failure| options.failed(failure))?;
                }
            }
        }
        for warning in &plan.warnings {
            // Nothing is left to do when nobody listens.
            let _ = writeln!(io::stderr(), "rpyc-server: {warning}");
        }
    }
    let python = host.python.as_ref();
    let python = python.map_or(String::new(), |python| format!("{}\n", python.description));
    let mut text = format!("configuration OK\n{python}");
    let runs_code = |options: &&ServeOptions| {
        options.service.place.is_some() || options.serving.mode == ServeMode::Child
    };
    let running = servers.iter().find(runs_code);
    let with_init = servers.iter().find(|options| options.python.init.is_some());
    if let (None, Some(options)) = (running, with_init) {
        classic::Running::check_syntax(host, options)?;
    }
    let evaluator = running.map(|options| classic::Running::start(host, options));
    let evaluator = evaluator.transpose()?;
    for (options, plan) in servers.iter().zip(plans) {
        if !options.is_alone {
            text.push_str(&format!(
                "{} at {}\n",
                options.name(),
                places(options, plan)
            ));
        }
        if let (Some(evaluator), Some(_)) = (&evaluator, &options.service.place) {
            let offer = evaluator.offer(options);
            let offer = offer.map_err(|failure| options.failed(failure))?;
            text.push_str(&offer::line_of_names(&offer.names));
        }
    }
    if let Some(evaluator) = evaluator {
        evaluator.stop();
    }
    crate::program::print::print(text.as_bytes())
}

/// Where a server is going to listen, for people.
fn places(options: &ServeOptions, plan: &Plan) -> String {
    let tcp = plan.addresses.first().map(ToString::to_string);
    let unix = options.socket.unix.as_ref();
    let unix = unix.map(|path| format!("unix:{}", path.display()));
    let places: Vec<String> = tcp.into_iter().chain(unix).collect();
    places.join(", ")
}

/// How the process itself serves clients.
fn mode(options: &ServeOptions) -> Result<Mode, Failure> {
    match options.serving.mode {
        ServeMode::OneShot => Ok(Mode::OneShot),
        ServeMode::Pool => pool(options.serving.workers),
        ServeMode::Child | ServeMode::Process | ServeMode::Stdio | ServeMode::Threaded => {
            Ok(Mode::Threaded)
        }
    }
}

/// Serves until a signal stops it: each server as its builder says, under these names.
fn serve(
    options: &[ServeOptions],
    plans: &[Plan],
    offers: Vec<(Builder, Vec<String>)>,
    python: Option<&str>,
    signals: signals::Caught,
) -> Result<(), Failure> {
    let endpoint = options.first().map(metrics).transpose()?.flatten();
    let mut servers = Vec::new();
    for ((options, plan), (builder, names)) in options.iter().zip(plans).zip(offers) {
        let listeners = listen(options, plan).map_err(|failure| options.failed(failure))?;
        let limits = &options.limits;
        let mut builder = configure(builder, options, plan).max_clients(limits.max_clients);
        if let Some(max_clients) = limits.max_clients_per_address {
            builder = builder.max_clients_per_address(max_clients);
        }
        if let Some((metrics, _)) = &endpoint {
            builder = builder.metrics(metrics.clone());
        }
        if servers.is_empty() {
            // All of them listen before the first one begins.
            builder = systemd::keep_informed(builder);
        }
        let evaluator = python.unwrap_or("RustPython");
        let facts = Facts::of(limits.max_clients, evaluator);
        let server = register(builder, options, plan, names, facts.clone()).serve_on(listeners);
        let failed = |error| Failure::new("the server can't start").because(error);
        let server = server.map_err(failed)?;
        facts.count(&server);
        servers.push(server);
    }
    obey(signals, &servers)?;
    // The start is over: for whoever waits for the lines that follow, and for good.
    code_pages::give_back();
    for ((options, plan), server) in options.iter().zip(plans).zip(&servers) {
        if !options.is_alone {
            info!("serving {}", options.name());
        }
        for address in server.addresses() {
            announce(address, options, plan);
        }
        if options.serving.mode == ServeMode::OneShot {
            print_address(server.addresses())?;
        }
    }
    code_pages::give_back();
    run_all(servers).map_err(broken)?;
    drop(endpoint); // it is there for as long as they are
    Ok(())
}

/// Runs servers until one of them ends, which ends the others.
fn run_all(mut servers: Vec<Server>) -> io::Result<()> {
    let Some(last) = servers.pop() else {
        return Ok(());
    };
    let stoppers: Vec<_> = servers.iter().chain([&last]).map(Server::stopper).collect();
    let run = |server: Server| {
        let outcome = server.run();
        stoppers.iter().for_each(Stopper::stop);
        outcome
    };
    thread::scope(|scope| {
        let mut others = Vec::new();
        for server in servers {
            let thread = thread::Builder::new().name("rpyc-accept".to_owned());
            match thread.spawn_scoped(scope, || run(server)) {
                Ok(other) => others.push(other),
                Err(error) => {
                    stoppers.iter().for_each(Stopper::stop);
                    return Err(error);
                }
            }
        }
        let outcome = run(last);
        let ended = |other: thread::ScopedJoinHandle<'_, io::Result<()>>| {
            let panicked = |_| Err(io::Error::other("the server has panicked"));
            other.join().unwrap_or_else(panicked)
        };
        others.into_iter().map(ended).fold(outcome, Result::and)
    })
}

/// Serves the client for whom this process was started, and ends with it.
fn serve_client(
    client: io::Result<InheritedClient>,
    options: &ServeOptions,
    plan: &Plan,
    log: LogFile,
    host: &Host,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new("the client can't be served").because(error);
    let mut client = client.map_err(failed)?;
    let peer = client.peer().clone();
    // Its server sends some as soon as the client is taken over.
    let tls = plan.tls.clone().into_iter().collect();
    let signals = signals::catch(log, tls).map_err(broken)?;
    // A stranger doesn't get an evaluator.
    if let Some(access) = access(plan) {
        client = match client.authenticate(&access, options.limits.handshake_timeout) {
            Ok(client) => client,
            Err(rejection) => {
                let refused = Failure::new(format!("client {peer} refused")).because(rejection);
                warn!("{}", refused.with_causes());
                (host.exit)(ChildCommand::REFUSED);
            }
        };
    }
    let started = classic::Running::start(host, options);
    let started = started.and_then(|evaluator| Ok((evaluator.offer(options)?, evaluator)));
    let (offer, evaluator) = match started {
        Ok(started) => started,
        // Whoever looks for the reason looks into the log of its server.
        Err(failure) if options.serving.mode == ServeMode::Child => {
            error!("client {peer} isn't served: {}", failure.with_causes());
            (host.exit)(failure.exit_code());
        }
        Err(failure) => return Err(failure),
    };
    let builder = configure(Server::builder(offer.factory), options, plan);
    let server = builder
        .serve_client(client)
        .map_err(|error| Failure::new("the client can't be served").because(error))?;
    obey(signals, std::slice::from_ref(&server))?;
    options.limits.of_process().apply().map_err(failed)?;
    server.run().map_err(broken)?;
    evaluator.stop();
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn pool(workers: u16) -> Result<Mode, Failure> {
    let workers = workers.into();
    Ok(Mode::Pool { workers })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn pool(_: u16) -> Result<Mode, Failure> {
    Err(Failure::usage("--mode pool needs Linux").hint("Take --mode threaded."))
}

/// This program with the same options, and the one that tells it to serve a client.
fn child_command(
    options: &ServeOptions,
    other: Option<&Interpreter>,
    host: &Host,
) -> Result<ChildCommand, Failure> {
    let program = child_program(options, other, host)?;
    let command = options.arguments.iter().fold(program, ChildCommand::arg);
    // This program starts no others.
    let command = command.arg(format!("--{SERVES_CLIENT}"));
    Ok(command.adopt_orphans())
}

/// The same without arguments.
fn child_program(
    options: &ServeOptions,
    other: Option<&Interpreter>,
    host: &Host,
) -> Result<ChildCommand, Failure> {
    let here = Interpreter::of(host);
    let program = match other.or(here.as_ref()) {
        Some(python) => python.child_command()?,
        None => ChildCommand::this_program().map_err(|error| {
            Failure::new("this program doesn't know its own path").because(error)
        })?,
    };
    Ok(match options.limits.user {
        Some(User { user, group }) => program.user(user, group),
        None => program,
    })
}

/// Starts all that the process of a client starts, in such a process without one: what it says of that.
fn try_child(
    options: &ServeOptions,
    other: Option<&Interpreter>,
    host: &Host,
) -> Result<String, Failure> {
    let command = child_command(options, other, host)?.arg("--check");
    run_apart(command, options, other)
}

/// Whether the processes of clients can be started.
fn can_start(options: &ServeOptions, host: &Host) -> Result<(), Failure> {
    let command = child_program(options, None, host)?.arg("--version");
    run_apart(command, options, None).map(drop)
}

fn run_apart(
    command: ChildCommand,
    options: &ServeOptions,
    other: Option<&Interpreter>,
) -> Result<String, Failure> {
    let (command, program) = command.program();
    let Some(User { user, .. }) = options.limits.user else {
        return check::apart(command, || match other {
            Some(python) => python.unusable(),
            None => Failure::new(format!("{}: can't be run", program.display())),
        });
    };
    let failed = || {
        let program = program.display();
        Failure::usage(format!("{program} can't be run as user {user}")).hint(
            "That user has to be able to run the program, and what it reads: keep that out of others' home \
             folders, or give --user another one.",
        )
    };
    check::apart(command, failed).map_err(|failure| failure.at("a client's process, of --user"))
}

fn configure(builder: Builder, options: &ServeOptions, plan: &Plan) -> Builder {
    let limits = &options.limits;
    let builder = builder
        .connection_config(plan.config.clone())
        .grace(limits.grace)
        .handshake_timeout(limits.handshake_timeout)
        .keepalive(limits.keepalive);
    match access(plan) {
        Some(access) => builder.authenticator(access),
        None => builder,
    }
}

/// Who gets in, if clients are to be asked anything at all.
fn access(plan: &Plan) -> Option<Access> {
    let asks = plan.tls.is_some() || !plan.access.is_open();
    asks.then(|| plan.access.clone())
}

/// Has the servers do what the signals say, and the processes of their clients as well.
fn obey(signals: signals::Caught, servers: &[Server]) -> Result<(), Failure> {
    let stoppers: Vec<Stopper> = servers.iter().map(Server::stopper).collect();
    let of_clients = stoppers.clone();
    let obeyed = signals.stop_with(
        move || stoppers.iter().for_each(Stopper::stop),
        move || of_clients.iter().for_each(Stopper::hang_up),
    );
    obeyed.map_err(broken)
}

fn broken(error: io::Error) -> Failure {
    Failure::new("the server can't go on").because(error)
}

/// The endpoint of the metrics, if it was asked for.
fn metrics(options: &ServeOptions) -> Result<Option<(Metrics, MetricsEndpoint)>, Failure> {
    let Some(address) = options.operations.metrics else {
        return Ok(None);
    };
    let metrics = Metrics::new();
    match MetricsEndpoint::start(address, metrics.clone()) {
        Ok(endpoint) => {
            info!("metrics at http://{}/metrics", endpoint.address());
            Ok(Some((metrics, endpoint)))
        }
        Err(error) => {
            Err(Failure::new(format!("--metrics {address}: can't be had")).because(error))
        }
    }
}

fn listen(options: &ServeOptions, plan: &Plan) -> Result<Vec<Listener>, Failure> {
    let inherited = systemd::inherited().map_err(|error| {
        Failure::new("LISTEN_FDS: an inherited socket can't be served").because(error)
    })?;
    if !inherited.is_empty() && !options.is_alone {
        return Err(Failure::usage(
            "LISTEN_FDS: nothing says which server an inherited socket is for",
        )
        .hint("Start a program for each server, each with its own socket."));
    }
    if !inherited.is_empty() {
        let is_unsafe = |socket: &Listener| !plan.guard.suffices(socket.address());
        if inherited.iter().any(is_unsafe) {
            return Err(plan.guard.refusal("the inherited socket (LISTEN_FDS)"));
        }
        return Ok(inherited);
    }
    let mut listeners = Vec::new();
    if !plan.addresses.is_empty() {
        let listener = Listener::tcp(&plan.addresses[..]);
        listeners.push(listener.map_err(|error| port_cant_be_had(plan.port, error))?);
    }
    if let Some(path) = &options.socket.unix {
        let listener = Listener::unix_with_mode(path, options.socket.unix_mode);
        listeners.push(listener.map_err(|error| {
            let failure = Failure::new(format!("--unix {} can't be had", path.display()));
            failure.because(error)
        })?);
    }
    Ok(listeners)
}

fn port_cant_be_had(port: u16, error: ListenError) -> Failure {
    if !error.is_in_use() {
        return Failure::new("--host, --port: the address can't be had").because(error);
    }
    let failure = Failure::new(format!("--port {port} can't be had")).because(error);
    failure.hint(
        "Another program listens there: take another port with --port, or a free one with \
         --port 0.",
    )
}

/// What a program reads that started this one for itself.
fn print_address(addresses: &[Address]) -> Result<(), Failure> {
    let Some(address) = addresses.iter().find_map(Address::tcp) else {
        return Ok(());
    };
    let text = format!("rpyc-oneshot\n{}\t{}\n", address.ip(), address.port());
    let mut stdout = io::stdout();
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    printed.map_err(Failure::stdout)
}

fn announce(address: &Address, options: &ServeOptions, plan: &Plan) {
    info!("listening on {address}");
    // The words that programs wait for which start Python's server.
    match address {
        Address::Tcp(tcp) => info!("server started on [{}]:{}", tcp.ip(), tcp.port()),
        Address::Unix(Some(path)) => info!("server started on []:{}", path.display()),
        Address::Unix(None) => {}
    }
    let is_reachable = plan.guard.lets_strangers_in(address);
    let Some(address) = address.tcp() else {
        return;
    };
    let host = match address.ip() {
        ip if ip.is_unspecified() => "this machine's name".to_owned(),
        ip => format!("\"{ip}\""),
    };
    let module = if options.serving.classic {
        "rpyc.classic"
    } else {
        "rpyc"
    };
    let (function, port) = (
        if plan.tls.is_some() {
            "ssl_connect"
        } else {
            "connect"
        },
        address.port(),
    );
    let ipv6 = if address.is_ipv6() { ", ipv6=True" } else { "" };
    if options.access.secret_file.is_some() {
        info!("clients are asked for the secret: docs/operations.md has the lines for Python");
    } else {
        info!("from Python: import rpyc; conn = {module}.{function}({host}, port={port}{ipv6})");
    }
    if is_reachable {
        let may = match options.serving.classic {
            true => "run any code as this user",
            false => "use the service",
        };
        warn!("whoever reaches {address} can {may} (--insecure)");
    }
}
