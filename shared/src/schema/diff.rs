//! What changed between two schemas, in words for whoever has to update a client.

use super::kind::{KindSchema, Schema};

/// One difference. Every one of them breaks clients of the other schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The kind or `Kind.field` that differs.
    pub part: String,
    /// What it was and what it is.
    pub what: String,
}

/// Every difference from `old` to `new`; empty exactly when their hashes are equal.
#[must_use]
pub fn diff(old: &Schema, new: &Schema) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut note = |part: &str, what: String| found.push(Difference { part: part.to_owned(), what });
    if old.game != new.game {
        note("game", format!("`{}` became `{}`", old.game, new.game));
    }
    if old.revision != new.revision {
        note("revision", format!("{} became {}", old.revision, new.revision));
    }
    let names = |schema: &Schema| schema.kinds.iter().map(|kind| kind.name.clone()).collect::<Vec<_>>();
    for kind in &old.kinds {
        if !names(new).contains(&kind.name) {
            note(&kind.name, "kind removed".to_owned());
        }
    }
    for (place, kind) in new.kinds.iter().enumerate() {
        match old.kinds.iter().position(|other| other.name == kind.name) {
            None => note(&kind.name, "kind added".to_owned()),
            Some(before) => {
                if before != place {
                    note(&kind.name, format!("moved from place {before} to {place}"));
                }
                diff_kind(&old.kinds[before], kind, &mut note);
            }
        }
    }
    diff_kind(&old.private, &new.private, &mut note);
    found
}

fn diff_kind(old: &KindSchema, new: &KindSchema, note: &mut impl FnMut(&str, String)) {
    if old.name != new.name {
        note(&new.name, format!("was named `{}`", old.name));
    }
    for field in &old.fields {
        if !new.fields.iter().any(|other| other.name == field.name) {
            note(&format!("{}.{}", old.name, field.name), "field removed".to_owned());
        }
    }
    for (place, field) in new.fields.iter().enumerate() {
        let part = format!("{}.{}", new.name, field.name);
        match old.fields.iter().position(|other| other.name == field.name) {
            None => note(&part, "field added".to_owned()),
            Some(before) => {
                let was = &old.fields[before];
                if before != place {
                    note(&part, format!("moved from place {before} to {place}"));
                }
                if was.class != field.class {
                    note(&part, format!("{:?} became {:?}", was.class, field.class));
                }
                if was.audience != field.audience {
                    note(&part, format!("audience {:?} became {:?}", was.audience, field.audience));
                }
            }
        }
    }
}

/// The first part of `ours` whose hash differs in `theirs`, as a client's Hello lists them.
#[must_use]
pub fn first_difference(ours: &Schema, theirs: &[u32]) -> Option<String> {
    let lines = ours.describe();
    let hashes = ours.part_hashes();
    for (place, hash) in hashes.iter().enumerate() {
        if theirs.get(place) != Some(hash) {
            return Some(format!("server has `{}`", lines[place]));
        }
    }
    (theirs.len() > hashes.len()).then(|| "the client has more fields than the server".to_owned())
}
