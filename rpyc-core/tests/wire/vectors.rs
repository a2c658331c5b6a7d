//! The golden vectors: what Python's rpyc 6.0.2 wrote, by `tests/vectors/make.py`.

use bytes::Bytes;

use crate::hex;

/// One line of a file.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) bytes: Bytes,
}

pub(crate) fn brine() -> Vec<Row> {
    rows(include_str!("../../../tests/vectors/brine.txt"))
}

pub(crate) fn frames() -> Vec<Row> {
    rows(include_str!("../../../tests/vectors/frames.txt"))
}

pub(crate) fn messages() -> Vec<Row> {
    rows(include_str!("../../../tests/vectors/messages.txt"))
}

pub(crate) fn exceptions() -> Vec<Row> {
    rows(include_str!("../../../tests/vectors/exceptions.txt"))
}

/// The bytes of the row of this name.
#[track_caller]
pub(crate) fn find(rows: &[Row], name: &str) -> Bytes {
    rows.iter()
        .find(|row| row.name == name)
        .unwrap_or_else(|| panic!("no row {name}"))
        .bytes
        .clone()
}

fn rows(text: &'static str) -> Vec<Row> {
    let rows: Vec<_> = text
        .lines()
        .map(|line| {
            let mut columns = line.split('\t');
            let (name, digits) = (columns.next().unwrap(), columns.next().unwrap());
            Row {
                name,
                bytes: hex(digits).into(),
            }
        })
        .collect();
    assert!(rows.len() >= 10, "a file with too few rows");
    rows
}
