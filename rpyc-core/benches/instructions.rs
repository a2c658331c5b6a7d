//! The instructions of a null call at either end, counted by callgrind: they don't depend on what
//! else the machine does.
//!
//! `cargo count-instructions` counts; with `--check` it fails where the counts aren't those of
//! [`RECORD`], with `--record` it writes them there.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread;

use rpyc_core::object::{IdParts, ObjectRef, ObjectResult};
use rpyc_core::{Any, Args, Config, Connection, Context, Object, Service, VoidService};

type Failure = Box<dyn Error + Send + Sync>;

/// The instructions of a call, at the calling end and at the serving one.
type Counts = [f64; 2];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("calls") => make_calls(arguments.get(1).and_then(|calls| calls.parse().ok())),
        Some("--check") => check(),
        Some("--record") => record(),
        _ => count().and_then(|counts| say(&describe(counts))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// What is counted. This thread calls; the first one that it starts serves.
fn make_calls(calls: Option<usize>) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> Result<(), Failure> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let service = Arc::new(NullService(Arc::new(Root(()))));
        Connection::open(stream, service, Config::default())?.serve_all();
        Ok(())
    });
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let connection = Connection::open(stream, Arc::new(VoidService), Config::default())?;
    let Any::Netref(root) = connection.root()? else {
        return Err("the root is no netref".into());
    };
    for _ in 0..calls.ok_or("how many calls?")? {
        root.call_method("null", Args::new())?;
    }
    drop((root, connection));
    server.join().map_err(|_| "the server panicked")?
}

struct NullService(ObjectRef);

impl Service for NullService {
    fn root(&self) -> ObjectRef {
        self.0.clone()
    }
}

struct Root(());

impl Object for Root {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc_core.Null", self)
    }

    fn call_method(&self, _: &Context<'_>, name: &str, _: Args) -> ObjectResult {
        match name {
            "exposed_null" => Ok(Any::NONE),
            _ => Err(self.no_attribute(name)),
        }
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        name == "exposed_null"
    }
}

/// The difference between a long run and a short one: beginning and end aren't counted.
fn count() -> Result<Counts, Failure> {
    let available = Command::new("valgrind").arg("--version").output();
    if !available.is_ok_and(|output| output.status.success()) {
        return Err("valgrind is missing: install it (apt-get install valgrind)".into());
    }
    let (few, many) = (run(FEW)?, run(MANY)?);
    let each = |end: usize| many[end].saturating_sub(few[end]) as f64 / (MANY - FEW) as f64;
    Ok([each(0), each(1)])
}

/// The instructions of both threads in a run of so many calls.
fn run(calls: usize) -> Result<[u64; 2], Failure> {
    let out_file = format!("--callgrind-out-file={}", profile(calls).display());
    let status = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--separate-threads=yes",
            "-q",
            &out_file,
        ])
        .arg(std::env::current_exe()?)
        .args(["calls", &calls.to_string()])
        .status()?;
    if !status.success() {
        return Err(format!("{calls} calls under valgrind: {status}").into());
    }
    Ok([total(calls, 1)?, total(calls, 2)?])
}

fn total(calls: usize, thread: usize) -> Result<u64, Failure> {
    let path = profile_of(calls, thread);
    let text = fs::read_to_string(&path)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.ok_or_else(|| format!("{} has no totals", path.display()))?;
    Ok(total.trim().parse()?)
}

/// Where callgrind writes; to each thread's name it adds its number.
fn profile(calls: usize) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("instructions-of-{calls}-calls"))
}

fn profile_of(calls: usize, thread: usize) -> PathBuf {
    let mut path = profile(calls).into_os_string();
    path.push(format!("-{thread:02}"));
    path.into()
}

fn check() -> Result<(), Failure> {
    let counts = count()?;
    say(&describe(counts))?;
    let text = fs::read_to_string(RECORD)?;
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let toolchain = lines.next().unwrap_or_default();
    let recorded: Result<Vec<f64>, _> = lines
        .filter_map(|line| line.split_once(' '))
        .map(|(_, count)| count.parse())
        .collect();
    let recorded: Counts = recorded?
        .try_into()
        .map_err(|_| "two counts are recorded")?;
    let mut wrong = String::new();
    for ((end, now), before) in ENDS.iter().zip(counts).zip(recorded) {
        let change = (now / before - 1.0) * 100.0;
        if change.abs() > MARGIN {
            wrong += &format!(
                "the {end} end: {now:.0} instructions, {change:+.1} % of the {before:.0} that are recorded\n"
            );
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let here = this_toolchain()?;
    if here != toolchain {
        // Another compiler makes other code of it.
        return say(&format!(
            "{wrong}They were recorded with {toolchain}, and this is {here}."
        ));
    }
    let (calling, serving) = (profile_of(MANY, 1), profile_of(MANY, 2));
    Err(format!(
        "{wrong}\
        More than {MARGIN} % either way has to be looked at. Where they go:\n  \
        callgrind_annotate --inclusive=yes {}\n  \
        callgrind_annotate --inclusive=yes {}\n\
        If they are fewer, or what they buy is worth them, record them:\n  \
        cargo count-instructions --record\n\
        and say in the commit why they changed.",
        calling.display(),
        serving.display(),
    )
    .into())
}

fn record() -> Result<(), Failure> {
    let counts = count()?;
    let mut text =
        String::from("# The instructions of a null call at either end: benches/instructions.rs\n");
    text += &this_toolchain()?;
    text += "\n";
    for (end, count) in ENDS.iter().zip(counts) {
        text += &format!("{end} {count:.0}\n");
    }
    fs::write(RECORD, text)?;
    say(&describe(counts))
}

fn this_toolchain() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("--version").output()?;
    let version = String::from_utf8(output.stdout)?;
    Ok(format!("{} on {}", version.trim(), std::env::consts::ARCH))
}

fn describe(counts: Counts) -> String {
    let [calling, serving] = counts;
    format!(
        "a null call: {calling:.0} instructions at the calling end, {serving:.0} at the serving one"
    )
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// What is known of the counts: with which toolchain, and how many.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

const ENDS: [&str; 2] = ["calling", "serving"];

/// In percent. A run differs from the next by a few instructions a call: the watchdog's looks fall where
/// they fall.
const MARGIN: f64 = 3.0;

const FEW: usize = 500;
const MANY: usize = 2_500;
