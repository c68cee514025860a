//! The sieve, against the portable one written down once more.

use super::*;
use crate::hashes::{Numbers, Octets, write_sections};
use crate::records::HeadText;
use crate::testing::{Random, head_of};

const CLEAN: [(&str, &str); 5] = [
    ("host", "shop.example"),
    ("user-agent", "Mozilla/5.0 (Linux; Android 14; SM-A546B) Chrome/126.0.0.0 Mobile Safari/537.36"),
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("if-modified-since", "Wed, 25 Jan 2012 14:00:00 GMT"),
    ("cookie", "a=ab12cd34; b=0099aaff; c=%3B%2"),
];

fn watch() -> Watch {
    let owned = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    Watch {
        names: owned(&["x-up-calling-line-id", "cli", "q", "http-twice"]),
        stems: owned(&["msisdn", "subno", "mdn"]),
        rows: vec![(b"7700900".into(), 3), (b"...009007744".into(), 0)],
        named_rows: vec![(Vec::new(), 15)],
        named_by: b"imei".into(),
        tokens: vec![(b"683d0d9".into(), 3), (b"RHcAk".into(), 3)],
        ..Watch::default()
    }
}

fn odd_head(name: &[u8], value: &[u8], target: &[u8]) -> RequestHead {
    let mut text = HeadText::new(b"GET", target, b"HTTP/1.1");
    text.push(name, value);
    head_of(text)
}

fn head(name: &[u8], value: &[u8], target: &[u8]) -> RequestHead {
    let mut head = odd_head(name, value, target);
    for (name, value) in CLEAN {
        head.text.push(name.as_bytes(), value.as_bytes());
    }
    head
}

fn passes(head: &RequestHead) -> bool {
    let mut counts = Counts::default();
    let passes = Sieve::new(&watch()).passes(&mut head.clone(), &mut counts);
    assert_eq!(counts[Count::CleanHeads], u64::from(!passes));
    passes
}

#[test]
fn passes_every_head_when_asked() {
    let sieve = Sieve::new(&Watch { every_head: true, ..watch() });
    assert!(sieve.passes(&mut head(b"x", b"", b"/"), &mut Counts::default()));
    assert!(!passes(&head(b"x", b"", b"/news?id=17")));
}

#[test]
fn passes_every_spelling_of_a_number_everywhere() {
    for value in [
        &b"447700900123"[..],
        b"+44 (0) 7700-900.123",
        b"07700/900123",
        b"4477009001231326153600",
        b"GPRS,,447700900123,unsecured",
        b"tel:+447700900123",
        b"44\x0077\x0000900123",
        b"447700\r\n 900123",
        b"+44\xC2\xA07700\xE2\x80\x91900123",
        b"%2B44%2D7700%2D900%2D123",
        b"%252B44%252D7700%252D900123",
        b"%34%34%37%37%30%30%39%30%30%31%32%33",
        b"321009007744",
        b"683d0d991b",
        b"id=683d0d991b;",
        b"%22683d0d991b%22",
        b"RHcAkAEj",
        b"%52HcAkAEj",
        b"NDQ3NzAwOTAwMTIz",
        b"eyJtc2lzZG4iOiI0NDc3MDA5MDAxMjMifQ",
        b"%4EDQ3NzAwOTAwMTIz",
        b"%254EDQ3NzAwOTAwMTIz",
    ] {
        assert!(passes(&head(b"x-odd", value, b"/")));
        // names come in lower case, which base64 does not outlive
        assert!(passes(&head(value, b"", b"/")) || value.iter().any(u8::is_ascii_uppercase));
        let target = [b"/find?who=", value].concat();
        assert!(passes(&head(b"x", b"", &target)));
        let readings = vec![head(b"x-odd", value, b"/")];
        assert!(passes(&RequestHead { readings, ..head(b"x", b"", b"/") }));
    }
}

#[test]
fn drops_shorter_rows_of_digits() {
    let shorter = ["770090012", "7700900,123", "7700900;123", "a=77009&b=00123", "25 Jan 2012 14:00:00", "77009f00123"];
    for value in shorter {
        assert!(!passes(&head(b"x-odd", value.as_bytes(), b"/")), "{value}");
    }
}

