//! The log of a program's servers, in Python's `logging`.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use log::{Level, LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;

use crate::attach::{DeferredDrop, attached, lock};

/// Has the log written by a function of a level's number, a logger's name and a text: by a thread of its own,
/// because lines are written under locks. Where the program has a logger already, that keeps it.
pub fn log_to(write: Bound<'_, PyAny>) {
    let (lines, to_write) = sync_channel(MAX_LINES);
    let write = DeferredDrop::new(write);
    if log::set_boxed_logger(Box::new(Queue(Mutex::new(lines)))).is_err() {
        return;
    }
    log::set_max_level(LevelFilter::Debug);
    let started = thread::Builder::new()
        .name("rpyc-log".to_owned())
        .spawn(move || write_lines(&to_write, &write));
    // Without it the lines are lost, and nothing else.
    drop(started);
}

type Line = (u8, String, String);

struct Queue(Mutex<SyncSender<Line>>);

impl Log for Queue {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => 40,
            Level::Warn => 30,
            Level::Info => 20,
            Level::Debug | Level::Trace => 10,
        };
        // This program's own, or the one that `logger` names.
        let is_own = record.target().starts_with("rpyc_");
        let logger = if is_own { "rpyc_rs" } else { record.target() };
        let line = (level, logger.to_owned(), record.args().to_string());
        // Where lines come faster than they are written, some are lost.
        let _ = lock(&self.0).try_send(line);
    }

    fn flush(&self) {}
}

fn write_lines(lines: &Receiver<Line>, write: &DeferredDrop) {
    while let Ok(line) = lines.recv() {
        let written = attached(|py| {
            if let Err(error) = write.bind(py).call1(line) {
                error.write_unraisable(py, None);
            }
        });
        if written.is_err() {
            // The interpreter has been stopped.
            return;
        }
    }
}

const MAX_LINES: usize = 10_000;
