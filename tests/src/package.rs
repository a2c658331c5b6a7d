//! The Python package `rpyc_rs`: its wheel, built as `pip install` builds it, environments that have it, and a
//! folder with what Cargo has built.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::python::{PACKAGES, interpreter, progress, run, target_folder};
use crate::server::binary;

/// A new virtual environment. It goes when it is dropped.
#[derive(Debug)]
pub struct Environment {
    folder: TempDir,
}

impl Environment {
    /// One of this Python, with the package and the pinned rpyc.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn with_package(python: &Path) -> Self {
        let environment = Self::bare(python);
        let mut install = environment.pip();
        install.arg(wheel()).args(PACKAGES);
        run(&mut install).unwrap_or_else(|reason| panic!("not installed: {reason}"));
        environment
    }

    /// One of this Python, with nothing but pip.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn bare(python: &Path) -> Self {
        let folder = TempDir::new().unwrap_or_else(|e| panic!("no temporary folder: {e}"));
        let mut make = Command::new(python);
        make.args(["-m", "venv"]).arg(folder.path());
        run(&mut make).unwrap_or_else(|reason| panic!("no environment: {reason}"));
        Self { folder }
    }

    /// One of its programs: `python`, or what packages bring along.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.path().join("bin").join(name)
    }

    /// The extension module of the package that is installed in it.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn module(&self) -> PathBuf {
        let libraries = fs::read_dir(self.folder.path().join("lib"));
        let folders = libraries.into_iter().flatten().flatten();
        let mut modules =
            folders.map(|folder| folder.path().join("site-packages/rpyc_rs/_native.abi3.so"));
        let found = modules.find(|module| module.is_file());
        found.unwrap_or_else(|| panic!("no package in {}", self.folder.path().display()))
    }

    fn pip(&self) -> Command {
        let mut pip = Command::new(self.program("python"));
        pip.args(["-m", "pip", "install", "--quiet"])
            .arg("--disable-pip-version-check");
        pip
    }
}

/// A folder to import the package from as it is installed, of the sources as they are and the module that
/// Cargo has built.
///
/// # Panics
/// When it can't be made.
#[must_use]
pub fn site() -> &'static Path {
    static SITE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let module = || binary().with_file_name("librpyc_server.so");
    match SITE.get_or_init(|| site_of(&module())) {
        Ok(path) => path,
        Err(reason) => panic!("the package can't be had: {reason}"),
    }
}

/// The same with a module of one's own.
///
/// # Errors
/// Why it can't be made.
pub fn site_of(module: &Path) -> Result<PathBuf, String> {
    let test = env::current_exe().map_err(|e| e.to_string())?;
    let site = target_folder()?.join("python-peers/site");
    let site = site.join(test.file_stem().unwrap_or_default());
    let failed = |e: std::io::Error| format!("{}: {e}", site.display());
    fs::create_dir_all(&site).map_err(failed)?;
    // One that another process uses stays as it is: it is put there as a whole.
    let fresh = tempfile::tempdir_in(&site).map_err(failed)?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpyc-server/python/rpyc_rs");
    copy(&sources, fresh.path()).map_err(failed)?;
    fs::copy(module, fresh.path().join("_native.abi3.so")).map_err(failed)?;
    let package = site.join("rpyc_rs");
    let _ = fs::remove_dir_all(&package);
    fs::rename(fresh.keep(), &package).map_err(failed)?;
    Ok(site)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::create_dir(&there)?;
            copy(&entry.path(), &there)?;
        } else {
            fs::copy(entry.path(), there)?;
        }
    }
    Ok(())
}

/// The wheel, built once per test process from the sources as they are.
///
/// # Panics
/// When it can't be built, or is not the only one.
#[must_use]
pub fn wheel() -> &'static Path {
    static WHEEL: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match WHEEL.get_or_init(build) {
        Ok(path) => path,
        Err(reason) => panic!("the package can't be built: {reason}"),
    }
}

fn build() -> Result<PathBuf, String> {
    let target = target_folder()?;
    let folder = target.join("python-peers").join("wheel");
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    // Held until the end of this function, by this process alone.
    let lock = File::create(folder.with_file_name("lock-wheel")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    for old in wheels(&folder)? {
        fs::remove_file(old).map_err(failed)?;
    }
    progress("building the package rpyc_rs ...");
    run(Command::new(interpreter())
        .args(["-m", "pip", "wheel", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--wheel-dir"])
        .arg(&folder)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpyc-server/python"))
        // Not where the program is built: the library's file has one name, whatever its features.
        .env("CARGO_TARGET_DIR", target.join("wheel")))?;
    match <[PathBuf; 1]>::try_from(wheels(&folder)?) {
        Ok([wheel]) => Ok(wheel),
        Err(wheels) => Err(format!("not one wheel, but {wheels:?}")),
    }
}

fn wheels(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}
