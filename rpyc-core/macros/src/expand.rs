//! From the block to the class that it stands for.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{ImplItem, ItemImpl, LitStr, Type};

use crate::item::{Mark, take_mark};
use crate::method::Call;
use crate::options::{TypeOptions, doc_of};

/// What the block makes of its type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Service,
}

/// A property while its parts are found.
struct Property {
    name: String,
    parts: Vec<TokenStream>,
}

pub(crate) fn expand(
    kind: Kind,
    options: TypeOptions,
    mut block: ItemImpl,
) -> syn::Result<TokenStream> {
    let of = (*block.self_ty).clone();
    let type_name = check(&block, &of)?;
    let class_name = options.name.map_or(type_name, |name| name.value());
    let mut steps = Vec::new();
    let mut properties: Vec<Property> = Vec::new();
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
        let Some(mark) = take_mark(function)? else {
            continue;
        };
        let doc = doc_of(&function.attrs);
        let call = Call::read(function, matches!(mark, Mark::Configure))?;
        check_mark(kind, &mark, &call)?;
        match mark {
            Mark::Exposed(name) => steps.push(method(&call, name, doc, &class_name)),
            Mark::Getter(name) => {
                let name = member_name(&call, name, "");
                let answer = call.answer(&quote!(cx));
                property(&mut properties, name).push(quote! {
                    .get(|this, cx| {
                        let _ = cx;
                        #answer
                    })
                });
            }
            Mark::Setter(name) => {
                let name = member_name(&call, name, "set_");
                let part = setter(&call, &name, &class_name)?;
                property(&mut properties, name).push(part);
            }
            Mark::Deleter(name) => {
                let name = member_name(&call, name, "delete_");
                let answer = call.answer(&quote!(cx));
                property(&mut properties, name).push(quote! {
                    .del(|this, cx| {
                        let _ = cx;
                        #answer.map(|_| ())
                    })
                });
            }
            Mark::OnConnect => {
                let answer = call.answer(&quote!(cx));
                steps.push(quote! {
                    .on_connect(|this, cx| {
                        let _ = cx;
                        #answer.map(|_| ())
                    })
                });
            }
            Mark::BeforeClosed | Mark::OnDisconnect => {
                let step = match mark {
                    Mark::BeforeClosed => quote!(before_closed),
                    _ => quote!(on_disconnect),
                };
                let hook = call.hook(&[quote!(connection)]);
                let hook = hook_of_value(&call, hook);
                steps.push(quote! {
                    .#step(|value, connection| {
                        let _ = connection;
                        #hook;
                    })
                });
            }
            Mark::Configure => {
                let hook = call.hook(&[quote!(config), quote!(peer)]);
                let hook = hook_of_value(&call, hook);
                steps.push(quote! {
                    .configure(|value, config, peer| {
                        let _ = peer;
                        #hook;
                    })
                });
            }
        }
    }
    for Property { name, parts } in properties {
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
fn check_mark(kind: Kind, mark: &Mark, call: &Call) -> syn::Result<()> {
    let refused = match (kind, mark) {
        (
            Kind::Object,
            Mark::BeforeClosed | Mark::Configure | Mark::OnConnect | Mark::OnDisconnect,
        ) => "only a service has connections: use #[service] on the block",
        (Kind::Service, Mark::Setter(_) | Mark::Deleter(_)) => {
            "no peer can change a service's attributes: expose a method that does it, or give the \
             property to an object, by #[expose] on its block"
        }
        _ => return Ok(()),
    };
    Err(syn::Error::new_spanned(&call.name, refused))
}

/// Checks the block; gives the name of its type.
fn check(block: &ItemImpl, of: &Type) -> syn::Result<String> {
    if let Some((_, path, _)) = &block.trait_ {
        return Err(syn::Error::new_spanned(
            path,
            "the attribute belongs on an inherent impl block",
        ));
    }
    if !block.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &block.generics,
            "a generic type has no one class: make one with Class::builder",
        ));
    }
    match of {
        Type::Path(path) => {
            let last = path.path.segments.last();
            Ok(last.map_or_else(String::new, |segment| segment.ident.unraw().to_string()))
        }
        other => Err(syn::Error::new_spanned(
            other,
            "the name of a type is expected",
        )),
    }
}

fn method(call: &Call, name: Option<LitStr>, doc: Option<String>, class: &str) -> TokenStream {
    let name = member_name(call, name, "");
    let qualified = format!("{class}.{name}");
    let signature = call.signature(&qualified);
    let invocation = call.invocation();
    let doc = doc.map(|doc| quote!(.doc(#doc)));
    let span = call.name.span();
    let place = quote_spanned!(span=> .at(::core::file!(), ::core::line!()));
    quote! {
        .method({
            let signature = #signature;
            let known = signature.clone();
            ::rpyc_core::object::class::Method::new(#name, move |this, cx, args| {
                let _ = (this, cx);
                #[allow(unused_mut)]
                let mut args = signature.bind(args)?;
                #invocation
            })
            .signature(known)
            #doc
            #place
        })
    }
}

fn setter(call: &Call, name: &str, class: &str) -> syn::Result<TokenStream> {
    let Some(param) = call.value_param() else {
        return Err(syn::Error::new_spanned(
            &call.name,
            "a setter takes the new value",
        ));
    };
    let of = &param.of;
    let passed = if param.is_reference() {
        quote!(&value)
    } else {
        quote!(value)
    };
    let answer = call.answer(&passed);
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

/// A hook that has the value itself at hand, not the handle.
fn hook_of_value(call: &Call, hook: TokenStream) -> TokenStream {
    let this = call.receiver.then(|| quote!(let this = &value;));
    quote!({ let _ = value; #this #hook })
}

fn member_name(call: &Call, given: Option<LitStr>, prefix: &str) -> String {
    let own = call.name.unraw().to_string();
    match given {
        Some(name) => name.value(),
        None => own.strip_prefix(prefix).unwrap_or(&own).to_owned(),
    }
}

fn property(properties: &mut Vec<Property>, name: String) -> &mut Vec<TokenStream> {
    let index = match properties.iter().position(|known| known.name == name) {
        Some(index) => index,
        None => {
            properties.push(Property {
                name,
                parts: Vec::new(),
            });
            properties.len() - 1
        }
    };
    &mut properties[index].parts
}
