//! `upload` and `download`.

use std::fs;
use std::os::unix::fs::symlink;

use crate::terminal;
use crate::tool::{on_both, tool};

#[test]
fn files_and_directories_go_both_ways() {
    on_both(|peer| {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let content: Vec<u8> = (0..700_000_u32).map(|at| (at * 7 % 251) as u8).collect();
        fs::create_dir_all(path("here/sub")).expect("a folder");
        fs::write(path("here/sub/file"), &content).expect("written");
        let ran = tool(
            peer,
            "",
            &["upload", "--verify", &path("here"), &path("there")],
        );
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{}", ran.err);
        assert!(ran.err.starts_with("1 file, 683.59 KiB in "), "{}", ran.err);
        assert!(fs::read(path("there/sub/file")).expect("there") == content);

        // A file into a directory, with a part of it there already.
        fs::create_dir(path("back")).expect("a folder");
        fs::write(path("back/file"), &content[..300_000]).expect("written");
        let ran = tool(
            peer,
            "",
            &[
                "download",
                "--resume",
                "--verify",
                &path("there/sub/file"),
                &path("back"),
            ],
        );
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(
            ran.err.contains("(292.97 KiB were there already)"),
            "{}",
            ran.err
        );
        assert!(fs::read(path("back/file")).expect("back") == content);
        let ran = tool(
            peer,
            "",
            &[
                "upload",
                "-q",
                &path("back/file"),
                &format!("{}/", folder.path().display()),
            ],
        );
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert!(fs::read(path("file")).expect("there") == content);

        for arguments in [
            ["upload", &path("nothing"), "/tmp/x"],
            ["download", &path("nothing"), "/tmp/x"],
            ["upload", &path("file"), &path("no/such/folder")],
        ] {
            let ran = tool(peer, "", &arguments);
            assert!(
                ran.code == Some(1) && ran.err.contains("not copied"),
                "{ran:?}"
            );
        }
    });
}

#[test]
fn a_directory_comes_back_as_it_went_and_what_is_the_same_is_kept() {
    on_both(|peer| {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir_all(path("there/a/b")).expect("a folder");
        fs::create_dir_all(path("there/empty")).expect("a folder");
        for (name, text) in [("a/one", "1"), ("a/b/two", "22"), ("ünï cödé", "")] {
            fs::write(path(&format!("there/{name}")), text).expect("written");
        }
        let copy = |options: &[&str]| {
            let (there, back) = (path("there"), path("back"));
            let arguments = [&["download"], options, &[&there, &back]].concat();
            tool(peer, "", &arguments)
        };
        let ran = copy(&[]);
        assert!(
            ran.code == Some(0) && ran.err.starts_with("3 files, 3 B in "),
            "{ran:?}"
        );
        for (name, text) in [("a/one", "1"), ("a/b/two", "22"), ("ünï cödé", "")] {
            let copied = fs::read_to_string(path(&format!("back/{name}")));
            assert_eq!(copied.expect("it is back"), text, "{name}");
        }
        assert!(fs::metadata(path("back/empty")).is_ok_and(|empty| empty.is_dir()));
        // One is another one by now, of the same length; the other two are kept.
        fs::write(path("back/a/b/two"), "2x").expect("written");
        let ran = copy(&["--resume", "--verify"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let copied = fs::read_to_string(path("back/a/b/two"));
        assert_eq!(copied.expect("it is back"), "22");
    });
}

#[test]
fn links_that_lead_back_or_nowhere_are_left_out_both_ways() {
    on_both(|peer| {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir_all(path("here/sub")).expect("a folder");
        fs::write(path("here/sub/file"), "content").expect("written");
        for (name, target) in [
            ("sub/up", ".."),
            ("sub/back", "."),
            ("itself", "itself"),
            ("nowhere", "nothing"),
            ("good", "sub/file"),
        ] {
            symlink(target, path(&format!("here/{name}"))).expect("a link");
        }
        for (command, target) in [("upload", "there"), ("download", "back")] {
            let ran = tool(peer, "", &[command, &path("here"), &path(target)]);
            assert_eq!(ran.code, Some(0), "{command}: {}", ran.err);
            assert!(ran.err.starts_with("2 files, 14 B in"), "{}", ran.err);
            let names = |folder: &str| {
                let entries = fs::read_dir(path(folder)).expect("a folder");
                let mut names: Vec<_> = entries
                    .map(|entry| entry.expect("an entry").file_name())
                    .collect();
                names.sort();
                names
            };
            assert_eq!(names(target), ["good", "sub"], "{command}");
            assert_eq!(names(&format!("{target}/sub")), ["file"], "{command}");
        }
    });
}

#[test]
fn a_file_that_is_copied_onto_itself_is_kept() {
    on_both(|peer| {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("file"), "content").expect("written");
        symlink("file", path("link")).expect("a link");
        for command in ["upload", "download"] {
            for target in ["file", "link", "."] {
                let ran = tool(peer, "", &[command, &path("file"), &path(target)]);
                assert!(
                    ran.code == Some(1) && ran.err.contains("is the same file on both sides"),
                    "{command} {target}: {ran:?}"
                );
                assert_eq!(fs::read(path("file")).expect("there"), b"content");
            }
        }
    });
}

#[test]
fn at_a_terminal_the_progress_is_shown() {
    on_both(|peer| {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("here"), vec![7; 20 << 20]).expect("written");
        let (here, there) = (path("here"), path("there"));
        let arguments = ["upload", "--verify", &here, &there];
        let shown = terminal::shows(peer, &arguments, &[]);
        // One way: what is copied, and what is compared afterwards.
        for part in ["copying", "/40.00 MiB [", "1 file, 20.00 MiB in "] {
            assert!(shown.contains(part), "no {part} in {shown:?}");
        }
        assert!(shown.trim_end().ends_with("exit code 0"), "{shown:?}");
        let quietly = ["upload", "--quiet", &here, &there];
        let shown = terminal::shows(peer, &quietly, &[]);
        assert_eq!(shown.trim(), "exit code 0");
    });
}
