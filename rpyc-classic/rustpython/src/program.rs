//! The interpreter as a program of its own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};

/// Runs this process as `python` would, with the arguments that it was started with: `-c`, `-m`,
/// a script, options. Returns its exit code.
///
/// For programs that are `sys.executable` of what they evaluate: clients' code starts it for
/// child processes (`subprocess.run([sys.executable, "-c", ...])`, `multiprocessing`).
/// [`is_called_as_python`] says whether this process has been started so, by the name that
/// [`python_name`] has given to `sys.executable`.
pub fn run_as_python() -> ExitCode {
    rustpython::run(InterpreterBuilder::new().init_stdlib())
}

/// Whether the name that a process was started by, the first of its arguments, is that of a Python:
/// `python`, `python3` and so on, [`LINK`], or what [`python_name`] gives. Its arguments don't
/// matter: a server's misspelt option or a stray file isn't run as Python code.
///
/// ```
/// use rpyc_rustpython::is_called_as_python;
///
/// assert!(is_called_as_python("/usr/bin/python3".as_ref()));
/// assert!(is_called_as_python("rpyc-python".as_ref()));
/// assert!(!is_called_as_python("/usr/local/bin/rpyc-server".as_ref()));
/// ```
pub fn is_called_as_python(name: &OsStr) -> bool {
    let name = Path::new(name);
    let file = name.file_name().unwrap_or_default().to_string_lossy();
    file.starts_with("python") || file == LINK || is_of_a_process(name)
}

/// A name by which this program is a Python, for `sys.executable`: a link called [`LINK`] beside the
/// program where there is one, elsewhere that of the running program in `/proc`, which lasts as
/// long as the process.
///
/// # Errors
/// When there is neither.
pub fn python_name() -> io::Result<String> {
    let own = std::env::current_exe()?;
    let link = own.with_file_name(LINK);
    let running = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let is_own = link.canonicalize().is_ok_and(|target| target == own);
    // It leads there even when the program's file has been replaced meanwhile.
    let name = match is_own {
        true => Some(link),
        false => running.exists().then_some(running),
    };
    let text = name.map(|name| OsString::from(name).into_string());
    text.and_then(Result::ok).ok_or_else(|| {
        let what = format!("neither a link {LINK} beside the program nor /proc leads to it");
        io::Error::new(io::ErrorKind::NotFound, what)
    })
}

/// `/proc/PID/exe`.
fn is_of_a_process(name: &Path) -> bool {
    let components: Vec<Component<'_>> = name.components().collect();
    let [
        Component::RootDir,
        Component::Normal(proc),
        Component::Normal(process),
        Component::Normal(exe),
    ] = components[..]
    else {
        return false;
    };
    let is_number = |text: &OsStr| {
        let bytes = text.as_encoded_bytes();
        !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
    };
    proc == "proc" && exe == "exe" && is_number(process)
}

/// The name of a link to the program that makes it a Python.
pub const LINK: &str = "rpyc-python";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_is_told_by_its_name() {
        for name in [
            "python",
            "/usr/bin/python3.14",
            "./rpyc-python",
            "/proc/17/exe",
        ] {
            assert!(is_called_as_python(name.as_ref()), "{name}");
        }
        for name in [
            "",
            "rpyc-server",
            "/opt/python/rpyc-server",
            "/proc/self/exe",
            "/proc/17/root/exe",
            "proc/17/exe",
            "/proc//exe",
        ] {
            assert!(!is_called_as_python(name.as_ref()), "{name}");
        }
    }

    #[test]
    fn the_name_for_children_leads_to_this_program() {
        let name = python_name().expect("a name");
        assert!(is_called_as_python(name.as_ref()));
        let own = std::env::current_exe().expect("a path");
        assert_eq!(Path::new(&name).canonicalize().expect("there"), own);
    }
}
