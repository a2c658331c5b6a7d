//! From the block to the class that it stands for.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, ImplItem, ItemImpl, Type};

use crate::method::Call;
use crate::options::{Options, doc_of, name_of, refuse, take_mark};

/// What the block makes of its type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Service,
}

pub(crate) fn expand(
    kind: Kind,
    options: Options,
    mut block: ItemImpl,
) -> syn::Result<TokenStream> {
    let of = (*block.self_ty).clone();
    let type_name = check(&block, &of)?;
    let class_name = options.name.map_or(type_name, |name| name.value());
    let mut steps = Vec::new();
    let mut properties: BTreeMap<String, Vec<TokenStream>> = BTreeMap::new();
    let mut property = |name, part| properties.entry(name).or_default().push(part);
    if let Some(doc) = doc_of(&block.attrs) {
        steps.push(quote!(.doc(#doc)));
    }
    if kind == Kind::Service {
        steps.push(quote!(.service()));
    }
    if !options.aliases.is_empty() {
        let aliases = &options.aliases;
        steps.push(quote!(.aliases(&[#(#aliases),*])));
    }
    for item in &mut block.items {
        let ImplItem::Fn(function) = item else {
            continue;
        };
        let Some(mark) = take_mark(&mut function.attrs, &MARKS, "a method has one mark")? else {
            continue;
        };
        let doc = doc_of(&function.attrs);
        let call = Call::read(function, mark.0 == "configure")?;
        check_mark(kind, mark.0, &call)?;
        let name = name_of(&mark, &call.name)?;
        let mark = mark.0;
        match mark {
            "exposed" => steps.push(method(&call, &name, doc, &class_name)),
            "getter" => {
                let answer = call.answer(&[]);
                property(name, quote!(.get(|this, cx| { let _ = cx; #answer })));
            }
            "setter" => {
                let part = setter(&call, &name, &class_name)?;
                property(name, part);
            }
            "deleter" | "on_connect" => {
                let answer = call.answer(&[]);
                let does = quote!(|this, cx| { let _ = cx; #answer.map(|_| ()) });
                match mark {
                    "deleter" => property(name, quote!(.del(#does))),
                    _ => steps.push(quote!(.on_connect(#does))),
                }
            }
            // These have the value itself at hand, not the handle.
            hook => {
                let given = match hook {
                    "configure" => vec![quote!(config), quote!(peer)],
                    _ => vec![quote!(connection)],
                };
                let called = call.hook(&given);
                let this = call.receiver.then(|| quote!(let this = &value;));
                let step = Ident::new(hook, call.name.span());
                steps.push(quote! {
                    .#step(|value, #(#given),*| {
                        let _ = value;
                        #(let _ = #given;)*
                        #this
                        #called;
                    })
                });
            }
        }
    }
    for (name, parts) in properties {
        steps.push(quote! {
            .property(::rpyc_core::object::class::Property::new(#name)#(#parts)*)
        });
    }
    let module = match options.module {
        Some(module) => quote!(#module),
        None => quote!(::core::module_path!()),
    };
    let service = (kind == Kind::Service).then(|| {
        quote! {
            #[automatically_derived]
            impl ::rpyc_core::service::IntoService for #of {
                fn into_service(self) -> ::std::sync::Arc<dyn ::rpyc_core::Service> {
                    ::rpyc_core::service::IntoService::into_service(
                        ::rpyc_core::Exposed::new(self),
                    )
                }
            }
        }
    });
    Ok(quote! {
        #block

        #[automatically_derived]
        impl #of {
            // In an impl of the type itself, where `Self` and private methods mean what they say.
            #[doc(hidden)]
            fn __rpyc_class() -> ::rpyc_core::object::Class<Self> {
                ::rpyc_core::object::Class::builder(#module, #class_name)
                    #(#steps)*
                    .build()
            }
        }

        #[automatically_derived]
        impl ::rpyc_core::object::Expose for #of {
            fn class() -> ::std::sync::Arc<::rpyc_core::object::Class<Self>> {
                static CLASS: ::std::sync::OnceLock<
                    ::std::sync::Arc<::rpyc_core::object::Class<#of>>,
                > = ::std::sync::OnceLock::new();
                CLASS
                    .get_or_init(|| ::std::sync::Arc::new(<#of>::__rpyc_class()))
                    .clone()
            }
        }

        #[automatically_derived]
        impl ::rpyc_core::IntoAny for #of {
            fn into_any(self) -> ::rpyc_core::object::ObjectResult {
                ::rpyc_core::IntoAny::into_any(::rpyc_core::Exposed::new(self))
            }
        }

        #service
    })
}

/// Refuses a mark that means nothing on this kind of block.
fn check_mark(kind: Kind, mark: &str, call: &Call) -> syn::Result<()> {
    match (kind, mark) {
        (Kind::Object, "before_closed" | "configure" | "on_connect" | "on_disconnect") => refuse(
            &call.name,
            "only a service has connections: use #[service] on the block",
        ),
        (Kind::Service, "setter" | "deleter") => refuse(
            &call.name,
            "no peer can change a service's attributes: expose a method that does it, or give the \
             property to an object, by #[expose] on its block",
        ),
        _ => Ok(()),
    }
}

/// Checks the block; gives the name of its type.
fn check(block: &ItemImpl, of: &Type) -> syn::Result<String> {
    if let Some((_, path, _)) = &block.trait_ {
        return refuse(path, "the attribute belongs on an inherent impl block");
    }
    if !block.generics.params.is_empty() {
        return refuse(
            &block.generics,
            "a generic type has no one class: make one with Class::builder",
        );
    }
    match of {
        Type::Path(path) => {
            let last = path.path.segments.last();
            Ok(last.map_or_else(String::new, |segment| segment.ident.unraw().to_string()))
        }
        other => refuse(other, "the name of a type is expected"),
    }
}

fn method(call: &Call, name: &str, doc: Option<String>, class: &str) -> TokenStream {
    let qualified = format!("{class}.{name}");
    let signature = call.signature(&qualified);
    let invocation = call.invocation();
    let doc = doc.map(|doc| quote!(.doc(#doc)));
    let span = call.name.span();
    let place = quote_spanned!(span=> .at(::core::file!(), ::core::line!()));
    quote! {
        .method(
            ::rpyc_core::object::class::Method::bound(#name, #signature, |this, cx, args| {
                let _ = (this, cx, &args);
                #invocation
            })
            #doc
            #place
        )
    }
}

fn setter(call: &Call, name: &str, class: &str) -> syn::Result<TokenStream> {
    let Some(param) = call.arguments().next() else {
        return refuse(&call.name, "a setter takes the new value");
    };
    let of = &param.of;
    let passed = param.passed(&quote!(value));
    let answer = call.answer(&[passed]);
    let qualified = format!("{class}.{name}");
    Ok(quote! {
        .set(|this, cx, value| {
            let _ = cx;
            let value = <#of as ::rpyc_core::FromAny>::from_any(value)
                .map_err(|error| error.for_argument(#qualified, "value"))?;
            #answer.map(|_| ())
        })
    })
}

const MARKS: [&str; 8] = [
    "before_closed",
    "configure",
    "deleter",
    "exposed",
    "getter",
    "on_connect",
    "on_disconnect",
    "setter",
];
