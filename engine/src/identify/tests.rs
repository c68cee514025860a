//! What tests/test_identify_native.py cannot see from Python: heads, and names.

use super::*;
use crate::counts::Counts;
use crate::records::{HeadText, RequestHead, Watch};
use crate::testing::head_of;

fn wanted() -> Wanted {
    let named = |names: &[(&str, Identifier)]| -> Vec<(Vec<u8>, Identifier)> {
        names.iter().map(|(name, identifier)| (name.as_bytes().to_vec(), *identifier)).collect()
    };
    Wanted {
        country: b"44".into(),
        trunk: b"0".into(),
        access: b"00".into(),
        lengths: vec![(12, b"7700900".into(), vec![(447_700_900_000, 447_700_900_999)])],
        carries: named(&[("x-msisdn", Identifier::Msisdn)]),
        hints: named(&[("x-msisdn", Identifier::Msisdn), ("x-network-info", Identifier::Msisdn)]),
        stems: named(&[("msisdn", Identifier::Msisdn), ("phone", Identifier::Msisdn), ("imei", Identifier::Imei)]),
        ..Wanted::default()
    }
}

fn watch() -> Watch {
    Watch {
        names: vec![b"x-msisdn".into(), b"x-network-info".into()],
        stems: vec![b"msisdn".into(), b"phone".into(), b"imei".into()],
        rows: vec![(b"7700900".into(), 3)],
        wanted: Some(wanted().into()),
        ..Watch::default()
    }
}

fn head(target: &[u8], fields: &[(&str, &str)], section: Section) -> RequestHead {
    let mut text = HeadText::new(b"GET", target, b"HTTP/1.1");
    text.push(b"host", b"shop.example");
    for (name, value) in fields {
        text.push(name.as_bytes(), value.as_bytes());
    }
    RequestHead { section, ..head_of(text) }
}

/// The fields that are left of a head that passes.
fn left(watch: &Watch, mut head: RequestHead) -> Option<Vec<String>> {
    let passes = Sieve::new(watch).passes(&mut head, &mut Counts::default());
    passes.then(|| head.text.names().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

#[test]
fn what_only_seems_to_be_a_number_does_not_pass() {
    for value in ["x447700900123", "6f9619ff-8b86-d011-b42d-447700900123", "51.447700900123", "4477.0090.0123.4567"] {
        let fields = [("x-any", value), ("cookie", &format!("a=b; c={value}")), ("x-msisdn", "none")];
        assert_eq!(left(&watch(), head(format!("/?a={value}").as_bytes(), &fields, Section::Head)), None, "{value}");
        // where a name hints at it, and to those who read nothing
        let named = [("x-phone", "m447700900123")];
        assert_eq!(left(&watch(), head(b"/", &named, Section::Head)), Some(vec!["host".into(), "x-phone".into()]));
        assert!(left(&Watch { wanted: None, ..watch() }, head(b"/", &fields, Section::Head)).is_some());
        assert_eq!(left(&compared(), head(b"/", &fields, Section::Head)), None, "{value}");
    }
}

/// A feed tells who holds an address, so what nobody reads may be that number.
fn compared() -> Watch {
    Watch { ports: vec![1813], ..watch() }
}

#[test]
fn what_may_be_compared_with_a_number_passes() {
    // 7700900123 in base64 and hex, and anything in a field that hints
    for (name, value) in
        [("x-any", "NzcwMDkwMDEyMw"), ("x-any", "37373030393030313233"), ("x-phone", "a=opaque%5fvalue")]
    {
        let one = || head(b"/", &[(name, value)], Section::Head);
        assert_eq!(left(&watch(), one()), None, "{value}");
        assert_eq!(left(&compared(), one()), Some(vec!["host".into(), name.into()]), "{value}");
    }
    assert_eq!(left(&compared(), head(b"/", &[("x-phone", "a=short")], Section::Head)), None);
}

#[test]
fn of_a_suspect_head_those_fields_are_left_in_which_something_stands() {
    let fields = [("x-any", "x447700900123"), ("x-b", "+44 7700 900123"), ("x-msisdn", "447700900123x")];
    let all = Some(vec!["host".to_string(), "x-b".into()]);
    assert_eq!(left(&watch(), head(b"/447700900123x", &fields[..2], Section::Head)), all);
    // in a trailer section a cookie is a field like others, and the target is the head's
    let fields = [("cookie", "c;d=447700900123")];
    let trailer = |fields: &[(&str, &str)]| left(&watch(), head(b"/447700900123", fields, Section::Trailer));
    assert_eq!(trailer(&fields), Some(vec!["host".into(), "cookie".into()]));
    assert_eq!(trailer(&[]), None);
    assert!(left(&watch(), head(b"/447700900123", &[], Section::Head)).is_some());
}

#[test]
fn names_hint_by_the_catalogue_by_their_stem_and_by_short_words() {
    let names = Names::new(&wanted());
    let hints = ["X_MSISDN", "http-x-msisdn", "HTTP_X_Network_Info", "user-phone-no", "a-cli", "TEL_nr", "clid9number"];
    for name in hints {
        assert_eq!(names.hint(name.as_bytes()), Some(Identifier::Msisdn), "{name}");
    }
    for name in ["", "x", "gclid", "hotel", "phones", "telephone-book", "x-network-information"] {
        assert_eq!(names.hint(name.as_bytes()), None, "{name}");
    }
    assert_eq!(names.hint(b"my-I.m.e.I"), Some(Identifier::Imei));
    assert_eq!(names.hint(&[&[b'a'; 300][..], b"-msisdn"].concat()), Some(Identifier::Msisdn));
}

#[test]
fn percent_encoding_is_undone_twice_and_what_is_no_code_stays() {
    for (coded, text) in
        [("%2b44%37", "+447"), ("%252B%%34", "+%4"), ("%25252B", "%2B"), ("%4", "%4"), ("100%", "100%")]
    {
        assert_eq!(String::from_utf8_lossy(&decoded(coded.as_bytes())), text, "{coded}");
    }
}
