//! Files and directories.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rpyc_classic::{ClassicConnection, Phase, Progress, Transfer, TransferError, Transferred};
use rpyc_core::args;
use tempfile::TempDir;

use crate::servers::on_both;

pub(crate) fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Bytes that no chunk boundary falls well on.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

#[test]
fn files_of_any_size_go_there_and_back() {
    on_both(|conn| {
        let folder = folder();
        for size in [0, 1, 256 << 10, (1 << 20) + 1, 3_000_000] {
            let [here, there, back] =
                ["here", "there", "back"].map(|name| folder.path().join(name));
            fs::write(&here, content(size)).expect("written");
            let sent = conn.upload(&here, text(&there)).expect("uploaded");
            assert_eq!((sent.files, sent.bytes, sent.kept), (1, size as u64, 0));
            assert!(fs::read(&there).expect("there") == content(size));
            let got = conn.download(text(&there), &back).expect("downloaded");
            assert_eq!((got.files, got.bytes), (1, size as u64));
            assert!(fs::read(&back).expect("back") == content(size));
        }
    });
}

fn tree(root: &Path) {
    fs::create_dir_all(root.join("deep/er")).expect("a folder");
    fs::create_dir(root.join("empty")).expect("a folder");
    fs::write(root.join("a.txt"), "a").expect("written");
    fs::write(root.join("deep/ünïcode"), content(70_000)).expect("written");
    fs::write(root.join("deep/er/skip.log"), "no").expect("written");
    symlink(root, root.join("deep/loop")).expect("a link");
    symlink("/nowhere/at/all", root.join("dangling")).expect("a link");
}

#[test]
fn directories_go_there_and_back_with_what_the_filter_lets_through() {
    on_both(|conn| {
        let folder = folder();
        let [here, there, back] = ["here", "th ere", "ba/ck"].map(|name| folder.path().join(name));
        tree(&here);
        let sent = Transfer::new(conn)
            .filter(|path| path.extension().is_none_or(|extension| extension != "log"))
            .verify(true)
            .upload(&here, text(&there))
            .expect("uploaded");
        assert_eq!((sent.files, sent.bytes), (2, 70_001));
        assert!(there.join("empty").is_dir() && there.join("deep/er").is_dir());
        assert!(!there.join("deep/er/skip.log").exists() && !there.join("deep/loop").exists());
        let names = RefCell::new(Vec::new());
        let got = Transfer::new(conn)
            .verify(true)
            .filter(|path| {
                names
                    .borrow_mut()
                    .push(path.file_name().expect("a name").to_owned());
                true
            })
            .download(text(&there), &back)
            .expect("downloaded");
        assert_eq!((got.files, got.bytes), (2, 70_001));
        assert!(fs::read(back.join("deep/ünïcode")).expect("back") == content(70_000));
        assert!(back.join("empty").is_dir());
        assert_eq!(names.borrow().len(), 5, "{names:?}");
    });
}

#[test]
fn names_that_are_no_unicode_are_kept() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    on_both(|conn| {
        let folder = folder();
        let [here, there, back] = ["here", "there", "back"].map(|name| folder.path().join(name));
        let name = Path::new(OsStr::from_bytes(b"caf\xe9"));
        fs::create_dir(&here).expect("a folder");
        fs::write(here.join(name), "latin").expect("written");
        conn.upload(&here, text(&there)).expect("uploaded");
        conn.download(text(&there), &back).expect("downloaded");
        assert_eq!(fs::read(back.join(name)).expect("back"), b"latin");
    });
}

/// What is told of a transfer: the phase, its position and size, and what is done of all phases.
type Told = (Phase, u64, u64, u64, u64);

