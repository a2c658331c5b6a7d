//! Members that are killed, cut off and stopped; servers that are stopped: what was known is known,
//! and who is gone is gone.

use std::time::{Duration, Instant};

use rpyc_registry::Directory;
use rpyc_tests::etcd::{Cluster, eventually, program};
use rpyc_tests::registry::register;
use rpyc_tests::server::{Signal, binary};
use rpyc_tests::{Script, Server, python};

use super::library::{addresses, directory, news};

fn server(cluster: &Cluster, options: &[&str]) -> Server {
    let endpoints = cluster.endpoints();
    let register = ["--register", "--registry-type", "etcd"];
    let place = ["--registry-host", &endpoints];
    Server::with_options(&[&register[..], &place, options].concat())
}

#[track_caller]
fn logged(server: &Server, text: &str, times: usize) {
    server.wait_for_log(text, |lines| {
        let found = lines.iter().filter(|line| line.contains(text)).count();
        (found >= times).then_some(())
    });
}

#[test]
fn what_was_registered_outlives_the_leader_and_registering_goes_on() {
    let mut cluster = Cluster::start(3);
    let directory = directory(&cluster);
    let mut watch = directory.watch("slave").unwrap();
    assert_eq!(news(&mut *watch), Vec::<String>::new());
    let first = server(&cluster, &[]);
    logged(&first, "registered port", 1);
    let leader = cluster.leader();
    cluster.kill(leader);
    let second = server(&cluster, &["--service-name", "slave,second"]);
    logged(&second, "registered port", 1);
    let mut both = [first.address().to_string(), second.address().to_string()];
    both.sort();
    eventually("both are told", || {
        let mut told = news(&mut *watch);
        told.sort();
        (told == both).then_some(())
    });
    let found = eventually("both are found", || {
        directory
            .discover("slave")
            .ok()
            .filter(|found| found.len() == 2)
    });
    assert!(found.iter().all(|server| server.facts.is_some()));
    assert_eq!(directory.list(None).unwrap(), ["SECOND", "SLAVE"]);
}

#[test]
fn without_a_majority_a_server_serves_says_so_once_and_comes_back_by_itself() {
    let mut cluster = Cluster::start(3);
    let directory = directory(&cluster);
    // It asks each third of that; while nobody leads, no lease ends.
    let mut server = server(&cluster, &["--etcd-lease", "12"]);
    logged(&server, "registered port", 1);
    (1..3).for_each(|member| cluster.kill(member));
    logged(&server, "trying again", 1);
    server.check("same(conn.root.eval('6 * 7'), 42)");
    let began = Instant::now();
    let limit = Duration::from_secs(2);
    let brief = rpyc_registry::EtcdDirectory::builder(cluster.endpoints().split(','));
    let brief = brief.unwrap().timeout(limit).build().unwrap();
    brief.discover("slave").expect_err("nobody can tell");
    // Generous: the machine may be slow, but nobody waits for etcd's own limits.
    assert!(began.elapsed() < 10 * limit);
    (1..3).for_each(|member| cluster.spawn(member));
    (1..3).for_each(|member| cluster.wait_for(member));
    logged(&server, "registered port", 2);
    eventually("it is found", || directory.discover("slave").ok());
    assert_eq!(
        server.log().matches("trying again").count(),
        1,
        "{}",
        server.log()
    );
    let status = server.stop(Signal::TERM, Duration::from_secs(60));
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(server.log().contains("unregistered"), "{}", server.log());
    directory
        .discover("slave")
        .expect_err("its lease is revoked");
}

#[test]
fn a_server_that_is_stopped_is_forgotten_and_known_again_when_it_goes_on() {
    let cluster = Cluster::start(1);
    let directory = directory(&cluster);
    let mut watch = directory.watch("slave").unwrap();
    assert_eq!(news(&mut *watch), Vec::<String>::new());
    // Long enough for a slow machine to renew it in time, as it runs out here.
    let server = server(&cluster, &["--etcd-lease", "6"]);
    let address = [server.address().to_string()];
    assert_eq!(news(&mut *watch), address);
    server.signal(Signal::STOP);
    assert_eq!(news(&mut *watch), Vec::<String>::new());
    assert_eq!(directory.list(None).unwrap(), Vec::<String>::new());
    server.signal(Signal::CONT);
    assert_eq!(news(&mut *watch), address);
}

