//! Functions of the standard library that wait in the system, and detach here while they do; those
//! of RustPython stay attached. They are called as those are.

use std::ffi::CString;
use std::io::Error;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::{Errno, Result as SystemResult};
use rustpython_vm::builtins::{PyBaseExceptionRef, PyStrRef};
use rustpython_vm::convert::IntoPyException;
use rustpython_vm::function::{FuncArgs, IntoPyNativeFn, ItemDoc, PyMethodFlags};
use rustpython_vm::host_env::crt_fd::Borrowed;
use rustpython_vm::ospath::OsPath;
use rustpython_vm::utils::ToCString;
use rustpython_vm::{
    AsObject, FromArgs, PyObject, PyObjectRef, PyResult, TryFromObject, VirtualMachine,
};

use super::thread::detached;

/// Puts them in place; before anybody may have taken those of RustPython.
pub(super) fn install(vm: &VirtualMachine) -> PyResult<()> {
    replace(vm, OS, "open", |_| open_descriptor)?;
    replace(vm, OS, "system", |_| system)?;
    replace(vm, OS, "fsync", |_| sync_file)?;
    replace(vm, OS, "sync", |_| sync)?;
    replace(vm, OS, "sendfile", |_| send_file)?;
    replace(vm, OS, "copy_file_range", |_| copy_file_range)?;
    let opener: PyObjectRef = vm.new_function("opener", open_for_file).into();
    let its = opener.clone();
    replace(vm, &["_io", "io", "builtins"], "open", |original| {
        move |args: FuncArgs, vm: &VirtualMachine| original.call(opened_by(args, &its, vm), vm)
    })?;
    let open = vm.import("_io", 0)?.get_attr("open", vm)?;
    replace(vm, &["_io", "io"], "open_code", |_| {
        move |args: OpenCodeArgs, vm: &VirtualMachine| open.call((args.path, "rb"), vm)
    })
}

/// Modules that have the functions of `os`.
const OS: &[&str] = &["posix", "os"];

/// Replaces a function of these modules, the first of which it belongs to, by what is made of it.
pub(super) fn replace<F, Kind>(
    vm: &VirtualMachine,
    modules: &'static [&'static str],
    name: &'static str,
    make: impl FnOnce(PyObjectRef) -> F,
) -> PyResult<()>
where
    F: IntoPyNativeFn<Kind>,
{
    let original = vm.import(modules[0], 0)?.get_attr(name, vm)?;
    let doc = ItemDoc::static_text(doc_of(vm, name, &original)?);
    let definition = vm
        .ctx
        .new_method_def(name, make(original), PyMethodFlags::empty(), doc);
    let function: PyObjectRef = definition.build_function(vm, None).into();
    function.set_attr("__module__", vm.ctx.new_str(modules[0]), vm)?;
    for module in modules {
        vm.import(*module, 0)?
            .set_attr(name, function.clone(), vm)?;
    }
    Ok(())
}

/// The text of which RustPython makes a function's documentation and signature. Interpreters are
/// few, and keep their functions for ever.
fn doc_of(vm: &VirtualMachine, name: &str, function: &PyObject) -> PyResult<&'static str> {
    let text = |of: &'static str| -> PyResult<Option<String>> {
        let text = function.get_attr(of, vm)?;
        match vm.is_none(&text) {
            true => Ok(None),
            false => Ok(Some(text.str(vm)?.to_string())),
        }
    };
    let mut doc = text("__doc__")?.unwrap_or_default();
    if let Some(signature) = text("__text_signature__")? {
        // These aren't bound to their module.
        let signature = signature.replacen("$module, /, ", "", 1);
        let signature = signature.replacen("$module, /", "", 1);
        doc = format!("{name}{signature}\n--\n\n{doc}");
    }
    Ok(doc.leak())
}

/// A system call that waits, and goes on when a signal that nobody minds has interrupted it.
fn wait<T>(vm: &VirtualMachine, call: impl Fn() -> SystemResult<T>) -> PyResult<SystemResult<T>> {
    loop {
        match detached(vm, &call) {
            Err(Errno::INTR) => vm.check_signals()?,
            outcome => return Ok(outcome),
        }
    }
}

/// The same, whose errors name no file.
fn done<T>(vm: &VirtualMachine, call: impl Fn() -> SystemResult<T>) -> PyResult<T> {
    wait(vm, call)?.map_err(|errno| Error::from(errno).into_pyexception(vm))
}

#[derive(FromArgs)]
struct OpenArgs {
    path: OsPath,
    flags: i32,
    #[pyarg(any, default = 0o777)]
    mode: u32,
    #[pyarg(named, default)]
    dir_fd: Option<PyObjectRef>,
}

fn open_descriptor(args: OpenArgs, vm: &VirtualMachine) -> PyResult<i32> {
    let folder = args.dir_fd.map(|folder| match folder.try_index_opt(vm) {
        Some(_) => Borrowed::try_from_object(vm, folder),
        None => {
            let class = folder.class().name().to_owned();
            let text = format!("argument should be integer or None, not {class}");
            Err(vm.new_type_error(text))
        }
    });
    let folder = folder.transpose()?;
    let path = args.path.clone().into_cstring(vm)?;
    let file = open(&path, folder, args.flags, args.mode, vm)?;
    let file = file.map_err(|errno| named(&args.path, errno, vm))?;
    Ok(file.into_raw_fd())
}

