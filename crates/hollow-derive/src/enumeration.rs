//! Enums of unit variants: scalars, stored by name.

use crate::attributes::{FieldAttributes, TypeAttributes};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Error, Fields, Result};

pub(crate) fn expand(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let name = &input.ident;
    let attributes = TypeAttributes::parse(&input.attrs)?;
    if attributes.key.is_some() {
        return Err(Error::new_spanned(name, "an enum has no key"));
    }
    let type_name = attributes
        .name
        .map_or_else(|| name.to_string(), |given| given.value());
    let mut variants = Vec::new();
    let mut names = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(
                variant,
                "only enums of unit variants are HollowRecords",
            ));
        }
        let attributes = FieldAttributes::parse(&variant.attrs, true)?;
        variants.push(&variant.ident);
        names.push(
            attributes
                .name
                .map_or_else(|| variant.ident.to_string(), |given| given.value()),
        );
    }
    if variants.is_empty() {
        return Err(Error::new_spanned(
            name,
            "an enum without variants has no values",
        ));
    }
    Ok(quote! {
        #[automatically_derived]
        impl ::hollow::typed::Scalar for #name {
            type View<'a> = Self;
            const FIELD: ::hollow::schema::FieldType = ::hollow::schema::FieldType::String;
            const BOXED: &'static str = #type_name;
            const BOXED_FIELD: &'static str = "_name";

            fn put(&self, record: &mut ::hollow::record::ObjectRecord, field: usize) {
                record.set_str(field, match self {
                    #(Self::#variants => #names,)*
                });
            }

            fn look<'a>(record: &::hollow::read::ObjectView<'a>, field: usize) -> ::core::option::Option<Self> {
                let stored = record.string(field)?;
                #(if stored == #names {
                    return ::core::option::Option::Some(Self::#variants);
                })*
                ::core::option::Option::None
            }

            fn own(view: Self) -> Self {
                view
            }
        }
    })
}