#[test]
fn passes_what_only_its_name_gives_away_beside_that_name() {
    let row = b"49-015420-323751-8";
    assert!(!passes(&head(b"x-device", row, b"/imei")), "in another field");
    let fields: [(&[u8], &[u8]); 5] = [
        (b"x-imei-no", row),
        (b"x-imei-no", b"%34%39%30%31%35%34%32%30%33%32%33%37%35%31%38"),
        (b"im%65ei-no", row),
        (b"x-device", b"a=1; I.M-E_I=490154203237518"),
        (b"x-device", b"%2569mei:490154203237518"),
    ];
    for (name, value) in fields {
        assert!(passes(&odd_head(name, value, b"/")), "{}", String::from_utf8_lossy(value));
        assert!(Sieve::new(&watch()).keeps(name, value));
    }
    assert!(passes(&odd_head(b"490154203237518-imei", b"", b"/")));
    assert!(passes(&odd_head(b"x", b"", b"/?imei=490154203237518")));
    assert!(!passes(&odd_head(b"x-ime", row, b"/")));
}

#[test]
fn passes_names_that_hint_at_an_identifier() {
    let hinting = [
        "x-up-calling-line-id",
        "X_Up_Calling_Line_Id",
        "HTTP_X_UP_CALLING_LINE_ID",
        "http-x-msisdn",
        "x_msisdn2",
        "x-sub-no",
        "MDN",
        "CLI",
        "http-cli",
        "q",
        "http-q",
        "HTTP_HTTP_TWICE",
    ];
    for name in hinting {
        assert!(passes(&head(name.as_bytes(), b"opaque", b"/")), "{name}");
    }
    for name in ["msisdn-x", "calling-line", "x-up-calling-line-id-not", "", "dn", "xq", "http-http-cli", "twice"] {
        assert!(!passes(&head(name.as_bytes(), b"opaque", b"/")), "{name}");
    }
}

