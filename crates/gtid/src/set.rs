//! Sets of GTIDs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::gtid::{Gtid, NUMBER_MAX};
use crate::interval::{self, Interval};
use crate::tag::Tag;
use crate::uuid::Uuid;

/// Where numbers are counted: each UUID has one sequence without a tag and one for each tag.
pub(crate) type Source = (Uuid, Option<Tag>);

/// A set of GTIDs, as `gtid_executed`, `Retrieved_Gtid_Set` and the binary log hold it.
///
/// Always canonical: equal sets are equal values, with one text. Prints as servers do, on one line
/// (`uuid:1-3:5:tag:1-5,uuid2:7`); `{:#}` puts a newline after each comma, byte for byte what servers print. The
/// crate's documentation says what text is read.
///
/// With n and m intervals on the two sides, comparing and combining take time in O(n + m), apart from looking UUIDs
/// up. The order (`Ord`) is total and arbitrary, for keys and sorted output: it is *not* the order of inclusion, for
/// that see [`GtidSet::contains_set`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GtidSet {
    /// Of each source the canonical intervals, never none.
    sources: BTreeMap<Source, Vec<Interval>>,
}

/// Some successive GTIDs of a set: the numbers from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceInterval {
    /// The UUID of all of them.
    pub uuid: Uuid,
    /// The tag of all of them.
    pub tag: Option<Tag>,
    /// The least number.
    pub first: u64,
    /// The greatest number; not less than `first`.
    pub last: u64,
}

