//! One method: what it is called with, and the code that calls it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, FnArg, Ident, ImplItemFn, Meta, Pat, Receiver, ReturnType, Signature, Type};

use crate::options::{refuse, take_mark};

/// How a method is called.
pub(crate) struct Call {
    pub(crate) name: Ident,
    pub(crate) receiver: bool,
    pub(crate) params: Vec<Param>,
    // Where the type of the result stands, for what the compiler has to say of it.
    output: Span,
}

/// One parameter, after `self`.
pub(crate) struct Param {
    pub(crate) name: String,
    kind: ParamKind,
    // With the reference taken off, where it is one.
    pub(crate) of: Type,
    reference: bool,
}

enum ParamKind {
    Context,
    Defaulted(Expr),
    Keywords,
    Required,
    Rest,
    This,
}

impl Call {
    /// Reads a method, and takes the attributes off its parameters.
    ///
    /// `&mut` is for what this side passes itself: a config to be changed.
    pub(crate) fn read(function: &mut ImplItemFn, takes_mut: bool) -> syn::Result<Call> {
        let signature = &mut function.sig;
        check_plain(
            signature,
            "calls are blocking here: an async fn can't be exposed",
            "a peer's arguments have no types: a generic method can't be exposed",
        )?;
        let mut call = Call {
            name: signature.ident.clone(),
            receiver: false,
            params: Vec::new(),
            output: match &signature.output {
                ReturnType::Default => signature.ident.span(),
                ReturnType::Type(_, of) => of.span(),
            },
        };
        for input in &mut signature.inputs {
            match input {
                FnArg::Receiver(receiver) if is_shared(receiver) => call.receiver = true,
                FnArg::Receiver(receiver) => {
                    return refuse(
                        receiver,
                        "several threads may call at once: the receiver must be &self",
                    );
                }
                FnArg::Typed(input) => {
                    let param = Param::read(input, takes_mut)?;
                    param.check_place(&call.params, input)?;
                    call.params.push(param);
                }
            }
        }
        Ok(call)
    }

