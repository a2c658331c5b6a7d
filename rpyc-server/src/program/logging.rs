//! Where log lines go, which ones, and how they look.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use env_logger::{Builder, Env, Target};
use log::Record;
use parking_lot::Mutex;
use serde_json::json;

use crate::printable::{json_on_one_line, printable};
use crate::program::cli::{LogFormat, Logging};
use crate::program::failure::Failure;

/// The log file, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct LogFile(Option<Arc<(PathBuf, Mutex<File>)>>);

impl LogFile {
    /// Opens the file anew, so that whoever moved the old one away gets a new one; says whether
    /// there is any.
    ///
    /// # Errors
    /// When it can't be opened: the old one stays in use.
    pub(crate) fn reopen(&self) -> Result<bool, Failure> {
        let Some(log) = &self.0 else {
            return Ok(false);
        };
        let (path, file) = &**log;
        *file.lock() = open(path)?;
        Ok(true)
    }
}

/// What the logger writes to.
struct Writer(Arc<(PathBuf, Mutex<File>)>);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.1.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.1.lock().flush()
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    let file = File::options().create(true).append(true).open(path);
    file.map_err(|error| {
        Failure::new(format!("--logfile {}: can't be written", path.display())).because(error)
    })
}

/// Sets the program's logger up.
///
/// # Errors
/// When the log file can't be opened.
pub(crate) fn start(options: &Logging) -> Result<LogFile, Failure> {
    let mut builder = choose_lines(options.quiet, options.verbose);
    match options.format {
        LogFormat::Text => builder.format(format_line),
        LogFormat::Json => builder.format(format_json),
    };
    let mut log = LogFile(None);
    if let Some(path) = &options.logfile {
        let file = Arc::new((path.clone(), Mutex::new(open(path)?)));
        builder.target(Target::Pipe(Box::new(Writer(file.clone()))));
        log.0 = Some(file);
    }
    builder.init();
    Ok(log)
}

/// Targets begin with the crate's name, rpyc_core and so on; a connection's own lines have rpyc.
fn choose_lines(quiet: bool, verbose: bool) -> Builder {
    let filters = match (quiet, verbose) {
        (true, _) => "warn",
        (_, true) => "warn,rpyc=debug",
        _ => return Builder::from_env(Env::default().default_filter_or("warn,rpyc=info")),
    };
    let mut builder = Builder::new();
    builder.parse_filters(filters);
    builder
}

fn format_line(out: &mut env_logger::fmt::Formatter, record: &Record<'_>) -> io::Result<()> {
    let level = record.level();
    let style = out.default_level_style(level);
    let time = out.timestamp_millis();
    let text = line(&record.args().to_string());
    writeln!(out, "{time} {style}{level:<5}{style:#} {text}")
}

/// An object a line: `time` (UTC), `level`, `target`, `message`.
fn format_json(out: &mut env_logger::fmt::Formatter, record: &Record<'_>) -> io::Result<()> {
    let time = out.timestamp_millis().to_string();
    writeln!(out, "{}", json_line(&time, record))
}

fn json_line(time: &str, record: &Record<'_>) -> String {
    let line = json!({
        "time": time,
        "level": record.level().as_str(),
        "target": record.target(),
        "message": cut(&record.args().to_string()),
    });
    json_on_one_line(&line.to_string())
}

/// A peer has its say in some lines (the text of an exception): it must not be able to forge a
/// line of its own or to talk to the terminal. Tracebacks keep their lines, marked.
fn line(text: &str) -> String {
    printable(cut(text.trim_end())).replace('\n', "\n    | ")
}

/// The end of an exception's text says most.
fn cut(text: &str) -> &str {
    let from = text.len().saturating_sub(LONGEST);
    text.get(text.ceil_char_boundary(from)..).unwrap_or(text)
}

/// Bytes of a message. Stops exceptions whose text is as long as a frame may be.
const LONGEST: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    #[test]
    fn a_line_break_in_a_message_cant_pass_for_a_new_line_of_the_log() {
        assert_eq!(
            line("ended: a\nINFO listening\u{1b}[2J\n"),
            "ended: a\n    | INFO listening\\u{1b}[2J"
        );
    }

    #[test]
    fn of_a_message_without_end_its_end_is_written() {
        let text = format!("{}ValueError: ä", "ä\n".repeat(1 << 20));
        assert!(line(&text).len() < 4 * LONGEST && line(&text).ends_with("ValueError: ä"));
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn quiet_and_verbose_choose_the_lines() {
        let writes = |quiet, verbose, target: &str, level| {
            let logger = choose_lines(quiet, verbose).build();
            let record = Record::builder().target(target).level(level).build();
            logger.matches(&record)
        };
        assert!(writes(true, false, "rpyc_server", Level::Warn));
        assert!(!writes(true, false, "rpyc_server", Level::Info));
        assert!(writes(false, true, "rpyc_core::connection", Level::Debug));
        assert!(!writes(false, true, "rustpython_vm", Level::Info));
    }

    #[test]
    fn a_line_of_json_is_one_object_whatever_a_peer_says() {
        let args = format_args!("ended: \"a\"\n{{\"level\":\"INFO\"}}\u{1b}[2J\u{9b}2J\u{202e}ä");
        let mut record = Record::builder();
        let record = record.level(Level::Warn).target("rpyc").args(args).build();
        let line = json_line("2030-01-01T00:00:00.000Z", &record);
        let sent = ['\n', '\u{1b}', '\u{9b}', '\u{202e}'];
        assert!(!line.contains(sent) && line.contains('ä'), "{line}");
        let object: serde_json::Value = serde_json::from_str(&line).expect("an object");
        assert_eq!(object["level"], "WARN");
        assert_eq!(
            object["message"],
            "ended: \"a\"\n{\"level\":\"INFO\"}\u{1b}[2J\u{9b}2J\u{202e}ä"
        );
    }
}
