//! Every operation against the simplest thing that can be right: a set of single transactions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test, in its helpers too")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use xenon_gtid::{Gtid, GtidSet, Tag, Uuid};

const UUIDS: [&str; 3] = [
    "00000000-0000-0000-0000-00000000000a",
    "3e11fa47-71ca-11e1-9e33-c80aa9429562",
    "ffffffff-ffff-4fff-bfff-ffffffffffff",
];
const TAGS: [&str; 4] = ["", "a", "aa", "b_1"];

/// One piece of a set, as written: UUID and tag by index, then an interval, which is empty where `last` is less.
#[derive(Clone, Debug)]
struct Piece {
    uuid: usize,
    tag: usize,
    first: u64,
    last: u64,
}

impl Piece {
    fn uuid(&self) -> Uuid {
        UUIDS[self.uuid].parse().unwrap()
    }

    fn tag(&self) -> Option<Tag> {
        (self.tag > 0).then(|| TAGS[self.tag].parse().unwrap())
    }
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (0..UUIDS.len(), 0..TAGS.len(), 1..25_u64, -2..5_i64).prop_map(|(uuid, tag, first, more)| {
        Piece { uuid, tag, first, last: first.saturating_add_signed(more) }
    });
    proptest::collection::vec(piece, 0..16)
}

fn model(pieces: &[Piece]) -> BTreeSet<Gtid> {
    let gtids = pieces.iter().flat_map(|piece| {
        (piece.first..=piece.last).map(|number| Gtid { uuid: piece.uuid(), tag: piece.tag(), number })
    });
    gtids.collect()
}

fn set(pieces: &[Piece]) -> GtidSet {
    let mut set = GtidSet::new();
    for piece in pieces {
        set.insert_range(piece.uuid(), piece.tag(), piece.first, piece.last);
    }
    set
}

/// The GTIDs of a set, one by one.
fn members(set: &GtidSet) -> BTreeSet<Gtid> {
    let gtids = set.intervals().flat_map(|interval| {
        (interval.first..=interval.last).map(move |number| Gtid {
            uuid: interval.uuid,
            tag: interval.tag,
            number,
        })
    });
    gtids.collect()
}

/// The pieces as text, with white space, upper case and empty items as `noise` has it.
fn noisy_text(pieces: &[Piece], noise: &[u8]) -> String {
    let mut noise = noise.iter().copied().cycle();
    let mut next = move || noise.next().unwrap_or_default();
    let mut text = String::new();
    let mut previous: Option<&Piece> = None;
    for piece in pieces {
        let mut tokens = Vec::new();
        let same_uuid = previous.is_some_and(|previous| previous.uuid == piece.uuid);
        // Once a tag was named, only another UUID (or the same again) leads back to none.
        let goes_on = same_uuid && (piece.tag != 0 || previous.is_some_and(|previous| previous.tag == 0));
        if !goes_on || next() % 4 == 0 {
            tokens.extend([",", UUIDS[piece.uuid]]);
        }
        let same_tag = tokens.is_empty() && previous.is_some_and(|previous| previous.tag == piece.tag);
        if piece.tag != 0 && (!same_tag || next() % 4 == 0) {
            tokens.extend([":", TAGS[piece.tag]]);
        }
        let (first, last) = (piece.first.to_string(), piece.last.to_string());
        tokens.extend([":", &first]);
        if piece.first != piece.last || next() % 4 == 0 {
            tokens.extend(["-", &last]);
        }
        for token in tokens {
            text.push_str(match next() % 12 {
                0 => " ",
                1 => "\n",
                2 => "\t\r",
                3 => "\u{b}\u{c} ",
                4 if token == "," => ",,",
                _ => "",
            });
            match next() % 3 {
                0 => text.push_str(&token.to_uppercase()),
                _ => text.push_str(token),
            }
        }
        previous = Some(piece);
    }
    text
}

