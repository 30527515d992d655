//! F3: a server that is to be closed, was seen closed, and is found open.

use crate::observation::ServerState;
use crate::role::Role;

/// Watches one server in one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClosedWatch {
    seen_closed: bool,
}

impl ClosedWatch {
    /// The role has changed: whoever opened it until now may have been right.
    pub fn on_role(&mut self) {
        self.seen_closed = false;
    }

    /// A look, and whether it shows that somebody has opened the server since an earlier one.
    pub fn on_look(&mut self, role: &Role, server: &ServerState) -> bool {
        let to_be_closed = matches!(
            role,
            Role::Fenced { .. }
                | Role::Suspended { .. }
                | Role::Replica { .. }
                | Role::Invalid { .. }
                | Role::Removed
        );
        let opened = to_be_closed && self.seen_closed && !server.super_read_only;
        self.seen_closed = to_be_closed && server.super_read_only;
        opened
    }
}
