//! What the pages tell an operator to type works when it is typed: in a network of its own, so that
//! addresses and ports are those of the page.

use rpyc_tests::python::{self, Script};
use rpyc_tests::server::{binary, is_stock};

const OPERATOR: &str = r#"
import contextlib, io, re, signal, subprocess
SERVER, PAGES = os.environ['SERVER'], os.environ['PAGES']
os.environ['PATH'] = os.path.dirname(SERVER) + ':' + os.environ['PATH']
def ip(*words):
    subprocess.run(['ip', *words], check=True)
ip('link', 'set', 'lo', 'up')
for address in '10.0.0.1/32', '10.0.0.7/32':
    ip('address', 'add', address, 'dev', 'lo')
def blocks(page, language, section=''):
    with open(os.path.join(PAGES, page)) as file:
        text = file.read()
    text = text[text.index(section):]
    return re.findall(f'```{language}\n(.*?)```', text, re.S)
def lines(block):
    return block.replace('\\\n', ' ').splitlines()
def shell(command):
    done = subprocess.run(['bash', '-ec', command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
def start(command, until='listening on '):
    assert command.startswith('rpyc-server '), command
    process = subprocess.Popen(
        ['bash', '-c', f'exec {command}'], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if until in line:
            # What comes later mustn't fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process
    raise AssertionError(f'{command}: never {until}')
def stop(*processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
        same(process.wait(PATIENCE), 0)
def python(block):
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block, names)
    return names, printed.getvalue()
"#;

fn an_operator_types(code: &str) {
    if is_stock() {
        return;
    }
    let script = Script::new(&format!("{OPERATOR}{}", python::dedent(code)));
    script
        .variable("SERVER", binary().to_string_lossy())
        .variable("PAGES", concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .in_own_network()
        .outcome()
        .unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn what_the_readme_begins_with() {
    an_operator_types(
        r#"
        serve = lines(blocks('README.md', 'sh')[0])[0]
        server = start(serve.replace('cargo serve', 'rpyc-server'))
        names, printed = python(blocks('README.md', 'python')[0])
        assert printed.endswith('\nHELLO, RUST\n'), printed
        names['conn'].close()
        stop(server)
        "#,
    );
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    an_operator_types(
        r#"
        page = 'docs/operations.md'
        make, serve, *_ = blocks(page, 'sh', '## TLS')
        shell(make)
        server = start(serve.strip())
        connect = blocks(page, 'python', '## TLS')[0]
        names, _ = python(connect)
        same(names['conn'].eval('6 * 7'), 42)
        os.environ.update(
            RPYC_CLIENT_SSL_CAFILE='ca.pem', RPYC_CLIENT_SSL_KEYFILE='client.key',
            RPYC_CLIENT_SSL_CERTFILE='client.pem', RPYC_CONNECT='tls:localhost')
        same(shell('rpyc-server eval "6 * 7"'), '42\n')
        # Without its certificate nobody gets in.
        with raises((OSError, EOFError)):
            python(connect.replace(', keyfile="client.key", certfile="client.pem"', ''))[0]['conn'].root
        server.send_signal(signal.SIGHUP)
        names, _ = python(connect)
        same(names['conn'].eval('6 * 7'), 42)
        stop(server)
        "#,
    );
}

#[test]
fn a_secret() {
    an_operator_types(
        r#"
        page = 'docs/operations.md'
        make, serve = lines(blocks(page, 'sh', '## A secret')[0])
        shell(make)
        server = start(serve)
        names, _ = python(blocks(page, 'python', '## A secret')[0].replace('"server"', '"10.0.0.7"'))
        same(names['conn'].root.eval('6 * 7'), 42)
        same(shell('rpyc-server eval --secret-file secret --connect 10.0.0.7 "6 * 7"'), '42\n')
        stop(server)
        "#,
    );
}

#[test]
fn a_registry_of_containers() {
    an_operator_types(
        r#"
        for page, section, host in (
                ('docs/operations.md', '## Containers', 'registry'),
                ('docs/registry.md', '## Which address is registered', '10.0.0.1')):
            block = next(b for b in blocks(page, 'sh', section) if 'rpyc-server registry' in b)
            registry, server = lines(block)
            kind = 'TCP' if 'TCP' in registry else 'UDP'
            registry = start(registry)
            # There is nobody to ask for names.
            assert f'--registry-host {host}' in server, server
            server = server.replace(f'--registry-host {host}', '--registry-host 10.0.0.1')
            port = int((re.findall('--advertise-port ([0-9]+)', server) or ['18812'])[0])
            server = start(server, until='registered port')
            client = getattr(rpyc.utils.registry, f'{kind}RegistryClient')('10.0.0.1')
            same(tuple(rpyc.discover('SLAVE', registrar=client)), (('10.0.0.7', port),))
            stop(server)
            with raises(rpyc.utils.factory.DiscoveryError):
                rpyc.discover('SLAVE', registrar=client)
            stop(registry)
        "#,
    );
}

#[test]
fn what_the_page_of_tools_has() {
    an_operator_types(
        r#"
        server = start('rpyc-server --classic')
        _, execute, upload, ping = lines(blocks('docs/tools.md', 'sh')[0])
        same(shell(execute), os.getcwd() + '\n')
        os.makedirs('build')
        with open('build/file', 'w') as file:
            file.write('content')
        # The host has no ssh, the server no TLS.
        shell(upload.replace('--connect ssh:me@host', '').replace('/srv/build', 'copy'))
        same(open('copy/file').read(), 'content')
        answers = shell(ping.replace('--connect tls:host --ssl-cafile ca.pem', ''))
        assert '10 pings, 10 answers' in answers, answers
        stop(server)
        "#,
    );
}
