//! What systemd does for a service: it listens, hands the sockets over, and wants to be told.

use rpyc_tests::certs::Authority;
use rpyc_tests::python::{self, Script};
use rpyc_tests::server::{binary, is_stock};

/// Plays systemd: sockets of its own from descriptor 3 on, and one to be told at.
const SYSTEMD: &str = r#"
import signal, socket, subprocess
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind('notify')
told.settimeout(PATIENCE)
def start(sockets, *options, of=None):
    # Out of the way of the descriptors that they get.
    fds = [os.dup(sock.fileno()) for sock in sockets]
    fds = [os.dup2(fd, 100 + number) for number, fd in enumerate(fds)]
    pid = os.fork()
    if pid:
        return pid
    for number, fd in enumerate(fds):
        os.dup2(fd, 3 + number)
    os.environ['LISTEN_PID'] = str(of or os.getpid())
    os.environ['LISTEN_FDS'] = str(len(sockets))
    os.environ['NOTIFY_SOCKET'] = os.path.abspath('notify')
    os.execv(os.environ['SERVER'], [os.environ['SERVER'], '--classic', *options])
def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def listen(family, address):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind(address)
    sock.listen(10)
    return sock
"#;

fn as_systemd(code: &str, variables: &[(&str, &str)]) {
    if is_stock() {
        return;
    }
    let script = Script::new(&format!("{SYSTEMD}{}", python::dedent(code)));
    let script = variables.iter().fold(script, |script, (name, value)| {
        script.variable(name, *value)
    });
    let script = script.variable("SERVER", binary().to_string_lossy());
    script
        .in_own_network()
        .outcome()
        .unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn it_serves_the_sockets_that_it_is_given_and_says_when_it_is_ready_and_when_it_stops() {
    as_systemd(
        r#"
        tcp = listen(socket.AF_INET, ('127.0.0.1', 0))
        unix = listen(socket.AF_UNIX, 'socket')
        # A client that was there first waits for the server.
        early = socket.create_connection(tcp.getsockname())
        pid = start([tcp, unix])
        same(told.recv(1000).strip(), b'READY=1')
        from rpyc.core.stream import SocketStream
        conn = rpyc.connect_stream(SocketStream(early), rpyc.core.service.ClassicService)
        same(conn.modules.os.getpid(), pid)
        again = rpyc.classic.connect(*tcp.getsockname())
        same(again.modules.os.getpid(), pid)
        local = rpyc.utils.factory.unix_connect('socket', rpyc.core.service.ClassicService)
        same(local.modules.os.getpid(), pid)
        # What the code of clients starts doesn't listen in the server's place.
        sockets = conn.modules.subprocess.run(
            ['sh', '-c', 'ls -l /proc/self/fd | grep -c socket:'], capture_output=True)
        same(rpyc.classic.obtain(sockets.stdout), b'0\n')
        os.kill(pid, signal.SIGTERM)
        same(told.recv(1000).strip(), b'STOPPING=1')
        same(wait(pid), 0)
        # systemd's own socket file stays, for the next start.
        assert os.path.exists('socket')
        "#,
        &[],
    );
}

#[test]
fn a_socket_that_others_reach_needs_a_word_on_who_may_come() {
    let authority = Authority::new("authority");
    let identity = authority.server();
    let [key, certificate, ca] = [&identity.key, &identity.certificate, &authority.path()]
        .map(|path| path.to_string_lossy().into_owned());
    as_systemd(
        r#"
        everywhere = listen(socket.AF_INET, ('0.0.0.0', 0))
        local = listen(socket.AF_INET, ('127.0.0.1', 0))
        same(wait(start([local, everywhere])), 2)
        tls = ['--ssl-keyfile', os.environ['KEY'], '--ssl-certfile', os.environ['CERTIFICATE']]
        same(wait(start([everywhere], *tls)), 2)
        for options in [*tls, '--ssl-cafile', os.environ['CA']], ['--insecure'], ['--allow', '::1']:
            pid = start([everywhere], *options)
            same(told.recv(1000).strip(), b'READY=1')
            os.kill(pid, signal.SIGTERM)
            same(told.recv(1000).strip(), b'STOPPING=1')
            same(wait(pid), 0)
        "#,
        &[("KEY", &key), ("CERTIFICATE", &certificate), ("CA", &ca)],
    );
}

#[test]
fn what_is_no_socket_to_listen_on_is_refused_instead_of_an_address_of_its_own_taken() {
    as_systemd(
        r#"
        local = listen(socket.AF_INET, ('127.0.0.1', 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(('127.0.0.1', 0))
        connected = socket.create_connection(local.getsockname())
        for other in datagrams, connected, open('/dev/null'):
            same(wait(start([local, other], '--port', '0', '--logfile', 'log')), 1)
            assert 'listening on' not in open('log').read()
        "#,
        &[],
    );
}

#[test]
fn sockets_for_another_process_are_none_of_its_business() {
    as_systemd(
        r#"
        tcp = listen(socket.AF_INET, ('127.0.0.1', 0))
        pid = start([tcp], '--port', '0', '--logfile', 'log', of=1)
        same(told.recv(1000).strip(), b'READY=1')
        own = int(open('log').read().split('listening on 127.0.0.1:')[1].split()[0])
        assert own != tcp.getsockname()[1]
        same(rpyc.classic.connect('127.0.0.1', own).modules.os.getpid(), pid)
        os.kill(pid, signal.SIGTERM)
        same(wait(pid), 0)
        "#,
        &[],
    );
}
