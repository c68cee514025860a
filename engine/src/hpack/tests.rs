//! HPACK, by the examples of RFC 7541 and blocks that are none.

use super::*;
use crate::testing::{Random, hex};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

const REQUEST: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];

fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn whole(known: &[(&str, &str)], unresolved: u64) -> Block {
    Block { fields: fields(known), count: known.len(), unresolved, whole: true, bounded: false }
}

/// Everything is needed but fields and names of these letters alone.
struct AllBut(u8);

impl Needs for AllBut {
    fn field(&self, _: &[u8], value: &[u8]) -> bool {
        !value.iter().all(|octet| *octet == self.0)
    }

    fn name(&self, name: &[u8]) -> bool {
        !name.iter().all(|octet| *octet == self.0)
    }
}

fn decoded(blocks: &[&str]) -> Vec<Block> {
    let mut decoder = Hpack::new(65536);
    blocks.iter().map(|block| decoder.decode(&hex(block), usize::MAX, &())).collect()
}

/// The code as text, by appendix B's rule alone.
fn huffman_coded(octets: &[u8]) -> Vec<u8> {
    let mut codes = vec![String::new(); 257];
    let mut symbols: Vec<usize> = (0..257).collect();
    symbols.sort_by_key(|&symbol| (CODE_BITS[symbol], symbol));
    let (mut code, mut bits) = (0_u64, 0);
    for symbol in symbols {
        code <<= CODE_BITS[symbol] - bits;
        bits = CODE_BITS[symbol];
        codes[symbol] = format!("{code:0width$b}", width = usize::from(bits));
        code += 1;
    }
    let mut text: String = octets.iter().map(|&octet| codes[usize::from(octet)].as_str()).collect();
    while !text.len().is_multiple_of(8) {
        text.push('1');
    }
    text.as_bytes().chunks(8).map(|bits| bits.iter().fold(0, |octet, bit| octet << 1 | (bit - b'0'))).collect()
}

#[test]
fn reads_the_examples_of_the_rfc() {
    let plain = [
        "828684410f7777772e6578616d706c652e636f6d", // appendix C.3: without Huffman coding
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ];
    let coded = [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff", // appendix C.4: with
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ];
    let second = [&REQUEST[..], &[("cache-control", "no-cache")]].concat();
    let mut third = REQUEST.to_vec();
    third[1].1 = "https";
    third[2].1 = "/index.html";
    third.push(("custom-key", "custom-value"));
    let read = [whole(&REQUEST, 0), whole(&second, 0), whole(&third, 0)];
    assert_eq!(decoded(&plain), read);
    assert_eq!(decoded(&coded), read);
}

#[test]
fn huffman_is_the_inverse_of_the_code() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(huffman_decoded(&huffman_coded(&all)), all);
    let mut random = Random::new(7541);
    for _ in 0..500 {
        let text = random.octets(40);
        assert_eq!(huffman_decoded(&huffman_coded(&text)), text);
    }
    let mut ended = huffman_coded(b"aaaaaaaa");
    ended.extend([0xFF, 0xFF, 0xFF, 0xFF, 0, 0]);
    assert_eq!(huffman_decoded(&ended), b"aaaaaaaa");
}

#[test]
fn a_value_counts_though_its_name_is_unknown() {
    let block = "7e0c343437373030393030313233bebf82";
    let known = [("", "447700900123"), ("", "447700900123"), (":method", "GET")];
    assert_eq!(decoded(&[block]), [whole(&known, 3)]);
}

#[test]
fn fields_before_an_unreadable_one_are_kept() {
    for tail in ["80", "40", "4001", "400161", "40016102ff", "ff", "ffffffffffffffff7f", "3fffffffffff7f"] {
        let read = decoded(&[&format!("824003782d610131{tail}"), "be"]);
        let before = whole(&[(":method", "GET"), ("x-a", "1")], 0);
        // where the entries stand now is not known
        assert_eq!(read, [Block { whole: false, ..before }, whole(&[], 1)], "{tail}");
    }
}

#[test]
fn a_size_update_evicts_and_the_limit_holds() {
    let entry = "4001610162"; // a: b, 34 octets
    let two = entry.repeat(2);
    let read = decoded(&[&two, "bebf", "3f05", "bebf", "3fe11f", entry, "bf"]);
    assert_eq!(read[3..], [whole(&[("a", "b")], 1), whole(&[], 0), whole(&[("a", "b")], 0), whole(&[("a", "b")], 0)]);
    // "an attempt to add an entry larger than the maximum size causes the table to be emptied"
    assert_eq!(decoded(&[&format!("20{entry}be")]), [whole(&[("a", "b")], 1)]);
}

