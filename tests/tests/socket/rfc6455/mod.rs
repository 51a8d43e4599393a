//! RFC 6455 at the level of bytes, in files named after its sections. Each case has a name, the bytes that go to the
//! server and everything that must come back; each is delivered whole, in two pieces and byte by byte.
//!
//! Most run against the echo of the connection module, which shows what was read; what depends on a session or on
//! the request runs against the server itself.

mod case;

mod opening_4;

mod framing_5_2;

mod masking_5_3;

mod fragments_5_4;

mod control_5_5;

mod kinds_5_6;

mod closing_7;

mod utf8_8_1;

/// The suite is as large as it says.
#[test]
fn at_least_eighty_cases_of_different_names() {
    let mut names: Vec<String> = opening_4::names();
    for cases in [
        framing_5_2::cases(),
        masking_5_3::cases(),
        fragments_5_4::cases(),
        control_5_5::cases(),
        kinds_5_6::binary_cases(),
        kinds_5_6::text_cases(),
        closing_7::cases(),
        utf8_8_1::cases(),
    ] {
        names.extend(cases.into_iter().map(|case| case.name));
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "two cases of one name");
    assert!(all >= 80, "only {all} cases");
}
