//! What stands on the items: marks, and options in parentheses.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Token};

type Metas = Punctuated<Meta, Token![,]>;

/// What stands in the parentheses of an attribute.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) module: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
}

/// Reads an attribute's options, of which it knows these.
pub(crate) fn options(known: &[&str]) -> impl FnOnce(ParseStream<'_>) -> syn::Result<Options> {
    move |input| {
        let mut options = Options::default();
        for meta in Metas::parse_terminated(input)? {
            match known.iter().find(|one| meta.path().is_ident(one)) {
                Some(&"name" | &"class") => options.name = Some(text(&meta)?),
                Some(&"module") => options.module = Some(text(&meta)?),
                Some(_) => {
                    let names = Punctuated::<LitStr, Token![,]>::parse_terminated;
                    let names = meta.require_list()?.parse_args_with(names)?;
                    options.aliases = names.into_iter().collect();
                }
                None => {
                    let why = format!("unknown option; known: {}", known.join(", "));
                    return refuse(meta, &why);
                }
            }
        }
        Ok(options)
    }
}

/// The word of a mark on a method or a parameter, and the attribute.
pub(crate) type Mark = (&'static str, Attribute);

/// Takes the mark off something that has one of these at the most; `only_one` says so.
pub(crate) fn take_mark(
    attributes: &mut Vec<Attribute>,
    known: &[&'static str],
    only_one: &str,
) -> syn::Result<Option<Mark>> {
    let mut found = None;
    for attribute in std::mem::take(attributes) {
        match known.iter().find(|one| attribute.path().is_ident(one)) {
            None => attributes.push(attribute),
            Some(_) if found.is_some() => {
                return refuse(attribute, &format!("{only_one}: {}", known.join(", ")));
            }
            Some(word) => found = Some((*word, attribute)),
        }
    }
    Ok(found)
}

/// The name that a method's mark gives it at the peer; else its own, less what says what it does.
pub(crate) fn name_of((word, attribute): &Mark, method: &Ident) -> syn::Result<String> {
    if !matches!(attribute.meta, Meta::Path(_))
        && let Some(name) = attribute.parse_args_with(options(&["name"]))?.name
    {
        return Ok(name.value());
    }
    let own = method.unraw().to_string();
    let prefix = match *word {
        "setter" => "set_",
        "deleter" => "delete_",
        _ => "",
    };
    Ok(own.strip_prefix(prefix).unwrap_or(&own).to_owned())
}

/// The docstring that the doc comments of something are.
pub(crate) fn doc_of(attributes: &[Attribute]) -> Option<String> {
    let docs = attributes.iter().filter(|one| one.path().is_ident("doc"));
    let lines = docs.filter_map(|doc| {
        let line = text(&doc.meta).ok()?.value();
        Some(line.strip_prefix(' ').unwrap_or(&line).to_owned())
    });
    let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn text(meta: &Meta) -> syn::Result<LitStr> {
    match &meta.require_name_value()?.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.clone()),
        other => refuse(other, "a string literal is expected"),
    }
}

/// Refuses what stands there, and says why.
pub(crate) fn refuse<T>(at: impl ToTokens, why: &str) -> syn::Result<T> {
    Err(syn::Error::new_spanned(at, why))
}
