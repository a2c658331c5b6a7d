//! What the user sees: lines of the servers, a bar for each at work, and the table at the end.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::Sender;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::ending::{Ending, Event, Kind, Style};
use crate::printable::{json_on_one_line, printable};

/// Where all servers of a fleet are shown, line by line.
#[derive(Debug)]
pub(super) struct Screen {
    names: Vec<String>,
    width: usize,
    style: Style,
    bars: MultiProgress,
    has_bars: bool,
    // One line at a time. It is held for as long as the standard output isn't read.
    writing: Mutex<()>,
    // What the standard output failed with first.
    failure: Mutex<Option<io::Error>>,
    events: Sender<Event>,
}

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::program::tools) enum Stream {
    Stdout,
    Stderr,
}

impl Screen {
    pub(super) fn new(names: Vec<String>, style: Style, events: Sender<Event>) -> Screen {
        let has_bars = io::stderr().is_terminal() && !style.quiet && !style.json;
        let target = match has_bars {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let widths = names.iter().map(|name| name.chars().count());
        Screen {
            width: widths.max().unwrap_or_default(),
            names,
            style,
            bars: MultiProgress::with_draw_target(target),
            has_bars,
            writing: Mutex::new(()),
            failure: Mutex::new(None),
            events,
        }
    }

    pub(super) fn name(&self, number: usize) -> &str {
        self.names.get(number).map_or("", String::as_str)
    }

    /// The bar of a server that is at work.
    pub(super) fn bar(&self, number: usize) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
        let bar = self.bars.add(bar);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(self.padded(number));
        if self.has_bars {
            bar.enable_steady_tick(TICK);
        }
        bar
    }

    /// A line of a server's.
    pub(super) fn line(&self, number: usize, stream: Stream, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if self.style.json {
            let stream = match stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
            };
            self.object(&json!({"server": self.name(number), "stream": stream, "text": text}));
            return;
        }
        let text = text.strip_suffix('\r').unwrap_or(&text);
        // A server must not speak for another one: by line breaks of a terminal's, or ways back.
        let text = printable(text);
        self.write(stream, &format!("{} | {text}\n", self.padded(number)));
    }

    /// How a server ended.
    pub(super) fn ended(&self, number: usize, ending: &Ending) {
        if self.style.json {
            let mut object = ending.details.clone();
            object.insert("server".to_owned(), self.name(number).into());
            object.insert("result".to_owned(), ending.kind.word().into());
            object.insert("text".to_owned(), ending.text.as_str().into());
            object.insert("seconds".to_owned(), ending.took.as_secs_f64().into());
            self.object(&Value::Object(object));
        } else if ending.kind == Kind::Failed {
            let name = self.padded(number);
            self.write(
                Stream::Stderr,
                &format!("{name} | failed: {}\n", ending.text),
            );
        }
    }

    /// The table of all, and the line that counts them.
    pub(super) fn summary(&self, endings: &[Ending]) {
        let named = |kind: Kind| {
            let those = endings.iter().enumerate();
            let those = those.filter(|(_, ending)| ending.kind == kind);
            let names = those.map(|(number, _)| self.name(number));
            names.collect::<Vec<_>>()
        };
        let (done, failed) = (named(Kind::Ok).len(), named(Kind::Failed));
        let interrupted = named(Kind::Interrupted);
        if self.style.json {
            self.object(&json!({
                "servers": endings.len(),
                "ok": done,
                "failed": failed,
                "interrupted": interrupted,
            }));
            return;
        }
        let mut text = String::new();
        if !self.style.quiet || self.style.is_table_result {
            for (number, ending) in endings.iter().enumerate() {
                let (name, word) = (self.padded(number), ending.kind.word());
                let seconds = ending.took.as_secs_f64();
                let row = format!("{name}  {word:11}  {seconds:8.2} s  {}", ending.text);
                text.push_str(row.trim_end());
                text.push('\n');
            }
            text.push_str(&format!("{} servers: {done} ok", endings.len()));
            for (those, word) in [(&failed, "failed"), (&interrupted, "interrupted")] {
                if !those.is_empty() {
                    text.push_str(&format!(", {} {word} ({})", those.len(), those.join(", ")));
                }
            }
            text.push('\n');
        }
        let stream = match self.style.is_table_result {
            true => Stream::Stdout,
            false => Stream::Stderr,
        };
        self.write(stream, &text);
    }

    /// What went wrong with the standard output.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.failure.lock().take()
    }

    fn object(&self, object: &Value) {
        let line = json_on_one_line(&object.to_string());
        self.write(Stream::Stdout, &format!("{line}\n"));
    }

    fn write(&self, stream: Stream, text: &str) {
        let written = {
            let _alone = self.writing.lock();
            self.bars.suspend(|| match stream {
                Stream::Stdout => io::stdout().write_all(text.as_bytes()),
                Stream::Stderr => {
                    // Nothing is left to do when nobody listens.
                    let _ = io::stderr().write_all(text.as_bytes());
                    Ok(())
                }
            })
        };
        let mut failure = self.failure.lock();
        if let Err(error) = written
            && failure.is_none()
        {
            *failure = Some(error);
            // Nobody listens any more once the fleet has ended.
            let _ = self.events.send(Event::OutputLost);
        }
    }

    fn padded(&self, number: usize) -> String {
        format!("{:width$}", self.name(number), width = self.width)
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Ok => "ok",
            Kind::Failed => "failed",
            Kind::Interrupted => "interrupted",
        }
    }
}

/// How often a bar shows the time.
const TICK: Duration = Duration::from_millis(200);
