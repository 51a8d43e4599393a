//! Whether a Hello may become a session: same protocol, same schema, a usable name.

use tickwire_shared::limits::{NAME_BYTES_MAX, PROTOCOL_VERSION};
use tickwire_shared::schema::{Schema, first_difference};
use tickwire_shared::wire::message::Hello;
use tickwire_shared::{Close, CloseCode};

/// The display name to use for this Hello.
///
/// # Errors
/// The close for the client.
pub fn admit(hello: &Hello, schema: &Schema, schema_hash: u128) -> Result<String, Close> {
    if hello.protocol != PROTOCOL_VERSION {
        let detail = format!("server speaks protocol {PROTOCOL_VERSION}, client {}", hello.protocol);
        return Err(Close::because(CloseCode::SchemaMismatch, &detail));
    }
    if hello.schema != schema_hash {
        let detail = first_difference(schema, &hello.parts)
            .unwrap_or_else(|| "same parts, other hash: the client's library is another version".to_owned());
        return Err(Close::because(CloseCode::SchemaMismatch, &detail));
    }
    display_name(&hello.name)
}

/// A name fit to be shown to others: trimmed, of bounded length, without characters that move or hide text.
fn display_name(wanted: &str) -> Result<String, Close> {
    let name = wanted.trim();
    if name.is_empty() {
        return Ok("anonymous".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        let detail = format!("name longer than {NAME_BYTES_MAX} bytes");
        return Err(Close::because(CloseCode::BadMessage, &detail));
    }
    if let Some(character) = name.chars().find(|character| is_unfit(*character)) {
        let detail = format!("name contains U+{:04X}", u32::from(character));
        return Err(Close::because(CloseCode::BadMessage, &detail));
    }
    Ok(name.to_owned())
}

/// Control characters, line and paragraph separators, marks that change the direction of text, and characters
/// that show as nothing.
fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(display_name("  ann "), Ok("ann".to_owned()));
        assert_eq!(display_name(""), Ok("anonymous".to_owned()));
        assert_eq!(display_name("Äöü 漢字"), Ok("Äöü 漢字".to_owned()));
        let unseen = ["\u{AD}", "\u{3164}", "a\u{E0041}b"];
        for bad in ["a\u{202E}b", "\u{2067}ab", "\u{61C}", "a\nb", &"x".repeat(33)].into_iter().chain(unseen)
        {
            assert_eq!(display_name(bad).map_err(|close| close.code), Err(CloseCode::BadMessage), "{bad:?}");
        }
    }
}
