//! Who may touch the interpreter: threads that belong to it, and how others come in.
//!
//! A thread is *attached* while it works with Python objects and *detached* while it doesn't.
//! The garbage collector stops all attached threads, and waits for them, though not for ever
//! (`stops.rs`): so a thread that blocks must be detached. The executing threads here belong to the
//! interpreter for their whole life and are detached by default; [`Source::attached`] attaches one
//! for the time of an operation, [`detached`] lets go for the time of a wait.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use rpyc_classic::target::panicked;
use rpyc_classic::threads::{SignalMask, lock, niceness};
use rpyc_core::Exception;
use rpyc_core::executor::{Executor, Job, retire};
use rustpython_vm::frame::InterpreterFrame;
use rustpython_vm::vm::thread::{
    ThreadedVirtualMachine, cleanup_current_thread_frames, current_vm_is_set, get_current_frame,
    set_current_frame, with_current_vm,
};
use rustpython_vm::{PyObjectRef, VirtualMachine};

use super::local;
use super::memory::Tidying;

/// Where threads of the interpreter come from.
pub(super) struct Source {
    // The thread from which others are made; none once the interpreter is stopped.
    template: Mutex<Option<ThreadedVirtualMachine>>,
    // Objects that were let go by threads that can't touch the interpreter; none once that is
    // stopped.
    pending_drops: Mutex<Option<Vec<PyObjectRef>>>,
    is_burial_due: AtomicBool,
    executor: OnceLock<Weak<dyn Executor>>,
    tidying: Tidying,
    // What a new thread has.
    recursion_limit: usize,
    signal_mask: SignalMask,
    niceness: i32,
}

impl Source {
    pub(super) fn new(template: ThreadedVirtualMachine) -> Arc<Source> {
        Arc::new(Source {
            recursion_limit: template.run(|vm| vm.recursion_limit.get()),
            signal_mask: SignalMask::current(),
            niceness: niceness(),
            template: Mutex::new(Some(template)),
            pending_drops: Mutex::new(Some(Vec::new())),
            is_burial_due: AtomicBool::new(false),
            executor: OnceLock::new(),
            tidying: Tidying::default(),
        })
    }

    /// The recursion limit of a new thread.
    pub(super) fn recursion_limit(&self) -> usize {
        self.recursion_limit
    }

    /// The signals that a new thread doesn't get.
    pub(super) fn signal_mask(&self) -> SignalMask {
        self.signal_mask
    }

    /// Whether code has given this thread another niceness than a new one has. Without privileges it
    /// can't be put back.
    pub(super) fn is_slowed(&self) -> bool {
        self.niceness != niceness()
    }

    /// The executor whose threads belong to the interpreter.
    pub(super) fn set_executor(&self, executor: &Arc<dyn Executor>) {
        // Set once: an engine has one pool.
        let _ = self.executor.set(Arc::downgrade(executor));
    }

    /// No thread joins the interpreter from now on, and what is let go of later stays in memory:
    /// without an interpreter, no object can be freed. To be called attached.
    pub(super) fn stop(&self) {
        let template = lock(&self.template).take();
        drop(template);
        let dead = lock(&self.pending_drops).take();
        drop(dead);
    }

    /// Has garbage that refers to itself collected when it is quiet; returns at once.
    pub(super) fn tidy(self: &Arc<Source>) {
        self.tidying.request(self);
    }

    /// Whether [`stop`](Source::stop) has been called.
    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.template).is_none()
    }

    /// Runs the job on an executing thread; false where none can be had.
    pub(super) fn execute(&self, job: Job) -> bool {
        let executor = self.executor.get().and_then(Weak::upgrade);
        executor.is_some_and(|executor| executor.execute(job).is_ok())
    }

    /// Runs `work` as a thread of the interpreter's, attached to begin with; false once that is stopped.
    pub(super) fn live(&self, work: impl FnOnce(&VirtualMachine)) -> bool {
        let Some(thread) = self.thread() else {
            return false;
        };
        IS_OURS.set(true);
        thread.run(|vm| {
            work(vm);
            self.drain();
            local::clear();
            // Nothing of this thread's may touch the interpreter after this.
            cleanup_current_thread_frames(vm);
        });
        true
    }

    fn thread(&self) -> Option<ThreadedVirtualMachine> {
        let template = lock(&self.template);
        template
            .as_ref()
            .map(|template| template.run(|vm| vm.new_thread()))
    }

    /// Runs `work` attached to the interpreter; a thread that doesn't belong to it becomes part of
    /// it for so long. A panic comes out as an exception.
    pub(super) fn attached<R>(
        &self,
        work: impl FnOnce(&VirtualMachine) -> R,
    ) -> Result<R, Exception> {
        let guarded = |vm: &VirtualMachine| {
            self.drain();
            let before = Before::work(vm);
            catch_unwind(AssertUnwindSafe(|| work(vm))).map_err(|panic| {
                before.restore(vm);
                panicked(&*panic)
            })
        };
        if current_vm_is_set() {
            return with_current_vm(|vm| vm.attach_for_callback(|| guarded(vm)));
        }
        let Some(thread) = self.thread() else {
            return Err(Exception::runtime_error(
                "the Python interpreter has been stopped",
            ));
        };
        IS_OURS.set(true);
        LOST.set(0);
        let result = thread.run(|vm| {
            let result = guarded(vm);
            local::clear();
            cleanup_current_thread_frames(vm);
            result
        });
        IS_OURS.set(false);
        result
    }

    /// Drops what other threads couldn't.
    pub(super) fn drain(&self) {
        if self.is_burial_due.swap(false, Ordering::Acquire) {
            // A statement of its own: destructors run Python, and may come back here.
            let dead = lock(&self.pending_drops).as_mut().map(std::mem::take);
            drop(dead);
        }
    }

    /// Drops a Python object, here or where it can be.
    fn release(self: &Arc<Source>, object: PyObjectRef) {
        if current_vm_is_set() {
            with_current_vm(|vm| vm.attach_for_callback(|| drop(object)));
            return;
        }
        match &mut *lock(&self.pending_drops) {
            Some(pending_drops) => pending_drops.push(object),
            None => return std::mem::forget(object),
        }
        if self.is_burial_due.swap(true, Ordering::Release) {
            return;
        }
        // Whichever thread attaches next does it; this one makes sure that there is one.
        let source = self.clone();
        let job = Box::new(move || drop(source.attached(|_| ())));
        let _ = self.execute(job);
    }
}

