//! System calls for `os` that RustPython lacks; `python/os_functions.py` makes functions of them.

pub(super) use self::_rpyc_os::module_def;

#[rustpython_vm::pymodule]
mod _rpyc_os {
    use std::io::{Error, IoSlice, IoSliceMut};
    use std::num::NonZeroU64;
    use std::os::fd::IntoRawFd;

    use rustix::event::{EventfdFlags, eventfd as new_event};
    use rustix::fs::{self, Advice, FallocateFlags, MemfdFlags, XattrFlags};
    use rustix::io::{self, Errno, ReadWriteFlags};
    use rustix::thread::{self, CpuSet, Pid};
    use rustpython_vm::builtins::{PyBytesRef, PyListRef};
    use rustpython_vm::convert::IntoPyException;
    use rustpython_vm::host_env::crt_fd::Borrowed;
    use rustpython_vm::{PyResult, VirtualMachine};

    use super::super::thread::detached;

    /// A system call, which may take its time.
    fn call<T>(vm: &VirtualMachine, call: impl FnOnce() -> io::Result<T>) -> PyResult<T> {
        detached(vm, call).map_err(|errno| Error::from(errno).into_pyexception(vm))
    }

    /// A text that the system hands out in a buffer, whose length it tells for an empty one.
    fn text(
        vm: &VirtualMachine,
        ask: impl Fn(&mut [u8]) -> io::Result<usize>,
    ) -> PyResult<Vec<u8>> {
        call(vm, || {
            loop {
                let mut text = vec![0; ask(&mut [])?];
                match ask(&mut text) {
                    // It has grown in between.
                    Err(Errno::RANGE) => continue,
                    length => {
                        text.truncate(length?);
                        return Ok(text);
                    }
                }
            }
        })
    }

    #[pyfunction]
    fn setxattr(
        path: PyBytesRef,
        follows: bool,
        name: PyBytesRef,
        value: PyBytesRef,
        flags: u32,
        vm: &VirtualMachine,
    ) -> PyResult<()> {
        let flags = XattrFlags::from_bits_retain(flags);
        let (path, name, value) = (path.as_bytes(), name.as_bytes(), value.as_bytes());
        call(vm, || match follows {
            true => fs::setxattr(path, name, value, flags),
            false => fs::lsetxattr(path, name, value, flags),
        })
    }

    #[pyfunction]
    fn getxattr(
        path: PyBytesRef,
        follows: bool,
        name: PyBytesRef,
        vm: &VirtualMachine,
    ) -> PyResult<Vec<u8>> {
        let (path, name) = (path.as_bytes(), name.as_bytes());
        text(vm, |buffer| match follows {
            true => fs::getxattr(path, name, buffer),
            false => fs::lgetxattr(path, name, buffer),
        })
    }

    #[pyfunction]
    fn listxattr(path: PyBytesRef, follows: bool, vm: &VirtualMachine) -> PyResult<Vec<u8>> {
        let path = path.as_bytes();
        text(vm, |buffer| match follows {
            true => fs::listxattr(path, buffer),
            false => fs::llistxattr(path, buffer),
        })
    }

    #[pyfunction]
    fn removexattr(
        path: PyBytesRef,
        follows: bool,
        name: PyBytesRef,
        vm: &VirtualMachine,
    ) -> PyResult<()> {
        let (path, name) = (path.as_bytes(), name.as_bytes());
        call(vm, || match follows {
            true => fs::removexattr(path, name),
            false => fs::lremovexattr(path, name),
        })
    }

    #[pyfunction]
    fn preadv2(
        fd: Borrowed<'_>,
        length: usize,
        offset: u64,
        flags: u32,
        vm: &VirtualMachine,
    ) -> PyResult<Vec<u8>> {
        let flags = ReadWriteFlags::from_bits_retain(flags);
        let mut data = Vec::new();
        data.try_reserve_exact(length)
            .map_err(|_| vm.new_memory_error(""))?;
        data.resize(length, 0);
        let read = call(vm, || {
            io::preadv2(fd, &mut [IoSliceMut::new(&mut data)], offset, flags)
        })?;
        data.truncate(read);
        Ok(data)
    }

    #[pyfunction]
    fn pwritev2(
        fd: Borrowed<'_>,
        data: PyBytesRef,
        offset: u64,
        flags: u32,
        vm: &VirtualMachine,
    ) -> PyResult<usize> {
        let flags = ReadWriteFlags::from_bits_retain(flags);
        let data = [IoSlice::new(data.as_bytes())];
        call(vm, || io::pwritev2(fd, &data, offset, flags))
    }

    #[pyfunction]
    fn fallocate(fd: Borrowed<'_>, offset: u64, length: u64, vm: &VirtualMachine) -> PyResult<()> {
        call(vm, || {
            fs::fallocate(fd, FallocateFlags::empty(), offset, length)
        })
    }

    #[pyfunction]
    fn fadvise(
        fd: Borrowed<'_>,
        offset: u64,
        length: u64,
        advice: i32,
        vm: &VirtualMachine,
    ) -> PyResult<()> {
        let known = [
            Advice::Normal,
            Advice::Random,
            Advice::Sequential,
            Advice::WillNeed,
            Advice::DontNeed,
            Advice::NoReuse,
        ];
        let advice = usize::try_from(advice).ok();
        let advice = advice.and_then(|advice| known.get(advice).copied());
        call(vm, || {
            let advice = advice.ok_or(Errno::INVAL)?;
            fs::fadvise(fd, offset, NonZeroU64::new(length), advice)
        })
    }

    #[pyfunction]
    fn fdatasync(fd: Borrowed<'_>, vm: &VirtualMachine) -> PyResult<()> {
        call(vm, || fs::fdatasync(fd))
    }

    #[pyfunction]
    fn memfd_create(name: PyBytesRef, flags: u32, vm: &VirtualMachine) -> PyResult<i32> {
        let flags = MemfdFlags::from_bits_retain(flags);
        let file = call(vm, || fs::memfd_create(name.as_bytes(), flags))?;
        Ok(file.into_raw_fd())
    }

    #[pyfunction]
    fn eventfd(count: u32, flags: u32, vm: &VirtualMachine) -> PyResult<i32> {
        let flags = EventfdFlags::from_bits_retain(flags);
        Ok(call(vm, || new_event(count, flags))?.into_raw_fd())
    }

    #[pyfunction]
    fn getaffinity(pid: i32, vm: &VirtualMachine) -> PyResult<PyListRef> {
        let processors = call(vm, || thread::sched_getaffinity(process(pid)?))?;
        let processors = (0..CpuSet::MAX_CPU).filter(|&number| processors.is_set(number));
        let processors = processors.map(|number| vm.ctx.new_int(number).into());
        Ok(vm.ctx.new_list(processors.collect()))
    }

    /// The process of that number; 0 is the thread that asks.
    fn process(pid: i32) -> io::Result<Option<Pid>> {
        match pid {
            0 => Ok(None),
            pid => Pid::from_raw(pid).map(Some).ok_or(Errno::SRCH),
        }
    }
}