fn open(
    path: &CString,
    folder: Option<Borrowed<'static>>,
    flags: i32,
    mode: u32,
    vm: &VirtualMachine,
) -> PyResult<SystemResult<OwnedFd>> {
    let flags = OFlags::from_bits_retain(flags.cast_unsigned()) | OFlags::CLOEXEC;
    let mode = Mode::from_bits_retain(mode);
    wait(vm, || match &folder {
        Some(folder) => fs::openat(folder.as_fd(), path, flags, mode),
        None => fs::open(path, flags, mode),
    })
}

/// How a file of the module `io` gets its descriptor.
fn open_for_file(path: OsPath, flags: i32, vm: &VirtualMachine) -> PyResult<i32> {
    let text = path.clone().into_cstring(vm)?;
    let file = open(&text, None, flags, 0o666, vm)?.and_then(|file| {
        // Said here, where the path is known.
        let is_folder = FileType::from_raw_mode(fs::fstat(&file)?.st_mode) == FileType::Directory;
        if is_folder {
            Err(Errno::ISDIR)
        } else {
            Ok(file)
        }
    });
    let file = file.map_err(|errno| named(&path, errno, vm))?;
    Ok(file.into_raw_fd())
}

/// The exception that names the file.
fn named(path: &OsPath, errno: Errno, vm: &VirtualMachine) -> PyBaseExceptionRef {
    let error = Error::from(errno).into_pyexception(vm);
    // The number and its text.
    let mut args: Vec<_> = error.args().iter().take(2).cloned().collect();
    args.push(path.filename(vm));
    let named = vm.invoke_exception(vm.ctx.exceptions.os_error, args);
    named.unwrap_or_else(|failure| failure)
}

/// The arguments of `open`, with that opener where a path is opened and there is none.
fn opened_by(mut args: FuncArgs, opener: &PyObject, vm: &VirtualMachine) -> FuncArgs {
    let file = args.args.first().or_else(|| args.kwargs.get("file"));
    let is_descriptor = file.is_some_and(|file| file.fast_isinstance(vm.ctx.types.int_type));
    let is_none = |opener: Option<&PyObjectRef>| opener.is_none_or(|opener| vm.is_none(opener));
    let has_one = !is_none(args.args.get(OPENER)) || !is_none(args.kwargs.get("opener"));
    // Those that are too many are refused by the original.
    if is_descriptor || has_one || args.args.len() > OPENER + 1 {
        return args;
    }
    args.args.truncate(OPENER);
    let name = vm.ctx.intern_str("opener").as_wtf8().to_owned();
    args.kwargs.insert(name, opener.to_owned());
    args
}

/// Which of the positional arguments the opener is.
const OPENER: usize = 7;

#[derive(FromArgs)]
struct OpenCodeArgs {
    #[pyarg(any)]
    path: PyObjectRef,
}

#[derive(FromArgs)]
struct SystemArgs {
    #[pyarg(any)]
    command: PyStrRef,
}

fn system(args: SystemArgs, vm: &VirtualMachine) -> PyResult<i32> {
    let command = args.command.to_cstring(vm)?;
    // Safe: the text lives as long as the call.
    Ok(detached(vm, || unsafe { libc::system(command.as_ptr()) }))
}

#[derive(FromArgs)]
struct SyncArgs {
    #[pyarg(any)]
    fd: Borrowed<'static>,
}

fn sync_file(args: SyncArgs, vm: &VirtualMachine) -> PyResult<()> {
    done(vm, || fs::fsync(args.fd))
}

fn sync(vm: &VirtualMachine) {
    detached(vm, fs::sync);
}

#[derive(FromArgs)]
struct SendFileArgs {
    #[pyarg(any)]
    out_fd: Borrowed<'static>,
    #[pyarg(any)]
    in_fd: Borrowed<'static>,
    #[pyarg(any)]
    offset: Option<i64>,
    #[pyarg(any)]
    count: i64,
}

fn send_file(args: SendFileArgs, vm: &VirtualMachine) -> PyResult<usize> {
    done(vm, || {
        let mut offset = place(args.offset)?;
        let count = usize::try_from(args.count).map_err(|_| Errno::INVAL)?;
        fs::sendfile(args.out_fd, args.in_fd, offset.as_mut(), count)
    })
}

#[derive(FromArgs)]
struct CopyArgs {
    #[pyarg(any)]
    src: Borrowed<'static>,
    #[pyarg(any)]
    dst: Borrowed<'static>,
    #[pyarg(any)]
    count: i64,
    #[pyarg(any, default)]
    offset_src: Option<i64>,
    #[pyarg(any, default)]
    offset_dst: Option<i64>,
}

fn copy_file_range(args: CopyArgs, vm: &VirtualMachine) -> PyResult<usize> {
    let count = usize::try_from(args.count)
        .map_err(|_| vm.new_value_error("negative value for 'count' not allowed"))?;
    done(vm, || {
        let (mut from, mut to) = (place(args.offset_src)?, place(args.offset_dst)?);
        fs::copy_file_range(args.src, from.as_mut(), args.dst, to.as_mut(), count)
    })
}

/// A place in a file, where one is given.
fn place(offset: Option<i64>) -> SystemResult<Option<u64>> {
    let place = offset.map(u64::try_from).transpose();
    place.map_err(|_| Errno::INVAL)
}