#[test]
fn a_server_that_ends_takes_nothing_of_another_one_along_that_has_its_address() {
    let cluster = Cluster::start(1);
    let directory = directory(&cluster);
    let place = ["--advertise-host", "10.0.0.1", "--advertise-port", "4000"];
    // Its lease goes back also where requests have no time at all.
    let brief = ["--etcd-lease", "6", "--grace", "0"];
    let mut first = server(&cluster, &[&place[..], &brief].concat());
    logged(&first, "registered port", 1);
    let second = server(&cluster, &[&place[..], &["--etcd-lease", "2"]].concat());
    logged(&second, "registered port", 1);
    // Its lease was not the other's, and is seen to be renewed.
    logged(&second, "another server is at 10.0.0.1:4000, too", 1);
    first.stop(Signal::TERM, rpyc_tests::deadline::PATIENCE);
    assert!(first.log().contains("unregistered"), "{}", first.log());
    assert_eq!(directory.discover("slave").unwrap().len(), 1);
}

#[test]
fn a_member_that_is_stopped_is_passed_over() {
    let cluster = Cluster::start(3);
    let directory = directory(&cluster);
    register(&directory, "notes", 1);
    let asked = (0..3).find(|&member| member != cluster.leader()).unwrap();
    cluster.signal(asked, Signal::STOP);
    let other = format!("{},{}", cluster.address(asked), cluster.endpoints());
    let stopped_first = rpyc_registry::EtcdDirectory::builder(other.split(','));
    let stopped_first = stopped_first
        .unwrap()
        .timeout(Duration::from_secs(8))
        .build();
    let found = stopped_first.unwrap().discover("notes").unwrap();
    assert_eq!(addresses(&found).len(), 1);
    cluster.signal(asked, Signal::CONT);
}

