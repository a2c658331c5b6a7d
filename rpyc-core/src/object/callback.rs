//! [`callback`]: a closure with typed parameters as a function that a peer can call.

use super::class::Signature;
use super::{Args, FromAny, Function, IntoAny, ObjectResult};

/// A Rust closure as a function for the peer: its parameters are positional ones, of any types that
/// [`FromAny`] makes, and its result is whatever [`IntoAny`] takes.
///
/// [`args!`](crate::args) does it by itself where the parameters' types stand in the closure.
///
/// ```
/// use rpyc_core::{args, object::callback};
/// let add = callback(|a: i64, b: i64| a + b);
/// let args = args!["sum", add];
/// ```
pub fn callback<P, F: Callback<P>>(function: F) -> Function {
    let signature = Signature::function("callback");
    let names = NAMES.iter().take(F::PARAMETERS);
    let signature = names.fold(signature, |all, name| all.required(name));
    Function::new("callback", move |_, args| function.call(&signature, args))
}

/// A closure that can be a [`callback`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be called back by a peer",
    note = "a callback is a closure of up to six parameters, each of a type that implements `FromAny`, \
            whose result implements `IntoAny`; it is `Fn + Send + Sync + 'static`"
)]
pub trait Callback<P>: Send + Sync + 'static {
    #[doc(hidden)]
    const PARAMETERS: usize;

    #[doc(hidden)]
    fn call(&self, signature: &Signature, args: Args) -> ObjectResult;
}

const NAMES: [&str; 6] = ["arg1", "arg2", "arg3", "arg4", "arg5", "arg6"];

macro_rules! callbacks {
    ($($count:literal: $($name:ident $index:literal)*;)*) => {
        $(
            impl<F, R, $($name),*> Callback<($($name,)*)> for F
            where
                F: Fn($($name),*) -> R + Send + Sync + 'static,
                R: IntoAny,
                $($name: FromAny,)*
            {
                const PARAMETERS: usize = $count;

                fn call(&self, signature: &Signature, args: Args) -> ObjectResult {
                    #[allow(unused_mut)] // of no parameters
                    let mut bound = signature.bind(args)?;
                    $(#[allow(non_snake_case)] let $name: $name = bound.required($index)?;)*
                    let _ = &bound;
                    self($($name),*).into_any()
                }
            }
        )*
    };
}

callbacks! {
    0: ;
    1: A 0;
    2: A 0 B 1;
    3: A 0 B 1 C 2;
    4: A 0 B 1 C 2 D 3;
    5: A 0 B 1 C 2 D 3 E 4;
    6: A 0 B 1 C 2 D 3 E 4 G 5;
}
