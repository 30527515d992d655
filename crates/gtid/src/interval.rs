//! Sorted, disjoint, non-adjacent intervals of numbers, and the five operations on them.
//!
//! All five are one walk along both sides: with n and m intervals they take at most n + m steps (the tests count
//! them). They take iterators, so that only what is kept is allocated; `contains` and `intersects` allocate nothing.

/// Numbers from `first` to `last`, both included; `first <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Interval {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Interval {
    /// How many numbers there are.
    pub(crate) fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// True if `next`, which does not begin before `self`, overlaps it or follows without a gap.
    fn joins(self, next: Interval) -> bool {
        next.first <= self.last.saturating_add(1)
    }
}

/// Appends `next`, which does not begin before the last interval, to sorted intervals.
fn append(intervals: &mut Vec<Interval>, next: Interval) {
    match intervals.last_mut() {
        Some(last) if last.joins(next) => last.last = last.last.max(next.last),
        _ => intervals.push(next),
    }
}

/// Adds an interval to sorted ones. At or after the end, where new transactions go, this takes a constant number of
/// steps.
pub(crate) fn insert(intervals: &mut Vec<Interval>, new: Interval) {
    match intervals.last() {
        Some(last) if new.first < last.first => {}
        _ => return append(intervals, new),
    }
    // Those that end right before `new`, or later, and begin right after it, or earlier, become one with it.
    let from = intervals.partition_point(|old| old.last.saturating_add(1) < new.first);
    let to = intervals.partition_point(|old| old.first <= new.last.saturating_add(1));
    let joined = match intervals.get(from..to) {
        Some([only]) => Interval { first: new.first.min(only.first), last: new.last.max(only.last) },
        Some([least, .., greatest]) => {
            Interval { first: new.first.min(least.first), last: new.last.max(greatest.last) }
        }
        _ => new,
    };
    intervals.splice(from..to, [joined]);
}

/// Brings intervals of any order, with any overlaps, into the canonical form.
pub(crate) fn canonical(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    intervals.dedup_by(|next, kept| {
        let joins = kept.joins(*next);
        if joins {
            kept.last = kept.last.max(next.last);
        }
        joins
    });
    intervals
}

/// The numbers that are in `a` or in `b`.
pub(crate) fn union(a: impl Iterator<Item = Interval>, b: impl Iterator<Item = Interval>) -> Vec<Interval> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    let mut united = Vec::new();
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(in_a), Some(in_b)) if in_b.first < in_a.first => b.next(),
            (Some(_), _) => a.next(),
            (None, _) => b.next(),
        };
        match next {
            Some(next) => append(&mut united, next),
            None => return united,
        }
    }
}

/// The numbers that are in `a` and not in `b`.
pub(crate) fn subtract(
    a: impl Iterator<Item = Interval>,
    mut b: impl Iterator<Item = Interval>,
) -> Vec<Interval> {
    let mut left = Vec::new();
    let mut in_b = b.next();
    for Interval { mut first, last } in a {
        loop {
            match in_b {
                Some(cut) if cut.last < first => in_b = b.next(),
                Some(cut) if cut.first <= last => {
                    if first < cut.first {
                        left.push(Interval { first, last: cut.first - 1 });
                    }
                    if last <= cut.last {
                        // `cut` may go on into the next interval of `a`: keep it.
                        break;
                    }
                    first = cut.last + 1;
                    in_b = b.next();
                }
                _ => {
                    left.push(Interval { first, last });
                    break;
                }
            }
        }
    }
    left
}

/// The numbers that are in both, as an iterator over intervals that are sorted and disjoint.
fn common(
    mut a: impl Iterator<Item = Interval>,
    mut b: impl Iterator<Item = Interval>,
) -> impl Iterator<Item = Interval> {
    let (mut in_a, mut in_b) = (a.next(), b.next());
    std::iter::from_fn(move || {
        loop {
            let (x, y) = (in_a?, in_b?);
            let both = Interval { first: x.first.max(y.first), last: x.last.min(y.last) };
            if x.last <= y.last {
                in_a = a.next();
            } else {
                in_b = b.next();
            }
            if both.first <= both.last {
                return Some(both);
            }
        }
    })
}

/// The numbers that are in `a` and in `b`.
pub(crate) fn intersect(
    a: impl Iterator<Item = Interval>,
    b: impl Iterator<Item = Interval>,
) -> Vec<Interval> {
    common(a, b).collect()
}

/// True if some number is in both.
pub(crate) fn intersects(a: impl Iterator<Item = Interval>, b: impl Iterator<Item = Interval>) -> bool {
    common(a, b).next().is_some()
}

