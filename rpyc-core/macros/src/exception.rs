//! `#[derive(PythonException)]`: a Rust error as an exception of a Python class.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Field, Fields, Ident, Member, Type};

use crate::options::{Options, options, refuse};

/// One field, and whether it is an argument of the exception.
struct Part {
    member: Member,
    variable: Ident,
    // Its attribute; a field without a name has none.
    name: Option<String>,
    argument: bool,
    of: Type,
}

pub(crate) fn expand(input: DeriveInput) -> syn::Result<TokenStream> {
    let of = &input.ident;
    if !input.generics.params.is_empty() {
        return refuse(
            &input.generics,
            "a Python class isn't generic: derive it for a type without parameters",
        );
    }
    let Data::Struct(data) = input.data else {
        return refuse(
            of,
            "an exception has one class: derive it for a struct each, and gather them in an enum",
        );
    };
    let mut of_class = Options::default();
    for attribute in &input.attrs {
        if attribute.path().is_ident("exception") {
            of_class = attribute.parse_args_with(options(&["module", "class"]))?;
        }
    }
    let module = of_class.module;
    let module = module.map_or_else(|| quote!(::core::module_path!()), |module| quote!(#module));
    let class = of_class
        .name
        .map_or_else(|| of.unraw().to_string(), |class| class.value());
    let parts = parts(&data.fields);
    let to = to_exception(of, &parts);
    let from = from_exception(&parts);
    Ok(quote! {
        #[automatically_derived]
        impl ::rpyc_core::PythonException for #of {
            const MODULE: &'static str = #module;
            const CLASS: &'static str = #class;

            fn from_exception(
                exception: &::rpyc_core::Exception,
            ) -> ::core::option::Option<Self> {
                let _ = exception;
                #from
            }
        }

        #[automatically_derived]
        impl ::core::convert::From<#of> for ::rpyc_core::Exception {
            fn from(error: #of) -> ::rpyc_core::Exception {
                #to
            }
        }
    })
}

fn parts(fields: &Fields) -> Vec<Part> {
    let named = matches!(fields, Fields::Named(_));
    let fields = fields.iter().zip(fields.members()).enumerate();
    let part = |(index, (field, member)): (usize, (&Field, Member))| Part {
        member,
        variable: format_ident!("field_{index}"),
        name: field.ident.as_ref().map(|name| name.unraw().to_string()),
        argument: !named || field.attrs.iter().any(|one| one.path().is_ident("arg")),
        of: field.ty.clone(),
    };
    fields.map(part).collect()
}

fn to_exception(of: &Ident, parts: &[Part]) -> TokenStream {
    let lets = parts.iter().map(|part| {
        let Part {
            variable, member, ..
        } = part;
        quote!(let #variable = ::rpyc_core::object::plain_or_name(error.#member);)
    });
    let arguments = parts.iter().filter(|part| part.argument).map(|part| {
        let variable = &part.variable;
        quote!(.with_arg(#variable.clone()))
    });
    let arguments: Vec<TokenStream> = arguments.collect();
    let arguments = match arguments.is_empty() {
        true => quote!(.with_arg(text)),
        false => quote!(#(#arguments)*),
    };
    let attributes = parts.iter().filter_map(|part| {
        let (variable, name) = (&part.variable, part.name.as_ref()?);
        Some(quote!(.with_attr(#name, #variable)))
    });
    quote! {
        let text = ::std::string::ToString::to_string(&error);
        #(#lets)*
        let _ = &text;
        ::rpyc_core::Exception::new(
            <#of as ::rpyc_core::PythonException>::MODULE,
            <#of as ::rpyc_core::PythonException>::CLASS,
        )
        #arguments
        #(#attributes)*
    }
}

fn from_exception(parts: &[Part]) -> TokenStream {
    let mut arguments = 0_usize;
    let fields = parts.iter().map(|part| {
        let Part { member, of, .. } = part;
        let attribute = part.name.as_ref().map(|name| quote!(exception.attr(#name)));
        let found = match (part.argument, attribute) {
            (true, attribute) => {
                let index = arguments;
                arguments += 1;
                let or = attribute.map(|attribute| quote!(.or_else(|| #attribute)));
                quote!(exception.args().get(#index)#or)
            }
            (false, Some(attribute)) => attribute,
            (false, None) => quote!(::core::option::Option::None),
        };
        quote!(#member: ::rpyc_core::object::from_plain::<#of>(#found)?,)
    });
    let fields: Vec<TokenStream> = fields.collect();
    quote!(::core::option::Option::Some(Self { #(#fields)* }))
}
