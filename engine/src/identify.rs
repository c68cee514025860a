//! Which subscriber identifiers stand in a text: the reading of monitor/identify, which says why each rule is so. A
//! difference is a bug (tests/test_identify_native.py).
//!
//! A head can be full of what is nearly a number, and whoever looks in Python takes fifty times as long. So the sieve
//! reads what it suspects before it lets a head through, and Python is told what stands in a text.

mod coded;
mod names;
mod numbers;
mod plain;
mod sealed;
mod surroundings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::letters::{BASE64 as BASE64_LETTERS, is};
use crate::records::{Section, Wanted};
use crate::sieve::{Sieve, kinds, unquoted};
use coded::{BASE64, HEX, SHORTEST, Tokens};
use names::{Names, normalised};
use numbers::Own;
use plain::Plain;
use sealed::{foreign, sealed};

/// As monitor/verdicts.py numbers them.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identifier {
    Msisdn,
    Imsi,
    Imei,
}

/// The same.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Header,
    Trailer,
    Cookie,
    Path,
    Query,
    Referer,
}

/// The same.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    Encoded,
    Hashed,
    Pseudonym,
    Keyed,
    Encrypted,
}

/// As monitor/identify/found.py numbers them.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    E164,
    Plus,
    International,
    ZeroPadded,
    National,
    BareNational,
    Gaps,
    TelUri,
    SipUri,
    Nai,
    MsisdnTs,
    Digits,
    Reversed,
    HexInteger,
    AsciiHex,
    Base64,
    Tbcd,
    Base64Bcd,
    Base64Tbcd,
    Md5,
    Sha1,
    Sha256,
    Opaque,
}

impl Spelling {
    /// Of a number that was coded by itself.
    fn named(word: &str) -> Option<Spelling> {
        Some(match word {
            "reversed" => Spelling::Reversed,
            "hex_integer" => Spelling::HexInteger,
            "tbcd" => Spelling::Tbcd,
            "base64_bcd" => Spelling::Base64Bcd,
            "base64_tbcd" => Spelling::Base64Tbcd,
            _ => return None,
        })
    }
}

impl Identifier {
    /// The word of monitor/verdicts.py.
    pub fn named(word: &str) -> Option<Identifier> {
        match word {
            "msisdn" => Some(Identifier::Msisdn),
            "imsi" => Some(Identifier::Imsi),
            "imei" => Some(Identifier::Imei),
            _ => None,
        }
    }
}

/// One identifier in a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub identifier: Identifier,
    /// Its digits; what is sealed is as it stands there.
    pub digits: Vec<u8>,
    /// How it was written.
    pub spelling: Spelling,
    /// How far that is from the number.
    pub form: Form,
}

/// What stands in one text, cookie or parameter: its name, and whether the operator must answer for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// Of the field, cookie or parameter, normalised.
    pub field: Cow<'a, [u8]>,
    /// The identifier.
    pub found: Found,
    /// In the operator's ranges, and the gateway's.
    pub own: bool,
}

/// Octets of digits in a name that is looked at like a value (monitor/identify/places.py).
const FEWEST_DIGITS: usize = 7;
/// Letters of a word that is compared with a number (monitor/subscribers/codings.py).
const SHORTEST_COMPARED: usize = 8;

/// What reads texts.
#[derive(Debug)]
pub struct Identify {
    own: Own,
    names: Names,
    plain: Plain,
    tokens: Tokens,
    carries: HashMap<Vec<u8>, Identifier, RandomState>,
    own_fields: HashSet<Vec<u8>, RandomState>,
    handset_fields: HashSet<Vec<u8>, RandomState>,
    aliases: HashSet<Vec<u8>, RandomState>,
    /// What only a hint would make a number counts without one, where a value is coded.
    is_compared: bool,
}

impl Identify {
    /// For what is wanted.
    pub fn new(wanted: &Wanted) -> Identify {
        let own = Own::new(wanted);
        Identify {
            names: Names::new(wanted),
            plain: Plain::new(&own),
            tokens: Tokens::new(&wanted.tokens),
            carries: wanted.carries.iter().cloned().collect(),
            own_fields: wanted.own_fields.iter().cloned().collect(),
            handset_fields: wanted.handset_fields.iter().cloned().collect(),
            aliases: wanted.aliases.iter().cloned().collect(),
            is_compared: false,
            own,
        }
    }

    /// For what is wanted of a sieve: where it is told who holds an address, values that nobody reads are compared with
    /// that number in all codings (monitor/confirm.py), so these pass without a hint.
    pub fn for_sieve(wanted: &Wanted, is_compared: bool) -> Identify {
        let mut wanted = wanted.clone();
        wanted.tokens.iter_mut().for_each(|(_, _, _, is_believed)| *is_believed |= is_compared);
        Identify { is_compared, ..Identify::new(&wanted) }
    }

