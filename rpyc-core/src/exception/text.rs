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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(exception: Exception, attrs: &[(&'static str, Value)], text: &str) {
        let add = |all: Exception, (name, value): &(&'static str, Value)| {
            all.with_attr(*name, value.clone())
        };
        assert_eq!(attrs.iter().fold(exception, add).message(), text);
    }

    #[test]
    fn an_os_error_reads_as_in_python() {
        let missing = || {
            Exception::builtin("FileNotFoundError")
                .with_arg(2)
                .with_arg("No such file or directory")
                .with_attr("errno", 2)
                .with_attr("strerror", "No such file or directory")
        };
        let none = Value::None;
        for (attrs, file) in [
            (&[][..], ""),
            (&[("filename", "/no/such".into())], ": '/no/such'"),
            (
                &[("filename", "a".into()), ("filename2", "b".into())],
                ": 'a' -> 'b'",
            ),
            (&[("filename", none.clone())], ""),
            (&[("filename", 7.into())], ": 7"),
        ] {
            reads(
                missing(),
                attrs,
                &format!("[Errno 2] No such file or directory{file}"),
            );
        }
        let error = || Exception::builtin("OSError");
        reads(error().with_arg(5).with_arg("x"), &[], "[Errno 5] x");
        reads(error().with_arg("just a text"), &[], "just a text");
        let empty = ["errno", "strerror", "filename"].map(|name| (name, none.clone()));
        reads(error().with_arg("just a text"), &empty, "just a text");
        reads(Exception::timeout_error("too late"), &[], "too late");
    }

    #[test]
    fn a_syntax_error_reads_as_in_python() {
        let wrong = || {
            Exception::builtin("SyntaxError")
                .with_arg("invalid syntax")
                .with_attr("msg", "invalid syntax")
        };
        let none = Value::None;
        for (attrs, place) in [
            (&[][..], ""),
            (&[("lineno", 3.into())], " (line 3)"),
            (&[("filename", "<string>".into())], " (<string>)"),
            (
                &[("filename", "/home/x/m.py".into()), ("lineno", 3.into())],
                " (m.py, line 3)",
            ),
            (&[("filename", none.clone()), ("lineno", none)], ""),
        ] {
            reads(wrong(), attrs, &format!("invalid syntax{place}"));
        }
    }
}
