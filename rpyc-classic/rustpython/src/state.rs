//! What the interpreter and the system keep by thread, as part of a session.
//!
//! A thread runs one session after the other, and a session runs on one thread after the other. So
//! what code sets for its thread (the recursion limit, trace functions, context variables,
//! `threading.local`, the signal mask, the locale ...) is put in place when a thread begins to run a
//! session, and taken out when it ends: each client has its own, whichever threads run it.
//!
//! Where a second thread runs the same session at the same time, it begins with nothing set, as a
//! new thread does. Threads that Python code has started keep what is theirs.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use rpyc_classic::bridge::SavedState;
use rpyc_classic::peer::Current;
use rpyc_classic::threads::SignalMask;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use rpyc_classic::threads::locale::Locale;
use rpyc_core::executor::retire;
use rustpython_vm::builtins::PyDict;
use rustpython_vm::stdlib::_thread::get_ident;
use rustpython_vm::vm::thread::{current_thread_slot, current_vm_is_set, with_current_vm};
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

use super::here::{self, PythonSession};
use super::local::{self, Attributes};
use super::thread::{Source, is_ours, lost_depth};

/// All of it, for one session or one idle thread.
pub(super) struct ThreadState {
    recursion_limit: usize,
    trace: PyObjectRef,
    profile: PyObjectRef,
    asyncgen_firstiter: Option<PyObjectRef>,
    asyncgen_finalizer: Option<PyObjectRef>,
    running_loop: Option<PyObjectRef>,
    running_task: Option<PyObjectRef>,
    // Context variables, and with them the decimal context.
    contexts: Contexts,
    attributes: Arc<Attributes>,
    // What `threading.current_thread()` is.
    thread: Option<PyObjectRef>,
    signal_mask: SignalMask,
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    locale: Locale,
}

impl ThreadState {
    /// What a new thread has.
    pub(super) fn new(vm: &VirtualMachine, source: &Source) -> ThreadState {
        ThreadState {
            recursion_limit: source.recursion_limit(),
            trace: vm.ctx.none(),
            profile: vm.ctx.none(),
            asyncgen_firstiter: None,
            asyncgen_finalizer: None,
            running_loop: None,
            running_task: None,
            contexts: Contexts::default(),
            attributes: Attributes::new(),
            thread: None,
            signal_mask: source.signal_mask(),
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            locale: Locale::of_the_process(),
        }
    }

    /// Puts it in place on this thread; the result is what was there.
    pub(super) fn replace(self, vm: &VirtualMachine) -> ThreadState {
        let is_traced = !vm.is_none(&self.trace) || !vm.is_none(&self.profile);
        if let Some(slot) = current_thread_slot() {
            let before = std::mem::replace(&mut *slot.trace_func.lock(), self.trace.clone());
            drop(before);
            let before = std::mem::replace(&mut *slot.profile_func.lock(), self.profile.clone());
            drop(before);
        }
        vm.use_tracing.set(is_traced);
        let limit = self.recursion_limit.saturating_add(lost_depth());
        let limit = vm.recursion_limit.replace(limit);
        ThreadState {
            recursion_limit: limit.saturating_sub(lost_depth()),
            trace: vm.trace_func.replace(self.trace),
            profile: vm.profile_func.replace(self.profile),
            asyncgen_firstiter: vm.async_gen_firstiter.replace(self.asyncgen_firstiter),
            asyncgen_finalizer: vm.async_gen_finalizer.replace(self.asyncgen_finalizer),
            running_loop: vm.asyncio_running_loop.replace(self.running_loop),
            running_task: vm.asyncio_running_task.replace(self.running_task),
            contexts: self.contexts.replace(vm),
            attributes: local::replace(self.attributes),
            thread: replace_thread(vm, self.thread),
            signal_mask: self.signal_mask.replace(),
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            locale: self.locale.replace(),
        }
    }
}

