//! The texts that Python makes of an exception's attributes, where it doesn't print the arguments.

use super::Exception;
use crate::wire::Value;

/// What `str()` gives for an OSError or a SyntaxError; `None` where it gives the arguments.
pub(super) fn of_attributes(exception: &Exception) -> Option<String> {
    if !matches!(&**exception.module(), "builtins" | "exceptions") {
        return None;
    }
    match &**exception.class() {
        "SyntaxError" | "IndentationError" | "TabError" => syntax_error(exception),
        class if OS_ERRORS.contains(&class) => os_error(exception),
        _ => None,
    }
}

fn os_error(exception: &Exception) -> Option<String> {
    let (errno, strerror) = match (exception.attr("errno"), exception.attr("strerror")) {
        (Some(errno), Some(strerror)) => (errno, strerror),
        _ => match exception.args() {
            [errno, strerror] => (errno, strerror),
            _ => return None,
        },
    };
    let given = |name| exception.attr(name).filter(|value| !value.is_none());
    let text = format!("[Errno {}] {}", plain(errno), plain(strerror));
    match (given("filename"), given("filename2")) {
        (Some(file), Some(other)) => Some(format!("{text}: {file} -> {other}")),
        (Some(file), None) => Some(format!("{text}: {file}")),
        (None, _) if errno.is_none() || strerror.is_none() => None,
        (None, _) => Some(text),
    }
}

fn syntax_error(exception: &Exception) -> Option<String> {
    let message = exception.attr("msg").or(exception.args().first())?;
    let file = exception.attr("filename").and_then(Value::as_str);
    let file = file.map(|path| path.rsplit('/').next().unwrap_or(path));
    let line = exception.attr("lineno").and_then(Value::as_int);
    let message = plain(message);
    Some(match (file, line) {
        (Some(file), Some(line)) => format!("{message} ({file}, line {line})"),
        (Some(file), None) => format!("{message} ({file})"),
        (None, Some(line)) => format!("{message} (line {line})"),
        (None, None) => message,
    })
}

/// As `str()` has it: text without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        other => other.to_string(),
    }
}

/// OSError, its older names, and the classes that Python makes of it by its number.
const OS_ERRORS: &[&str] = &[
    "OSError",
    "IOError",
    "EnvironmentError",
    "BlockingIOError",
    "BrokenPipeError",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "FileExistsError",
    "FileNotFoundError",
    "InterruptedError",
    "IsADirectoryError",
    "NotADirectoryError",
    "PermissionError",
    "ProcessLookupError",
    "TimeoutError",
];
