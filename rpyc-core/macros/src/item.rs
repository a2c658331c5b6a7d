//! The marks on the methods of a block, taken off them.

use syn::{Attribute, ImplItemFn, LitStr};

use crate::options::name_of;

/// What a method is marked as.
pub(crate) enum Mark {
    BeforeClosed,
    Configure,
    Deleter(Option<LitStr>),
    Exposed(Option<LitStr>),
    Getter(Option<LitStr>),
    OnConnect,
    OnDisconnect,
    Setter(Option<LitStr>),
}

/// Takes the mark off a method, if it has one.
pub(crate) fn take_mark(function: &mut ImplItemFn) -> syn::Result<Option<Mark>> {
    let mut found = None;
    let mut kept = Vec::new();
    for attribute in std::mem::take(&mut function.attrs) {
        match mark_of(&attribute)? {
            None => kept.push(attribute),
            Some(_) if found.is_some() => {
                return Err(syn::Error::new_spanned(
                    attribute,
                    "a method has one mark: exposed, getter, setter, deleter, configure, \
                     on_connect, before_closed or on_disconnect",
                ));
            }
            mark => found = mark,
        }
    }
    function.attrs = kept;
    Ok(found)
}

fn mark_of(attribute: &Attribute) -> syn::Result<Option<Mark>> {
    let Some(name) = attribute.path().get_ident() else {
        return Ok(None);
    };
    let mark = match name.to_string().as_str() {
        "before_closed" => Mark::BeforeClosed,
        "configure" => Mark::Configure,
        "deleter" => Mark::Deleter(name_of(attribute)?),
        "exposed" => Mark::Exposed(name_of(attribute)?),
        "getter" => Mark::Getter(name_of(attribute)?),
        "on_connect" => Mark::OnConnect,
        "on_disconnect" => Mark::OnDisconnect,
        "setter" => Mark::Setter(name_of(attribute)?),
        _ => return Ok(None),
    };
    Ok(Some(mark))
}
