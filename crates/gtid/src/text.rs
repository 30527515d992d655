//! Values to text, and both directions for serde: every type of this crate is a string there.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Gtid, GtidSet, Tag, Uuid};

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous = None;
        for interval in self.intervals() {
            let source = (interval.uuid, interval.tag);
            match previous {
                Some(previous) if previous == source => {}
                // Without a tag comes first, so what follows under the same UUID has one.
                Some((uuid, _)) if uuid == interval.uuid => write_tag(f, interval.tag)?,
                _ => {
                    if previous.is_some() {
                        f.write_str(if f.alternate() { ",\n" } else { "," })?;
                    }
                    write!(f, "{}", interval.uuid)?;
                    write_tag(f, interval.tag)?;
                }
            }
            previous = Some(source);
            match interval.first == interval.last {
                true => write!(f, ":{}", interval.first)?,
                false => write!(f, ":{}-{}", interval.first, interval.last)?,
            }
        }
        Ok(())
    }
}

fn write_tag(f: &mut fmt::Formatter<'_>, tag: Option<Tag>) -> fmt::Result {
    match tag {
        Some(tag) => write!(f, ":{tag}"),
        None => Ok(()),
    }
}

impl fmt::Debug for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

macro_rules! as_string {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_string!(Uuid, Tag, Gtid, GtidSet);
