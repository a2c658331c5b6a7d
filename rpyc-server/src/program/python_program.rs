//! [`PythonProgram`]: what is started where the options name a Python.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::ChildCommand;
use crate::program::failure::Failure;
use crate::threads;

/// A Python's program, and what it finds in its environment.
///
/// Where a script stands for the Python, as pyenv's and vendors' do, it is the program that the script
/// starts: what is started is to be what is signalled.
#[derive(Debug)]
pub(crate) struct PythonProgram {
    path: PathBuf,
    /// What the script has given it, instead of this process's.
    environment: Option<Vec<(OsString, OsString)>>,
}

impl PythonProgram {
    /// The Python that is called so.
    ///
    /// # Errors
    /// Where nothing can be started by that name, or what can is no Python.
    pub(crate) fn of(executable: &Path) -> Result<PythonProgram, Failure> {
        let found = found(executable);
        if let Some(failure) = misnamed(executable, &found) {
            return Err(failure);
        }
        match is_to_be_asked(executable, &found) {
            true => ask(executable),
            false => Ok(PythonProgram {
                path: executable.to_owned(),
                environment: None,
            }),
        }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(environment) = &self.environment {
            command.env_clear().envs(environment.iter().cloned());
        }
        command
    }

    pub(crate) fn child_command(&self) -> ChildCommand {
        let command = ChildCommand::new(&self.path);
        match &self.environment {
            Some(environment) => command.environment(environment.iter().cloned()),
            None => command,
        }
    }
}

/// A Python that can't be run.
pub(crate) fn unusable(executable: &Path) -> Failure {
    Failure::usage(format!("--python {}: can't be run", executable.display()))
        .hint("Give the path of a CPython, 3.10 or newer: /usr/bin/python3, .venv/bin/python.")
}

/// Where the system finds it.
fn found(executable: &Path) -> PathBuf {
    if is_path(executable) {
        return executable.to_owned();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).map(|folder| folder.join(executable));
    let mut found = places.filter(|place| place.is_file());
    found.next().unwrap_or_else(|| executable.to_owned())
}

/// Whether the system doesn't look for it in the folders of PATH.
fn is_path(executable: &Path) -> bool {
    executable.as_os_str().as_bytes().contains(&b'/')
}

/// What is wrong with a name that is no file's.
fn misnamed(executable: &Path, found: &Path) -> Option<Failure> {
    let failure = unusable(executable);
    if found.is_dir() {
        let failure = failure.because("it is a directory");
        let inside = ["bin/python", "bin/python3", "python", "python3"];
        let mut inside = inside.iter().map(|name| executable.join(name));
        return Some(match inside.find(|python| python.is_file()) {
            Some(python) => failure.hint(format!("Did you mean {}?", python.display())),
            None => failure,
        });
    }
    if found.exists() {
        return None;
    }
    if found.is_symlink() {
        let last = end_of_links(found);
        let why = format!(
            "it is a symbolic link to {}, which isn't there",
            last.display()
        );
        let hint = "Make that environment anew, with a Python that is there, or give another one.";
        return Some(failure.because(why).hint(hint));
    }
    if !is_path(executable) {
        let hint = "Give its path: /usr/bin/python3, .venv/bin/python.";
        let failure = failure.because("no folder of PATH has such a program");
        return Some(failure.hint(hint));
    }
    let failure = failure.because(io::Error::from_raw_os_error(NO_SUCH_FILE));
    if let (Ok(rest), Some(home)) = (executable.strip_prefix("~"), env::var_os("HOME")) {
        let meant = Path::new(&home).join(rest);
        let hint = format!("Only a shell replaces ~: give {}.", meant.display());
        return Some(failure.hint(hint));
    }
    Some(match env::current_dir() {
        Ok(folder) if executable.is_relative() => failure.hint(format!(
            "It was looked for in {}. Give the path from there, or the whole of it: .venv/bin/python.",
            folder.display()
        )),
        _ => failure,
    })
}

/// The name at which a chain of symbolic links ends.
fn end_of_links(link: &Path) -> PathBuf {
    let mut last = link.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&last) else {
            break;
        };
        last = last.parent().unwrap_or(Path::new("")).join(target);
    }
    last
}