fn tell(told: &RefCell<Vec<Told>>) -> impl FnMut(Progress<'_>) + '_ {
    |at| {
        let told_now = (at.phase, at.position, at.size, at.done, at.total);
        told.borrow_mut().push(told_now);
    }
}

#[test]
fn a_verified_copy_tells_its_phases_and_one_bar_can_show_them() {
    const SIZE: u64 = 1_000_000;
    on_both(|conn| {
        let folder = folder();
        let [here, there, back] = ["here", "there", "back"].map(|name| folder.path().join(name));
        fs::write(&here, content(1_000_000)).expect("written");
        for is_upload in [true, false] {
            let told = RefCell::new(Vec::new());
            let transfer = Transfer::new(conn).verify(true).on_progress(tell(&told));
            let done = match is_upload {
                true => transfer.upload(&here, text(&there)),
                false => transfer.download(text(&there), &back),
            };
            done.expect("copied");
            let told = told.into_inner();
            assert_eq!(told.first(), Some(&(Phase::Copy, 0, SIZE, 0, 2 * SIZE)));
            let last = (Phase::Compare, SIZE, SIZE, 2 * SIZE, 2 * SIZE);
            assert_eq!(told.last(), Some(&last));
            assert!(told.iter().all(|told| told.4 == 2 * SIZE), "{told:?}");
            assert!(told.is_sorted_by_key(|told| told.3), "{told:?}");
            let of = |phase| told.iter().filter(move |told| told.0 == phase);
            let whole = |told: &Told| (told.1, told.2) == (SIZE, SIZE);
            assert!(of(Phase::Copy).count() >= 4 && of(Phase::Copy).any(whole));
        }
    });
}

#[test]
fn what_is_compared_before_it_is_resumed_is_a_part_of_the_whole() {
    on_both(|conn| {
        let folder = folder();
        let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
        fs::write(&here, content(900_000)).expect("written");
        fs::write(&there, content(400_000)).expect("written");
        let told = RefCell::new(Vec::new());
        let transfer = Transfer::new(conn).resume(true).on_progress(tell(&told));
        let done = transfer.upload(&here, text(&there)).expect("uploaded");
        assert_eq!((done.kept, done.bytes), (400_000, 500_000));
        let told = told.into_inner();
        let first = (Phase::Compare, 0, 400_000, 0, 900_000);
        assert_eq!(told.first(), Some(&first));
        let last = (Phase::Copy, 900_000, 900_000, 900_000, 900_000);
        assert_eq!(told.last(), Some(&last));
        assert!(told.is_sorted_by_key(|told| told.3), "{told:?}");
    });
}

#[test]
fn a_partial_file_is_completed_and_a_different_one_replaced() {
    on_both(|conn| {
        let folder = folder();
        let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
        let whole = content(900_000);
        let resume = || Transfer::new(conn).resume(true).verify(true);
        for (partial, kept) in [
            (whole[..400_000].to_vec(), 400_000),
            (whole.clone(), 900_000),
            (vec![1; 400_000], 0),
            ([&whole[..], b"more"].concat(), 0),
            (Vec::new(), 0),
        ] {
            fs::write(&here, &whole).expect("written");
            fs::write(&there, &partial).expect("written");
            let sent = resume().upload(&here, text(&there)).expect("uploaded");
            assert_eq!((sent.kept, sent.bytes), (kept, 900_000 - kept));
            assert!(fs::read(&there).expect("there") == whole);

            fs::write(&here, &partial).expect("written");
            let got = resume().download(text(&there), &here).expect("downloaded");
            assert_eq!((got.kept, got.bytes), (kept, 900_000 - kept));
            assert!(fs::read(&here).expect("here") == whole);
        }
    });
}

#[test]
fn a_copy_that_was_tampered_with_is_noticed() {
    on_both(|conn| {
        let folder = folder();
        let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
        fs::write(&here, content(1000)).expect("written");
        // The server's files lose their last byte.
        conn.execute(
            "import os
real_open = os.fdopen
class Lossy:
    def __init__(self, file): self.file = file
    def write(self, data): return self.file.write(data)
    def seek(self, position): self.file.seek(position)
    def truncate(self): self.file.truncate()
    def flush(self):
        self.file.seek(999); self.file.truncate()
    def close(self): self.file.close()
os.fdopen = lambda *args: Lossy(real_open(*args))",
        )
        .expect("executed");
        let outcome = Transfer::new(conn).verify(true).upload(&here, text(&there));
        conn.execute("os.fdopen = real_open").expect("executed");
        assert!(
            matches!(outcome, Err(TransferError::Differs { .. })),
            "{outcome:?}"
        );
        assert!(!there.exists() && !folder.path().join(".there.rpyc-part").exists());
    });
}

#[test]
fn what_is_not_there_or_not_allowed_is_said_by_whose_fault_it_is() {
    on_both(|conn| {
        let folder = folder();
        let missing = folder.path().join("missing");
        let outcome = conn.upload(&missing, "/tmp/never");
        assert!(
            matches!(outcome, Err(TransferError::Local { .. })),
            "{outcome:?}"
        );
        let outcome = conn.download(text(&missing), folder.path().join("x"));
        assert!(
            matches!(outcome, Err(TransferError::NothingToCopy(_))),
            "{outcome:?}"
        );
        let here = folder.path().join("here");
        fs::write(&here, "x").expect("written");
        let error = conn
            .upload(&here, text(&missing.join("no/folder")))
            .expect_err("no folder");
        assert!(
            error
                .as_remote()
                .is_some_and(|raised| raised.is("FileNotFoundError")),
            "{error}"
        );
        let limited = Transfer::new(conn).max_bytes(2);
        fs::write(&here, "abc").expect("written");
        let outcome = limited.download(text(&here), folder.path().join("y"));
        assert!(
            matches!(outcome, Err(TransferError::Limit { limit: 2, .. })),
            "{outcome:?}"
        );
    });
}

#[test]
fn a_package_is_uploaded_and_imported() {
    fn scenario(conn: &ClassicConnection) {
        let folder = folder();
        let package = folder.path().join("somepackage");
        fs::create_dir_all(package.join("__pycache__")).expect("a folder");
        fs::write(package.join("__init__.py"), "answer = 42\n").expect("written");
        fs::write(package.join("__pycache__/x.pyc"), "no").expect("written");
        let place = folder.path().join("place");
        fs::create_dir(&place).expect("a folder");
        conn.execute("import sys").expect("executed");
        let path = conn.eval("sys.path").expect("the path");
        path.call_method("insert", args![0, text(&place)])
            .expect("inserted");
        let sent = Transfer::new(conn)
            .upload_package(&package, Some(text(&place)))
            .expect("uploaded");
        assert_eq!(sent.files, 1);
        let answer = conn
            .module("somepackage")
            .and_then(|module| module.attr("answer"));
        assert_eq!(
            answer
                .expect("imported")
                .extract::<i64>()
                .expect("a number"),
            42
        );
        assert!(!place.join("somepackage/__pycache__/x.pyc").exists());

        // Without a place, the server has one of its own.
        let module = folder.path().join("somemodule.py");
        fs::write(&module, "answer = 43\n").expect("written");
        Transfer::new(conn)
            .upload_package(&module, None)
            .expect("uploaded");
        let module = conn.module("somemodule").expect("imported");
        assert_eq!(
            module
                .attr("answer")
                .expect("an answer")
                .extract::<i64>()
                .expect("a number"),
            43
        );
        conn.execute("import somemodule, os; os.remove(somemodule.__file__)")
            .expect("removed");
    }
    on_both(scenario);
}

/// Copies a file from one path of this machine to another, by way of the server.
pub(crate) fn copy(
    transfer: Transfer<'_>,
    is_upload: bool,
    from: &Path,
    to: &Path,
) -> Result<Transferred, TransferError> {
    match is_upload {
        true => transfer.upload(from, text(to)),
        false => transfer.download(text(from), to),
    }
}

#[track_caller]
pub(crate) fn fails(outcome: Result<Transferred, TransferError>, reason: &str) {
    let error = outcome.expect_err("it isn't copied");
    let said = match (&error, error.as_remote()) {
        (TransferError::Local { source, .. }, _) => source.to_string(),
        (_, Some(raised)) => raised.to_string(),
        _ => panic!("{error:?}"),
    };
    assert!(said.contains(reason), "{error:?}");
}
