//! Ending code from outside: an exception is raised in the thread that runs it.
//!
//! RustPython looks for signals between any two instructions, and when a system call is
//! interrupted. Every executing thread has a handler for one signal, which raises what the
//! thread was ordered to raise. The signal wakes a thread that sleeps in a system call; a thread that
//! waits for a lock isn't woken, and ends when it gets the lock.
//!
//! The mark that RustPython looks at is one for the whole process, and whoever sees it first clears
//! it. So an order stands until its thread has seen it, and the mark is set again until then.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rpyc_classic::interrupt::{
    self, Interpreter, Listening, Orders, Reason, TICK, ThreadId, Work, with_current,
};
use rpyc_classic::threads::lock;
use rpyc_core::executor::Job;
use rustpython_vm::signal::{SignalNum, set_interrupt_ex};
use rustpython_vm::stdlib::_thread::get_ident;
use rustpython_vm::{AsObject, PyResult, VirtualMachine};

use super::library::library;
use super::thread::Source;

/// Lets this thread of that interpreter be interrupted while the result lives.
pub(super) fn listen(vm: &VirtualMachine, source: &Source) -> Option<Listening> {
    if let Err(error) = install(vm) {
        let class = error.class().name().to_owned();
        log::warn!("an executing thread can't be interrupted: {class}");
        return None;
    }
    Some(interrupt::listen(ThreadId {
        // Safe: it has no conditions.
        thread: unsafe { libc::pthread_self() },
        interpreter: number(source),
        withdraw: None,
    }))
}

/// Sets the handler in this thread's part of the interpreter.
fn install(vm: &VirtualMachine) -> PyResult<()> {
    let signal = library(vm, "_signal")?.get_attr("signal", vm)?;
    let handler = vm.new_function(
        "interrupted",
        |_: rustpython_vm::function::FuncArgs, vm: &VirtualMachine| raise(vm),
    );
    let number = vm.ctx.new_int(SIGNAL);
    // Python lets its main thread alone set handlers, so this one is it for a moment, one after the
    // other. Waiting for the turn must not hold the garbage collector up.
    static TURN: Mutex<()> = Mutex::new(());
    let turn = vm.allow_threads(|| lock(&TURN));
    let main = vm.state.main_thread_ident.swap(get_ident());
    let set = signal.call((number, handler), vm);
    vm.state.main_thread_ident.store(main);
    drop(turn);
    set.map(drop)
}

/// Raises what this thread was ordered to raise.
fn raise(vm: &VirtualMachine) -> PyResult<()> {
    let order = with_current(|thread| {
        if thread.is_ordered() && is_delicate(vm) {
            // At one of the next instructions.
            mark();
            return None;
        }
        thread.take_order()
    });
    let Some((reason, is_last)) = order.flatten() else {
        return Ok(());
    };
    if is_last {
        // Whoever catches it doesn't get as far as the next instruction.
        mark();
    }
    let exceptions = &vm.ctx.exceptions;
    let (class, message) = match reason {
        Reason::Gone => (exceptions.keyboard_interrupt, "the client has gone"),
        Reason::Late => (
            exceptions.timeout_error,
            "the request has run longer than the server allows",
        ),
    };
    Err(vm.new_exception_msg(class.to_owned(), message.into()))
}

/// Whether this thread is within Python code that takes locks which others need, and that an
/// exception would keep from giving them back: that which imports modules, and `threading`. Told by
/// the module that the code is of: a client's file may have any name.
fn is_delicate(vm: &VirtualMachine) -> bool {
    if rustpython_vm::frame::current_code().is_none() {
        return false;
    }
    let globals = vm.current_globals();
    let Ok(modules) = vm.sys_module.get_attr("modules", vm) else {
        return false;
    };
    DELICATE.iter().any(|name| {
        let module = modules.get_item(*name, vm).ok();
        let names = module.and_then(|module| module.dict());
        names.is_some_and(|names| names.is(&globals))
    })
}

/// Ends what still runs of the work of a client that has gone; returns at once.
pub(super) fn end(source: &Arc<Source>, work: &Arc<Work>, client: String) {
    interrupt::end(source, work, client);
}

/// Interrupts whatever runs longer than `limit`, as long as the interpreter does.
pub(super) fn limit(source: &Arc<Source>, limit: Duration) -> std::io::Result<()> {
    let number = number(source);
    let source = Arc::downgrade(source);
    interrupt::limit(limit, number, move || source.upgrade())
}

/// Whether any request runs in that interpreter.
pub(super) fn is_busy(source: &Source) -> bool {
    interrupt::is_busy(number(source))
}

impl Interpreter for Source {
    fn is_stopped(&self) -> bool {
        self.is_stopped()
    }

    fn execute(&self, job: Job) -> bool {
        self.execute(job)
    }

    fn order(&self, orders: &Orders<'_>) -> bool {
        orders.for_each_thread(|thread| {
            orders.give(thread);
        });
        true
    }

    fn wait(&self, orders: &Orders<'_>) {
        orders.for_each_thread(|thread| {
            if orders.stand_for(thread) {
                mark();
                // Safe: no thread ends meanwhile.
                unsafe { libc::pthread_kill(thread.id(), SIGNAL) };
            }
        });
        thread::sleep(TICK); // nothing tells whether the order was seen
        // Where nobody has seen the mark it would keep slowing everybody down.
        let _ = self.attached(|vm| vm.check_signals().is_ok());
    }
}

/// Makes the interpreter look for signals.
fn mark() {
    // Safe: the number is one of a signal.
    let signal = unsafe { SignalNum::new_unchecked(SIGNAL) };
    // It fails for no signal that has a handler.
    let _ = set_interrupt_ex(signal);
}

/// By which threads know their interpreter.
fn number(source: &Source) -> usize {
    std::ptr::from_ref(source).addr()
}

/// Ignored where nobody handles it, so that a stray one does no harm.
const SIGNAL: i32 = libc::SIGURG;

/// The modules whose code isn't interrupted.
const DELICATE: [&str; 3] = [
    "_frozen_importlib",
    "_frozen_importlib_external",
    "threading",
];
