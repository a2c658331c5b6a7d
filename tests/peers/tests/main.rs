//! What makes calls fast, as far as it can be told without a clock, or with a wide bound on one:
//! system calls, the memory of idle connections, the stalls of Nagle's algorithm.

use std::path::Path;

use rpyc_bench_peers::peer::Program;
use rpyc_bench_peers::process::{self, Held, Server};
use rpyc_bench_peers::scenario::Kind;
use rpyc_bench_peers::strace;
use rpyc_bench_peers::timing::{Measurement, Work};

fn bench_peers() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bench-peers"))
}

#[track_caller]
fn measure(client: Program, server: Program, kind: Kind, calls: usize, load: usize) -> Measurement {
    let server = Server::start(server, bench_peers(), None).expect("the server starts");
    let work = Work::new(server.port, kind, load, calls);
    process::call(client, bench_peers(), None, &work).expect("the calls succeed")
}

#[test]
fn a_null_call_is_one_write_and_one_read_on_the_calling_and_on_the_serving_thread() {
    let ends = strace::per_call(bench_peers(), Program::Rpyc, Program::Rpyc)
        .expect("strace counts the system calls");
    for (end, counts) in ["client", "server"].into_iter().zip(ends) {
        let total: f64 = counts.values().sum();
        // Now and then a busy machine lets the watchdog see a call that stands still.
        assert!(
            (total - 2.0).abs() < 0.05,
            "the {end} made {total} system calls a call: {counts:?}"
        );
    }
}

#[test]
fn dropped_netrefs_do_not_stall_calls_on_a_python_server() {
    // The answers to a release and to the next call meet Nagle's algorithm and delayed
    // acknowledgements: 44 ms a call, 4.4 s in all, where nothing is done about it.
    let measured = measure(Program::Rpyc, Program::Python, Kind::Fresh, 100, 1);
    assert!(measured.secs < 2.0, "{measured:?}");
}

#[test]
fn large_frames_of_a_python_client_do_not_stall() {
    // It writes them in three pieces; the last one, a newline, waits for an acknowledgement of the
    // others: 40 ms a call where that is delayed.
    let measured = measure(Program::PythonKept, Program::Rpyc, Kind::Bulk, 100, 100_000);
    assert!(measured.secs < 2.0, "{measured:?}");
}

#[test]
fn an_idle_connection_holds_little_memory() {
    let server = Server::start(Program::Rpyc, bench_peers(), None).expect("the server starts");
    let before = server.status("VmRSS").expect("the system tells the memory");
    let work = Work::new(server.port, Kind::Hold, 400, 0);
    let held = Held::start(Program::Rpyc, bench_peers(), &work).expect("the connections open");
    let after = server.status("VmRSS").expect("the system tells the memory");
    let each = (after - before) / 400.0;
    // 23 to 24 KiB, most of it the thread's own. The bound finds a frame that grew: a function that
    // was inlined where it shouldn't be once made it 83.
    assert!(each <= 32.0, "{each} KiB a connection");
    drop(held);
}

#[test]
fn pipelined_calls_share_their_writes() {
    let [few, many] = [2_000, 12_000].map(|calls| {
        let counted = strace::count_pipelined(bench_peers(), Program::Rpyc, calls, 64);
        let (client, server) = counted.expect("strace counts the system calls");
        [client, server].map(|traced| traced.all.values().sum::<usize>())
    });
    for (end, (few, many)) in ["client", "server"]
        .into_iter()
        .zip(few.into_iter().zip(many))
    {
        let each = (many - few) as f64 / 10_000.0;
        assert!(each < 0.5, "the {end} made {each} system calls a call");
    }
}
