//! What is logged, for those who look.

use std::sync::{Mutex, Once};

/// What has been logged, with the targets. One for the whole process: tests tell theirs apart
/// by connid.
static LOGGED: Mutex<Vec<Line>> = Mutex::new(Vec::new());

#[derive(Clone)]
struct Line {
    level: log::Level,
    target: String,
    text: String,
}

struct Keeping;

impl log::Log for Keeping {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = Line {
            level: record.level(),
            target: record.target().to_owned(),
            text: record.args().to_string(),
        };
        LOGGED.lock().expect("no panic").push(line);
    }

    fn flush(&self) {}
}

fn lines_of(connid: &str) -> Vec<Line> {
    let mut lines = LOGGED.lock().expect("no panic").clone();
    lines.retain(|line| line.text.starts_with(connid));
    lines
}

/// The targets and texts of the lines that a connection has logged so far.
pub(crate) fn logged_by(connid: &str) -> Vec<(String, String)> {
    let lines = lines_of(connid).into_iter();
    lines.map(|line| (line.target, line.text)).collect()
}

/// Those of them that users see without asking for them.
pub(crate) fn logged_above_debug(connid: &str) -> Vec<String> {
    let lines = lines_of(connid).into_iter();
    let seen = lines.filter(|line| line.level < log::Level::Debug);
    seen.map(|line| line.text).collect()
}

pub(crate) fn keep_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeping).expect("the first logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}
