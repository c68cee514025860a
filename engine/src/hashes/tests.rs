//! The table, against every digest that it was made of.

use super::*;

fn numbers() -> Numbers {
    let ranges = vec![(44_770_090_000, 44_770_090_009), (447_700_900_000, 447_700_901_233)];
    Numbers { country: "44".into(), trunk: "0".into(), ranges }
}

fn table() -> HashTable {
    let mut octets = vec![0; 16];
    write_sections(&numbers(), &mut octets, |_| Ok(())).unwrap();
    HashTable::new(numbers(), Octets::Memory(octets), 16)
}

#[test]
fn has_every_digest_of_every_number_and_no_other() {
    let table = table();
    for number in [44_770_090_000_u64, 447_700_900_000, 447_700_900_123, 447_700_901_233] {
        let national = number.to_string().split_off(2);
        for text in [format!("{number}"), format!("+{number}"), format!("0{national}")] {
            let digests = [Md5::digest(&text).to_vec(), Sha1::digest(&text).to_vec(), Sha256::digest(&text).to_vec()];
            for mut digest in digests {
                assert!(table.has(&digest), "{text}");
                *digest.last_mut().unwrap() ^= 1;
                assert!(!table.has(&digest));
            }
        }
    }
    assert!(!table.has(&Md5::digest("447700901234")));
    assert!(!table.has(b"too short"));
}

#[test]
fn a_table_that_is_cut_has_nothing_behind_the_cut() {
    let table = HashTable::new(numbers(), Octets::Memory(vec![0xFF; 40]), 16);
    assert!(!table.has(&Md5::digest("447700900123")));
}

#[test]
fn who_asks_how_far_it_is_can_stop_it() {
    let stopped = write_sections(&numbers(), &mut Vec::new(), |_| Err(io::Error::other("enough")));
    assert_eq!(stopped.unwrap_err().to_string(), "enough");
}
