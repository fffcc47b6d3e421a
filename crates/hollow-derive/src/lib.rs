//! `#[derive(HollowRecord)]`: Rust structs and enums as records of the `hollow` crate.
//!
//! The macro only puts together what depends on the names and types of fields; everything else is generic code in
//! `hollow::typed`, where the mapping and the attributes are described.

mod attributes;
mod enumeration;
mod record;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, Error, Fields, parse_macro_input};

/// Makes a struct with named fields a record type, and an enum of unit variants a field type. See `hollow::typed`.
#[proc_macro_derive(HollowRecord, attributes(hollow))]
pub fn derive_hollow_record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let expanded = match &input.data {
        _ if !input.generics.params.is_empty() => Err(Error::new_spanned(
            &input.generics,
            "a HollowRecord has no generic parameters",
        )),
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => record::expand(&input, fields),
            other => Err(Error::new_spanned(other, "a HollowRecord has named fields")),
        },
        Data::Enum(data) => enumeration::expand(&input, data),
        Data::Union(data) => Err(Error::new_spanned(
            data.union_token,
            "a union is no HollowRecord",
        )),
    };
    expanded.unwrap_or_else(Error::into_compile_error).into()
}
