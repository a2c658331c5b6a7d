//! What stands on the items: marks, and options in parentheses.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Token};

type Metas = Punctuated<Meta, Token![,]>;

/// Of the attribute on the block.
#[derive(Default)]
pub(crate) struct TypeOptions {
    pub(crate) name: Option<LitStr>,
    pub(crate) module: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
}

impl Parse for TypeOptions {
    fn parse(input: ParseStream<'_>) -> syn::Result<TypeOptions> {
        let mut options = TypeOptions::default();
        for (name, meta) in known(input, &["name", "module", "aliases"])? {
            match name {
                "name" => options.name = Some(text(&meta)?),
                "module" => options.module = Some(text(&meta)?),
                _ => {
                    let names = meta
                        .require_list()?
                        .parse_args_with(Punctuated::<LitStr, Token![,]>::parse_terminated)?;
                    options.aliases = names.into_iter().collect();
                }
            }
        }
        Ok(options)
    }
}

/// Of `#[client]`, and of a mark on a method.
#[derive(Default)]
pub(crate) struct Name(pub(crate) Option<LitStr>);

impl Parse for Name {
    fn parse(input: ParseStream<'_>) -> syn::Result<Name> {
        let last = known(input, &["name"])?.pop();
        last.map(|(_, meta)| text(&meta)).transpose().map(Name)
    }
}

/// Of `#[exception(..)]`.
#[derive(Default)]
pub(crate) struct ExceptionOptions {
    pub(crate) module: Option<LitStr>,
    pub(crate) class: Option<LitStr>,
}

impl Parse for ExceptionOptions {
    fn parse(input: ParseStream<'_>) -> syn::Result<ExceptionOptions> {
        let mut options = ExceptionOptions::default();
        for (name, meta) in known(input, &["module", "class"])? {
            let option = match name {
                "module" => &mut options.module,
                _ => &mut options.class,
            };
            *option = Some(text(&meta)?);
        }
        Ok(options)
    }
}

/// The options that stand there, if all are among those that are known.
fn known(input: ParseStream<'_>, known: &[&'static str]) -> syn::Result<Vec<(&'static str, Meta)>> {
    let named = |meta: Meta| match known.iter().find(|one| meta.path().is_ident(one)) {
        Some(name) => Ok((*name, meta)),
        None => refuse(
            meta,
            &format!("unknown option; known: {}", known.join(", ")),
        ),
    };
    Metas::parse_terminated(input)?
        .into_iter()
        .map(named)
        .collect()
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
        && let Name(Some(name)) = attribute.parse_args()?
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
