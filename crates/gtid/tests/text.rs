//! What is read and printed, as tables. The accepted and refused texts were all seen on MySQL 9.7.4.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test, in its helpers too")]

use xenon_gtid::{Gtid, GtidSet, INTERVALS_MAX, NUMBER_MAX, ParseErrorKind, TEXT_BYTES_MAX, Tag, Uuid};

/// Stands for U in the tables.
const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn with_uuid(text: &str) -> String {
    text.replace('U', U)
}

#[test]
fn accepted_and_printed_canonically() {
    let cases = [
        ("", ""),
        ("  ", ""),
        (",", ""),
        (" , ,", ""),
        ("U", ""),
        ("U\n", ""),
        ("U,U:3", "U:3"),
        ("U:1", "U:1"),
        ("U:1-3:5", "U:1-3:5"),
        ("U:3:1:2", "U:1-3"),
        ("U:1-3:2-8", "U:1-8"),
        ("U:1:2", "U:1-2"),
        ("U:007", "U:7"),
        ("U:5-3", ""),
        ("U:5-0", ""),
        ("U:5-3:7", "U:7"),
        ("U:1:2-1:3", "U:1:3"),
        ("U:9223372036854775806", "U:9223372036854775806"),
        ("U:1-9223372036854775806", "U:1-9223372036854775806"),
        (" U : 1 - 3 : 5 ", "U:1-3:5"),
        ("U:1\t\n\u{b}\u{c}\r:3", "U:1:3"),
        (",U:1,,U:3,", "U:1:3"),
        ("U:1,\nU:3", "U:1:3"),
        ("U:tag", ""),
        ("U:1:tag", "U:1"),
        ("U:tag:1", "U:tag:1"),
        ("U:TaG:1", "U:tag:1"),
        ("U: tag : 1", "U:tag:1"),
        ("U:tag:tag2:3", "U:tag2:3"),
        ("U:1:tag:1:tag2:4:tag:3", "U:1:tag:1:3:tag2:4"),
        ("U:b:1:aa:2:_:3:5", "U:_:3:5:aa:2:b:1"),
        ("U:t:1,U:2", "U:2:t:1"),
        ("U:x10:1", "U:x10:1"),
        ("U:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1", "U:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1"),
        ("{U}:1", "U:1"),
        ("{U} :1", "U:1"),
        ("3E11FA47-71CA-11E1-9E33-C80AA9429562:1", "U:1"),
        ("3e11fa4771ca11e19e33c80aa9429562:1", "U:1"),
        (
            "ffffffff-ffff-ffff-ffff-ffffffffffff:1,U:t:1,00000000-0000-0000-0000-000000000000:1,U:1",
            "00000000-0000-0000-0000-000000000000:1,U:1:t:1,ffffffff-ffff-ffff-ffff-ffffffffffff:1",
        ),
    ];
    for (text, printed) in cases {
        let set: GtidSet = with_uuid(text).parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(set.to_string(), with_uuid(printed), "{text:?}");
        assert_eq!(set.is_empty(), printed.is_empty(), "{text:?}");
        assert_eq!(set, with_uuid(printed).parse().unwrap(), "{text:?}");
    }
}