proptest! {
    #[test]
    fn operations_agree_with_the_model(a in pieces(), b in pieces()) {
        let (set_a, set_b, model_a, model_b) = (set(&a), set(&b), model(&a), model(&b));
        prop_assert_eq!(members(&set_a), model_a.clone());
        prop_assert_eq!(set_a.count(), model_a.len() as u64);
        prop_assert_eq!(set_a.is_empty(), model_a.is_empty());
        prop_assert_eq!(members(&set_a.union(&set_b)), &model_a | &model_b);
        prop_assert_eq!(members(&set_a.subtract(&set_b)), &model_a - &model_b);
        prop_assert_eq!(members(&set_a.intersect(&set_b)), &model_a & &model_b);
        prop_assert_eq!(set_a.contains_set(&set_b), model_a.is_superset(&model_b));
        prop_assert_eq!(set_a.intersects(&set_b), !model_a.is_disjoint(&model_b));
        prop_assert_eq!(set_a == set_b, model_a == model_b);
        prop_assert_eq!(set_a.cmp(&set_b).is_eq(), model_a == model_b);
        for gtid in &model_b {
            prop_assert_eq!(set_a.contains(gtid), model_a.contains(gtid));
        }
        for uuid in UUIDS.map(|uuid| uuid.parse::<Uuid>().unwrap()) {
            let only: BTreeSet<Gtid> = model_a.iter().filter(|gtid| gtid.uuid == uuid).copied().collect();
            prop_assert_eq!(members(&set_a.without_uuid(&uuid)), &model_a - &only);
            let untagged = only.iter().filter(|gtid| gtid.tag.is_none());
            prop_assert_eq!(set_a.last_number(&uuid), untagged.map(|gtid| gtid.number).max());
            prop_assert_eq!(set_a.uuids().any(|other| other == uuid), !only.is_empty());
            prop_assert_eq!(members(&set_a.only_uuid(&uuid)), only);
        }
    }

    /// The canonical form does not depend on how a set came about.
    #[test]
    fn equal_sets_are_equal_values(a in pieces(), b in pieces()) {
        let (set_a, set_b) = (set(&a), set(&b));
        let united = set_a.union(&set_b);
        prop_assert_eq!(&united, &set_b.union(&set_a));
        prop_assert_eq!(&united, &model(&a).union(&model(&b)).copied().collect::<GtidSet>());
        prop_assert_eq!(&united.subtract(&set_b).union(&set_b), &united);
        prop_assert_eq!(&set_a.intersect(&set_b), &set_a.subtract(&set_a.subtract(&set_b)));
        prop_assert_eq!(&set_a.subtract(&set_a), &GtidSet::new());
        prop_assert!(united.contains_set(&set_a) && united.contains_set(&united));
    }

    #[test]
    fn insertion_tells_what_is_new(a in pieces(), b in pieces()) {
        let (mut all, mut model) = (set(&a), model(&a));
        for gtid in self::model(&b) {
            prop_assert_eq!(all.insert(gtid), model.insert(gtid));
        }
        prop_assert_eq!(members(&all), model);
    }

    #[test]
    fn printed_text_reads_back(a in pieces()) {
        let set = set(&a);
        prop_assert_eq!(&set.to_string().parse::<GtidSet>().unwrap(), &set);
        prop_assert_eq!(&format!("{set:#}").parse::<GtidSet>().unwrap(), &set);
        prop_assert_eq!(&serde_json::from_str::<GtidSet>(&serde_json::to_string(&set).unwrap()).unwrap(), &set);
        for gtid in members(&set) {
            prop_assert_eq!(gtid.to_string().parse::<Gtid>().unwrap(), gtid);
        }
    }

    #[test]
    fn noise_changes_nothing(a in pieces(), noise in proptest::collection::vec(any::<u8>(), 1..64)) {
        let text = noisy_text(&a, &noise);
        let read: GtidSet = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
        prop_assert_eq!(read, set(&a));
    }

    #[test]
    fn any_text_gives_a_set_or_an_error_within_it(text in "\\PC{0,80}|[0-9a-fA-F:,{} \n-]{0,120}") {
        let _ = (text.parse::<Gtid>(), text.parse::<Uuid>(), text.parse::<Tag>());
        if let Err(error) = text.parse::<GtidSet>() {
            prop_assert!(error.position <= text.len() && text.is_char_boundary(error.position));
            prop_assert!(text[error.position..].starts_with(&error.found));
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// Nearly right texts reach further than arbitrary ones: one character replaced anywhere.
    #[test]
    fn damaged_text_gives_a_set_or_an_error(a in pieces(), at in any::<prop::sample::Index>(), new in any::<char>()) {
        let mut chars: Vec<char> = set(&a).to_string().chars().collect();
        if !chars.is_empty() {
            let at = at.index(chars.len());
            chars[at] = new;
        }
        let text: String = chars.into_iter().collect();
        if let Ok(set) = text.parse::<GtidSet>() {
            prop_assert_eq!(set.to_string().parse::<GtidSet>(), Ok(set));
        }
    }
}
