//! The service address, moved by the two hooks of the config.

use crate::agent::Agent;
use crate::hooks::{self, HookFailure};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::EventKind;
use xenon_config::{Config, Hook};
use xenon_plan::Address;

/// Pause before a hook that was not done is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Where [`Agent::note_address`] writes.
pub(crate) fn address_file(config: &Config) -> PathBuf {
    config.raft.meta_datadir.join("address")
}

impl Agent {
    pub(crate) fn move_address(&mut self, up: bool, why: &str) {
        let hook =
            if up { &self.config.raft.leader_start_command } else { &self.config.raft.leader_stop_command };
        match hook {
            Hook::Nothing => self.local.address = if up { Address::Here } else { Address::Away },
            Hook::Command(command) => {
                let word = if up { "leader-start-command" } else { "leader-stop-command" };
                self.events.push(EventKind::Hook, format!("running {word}: {why}"));
                self.local.address = Address::Moving;
                let bound = Duration::from_millis(self.config.raft.hook_timeout_ms);
                hooks::spawn(command.clone(), up, bound, self.inputs.clone());
            }
        }
    }

    pub(crate) fn on_hook(&mut self, up: bool, result: Result<String, HookFailure>) {
        let word = if up { "leader-start-command" } else { "leader-stop-command" };
        self.local.address_retry = None;
        let (address, retry) = match (up, &result) {
            (true, Ok(_)) => (Address::Here, false),
            // The usual stop command fails when the address is not there, which is what was wanted.
            (false, Ok(_) | Err(HookFailure::Exited(_))) => (Address::Away, false),
            (true, Err(_)) | (false, Err(HookFailure::NotDone(_))) => (Address::Unknown, true),
        };
        self.local.address = address;
        if retry {
            self.local.address_retry = Some(Instant::now() + RETRY);
        }
        self.note_address();
        match result {
            Ok(output) => {
                self.events.push(EventKind::Hook, format!("{word} done {output}").trim_end().to_owned())
            }
            Err(failure) if retry => {
                let seconds = RETRY.as_secs();
                self.events.push(
                    EventKind::Trouble,
                    format!("{word} failed: {failure}; tried again in {seconds} s"),
                );
            }
            Err(failure) => self.events.push(
                EventKind::Hook,
                format!("{word} ended with an error (usual when the address was not here): {failure}"),
            ),
        }
    }

    /// Where the address was left, for the agent's next start (T3 must not guess).
    fn note_address(&self) {
        let path = address_file(&self.config);
        let here = self.local.address == Address::Here;
        // In a thread of its own: the disk may not answer. A note that is missing costs a run of the start hook.
        std::mem::drop(tokio::task::spawn_blocking(move || {
            std::fs::write(path, if here { "here\n" } else { "away\n" })
        }));
    }
}