/// True if all numbers of `b` are in `a`.
pub(crate) fn contains(mut a: impl Iterator<Item = Interval>, b: impl Iterator<Item = Interval>) -> bool {
    let mut in_a = a.next();
    for needed in b {
        while in_a.is_some_and(|have| have.last < needed.first) {
            in_a = a.next();
        }
        // Intervals of a set are never adjacent, so a needed one must lie within a single one.
        match in_a {
            Some(have) if have.first <= needed.first && needed.last <= have.last => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// The intervals as an iterator that counts how often it is asked.
    fn counted<'a>(intervals: &'a [Interval], steps: &'a Cell<usize>) -> impl Iterator<Item = Interval> + 'a {
        intervals.iter().copied().inspect(|_| steps.set(steps.get() + 1))
    }

    fn intervals(pairs: &[(u64, u64)]) -> Vec<Interval> {
        pairs.iter().map(|&(first, last)| Interval { first, last }).collect()
    }

    fn is_canonical(intervals: &[Interval]) -> bool {
        intervals.iter().all(|interval| interval.first <= interval.last)
            && intervals.windows(2).all(|pair| pair[0].last + 1 < pair[1].first)
    }

    fn any_intervals() -> impl Strategy<Value = Vec<Interval>> {
        let pair = (1..60_u64, 0..6_u64).prop_map(|(first, more)| Interval { first, last: first + more });
        proptest::collection::vec(pair, 0..12).prop_map(canonical)
    }

    /// Many intervals that interleave, so that each operation must look at all of both sides.
    #[test]
    fn big_sets_take_linear_time() {
        let size = 100_000;
        let of = |offset: u64, length: u64| -> Vec<Interval> {
            (0..size).map(|n| Interval { first: n * 10 + offset, last: n * 10 + offset + length }).collect()
        };
        let (big, inner, apart) = (of(1, 4), of(2, 1), of(7, 1));
        let bound = 2 * usize::try_from(size).unwrap();
        let steps_of = |operation: &dyn Fn(&Cell<usize>)| {
            let steps = Cell::new(0);
            operation(&steps);
            steps.get()
        };
        for other in [&inner, &apart, &big] {
            let steps = [
                steps_of(&|n| drop(union(counted(&big, n), counted(other, n)))),
                steps_of(&|n| drop(subtract(counted(&big, n), counted(other, n)))),
                steps_of(&|n| drop(intersect(counted(&big, n), counted(other, n)))),
                steps_of(&|n| {
                    let _ = intersects(counted(&big, n), counted(other, n));
                }),
                steps_of(&|n| {
                    let _ = contains(counted(&big, n), counted(other, n));
                }),
            ];
            assert!(steps.iter().all(|steps| *steps <= bound), "{steps:?} of at most {bound}");
        }
        assert!(contains(counted(&big, &Cell::new(0)), counted(&inner, &Cell::new(0))));
    }

    #[test]
    fn appending_touches_only_the_end() {
        let mut all = intervals(&[(1, 5), (8, 9)]);
        let grow = [(10, 10), (11, 20), (19, 19), (22, 22), (21, 21)];
        for (first, last) in grow {
            insert(&mut all, Interval { first, last });
        }
        assert_eq!(all, intervals(&[(1, 5), (8, 22)]));
    }

    #[test]
    fn insertion_closes_gaps_and_keeps_others() {
        let before = intervals(&[(3, 4), (8, 9), (13, 14)]);
        let cases = [
            ((1, 1), vec![(1, 1), (3, 4), (8, 9), (13, 14)]),
            ((1, 2), vec![(1, 4), (8, 9), (13, 14)]),
            ((5, 7), vec![(3, 9), (13, 14)]),
            ((6, 6), vec![(3, 4), (6, 6), (8, 9), (13, 14)]),
            ((8, 9), vec![(3, 4), (8, 9), (13, 14)]),
            ((1, 20), vec![(1, 20)]),
            ((9, 12), vec![(3, 4), (8, 14)]),
            ((14, 15), vec![(3, 4), (8, 9), (13, 15)]),
        ];
        for ((first, last), after) in cases {
            let mut all = before.clone();
            insert(&mut all, Interval { first, last });
            assert_eq!(all, intervals(&after), "{first}-{last}");
        }
    }

    proptest! {
        #[test]
        fn results_are_canonical_and_steps_are_bounded(a in any_intervals(), b in any_intervals()) {
            let steps = Cell::new(0);
            let (walk_a, walk_b) = (|| counted(&a, &steps), || counted(&b, &steps));
            let results =
                [union(walk_a(), walk_b()), subtract(walk_a(), walk_b()), intersect(walk_a(), walk_b())];
            prop_assert!(results.iter().all(|result| is_canonical(result)), "{:?}", results);
            let _ = contains(walk_a(), walk_b());
            let _ = intersects(walk_a(), walk_b());
            prop_assert!(steps.get() <= 5 * (a.len() + b.len()));
        }

        #[test]
        fn inserting_is_uniting(a in any_intervals(), first in 1..60_u64, more in 0..30_u64) {
            let new = Interval { first, last: first + more };
            let mut inserted = a.clone();
            insert(&mut inserted, new);
            prop_assert_eq!(inserted, union(a.iter().copied(), [new].into_iter()));
        }
    }
}