#[test]
fn who_is_cut_off_from_etcd_is_forgotten_there_and_found_again_when_the_network_is_back() {
    let script = r#"
        import json, signal, subprocess
        def run(*command, check=True):
            done = subprocess.run(command, capture_output=True, text=True)
            assert not check or done.returncode == 0, done
            return done.stdout
        run('ip', 'link', 'set', 'lo', 'up')
        run('ip', 'link', 'add', 'hub', 'type', 'bridge')
        run('ip', 'address', 'add', '10.9.0.100/24', 'dev', 'hub')
        run('ip', 'link', 'set', 'hub', 'up')
        own = os.readlink('/proc/self/ns/net')
        def machine(n):
            other = subprocess.Popen(['unshare', '--net', 'sleep', 'infinity'])
            while os.readlink(f'/proc/{other.pid}/ns/net') == own:
                time.sleep(0.01)
            there = ['nsenter', f'--net=/proc/{other.pid}/ns/net']
            run('ip', 'link', 'add', f'wire{n}', 'type', 'veth', 'peer', 'name', 'wire', 'netns', str(other.pid))
            run('ip', 'link', 'set', f'wire{n}', 'master', 'hub')
            run('ip', 'link', 'set', f'wire{n}', 'up')
            run(*there, 'ip', 'link', 'set', 'lo', 'up')
            run(*there, 'ip', 'address', 'add', f'10.9.0.{n}/24', 'dev', 'wire')
            run(*there, 'ip', 'link', 'set', 'wire', 'up')
            return there
        def start(*command, until):
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            seen = []
            for line in process.stderr:
                seen.append(line)
                if until in line:
                    threading.Thread(target=lambda: seen.extend(process.stderr), daemon=True).start()
                    process.seen = seen
                    return process
            raise AssertionError(f'{command}: never {until}: {"".join(seen)}')
        machines = {n: machine(n) for n in (1, 2, 3, 4)}
        cluster = ','.join(f'm{n}=http://10.9.0.{n}:2380' for n in (1, 2, 3))
        import tempfile
        data = tempfile.mkdtemp()
        members = [subprocess.Popen([*machines[n], ETCD, '--name', f'm{n}', '--data-dir', f'{data}/{n}',
            '--listen-client-urls', f'http://10.9.0.{n}:2379', '--advertise-client-urls', f'http://10.9.0.{n}:2379',
            '--listen-peer-urls', f'http://10.9.0.{n}:2380', '--initial-advertise-peer-urls', f'http://10.9.0.{n}:2380',
            '--initial-cluster', cluster, '--unsafe-no-fsync', '--pre-vote'], stderr=subprocess.DEVNULL) for n in (1, 2, 3)]
        etcd = ['--registry-type', 'etcd', '--registry-host', '10.9.0.1,10.9.0.2,10.9.0.3']
        server = start(*machines[4], SERVER, '--classic', '--insecure', '--host', '0.0.0.0', '--register',
            *etcd, '--etcd-lease', '6', until='registered port')
        def found():
            return run(SERVER, 'services', *etcd, 'slave', check=False)
        eventually(lambda: '10.9.0.4:18812' in found(), 'registered')
        # The members find each other no more: one is alone, the client asks it first.
        run('ip', 'link', 'set', 'wire1', 'down')
        eventually(lambda: '10.9.0.4:18812' in found(), 'found by the other two')
        run('ip', 'link', 'set', 'wire1', 'up')
        run('ip', 'link', 'set', 'wire4', 'down')
        eventually(lambda: not found(), 'forgotten')
        run('ip', 'link', 'set', 'wire4', 'up')
        eventually(lambda: '10.9.0.4:18812' in found(), 'there again')
        server.send_signal(signal.SIGTERM)
        same(server.wait(PATIENCE), 0)
        assert not found(), server.seen
        for member in members:
            member.kill()
        import shutil
        shutil.rmtree(data)
    "#;
    in_own_network(script);
}

#[test]
fn the_address_that_is_registered_doesnt_depend_on_which_member_answers() {
    let script = r#"
        import subprocess, tempfile
        def run(*command):
            return subprocess.run(command, capture_output=True, text=True).stdout
        # The way to each of them begins at another address.
        for command in ('link set lo up', 'address add 10.8.0.1/32 dev lo', 'address add 10.9.0.1/32 dev lo'):
            run('ip', *command.split())
        folder = tempfile.TemporaryDirectory()
        etcd = subprocess.Popen([ETCD, '--data-dir', folder.name, '--listen-client-urls', 'http://10.9.0.1:2379',
            '--advertise-client-urls', 'http://10.9.0.1:2379', '--unsafe-no-fsync'], stderr=subprocess.DEVNULL)
        # The first member is away.
        members = ['--registry-type', 'etcd', '--registry-host', '127.0.0.1,10.8.0.1,10.9.0.1']
        server = subprocess.Popen([SERVER, '--classic', '--insecure', '--host', '0.0.0.0', '--register', *members],
            stderr=subprocess.DEVNULL)
        eventually(lambda: ':18812' in run(SERVER, 'services', *members, 'slave'), 'registered')
        assert '10.8.0.1:18812' in run(SERVER, 'services', *members, 'slave'), run(SERVER, 'services', *members)
        for process in (server, etcd):
            process.terminate()
            process.wait(PATIENCE)
    "#;
    in_own_network(script);
}

/// Runs a script in a network of its own, which knows the programs as `ETCD` and `SERVER`.
fn in_own_network(script: &str) {
    let code = format!(
        "ETCD, SERVER = os.environ['ETCD'], os.environ['SERVER']\n{}",
        python::dedent(script)
    );
    Script::new(&code)
        .variable("ETCD", program("etcd").to_string_lossy())
        .variable("SERVER", binary().to_string_lossy())
        .in_own_network()
        .deadline(Duration::from_secs(180))
        .outcome()
        .unwrap_or_else(|reason| panic!("{reason}"));
}
