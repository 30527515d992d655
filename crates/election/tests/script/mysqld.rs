//! A mysqld as far as the protocol sees one: what it has received, from whom it receives, whether it writes.

use crate::show::server_uuid;
use xenon_election::{Directive, LocalView, NodeId, ServerView, Term};
use xenon_gtid::{Gtid, GtidSet, Uuid};

pub(crate) struct Mysqld {
    pub(crate) number: u8,
    pub(crate) received: GtidSet,
    /// The receiver runs and has this source.
    pub(crate) source: Option<NodeId>,
    /// It acknowledges to its source.
    pub(crate) acknowledges: bool,
    pub(crate) writable: bool,
    /// L2 is under way or done in this term, with this W.
    pub(crate) leads: Option<(Term, u32)>,
    pub(crate) promoted: bool,
    pub(crate) runs: bool,
    /// Receives nothing though its receiver runs.
    pub(crate) lags: bool,
}

impl Mysqld {
    pub(crate) fn new(number: u8) -> Mysqld {
        Mysqld {
            number,
            received: GtidSet::new(),
            source: None,
            acknowledges: false,
            writable: false,
            leads: None,
            promoted: false,
            runs: true,
            lags: false,
        }
    }

    /// What the plans would do to reach it, all at once.
    pub(crate) fn direct(&mut self, directive: &Directive, markers: Uuid) {
        match directive {
            Directive::Unmanaged | Directive::Hold | Directive::Stopped => {}
            Directive::Lead { term, acknowledgements, closed, .. } => {
                self.source = None;
                self.leads = Some((*term, *acknowledgements));
                let marker = Gtid { uuid: markers, tag: None, number: *term };
                if !self.received.contains(&marker) {
                    // L2, L3: everything received is applied, and then comes the marker.
                    self.promoted = false;
                    self.received.insert(marker);
                }
                self.writable = self.promoted && !closed;
            }
            Directive::Follow { source_host, acknowledge, .. } => {
                self.close();
                self.source = Some(NodeId::from(source_host.as_str()));
                self.acknowledges = *acknowledge;
            }
            // D4: nobody is served, and replicas that still hang here go on.
            Directive::Suspend { .. } => self.writable = false,
            Directive::Fence { .. } | Directive::Invalid { .. } | Directive::Removed => self.close(),
        }
    }

    /// Accepts nothing more and writes nothing more.
    pub(crate) fn close(&mut self) {
        self.writable = false;
        self.leads = None;
        self.source = None;
    }

    /// Whose server the receiver is connected to.
    pub(crate) fn source_uuid(&self) -> Option<Uuid> {
        let number = self.source.as_ref()?.as_str().trim_start_matches('n').parse().ok()?;
        Some(server_uuid(number))
    }

    /// A client's transaction, not acknowledged yet.
    pub(crate) fn write(&mut self) -> Gtid {
        let uuid = server_uuid(self.number);
        let gtid = Gtid { uuid, tag: None, number: self.received.last_number(&uuid).unwrap_or(0) + 1 };
        self.received.insert(gtid);
        gtid
    }

    pub(crate) fn view(&self, name: &NodeId, clients: u32) -> LocalView {
        LocalView {
            server: self.runs.then(|| ServerView {
                server_uuid: server_uuid(self.number),
                received: self.received.clone(),
                unapplied: 0,
                acknowledging: self.source.is_some() && self.acknowledges,
                acknowledging_clients: clients,
                semi_sync_on: clients > 0,
                receives_from: self.source_uuid(),
                ..ServerView::default()
            }),
            source_host: name.to_string(),
            source_port: 3306,
            ..LocalView::default()
        }
    }
}
