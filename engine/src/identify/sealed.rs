//! What no reader can open, and a field that is known to carry a number has (monitor/identify/forms.py).

use super::numbers::{EQUIPMENT, is_dummy, is_gap};
use super::{Form, Found, Identifier, Spelling};
use crate::letters::{BASE64, is};

/// Digits of any number in E.164.
const FEWEST: usize = 8;

/// Between the elements of a list.
fn is_between(octet: &u8) -> bool {
    matches!(octet, b' ' | b'\t'..=b'\r' | b',' | b';' | b'|' | b'"' | b'\'' | b'<' | b'>' | b'=')
}

/// A number in a field that is known to carry one, whoever's it is: plain E.164, or 15 digits of an IMSI.
pub(super) fn foreign(text: &[u8], identifier: Identifier) -> Option<Found> {
    let bare: Vec<u8>;
    let text = if text.starts_with(b"+") {
        bare = text.iter().copied().filter(|octet| !is_gap(*octet)).collect();
        &bare
    } else {
        text
    };
    if !has_digits(text) {
        return None;
    }
    text.split(is_between).find_map(|element| {
        let digits = number(element)?;
        let (is_one, spelling) = match identifier {
            Identifier::Msisdn => (true, Spelling::E164),
            // 2 to 7 begin the MCCs of countries (E.212 annex A)
            Identifier::Imsi => (digits.len() == EQUIPMENT && matches!(digits[0], b'2'..=b'7'), Spelling::Digits),
            Identifier::Imei => (false, Spelling::Digits),
        };
        is_one.then(|| Found { identifier, digits: digits.to_vec(), spelling, form: Form::Plain })
    })
}

/// Whether so many digits stand together as any such number has.
fn has_digits(text: &[u8]) -> bool {
    let mut digits = 0;
    text.iter().any(|octet| {
        digits = if octet.is_ascii_digit() { digits + 1 } else { 0 };
        digits == FEWEST
    })
}

/// 8 to 15 digits, with what may stand before and behind them.
fn number(element: &[u8]) -> Option<&[u8]> {
    let scheme = [&b"tel:"[..], b"sip:", b"sips:"]
        .into_iter()
        .find(|scheme| element.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)));
    let rest = &element[scheme.map_or(0, <[u8]>::len)..];
    let rest = rest.strip_prefix(b"+").or_else(|| rest.strip_prefix(b"00")).unwrap_or(rest);
    let (digits, behind) = rest.split_at(rest.iter().take_while(|octet| octet.is_ascii_digit()).count());
    let is_one = (FEWEST..=EQUIPMENT).contains(&digits.len()) && digits[0] != b'0' && matches!(behind, [] | [b'@', ..]);
    (is_one && !is_dummy(digits)).then_some(digits)
}

/// What stands for a subscriber in a field that is known to carry one, and cannot be opened: keyed if it is as long as a
/// digest; else a pseudonym where the field is known as an alias, or encrypted.
pub(super) fn sealed(text: &[u8], is_alias: impl Fn() -> bool, identifier: Identifier) -> Option<Found> {
    let element = text.split(is_between).next().unwrap_or_default();
    let size = element.len();
    let is_hex = element.iter().all(u8::is_ascii_hexdigit);
    let is_letter = |octet: &u8| is(*octet, BASE64);
    let is_opaque = (size >= 22 && element.iter().all(is_letter)) || (size >= 32 && is_hex);
    if !is_opaque || !element.iter().any(u8::is_ascii_digit) || !element.iter().any(u8::is_ascii_alphabetic) {
        return None;
    }
    let is_digest = matches!(size, 22 | 27 | 43) || (is_hex && matches!(size, 32 | 40 | 64));
    let unlike_digest = if is_alias() { Form::Pseudonym } else { Form::Encrypted };
    let form = if is_digest { Form::Keyed } else { unlike_digest };
    Some(Found { identifier, digits: element.to_vec(), spelling: Spelling::Opaque, form })
}
