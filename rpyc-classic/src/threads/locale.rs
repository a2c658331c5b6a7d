//! The locale of a thread, and with that of the session that it runs.
//!
//! `setlocale` changes the locale of the whole process: of all clients, in the middle of what they do.

use std::ffi::{CStr, CString};
use std::ptr;

use libc::locale_t;

/// A thread's locale, on its way from one thread to another.
#[derive(Debug)]
pub struct Locale(locale_t);

// Safe: a locale isn't bound to a thread, and has one owner.
unsafe impl Send for Locale {}

impl Locale {
    /// The one that threads have which never set any.
    #[must_use]
    pub fn of_the_process() -> Locale {
        Locale(OF_THE_PROCESS)
    }

    /// Whether it is that one.
    #[must_use]
    pub fn is_of_the_process(&self) -> bool {
        self.0 == OF_THE_PROCESS
    }

    /// Sets this thread's locale; the result is the one that it had.
    #[must_use]
    pub fn replace(self) -> Locale {
        let new = self.0;
        std::mem::forget(self);
        // Safe: both are locales; the one that was in force is the caller's from now on.
        Locale(unsafe { libc::uselocale(new) })
    }
}

impl Drop for Locale {
    fn drop(&mut self) {
        if self.0 != OF_THE_PROCESS {
            // Safe: no thread uses it.
            unsafe { libc::freelocale(self.0) };
        }
    }
}

/// Changes this thread's locale, if there is a name, and tells the name that it has then. None where the
/// system has no such locale or category.
#[must_use]
pub fn change(category: i32, to: Option<&CStr>) -> Option<String> {
    if let Some(to) = to {
        set(category, to)?;
    }
    Some(name(category)?.to_string_lossy().into_owned())
}

/// Changes this thread's locale. None where the system has no such locale or category.
#[must_use]
pub fn set(category: i32, name: &CStr) -> Option<()> {
    let mask = match category {
        libc::LC_ALL => libc::LC_ALL_MASK,
        category if is_category(category) => 1 << category,
        _ => return None,
    };
    // Safe: the copy is owned here until it is given to `newlocale`, which takes it unless it fails.
    unsafe {
        let copy = libc::duplocale(libc::uselocale(ptr::null_mut()));
        if copy.is_null() {
            return None;
        }
        let changed = libc::newlocale(mask, name.as_ptr(), copy);
        if changed.is_null() {
            libc::freelocale(copy);
            return None;
        }
        drop(Locale(changed).replace());
    }
    Some(())
}

/// The name of this thread's locale: what `setlocale` returns.
#[must_use]
pub fn name(category: i32) -> Option<CString> {
    if category != libc::LC_ALL {
        return is_category(category).then(|| name_of(category));
    }
    let names = CATEGORIES.map(|(category, _)| name_of(category));
    if names.iter().all(|name| *name == names[0]) {
        return names.into_iter().next();
    }
    let parts = CATEGORIES.iter().zip(&names);
    let parts = parts.map(|((_, category), name)| format!("{category}={}", name.to_string_lossy()));
    CString::new(parts.collect::<Vec<_>>().join(";")).ok()
}

fn name_of(category: i32) -> CString {
    // Safe: the text lives as long as the locale, which this thread doesn't change meanwhile.
    unsafe {
        let locale = libc::uselocale(ptr::null_mut());
        if locale == OF_THE_PROCESS {
            let name = libc::setlocale(category, ptr::null());
            return if name.is_null() {
                c"C".to_owned()
            } else {
                CStr::from_ptr(name).to_owned()
            };
        }
        CStr::from_ptr(libc::nl_langinfo_l(category << 16 | 0xffff, locale)).to_owned()
    }
}

fn is_category(category: i32) -> bool {
    CATEGORIES.iter().any(|(known, _)| *known == category)
}

/// In the order in which glibc names them.
const CATEGORIES: [(i32, &str); 12] = [
    (libc::LC_CTYPE, "LC_CTYPE"),
    (libc::LC_NUMERIC, "LC_NUMERIC"),
    (libc::LC_TIME, "LC_TIME"),
    (libc::LC_COLLATE, "LC_COLLATE"),
    (libc::LC_MONETARY, "LC_MONETARY"),
    (libc::LC_MESSAGES, "LC_MESSAGES"),
    (libc::LC_PAPER, "LC_PAPER"),
    (libc::LC_NAME, "LC_NAME"),
    (libc::LC_ADDRESS, "LC_ADDRESS"),
    (libc::LC_TELEPHONE, "LC_TELEPHONE"),
    (libc::LC_MEASUREMENT, "LC_MEASUREMENT"),
    (libc::LC_IDENTIFICATION, "LC_IDENTIFICATION"),
];

/// What `LC_GLOBAL_LOCALE` is in C.
const OF_THE_PROCESS: locale_t = ptr::without_provenance_mut(usize::MAX);
