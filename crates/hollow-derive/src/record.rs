//! Structs: OBJECT types with a view, a writer and a binding of their own.

use crate::attributes::{FieldAttributes, TypeAttributes, camel_case};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DeriveInput, FieldsNamed, LitStr, Result};

pub(crate) fn expand(input: &DeriveInput, fields: &FieldsNamed) -> Result<TokenStream> {
    let name = &input.ident;
    let visibility = &input.vis;
    let attributes = TypeAttributes::parse(&input.attrs)?;
    let type_name = attributes
        .name
        .map_or_else(|| name.to_string(), |given| given.value());
    let primary_key = match attributes.key {
        Some(paths) => quote!(::core::option::Option::Some(
            ::std::vec![#(#paths.into()),*]
        )),
        None => quote!(::core::option::Option::None),
    };
    let view = format_ident!("{name}View");
    let writer = format_ident!("__{name}Writer");
    let binding = format_ident!("__{name}Binding");

    let mut idents = Vec::new();
    let mut types = Vec::new();
    let mut names = Vec::new();
    let mut options = Vec::new();
    let mut docs = Vec::new();
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let attributes = FieldAttributes::parse(&field.attrs, false)?;
        names.push(
            attributes
                .name
                .as_ref()
                .map_or_else(|| camel_case(&ident.to_string()), LitStr::value),
        );
        options.push(options_of(&attributes));
        let given: Vec<_> = field
            .attrs
            .iter()
            .filter(|attribute| attribute.path().is_ident("doc"))
            .collect();
        docs.push(match given.is_empty() {
            true => {
                let text = format!("Field `{ident}`; `None` for null.");
                quote!(#[doc = #text])
            }
            false => quote!(#(#given)*),
        });
        idents.push(ident);
        types.push(&field.ty);
    }
    let positions: Vec<usize> = (0..idents.len()).collect();
    let count = idents.len();
    let view_doc = format!("A [`{name}`] as it lies in a state.");
    let as_field = as_field(input, &writer, &view);

    Ok(quote! {
        #[doc = #view_doc]
        #[derive(Clone, Copy)]
        #visibility struct #view<'a> {
            record: ::hollow::read::ObjectView<'a>,
            ordinal: ::hollow::Ordinal,
            binding: &'a #binding,
        }

        #[allow(dead_code, clippy::needless_lifetimes, reason = "generated: a program uses the accessors it needs")]
        impl<'a> #view<'a> {
            /// The record's ordinal.
            #visibility fn ordinal(&self) -> ::hollow::Ordinal {
                self.ordinal
            }

            /// The record, for access by field position.
            #visibility fn record(&self) -> ::hollow::read::ObjectView<'a> {
                self.record
            }

            #(
                #docs
                #[inline]
                #visibility fn #idents(
                    &self,
                ) -> ::core::option::Option<<#types as ::hollow::typed::HollowField>::View<'a>> {
                    <#types as ::hollow::typed::HollowField>::get(
                        &self.binding.#idents,
                        &self.record,
                        self.binding.__positions[#positions],
                    )
                }
            )*
        }

        impl ::core::fmt::Debug for #view<'_> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(&self.record, f)
            }
        }

        #[doc(hidden)]
        #[allow(non_camel_case_types, reason = "generated")]
        #[derive(Default)]
        #visibility struct #writer {
            __type_id: ::core::option::Option<::hollow::write::TypeId>,
            __record: ::core::option::Option<::hollow::record::ObjectRecord>,
            #(#idents: <#types as ::hollow::typed::HollowField>::Writer,)*
        }

        #[doc(hidden)]
        #[allow(non_camel_case_types, reason = "generated")]
        #visibility struct #binding {
            __records: ::core::option::Option<::hollow::read::TypeState>,
            __positions: [usize; #count],
            #(#idents: <#types as ::hollow::typed::HollowField>::Binding,)*
        }

        #[automatically_derived]
        impl #name {
            const __HOLLOW_OPTIONS: [::hollow::typed::FieldOptions; #count] = [#(#options),*];
        }

        #[automatically_derived]
        impl ::hollow::typed::HollowRecord for #name {
            type Writer = #writer;
            type Binding = #binding;
            type View<'a> = #view<'a>;

            fn type_name() -> ::std::string::String {
                #type_name.into()
            }

            fn register(schemas: &mut ::hollow::typed::SchemaSet) {
                if !schemas.start::<Self>(#type_name) {
                    return;
                }
                let fields = ::std::vec![#({
                    let (field_type, referenced_type) = <#types as ::hollow::typed::HollowField>::field_type(
                        &Self::__HOLLOW_OPTIONS[#positions],
                        schemas,
                    );
                    ::hollow::schema::Field { name: #names.into(), field_type, referenced_type }
                }),*];
                schemas.push(::hollow::schema::Schema::Object(::hollow::schema::ObjectSchema {
                    name: #type_name.into(),
                    primary_key: #primary_key,
                    fields,
                }));
            }

            fn record<'w>(
                &self,
                writer: &'w mut #writer,
                state: &mut ::hollow::write::WriteState,
            ) -> ::hollow::Result<(::hollow::write::TypeId, &'w [u8])> {
                let type_id = ::hollow::typed::type_id_of::<Self>(&mut writer.__type_id, state)?;
                let record = match &mut writer.__record {
                    ::core::option::Option::Some(record) => record,
                    empty => empty.insert(::hollow::typed::record_of::<Self>(
                        type_id,
                        state,
                        &[#(#names),*],
                    )?),
                };
                record.reset();
                #(<#types as ::hollow::typed::HollowField>::set(
                    &self.#idents,
                    &Self::__HOLLOW_OPTIONS[#positions],
                    record,
                    #positions,
                    &mut writer.#idents,
                    state,
                )?;)*
                ::core::result::Result::Ok((type_id, record.bytes()))
            }

            fn bind(state: &::hollow::read::ReadState) -> #binding {
                let records = state.type_state(#type_name).cloned();
                let position = |name: &str| {
                    records
                        .as_ref()
                        .and_then(|records| records.schema().as_object()?.field_index(name))
                        .unwrap_or(usize::MAX)
                };
                #binding {
                    __positions: [#(position(#names)),*],
                    #(#idents: <#types as ::hollow::typed::HollowField>::bind(
                        &Self::__HOLLOW_OPTIONS[#positions],
                        state,
                    ),)*
                    __records: records,
                }
            }

            fn records(binding: &#binding) -> ::core::option::Option<&::hollow::read::TypeState> {
                binding.__records.as_ref()
            }

            #[inline]
            fn view(binding: &#binding, ordinal: ::hollow::Ordinal) -> ::core::option::Option<#view<'_>> {
                let record = binding.__records.as_ref()?.object(ordinal)?;
                ::core::option::Option::Some(#view { record, ordinal, binding })
            }

            fn read(binding: &#binding, ordinal: ::hollow::Ordinal) -> ::hollow::Result<Self> {
                let record = binding
                    .__records
                    .as_ref()
                    .and_then(|records| records.object(ordinal))
                    .ok_or_else(|| ::hollow::typed::missing(#type_name, &::std::format!("(ordinal {ordinal})")))?;
                let _ = &record;
                ::core::result::Result::Ok(Self {
                    #(#idents: ::hollow::typed::required(
                        <#types as ::hollow::typed::HollowField>::read(
                            &binding.#idents,
                            &record,
                            binding.__positions[#positions],
                        )?,
                        #type_name,
                        #names,
                    )?,)*
                })
            }
        }

        #as_field
    })
}

