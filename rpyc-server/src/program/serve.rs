//! A plan to a running server, until it is stopped.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::Access;
use crate::metrics::{Metrics, MetricsEndpoint};
use crate::registry::Registration;
use crate::{Address, Builder, ChildCommand, InheritedClient, ListenError, Listener, Mode, Server};
use log::{error, info, warn};
use rpyc_core::service::VoidService;

use crate::program::cli::{SERVES_CLIENT, ServeMode, ServeOptions};
use crate::program::failure::Failure;
use crate::program::host::Host;
use crate::program::interpreter::Interpreter;
use crate::program::logging::LogFile;
use crate::program::plan::Plan;
use crate::program::user::User;
use crate::program::{check, classic, logging, offer, signals, systemd};

/// Serves until a signal stops it, or says whether it could.
pub(crate) fn run(
    options: &ServeOptions,
    arguments: &[OsString],
    host: &Host,
) -> Result<(), Failure> {
    let other = Interpreter::wanted(options, host);
    let mut python = host
        .python
        .as_ref()
        .map(|python| python.description.clone());
    // A server in process mode runs no Python itself.
    let (mode, is_check) = (options.serving.mode, options.serving.check);
    let mut checked = None;
    if let Some(other) = &other {
        match mode == ServeMode::Process && !is_check {
            true => checked = Some(other.check(arguments)?),
            false => return Err(other.exec(arguments)),
        }
        python = checked.as_deref().and_then(offer::python_in);
    }
    let plan = Plan::new(options)?;
    if mode == ServeMode::Process
        && !is_check
        && options.service.place.is_some()
        && checked.is_none()
    {
        checked = Some(match Interpreter::of(host) {
            Some(python) => python.check(arguments)?,
            None => offer::check_apart(arguments)?,
        });
    }
    if options.serving.check {
        check::addresses("--host, --port", &plan.addresses)?;
        check::addresses("--metrics", options.operations.metrics.as_slice())?;
        for warning in &plan.warnings {
            // Nothing is left to do when nobody listens.
            let _ = writeln!(io::stderr(), "rpyc-server: {warning}");
        }
        return report(options, host);
    }
    let log = logging::start(&options.logging)?;
    // A process that serves one client of a server's says nothing that the server has said.
    if let Some(python) = python.filter(|_| mode != ServeMode::Child) {
        info!("{python}");
    }
    for warning in &plan.warnings {
        warn!("{warning}");
    }
    // A client that is there already is taken first of all: nothing else may read from the
    // standard input, or write to the standard output.
    let mode = match options.serving.mode {
        ServeMode::Child => {
            return serve_client(InheritedClient::take(), options, &plan, log, host);
        }
        ServeMode::Stdio => {
            return serve_client(InheritedClient::stdio(), options, &plan, log, host);
        }
        ServeMode::Process => Mode::Process(child_command(options, other, arguments, host)?),
        ServeMode::OneShot => Mode::OneShot,
        ServeMode::Pool => pool(options.serving.workers)?,
        ServeMode::Threaded => Mode::Threaded,
    };
    let signals = signals::catch(log, plan.tls.clone()).map_err(broken)?;
    if options.serving.mode == ServeMode::Process {
        let builder = Server::builder(|| VoidService).mode(mode);
        let names = offer::names_in(&checked.unwrap_or_default(), options);
        return serve(builder, options, &plan, names, signals);
    }
    let evaluator = classic::Running::start(host, options)?;
    let offer = evaluator.offer(options)?;
    let builder = Server::builder(offer.factory).mode(mode);
    serve(builder, options, &plan, offer.names, signals)?;
    evaluator.stop();
    info!("stopped");
    Ok(())
}

