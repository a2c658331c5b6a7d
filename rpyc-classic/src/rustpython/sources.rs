//! The text of what clients evaluate, kept so that tracebacks can show its lines.

use std::collections::VecDeque;
use std::sync::Mutex;

use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

use super::thread::lock;

/// Whether an expression or statements are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Eval,
    Execute,
}

impl Kind {
    /// The builtin function that does it.
    pub(super) fn builtin(self) -> &'static str {
        match self {
            Kind::Eval => "eval",
            Kind::Execute => "exec",
        }
    }
}

/// Texts under the names by which code objects refer to them.
///
/// The names are used in turn, over and over, because the interpreter never frees one.
#[derive(Default)]
pub(super) struct Sources(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    evals: usize,
    executes: usize,
    // Oldest first, with their lengths.
    names: VecDeque<(String, usize)>,
    bytes: usize,
}

impl Sources {
    /// Compiles the text, under a name of its own that is returned as well.
    pub(super) fn compile(
        &self,
        vm: &VirtualMachine,
        text: &str,
        kind: Kind,
    ) -> PyResult<(PyObjectRef, String)> {
        let name = self.next_name(kind);
        let compile = vm.builtins.get_attr("compile", vm)?;
        let mode = match kind {
            Kind::Eval => "eval",
            Kind::Execute => "exec",
        };
        let new_str = |text: &str| -> PyObjectRef { vm.ctx.new_str(text).into() };
        // No flags, and none of the caller's `from __future__`.
        let zero = vm.ctx.new_int(0).into();
        let flag = vm.ctx.new_bool(true).into();
        let args = vec![new_str(text), new_str(&name), new_str(mode), zero, flag];
        let code = compile.call(args, vm);
        // What defines functions may raise much later.
        if kind == Kind::Execute || code.is_err() || text.contains("lambda") {
            self.show(vm, text, &name);
        }
        Ok((code?, name))
    }

    /// Lets tracebacks show the text's lines. That it fails is no reason to fail.
    pub(super) fn show(&self, vm: &VirtualMachine, text: &str, name: &str) {
        let outdated = lock(&self.0).keep(name, text.len());
        let shown = || -> PyResult<()> {
            let cache = vm.import("linecache", 0)?.get_attr("cache", vm)?;
            for name in outdated {
                let _ = cache.del_item(&*name, vm);
            }
            let lines = text.split_inclusive('\n');
            let lines = lines.map(|line| vm.ctx.new_str(line).into());
            let entry = vm.ctx.new_tuple(vec![
                vm.ctx.new_int(text.len()).into(),
                // No time of modification: it isn't looked for in the file system.
                vm.ctx.none(),
                vm.ctx.new_list(lines.collect()).into(),
                vm.ctx.new_str(name).into(),
            ]);
            cache.set_item(name, entry.into(), vm)
        };
        if let Err(error) = shown() {
            log::debug!("linecache: {}", error.class().name());
        }
    }

    fn next_name(&self, kind: Kind) -> String {
        let mut kept = lock(&self.0);
        match kind {
            Kind::Eval => {
                kept.evals = (kept.evals + 1) % MAX_EVALS;
                format!("<eval {}>", kept.evals)
            }
            Kind::Execute => {
                kept.executes = (kept.executes + 1) % MAX_EXECUTES;
                format!("<execute {}>", kept.executes)
            }
        }
    }
}

/// The text of a traceback, with the name that Python has for evaluated text in place of ours.
pub(super) fn as_python_names(traceback: String) -> String {
    if !traceback.contains("File \"<e") {
        return traceback;
    }
    let line = |line: &str| match line.trim_start().strip_prefix("File \"") {
        Some(rest) => match rest.split_once('"') {
            Some((name, _)) if is_ours(name) => line.replacen(name, PYTHON_NAME, 1),
            _ => line.to_owned(),
        },
        None => line.to_owned(),
    };
    traceback.split_inclusive('\n').map(line).collect()
}

/// The same for a name alone.
pub(super) fn as_python_name(name: &str) -> &str {
    if is_ours(name) { PYTHON_NAME } else { name }
}

fn is_ours(name: &str) -> bool {
    let name = name
        .strip_prefix("<eval ")
        .or_else(|| name.strip_prefix("<execute "));
    let number = name.and_then(|name| name.strip_suffix('>'));
    number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
}

impl Kept {
    /// Counts the text in; the result are the names whose texts must go.
    fn keep(&mut self, name: &str, length: usize) -> Vec<String> {
        if let Some(place) = self.names.iter().rposition(|(known, _)| known == name)
            && let Some((_, length)) = self.names.remove(place)
        {
            self.bytes -= length;
        }
        self.names.push_back((name.to_owned(), length));
        self.bytes += length;
        let mut outdated = Vec::new();
        while self.bytes > MAX_BYTES
            && let Some((name, length)) = self.names.pop_front()
        {
            self.bytes -= length;
            outdated.push(name);
        }
        outdated
    }
}

const PYTHON_NAME: &str = "<string>";
const MAX_EVALS: usize = 64;
const MAX_EXECUTES: usize = 1024;
const MAX_BYTES: usize = 16 << 20;
