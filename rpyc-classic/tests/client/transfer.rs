//! Files and directories.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rpyc_classic::{
    ClassicConnection, Phase, Progress, Transfer, TransferError, Transferred, connect,
};
use rpyc_core::args;
use tempfile::TempDir;

use crate::servers::{at_both, collect, eventually, on_both};

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Bytes that no chunk boundary falls well on.
fn content(length: usize) -> Vec<u8> {
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
fn copy(
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
fn fails(outcome: Result<Transferred, TransferError>, reason: &str) {
    let error = outcome.expect_err("it isn't copied");
    let said = match (&error, error.as_remote()) {
        (TransferError::Local { source, .. }, _) => source.to_string(),
        (_, Some(raised)) => raised.to_string(),
        _ => panic!("{error:?}"),
    };
    assert!(said.contains(reason), "{error:?}");
}

/// A file, its copy, and the copy's part.
fn names(folder: &TempDir) -> [PathBuf; 3] {
    ["from", "to", ".to.rpyc-part"].map(|name| folder.path().join(name))
}

fn mode(path: &Path) -> u32 {
    let found = fs::metadata(path).expect("a file");
    found.permissions().mode() & 0o777
}

/// A link was written through, and a pipe's reader was waited for.
#[test]
fn what_has_a_parts_name_and_is_no_file_is_left_as_it_is() {
    on_both(|conn| {
        for is_upload in [false, true] {
            let folder = folder();
            let [from, to, part] = names(&folder);
            let precious = folder.path().join("precious");
            fs::write(&from, content(70_000)).expect("written");
            fs::write(&precious, "precious").expect("written");
            let refused = |reason| {
                for resume in [false, true] {
                    let transfer = Transfer::new(conn).resume(resume);
                    fails(copy(transfer, is_upload, &from, &to), reason);
                }
                assert!(!to.exists());
            };
            symlink(&precious, &part).expect("a link");
            refused("is no file");
            fs::remove_file(&part).expect("removed");
            fs::hard_link(&precious, &part).expect("a link");
            refused("others");
            assert_eq!(fs::read(&precious).expect("it is there"), b"precious");
            fs::remove_file(&part).expect("removed");
            let made = Command::new("mkfifo").arg(&part).status();
            assert!(made.expect("mkfifo runs").success());
            refused("is no file");
            fs::remove_file(&part).expect("removed");
            fs::create_dir(&part).expect("a folder");
            refused("is no file");
            fs::remove_dir(&part).expect("removed");
            copy(Transfer::new(conn), is_upload, &from, &to).expect("copied");
        }
    });
}

/// One had the file's name while the other was still writing into it.
#[test]
fn of_two_copies_to_one_name_each_is_whole_and_a_download_doesnt_begin() {
    on_both(|conn| {
        for is_upload in [false, true] {
            let folder = folder();
            let [from, to, _] = names(&folder);
            let other = folder.path().join("other");
            fs::write(&from, content(3_000_000)).expect("written");
            fs::write(&other, "other").expect("written");
            let mut seconds = 0;
            let first = Transfer::new(conn).on_progress(|at| {
                if at.done == 0 {
                    for resume in [false, true] {
                        let second = Transfer::new(conn).resume(resume);
                        let outcome = copy(second, is_upload, &other, &to);
                        match is_upload {
                            false => fails(outcome, "another download is writing it"),
                            true => {
                                outcome.expect("uploaded");
                                assert_eq!(fs::read(&to).expect("to"), b"other");
                            }
                        }
                        seconds += 1;
                    }
                }
            });
            copy(first, is_upload, &from, &to).expect("copied");
            assert!(seconds > 0);
            assert!(fs::read(&to).expect("to") == content(3_000_000));
            let left = fs::read_dir(folder.path()).expect("a folder").count();
            assert_eq!(left, 3, "no part");
        }
    });
}

#[test]
fn a_part_is_read_by_nobody_who_may_not_read_the_file_that_it_replaces() {
    on_both(|conn| {
        for (is_upload, before) in [(false, 0o400), (true, 0o620)] {
            let folder = folder();
            let [from, to, part] = names(&folder);
            fs::write(&from, content(3_000_000)).expect("written");
            fs::write(&to, "the one of before").expect("written");
            fs::set_permissions(&to, fs::Permissions::from_mode(before)).expect("set");
            let modes = RefCell::new(Vec::new());
            let transfer = Transfer::new(conn).on_progress(|at| {
                if at.done < at.total {
                    modes.borrow_mut().push(mode(&part));
                }
            });
            copy(transfer, is_upload, &from, &to).expect("copied");
            let modes = modes.into_inner();
            let meanwhile = before & 0o700 | 0o200;
            assert!(
                !modes.is_empty() && modes.iter().all(|&mode| mode == meanwhile),
                "{modes:?}"
            );
            assert_eq!(mode(&to), before);
        }
    });
}

/// It was written under its own name: half of it stood in the place of the one of before.
#[test]
fn an_upload_that_is_cut_off_leaves_the_file_of_before_and_is_gone_on_with() {
    at_both(|address| {
        let folder = folder();
        let [from, to, part] = names(&folder);
        let whole = content(9_000_000);
        fs::write(&from, &whole).expect("written");
        fs::write(&to, "the one of before").expect("written");
        let cut_off = |resume| {
            let conn = connect(address).expect("a connection");
            let before = fs::metadata(&part).map_or(0, |part| part.len());
            let transfer = Transfer::new(&conn).resume(resume).on_progress(|at| {
                if at.phase == Phase::Copy && at.position > before + (3 << 20) {
                    let _ = conn.close();
                }
            });
            let outcome = transfer.upload(&from, text(&to));
            assert!(
                matches!(&outcome, Err(error @ TransferError::Connection(_)) if error.as_remote().is_none()),
                "{outcome:?}"
            );
            assert_eq!(fs::read(&to).expect("to"), b"the one of before");
            eventually("the part has grown, and the server is done with it", || {
                collect(address);
                let part = fs::File::open(&part).expect("it stays");
                let grown = part
                    .metadata()
                    .is_ok_and(|part| part.len() >= before + (1 << 20));
                grown && part.try_lock().is_ok()
            });
        };
        cut_off(false);
        let conn = connect(address).expect("a connection");
        let again = |resume| {
            let transfer = Transfer::new(&conn).resume(resume);
            transfer.upload(&from, text(&to)).expect("uploaded")
        };
        let done = again(true);
        assert!(done.kept >= 1 << 20, "{done:?}");
        assert_eq!(done.kept + done.bytes, whole.len() as u64);
        assert!(fs::read(&to).expect("to") == whole && !part.exists());
        // Without `resume`, it begins anew.
        fs::write(&to, "the one of before").expect("written");
        cut_off(false);
        assert_eq!(again(false).kept, 0);
        assert!(fs::read(&to).expect("to") == whole && !part.exists());
    });
}

#[test]
fn a_part_whose_connection_is_garbage_is_gone_on_with() {
    on_both(|conn| {
        let folder = folder();
        let [from, to, part] = names(&folder);
        let whole = content(3_000_000);
        fs::write(&from, &whole).expect("written");
        fs::write(&part, &whole[..1_000_000]).expect("written");
        let locked = format!(
            "import fcntl, gc
class Lost: pass
lost = Lost()
lost.itself, lost.part = lost, open({:?}, 'r+b')
fcntl.flock(lost.part, fcntl.LOCK_EX)
gc.disable()
del lost",
            text(&part)
        );
        conn.execute(&locked).expect("executed");
        let done = Transfer::new(conn).resume(true).upload(&from, text(&to));
        conn.execute("gc.enable()").expect("executed");
        assert_eq!(done.expect("uploaded").kept, 1_000_000);
        assert!(fs::read(&to).expect("to") == whole && !part.exists());
    });
}

#[test]
fn an_upload_that_fails_leaves_the_file_of_before_and_no_part() {
    on_both(|conn| {
        let folder = folder();
        let [from, to, part] = names(&folder);
        fs::write(&from, content(2_000_000)).expect("written");
        fs::write(&to, "the one of before").expect("written");
        conn.execute(
            "import os
real_open = os.fdopen
class Full:
    def __init__(self, file): self.file, self.left = file, 1000000
    def __getattr__(self, name): return getattr(self.file, name)
    def write(self, data):
        self.left -= len(data)
        if self.left < 0: raise OSError(28, 'No space left on device')
        return self.file.write(data)
os.fdopen = lambda *args: Full(real_open(*args))",
        )
        .expect("executed");
        let outcome = conn.upload(&from, text(&to));
        conn.execute("os.fdopen = real_open").expect("executed");
        fails(outcome, "No space left");
        assert_eq!(fs::read(&to).expect("to"), b"the one of before");
        assert!(!part.exists());
        // Where the file can't have its name in the end.
        fs::remove_file(&to).expect("removed");
        let transfer = Transfer::new(conn).on_progress(|_| {
            let _ = fs::create_dir(&to);
        });
        fails(transfer.upload(&from, text(&to)), "irectory");
        assert!(to.is_dir() && !part.exists());
    });
}

#[test]
fn an_upload_has_the_place_the_owner_and_the_attributes_of_the_file_of_before() {
    on_both(|conn| {
        let folder = folder();
        let [from, to, part] = names(&folder);
        fs::write(&from, "new").expect("written");
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("a folder");
        let real = elsewhere.join("real");
        // A link, to nothing and to a file; its part is where the file is.
        symlink(&real, &to).expect("a link");
        for before in ["", "the one of before"] {
            if !before.is_empty() {
                fs::write(&real, before).expect("written");
            }
            conn.upload(&from, text(&to)).expect("uploaded");
            assert!(to.is_symlink());
            assert_eq!(fs::read(&real).expect("real"), b"new");
            assert_eq!(fs::read_dir(&elsewhere).expect("a folder").count(), 1);
        }
        fs::remove_file(&real).expect("removed");
        conn.download(text(&from), &to).expect("downloaded");
        assert!(to.is_symlink() && real.is_file());
        // Only root may give it to another.
        if fs::metadata(&real).expect("real").uid() == 0 {
            std::os::unix::fs::chown(&real, Some(1234), Some(2345)).expect("given");
            conn.upload(&from, text(&real)).expect("uploaded");
            let found = fs::metadata(&real).expect("real");
            assert_eq!((found.uid(), found.gid()), (1234, 2345));
        }
        // What is no file is written as it is, and a directory isn't.
        conn.upload(&from, "/dev/null").expect("uploaded");
        assert!(!fs::metadata("/dev/null").expect("it is there").is_file());
        fails(conn.upload(&from, text(&elsewhere)), "irectory");
        // Parts that stayed here aren't copied with a directory.
        fs::write(elsewhere.join(".x.rpyc-part"), "half").expect("written");
        let copies = folder.path().join("copies");
        let done = conn.upload(&elsewhere, text(&copies)).expect("uploaded");
        assert!(done.files == 1 && !copies.join(".x.rpyc-part").exists());
        assert!(!part.exists());
    });
}
