//! What stands in the parentheses of the attributes.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Token};

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
        for meta in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
            if meta.path().is_ident("name") {
                options.name = Some(text(&meta)?);
            } else if meta.path().is_ident("module") {
                options.module = Some(text(&meta)?);
            } else if meta.path().is_ident("aliases") {
                let list = meta.require_list()?;
                let names =
                    list.parse_args_with(Punctuated::<LitStr, Token![,]>::parse_terminated)?;
                options.aliases = names.into_iter().collect();
            } else {
                return Err(syn::Error::new_spanned(
                    meta,
                    "unknown option: name, module and aliases are known",
                ));
            }
        }
        Ok(options)
    }
}

/// Of `#[client]`.
#[derive(Default)]
pub(crate) struct ClientOptions {
    pub(crate) name: Option<LitStr>,
}

impl Parse for ClientOptions {
    fn parse(input: ParseStream<'_>) -> syn::Result<ClientOptions> {
        let mut options = ClientOptions::default();
        for meta in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
            if !meta.path().is_ident("name") {
                return Err(syn::Error::new_spanned(
                    meta,
                    "unknown option: only name is known",
                ));
            }
            options.name = Some(text(&meta)?);
        }
        Ok(options)
    }
}

/// The `name = "..."` of a mark on a method.
pub(crate) fn name_of(mark: &Attribute) -> syn::Result<Option<LitStr>> {
    if matches!(mark.meta, Meta::Path(_)) {
        return Ok(None);
    }
    let meta: Meta = mark.parse_args()?;
    if meta.path().is_ident("name") {
        return text(&meta).map(Some);
    }
    Err(syn::Error::new_spanned(
        meta,
        "unknown option: only name is known",
    ))
}

/// The docstring that the doc comments of something are.
pub(crate) fn doc_of(attributes: &[Attribute]) -> Option<String> {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) = &pair.value
        {
            let line = line.value();
            lines.push(line.strip_prefix(' ').unwrap_or(&line).to_owned());
        }
    }
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn text(meta: &Meta) -> syn::Result<LitStr> {
    match &meta.require_name_value()?.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.clone()),
        other => Err(syn::Error::new_spanned(
            other,
            "a string literal is expected",
        )),
    }
}
