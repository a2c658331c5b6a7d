//! `upload` and `download`.

use std::fs;

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