/// Whether this thread is one of the interpreter's that Python code hasn't started.
pub(super) fn is_ours() -> bool {
    IS_OURS.get()
}

/// The depth of recursion that panics have left behind on this thread: its limit is higher by as
/// much.
pub(super) fn lost_depth() -> usize {
    LOST.get()
}

thread_local! {
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
    static LOST: Cell<usize> = const { Cell::new(0) };
}

/// Runs `wait` detached, so that a thread that waits doesn't hold the garbage collector up.
pub(super) fn detached<R>(vm: &VirtualMachine, wait: impl FnOnce() -> R) -> R {
    vm.allow_threads(wait)
}

/// A Python object that is held from outside of the interpreter and may be dropped on any thread.
pub(super) struct DeferredDrop {
    // None only within drop.
    object: Option<PyObjectRef>,
    source: Arc<Source>,
}

impl DeferredDrop {
    pub(super) fn new(object: PyObjectRef, source: &Arc<Source>) -> DeferredDrop {
        DeferredDrop {
            object: Some(object),
            source: source.clone(),
        }
    }

    /// The object; only for attached threads.
    pub(super) fn object(&self) -> &PyObjectRef {
        match &self.object {
            Some(object) => object,
            None => unreachable!("the object is taken out by drop alone"),
        }
    }
}

impl Drop for DeferredDrop {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            self.source.release(object);
        }
    }
}

/// How the interpreter stood on this thread before a panic unwound it.
struct Before {
    frame: *const InterpreterFrame,
    depth: usize,
    limit: usize,
    lost: usize,
}

impl Before {
    fn work(vm: &VirtualMachine) -> Before {
        Before {
            frame: get_current_frame(),
            depth: vm.current_recursion_depth(),
            limit: vm.recursion_limit.get(),
            lost: LOST.get(),
        }
    }

    /// Frames that are gone count as running, and are looked at by whoever walks the stack.
    fn restore(&self, vm: &VirtualMachine) {
        retire();
        let _ = set_current_frame(self.frame);
        if self.frame.is_null() {
            // What the exception held is dropped here, and a destructor may panic again.
            let cleared = catch_unwind(AssertUnwindSafe(|| vm.set_exception(None)));
            if cleared.is_err() {
                let _ = set_current_frame(self.frame);
            }
        }
        // The depth can't be set, so the limit is moved; who comes later gets another thread. From
        // where it was: a panic beneath this one has moved it already.
        let lost = vm.current_recursion_depth().saturating_sub(self.depth);
        vm.recursion_limit.set(self.limit.saturating_add(lost));
        LOST.set(self.lost.saturating_add(lost));
    }
}

/// For all threads: the interpreter's, executing ones, and those that Python code starts.
/// RustPython's recursion limit counts bytes of stack, its parser needs 2 MiB, and freeing
/// containers needs 4 MiB for each million that they are nested deep.
pub(super) const STACK_SIZE: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use crate::RustPython;
    use rpyc_classic::{Evaluator, EvaluatorOptions};

    #[test]
    fn a_panic_in_the_interpreter_is_an_exception_of_its_request_alone() {
        let engine =
            RustPython::start(EvaluatorOptions::default()).expect("the interpreter starts");
        let source = engine.shared.runtime.source.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        let job = move || {
            let panicked = source.attached(|_| -> () { panic!("on purpose") });
            let after = source.attached(|vm| vm.ctx.new_int(1).as_bigint().clone());
            let _ = sender.send((panicked, after));
        };
        engine.executor().execute(Box::new(job)).expect("a thread");
        let (panicked, after) = receiver.recv().expect("an answer");
        let panicked = panicked.expect_err("a panic");
        assert!(
            panicked.is("SystemError") && panicked.message().contains("on purpose"),
            "{panicked}"
        );
        assert!(after.is_ok());
        engine.stop();
    }

    #[test]
    fn what_is_let_go_of_after_the_end_is_left_alone() {
        let engine =
            RustPython::start(EvaluatorOptions::default()).expect("the interpreter starts");
        let source = engine.shared.runtime.source.clone();
        let held = source.attached(|vm| {
            let object = vm.ctx.new_list(vec![vm.ctx.new_str("item").into()]);
            super::DeferredDrop::new(object.into(), &source)
        });
        let held = held.expect("the interpreter runs");
        engine.stop();
        // No interpreter is left that could free it, and this thread is none of its.
        drop(held);
        assert!(source.attached(|_| ()).is_err());
        assert!(super::lock(&source.pending_drops).is_none());
    }
}
