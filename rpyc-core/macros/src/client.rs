//! `#[client]`: a struct that calls a remote object, made of a trait.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, Ident, ItemTrait, Pat, ReturnType, Signature, TraitItem, TraitItemFn, Type,
};

use crate::method::{check_plain, is_shared};
use crate::options::{Options, name_of, refuse, take_mark};

/// One method of the trait.
struct Method {
    signature: Signature,
    output: Type,
    // What it asks for over there.
    request: TokenStream,
}

pub(crate) fn expand(options: Options, mut item: ItemTrait) -> syn::Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return refuse(
            &item.generics,
            "a remote object has no types: the trait can't be generic",
        );
    }
    let mut methods = Vec::new();
    for entry in &mut item.items {
        match entry {
            TraitItem::Fn(function) if function.default.is_some() => {}
            TraitItem::Fn(function) => methods.push(Method::read(function)?),
            other => {
                return refuse(other, "the trait of a remote object has methods alone");
            }
        }
    }
    let (of, vis) = (&item.ident, &item.vis);
    let client = match &options.name {
        Some(name) => Ident::new(&name.value(), name.span()),
        None => format_ident!("{}Client", of.unraw()),
    };
    let doc = format!("A remote object with the methods of [`{of}`].");
    let waiting = methods.iter().map(Method::waiting);
    let starting = methods.iter().map(|method| method.starting(vis));
    Ok(quote! {
        #[allow(dead_code)] // a program may call a method's twin alone
        #item

        #[doc = #doc]
        #[derive(Clone, Debug)]
        #vis struct #client {
            remote: ::rpyc_core::object::Timed,
        }

        #[automatically_derived]
        impl #of for #client {
            #(#waiting)*
        }

        #[automatically_derived]
        #[allow(dead_code)] // no program calls all of them
        impl #client {
            /// The object, as it is.
            #vis fn netref(&self) -> &::rpyc_core::Netref {
                self.remote.netref()
            }

            /// The same object with a time limit of its own for each call.
            #vis fn timed(&self, limit: ::core::time::Duration) -> Self {
                Self { remote: self.netref().timed(limit) }
            }

            #(#starting)*
        }

        #[automatically_derived]
        impl ::rpyc_core::FromAny for #client {
            fn from_any(
                any: ::rpyc_core::Any,
            ) -> ::core::result::Result<Self, ::rpyc_core::object::ConversionError> {
                let remote = <::rpyc_core::Netref as ::rpyc_core::FromAny>::from_any(any)?;
                ::core::result::Result::Ok(Self {
                    remote: ::rpyc_core::object::Timed::new(&remote, ::core::option::Option::None),
                })
            }
        }

        #[automatically_derived]
        impl ::rpyc_core::IntoAny for #client {
            fn into_any(self) -> ::rpyc_core::object::ObjectResult {
                ::rpyc_core::IntoAny::into_any(self.remote.netref().clone())
            }
        }
    })
}

impl Method {
    /// Reads a method, and takes our attributes off it.
    fn read(function: &mut TraitItemFn) -> syn::Result<Method> {
        let known = ["exposed", "getter", "setter"];
        let mark = take_mark(&mut function.attrs, &known, "a method has one mark")?;
        let mark = mark.unwrap_or_else(|| ("exposed", syn::parse_quote!(#[exposed])));
        let signature = &mut function.sig;
        check(signature)?;
        let output = match &signature.output {
            ReturnType::Type(_, of) => (**of).clone(),
            ReturnType::Default => {
                return refuse(
                    &signature.ident,
                    "a call over a connection can fail: give a Result, of () where there is nothing else",
                );
            }
        };
        let mut args = Vec::new();
        let mut names = Vec::new();
        for input in signature.inputs.iter_mut().skip(1) {
            let FnArg::Typed(input) = input else { continue };
            let Pat::Ident(pattern) = &*input.pat else {
                return refuse(&input.pat, "a parameter of a remote method is a plain name");
            };
            let name = pattern.ident.clone();
            args.push(argument(&name, &mut input.attrs)?);
            names.push(name);
        }
        let name = name_of(&mark, &signature.ident)?;
        let request = match mark.0 {
            "getter" => quote!(Get(#name)),
            "setter" => {
                let [value] = &names[..] else {
                    return refuse(&signature.ident, "a setter takes the new value alone");
                };
                quote!(Set(#name, ::rpyc_core::IntoAny::into_any(#value)))
            }
            _ => quote!(Call(#name, ::rpyc_core::Args::new()#(#args)*)),
        };
        Ok(Method {
            signature: signature.clone(),
            output,
            request: quote!(::rpyc_core::object::TypedRequest::#request),
        })
    }

    /// The method itself, which waits for the answer.
    fn waiting(&self) -> TokenStream {
        let Method {
            signature,
            output,
            request,
        } = self;
        quote! {
            #signature {
                <#output as ::rpyc_core::object::CallResult>::from_call(
                    self.remote.wait_for(#request),
                )
            }
        }
    }

    /// Its twin that doesn't wait.
    fn starting(&self, vis: &syn::Visibility) -> TokenStream {
        let (output, request) = (&self.output, &self.request);
        let name = &self.signature.ident;
        let doc = format!("[`{name}`](Self::{name}), without waiting for the answer.");
        let mut signature = self.signature.clone();
        signature.ident = format_ident!("async_{}", name.unraw());
        signature.output = syn::parse_quote! {
            -> ::core::result::Result<
                ::rpyc_core::object::AsyncCall<#output>,
                ::rpyc_core::Error,
            >
        };
        quote! {
            #[doc = #doc]
            ///
            /// # Errors
            /// Where the request can't be sent.
            #vis #signature {
                self.remote.start(#request)
            }
        }
    }
}

/// Refuses what can't be called over there.
fn check(signature: &Signature) -> syn::Result<()> {
    check_plain(
        signature,
        "calls are blocking here; each has a twin that doesn't wait, async_...",
        "a peer's objects have no types: a remote method can't be generic",
    )?;
    match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) if is_shared(receiver) => Ok(()),
        _ => refuse(
            &signature.ident,
            "a remote method is called on an object: its receiver is &self",
        ),
    }
}

/// How a parameter is added to the arguments.
fn argument(name: &Ident, attributes: &mut Vec<Attribute>) -> syn::Result<TokenStream> {
    let known = ["default", "keyword", "keywords", "rest"];
    let how = take_mark(attributes, &known, "a parameter is one of these")?;
    let text = name.unraw().to_string();
    Ok(match how.map(|(word, _)| word) {
        None => quote!(.arg(#name)),
        Some("keyword") => quote!(.kwarg(#text, #name)),
        Some("default") => quote!(.kwarg_if_some(#text, #name)),
        Some("rest") => quote!(.all_of(#name)),
        _ => quote!(.all_named(#name)),
    })
}
