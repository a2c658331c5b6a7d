//! Two machines on a network of their own, with every port and address as it is by default: a
//! registry on one of them, found from both by a broadcast.

use rpyc_tests::python::{self, Script};
use rpyc_tests::server::{binary, is_stock};

/// The other machine is a process that keeps a second network alive; `there` is what a command
/// begins with to be run on it.
const MACHINES: &str = r#"
import signal, subprocess
SERVER = os.environ['SERVER']
def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
other = subprocess.Popen(['unshare', '--net', 'sleep', 'infinity'])
own = os.readlink('/proc/self/ns/net')
while os.readlink(f'/proc/{other.pid}/ns/net') == own:
    time.sleep(0.01)
there = ['nsenter', f'--net=/proc/{other.pid}/ns/net']
run('ip', 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', str(other.pid))
for machine, address in ([], '10.9.0.1/24'), (there, '10.9.0.2/24'):
    run(*machine, 'ip', 'link', 'set', 'lo', 'up')
    run(*machine, 'ip', 'address', 'add', address, 'dev', 'wire')
    run(*machine, 'ip', 'link', 'set', 'wire', 'up')
    run(*machine, 'ip', 'route', 'add', 'default', 'dev', 'wire')
def start(*command, until):
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if until in line:
            # What comes later mustn't fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process
    raise AssertionError(f'{command}: never {until}')
def stop(process):
    process.send_signal(signal.SIGTERM)
    same(process.wait(PATIENCE), 0)
OURS = [SERVER, '--classic', '--insecure', '--host', '10.9.0.2', '--register']
def python(machine, code):
    return run(*machine, sys.executable, '-c', f'import rpyc\n{code}').strip()
PYTHONS_SERVER = '''
import rpyc, rpyc.utils.server, sys
class NotesService(rpyc.Service):
    def exposed_double(self, n):
        return 2 * n
server = rpyc.utils.server.ThreadedServer(NotesService, hostname='10.9.0.2', auto_register=True)
print('starts', file=sys.stderr, flush=True)
server.start()
'''
"#;

fn on_two_machines(code: &str) {
    if is_stock() {
        return;
    }
    let code = python::dedent(code);
    let script = Script::new(&format!("{MACHINES}{code}"));
    let registry = python::interpreter().with_file_name("rpyc_registry");
    script
        .variable("SERVER", binary().to_string_lossy())
        .variable("PYTHONS_REGISTRY", registry.to_string_lossy())
        .in_own_network()
        .outcome()
        .unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn our_registry_is_found_by_our_server_and_pythons_and_by_clients_of_both() {
    on_two_machines(
        r#"
        registry = start(SERVER, 'registry', '--listing', until='listening on ')
        server = start(*there, *OURS, until='registered port')
        pythons = start(*there, sys.executable, '-c', PYTHONS_SERVER, until='starts')
        for machine in [], there:
            same(python(machine, 'print(rpyc.discover("slave"))'), "(('10.9.0.2', 18812),)")
            code = 'print(rpyc.connect_by_service("slave").root.eval("6 * 7"))'
            same(python(machine, code), '42')
            same(run(*machine, SERVER, 'services', 'slave'), 'SLAVE\t10.9.0.2:18812\n')
            same(run(*machine, SERVER, 'eval', '6 * 7', '--connect', 'service:slave'), '42\n')
        eventually(lambda: 'NOTES' in python([], 'print(rpyc.list_services())'), 'registered')
        found = python([], 'print(rpyc.connect_by_service("notes").root.double(21))')
        same(found, '42')
        stop(server)
        assert 'SLAVE' not in run(SERVER, 'services')
        pythons.kill()
        stop(registry)
        "#,
    );
}

#[test]
fn pythons_registry_is_found_by_our_server_and_our_clients() {
    on_two_machines(
        r#"
        registry = start(os.environ['PYTHONS_REGISTRY'], '--listing', 'true', until='started')
        server = start(*there, *OURS, until='registered port')
        for machine in [], there:
            same(run(*machine, SERVER, 'services', 'slave'), 'SLAVE\t10.9.0.2:18812\n')
            same(run(*machine, SERVER, 'eval', '6 * 7', '--connect', 'service:slave'), '42\n')
            same(python(machine, 'print(rpyc.discover("slave"))'), "(('10.9.0.2', 18812),)")
        stop(server)
        found = subprocess.run([SERVER, 'services', 'slave'], capture_output=True, text=True)
        same((found.returncode, found.stdout), (1, ''))
        registry.kill()
        "#,
    );
}

#[test]
fn a_registry_with_several_addresses_answers_from_the_one_that_was_asked() {
    if is_stock() {
        return;
    }
    let code = r#"
        import signal, socket, subprocess
        def ip(*words):
            subprocess.run(['ip', *words], check=True)
        ip('link', 'set', 'lo', 'up')
        for address in '10.0.0.1/24', '10.0.0.7/24', 'fd00::1/128', 'fd00::7/128':
            ip('address', 'add', address, 'dev', 'lo')
        question = rpyc.core.brine.dump(('RPYC', 'QUERY', ('NOTHING',)))
        def asked(family, own, address):
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.bind((own, 0))
                sock.settimeout(PATIENCE)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sock.sendto(question, (address, 18811))
                answer, (source, *_) = sock.recvfrom(1500)
                same(rpyc.core.brine.load(answer), ())
                return source
        v4, v6 = socket.AF_INET, socket.AF_INET6
        for options in [], ['--ipv6']:
            registry = subprocess.Popen(
                [os.environ['SERVER'], 'registry', *options], stderr=subprocess.PIPE, text=True)
            assert 'listening on' in registry.stderr.readline()
            for own, address in ('10.0.0.7', '10.0.0.1'), ('10.0.0.1', '10.0.0.7'):
                same(asked(v4, own, address), address)
            # A broadcast is answered from an address that can be one.
            assert asked(v4, '10.0.0.7', '10.0.0.255').startswith('10.0.0.')
            if options:
                same(asked(v6, 'fd00::7', 'fd00::1'), 'fd00::1')
                same(asked(v6, 'fd00::1', 'fd00::7'), 'fd00::7')
            registry.send_signal(signal.SIGTERM)
            same(registry.wait(PATIENCE), 0)
    "#;
    let script = Script::new(code).variable("SERVER", binary().to_string_lossy());
    let outcome = script.in_own_network().outcome();
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
}
