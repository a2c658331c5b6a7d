//! The memory that this program's own code takes, on Linux: for programs that serve.

#![allow(unsafe_code)] // calls of C

/// Lets go of the code and the constants that have been used so far: those of a program's start, which doesn't
/// come again. What runs from now on is taken from the system's cache of files again, 64 KiB at a time.
#[cfg(target_os = "linux")]
pub fn give_back() {
    // Safe: the function is of the type that is asked for, and needs no data.
    unsafe { libc::dl_iterate_phdr(Some(give_back_own), std::ptr::null_mut()) };
}

/// Nothing, on this system.
#[cfg(not(target_os = "linux"))]
pub fn give_back() {}

/// Does so where this is the file that the function itself is in; the result says whether it is.
#[cfg(target_os = "linux")]
unsafe extern "C" fn give_back_own(
    file: *mut libc::dl_phdr_info,
    _: libc::size_t,
    _: *mut libc::c_void,
) -> libc::c_int {
    // Safe: the system hands out what is valid during the call.
    let (base, parts) = unsafe {
        let file = &*file;
        let parts = std::slice::from_raw_parts(file.dlpi_phdr, file.dlpi_phnum.into());
        (file.dlpi_addr as usize, parts)
    };
    let loaded = parts.iter().filter(|part| part.p_type == libc::PT_LOAD);
    let loaded = loaded.map(|part| {
        let first = base + part.p_vaddr as usize;
        let is_written = part.p_flags & libc::PF_W != 0;
        (first..first + part.p_memsz as usize, is_written)
    });
    let here = give_back as *const () as usize;
    if !loaded.clone().any(|(place, _)| place.contains(&here)) {
        return 0;
    }
    // Safe: it only asks.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    for (place, _) in loaded.filter(|(_, is_written)| !is_written) {
        let first = place.start / page * page;
        // Safe: nobody has written there, so that what is read again is the same.
        unsafe { libc::madvise(first as *mut _, place.end - first, libc::MADV_DONTNEED) };
    }
    1
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::give_back;

    /// The lines of `/proc/self/smaps` on this code: where it is first.
    fn code() -> Vec<String> {
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("it is readable");
        let here = give_back as *const () as usize;
        let is_here = |line: &&str| place(line).is_some_and(|place| place.contains(&here));
        let lines = maps.lines().skip_while(|line| !is_here(line));
        lines.take(5).map(str::to_owned).collect()
    }

    fn place(line: &str) -> Option<std::ops::Range<usize>> {
        let (first, end) = line.split(' ').next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(first)?..number(end)?)
    }

    fn resident() -> usize {
        let code = code();
        let line = code.iter().find_map(|line| line.strip_prefix("Rss:"));
        let number = line.expect("a size").trim().trim_end_matches(" kB");
        number.parse().expect("a number")
    }

    #[test]
    fn code_that_has_run_takes_no_memory_until_it_runs_again() {
        let place = place(&code()[0]).expect("two addresses");
        for page in place.step_by(1 << 12) {
            // Safe: there is code.
            unsafe { std::ptr::read_volatile(page as *const u8) };
        }
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{before} KiB, then {after}");
    }
}
