//! `args!`: the arguments of a call, as Python writes them.

/// Builds [`Args`](crate::Args): `args![1, "two", key = 3]`, positional arguments first.
///
/// An argument is whatever [`IntoAny`](crate::object::IntoAny) takes, as for results. A closure whose
/// parameters have types is a function that the peer can call ([`callback`](crate::object::callback)):
///
/// ```
/// use rpyc_core::args;
/// let args = args![vec![1, 2], progress = |done: u32, total: u32| println!("{done}/{total}")];
/// assert_eq!(&*args.keyword[0].0, "progress");
/// ```
///
/// A raw identifier names the argument without its prefix: `r#type = "x"` is Python's `type="x"`.
#[macro_export]
macro_rules! args {
    (@add $args:expr $(,)?) => { $args };
    (@add $args:expr, $name:ident = $($rest:tt)+) => {
        $crate::args!(@value $args, kwarg (stringify!($name),) $($rest)+)
    };
    (@add $args:expr, $($rest:tt)+) => { $crate::args!(@value $args, arg () $($rest)+) };
    (@value $args:expr, $add:ident ($($name:tt)*) || $($rest:tt)+) => {
        $crate::args!(@closure $args, $add ($($name)*) || $($rest)+)
    };
    (@value $args:expr, $add:ident ($($name:tt)*) | $($rest:tt)+) => {
        $crate::args!(@closure $args, $add ($($name)*) | $($rest)+)
    };
    (@value $args:expr, $add:ident ($($name:tt)*) move $($rest:tt)+) => {
        $crate::args!(@closure $args, $add ($($name)*) move $($rest)+)
    };
    (@closure $args:expr, $add:ident ($($name:tt)*) $closure:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.$add($($name)* $crate::object::callback($closure)) $(, $($rest)*)?)
    };
    (@value $args:expr, $add:ident ($($name:tt)*) $value:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@add $args.$add($($name)* $value) $(, $($rest)*)?)
    };
    ($($rest:tt)*) => { $crate::args!(@add $crate::object::Args::new(), $($rest)*) };
}
