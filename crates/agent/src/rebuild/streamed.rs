//! What a rebuild by stream asks of the donor, and what a donor says of itself.

use super::calls::no;
use crate::agent::Agent;
use crate::donation::method_of;
use crate::hands;
use tokio::sync::oneshot;
use xenon_api::{DonorFacts, PROTOCOL_VERSION, Reply, Response, StreamRequest, ToolFacts, Wanted};
use xenon_election::NodeId;
use xenon_plan::rebuild::{Journal, ToolSeen};

impl Agent {
    /// `None` for a rebuild by CLONE, and as long as no donor is known.
    pub(super) fn stream_order(&self, journal: &Journal) -> Option<hands::StreamOrder> {
        let tool = hands::tool_of(journal.way)?;
        let donor = journal.donor.as_ref()?;
        let cluster = self.core.record().config.as_ref()?.cluster;
        let what = Wanted::Copy {
            method: method_of(journal.way),
            throttle_mib_s: journal.throttle_mib_s.unwrap_or(0),
        };
        Some(hands::StreamOrder {
            client: self.client.clone(),
            from: NodeId::new(donor.id.clone()),
            request: StreamRequest { version: PROTOCOL_VERSION, from: self.core.id().clone(), cluster, what },
            tool,
            bindir: self.config.backup.xtrabackup_bindir.clone(),
            memory: self.config.backup.backup_use_memory.clone(),
            data_bytes: donor.data_bytes,
        })
    }

    /// Another agent wants to copy this node's data. `streams`: it could do so by stream, too.
    pub(crate) fn on_donor_facts(&self, streams: bool, reply: oneshot::Sender<Reply>) {
        let Some(server) = self.local.server.as_ref() else {
            let _ = reply.send(no("its mysqld does not answer", "name another donor"));
            return;
        };
        let data = std::path::PathBuf::from(&server.data_dir);
        let mut facts = DonorFacts {
            host: self.config.replication_host().to_owned(),
            port: self.config.mysql.port,
            version: server.version.clone(),
            ..DonorFacts::default()
        };
        let (door, bindir) = (self.means.door.clone(), self.config.backup.xtrabackup_bindir.clone());
        tokio::spawn(async move {
            let looked = if streams {
                let (looked, tools) =
                    tokio::join!(hands::donor_for_streams(&door, &data), hands::tools(&bindir));
                facts.tools = tools.into_iter().map(tool_facts).collect();
                looked
            } else {
                hands::donor(&door, &data).await.map(|bytes| (bytes, None))
            };
            let answer = match looked {
                Ok((data_bytes, no_clone)) => {
                    Reply::Ok(Response::Donor(DonorFacts { data_bytes, no_clone, ..facts }))
                }
                Err(why) => no(why, "name another donor with --from, or cure that"),
            };
            let _ = reply.send(answer);
        });
    }
}

fn tool_facts(seen: ToolSeen) -> ToolFacts {
    let method = method_of(seen.way);
    match seen.found {
        Ok(version) => ToolFacts { method, version: Some(version), lacks: String::new() },
        Err(lacks) => ToolFacts { method, version: None, lacks },
    }
}
