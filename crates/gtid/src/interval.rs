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
