//! What doesn't compile says why.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::{Kind, expand};
use crate::options::{Name, TypeOptions};
use crate::{client, exception};

#[track_caller]
fn refuses(kind: Kind, block: TokenStream, because: &str) {
    let block = syn::parse2(block).expect("an impl block");
    let refused = expand(kind, TypeOptions::default(), block).expect_err("it compiles");
    let text = refused.to_string();
    assert!(text.contains(because), "{text}");
}

#[test]
fn a_parameter_that_could_not_be_found_by_its_place_is_refused() {
    for (params, because) in [
        (
            quote!(#[default] a: i64, b: i64),
            "no default and follows one that has",
        ),
        (
            quote!(#[rest] a: Vec<i64>, b: i64),
            "only #[keywords] may follow",
        ),
        (
            quote!(#[rest] a: Vec<i64>, #[default] b: i64),
            "only #[keywords] may follow",
        ),
        (
            quote!(#[keywords] a: HashMap<String, i64>, b: i64),
            "it is the last",
        ),
        (
            quote!(#[default] #[rest] a: Vec<i64>),
            "a parameter is one of these",
        ),
        (quote!(a: &mut i64), "the callee's own"),
        (quote!((a, b): (i64, i64)), "a plain name"),
    ] {
        let block = quote!(impl S { #[exposed] fn f(&self, #params) {} });
        refuses(Kind::Object, block, because);
    }
}

#[test]
fn parameters_of_this_side_stand_anywhere() {
    let block = quote! {
        impl S {
            #[exposed]
            fn f(&self, #[default] a: i64, cx: &Context<'_>, #[rest] b: Vec<i64>, this: &Exposed<S>) {}
        }
    };
    let block = syn::parse2(block).expect("an impl block");
    assert!(expand(Kind::Object, TypeOptions::default(), block).is_ok());
}

#[test]
fn a_mark_without_effect_is_refused() {
    let setter = quote!(impl S { #[setter] fn set_size(&self, size: u8) {} });
    refuses(Kind::Service, setter, "a service's attributes");
    let deleter = quote!(impl S { #[deleter] fn delete_size(&self) {} });
    refuses(Kind::Service, deleter, "a service's attributes");
    let hook = quote!(impl S { #[on_connect] fn greet(&self) {} });
    refuses(Kind::Object, hook, "only a service has connections");
    let twice = quote!(impl S { #[exposed] #[getter] fn size(&self) -> u8 { 1 } });
    refuses(Kind::Service, twice, "one mark");
}

#[test]
fn a_method_that_no_peer_could_call_is_refused() {
    for (method, because) in [
        (
            quote!(
                fn f(&mut self) {}
            ),
            "several threads",
        ),
        (
            quote!(
                async fn f(&self) {}
            ),
            "blocking",
        ),
        (
            quote!(
                fn f<T>(&self, a: T) {}
            ),
            "generic",
        ),
    ] {
        let block = quote!(impl S { #[exposed] #method });
        refuses(Kind::Service, block, because);
    }
}

#[test]
fn a_trait_that_no_remote_object_could_have_is_refused() {
    for (entry, because) in [
        (
            quote!(
                fn f(&self);
            ),
            "can fail: give a Result",
        ),
        (
            quote!(
                fn f(&mut self) -> Result<()>;
            ),
            "its receiver is &self",
        ),
        (
            quote!(
                fn f() -> Result<()>;
            ),
            "its receiver is &self",
        ),
        (
            quote!(
                async fn f(&self) -> Result<()>;
            ),
            "async_...",
        ),
        (
            quote!(
                fn f<T>(&self, a: T) -> Result<()>;
            ),
            "can't be generic",
        ),
        (
            quote!(
                type T;
            ),
            "methods alone",
        ),
        (
            quote!(
                #[setter]
                fn set_size(&self) -> Result<()>;
            ),
            "the new value alone",
        ),
        (
            quote!(
                #[exposed]
                #[getter]
                fn size(&self) -> Result<()>;
            ),
            "one mark",
        ),
        (
            quote!(
                fn f(
                    &self,
                    #[rest]
                    #[keyword]
                    a: Vec<u8>,
                ) -> Result<()>;
            ),
            "a parameter is one of these",
        ),
    ] {
        let item = syn::parse2(quote!(trait T { #entry })).expect("a trait");
        let refused = client::expand(Name::default(), item).expect_err("it compiles");
        assert!(refused.to_string().contains(because), "{refused}");
    }
}

#[test]
fn an_exception_that_has_no_one_class_is_refused() {
    for (item, because) in [
        (
            quote!(
                enum E {
                    A,
                    B,
                }
            ),
            "a struct each",
        ),
        (
            quote!(
                struct E<T>(T);
            ),
            "isn't generic",
        ),
        (
            quote!(
                #[exception(name = "E")]
                struct E;
            ),
            "unknown option",
        ),
    ] {
        let item = syn::parse2(item).expect("an item");
        let refused = exception::expand(item).expect_err("it compiles");
        assert!(refused.to_string().contains(because), "{refused}");
    }
}

#[test]
fn a_raw_identifier_is_the_name_without_its_prefix() {
    let block = quote! {
        impl r#type {
            #[exposed]
            fn r#match(&self, r#in: i64) {}
            #[getter]
            fn r#move(&self) -> i64 { 1 }
        }
    };
    let block = syn::parse2(block).expect("an impl block");
    let made = expand(Kind::Service, TypeOptions::default(), block).expect("it compiles");
    let made = made.to_string();
    for text in ["\"type\"", "\"type.match\"", "\"in\"", "\"move\""] {
        assert!(made.contains(text), "{text}: {made}");
    }
    assert!(!made.contains("\"r#"), "{made}");
}