/// Changes what `threading` knows this thread as: only where Python code hasn't started it.
fn replace_thread(vm: &VirtualMachine, thread: Option<PyObjectRef>) -> Option<PyObjectRef> {
    let modules = vm.sys_module.get_attr("modules", vm).ok()?;
    let modules = modules.downcast_ref::<PyDict>()?;
    let threading = modules.get_item_opt("threading", vm).ok()??;
    let active = threading.get_attr("_active", vm).ok()?;
    let active = active.downcast_ref_if_exact::<PyDict>(vm)?;
    let ident: PyObjectRef = vm.ctx.new_int(get_ident()).into();
    let before = active.get_item_opt(&*ident, vm).ok().flatten();
    match thread {
        Some(thread) => {
            // It may have been another thread's until now.
            let _ = thread.set_attr("_ident", ident.clone(), vm);
            let _ = active.set_item(&*ident, thread, vm);
        }
        None if before.is_some() => {
            let _ = active.del_item(&*ident, vm);
        }
        None => {}
    }
    before
}

/// The contexts that a thread has entered, the innermost one last.
#[derive(Default)]
struct Contexts(Vec<PyObjectRef>);

impl Contexts {
    fn replace(mut self, vm: &VirtualMachine) -> Contexts {
        Contexts(vm.context_stack.replace(std::mem::take(&mut self.0)))
    }
}

/// To be dropped attached.
impl Drop for Contexts {
    fn drop(&mut self) {
        let contexts = std::mem::take(&mut self.0);
        if contexts.is_empty() || !current_vm_is_set() {
            return;
        }
        with_current_vm(|vm| {
            let before = vm.context_stack.take();
            for context in &contexts {
                // What fails leaves a value behind, and nothing else.
                let _ = forget_values(vm, context);
            }
            let after = vm.context_stack.replace(before);
            drop(after);
        });
    }
}

/// Each context variable remembers the value that it had last, and in which context, by its
/// address: it would show it in another one that is made where this one was. A variable that is set
/// for the first time, and then isn't, remembers nothing.
fn forget_values(vm: &VirtualMachine, context: &PyObjectRef) -> PyResult<()> {
    let variables: Vec<PyObjectRef> = vm.call_method(context, "keys", ())?.try_to_value(vm)?;
    for variable in variables {
        let token = vm.call_method(&variable, "set", (vm.ctx.none(),))?;
        vm.call_method(&variable, "reset", (token,))?;
    }
    Ok(())
}

/// A session's state while no thread runs it. It can be dropped on any thread.
pub(super) struct Parked {
    // None only within `take`.
    state: Option<ThreadState>,
    source: Arc<Source>,
}

impl Parked {
    pub(super) fn new(state: ThreadState, source: &Arc<Source>) -> Parked {
        Parked {
            state: Some(state),
            source: source.clone(),
        }
    }

    pub(super) fn take(mut self) -> Option<ThreadState> {
        self.state.take()
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            // Without an interpreter nothing of it can be freed.
            let state = ManuallyDrop::new(state);
            let free = |_: &VirtualMachine| drop(ManuallyDrop::into_inner(state));
            let _ = self.source.attached(free);
        }
    }
}

/// While it lives, this thread has the state of a session; then it has its own again.
pub(super) struct InPlace<'a> {
    vm: &'a VirtualMachine,
    session: &'a Arc<PythonSession>,
    // None only within drop.
    before: Option<ThreadState>,
    // Another thread has what will be kept.
    is_spare: bool,
}

impl<'a> InPlace<'a> {
    /// None on a thread that keeps what is its own.
    pub(super) fn enter(
        vm: &'a VirtualMachine,
        session: &'a Arc<PythonSession>,
    ) -> Option<InPlace<'a>> {
        if !is_ours() || Current::is_innermost(here::current(), session) {
            return None;
        }
        let kept = session.take_state();
        let is_spare = matches!(kept, SavedState::Taken);
        let state = match kept {
            SavedState::Parked(parked) => parked.take(),
            SavedState::None | SavedState::Taken => None,
        };
        let state = state.unwrap_or_else(|| ThreadState::new(vm, &session.shared().runtime.source));
        Some(InPlace {
            vm,
            session,
            before: Some(state.replace(vm)),
            is_spare,
        })
    }
}

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            let state = before.replace(self.vm);
            let source = &self.session.shared().runtime.source;
            if source.is_slowed() {
                retire(); // with what can't be taken out
            }
            if !self.is_spare {
                let parked = Box::new(Parked::new(state, source));
                self.session.park_state(SavedState::Parked(parked));
            }
        }
    }
}
