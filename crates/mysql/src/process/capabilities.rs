//! Rights of the agent that mysqld has no use for.

use std::io;

/// Does `work`, which starts a program, without handing on what the agent may do to the host's network: a service manager gives
/// it capabilities that its children inherit (ambient ones), and mysqld has no use for them. They belong to a thread, so it is
/// done on one of its own, and the agent's hooks keep them.
pub(super) fn without_capabilities<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    // A child of tokio's is waited for by the runtime, which another thread must be shown.
    let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            let _runtime = runtime.enter();
            if let Err(error) = rustix::thread::clear_ambient_capability_set() {
                // A kernel without ambient capabilities has none to hand on.
                tracing::debug!(%error, "ambient capabilities cannot be cleared");
            }
            work()
        })?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the starting thread ended in a panic")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{
        CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities,
    };

    async fn ambient_of_child(child: io::Result<tokio::process::Child>) -> String {
        let output = child.expect("grep").wait_with_output().await.expect("its output");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn grep() -> tokio::process::Command {
        let mut command = tokio::process::Command::new("grep");
        command.args(["CapAmb", "/proc/self/status"]).stdout(std::process::Stdio::piped());
        command
    }

    #[tokio::test]
    async fn a_child_inherits_none_and_the_agent_keeps_its_own() {
        let mut sets = capabilities(None).expect("own capabilities");
        sets.inheritable |= CapabilitySet::NET_RAW;
        let raised = set_capabilities(None, sets)
            .and_then(|()| configure_capability_in_ambient_set(CapabilitySet::NET_RAW, true));
        if let Err(error) = raised {
            println!("skipped: only root has a capability to hand on ({error})");
            return;
        }
        let before = ambient_of_child(grep().spawn()).await;
        assert_eq!(before, "CapAmb:\t0000000000002000", "a child inherits it as a rule");
        let child = without_capabilities(|| grep().spawn());
        assert_eq!(ambient_of_child(child).await, "CapAmb:\t0000000000000000");
        assert_eq!(ambient_of_child(grep().spawn()).await, before, "hooks still get it");
    }
}
