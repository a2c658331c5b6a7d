//! `upload` and `download`: files and directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command, value_parser};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rpyc_classic::{ClassicConnection, Phase, Progress, Transfer, TransferError, Transferred};
use rpyc_core::args;

use super::connect::ConnectOptions;
use super::fleet::{Done, Fleet, Member};
use super::session::{close, say};
use crate::printable::on_one_line;
use crate::program::cli::arg::{bytes, option, switch};
use crate::program::failure::Failure;

pub(super) fn upload_command() -> Command {
    with_options(Command::new("upload"))
        .about("Copies a file or a directory to a server")
        .after_help("Examples:\n  rpyc-server upload --connect host:18812 build.tar /tmp/\n  rpyc-server upload --resume --verify results /srv/results\n\nA file goes into DST if that is a directory. A directory's content goes into DST itself.")
        .arg(Arg::new("source").value_name("SRC").required(true).value_parser(value_parser!(PathBuf)).help("What to copy, here"))
        .arg(Arg::new("target").value_name("DST").required(true).help("Where to, at the server"))
}

pub(super) fn download_command() -> Command {
    with_options(Command::new("download"))
        .about("Copies a file or a directory of a server's to here")
        .after_help("Examples:\n  rpyc-server download --connect host:18812 /var/log/syslog .\n  rpyc-server download --resume --verify /srv/results results\n\nA file goes into DST if that is a directory. A directory's content goes into DST itself. Of several servers, each has a folder of its own in DST, with its name: host_18812.")
        .arg(Arg::new("source").value_name("SRC").required(true).help("What to copy, at the server"))
        .arg(Arg::new("target").value_name("DST").required(true).value_parser(value_parser!(PathBuf)).help("Where to, here"))
        .arg(option(MAX_BYTES, "SIZE", "Take so many bytes at most (64KiB, 16MiB, 1GiB) [default: what the server announces, and 4MiB for files that grow meanwhile]").value_parser(bytes))
}

fn with_options(command: Command) -> Command {
    command
        .arg(switch(
            "verify",
            "Compare each file on both sides by its SHA-256 when it has been copied",
        ))
        .arg(switch(
            "resume",
            "Keep what is there of a file, if it is the same, and add what is missing",
        ))
        .arg(switch("quiet", "Show no progress and no summary").short('q'))
}

pub(super) fn upload(matches: &ArgMatches) -> Result<u8, Failure> {
    let source = matches.get_one::<PathBuf>("source").expect("is required");
    let target = matches.get_one::<String>("target").expect("is required");
    let (source, target) = (source.clone(), target.clone());
    run(matches, move |_, conn, transfer| {
        let mut target = target.clone();
        if source.is_file()
            && let Some(name) = source.file_name()
            && is_remote_directory(conn, &target)?
        {
            target = format!(
                "{}/{}",
                target.trim_end_matches('/'),
                name.to_string_lossy()
            );
        }
        transfer.upload(&source, &target)
    })
}

pub(super) fn download(matches: &ArgMatches) -> Result<u8, Failure> {
    let source = matches.get_one::<String>("source").expect("is required");
    let target = matches.get_one::<PathBuf>("target").expect("is required");
    let max_bytes = matches.get_one::<usize>(MAX_BYTES).map(|&size| size as u64);
    let (source, target) = (source.clone(), target.clone());
    run(matches, move |folder, conn, transfer| {
        let mut target = target.clone();
        if let Some(folder) = folder {
            target.push(folder);
            fs::create_dir_all(&target).map_err(|source| TransferError::Local {
                path: target.clone(),
                doing: "making the server's folder",
                source,
            })?;
        }
        if target.is_dir()
            && let Some(name) = Path::new(&source).file_name()
            && !is_remote_directory(conn, &source)?
        {
            target.push(name);
        }
        match max_bytes {
            Some(limit) => transfer.max_bytes(limit).download(&source, target),
            None => transfer.download(&source, target),
        }
    })
}

fn is_remote_directory(conn: &ClassicConnection, path: &str) -> Result<bool, TransferError> {
    let found = conn.module("os.path")?.call_method("isdir", args![path])?;
    Ok(found.extract()?)
}