/// The portable sieve, word for word.
fn obvious(watch: &Watch, head: &RequestHead) -> bool {
    let rows = |text: &[u8], wanted: &[(Vec<u8>, usize)]| {
        let kept = text.iter().filter(|octet| octet.is_ascii_alphanumeric() || b",;:=&?@#*|\"'<>".contains(octet));
        let kept: Vec<u8> = kept.copied().collect();
        kept.split(|octet| !octet.is_ascii_digit()).any(|row| {
            let is_row = |(begin, more): &(Vec<u8>, usize)| {
                let same =
                    |digits: &[u8]| begin.iter().zip(digits).all(|(wanted, digit)| wanted == digit || *wanted == b'.');
                (0..=row.len()).any(|at| row.len() - at >= begin.len() + more && same(&row[at..]))
            };
            wanted.iter().any(is_row)
        })
    };
    let coded = |text: &[u8]| {
        text.split(|octet| !octet.is_ascii_alphanumeric()).any(|run| {
            watch.tokens.iter().any(|(begin, more)| run.starts_with(begin) && run.len() >= begin.len() + more)
        })
    };
    let texts = |text: &[u8]| -> Vec<Vec<u8>> {
        let groups: [&[u8]; 4] = [b"MNO", b"DTjz", b"AEIMQUYcgk", b"wxyz012345"];
        let digits = |letters: &[u8]| letters.iter().zip(groups.iter().cycle()).all(|(l, g)| g.contains(l));
        let bits = |letters: &[u8], alphabet: &str, each: usize| -> Vec<u8> {
            let place = |letter: &u8| alphabet.find(char::from(*letter)).unwrap();
            let bits: Vec<String> = letters.iter().map(|letter| format!("{:0each$b}", place(letter))).collect();
            let bits = bits.concat();
            let octets = bits.as_bytes().chunks_exact(8).map(|bits| str::from_utf8(bits).unwrap());
            octets.map(|octet| u8::from_str_radix(octet, 2).unwrap()).collect()
        };
        let upper: String = ('A'..='Z').chain('a'..='z').chain('0'..='9').collect();
        let mut texts = Vec::new();
        for run in text.split(|octet| !octet.is_ascii_alphanumeric()) {
            for at in 0..4.min(run.len()) {
                if run[at..]
                    .chunks(4)
                    .collect::<Vec<_>>()
                    .windows(2)
                    .any(|two| digits(&two.concat()) && two[1].len() == 4)
                {
                    texts.push(bits(&run[at..], &upper, 6));
                }
            }
        }
        for run in text.split(|octet| !octet.is_ascii_hexdigit()) {
            for at in 0..2.min(run.len()) {
                let run = &run[at..][..(run.len() - at) / 2 * 2];
                let is_digit = |pair: &[u8]| pair[0] == b'3' && pair[1].is_ascii_digit();
                if run.chunks(2).collect::<Vec<_>>().windows(8).any(|eight| eight.iter().all(|pair| is_digit(pair))) {
                    texts.push(bits(&run.to_ascii_lowercase(), "0123456789abcdef", 4));
                }
            }
        }
        texts
    };
    let unquoted = |text: &[u8]| {
        let mut parts = text.split(|&octet| octet == b'%');
        let mut all = parts.next().unwrap().to_vec();
        for part in parts {
            let code = part.get(..2).filter(|code| code.iter().all(u8::is_ascii_hexdigit));
            match code.map(|code| u8::from_str_radix(str::from_utf8(code).unwrap(), 16).unwrap()) {
                Some(octet) => all.extend([&[octet], &part[2..]].concat()),
                None => all.extend([b"%", part].concat()),
            }
        }
        all
    };
    let hints = head.text.fields().any(|(name, _)| {
        let normal = String::from_utf8_lossy(name).to_ascii_lowercase().replace('_', "-");
        let normal = normal.strip_prefix("http-").unwrap_or(&normal).as_bytes();
        let letters: Vec<u8> = normal.iter().copied().filter(u8::is_ascii_alphabetic).collect();
        watch.names.iter().any(|name| name == normal) || watch.stems.iter().any(|stem| letters.ends_with(stem))
    });
    let mut text = head.text.target().to_vec();
    for (name, value) in head.text.fields() {
        text.extend([b",", name, b",", value].concat());
    }
    let spelt = |text: &[u8]| [text.to_vec(), unquoted(text), unquoted(&unquoted(text))];
    let named = |text: &Vec<u8>| {
        let letters: Vec<u8> = text.iter().filter(|octet| octet.is_ascii_alphabetic()).copied().collect();
        letters.to_ascii_lowercase().windows(watch.named_by.len()).any(|letters| letters == watch.named_by)
    };
    let named_row = |(name, value): (&[u8], &[u8])| {
        let spelt = [spelt(name), spelt(value)].concat();
        let coded: Vec<Vec<u8>> = spelt.iter().flat_map(|text| texts(text)).collect();
        let is_row = |text: &Vec<u8>| rows(text, &watch.named_rows);
        spelt.iter().any(named) && spelt.iter().chain(&coded).any(is_row)
            || coded.iter().any(|text| named(text) && is_row(text))
    };
    hints
        || spelt(&text).iter().any(|text| {
            rows(text, &watch.rows) || coded(text) || texts(text).iter().any(|text| rows(text, &watch.rows))
        })
        || named_row((b"", head.text.target()))
        || head.text.fields().any(named_row)
}

#[test]
fn agrees_with_the_obvious_sieve() {
    let pieces = [
        "4",
        "77",
        "0090",
        "01",
        "-",
        " ",
        "%",
        "%2",
        "%25",
        "%2D",
        "%37",
        "%2537",
        ",",
        ";",
        "a",
        "F",
        "\0",
        "\u{a0}",
        "dn",
        "m",
        "_",
        "q",
        "http-",
        "HTTP_",
        "sub",
        "no",
        "cli",
        "683d0d9",
        "RHcAk",
        "3NzAwOTA",
        "MDkw",
        "Nzcw",
        "Nzc",
        "MDA5",
        "MDAxMjM",
        "3737",
        "30303930",
        "303031",
        "aW1l",
        "%4E",
        "%254d",
        "i",
        "me",
        "ImEi",
        "%49",
        "user-agent: any/5.0 (of;",
        "kept",
    ];
    let mut random = Random::new(44);
    let mut text = |most: usize| -> Vec<u8> {
        (0..random.below(most)).flat_map(|_| random.pick(&pieces).bytes().collect::<Vec<u8>>()).collect()
    };
    let mut passed = 0;
    let rows = |turn: usize| match turn {
        0 => Vec::new(),
        1 => watch().rows,
        2 => vec![(b"77".to_vec(), 0), (b"0100".to_vec(), 8)],
        more => vec![(b"7".to_vec(), more), (Vec::new(), 2 * more - 6)],
    };
    let watches: Vec<_> =
        (0..12).map(|turn| Watch { rows: rows(turn), named_rows: vec![(Vec::new(), turn + 1)], ..watch() }).collect();
    let sieves: Vec<_> = watches.iter().map(Sieve::new).collect();
    for turn in 0..20_000 {
        let of = turn % 12;
        let mut head = odd_head(&text(6), &text(20), &text(20));
        if turn % 3 == 0 {
            head.text.push(&text(8), &text(60)); // longer than what is looked at together
            head.text.push(b"connection", b"keep-alive");
        }
        let passes = sieves[of].passes(&mut head.clone(), &mut Counts::default());
        assert_eq!(passes, obvious(&watches[of], &head), "{head:?}");
        passed += u32::from(passes);
    }
    assert!((4_000..16_000).contains(&passed), "{passed}");
}

