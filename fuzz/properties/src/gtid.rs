//! Texts of GTID sets.

use xenon_gtid::{Gtid, GtidSet};

/// Two texts, one on each side of a `;`: what is read prints and reads as itself, and the arithmetic of the two sets
/// agrees with itself.
pub fn gtid(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (left, right) = text.split_once(';').unwrap_or((text, ""));
    if let Ok(one) = left.parse::<Gtid>() {
        assert_eq!(one.to_string().parse(), Ok(one));
    }
    let (Ok(a), Ok(b)) = (read(left), read(right)) else { return };
    let (union, both, only_a) = (a.union(&b), a.intersect(&b), a.subtract(&b));
    assert!(union.contains_set(&a) && union.contains_set(&b));
    assert!(a.contains_set(&both) && b.contains_set(&both));
    assert_eq!(only_a.union(&both), a);
    assert!(!only_a.intersects(&b));
    assert_eq!(a.intersects(&b), !both.is_empty());
    assert_eq!(a.contains_set(&b), b.subtract(&a).is_empty());
    assert_eq!(a == b, a.contains_set(&b) && b.contains_set(&a));
}

fn read(text: &str) -> Result<GtidSet, xenon_gtid::ParseError> {
    let set: GtidSet = text.parse().inspect_err(|error: &xenon_gtid::ParseError| {
        assert!(error.position <= text.len() && !error.to_string().is_empty());
    })?;
    assert_eq!(set.to_string().parse(), Ok(set.clone()));
    assert_eq!(format!("{set:#}").parse(), Ok(set.clone()));
    Ok(set)
}