#[test]
fn a_bomb_is_bounded_and_the_table_kept() {
    let mut decoder = Hpack::new(65536);
    let bomb = [&hex("4001627fa11e"), &[b'y'; 4000][..], &[0xBE; 16000], &hex("4001610162")].concat();
    let block = decoder.decode(&bomb, usize::MAX, &());
    assert!(block.bounded && block.whole);
    let size: usize = block.fields.iter().map(|(name, value)| name.len() + value.len() + ENTRY_OVERHEAD).sum();
    assert!(size <= 65536);
    assert_eq!(decoder.decode(&[0xBE], usize::MAX, &()).fields, fields(&[("a", "b")]));
}

#[test]
fn the_table_is_bounded_whatever_the_sender_allows_itself() {
    let mut decoder = Hpack::new(65536);
    decoder.decode(&hex("3fffffff7f"), usize::MAX, &());
    for number in 0..3000 {
        decoder.decode(format!("\x40\x06{number:06}\0").as_bytes(), usize::MAX, &());
    }
    assert_eq!(decoder.decode(&[0xBE], usize::MAX, &()).fields, fields(&[("002999", "")]));
    assert_eq!(decoder.table.len(), MAX_TABLE_BYTES / (6 + ENTRY_OVERHEAD));
    assert_eq!(decoder.table_bytes, decoder.table.iter().map(Entry::size).sum::<usize>());
}

#[test]
fn no_octets_panic_and_the_bound_holds() {
    let mut random = Random::new(1);
    let mut decoder = Hpack::new(100);
    for _ in 0..20_000 {
        let block = decoder.decode(&random.octets(60), usize::MAX, &());
        let size: usize = block.fields.iter().map(|(name, value)| name.len() + value.len() + ENTRY_OVERHEAD).sum();
        assert!(size <= 100);
        assert_eq!(decoder.table_bytes, decoder.table.iter().map(Entry::size).sum::<usize>());
    }
}

#[test]
fn the_same_entry_again_and_again_says_no_more() {
    let value = "b".repeat(223); // 256 octets, as RFC 7541 counts
    let long = [&hex("4001617f60"), value.as_bytes()].concat();
    let mut decoder = Hpack::new(65536);
    let mut named = |coded: &[u8]| decoder.decode(coded, usize::MAX, &());
    assert_eq!(named(&[&long[..], &[0xBE; 9]].concat()), whole(&[("a", value.as_str()); 5], 0));
    assert_eq!(named(&hex("bebebebebebebebebe82")).fields.last(), fields(&[(":method", "GET")]).last());
    assert_eq!(named(&[&long[..], &hex("bfbe")].concat()), whole(&[("a", value.as_str()); 3], 0));
}

#[test]
fn long_entries_that_nobody_needs_are_counted_and_not_told() {
    let long = |letter: u8| [&hex("400178"), &[70][..], &[letter; 70]].concat(); // x: letters
    let mut decoder = Hpack::new(65536);
    let first = decoder.decode(&[long(b'n'), long(b'y')].concat(), usize::MAX, &AllBut(b'n'));
    assert_eq!((first.fields.len(), first.count), (2, 2)); // they were just sent
    let mut named = |coded: &[u8], most: usize| {
        let block = decoder.decode(coded, most, &AllBut(b'n'));
        (block.fields.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), block.count)
    };
    assert_eq!(named(&hex("bfbe82"), usize::MAX), (vec![vec![b'y'; 70], b"GET".to_vec()], 3));
    assert_eq!(named(&hex("bfbe82"), 2), (vec![vec![b'y'; 70]], 3));
    // a long name that is referred to; its value is new each time
    named(&[&hex("40"), &[70][..], &[b'n'; 70], &hex("0131")].concat(), usize::MAX);
    assert_eq!(named(&hex("0f2f016e0f2f016d"), usize::MAX), (vec![b"m".to_vec()], 2));
}

#[test]
fn who_needs_something_else_is_asked_again() {
    let long = [&hex("400178"), &[70][..], &[b'n'; 70]].concat();
    let mut decoder = Hpack::new(65536);
    decoder.decode(&long, usize::MAX, &AllBut(b'n'));
    assert_eq!(decoder.decode(&hex("be"), usize::MAX, &AllBut(b'n')).fields.len(), 0);
    assert_eq!(decoder.decode(&hex("be"), usize::MAX, &AllBut(b'y')).fields.len(), 0, "remembered");
    decoder.ask_again();
    assert_eq!(decoder.decode(&hex("be"), usize::MAX, &AllBut(b'y')).fields.len(), 1);
}
