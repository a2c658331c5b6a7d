//! The interpreter as a program of its own.

use std::process::ExitCode;

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};

/// Runs this process as `python` would, with the arguments that it was started with: `-c`, `-m`,
/// a script, options. Returns its exit code.
///
/// For programs that are `sys.executable` of what they evaluate: clients' code starts it for
/// child processes (`subprocess.run([sys.executable, "-c", ...])`, `multiprocessing`).
/// [`is_for_python`] says whether this process has been started so.
pub fn run_as_python() -> ExitCode {
    rustpython::run(InterpreterBuilder::new().init_stdlib())
}

/// Whether the arguments behind the program's name are those of a `python`: they begin with an
/// option that Python code passes on, or name a script.
///
/// Options that servers commonly have, too (`-h`, `-p`, `-q`, `-v`, `-V`), don't count.
///
/// ```
/// use rpyc_rustpython::is_for_python;
///
/// assert!(is_for_python(["-c", "print(1)"]));
/// assert!(is_for_python(["-u", "-W", "ignore", "job.py"]));
/// assert!(!is_for_python(["--classic", "-p", "0"]));
/// assert!(!is_for_python([""; 0]));
/// ```
pub fn is_for_python<A: AsRef<str>>(arguments: impl IntoIterator<Item = A>) -> bool {
    let Some(first) = arguments.into_iter().next() else {
        return false;
    };
    let first = first.as_ref();
    if first == "-" || first.ends_with(".py") || first.ends_with(".pyz") {
        return true;
    }
    match first.strip_prefix('-') {
        // `-Xdev`, `-Wignore`, `-Ic`: what follows the letter doesn't matter.
        Some(letters) => letters.starts_with(OPTIONS),
        // Neither a subcommand nor a file in the working directory.
        None => first.contains('/'),
    }
}

const OPTIONS: [char; 15] = [
    'b', 'B', 'c', 'd', 'E', 'i', 'I', 'm', 'O', 'P', 's', 'S', 'u', 'W', 'X',
];
