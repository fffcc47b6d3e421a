//! Layouts: where in a packed row a value lies.
//!
//! Every page of a type may have another layout, so that one large value widens the page that it lies in and no other.
//! There are few distinct layouts, so a type keeps each once in a [`LayoutTable`] and pages name it by a number.

use crate::codec::{NULL_DOUBLE_BITS, NULL_FLOAT_BITS, bits};
use crate::schema::{FieldType, ObjectSchema, Schema};
use hashbrown::HashMap;
use std::sync::Arc;

/// What a slot of a row holds. The first eight are the field types, the others belong to collections and to
/// variable-length fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotKind {
    /// INT, LONG, REFERENCE: all ones are null.
    Number(FieldType),
    /// BOOLEAN, FLOAT, DOUBLE: of fixed width, with a null pattern of their own.
    Pattern(FieldType),
    /// STRING, BYTES: end offset in the bytes of the page, null in the top bit.
    Variable(FieldType),
    /// End pointer or size of a collection.
    Count,
}

impl SlotKind {
    pub(crate) fn of(field_type: FieldType) -> Self {
        match field_type {
            FieldType::Int | FieldType::Long | FieldType::Reference => Self::Number(field_type),
            FieldType::Boolean | FieldType::Float | FieldType::Double => Self::Pattern(field_type),
            FieldType::String | FieldType::Bytes => Self::Variable(field_type),
        }
    }

    fn field_type(self) -> Option<FieldType> {
        match self {
            Self::Number(field_type) | Self::Pattern(field_type) | Self::Variable(field_type) => {
                Some(field_type)
            }
            Self::Count => None,
        }
    }
}

/// The width of a field type whose width does not depend on values.
pub(crate) fn pattern_width(field_type: FieldType) -> u8 {
    match field_type {
        FieldType::Boolean => 2,
        FieldType::Float => 32,
        _ => 64,
    }
}

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Bits from the start of the row.
    pub(crate) offset: u32,
    /// Bits, 0 to 64.
    pub(crate) width: u8,
    /// Of collections there is none.
    pub(crate) field_type: Option<FieldType>,
    /// The stored value that is null, of those that are neither STRING nor BYTES; of numbers it is all ones.
    pub(crate) null: u64,
}

impl Slot {
    /// Whether the value is a STRING or BYTES.
    #[inline]
    pub(crate) fn is_variable(&self) -> bool {
        matches!(self.field_type, Some(FieldType::String | FieldType::Bytes))
    }
}

/// Where the values of a row lie, and how wide the elements behind the rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) slots: Box<[Slot]>,
    /// Sum of the widths; 64 rows take as many words.
    pub(crate) row_bits: u32,
    /// Of list elements; of set buckets; of keys and values in map buckets.
    pub(crate) elements: [u8; 2],
}

/// Slot of the end pointer in rows of collections.
pub(crate) const END: usize = 0;
/// Slot of the size in rows of sets and maps.
pub(crate) const SIZE: usize = 1;

impl Layout {
    /// A layout for `shape` with these widths: of each slot, then of the elements.
    pub(crate) fn new(shape: &Shape, widths: &[u8], elements: [u8; 2]) -> Self {
        let mut offset = 0;
        let slots = widths
            .iter()
            .enumerate()
            .map(|(index, &width)| {
                let kind = shape.kind(index);
                let slot = Slot {
                    offset,
                    width,
                    field_type: kind.field_type(),
                    null: match kind {
                        SlotKind::Pattern(FieldType::Float) => u64::from(NULL_FLOAT_BITS),
                        SlotKind::Pattern(FieldType::Double) => NULL_DOUBLE_BITS,
                        _ => bits::mask(u32::from(width)),
                    },
                };
                offset += u32::from(width);
                slot
            })
            .collect();
        Self {
            slots,
            row_bits: offset,
            elements,
        }
    }

    pub(crate) fn widths(&self) -> impl Iterator<Item = u8> + '_ {
        self.slots.iter().map(|slot| slot.width)
    }

    /// Bits of one bucket or element.
    #[inline]
    pub(crate) fn element_bits(&self) -> u32 {
        u32::from(self.elements[0]) + u32::from(self.elements[1])
    }

    fn key(&self) -> Box<[u8]> {
        self.widths().chain(self.elements).collect()
    }
}