#[test]
fn passes_digests_of_own_numbers() {
    let numbers = Numbers { country: "44".into(), trunk: "0".into(), ranges: vec![(447_700_900_000, 447_700_900_999)] };
    let mut octets = Vec::new();
    write_sections(&numbers, &mut octets, |_| Ok(())).unwrap();
    let digests = Some(Arc::new(HashTable::new(numbers, Octets::Memory(octets), 0)));
    let sieve = Sieve::new(&Watch { digests, ..watch() });
    let passes = |value: &[u8]| sieve.passes(&mut odd_head(b"x-odd", value, b"/"), &mut Counts::default());
    for value in [
        &b"40ce120a3509087f921cad996518742a"[..],
        b"AC57EA46BDBF5CC55E81F19EF4E0FB9B",
        b"QM4SCjUJCH+SHK2ZZRh0Kg==",
        b"QM4SCjUJCH-SHK2ZZRh0Kg",
        b"/a/QM4SCjUJCH-SHK2ZZRh0Kg/b",
        b"id=QM4SCjUJCH%2BSHK2ZZRh0Kg%3D%3D;x",
        b"QM4SCjUJCH%252BSHK2ZZRh0Kg",
        b"c42dcb28f1c7d4273d80541b603466415c47d094",
        b"033134b911b137918338415ee3d20a064b24773d36a3b02e8b99fdd3fcd6b4cd",
    ] {
        assert!(passes(value), "{}", String::from_utf8_lossy(value));
    }
    for value in [
        &b"40ce120a3509087f921cad996518742b"[..],
        b"a40ce120a3509087f921cad996518742a",
        b"x-QM4SCjUJCH+SHK2ZZRh0Kg==",
        b"QM4SCjUJCH+SHK2ZZRh0Kgx",
        b"a2123f05f7dc0f779dba8ffa52a1cdaebe3530e45269abe84b769bbd69a43810",
    ] {
        assert!(!passes(value), "{}", String::from_utf8_lossy(value));
    }
}

#[test]
fn of_a_suspect_head_and_its_readings_stays_what_is_needed() {
    let mut suspect = head(b"x-any", b"447700900123", b"/a?b");
    suspect.text.push(b"x-msisdn", b"none");
    suspect.text.push(b"accept", b"last");
    suspect.readings.push(odd_head(b"x-other", b"clean", b"/"));
    assert!(Sieve::new(&watch()).passes(&mut suspect, &mut Counts::default()));
    assert!(suspect.text.target_is_clean());
    let fields = |head: &RequestHead| {
        head.text
            .fields()
            .map(|(name, value)| [name, value].map(|octets| String::from_utf8_lossy(octets).into()))
            .collect::<Vec<[String; 2]>>()
    };
    let kept = [["x-any", "447700900123"], ["host", "shop.example"], ["x-msisdn", "none"]];
    assert_eq!(fields(&suspect), kept.map(|field| field.map(String::from)));
    assert_eq!((suspect.text.method(), suspect.text.target()), (&b"GET"[..], &b"/a?b"[..]));
    assert!(fields(&suspect.readings[0]).is_empty());
    assert_eq!(suspect.readings[0].text.version(), b"HTTP/1.1");
    let mut suspect = head(b"x-any", b"447700900123", b"/?447700900123");
    assert!(Sieve::new(&watch()).passes(&mut suspect, &mut Counts::default()));
    assert!(!suspect.text.target_is_clean());
}