/// What `--check` says of options that make sense.
fn report(options: &ServeOptions, host: &Host) -> Result<(), Failure> {
    let names = match &options.service.place {
        Some(_) => {
            let evaluator = classic::Running::start(host, options)?;
            let offer = evaluator.offer(options)?;
            evaluator.stop();
            offer::line_of_names(&offer.names)
        }
        None => String::new(),
    };
    let python = host.python.as_ref();
    let python = python.map_or(String::new(), |python| format!("{}\n", python.description));
    crate::program::print(format!("configuration OK\n{python}{names}").as_bytes())
}

/// Serves until a signal stops it.
fn serve(
    builder: Builder,
    options: &ServeOptions,
    plan: &Plan,
    names: Vec<String>,
    signals: signals::Caught,
) -> Result<(), Failure> {
    let listeners = listen(options, plan)?;
    let limits = &options.limits;
    let mut builder = configure(builder, options, plan).max_clients(limits.max_clients);
    if let Some(max_clients) = limits.max_clients_per_address {
        builder = builder.max_clients_per_address(max_clients);
    }
    let endpoint = metrics(options)?;
    if let Some((metrics, _)) = &endpoint {
        builder = builder.metrics(metrics.clone());
    }
    let server = systemd::keep_informed(register(builder, options, plan, names))
        .serve_on(listeners)
        .map_err(|error| Failure::new("the server can't start").because(error))?;
    for address in server.addresses() {
        announce(address, options, plan);
    }
    if options.serving.mode == ServeMode::OneShot {
        print_address(server.addresses())?;
    }
    obey(signals, &server)?;
    server.run().map_err(broken)?;
    drop(endpoint);
    Ok(())
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
    let signals = signals::catch(log, plan.tls.clone()).map_err(broken)?;
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
    let evaluator = classic::Running::start(host, options)?;
    let offer = evaluator.offer(options)?;
    let builder = configure(Server::builder(offer.factory), options, plan);
    let server = builder
        .serve_client(client)
        .map_err(|error| Failure::new("the client can't be served").because(error))?;
    obey(signals, &server)?;
    options.limits.process.apply().map_err(failed)?;
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
    other: Option<Interpreter>,
    arguments: &[OsString],
    host: &Host,
) -> Result<ChildCommand, Failure> {
    let program = match other.or_else(|| Interpreter::of(host)) {
        Some(python) => python.child_command()?,
        None => ChildCommand::this_program().map_err(|error| {
            Failure::new("this program doesn't know its own path").because(error)
        })?,
    };
    let command = arguments.iter().fold(program, ChildCommand::arg);
    // This program starts no others.
    let command = command.arg(format!("--{SERVES_CLIENT}")).adopt_orphans();
    Ok(match options.limits.user {
        Some(User { user, group }) => command.user(user, group),
        None => command,
    })
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

/// Has the server do what the signals say, and the processes of its clients as well.
fn obey(signals: signals::Caught, server: &Server) -> Result<(), Failure> {
    let (stopper, of_clients) = (server.stopper(), server.stopper());
    let obeyed = signals.stop_with(move || stopper.stop(), move || of_clients.hang_up());
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

/// Has the server register when it begins to serve, and unregister when it stops.
fn register(builder: Builder, options: &ServeOptions, plan: &Plan, names: Vec<String>) -> Builder {
    let Some(registry) = plan.registry.clone() else {
        return builder;
    };
    let advertise_port = options.registering.advertise_port;
    let registration = Arc::new(Mutex::new(None));
    let started = registration.clone();
    builder
        .on_start(move |addresses| {
            let port = addresses
                .iter()
                .find_map(|address| Some(address.tcp()?.port()));
            let Some(port) = advertise_port.or(port) else {
                return;
            };
            let names = names.iter().map(String::as_str);
            match Registration::start(registry, names, port) {
                Ok(registration) => {
                    *started.lock().unwrap_or_else(PoisonError::into_inner) = Some(registration);
                }
                Err(error) => error!("not registered: no thread for it: {error}"),
            }
        })
        .on_stop(move || {
            let registration = registration.lock();
            drop(registration.unwrap_or_else(PoisonError::into_inner).take());
        })
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
