//! The text of what clients evaluate, kept so that tracebacks can show its lines.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

use super::modules;
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

/// The texts of one session, under the names by which code objects refer to them.
///
/// A session uses its names in turn, over and over, because the interpreter never frees one.
pub(super) struct Sources {
    names: Arc<Names>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    evals: VecDeque<Name>,
    executes: VecDeque<Name>,
    // What tracebacks can show: oldest first, with the lengths.
    shown: VecDeque<(Name, usize)>,
    bytes: usize,
}

/// What stands between the angle brackets, and tells texts of all sessions apart.
type Name = Arc<str>;

/// The names that no session uses, for all sessions.
#[derive(Default)]
pub(super) struct Names(Mutex<Free>);

#[derive(Default)]
struct Free {
    made: u64,
    // Those that were given back first are the first to be used again.
    names: VecDeque<Name>,
}

impl Names {
    fn take(&self) -> Name {
        let mut free = lock(&self.0);
        // Code of a session that has ended may live on: its names rest for a while.
        if free.names.len() > MIN_RESTING
            && let Some(name) = free.names.pop_front()
        {
            return name;
        }
        free.made += 1;
        Arc::from(format!("<text {}>", free.made))
    }

    fn give_back(&self, names: impl IntoIterator<Item = Name>) {
        lock(&self.0).names.extend(names);
    }
}

impl Sources {
    pub(super) fn new(names: &Arc<Names>) -> Sources {
        Sources {
            names: names.clone(),
            kept: Mutex::default(),
        }
    }

    /// Compiles the text, under a name of its own that is returned as well.
    pub(super) fn compile(
        &self,
        vm: &VirtualMachine,
        text: &str,
        kind: Kind,
    ) -> PyResult<(PyObjectRef, Name)> {
        let name = self.next_name(kind);
        let compile = modules::builtin(vm, "compile")?;
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

    /// Lets tracebacks show the text's lines.
    pub(super) fn show(&self, vm: &VirtualMachine, text: &str, name: &Name) {
        let outdated = lock(&self.kept).show(name, text.len());
        let lines = text.split_inclusive('\n');
        let lines = lines.map(|line| vm.ctx.new_str(line).into());
        let entry = vm.ctx.new_tuple(vec![
            vm.ctx.new_int(text.len()).into(),
            // No time of modification: it isn't looked for in the file system.
            vm.ctx.none(),
            vm.ctx.new_list(lines.collect()).into(),
            vm.ctx.new_str(&**name).into(),
        ]);
        change_cache(vm, |cache| {
            for name in outdated {
                let _ = cache.del_item(&*name, vm);
            }
            cache.set_item(&**name, entry.into(), vm)
        });
    }

    /// The session has ended: forgets its texts.
    pub(super) fn clear(&self, vm: &VirtualMachine) {
        let kept = std::mem::take(&mut *lock(&self.kept));
        change_cache(vm, |cache| {
            for (name, _) in kept.shown {
                let _ = cache.del_item(&*name, vm);
            }
            Ok(())
        });
        self.names
            .give_back(kept.evals.into_iter().chain(kept.executes));
    }

    fn next_name(&self, kind: Kind) -> Name {
        let mut kept = lock(&self.kept);
        let (names, most) = match kind {
            Kind::Eval => (&mut kept.evals, MAX_EVALS),
            Kind::Execute => (&mut kept.executes, MAX_EXECUTES),
        };
        let name = match names.len() < most {
            true => self.names.take(),
            false => names.pop_front().unwrap_or_else(|| self.names.take()),
        };
        names.push_back(name.clone());
        name
    }
}

/// Changes what `linecache` knows. That it fails is no reason to fail.
fn change_cache(vm: &VirtualMachine, change: impl FnOnce(&PyObjectRef) -> PyResult<()>) {
    let changed = || change(&modules::library(vm, "linecache")?.get_attr("cache", vm)?);
    if let Err(error) = changed() {
        log::debug!("linecache: {}", error.class().name());
    }
}

/// The text of a traceback, with the name that Python has for evaluated text in place of ours.
pub(super) fn as_python_names(traceback: String) -> String {
    if !traceback.contains("File \"<text ") {
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
    let number = name.strip_prefix("<text ");
    let number = number.and_then(|number| number.strip_suffix('>'));
    number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
}

impl Kept {
    /// Counts the text in; the result are the names whose texts must go.
    fn show(&mut self, name: &Name, length: usize) -> Vec<Name> {
        if let Some(place) = self.shown.iter().rposition(|(known, _)| known == name)
            && let Some((_, length)) = self.shown.remove(place)
        {
            self.bytes -= length;
        }
        self.shown.push_back((name.clone(), length));
        self.bytes += length;
        let mut outdated = Vec::new();
        while self.bytes > MAX_BYTES
            && let Some((name, length)) = self.shown.pop_front()
        {
            self.bytes -= length;
            outdated.push(name);
        }
        outdated
    }
}

const PYTHON_NAME: &str = "<string>";

// Of one session.
const MAX_EVALS: usize = 64;
const MAX_EXECUTES: usize = 1024;
const MAX_BYTES: usize = 4 << 20;

/// So many names rest before one is used again.
const MIN_RESTING: usize = 16_384;
