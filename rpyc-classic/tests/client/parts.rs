//! A file that is copied has its name once it is whole: the part that it is until then.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rpyc_classic::{Phase, Transfer, TransferError, connect};
use tempfile::TempDir;

use crate::servers::{at_both, collect, eventually, on_both};
use crate::transfer::{content, copy, fails, folder, text};

/// A file, its copy, and the copy's part.
fn names(folder: &TempDir) -> [PathBuf; 3] {
    ["from", "to", ".to.rpyc-part"].map(|name| folder.path().join(name))
}

fn mode(path: &Path) -> u32 {
    let found = fs::metadata(path).expect("a file");
    found.permissions().mode() & 0o7777
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
            // Only root may give it to another, who would have what is copied.
            if fs::metadata(&from).expect("from").uid() == 0 {
                fs::write(&part, "").expect("written");
                std::os::unix::fs::chown(&part, Some(1234), None).expect("given");
                refused("others");
                fs::remove_file(&part).expect("removed");
            }
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
        for (is_upload, before) in [(false, 0o400), (false, 0o6620), (true, 0o6620)] {
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
            assert_eq!(mode(&to), before & 0o777);
        }
    });
}

/// The other names kept the content of before, which Python's rpyc writes over.
#[test]
fn a_file_of_several_names_is_written_in_place() {
    on_both(|conn| {
        for is_upload in [false, true] {
            let folder = folder();
            let [from, to, _] = names(&folder);
            let linked = folder.path().join("linked");
            fs::write(&from, content(3_000_000)).expect("written");
            fs::write(&to, "the one of before").expect("written");
            fs::hard_link(&to, &linked).expect("a link");
            for resume in [false, true] {
                let transfer = Transfer::new(conn).resume(resume);
                copy(transfer, is_upload, &from, &to).expect("copied");
                assert!(fs::read(&linked).expect("linked") == content(3_000_000));
                // What is gone on with is in place, too.
                let half = fs::File::options().write(true).open(&to).expect("to");
                half.set_len(1_000_000).expect("cut");
            }
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3);
        }
    });
}

/// One went on with the part of the other, or waited for its end.
#[test]
fn long_names_that_begin_alike_have_a_part_each() {
    on_both(|conn| {
        for is_upload in [false, true] {
            let folder = folder();
            let [from, ..] = names(&folder);
            fs::write(&from, content(3_000_000)).expect("written");
            let parts = RefCell::new(BTreeSet::new());
            for end in ["a", "b"] {
                let to = folder.path().join("ä".repeat(127) + end);
                let transfer = Transfer::new(conn).on_progress(|_| {
                    let left = fs::read_dir(folder.path()).expect("a folder");
                    let left = left.map(|entry| entry.expect("an entry").file_name());
                    let is_part = |name: &OsString| name.as_encoded_bytes().ends_with(b"-part");
                    parts.borrow_mut().extend(left.filter(is_part));
                });
                copy(transfer, is_upload, &from, &to).expect("copied");
            }
            assert_eq!(parts.into_inner().len(), 2);
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
fn a_copy_has_the_place_and_the_owner_of_the_file_of_before() {
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
            for is_upload in [false, true] {
                copy(Transfer::new(conn), is_upload, &from, &real).expect("copied");
                let found = fs::metadata(&real).expect("real");
                assert_eq!((found.uid(), found.gid()), (1234, 2345));
            }
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

/// Another upload gives it its name, or removes it.
#[test]
fn a_part_that_goes_while_it_is_compared_is_none() {
    on_both(|conn| {
        let folder = folder();
        let [from, to, part] = names(&folder);
        let whole = content(3_000_000);
        fs::write(&from, &whole).expect("written");
        fs::write(&part, &whole[..1_000_000]).expect("written");
        let transfer = Transfer::new(conn).resume(true).on_progress(|at| {
            if at.phase == Phase::Compare {
                let _ = fs::remove_file(&part);
            }
        });
        let done = transfer.upload(&from, text(&to)).expect("uploaded");
        assert_eq!(done.kept, 0);
        assert!(fs::read(&to).expect("to") == whole && !part.exists());
    });
}