    /// Whether a word is there that may be compared with a number.
    pub fn may_be_compared(&self, value: &[u8]) -> bool {
        let words =
            |text: &[u8]| text.split(|octet| !is(*octet, BASE64_LETTERS)).any(|word| word.len() >= SHORTEST_COMPARED);
        self.is_compared && words(&decoded(value))
    }

    /// Whether anything stands in a field of a head or of a trailer section; `shown`: what the sieve saw in it.
    pub fn is_in_field(&self, sieve: &Sieve, section: Section, name: &[u8], value: &[u8], shown: Option<u8>) -> bool {
        let is_head = section == Section::Head;
        let place = match name {
            _ if !is_head => Place::Trailer,
            b"cookie" => return self.is_in(sieve, Place::Cookie, name, value, shown),
            b"referer" => return self.is_in(sieve, Place::Referer, name, value, shown),
            _ => Place::Header,
        };
        if name.iter().filter(|octet| octet.is_ascii_digit()).count() >= FEWEST_DIGITS {
            return self.is_in(sieve, place, b"", &[name, b":", value].concat(), shown);
        }
        self.is_in(sieve, place, &normalised(name), value, shown)
    }

    /// Whether anything stands in the path or query of a target.
    pub fn is_in_target(&self, sieve: &Sieve, target: &[u8]) -> bool {
        let (path, query) = target.split_at(memchr::memchr(b'?', target).unwrap_or(target.len()));
        self.is_in(sieve, Place::Path, b"path", path, None)
            || (!query.is_empty() && self.is_in(sieve, Place::Query, b"query", &query[1..], None))
    }

    fn is_in(&self, sieve: &Sieve, place: Place, name: &[u8], octets: &[u8], shown: Option<u8>) -> bool {
        // if nothing else is found in such a field, this is
        let is_sealed = |known: &Identifier| {
            !matches!(place, Place::Cookie | Place::Query) && sealed(&decoded(octets), || false, *known).is_some()
        };
        self.carries.get(name).is_some_and(is_sealed) || !self.find(sieve, place, name, octets, shown).is_empty()
    }

    /// Every identifier in a text as it came, each once in a field, in wire order; `name` is normalised.
    pub fn search<'a>(&self, sieve: &Sieve, place: Place, name: &'a [u8], octets: &'a [u8]) -> Vec<Finding<'a>> {
        self.find(sieve, place, name, octets, None)
    }