impl GtidSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        GtidSet { sources: BTreeMap::new() }
    }

    /// The set of these intervals, which may have any order and overlap.
    pub(crate) fn from_raw(raw: BTreeMap<Source, Vec<Interval>>) -> Self {
        let sources = raw.into_iter().map(|(source, intervals)| (source, interval::canonical(intervals)));
        GtidSet { sources: sources.filter(|(_, intervals)| !intervals.is_empty()).collect() }
    }

    /// True if there is no GTID in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The number of GTIDs; `u64::MAX` if there are more (from three full sources on).
    #[must_use]
    pub fn count(&self) -> u64 {
        self.sources.values().flatten().fold(0, |sum: u64, interval| sum.saturating_add(interval.count()))
    }

    /// True if this GTID is in the set.
    #[must_use]
    pub fn contains(&self, gtid: &Gtid) -> bool {
        let intervals = self.of(&(gtid.uuid, gtid.tag));
        let at = intervals.partition_point(|interval| interval.last < gtid.number);
        intervals.get(at).is_some_and(|interval| interval.first <= gtid.number)
    }

    /// True if every GTID of `other` is in `self`: superset or equal. `GTID_SUBSET(other, self)` in SQL.
    #[must_use]
    pub fn contains_set(&self, other: &GtidSet) -> bool {
        other.sources.iter().all(|(source, theirs)| interval::contains(walk(self.of(source)), walk(theirs)))
    }

    /// True if some GTID is in both.
    #[must_use]
    pub fn intersects(&self, other: &GtidSet) -> bool {
        other.sources.iter().any(|(source, theirs)| interval::intersects(walk(self.of(source)), walk(theirs)))
    }

    /// The GTIDs that are in `self`, in `other`, or in both.
    #[must_use]
    pub fn union(&self, other: &GtidSet) -> GtidSet {
        let mut united = self.clone();
        united.union_with(other);
        united
    }

    /// Adds the GTIDs of `other` to `self`. Allocates nothing where `self` has them already, as is the rule when
    /// successive observations of one server are united.
    pub fn union_with(&mut self, other: &GtidSet) {
        for (source, theirs) in &other.sources {
            match self.sources.entry(*source) {
                Entry::Vacant(absent) => {
                    absent.insert(theirs.clone());
                }
                Entry::Occupied(mut present) => {
                    let ours = present.get_mut();
                    if let [only] = theirs.as_slice() {
                        interval::insert(ours, *only);
                    } else if !interval::contains(walk(ours), walk(theirs)) {
                        *ours = interval::union(walk(ours), walk(theirs));
                    }
                }
            }
        }
    }

    /// The GTIDs that are in `self` and not in `other`. `GTID_SUBTRACT(self, other)` in SQL.
    #[must_use]
    pub fn subtract(&self, other: &GtidSet) -> GtidSet {
        self.combine(|source, ours| match other.of(source) {
            [] => ours.to_vec(),
            theirs => interval::subtract(walk(ours), walk(theirs)),
        })
    }

    /// The GTIDs that are in `self` and in `other`.
    #[must_use]
    pub fn intersect(&self, other: &GtidSet) -> GtidSet {
        self.combine(|source, ours| interval::intersect(walk(ours), walk(other.of(source))))
    }

    /// Adds one GTID. True if it was not in the set before.
    ///
    /// A number that no GTID can have (0, or more than [`NUMBER_MAX`]) adds nothing.
    pub fn insert(&mut self, gtid: Gtid) -> bool {
        !self.contains(&gtid) && self.insert_range(gtid.uuid, gtid.tag, gtid.number, gtid.number)
    }

    /// Adds the numbers from `first` to `last`, both included. True if there are any to add: false if
    /// `first > last`.
    ///
    /// Numbers that no GTID can have (0, and those above [`NUMBER_MAX`]) are left out.
    pub fn insert_range(&mut self, uuid: Uuid, tag: Option<Tag>, first: u64, last: u64) -> bool {
        let new = Interval { first: first.max(1), last: last.min(NUMBER_MAX) };
        if new.first > new.last {
            return false;
        }
        interval::insert(self.sources.entry((uuid, tag)).or_default(), new);
        true
    }

    /// The greatest number of `uuid` without a tag, or `None` if the set has none: of the UUID of the cluster's
    /// markers, the term that its holder has seen (the protocol's marker).
    #[must_use]
    pub fn last_number(&self, uuid: &Uuid) -> Option<u64> {
        self.of(&(*uuid, None)).last().map(|interval| interval.last)
    }

    /// The set without the GTIDs of `uuid`, of whatever tag: with the UUID of the cluster's markers, the protocol's data.
    #[must_use]
    pub fn without_uuid(&self, uuid: &Uuid) -> GtidSet {
        self.retained(|other| other != uuid)
    }

    /// The GTIDs of `uuid`, of whatever tag.
    #[must_use]
    pub fn only_uuid(&self, uuid: &Uuid) -> GtidSet {
        self.retained(|other| other == uuid)
    }

    /// The UUIDs of the set, sorted, each once.
    pub fn uuids(&self) -> impl Iterator<Item = Uuid> + '_ {
        let mut previous = None;
        self.sources.keys().map(|(uuid, _)| *uuid).filter(move |uuid| previous.replace(*uuid) != Some(*uuid))
    }

    /// The intervals of the set, sorted by UUID, tag (none first) and number. Those of one UUID and tag neither
    /// overlap nor touch.
    pub fn intervals(&self) -> impl Iterator<Item = SourceInterval> + '_ {
        self.sources.iter().flat_map(|(&(uuid, tag), intervals)| {
            intervals.iter().map(move |&Interval { first, last }| SourceInterval { uuid, tag, first, last })
        })
    }

    /// The intervals of one source, maybe none.
    fn of(&self, source: &Source) -> &[Interval] {
        self.sources.get(source).map_or(&[], Vec::as_slice)
    }

    /// The set of what `operation` makes of each source.
    fn combine(&self, operation: impl Fn(&Source, &[Interval]) -> Vec<Interval>) -> GtidSet {
        let sources = self.sources.iter().map(|(source, ours)| (*source, operation(source, ours)));
        GtidSet { sources: sources.filter(|(_, intervals)| !intervals.is_empty()).collect() }
    }

    /// The sources whose UUID is `wanted`.
    fn retained(&self, wanted: impl Fn(&Uuid) -> bool) -> GtidSet {
        let sources = self.sources.iter().filter(|((uuid, _), _)| wanted(uuid));
        GtidSet { sources: sources.map(|(source, intervals)| (*source, intervals.clone())).collect() }
    }
}

fn walk(intervals: &[Interval]) -> impl Iterator<Item = Interval> + '_ {
    intervals.iter().copied()
}

impl From<Gtid> for GtidSet {
    fn from(gtid: Gtid) -> Self {
        GtidSet::from_iter([gtid])
    }
}

impl Extend<Gtid> for GtidSet {
    fn extend<T: IntoIterator<Item = Gtid>>(&mut self, gtids: T) {
        for gtid in gtids {
            self.insert(gtid);
        }
    }
}

impl FromIterator<Gtid> for GtidSet {
    fn from_iter<T: IntoIterator<Item = Gtid>>(gtids: T) -> Self {
        let mut set = GtidSet::new();
        set.extend(gtids);
        set
    }
}