/// The struct as a field of another one: a reference.
fn as_field(input: &DeriveInput, writer: &syn::Ident, view: &syn::Ident) -> TokenStream {
    let name = &input.ident;
    quote! {
        #[automatically_derived]
        impl ::hollow::typed::HollowField for #name {
            type Writer = ::core::option::Option<::std::boxed::Box<#writer>>;
            type Binding = ::hollow::typed::Lazy<Self>;
            type View<'a> = #view<'a>;

            fn field_type(
                _: &::hollow::typed::FieldOptions,
                schemas: &mut ::hollow::typed::SchemaSet,
            ) -> (::hollow::schema::FieldType, ::core::option::Option<::std::string::String>) {
                <Self as ::hollow::typed::HollowRecord>::register(schemas);
                let name = <Self as ::hollow::typed::HollowRecord>::type_name();
                (::hollow::schema::FieldType::Reference, ::core::option::Option::Some(name))
            }

            fn set(
                &self,
                _: &::hollow::typed::FieldOptions,
                record: &mut ::hollow::record::ObjectRecord,
                field: usize,
                writer: &mut Self::Writer,
                state: &mut ::hollow::write::WriteState,
            ) -> ::hollow::Result<()> {
                let writer = writer.get_or_insert_default();
                let ordinal = ::hollow::typed::HollowRecord::add(self, writer, state)?;
                record.set_reference(field, ordinal);
                ::core::result::Result::Ok(())
            }

            fn bind(
                _: &::hollow::typed::FieldOptions,
                state: &::hollow::read::ReadState,
            ) -> ::hollow::typed::Lazy<Self> {
                ::hollow::typed::Lazy::new(state)
            }

            #[inline]
            fn get<'a>(
                binding: &'a ::hollow::typed::Lazy<Self>,
                record: &::hollow::read::ObjectView<'a>,
                field: usize,
            ) -> ::core::option::Option<#view<'a>> {
                <Self as ::hollow::typed::HollowRecord>::view(binding.get(), record.reference(field)?)
            }

            fn read(
                binding: &::hollow::typed::Lazy<Self>,
                record: &::hollow::read::ObjectView<'_>,
                field: usize,
            ) -> ::hollow::Result<::core::option::Option<Self>> {
                match record.reference(field) {
                    ::core::option::Option::Some(ordinal) => {
                        <Self as ::hollow::typed::HollowRecord>::read(binding.get(), ordinal)
                            .map(::core::option::Option::Some)
                    }
                    ::core::option::Option::None => ::core::result::Result::Ok(::core::option::Option::None),
                }
            }
        }
    }
}

fn options_of(attributes: &FieldAttributes) -> TokenStream {
    let shared = attributes.shared;
    let type_name = match &attributes.type_name {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let hash_key = match &attributes.hash_key {
        Some(paths) => quote!(::core::option::Option::Some(&[#(#paths),*])),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        ::hollow::typed::FieldOptions { shared: #shared, type_name: #type_name, hash_key: #hash_key }
    }
}