    fn find<'a>(
        &self,
        sieve: &Sieve,
        place: Place,
        name: &'a [u8],
        octets: &'a [u8],
        shown: Option<u8>,
    ) -> Vec<Finding<'a>> {
        let mut findings = Vec::new();
        if matches!(place, Place::Header | Place::Trailer)
            && let Some(digits) = self.own.all_of(octets)
        {
            findings.push(plain(Cow::Borrowed(name), octets, digits));
            return findings;
        }
        let known = self.carries.get(name).copied();
        let whole = decoded(octets);
        let is_as_it_came = matches!(whole, Cow::Borrowed(_));
        let shown = shown.filter(|_| is_as_it_came).unwrap_or_else(|| sieve.shown(&whole));
        if known.is_none() && shown == 0 {
            return findings;
        }
        let looked = Looked { place, known, shown };
        let is_between: fn(&u8) -> bool = match place {
            Place::Cookie => |octet| *octet == b';',
            Place::Query => |octet| matches!(octet, b'&' | b';'),
            _ => {
                self.in_part(sieve, looked, || Cow::Borrowed(name), &whole, &mut findings);
                return each_once(findings);
            }
        };
        for part in octets.split(is_between) {
            let text = decoded(part);
            if known.is_none() && !self.may_be_in(&text, shown) {
                continue;
            }
            let key = || match memchr::memchr(b'=', part) {
                Some(at) => match decoded(trimmed(&part[..at])) {
                    Cow::Borrowed(key) => normalised(key),
                    Cow::Owned(key) => Cow::Owned(normalised(&key).into_owned()),
                },
                None => Cow::Borrowed(&b""[..]),
            };
            self.in_part(sieve, looked, key, &text, &mut findings);
        }
        each_once(findings)
    }

    /// Whether what shows in all of a text may be in this part.
    fn may_be_in(&self, text: &[u8], shown: u8) -> bool {
        let is_long = text.len() >= self.own.fewest.min(SHORTEST);
        let has_letters = shown & !kinds::ROW != 0;
        is_long && (has_letters || text.iter().filter(|octet| octet.is_ascii_digit()).count() >= self.own.fewest)
    }

    fn in_part<'a>(
        &self,
        sieve: &Sieve,
        Looked { place, known, shown }: Looked,
        key: impl FnOnce() -> Cow<'a, [u8]>,
        text: &[u8],
        findings: &mut Vec<Finding<'a>>,
    ) {
        let field = key();
        if let Some(digits) = self.own.all_of(text) {
            return findings.push(plain(field, text, digits));
        }
        let hint = self.names.hint(&field);
        let mut found = Vec::new();
        let is_named = known.or(hint) == Some(Identifier::Imei) || shown & kinds::NAMED == 0 || sieve.is_named_in(text);
        let shown = if is_named { shown } else { shown & !kinds::NAMED };
        if shown != 0 {
            self.read(sieve, text, known.or(hint), shown, &mut found);
        }
        if found.is_empty() {
            let Some(known) = known else { return };
            let is_alias = || self.aliases.contains(&*field);
            if let Some(stranger) = foreign(text, known) {
                findings.push(Finding { field, found: stranger, own: false });
            } else if let Some(opaque) = sealed(text, is_alias, known) {
                let own = self.own_fields.contains(&*field);
                findings.push(Finding { field, found: opaque, own });
            }
            return;
        }
        // an app sends its own IMEI by itself, in parameters above all
        let is_gateways = matches!(place, Place::Header | Place::Trailer)
            && hint == Some(Identifier::Imei)
            && !self.handset_fields.contains(&*field);
        findings.extend(found.into_iter().map(|found| {
            let own = found.identifier != Identifier::Imei || is_gateways;
            Finding { field: field.clone(), found, own }
        }));
    }

    /// What the readers of these kinds find in a text.
    fn read(&self, sieve: &Sieve, text: &[u8], hinted: Option<Identifier>, shown: u8, found: &mut Vec<Found>) {
        let (own, names) = (&self.own, &self.names);
        let is_shown = |kind: u8| shown & (kind | kinds::NAMED) != 0;
        if is_shown(kinds::ROW) {
            self.plain.read(own, names, text, hinted, found);
        }
        if is_shown(kinds::BASE64) {
            BASE64.read((own, names, &self.plain), text, (hinted, self.is_compared), found);
        }
        if is_shown(kinds::HEX) {
            HEX.read((own, names, &self.plain), text, (hinted, self.is_compared), found);
        }
        if shown & (kinds::ROW | kinds::TOKEN) != 0 {
            self.tokens.read(own, names, text, hinted, found);
        }
        if shown & kinds::DIGEST != 0 {
            sieve.digests_in(text, |octets, number| {
                let spelling = match octets {
                    16 => Spelling::Md5,
                    20 => Spelling::Sha1,
                    _ => Spelling::Sha256,
                };
                let (identifier, digits) = (Identifier::Msisdn, number.to_string().into_bytes());
                found.push(Found { identifier, digits, spelling, form: Form::Hashed });
            });
        }
    }
}

/// Where a text stands, what its field is known to carry, and what shows in it.
#[derive(Clone, Copy)]
struct Looked {
    place: Place,
    known: Option<Identifier>,
    shown: u8,
}

/// Each number of a field once: as it is written first.
fn each_once(mut findings: Vec<Finding<'_>>) -> Vec<Finding<'_>> {
    if findings.len() > 1 {
        let mut known: HashSet<(Identifier, Vec<u8>, Vec<u8>), RandomState> = HashSet::default();
        findings.retain(|Finding { field, found, .. }| {
            known.insert((found.identifier, found.digits.clone(), field.to_vec()))
        });
    }
    findings
}

/// What is an own number in E.164 and nothing else.
fn plain<'a>(field: Cow<'a, [u8]>, text: &[u8], digits: &[u8]) -> Finding<'a> {
    let spelling = if text.starts_with(b"+") { Spelling::Plus } else { Spelling::E164 };
    let found = Found { identifier: Identifier::Msisdn, digits: digits.to_vec(), spelling, form: Form::Plain };
    Finding { field, found, own: true }
}

/// Without the blanks around it.
fn trimmed(mut key: &[u8]) -> &[u8] {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t'..=b'\r');
    while let Some((_, rest)) = key.split_first().filter(|(first, _)| is_blank(first)) {
        key = rest;
    }
    while let Some((_, rest)) = key.split_last().filter(|(last, _)| is_blank(last)) {
        key = rest;
    }
    key
}

/// RFC 3986 section 2.1, and once more: a Referer quotes an address that was quoted before.
fn decoded(octets: &[u8]) -> Cow<'_, [u8]> {
    let is_quoted = |octets: &[u8]| memchr::memchr(b'%', octets).is_some();
    if !is_quoted(octets) {
        return Cow::Borrowed(octets);
    }
    let once = unquoted(octets);
    Cow::Owned(if is_quoted(&once) { unquoted(&once) } else { once })
}
