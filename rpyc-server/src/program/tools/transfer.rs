//! `upload` and `download`: files and directories.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rpyc_classic::{ClassicConnection, Phase, Progress, Transfer, TransferError, Transferred};
use rpyc_core::args;

use super::connect::Way;
use super::session::{close, say};
use crate::printable::on_one_line;
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
        .after_help("Examples:\n  rpyc-server download --connect host:18812 /var/log/syslog .\n  rpyc-server download --resume --verify /srv/results results\n\nA file goes into DST if that is a directory. A directory's content goes into DST itself.")
        .arg(Arg::new("source").value_name("SRC").required(true).help("What to copy, at the server"))
        .arg(Arg::new("target").value_name("DST").required(true).value_parser(value_parser!(PathBuf)).help("Where to, here"))
        .arg(Arg::new(MAX_BYTES).long(MAX_BYTES).value_name("SIZE").value_parser(crate::program::cli::arg::bytes).help("Take so many bytes at most (64KiB, 16MiB, 1GiB) [default: what the server announces, and 4MiB for files that grow meanwhile]"))
}

fn with_options(command: Command) -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
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
    transfer(matches, |conn, transfer| {
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
        transfer.upload(source, &target)
    })
}

pub(super) fn download(matches: &ArgMatches) -> Result<u8, Failure> {
    let source = matches.get_one::<String>("source").expect("is required");
    let target = matches.get_one::<PathBuf>("target").expect("is required");
    let max_bytes = matches.get_one::<usize>(MAX_BYTES).map(|&size| size as u64);
    transfer(matches, |conn, transfer| {
        let mut target = target.clone();
        if target.is_dir()
            && let Some(name) = Path::new(source).file_name()
            && !is_remote_directory(conn, source)?
        {
            target.push(name);
        }
        match max_bytes {
            Some(limit) => transfer.max_bytes(limit).download(source, target),
            None => transfer.download(source, target),
        }
    })
}

fn is_remote_directory(conn: &ClassicConnection, path: &str) -> Result<bool, TransferError> {
    let found = conn.module("os.path")?.call_method("isdir", args![path])?;
    Ok(found.extract()?)
}

fn transfer(
    matches: &ArgMatches,
    work: impl FnOnce(&ClassicConnection, Transfer<'_>) -> Result<Transferred, TransferError>,
) -> Result<u8, Failure> {
    let way = Way::from_matches(matches)?;
    let quiet = matches.get_flag("quiet");
    let conn = way.connect_classic()?;
    let bar = Bar::new(quiet);
    let began = Instant::now();
    let transfer = Transfer::new(&conn)
        .verify(matches.get_flag("verify"))
        .resume(matches.get_flag("resume"))
        .on_progress(|progress| bar.show(progress));
    let outcome = work(&conn, transfer);
    bar.0.finish_and_clear();
    let is_late = matches!(&outcome, Err(TransferError::Connection(error)) if error.is_timeout());
    close(&conn, is_late);
    match outcome {
        Ok(done) => {
            if !quiet {
                say(&summary(done, began.elapsed()));
            }
            Ok(0)
        }
        Err(TransferError::Connection(error)) if error.as_remote().is_none() => Err(way
            .failed(error)
            .hint("Run it again with --resume to go on where it stopped.")),
        Err(error @ TransferError::Differs { .. }) => Err(Failure::new("the copy is wrong")
            .because(error)
            .hint("Run it again with --resume --verify: what differs is copied anew.")),
        Err(error @ TransferError::Longer { .. }) => Err(Failure::new("not copied to its end")
            .because(error)
            .hint("If it is a file that grows, or a device: --max-bytes SIZE sets the limit.")),
        Err(error) => Err(Failure::new("not copied").because(error)),
    }
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
struct Bar(ProgressBar);

impl Bar {
    fn new(quiet: bool) -> Bar {
        let bar = ProgressBar::new(0);
        bar.set_draw_target(match quiet {
            true => ProgressDrawTarget::hidden(),
            // Hidden, too, where that is no terminal.
            false => ProgressDrawTarget::stderr(),
        });
        let style = "{prefix} {wide_msg} {bytes}/{total_bytes} [{bar:20}] {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        Bar(bar)
    }

    fn show(&self, progress: Progress<'_>) {
        self.0.set_prefix(match progress.phase {
            Phase::Compare => "comparing",
            _ => "copying",
        });
        if progress.done == 0 {
            // A file's name may have in it what a terminal obeys.
            let name = progress.file.display().to_string();
            self.0.set_message(on_one_line(&name));
            self.0.reset();
        }
        // What is copied and compared afterwards is one way, not two.
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
    }
}

const MAX_BYTES: &str = "max-bytes";
