//! The crate against a real server: thousands of generated texts and pairs of sets, each answer compared.
//!
//! The server is the one of `scripts/mysql` (`MYSQL_BASEDIR` names another). It runs for this test alone, in a temporary
//! folder, on a socket there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test, in its helpers too")]

use std::fmt::Write as _;

use xenon_gtid::GtidSet;

use crate::generate::{Random, UUIDS};
use crate::server::Server;

mod generate;
mod server;

/// How many texts are generated, and how many pairs of the valid ones are compared.
const TEXTS: usize = 3_000;
const PAIRS: usize = 3_000;

#[test]
fn agrees_with_the_server() {
    let server = Server::start();
    let mut random = Random(0x5eed_9710);
    let mut texts: Vec<String> = FIXED.iter().map(|text| text.replace('U', UUIDS[0])).collect();
    texts.extend((0..TEXTS).map(|_| random.text()));

    let canonical = server.ask(texts.iter().map(|text| format!("HEX(GTID_SUBTRACT({}, ''))", literal(text))));
    let mut valid = Vec::new();
    let mut wrong = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let theirs = canonical.get(&index).map(|hex| String::from_utf8(unhex(hex)));
        match (text.parse::<GtidSet>(), theirs) {
            // Deliberate: see the crate's documentation. Nothing else may be accepted there and refused here.
            (Err(_), Some(Err(_))) if !text.is_ascii() => {}
            (Ok(ours), Some(Ok(theirs))) if format!("{ours:#}") == theirs => valid.push((text, ours)),
            (Err(_), None) => {}
            (ours, theirs) => wrong.push(format!("{text:?}: ours {ours:?}, server's {theirs:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} texts differ:\n{}", wrong.len(), wrong.join("\n"));
    let refused = texts.len() - valid.len();
    assert!(valid.len() > TEXTS / 4 && refused > TEXTS / 4, "{} valid, {refused} refused", valid.len());

    let pairs: Vec<_> = (0..PAIRS).map(|_| (random.pick(&valid), random.pick(&valid))).collect();
    let answers = server.ask(pairs.iter().map(|((a, _), (b, _))| {
        let (a, b) = (literal(a), literal(b));
        format!("CONCAT(GTID_SUBSET({a}, {b}), HEX(GTID_SUBTRACT({a}, {b})))")
    }));
    let mut subsets = 0;
    for (index, ((text_a, a), (text_b, b))) in pairs.iter().enumerate() {
        let answer = answers.get(&index).unwrap_or_else(|| panic!("no answer for {text_a:?}, {text_b:?}"));
        let (subset, left) = answer.split_at(1);
        let left = String::from_utf8(unhex(left)).unwrap();
        assert_eq!(b.contains_set(a), subset == "1", "GTID_SUBSET({text_a:?}, {text_b:?})");
        assert_eq!(format!("{:#}", a.subtract(b)), left, "GTID_SUBTRACT({text_a:?}, {text_b:?})");
        // The server has no functions for these two; they follow from the difference.
        let left: GtidSet = left.parse().unwrap();
        assert_eq!(a.intersect(b), a.subtract(&left));
        assert_eq!(a.union(b), left.union(b));
        assert_eq!(a.intersects(b), left != *a);
        subsets += usize::from(subset == "1");
    }
    assert!(subsets > PAIRS / 20 && subsets < PAIRS / 2, "{subsets} subsets of {PAIRS} pairs test little");
    eprintln!("{} texts accepted, {refused} refused, {PAIRS} pairs, {subsets} subsets", valid.len());
}

/// Forms that chance would hardly find; U is a UUID.
#[rustfmt::skip]
const FIXED: &[&str] = &[
    "", " ", ",", ", ,", "U", "U:", "U:1", "U:0", "U:00", "U:0-5", "U:0-0", "U:5-3", "U:5-0", "U:5-3:7",
    "U:1-", "U:-1", "U:1-3-5", "U:+1", "U:1-+3", "U:0x10", "U:010", "U:08", "U:1e3", "U:1--3", "U:5--0",
    "U:9223372036854775806", "U:9223372036854775807", "U:9223372036854775807-3", "U:9223372036854775808",
    "U:18446744073709551615", "U:18446744073709551616-3", "U:1-9223372036854775806",
    "U:1-9223372036854775807", "U:1-18446744073709551615", "U:1-18446744073709551616",
    "U:99999999999999999999999", "{U}:1", "{U} :1", "{ U}:1", "{U }:1", "{U:1", "U}:1",
    "{3e11fa4771ca11e19e33c80aa9429562}:1", "3e11fa4771ca11e19e33c80aa9429562:1",
    "3e11fa4771ca-11e1-9e33-c80aa9429562:1", "3e11fa47-71ca-11e1-9e33c80aa9429562:1",
    "3e11fa47-71ca-11e1-9e33-c80aa942956:1", "U0:1", "U:1 2", "U:1 U:3", "U:1;2", "U,U:3", "U , U:1", "U\n",
    "U:1\u{b}:3", "U:1\u{c}:3", "U:1\u{85}:3", "\u{a0}U:1", "\u{3000}", "\u{feff}U:1", "U:1\0", "\0",
    "U:tag", "U:tag:", "U:tag1", "U:1tag", "U:tag-1", "U:t$:1", "U:té:1", "U:é:1", "U:tag:tag2:3",
    "U:1:tag", "U:t,U:u:1", "U:t:1,U:2", "U:a:1:A:2:b:1", "U:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
    "U:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1", "U::1", "U:1::2", "U:1:", "0-1-100", "0-1-100,1-2-3",
    "ANONYMOUS", "AUTOMATIC", "+U:1", "U:x10:1", "U:1,x", "U:b:1:aa:1:ab:1:a:1:_:1:a0:1",
];

/// The text as an SQL literal that no client or server unescapes.
fn literal(text: &str) -> String {
    let mut literal = "_utf8mb4 X'".to_owned();
    for byte in text.bytes() {
        write!(literal, "{byte:02x}").unwrap();
    }
    literal.push('\'');
    literal
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
