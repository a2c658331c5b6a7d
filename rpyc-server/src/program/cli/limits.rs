//! Options that bound what clients can do: each of them stops an attack, or a mistake that looks
//! like one.

use std::time::Duration;

use super::arg::{any_seconds, bytes, optional_seconds};
use super::options::Effect::{self, Listening, Several};
use super::options::{Typed, count, optional, options, positive, with_default};
use crate::ProcessLimits;
use crate::program::user::{self, User};

options! {
    /// What clients can do at most. A time of `None` is no limit.
    Limits in "Limits and deadlines (0 seconds: none)" {
        max_clients: usize = count("max-clients", "1000",
            "Clients served at the same time; one that has said nothing makes room, or else the \
             next is closed").counts(Several);
        max_clients_per_address: Option<usize> = optional(
            "max-clients-per-address", "N", positive(),
            "Those from one address (IPv6: one /64 network); this machine's are not counted \
             [default: half of --max-clients]").counts(Several);
        handshake_timeout: Option<Duration> = seconds("handshake-timeout", "10",
            "How long a client may take to authenticate, and then for its first message");
        frame_timeout: Option<Duration> = seconds("frame-timeout", "30",
            "How long a client may take for the rest of a message that it has begun");
        write_timeout: Option<Duration> = seconds("write-timeout", "60",
            "How long a client may leave its answers unread");
        idle_timeout: Option<Duration> = seconds("idle-timeout", "0",
            "How long a client may do nothing");
        keepalive: Option<Duration> = seconds("keepalive", "60",
            "After how much silence the system asks whether a client's machine is still there")
            .counts(Listening);
        request_time_limit: Option<Duration> = seconds("request-time-limit", "0",
            "How long the code of one request may run until a TimeoutError is raised in it")
            .of_program();
        sync_request_timeout: Option<Duration> = seconds("sync-request-timeout", "30",
            "How long the server waits when it calls a client back");
        grace: Duration = with_default("grace", "SECS", "5", any_seconds,
            "How long running requests may take when the server is told to stop");
        max_frame: usize = size("max-frame",
            "Bytes of one message of a client's (64KiB, 16MiB, 1GiB)");
        max_inflated: usize = size("max-inflated",
            "Bytes of one compressed message once it is inflated");
        max_objects: usize = count("max-objects", "1000000",
            "Objects that a client may hold at the same time");
        max_queued: usize = count("max-queued", "10000",
            "Requests of a client that may wait to be served");
        max_pending: usize = count("max-pending", "65536",
            "Calls of a client back that may wait for its answers");
        max_nested: usize = count("max-nested", "200",
            "Requests within requests: callbacks of callbacks");
        max_memory: Option<usize> = optional("max-memory", "SIZE", bytes,
            "With --mode process: bytes that a client's process may allocate (512MiB) [default: no \
             limit]").counts(Effect::Process).protects();
        max_cpu: Option<Duration> = seconds("max-cpu", "0",
            "With --mode process: time that a client's process may compute, in whole seconds")
            .counts(Effect::Process).protects();
        max_lifetime: Option<Duration> = seconds("max-lifetime", "0",
            "With --mode process: time after which a client's process is ended")
            .counts(Effect::Process).protects();
        /// As whom clients' processes run.
        user: Option<User> = optional("user", "USER", user::parse,
            "With --mode process, for a server that root starts: the user, or UID:GID, that \
             clients' processes run as").counts(Effect::Spawning).protects();
    }
}

impl Limits {
    /// Those of a process that serves one client.
    pub(crate) fn of_process(&self) -> ProcessLimits {
        ProcessLimits {
            memory: self.max_memory.map(|bytes| bytes as u64),
            cpu_time: self.max_cpu,
            lifetime: self.max_lifetime,
        }
    }
}

fn seconds(
    name: &'static str,
    default: &'static str,
    help: &'static str,
) -> Typed<Option<Duration>> {
    with_default(name, "SECS", default, optional_seconds, help)
}

fn size(name: &'static str, help: &'static str) -> Typed<usize> {
    with_default(name, "SIZE", "256MiB", bytes, help)
}
