//! What is logged, for those who look.

use std::sync::{Mutex, Once};

/// What has been logged, with the targets. One for the whole process: tests tell theirs apart
/// by connid.
static LOGGED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

struct Keeping;

impl log::Log for Keeping {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = (record.target().to_owned(), record.args().to_string());
        LOGGED.lock().expect("no panic").push(line);
    }

    fn flush(&self) {}
}

/// The targets and texts of the lines that a connection has logged so far.
pub(crate) fn logged_by(connid: &str) -> Vec<(String, String)> {
    let mut lines = LOGGED.lock().expect("no panic").clone();
    lines.retain(|(_, text)| text.starts_with(connid));
    lines
}

pub(crate) fn keep_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeping).expect("the first logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}
