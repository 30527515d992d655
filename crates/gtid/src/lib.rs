//! GTID sets of MySQL: parse, print, compare.
