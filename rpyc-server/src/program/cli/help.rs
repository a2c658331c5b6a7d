//! The texts below the options.

pub(super) const SERVE_SHORT: &str = "\
These are the options that people use most; --help shows all of them, and examples.
  rpyc-server --classic
      serve programs of this machine; from Python: rpyc.classic.connect(\"127.0.0.1\")";

pub(super) const SERVE: &str = "\
Examples:
  rpyc-server --classic --port 18812
      serve programs of this machine; from Python:
      rpyc.classic.connect(\"127.0.0.1\", port=18812)
  rpyc-server --service lab.magnets:MagnetService --python .venv/bin/python
      serve a class of that Python's; from Python: rpyc.connect(\"127.0.0.1\", port=18861).root
  rpyc-server --classic --port 0 --quiet --logfile rpyc.log
      take a free port (the log doesn't name it with --quiet), log problems to a file
  rpyc-server --classic --unix /run/user/1000/rpyc.sock
      serve programs of this user only; from Python: rpyc.utils.factory.unix_connect(path,
      rpyc.SlaveService), then conn.modules as ever
  rpyc-server --classic --host 0.0.0.0 --ssl-keyfile server.key --ssl-certfile server.crt \\
              --ssl-cafile clients.crt
      serve whoever has a certificate of ours, from anywhere; from Python:
      rpyc.classic.ssl_connect(\"server\", keyfile=..., certfile=..., ca_certs=...)
  rpyc-server --classic --host 10.0.0.7 --allow 10.0.0.0/8 --register
      serve one network, and let its registry know; from Python: rpyc.connect_by_service(\"SLAVE\")
  rpyc-server --classic --host 0.0.0.0 --insecure
      serve everybody who reaches this machine, with all that this user may do
  ssh -L 18812:127.0.0.1:18812 user@server
      the safer way from another machine: a tunnel to a server that listens on loopback

Environment:
  Each option can be given as a variable: RPYC_SERVER_ and its name in capitals, with _ for -
  (RPYC_SERVER_PORT=18812, RPYC_SERVER_CLASSIC=true).
  RUST_LOG  which log lines to write (for instance \"debug\" or \"rpyc_core=trace\"), unless
            --quiet or --verbose says so

Config file:
  --config FILE reads options from a TOML file, by their names: port = 18812, classic = true.
  Those of the registry command stand in its table [registry].
  Flags win over the environment, and that over the file. A switch that one of those turns on is
  turned off by --no-NAME (--no-classic; --pickle for no-pickle).

Exit codes:
  0  stopped by Ctrl-C or SIGTERM, in order; a one-shot server's client has left; --check is content
  1  could not start, or not go on: port in use, no such host, log file not writable
  2  wrong usage: unknown flag, no mode, an address without a word on who may come, a wrong
     config file
  A second Ctrl-C or SIGTERM ends the program at once, by that signal.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  rpyc-server completions bash > ~/.local/share/bash-completion/completions/rpyc-server
  rpyc-server completions zsh > ~/.zfunc/_rpyc-server
  rpyc-server completions fish > ~/.config/fish/completions/rpyc-server.fish";

pub(super) const MAN: &str = "\
Examples:
  rpyc-server man > /usr/local/share/man/man1/rpyc-server.1
  rpyc-server man | man -l -";

pub(super) const REGISTRY: &str = "\
Examples:
  rpyc-server registry
      hear broadcasts of this network; from Python: rpyc.discover(\"SLAVE\")
  rpyc-server registry --mode TCP --listing --allow 10.0.0.0/8
      over TCP, for one network, and rpyc.list_services works, too
  rpyc-server registry --host 127.0.0.1
      for programs of this machine; they have to name it, no broadcast gets here

Environment:
  Each option can be given as a variable: RPYC_REGISTRY_ and its name in capitals, with _ for -
  (RPYC_REGISTRY_PORT=18811). RUST_LOG as for the server.

Exit codes:
  0  stopped by Ctrl-C or SIGTERM; --check is content
  1  could not start, or not go on
  2  wrong usage, a wrong config file";