/// The layouts in use in one type.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayoutTable {
    layouts: Vec<Layout>,
    by_widths: HashMap<Box<[u8]>, u32>,
}

impl LayoutTable {
    #[inline]
    pub(crate) fn get(&self, id: u32) -> &Layout {
        &self.layouts[id as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.layouts.len()
    }

    /// The number of a layout, a new one if it is not in use yet.
    pub(crate) fn intern(this: &mut Arc<Self>, layout: Layout) -> u32 {
        let key = layout.key();
        if let Some(&id) = this.by_widths.get(&key) {
            return id;
        }
        let table = Arc::make_mut(this);
        let id = table.layouts.len() as u32;
        table.layouts.push(layout);
        table.by_widths.insert(key, id);
        id
    }

    /// The largest width that any layout has, slot by slot.
    pub(crate) fn ceiling(&self) -> Option<Vec<u8>> {
        let mut layouts = self.layouts.iter();
        let mut widest: Vec<u8> = layouts.next()?.widths().collect();
        for layout in layouts {
            for (widest, width) in widest.iter_mut().zip(layout.widths()) {
                *widest = (*widest).max(width);
            }
        }
        Some(widest)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.layouts
            .iter()
            .map(|layout| {
                size_of::<Layout>() + layout.slots.len() * (size_of::<Slot>() + 1) + 2 + 48
            })
            .sum()
    }
}

/// What follows from the schema of a type alone.
#[derive(Debug)]
pub(crate) enum Shape {
    Object(ObjectShape),
    List,
    Set,
    Map,
}

/// The fields of an OBJECT type, seen from storage.
#[derive(Debug)]
pub(crate) struct ObjectShape {
    /// The schema itself, so that a look-up finds both behind one pointer.
    pub(crate) schema: ObjectSchema,
    pub(crate) kinds: Box<[SlotKind]>,
    /// Indexes of the STRING and BYTES fields, ascending.
    pub(crate) variable: Box<[u32]>,
    /// For each field, the index of the variable-length field before it, or [`NONE`].
    pub(crate) before: Box<[u32]>,
    /// The last variable-length field, or [`NONE`].
    pub(crate) last: u32,
    /// Field indexes in the order of their names.
    pub(crate) by_name: Box<[u32]>,
}

/// No field.
pub(crate) const NONE: u32 = u32::MAX;

impl Shape {
    pub(crate) fn of(schema: &Schema) -> Self {
        match schema {
            Schema::List(_) => Self::List,
            Schema::Set(_) => Self::Set,
            Schema::Map(_) => Self::Map,
            Schema::Object(object) => {
                let kinds: Box<[SlotKind]> = object
                    .fields
                    .iter()
                    .map(|field| SlotKind::of(field.field_type))
                    .collect();
                let mut variable = Vec::new();
                let mut last = NONE;
                let before = kinds
                    .iter()
                    .enumerate()
                    .map(|(index, kind)| {
                        let before = last;
                        if matches!(kind, SlotKind::Variable(_)) {
                            last = index as u32;
                            variable.push(last);
                        }
                        before
                    })
                    .collect();
                let mut by_name: Box<[u32]> = (0..kinds.len() as u32).collect();
                by_name.sort_by(|&a, &b| {
                    let name = |index: u32| object.fields[index as usize].name.encode_utf16();
                    name(a).cmp(name(b))
                });
                Self::Object(ObjectShape {
                    schema: object.clone(),
                    kinds,
                    variable: variable.into(),
                    before,
                    last,
                    by_name,
                })
            }
        }
    }

    /// Whether rows have end offsets, so that a row's values start where those of the row before end.
    pub(crate) fn has_ends(&self) -> bool {
        match self {
            Self::Object(object) => object.last != NONE,
            _ => true,
        }
    }

    fn kind(&self, slot: usize) -> SlotKind {
        match self {
            Self::Object(object) => object.kinds[slot],
            _ => SlotKind::Count,
        }
    }
}
