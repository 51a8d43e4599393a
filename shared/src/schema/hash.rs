//! Names for a schema: 128 bits for the whole, 32 bits for each kind and field.
//!
//! Both hash the readable description, so two schemas differ in their hash exactly when they differ in what
//! [`Schema::describe`] prints.

use super::kind::{FieldClass, KindSchema, Schema};

impl Schema {
    /// One line per kind and field, in schema order.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![format!("game {} revision {}", self.game, self.revision)];
        for kind in &self.kinds {
            describe_kind("kind", kind, &mut lines);
        }
        describe_kind("private", &self.private, &mut lines);
        lines
    }

    /// 128-bit FNV-1a of the description: equal schemas, and only those, speak to each other.
    #[must_use]
    pub fn hash(&self) -> u128 {
        let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
        for byte in self.describe().iter().flat_map(|line| line.bytes().chain([b'\n'])) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B);
        }
        hash
    }

    /// 32-bit FNV-1a of every line of the description.
    #[must_use]
    pub fn part_hashes(&self) -> Vec<u32> {
        self.describe()
            .iter()
            .map(|line| {
                line.bytes()
                    .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
            })
            .collect()
    }
}

fn describe_kind(role: &str, kind: &KindSchema, lines: &mut Vec<String>) {
    lines.push(format!("{role} {}", kind.name));
    for field in &kind.fields {
        let class = describe_class(field.class);
        let audience = format!("{:?}", field.audience).to_lowercase();
        lines.push(format!("{role} {}.{} {class} {audience}", kind.name, field.name));
    }
}

fn describe_class(class: FieldClass) -> String {
    match class {
        FieldClass::Position { dims, quantum, min, max } => {
            format!("position{dims} quantum {quantum} range {min}..={max}")
        }
        FieldClass::Angle { bits } => format!("angle {bits} bits"),
        FieldClass::Rotation { bits } => format!("rotation {bits} bits"),
        FieldClass::Number { quantum, min, max } => format!("number quantum {quantum} range {min}..={max}"),
        FieldClass::Flags { bits } => format!("flags {bits} bits"),
        FieldClass::Opaque { bits } => format!("opaque {bits} bits"),
    }
}