/// Copies by `work`, with one server, or with each of a fleet, which has a folder of its own.
fn run(
    matches: &ArgMatches,
    work: impl Fn(Option<&str>, &ClassicConnection, Transfer<'_>) -> Result<Transferred, TransferError>
    + Send
    + Sync
    + 'static,
) -> Result<u8, Failure> {
    let options = Options {
        verify: matches.get_flag("verify"),
        resume: matches.get_flag("resume"),
    };
    let quiet = matches.get_flag("quiet");
    if let Some(fleet) = Fleet::from_matches(matches)? {
        return fleet.run(move |member| transfer_at(member, options, &work));
    }
    let connect_options = ConnectOptions::from_matches(matches)?;
    let conn = connect_options.connect_classic()?;
    let began = Instant::now();
    let bar = Bar::new(quiet);
    let done = transfer(&connect_options, &conn, options, &bar, |conn, transfer| {
        work(None, conn, transfer)
    })?;
    if !quiet {
        say(&summary(done, began.elapsed()));
    }
    Ok(0)
}

/// Copies to or from a server of a fleet.
fn transfer_at(
    member: &Member,
    options: Options,
    work: impl Fn(Option<&str>, &ClassicConnection, Transfer<'_>) -> Result<Transferred, TransferError>,
) -> Result<Done, Failure> {
    let bar = member.bar("connecting");
    let conn = member.connect_options.connect_classic()?;
    member.runs_on(conn.connection())?;
    let began = Instant::now();
    let bar = Bar::of(bar, member.name());
    let done = transfer(
        &member.connect_options,
        &conn,
        options,
        &bar,
        |conn, transfer| work(Some(member.folder()), conn, transfer),
    )?;
    let numbers = [
        ("files", done.files),
        ("bytes", done.bytes),
        ("kept_bytes", done.kept),
    ];
    let details = numbers.map(|(name, number)| (name.to_owned(), number.into()));
    Ok(Done {
        failed: false,
        text: summary(done, began.elapsed()),
        details: details.into_iter().collect(),
    })
}

#[derive(Clone, Copy, Debug)]
struct Options {
    verify: bool,
    resume: bool,
}

/// Copies by `work`, and closes the connection.
fn transfer(
    connect_options: &ConnectOptions,
    conn: &ClassicConnection,
    options: Options,
    bar: &Bar,
    work: impl FnOnce(&ClassicConnection, Transfer<'_>) -> Result<Transferred, TransferError>,
) -> Result<Transferred, Failure> {
    let transfer = Transfer::new(conn)
        .verify(options.verify)
        .resume(options.resume)
        .on_progress(|progress| bar.show(progress));
    let outcome = work(conn, transfer);
    bar.bar.finish_and_clear();
    let is_late = matches!(&outcome, Err(TransferError::Connection(error)) if error.is_timeout());
    close(conn, is_late);
    outcome.map_err(|error| match error {
        TransferError::Connection(error) if error.as_remote().is_none() => connect_options
            .failed(error)
            .hint("Run it again with --resume to go on where it stopped."),
        error @ TransferError::Differs { .. } => Failure::new("the copy is wrong")
            .because(error)
            .hint("Run it again with --resume --verify: what differs is copied anew."),
        error @ TransferError::Longer { .. } => Failure::new("not copied to its end")
            .because(error)
            .hint("If it is a file that grows, or a device: --max-bytes SIZE sets the limit."),
        error => Failure::new("not copied").because(error),
    })
}

fn summary(done: Transferred, took: Duration) -> String {
    let files = match done.files {
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    };
    let kept = match done.kept {
        0 => String::new(),
        kept => format!(" ({} were there already)", HumanBytes(kept)),
    };
    let speed = done.bytes as f64 / took.as_secs_f64().max(0.001);
    format!(
        "{files}, {} in {:.1} s, {}/s{kept}",
        HumanBytes(done.bytes),
        took.as_secs_f64(),
        HumanBytes(speed as u64)
    )
}

/// The file that is being copied, on a terminal.
struct Bar {
    bar: ProgressBar,
    // The server, where there are several.
    whose: String,
}

impl Bar {
    fn new(quiet: bool) -> Bar {
        let bar = ProgressBar::new(0);
        bar.set_draw_target(match quiet {
            true => ProgressDrawTarget::hidden(),
            // Hidden, too, where that is no terminal.
            false => ProgressDrawTarget::stderr(),
        });
        Bar::of(bar, "")
    }

    fn of(bar: ProgressBar, whose: &str) -> Bar {
        let style = "{prefix} {wide_msg} {bytes}/{total_bytes} [{bar:20}] {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        let whose = whose.to_owned();
        Bar { bar, whose }
    }

    fn show(&self, progress: Progress<'_>) {
        let phase = match progress.phase {
            Phase::Compare => "comparing",
            _ => "copying",
        };
        let prefix = format!("{} {phase}", self.whose);
        self.bar.set_prefix(prefix.trim_start().to_owned());
        if progress.done == 0 {
            // A file's name may have in it what a terminal obeys.
            let name = progress.file.display().to_string();
            self.bar.set_message(on_one_line(&name));
            self.bar.reset();
        }
        // What is copied and compared afterwards is one way, not two.
        self.bar.set_length(progress.total);
        self.bar.set_position(progress.done);
    }
}

const MAX_BYTES: &str = "max-bytes";
