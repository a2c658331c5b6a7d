//! What doesn't compile says why.

use crate::expand::{Kind, expand};
use crate::options::Options;
use crate::{client, exception};

#[track_caller]
fn refuses(kind: Kind, block: &str, because: &str) {
    let item = syn::parse_str(block).expect("an impl block");
    let refused = expand(kind, Options::default(), item).expect_err(block);
    assert!(refused.to_string().contains(because), "{block}: {refused}");
}

#[test]
fn a_parameter_that_could_not_be_found_by_its_place_is_refused() {
    for (params, because) in [
        (
            "#[default] a: i64, b: i64",
            "no default and follows one that has",
        ),
        ("#[rest] a: Vec<i64>, b: i64", "only #[keywords] may follow"),
        (
            "#[rest] a: Vec<i64>, #[default] b: i64",
            "only #[keywords] may follow",
        ),
        (
            "#[keywords] a: HashMap<String, i64>, b: i64",
            "it is the last",
        ),
        (
            "#[default] #[rest] a: Vec<i64>",
            "a parameter is one of these",
        ),
        ("a: &mut i64", "the callee's own"),
        ("(a, b): (i64, i64)", "a plain name"),
    ] {
        let block = format!("impl S {{ #[exposed] fn f(&self, {params}) {{}} }}");
        refuses(Kind::Object, &block, because);
    }
}

#[test]
fn parameters_of_this_side_stand_anywhere() {
    let params = "#[default] a: i64, cx: &Context<'_>, #[rest] b: Vec<i64>, this: &Exposed<S>";
    let block = format!("impl S {{ #[exposed] fn f(&self, {params}) {{}} }}");
    let block = syn::parse_str(&block).expect("an impl block");
    assert!(expand(Kind::Object, Options::default(), block).is_ok());
}

#[test]
fn a_mark_without_effect_is_refused() {
    for (kind, method, because) in [
        (
            Kind::Service,
            "#[setter] fn set_size(&self, size: u8) {}",
            "a service's attributes",
        ),
        (
            Kind::Service,
            "#[deleter] fn delete_size(&self) {}",
            "a service's attributes",
        ),
        (
            Kind::Object,
            "#[on_connect] fn greet(&self) {}",
            "only a service has connections",
        ),
        (
            Kind::Service,
            "#[exposed] #[getter] fn size(&self) -> u8 { 1 }",
            "one mark",
        ),
        (
            Kind::Service,
            "#[exposed(size = \"x\")] fn size(&self) -> u8 { 1 }",
            "unknown option",
        ),
    ] {
        refuses(kind, &format!("impl S {{ {method} }}"), because);
    }
}

#[test]
fn a_method_that_no_peer_could_call_is_refused() {
    for (method, because) in [
        ("fn f(&mut self) {}", "several threads"),
        ("async fn f(&self) {}", "blocking"),
        ("fn f<T>(&self, a: T) {}", "generic"),
    ] {
        refuses(
            Kind::Service,
            &format!("impl S {{ #[exposed] {method} }}"),
            because,
        );
    }
}

#[test]
fn a_trait_that_no_remote_object_could_have_is_refused() {
    for (entry, because) in [
        ("fn f(&self);", "can fail: give a Result"),
        ("fn f(&mut self) -> Result<()>;", "its receiver is &self"),
        ("fn f() -> Result<()>;", "its receiver is &self"),
        ("async fn f(&self) -> Result<()>;", "async_..."),
        ("fn f<T>(&self, a: T) -> Result<()>;", "can't be generic"),
        ("type T;", "methods alone"),
        (
            "#[setter] fn set_size(&self) -> Result<()>;",
            "the new value alone",
        ),
        (
            "#[exposed] #[getter] fn size(&self) -> Result<()>;",
            "one mark",
        ),
        (
            "fn f(&self, #[rest] #[keyword] a: Vec<u8>) -> Result<()>;",
            "a parameter is one of these",
        ),
    ] {
        let item = syn::parse_str(&format!("trait T {{ {entry} }}")).expect("a trait");
        let refused = client::expand(Options::default(), item).expect_err(entry);
        assert!(refused.to_string().contains(because), "{entry}: {refused}");
    }
}

#[test]
fn an_exception_that_has_no_one_class_is_refused() {
    for (item, because) in [
        ("enum E { A, B }", "a struct each"),
        ("struct E<T>(T);", "isn't generic"),
        ("#[exception(name = \"E\")] struct E;", "unknown option"),
    ] {
        let parsed = syn::parse_str(item).expect("an item");
        let refused = exception::expand(parsed).expect_err(item);
        assert!(refused.to_string().contains(because), "{item}: {refused}");
    }
}

#[test]
fn a_raw_identifier_is_the_name_without_its_prefix() {
    let block = "impl r#type {
        #[exposed] fn r#match(&self, r#in: i64) {}
        #[getter] fn r#move(&self) -> i64 { 1 }
    }";
    let block = syn::parse_str(block).expect("an impl block");
    let made = expand(Kind::Service, Options::default(), block).expect("it compiles");
    let made = made.to_string();
    for text in ["\"type\"", "\"type.match\"", "\"in\"", "\"move\""] {
        assert!(made.contains(text), "{text}: {made}");
    }
    assert!(!made.contains("\"r#"), "{made}");
}
