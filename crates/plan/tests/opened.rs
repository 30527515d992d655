//! F3: a replica that somebody opens is noticed; one that was opened by us is not.

mod support;

use support::*;
use xenon_plan::{ClosedWatch, Role};

#[test]
fn f3_only_what_was_seen_closed_in_this_role_can_have_been_opened() {
    let closed = fresh_server();
    let open = open_primary().server.unwrap_or_else(fresh_server);
    let table: [(&str, Role, &[bool], bool); 5] = [
        ("opened", follow("n2"), &[true, false], true),
        ("told once", follow("n2"), &[true, false, false], false),
        ("a deposed primary that is not closed yet", fenced(), &[false, false], false),
        ("the primary", primary(), &[true, false], false),
        ("not ours to close", Role::Unmanaged, &[true, false], false),
    ];
    for (what, role, looks, expected) in table {
        let mut watch = ClosedWatch::default();
        let last = looks
            .iter()
            .map(|is_closed| watch.on_look(&role, if *is_closed { &closed } else { &open }))
            .last();
        assert_eq!(last, Some(expected), "{what}");
    }
    let mut watch = ClosedWatch::default();
    watch.on_look(&follow("n2"), &closed);
    watch.on_role();
    assert!(!watch.on_look(&fenced(), &open), "opened by a promotion in between");
}