    /// The signature that arguments are checked against.
    pub(crate) fn signature(&self, qualified: &str) -> TokenStream {
        let steps = self.arguments().map(|param| {
            let name = &param.name;
            match param.kind {
                ParamKind::Defaulted(_) => quote!(.optional(#name)),
                ParamKind::Keywords => quote!(.keywords()),
                ParamKind::Rest => quote!(.rest()),
                _ => quote!(.required(#name)),
            }
        });
        quote!(::rpyc_core::object::Signature::method(#qualified)#(#steps)*)
    }

    /// Calls the method, with `this`, `cx` and bound `args` at hand.
    pub(crate) fn invocation(&self) -> TokenStream {
        let mut lets = Vec::new();
        let mut values = Vec::new();
        for (index, param) in self.arguments().enumerate() {
            let Param { name, of, .. } = param;
            let taken = match &param.kind {
                ParamKind::Defaulted(default) => quote!(optional(#index, || #default)),
                ParamKind::Keywords => quote!(keywords()),
                ParamKind::Rest => quote!(rest(#name)),
                _ => quote!(required(#index)),
            };
            let variable = format_ident!("argument_{index}");
            lets.push(quote!(let #variable: #of = args.#taken?;));
            values.push(param.passed(&quote!(#variable)));
        }
        let answer = self.answer(&values);
        quote! {
            #(#lets)*
            #answer
        }
    }

    /// What [`hook`](Call::hook) gives, as it goes to the peer.
    pub(crate) fn answer(&self, values: &[TokenStream]) -> TokenStream {
        let called = self.hook(values);
        quote!(::rpyc_core::IntoAny::into_any(#called))
    }

    /// Calls the method with what is at hand: `cx` and `this` by kind, `values` for the others.
    pub(crate) fn hook(&self, values: &[TokenStream]) -> TokenStream {
        let mut values = values.iter().cloned();
        let receiver = self.receiver.then(|| quote!(&**this));
        let passed = self.params.iter().map(|param| match param.kind {
            ParamKind::Context => quote!(cx),
            ParamKind::This => quote!(this),
            _ => values.next().unwrap_or_default(),
        });
        let passed = receiver.into_iter().chain(passed);
        let name = &self.name;
        quote_spanned!(self.output=> Self::#name(#(#passed),*))
    }

    /// The parameters that aren't filled in by this side.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Param> {
        let params = self.params.iter();
        params.filter(|param| !matches!(param.kind, ParamKind::Context | ParamKind::This))
    }
}

impl Param {
    /// How a value of its type is passed.
    pub(crate) fn passed(&self, value: &TokenStream) -> TokenStream {
        let reference = self.reference.then(|| quote!(&));
        quote!(#reference #value)
    }

    /// Refuses what Python refuses, too: its callers count the places of arguments.
    fn check_place(&self, before: &[Param], input: &syn::PatType) -> syn::Result<()> {
        let has = |is: fn(&ParamKind) -> bool| before.iter().any(|param| is(&param.kind));
        let defaulted = has(|kind| matches!(kind, ParamKind::Defaulted(_)));
        let rest = has(|kind| matches!(kind, ParamKind::Rest));
        let keywords = has(|kind| matches!(kind, ParamKind::Keywords));
        let refused = match self.kind {
            ParamKind::Context | ParamKind::This => return Ok(()),
            _ if keywords => "#[keywords] takes what is left over: it is the last parameter",
            ParamKind::Keywords => return Ok(()),
            _ if rest => {
                "#[rest] takes all further positional arguments: only #[keywords] may follow it"
            }
            ParamKind::Required if defaulted => {
                "this parameter has no default and follows one that has: give it a #[default], or \
                 put it in front"
            }
            ParamKind::Defaulted(_) | ParamKind::Required | ParamKind::Rest => return Ok(()),
        };
        refuse(&input.pat, refused)
    }

    fn read(input: &mut syn::PatType, takes_mut: bool) -> syn::Result<Param> {
        let name = match &*input.pat {
            Pat::Ident(pattern) => pattern.ident.unraw().to_string(),
            Pat::Wild(_) => "_".to_owned(),
            other => {
                return refuse(other, "a parameter of an exposed method is a plain name");
            }
        };
        let known = ["default", "rest", "keywords"];
        let mark = take_mark(&mut input.attrs, &known, "a parameter is one of these")?;
        let (of, reference) = match &*input.ty {
            Type::Reference(reference) if reference.mutability.is_some() && !takes_mut => {
                return refuse(
                    reference,
                    "an argument is the callee's own: take it by value or by &",
                );
            }
            Type::Reference(reference) => ((*reference.elem).clone(), true),
            other => (other.clone(), false),
        };
        let kind = match mark {
            Some(("default", attribute)) => ParamKind::Defaulted(match attribute.meta {
                Meta::Path(_) => syn::parse_quote!(::core::default::Default::default()),
                Meta::NameValue(pair) => pair.value,
                Meta::List(list) => list.parse_args()?,
            }),
            Some(("rest", _)) => ParamKind::Rest,
            Some(_) => ParamKind::Keywords,
            None if reference && last_segment_is(&of, "Context") => ParamKind::Context,
            None if reference && name == "this" && last_segment_is(&of, "Exposed") => {
                ParamKind::This
            }
            None => ParamKind::Required,
        };
        Ok(Param {
            name,
            kind,
            of: if reference { owned(of) } else { of },
            reference,
        })
    }
}

/// Refuses a method that no peer could call, with these reasons.
pub(crate) fn check_plain(
    signature: &Signature,
    if_async: &str,
    if_generic: &str,
) -> syn::Result<()> {
    if let Some(asyncness) = &signature.asyncness {
        return refuse(asyncness, if_async);
    }
    if !signature.generics.params.is_empty() {
        return refuse(&signature.generics, if_generic);
    }
    Ok(())
}

/// Whether it is `&self`.
pub(crate) fn is_shared(receiver: &Receiver) -> bool {
    receiver.reference.is_some() && receiver.mutability.is_none()
}

/// The type that a reference's own is converted as.
fn owned(of: Type) -> Type {
    match of {
        Type::Path(path) if path.path.is_ident("str") => syn::parse_quote!(::std::string::String),
        Type::Path(path) if path.path.is_ident("Path") => {
            syn::parse_quote!(::std::path::PathBuf)
        }
        Type::Slice(slice) => {
            let item = slice.elem;
            syn::parse_quote!(::std::vec::Vec<#item>)
        }
        other => other,
    }
}

fn last_segment_is(of: &Type, name: &str) -> bool {
    let Type::Path(path) = of else { return false };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == name)
}