#[test]
fn refused_with_kind_and_position() {
    use ParseErrorKind::*;
    // The second column is the text before the offending byte.
    let cases = [
        ("x", "", ExpectedUuid),
        ("+U:1", "", ExpectedUuid),
        ("ANONYMOUS", "A", ExpectedUuid),
        ("\u{a0}U:1", "", ExpectedUuid),
        ("U:1,x", "U:1,", ExpectedUuid),
        ("3e11fa47-71ca-11e1-9e33-c80aa942956:1", "3e11fa47-71ca-11e1-9e33-c80aa942956", ExpectedUuid),
        ("3e11fa47-71ca-11e1-9e33c80aa9429562:1", "3e11fa47-71ca-11e1-9e33", ExpectedUuid),
        ("3e11fa4771ca-11e1-9e33-c80aa9429562:1", "3e11fa4771ca", ExpectedUuid),
        ("{3e11fa4771ca11e19e33c80aa9429562}:1", "{3e11fa47", ExpectedUuid),
        ("{U:1", "{U", ExpectedUuid),
        ("{ U}:1", "{", ExpectedUuid),
        ("U}:1", "U", ExpectedColonCommaOrEnd),
        ("U0:1", "U", ExpectedColonCommaOrEnd),
        ("U:1 2", "U:1 ", ExpectedColonCommaOrEnd),
        ("U:1 U:3", "U:1 ", ExpectedColonCommaOrEnd),
        ("U:1-3-5", "U:1-3", ExpectedColonCommaOrEnd),
        ("U:1e3", "U:1", ExpectedColonCommaOrEnd),
        ("U:1;2", "U:1", ExpectedColonCommaOrEnd),
        ("U:1\0", "U:1", ExpectedColonCommaOrEnd),
        ("U:tag-1", "U:tag", ExpectedColonCommaOrEnd),
        ("U:té:1", "U:t", ExpectedColonCommaOrEnd),
        ("U:", "U:", ExpectedTagOrNumber),
        ("U: , U:1", "U: ", ExpectedTagOrNumber),
        ("U::1", "U:", ExpectedTagOrNumber),
        ("U:1:", "U:1:", ExpectedTagOrNumber),
        ("U:tag:", "U:tag:", ExpectedTagOrNumber),
        ("U:-1", "U:", ExpectedTagOrNumber),
        ("U:+1", "U:", ExpectedTagOrNumber),
        ("U:é:1", "U:", ExpectedTagOrNumber),
        ("U:1-", "U:1-", ExpectedNumber),
        ("U:1- ,", "U:1- ", ExpectedNumber),
        ("U:1--3", "U:1-", ExpectedNumber),
        ("U:1-tag", "U:1-", ExpectedNumber),
        ("U:0", "U:", NumberIsZero),
        ("U:0-5", "U:", NumberIsZero),
        ("U:0x10", "U:", NumberIsZero),
        ("U:t:00", "U:t:", NumberIsZero),
        ("U:9223372036854775807", "U:", NumberTooBig),
        ("U:9223372036854775807-3", "U:", NumberTooBig),
        ("U:1-9223372036854775807", "U:1-", NumberTooBig),
        ("U:18446744073709551617", "U:", NumberTooBig),
        ("U:99999999999999999999999999", "U:", NumberTooBig),
        ("U:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1", "U:", TagTooLong),
        ("0-1-100", "", LooksLikeMariaDb),
        (" 0-1-100,1-2-3", " ", LooksLikeMariaDb),
        ("U:1,12345678-1234-1234", "U:1,", LooksLikeMariaDb),
        ("12345678-1234-1234-5", "12345678-1234-1234-5", ExpectedUuid),
        ("0-1", "0", ExpectedUuid),
    ];
    for (text, before, kind) in cases {
        let (text, before) = (with_uuid(text), with_uuid(before));
        let Err(error) = text.parse::<GtidSet>() else { panic!("{text:?} was accepted") };
        assert_eq!((error.kind, error.position), (kind, before.len()), "{text:?}: {error}");
        assert!(text[error.position..].starts_with(&error.found), "{text:?}: {error}");
    }
}

