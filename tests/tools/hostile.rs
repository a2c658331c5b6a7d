//! Servers that mean harm: a tool comes to its end, and takes no more than it was to take.

use std::fs::{self, File};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rpyc_core::wire::{
    Boxed, ClassId, Dialect, FrameBuf, IdPack, InstanceId, Limits, Message, Seq,
};
use rpyc_tests::deadline::within;

use crate::tool::{Peer, on_both, tool};

/// The frame of an answer that nobody waits for, with a thousand references to new objects.
fn references(first: u64) -> Vec<u8> {
    let reference = |number| {
        let id_pack = IdPack::new("builtins.function", ClassId(900), InstanceId(number));
        Boxed::RemoteRef(id_pack)
    };
    let answer = Message::Reply {
        seq: Seq::new(1 << 40),
        result: Boxed::tuple((first..first + 1000).map(reference).collect::<Vec<_>>()),
    };
    let mut frames = FrameBuf::new();
    let encoded = answer.encode(&mut frames, Dialect::V6, &Limits::default(), false);
    encoded.expect("it fits a frame");
    frames.slices().collect::<Vec<_>>().concat()
}

/// Sends references for as long as they are taken, and reads nothing: the releases that they cause
/// can't be written.
pub(crate) fn flood(mut client: TcpStream) {
    let mut first = 1;
    while client.write_all(&references(first)).is_ok() {
        first += 1000;
    }
}

#[test]
fn a_server_that_sends_references_and_reads_nothing_doesnt_outlast_the_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || flood(client));
        }
    });
    for arguments in [
        &["ping", "-c", "1", "--timeout", "2"][..],
        &["eval", "1", "--timeout", "2"],
    ] {
        let address = address.clone();
        // Far less than the minute that answers may be left unread elsewhere.
        let ran = within(Duration::from_secs(30), "the tool", move || {
            tool(&Peer::at(address), "", arguments)
        });
        assert!(matches!(ran.code, Some(1 | 255)), "{ran:?}");
    }
}

/// Says of some files that they have ten bytes.
const LIAR: &str = "
import os
real = os.stat
def stat(path, **options):
    found = real(path, **options)
    if str(path).endswith('endless'):
        return os.stat_result([*found[:6], 10, *found[7:10]])
    return found
os.stat = stat
";

#[test]
fn a_download_of_more_than_was_announced_ends_with_an_error_that_says_so() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (endless, copy) = (path("endless"), path("copy"));
    let file = File::create(&endless).expect("a file");
    file.set_len(1 << 30).expect("a file full of holes");
    let peer = Peer::python_after(LIAR);
    let part = path(".copy.rpyc-part");
    let copied = || fs::metadata(&part).expect("its beginning").len();
    let ran = tool(&peer, "", &["download", &endless, &copy]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("announced 10 bytes"), "{ran:?}");
    assert!(ran.err.contains("--max-bytes SIZE"), "{ran:?}");
    assert!(copied() < 5 << 20, "{}", copied());

    let limited = ["download", "--max-bytes", "8MiB", &endless, &copy];
    let ran = tool(&peer, "", &limited);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("more than 8388608 bytes"), "{ran:?}");
    assert!((5 << 20..=8 << 20).contains(&copied()), "{}", copied());
}

/// Answers the question for the root, and then never again; `trickle` sends a frame byte by byte that never ends.
fn stop_answering(mut client: TcpStream, trickle: bool) {
    let root = IdPack::new(
        "rpyc.core.service.SlaveService",
        ClassId(900),
        InstanceId(1),
    );
    let answer = Message::Reply {
        seq: Seq::new(0),
        result: Boxed::RemoteRef(root),
    };
    let mut frames = FrameBuf::new();
    let encoded = answer.encode(&mut frames, Dialect::V6, &Limits::default(), false);
    encoded.expect("it fits a frame");
    let mut sent = client.write_all(&frames.slices().collect::<Vec<_>>().concat());
    let mut reading = client.try_clone().expect("a descriptor");
    thread::spawn(move || std::io::copy(&mut reading, &mut std::io::sink()));
    if trickle {
        let mut bytes = [0, 1, 0, 0, 0].into_iter().chain(std::iter::repeat(0));
        while sent.is_ok() {
            thread::sleep(Duration::from_millis(20)); // that is the trickle
            sent = client.write_all(&bytes.next().map_or([0], |byte| [byte]));
        }
    }
}

#[test]
fn a_server_that_stops_answering_doesnt_outlast_the_time_out_of_any_tool() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "1").expect("written");
    let file = file.to_str().expect("text");
    for trickle in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || stop_answering(client, trickle));
            }
        });
        for arguments in [
            &["eval", "1"][..],
            &["exec", file],
            &["shell"],
            &["upload", file, "there"],
            &["download", "there", file],
        ] {
            let mut arguments = arguments.to_vec();
            arguments.extend(["--timeout", "1"]);
            let (address, what) = (address.clone(), format!("{arguments:?}"));
            let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
            // An answer may take half a minute elsewhere.
            let ran = within(Duration::from_secs(20), "the tool", move || {
                let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                tool(&Peer::at(address), "1", &arguments)
            });
            assert_eq!(ran.code, Some(255), "{what}: {ran:?}");
            assert!(ran.err.contains("--timeout 1"), "{what}: {ran:?}");
        }
    }
}

#[test]
fn code_runs_as_long_as_it_likes_unless_the_time_out_is_given() {
    on_both(|peer| {
        // Longer than connecting may take.
        let ran = tool(peer, "", &["eval", "__import__('time').sleep(6) or 7"]);
        assert_eq!((ran.code, ran.out.trim()), (Some(0), "7"), "{ran:?}");
        let endless = ["eval", "__import__('time').sleep(3600)", "--timeout", "2"];
        let ran = tool(peer, "", &endless);
        assert_eq!(ran.code, Some(255), "{ran:?}");
        assert!(ran.err.contains("--timeout 2"), "{ran:?}");
    });
}