/// Scripts are asked which Python they start, programs whose name isn't a Python's whether they are one,
/// and a Python that PYTHONHOME may keep from starting whether it does.
fn is_to_be_asked(executable: &Path, found: &Path) -> bool {
    let mut begin = [0; 2];
    let read = File::open(found).and_then(|mut program| program.read_exact(&mut begin));
    let name = executable.file_name().unwrap_or_default();
    let is_named_so = name.to_string_lossy().contains("py");
    read.is_ok() && (!is_named_so || begin == *b"#!" || env::var_os(HOME).is_some())
}

fn ask(executable: &Path) -> Result<PythonProgram, Failure> {
    let (stdout, stderr) = answer(executable)?;
    // The script may have said something, too.
    let answer = stdout.split(|byte| *byte == 0).skip(1);
    let mut answer = answer.map(|text| OsStr::from_bytes(text).to_owned());
    let path = PathBuf::from(answer.next().unwrap_or_default());
    if !path.is_absolute() {
        let said = String::from_utf8_lossy(&stderr);
        let error = said.lines().find(|line| line.starts_with("Fatal"));
        let said = error.or_else(|| said.lines().next()).unwrap_or_default();
        let why = format!("it doesn't answer as a Python does: {said}");
        let failure = unusable(executable).because(why.trim_end_matches([':', ' ']));
        return Err(match env::var_os(HOME) {
            Some(home) => failure.hint(format!(
                "{HOME} is {}: it has to be the folder of the Python that --python names, or unset.",
                home.display()
            )),
            None => failure,
        });
    }
    let variable = |text: OsString| {
        let mut parts = text.as_bytes().splitn(2, |byte| *byte == b'=');
        let mut part = || Some(OsString::from_vec(parts.next()?.to_vec()));
        Some((part()?, part()?))
    };
    Ok(PythonProgram {
        path,
        environment: Some(answer.filter_map(variable).collect()),
    })
}

/// What it writes to both of its outputs when it is asked.
fn answer(executable: &Path) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let unusable = || unusable(executable);
    let mut asked = Command::new(executable);
    asked.args(["-c", QUESTION]).stdin(Stdio::null());
    asked.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut asked = asked.spawn().map_err(|error| unusable().because(error))?;
    let (tell, told) = mpsc::channel();
    let read = reader(&mut asked);
    // Nobody waits for it any more when that fails.
    let work = move || drop(tell.send(read()));
    threads::start("rpyc-ask", work).map_err(|error| unusable().because(error))?;
    let answer = told.recv_timeout(PATIENCE);
    // It fails when it has ended already.
    let _ = asked.kill();
    let _ = asked.wait();
    match answer {
        Ok(answer) => answer.map_err(|error| unusable().because(error)),
        Err(_) => Err(unusable()
            .because(format!("it hasn't answered within {PATIENCE:?}"))
            .hint("A script that stands for a Python ends in: exec /path/of/python \"$@\"")),
    }
}

/// Reads both outputs of a process to their end.
fn reader(process: &mut Child) -> impl FnOnce() -> io::Result<(Vec<u8>, Vec<u8>)> + use<> {
    fn all(stream: Option<impl Read>) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        stream.map_or(Ok(0), |mut stream| stream.read_to_end(&mut text))?;
        Ok(text)
    }
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    move || {
        thread::scope(|scope| {
            let said = scope.spawn(|| all(stderr));
            let stdout = all(stdout)?;
            let stderr = said.join();
            let panicked = |_| Err(io::Error::other("a thread has panicked"));
            Ok((stdout, stderr.unwrap_or_else(panicked)?))
        })
    }
}

/// How long a script may take for its answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A NUL, its program, and its environment, with a NUL between each two.
const QUESTION: &str = "import os, sys; os.write(1, b'\\0'.join([b'', os.fsencode(sys.executable)] + \
                        [name + b'=' + text for name, text in os.environb.items()]))";

const HOME: &str = "PYTHONHOME";

/// So many the system follows.
const MOST_LINKS: usize = 40;

const NO_SUCH_FILE: i32 = rustix::io::Errno::NOENT.raw_os_error();
