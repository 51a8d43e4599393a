//! `shared/WIRE.md` and the code say the same.

use tickwire_shared::CloseCode;
use tickwire_shared::limits::{CLIENT_MESSAGE_BYTES_MAX, PROTOCOL_VERSION};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::frame::STILL_GROUP;
use tickwire_shared::wire::message::{
    Ack, ClientMessage, Draining, Hello, TAG_DRAINING, TAG_FRAME, TAG_TABLES, TAG_TIME_DILATION, TAG_WELCOME,
    TimeDilation, ViewAge, encode_draining, encode_time_dilation,
};
use tickwire_shared::{ClientId, NetId, Tick, ViewTick};

const DOCUMENT: &str = include_str!("../../../shared/WIRE.md");

/// The rows of the table whose header line is `header`, cell by cell.
fn table(header: &str) -> Vec<Vec<&'static str>> {
    let start = DOCUMENT.find(header).unwrap_or_else(|| panic!("no table `{header}`"));
    DOCUMENT[start..]
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn close_codes() {
    let rows = table("| code | meaning |");
    assert_eq!(rows.len(), CloseCode::ALL.len());
    for (row, code) in rows.iter().zip(CloseCode::ALL) {
        assert_eq!(row[0], code.number().to_string());
        assert_eq!(row[1], code.meaning());
        assert_eq!(row[2], if code.may_return() { "yes" } else { "no" });
    }
}

#[test]
fn client_messages() {
    let hello = Hello {
        protocol: 1,
        schema: 0,
        parts: Vec::new(),
        name: String::new(),
        room: String::new(),
        token: None,
        resume: None,
        tables: 0,
        budget: 0,
    };
    let ack = Ack { applied: Tick(0), held_ms: 0 };
    let view = ViewAge::of(ViewTick::default(), Tick(0));
    let messages: [(&str, ClientMessage<u8, u8>); 6] = [
        ("Hello", ClientMessage::Hello(hello)),
        ("Input", ClientMessage::Input { seq: 0, tick: Tick(0), ack: None, input: 0 }),
        ("Command", ClientMessage::Command(0)),
        ("Ack", ClientMessage::Ack(ack)),
        ("Resync", ClientMessage::Resync { tick: Tick(0) }),
        ("Aimed", ClientMessage::Aimed { seq: 0, tick: Tick(0), ack: None, view, input: 0 }),
    ];
    let rows = table("| variant | message | fields |");
    assert_eq!(rows.len(), messages.len());
    for (row, (name, message)) in rows.iter().zip(messages) {
        assert_eq!(row[1], name);
        assert_eq!(row[0], codec::encode(&message)[0].to_string(), "variant of {name}");
    }
}

#[test]
fn tags_and_numbers() {
    let rows = table("| tag | message |");
    assert_eq!(
        rows,
        [
            [TAG_WELCOME.to_string().as_str(), "Welcome"],
            [&TAG_FRAME.to_string(), "snapshot frame"],
            [&TAG_TABLES.to_string(), "other tables"],
            [&TAG_DRAINING.to_string(), "the server goes away"],
            [&TAG_TIME_DILATION.to_string(), "time goes at another pace"]
        ]
    );
    let draining = Draining { closes_in_ms: 9, retry_after_ms: 7 };
    assert_eq!(
        encode_draining(&draining),
        [&[TAG_DRAINING], codec::encode(&(9_u32, 7_u32)).as_slice()].concat()
    );
    let dilation = TimeDilation { from: Tick(300), percent: 80.try_into().expect("a percentage") };
    assert_eq!(
        encode_time_dilation(&dilation),
        [&[TAG_TIME_DILATION], codec::encode(&(300_u32, 80_u8)).as_slice()].concat()
    );
    assert!(DOCUMENT.contains(&format!("Protocol version {PROTOCOL_VERSION}.")));
    assert!(DOCUMENT.contains(&format!("at most {CLIENT_MESSAGE_BYTES_MAX} bytes")));
    assert!(DOCUMENT.contains(&format!("in groups of {STILL_GROUP}:")));
    // Ids are plain numbers to bincode, as the table of fields says.
    assert_eq!(codec::encode(&(ClientId(5), NetId(6))), codec::encode(&(5_u32, 6_u32)));
}

#[test]
fn flags_stand_where_the_table_says() {
    use tickwire_shared::wire::bits::BitWriter;
    use tickwire_shared::wire::frame::{Header, InputAck, Slots};
    let ack = InputAck { seq: 0, held_100us: 0, margin_eighths: 0 };
    let with = |change: fn(&mut Header, InputAck)| {
        let mut header = Header::default();
        change(&mut header, ack);
        let mut writer = BitWriter::default();
        header.write(&mut writer);
        let bits = writer.len_bits();
        (writer.take_bytes()[1], bits)
    };
    assert_eq!(with(|_, _| ()), (0, 32));
    assert_eq!(with(|header, ack| header.ack = Some(ack)), (1, 32 + 40));
    assert_eq!(with(|header, _| header.avatar = Some(Some(NetId(1)))), (2, 32 + 33));
    assert_eq!(with(|header, _| header.avatar = Some(None)), (2, 32 + 1));
    assert_eq!(with(|header, _| header.private = true), (4, 32));
    assert_eq!(with(|header, _| header.events = true), (8, 32));
    assert_eq!(with(|header, _| header.edits = true), (16, 32));
    assert_eq!(with(|header, _| header.slots = Slots::Stream), (32, 32));
    assert_eq!(with(|header, _| header.slots = Slots::Resync), (64, 32));
    assert_eq!(with(|header, _| header.slots = Slots::Reset), (96, 32));
    assert_eq!(with(|header, _| header.checksum = true), (128, 32));
    let rows = table("| part | present | bits |");
    let flags: Vec<_> = rows.iter().map(|row| row[1]).collect();
    let expected = [
        "always",
        "always",
        "always",
        "flag 1",
        "flag 2",
        "flag 4",
        "flag 8",
        "flag 16",
        "flags 32, 64",
        "flag 128",
    ];
    assert_eq!(flags, expected);
}

#[test]
fn models_and_contexts() {
    use tickwire_shared::wire::symbols::{MASK_CUT, Model};
    let rows = table("| model | contexts | symbols | context |");
    assert_eq!(rows.len(), Model::ALL.len());
    for (row, model) in rows.iter().zip(Model::ALL) {
        assert_eq!(row[0], format!("{model:?}"));
        assert_eq!(row[1], model.contexts().to_string());
        assert_eq!(row[2], model.symbols().to_string());
    }
    assert!(DOCUMENT.contains(&format!("or {MASK_CUT} for a cut")));
}