#[test]
fn messages_say_what_where_and_what_was_expected() {
    let message = |text: &str| with_uuid(text).parse::<GtidSet>().unwrap_err().to_string();
    assert_eq!(message("U:1-x5"), r#"bad GTID text at byte 39: expected a number, found "x5""#);
    assert_eq!(
        message("U:"),
        "bad GTID text at byte 37: expected a tag or a number after ':', found the end of the text"
    );
    assert_eq!(
        message("0-1-100"),
        "bad GTID text at byte 0: this looks like a GTID position of MariaDB (domain-server-sequence); \
         expected a GTID of MySQL, which begins with a UUID, found \"0-1-100\""
    );
    assert_eq!(
        message("U:9223372036854775807"),
        "bad GTID text at byte 37: expected a number of at most 9223372036854775806, \
         found \"9223372036854775807\""
    );
    // A long or binary text does not flood the log.
    assert!(message(&"\u{1}é".repeat(1000)).len() < 300);
}

#[test]
fn single_values() {
    let gtid: Gtid = with_uuid(" U : Tag : 7 ").parse().unwrap();
    assert_eq!(gtid.to_string(), with_uuid("U:tag:7"));
    let gtid: Gtid = with_uuid("{U}:7").parse().unwrap();
    assert_eq!(gtid, Gtid::untagged(U.parse().unwrap(), 7));

    let refused = [
        ("", ParseErrorKind::ExpectedUuid),
        ("U", ParseErrorKind::ExpectedColon),
        ("U:", ParseErrorKind::ExpectedTagOrNumber),
        ("U:t", ParseErrorKind::ExpectedColon),
        ("U:t:u:1", ParseErrorKind::ExpectedNumber),
        ("U:1-2", ParseErrorKind::ExpectedEnd),
        ("U:1,", ParseErrorKind::ExpectedEnd),
        ("U:0", ParseErrorKind::NumberIsZero),
        ("0-1-100", ParseErrorKind::LooksLikeMariaDb),
    ];
    for (text, kind) in refused {
        assert_eq!(with_uuid(text).parse::<Gtid>().unwrap_err().kind, kind, "{text:?}");
    }

    assert_eq!(" {3E11FA47-71CA-11E1-9E33-C80AA9429562}\n".parse::<Uuid>().unwrap().to_string(), U);
    assert_eq!(with_uuid("U:1").parse::<Uuid>().unwrap_err().kind, ParseErrorKind::ExpectedEnd);
    assert_eq!("A_1".parse::<Tag>().unwrap().as_str(), "a_1");
    assert_eq!("1a".parse::<Tag>().unwrap_err().kind, ParseErrorKind::ExpectedTag);
    assert_eq!("".parse::<Tag>().unwrap_err().kind, ParseErrorKind::ExpectedTag);
    assert!("b".parse::<Tag>().unwrap() > "aa".parse::<Tag>().unwrap());
    assert!("a_".parse::<Tag>().unwrap() > "a".parse::<Tag>().unwrap());
}

#[test]
fn alternate_form_breaks_lines_as_servers_do() {
    let set: GtidSet = with_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff:1,U:1:t:2").parse().unwrap();
    assert_eq!(format!("{set:#}"), with_uuid("U:1:t:2,\nffffffff-ffff-ffff-ffff-ffffffffffff:1"));
    assert_eq!(format!("{set:?}"), set.to_string());
}

#[test]
fn texts_and_intervals_are_bounded() {
    let error = " ".repeat(TEXT_BYTES_MAX + 1).parse::<GtidSet>().unwrap_err();
    assert_eq!((error.kind, error.position), (ParseErrorKind::TextTooLong, TEXT_BYTES_MAX));
    // Empty intervals count too: the work has a bound, not only the result.
    let mut text = U.to_owned();
    text.push_str(&":1".repeat(INTERVALS_MAX));
    assert_eq!(text.parse::<GtidSet>().unwrap().count(), 1);
    text.push_str(":1");
    assert_eq!(text.parse::<GtidSet>().unwrap_err().kind, ParseErrorKind::TooManyIntervals);
}

/// Falling order is the worst case for an insertion into a sorted vector; each would move all before it.
#[test]
fn intervals_in_falling_order_are_read_without_quadratic_work() {
    let mut text = U.to_owned();
    for number in (1..=200_000_u64).rev() {
        text.push_str(&format!(":{}", number * 2));
    }
    let set: GtidSet = text.parse().unwrap();
    assert_eq!((set.count(), set.intervals().count()), (200_000, 200_000));
}

#[test]
fn serde_is_the_text() {
    let set: GtidSet = with_uuid("U:1-3:tag:5").parse().unwrap();
    let json = serde_json::to_string(&set).unwrap();
    assert_eq!(json, format!("\"{set}\""));
    assert_eq!(serde_json::from_str::<GtidSet>(&json).unwrap(), set);
    let uuid: Uuid = U.parse().unwrap();
    let keyed = std::collections::BTreeMap::from([(uuid, set)]);
    let json = serde_json::to_string(&keyed).unwrap();
    assert_eq!(serde_json::from_str::<std::collections::BTreeMap<Uuid, GtidSet>>(&json).unwrap(), keyed);
    let error = serde_json::from_str::<GtidSet>("\"0-1-100\"").unwrap_err().to_string();
    assert!(error.contains("MariaDB"), "{error}");
}

#[test]
fn markers_and_data() {
    let marker: Uuid = "11111111-1111-1111-1111-111111111111".parse().unwrap();
    let received: GtidSet = with_uuid(&format!("{marker}:1-3:7:t:9,U:1-5")).parse().unwrap();
    assert_eq!(received.last_number(&marker), Some(7));
    assert_eq!(received.without_uuid(&marker).to_string(), with_uuid("U:1-5"));
    assert_eq!(received.only_uuid(&marker).to_string(), format!("{marker}:1-3:7:t:9"));
    assert_eq!(received.uuids().collect::<Vec<_>>(), [marker, U.parse().unwrap()]);
    assert_eq!(GtidSet::new().last_number(&marker), None);
    // A tagged GTID is no marker.
    let tagged: GtidSet = format!("{marker}:t:9").parse().unwrap();
    assert_eq!(tagged.last_number(&marker), None);
}

#[test]
fn numbers_that_no_gtid_has_are_left_out() {
    let uuid: Uuid = U.parse().unwrap();
    let mut set = GtidSet::new();
    assert!(!set.insert(Gtid::untagged(uuid, 0)));
    assert!(!set.insert(Gtid::untagged(uuid, NUMBER_MAX + 1)));
    assert!(!set.insert_range(uuid, None, 5, 4));
    assert!(!set.insert_range(uuid, None, 0, 0));
    assert!(set.is_empty() && set == GtidSet::default());
    assert!(set.insert_range(uuid, None, 0, u64::MAX));
    assert_eq!(set.to_string(), with_uuid("U:1-9223372036854775806"));
    assert!(!set.insert(Gtid::untagged(uuid, NUMBER_MAX)));
    assert!(!set.contains(&Gtid::untagged(uuid, 0)) && !set.contains(&Gtid::untagged(uuid, u64::MAX)));
    assert!(set.contains(&Gtid::untagged(uuid, NUMBER_MAX)));
    for tag in ["a", "b"] {
        assert!(set.insert_range(uuid, Some(tag.parse().unwrap()), 1, NUMBER_MAX));
    }
    assert_eq!(set.count(), u64::MAX);
}
