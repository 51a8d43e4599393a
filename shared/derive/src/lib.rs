//! `#[derive(Replicate)]` for a struct that is replicated and `#[derive(ReplicateKinds)]` for the enum of them.
//!
//! ```text
//! #[derive(Replicate)]
//! struct Tank {
//!     #[replicate(position, min = -500.0, max = 500.0, quantum = 0.01)] position: Vec2,   // or Vec3
//!     #[replicate(angle, bits = 10)]                                    turret: f32,      // radians
//!     #[replicate(rotation, bits = 11)]                                 hull: Quat,
//!     #[replicate(number, min = 0, max = 100)]                          hp: u8,           // quantum = 1
//!     #[replicate(flags, bits = 3)]                                     lights: u8,       // or bool
//!     #[replicate(opaque, bits = 24, audience = "team")]                marker: u32,
//!     #[replicate(number, min = 0, max = 99, audience = "owner")]       shells: u8,
//!     #[replicate(skip)]                                                plan: Plan,       // Default on restore
//! }
//! ```

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Expr, Field, Fields, LitStr, Result, parse_macro_input};

/// Derives `tickwire_shared::Replicate`. Every field says its class, or `skip`.
#[proc_macro_derive(Replicate, attributes(replicate))]
pub fn derive_replicate(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    replicate(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Derives `tickwire_shared::ReplicateKinds` for an enum whose variants hold one replicated struct each.
#[proc_macro_derive(ReplicateKinds)]
pub fn derive_replicate_kinds(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    replicate_kinds(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn replicate(input: &DeriveInput) -> Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            input.span(),
            "Replicate is for structs; an enum of them takes ReplicateKinds",
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(input.span(), "Replicate needs named fields: their names are in the schema"));
    };
    let name = &input.ident;
    let label = name.to_string();
    let (mut schemas, mut captures, mut restores) = (Vec::new(), Vec::new(), Vec::new());
    for field in &fields.named {
        let ident = &field.ident;
        let options = Options::of(field)?;
        if options.class == "skip" {
            restores.push(quote! { #ident: ::core::default::Default::default() });
            continue;
        }
        let code = options.code(field)?;
        let (schema, capture, restore, columns) = (code.schema, code.capture, code.restore, code.columns);
        schemas.push(schema);
        captures.push(quote! {
            let (here, rest) = rest.split_at_mut(#columns);
            #capture
        });
        restores.push(quote! { #ident: {
            let here = &columns[at..at + #columns];
            at += #columns;
            #restore
        } });
    }
    let (generics, types, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::tickwire_shared::schema::Replicate for #name #types #bounds {
            fn kind_schema() -> ::tickwire_shared::schema::KindSchema {
                ::tickwire_shared::schema::KindSchema {
                    name: ::std::string::String::from(#label),
                    fields: ::std::vec![#(#schemas),*],
                }
            }

            #[allow(unused_variables)]
            fn capture(&self, columns: &mut [i32]) {
                let rest = columns;
                #(#captures)*
            }

            #[allow(unused_mut, unused_assignments, unused_variables)]
            fn restore(columns: &[i32]) -> Self {
                let mut at = 0;
                Self { #(#restores),* }
            }

            #[allow(unused_mut, unused_assignments, unused_variables)]
            fn restore_between(columns: &[f64]) -> Self {
                let mut at = 0;
                Self { #(#restores),* }
            }
        }
    })
}

/// What one `#[replicate(…)]` says.
struct Options {
    class: String,
    span: proc_macro2::Span,
    min: Option<Expr>,
    max: Option<Expr>,
    quantum: Option<Expr>,
    bits: Option<Expr>,
    audience: Tokens,
}

/// What is generated for one field.
struct FieldCode {
    schema: Tokens,
    capture: Tokens,
    restore: Tokens,
    columns: Tokens,
}

impl Options {
    fn of(field: &Field) -> Result<Self> {
        let mut attributes = field.attrs.iter().filter(|attribute| attribute.path().is_ident("replicate"));
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
            return Err(Error::new(
                field.span(),
                "say once how this field is replicated: #[replicate(position | angle | rotation | number | \
                 flags | opaque, …)], or #[replicate(skip)]",
            ));
        };
        Self::parse(attribute)
    }

    fn parse(attribute: &Attribute) -> Result<Self> {
        let mut options = Self {
            class: String::new(),
            span: attribute.span(),
            min: None,
            max: None,
            quantum: None,
            bits: None,
            audience: quote! { All },
        };
        attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            match key.as_str() {
                "min" => options.min = Some(meta.value()?.parse()?),
                "max" => options.max = Some(meta.value()?.parse()?),
                "quantum" => options.quantum = Some(meta.value()?.parse()?),
                "bits" => options.bits = Some(meta.value()?.parse()?),
                "audience" => {
                    let value: LitStr = meta.value()?.parse()?;
                    options.audience = match value.value().as_str() {
                        "all" => quote! { All },
                        "team" => quote! { Team },
                        "owner" => quote! { Owner },
                        _ => return Err(Error::new(value.span(), "an audience is all, team or owner")),
                    };
                }
                "position" | "angle" | "rotation" | "number" | "flags" | "opaque" | "skip"
                    if options.class.is_empty() =>
                {
                    options.class = key;
                }
                _ => return Err(meta.error("unknown or second class, or unknown option")),
            }
            Ok(())
        })?;
        if options.class.is_empty() {
            return Err(Error::new(options.span, "the class is missing: position, angle, number, …"));
        }
        Ok(options)
    }

    fn need<'a>(&self, option: &'a Option<Expr>, name: &str) -> Result<&'a Expr> {
        option.as_ref().ok_or_else(|| Error::new(self.span, format!("{} needs `{name} = …`", self.class)))
    }

    fn code(&self, field: &Field) -> Result<FieldCode> {
        let (ident, kind) = (&field.ident, &field.ty);
        let name = ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let audience = &self.audience;
        let quantize = quote! { ::tickwire_shared::wire::quantize };
        let (class, capture, restore, columns) = match self.class.as_str() {
            "position" => {
                let quantum = self.need(&self.quantum, "quantum")?;
                let (min, max) = self.range(quantum)?;
                let dims = quote! { <#kind as #quantize::PositionValue>::DIMS };
                (
                    quote! { Position { dims: #dims, quantum: #quantum, min: #min, max: #max } },
                    quote! { #quantize::capture_position(self.#ident, #quantum, #min, #max, here); },
                    quote! { #quantize::restore_position(here, #quantum) },
                    quote! { #dims as usize },
                )
            }
            "number" => {
                let one: Expr = syn::parse_quote! { 1.0 };
                let quantum = self.quantum.as_ref().unwrap_or(&one);
                let (min, max) = self.range(quantum)?;
                (
                    quote! { Number { quantum: #quantum, min: #min, max: #max } },
                    quote! { here[0] = #quantize::capture_number(self.#ident, #quantum, #min, #max); },
                    quote! { #quantize::restore_number(here[0], #quantum) },
                    quote! { 1_usize },
                )
            }
            "angle" => {
                let bits = self.need(&self.bits, "bits")?;
                (
                    quote! { Angle { bits: #bits } },
                    quote! { here[0] = #quantize::capture_angle(self.#ident, #bits); },
                    quote! { #quantize::restore_angle(here[0], #bits) },
                    quote! { 1_usize },
                )
            }
            "rotation" => {
                let bits = self.need(&self.bits, "bits")?;
                (
                    quote! { Rotation { bits: #bits } },
                    quote! { #quantize::capture_rotation(self.#ident, #bits, here); },
                    quote! { #quantize::restore_rotation(here, #bits) },
                    quote! { 4_usize },
                )
            }
            other => {
                let bits = self.need(&self.bits, "bits")?;
                let class = if other == "flags" {
                    quote! { Flags }
                } else {
                    quote! { Opaque }
                };
                (
                    quote! { #class { bits: #bits } },
                    quote! { here[0] = #quantize::capture_bits(self.#ident, #bits); },
                    quote! { #quantize::restore_bits(here[0]) },
                    quote! { 1_usize },
                )
            }
        };
        let schema = quote! {
            ::tickwire_shared::schema::FieldSchema {
                name: ::std::string::String::from(#name),
                class: ::tickwire_shared::schema::FieldClass::#class,
                audience: ::tickwire_shared::schema::Audience::#audience,
            }
        };
        Ok(FieldCode { schema, capture, restore, columns })
    }

    /// The range in quanta. The bounds are the largest that a quantized value may take.
    fn range(&self, quantum: &Expr) -> Result<(Tokens, Tokens)> {
        let bound = |value: &Expr, limit: Tokens| {
            quote! { ::tickwire_shared::wire::quantize::to_quanta((#value) as f64, #quantum, #limit, -(#limit)) }
        };
        let limit = quote! { -(1 << 30) };
        Ok((bound(self.need(&self.min, "min")?, limit.clone()), bound(self.need(&self.max, "max")?, limit)))
    }
}

fn replicate_kinds(input: &DeriveInput) -> Result<Tokens> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new(input.span(), "ReplicateKinds is for an enum; a struct takes Replicate"));
    };
    let mut variants = Vec::new();
    for variant in &data.variants {
        match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                variants.push((&variant.ident, &fields.unnamed[0].ty));
            }
            _ => return Err(Error::new(variant.span(), "a variant holds one replicated struct: Tank(Tank)")),
        }
    }
    let name = &input.ident;
    let idents: Vec<_> = variants.iter().map(|(ident, _)| ident).collect();
    let types: Vec<_> = variants.iter().map(|(_, kind)| kind).collect();
    let indices = 0..idents.len() as u8;
    let places: Vec<_> = indices.collect();
    Ok(quote! {
        #[automatically_derived]
        impl ::tickwire_shared::schema::ReplicateKinds for #name {
            fn kind_schemas() -> ::std::vec::Vec<::tickwire_shared::schema::KindSchema> {
                ::std::vec![#(<#types as ::tickwire_shared::schema::Replicate>::kind_schema()),*]
            }

            fn kind(&self) -> ::tickwire_shared::KindId {
                match self {
                    #(Self::#idents(_) => ::tickwire_shared::KindId(#places)),*
                }
            }

            fn capture(&self, columns: &mut [i32]) {
                match self {
                    #(Self::#idents(inner) => ::tickwire_shared::schema::Replicate::capture(inner, columns)),*
                }
            }

            fn restore(kind: ::tickwire_shared::KindId, columns: &[i32]) -> ::core::option::Option<Self> {
                match kind.0 {
                    #(#places => Some(Self::#idents(::tickwire_shared::schema::Replicate::restore(columns))),)*
                    _ => None,
                }
            }

            fn restore_between(
                kind: ::tickwire_shared::KindId,
                columns: &[f64],
            ) -> ::core::option::Option<Self> {
                match kind.0 {
                    #(#places => {
                        Some(Self::#idents(::tickwire_shared::schema::Replicate::restore_between(columns)))
                    })*
                    _ => None,
                }
            }
        }
    })
}
