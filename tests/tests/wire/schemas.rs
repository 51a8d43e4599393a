//! The schema as a value: what is refused, what differs, what a difference is called.

use glam::{Quat, Vec2, Vec3};
use tickwire_shared::schema::{Audience, FieldClass, SchemaError, diff, first_difference};
use tickwire_shared::{Protocol, Replicate};
use tickwire_tests::chaos::{Body, Chaos};

#[test]
fn hashes_follow_the_value() {
    let schema = Chaos::schema();
    assert_eq!(schema.hash(), Chaos::schema().hash());
    let mut seen = std::collections::BTreeSet::from([schema.hash()]);
    let changes: [fn(&mut tickwire_shared::Schema); 6] = [
        |schema| schema.revision += 1,
        |schema| schema.game.push('x'),
        |schema| schema.kinds.swap(0, 1),
        |schema| schema.kinds[0].fields[0].audience = Audience::Team,
        |schema| schema.kinds[1].fields[0].name.push('x'),
        |schema| schema.kinds[0].fields[1].class = FieldClass::Rotation { bits: 11 },
    ];
    for change in changes {
        let mut other = Chaos::schema();
        change(&mut other);
        assert!(seen.insert(other.hash()), "a change left the hash as it was");
        assert!(!diff(&schema, &other).is_empty());
        assert!(first_difference(&schema, &other.part_hashes()).is_some());
    }
    assert!(diff(&schema, &schema).is_empty());
    assert_eq!(first_difference(&schema, &schema.part_hashes()), None);
}

#[test]
fn differences_name_kind_and_field() {
    let (old, mut new) = (Chaos::schema(), Chaos::schema());
    new.kinds[0].fields.remove(2);
    new.kinds[1].fields[1].audience = Audience::Owner;
    let found: Vec<_> = diff(&old, &new).into_iter().map(|difference| difference.part).collect();
    assert!(found.contains(&"Body.angle".to_owned()), "{found:?}");
    assert!(found.contains(&"Piece.position".to_owned()), "{found:?}");
}

#[test]
fn nonsense_is_refused_by_name() {
    let mut schema = Chaos::schema();
    schema.kinds[0].fields[0].class = FieldClass::Position { dims: 3, quantum: 0.0, min: 0, max: 9 };
    let error = schema.check().expect_err("no quantum");
    assert!(
        matches!(&error, SchemaError::Class { kind, field, .. } if kind == "Body" && field == "position")
    );
    let mut schema = Chaos::schema();
    schema.kinds[0].fields[0].class = FieldClass::Number { quantum: 1.0, min: 0, max: i32::MAX };
    assert!(schema.check().is_err());
    schema.kinds.clear();
    assert_eq!(schema.check(), Err(SchemaError::Kinds(0)));
}

#[test]
fn derived_kinds_capture_and_restore() {
    let body = Body {
        position: Vec3::new(1.234, -5.678, 99.99),
        rotation: Quat::from_rotation_y(1.0),
        angle: 2.0,
        number: -3,
        flags: 0b1_0101,
        opaque: 0xDEAD_BEEF,
    };
    let mut columns = [0; 24];
    body.capture(&mut columns);
    let back = Body::restore(&columns);
    assert!((back.position - body.position).abs().max_element() <= 0.0051);
    assert!(back.rotation.dot(body.rotation).abs() > 0.999);
    assert!((back.angle - body.angle).abs() < 0.01);
    assert_eq!((back.number, back.flags, back.opaque), (body.number, body.flags, body.opaque));
    let mut again = [0; 24];
    back.capture(&mut again);
    assert_eq!(columns, again, "quantizing what was quantized changes nothing");
    let _ = Vec2::ZERO;
}
