//! Two hosts with a cable between them, as network namespaces.
#![allow(dead_code, missing_docs)]

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A network namespace, held open.
pub(crate) struct Host(File);

impl Host {
    fn create() -> Option<Host> {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo made; read -r end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = [0; 5];
        let made = child.stdout.take()?.read_exact(&mut said).is_ok();
        let file = File::open(format!("/proc/{}/ns/net", child.id()));
        drop(child.stdin.take());
        let _ = child.wait();
        if made { Some(Host(file.ok()?)) } else { None }
    }

    /// Does something inside, on a thread of its own; threads that it starts stay there.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            inside.join().unwrap()
        })
    }

    /// `ip -batch` inside; panics with what it says.
    pub(crate) fn ip(&self, lines: &str) {
        let output = self.within(|| {
            let mut child = Command::new("ip")
                .args(["-batch", "-"])
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "{lines}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What `ip` prints inside.
    pub(crate) fn said(&self, arguments: &[&str]) -> String {
        let output = self.within(|| Command::new("ip").args(arguments).output().unwrap());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn has(&self, ip: &str) -> bool {
        self.said(&["-o", "addr", "show"]).contains(&format!(" {ip}/"))
    }
}

/// This host and its neighbour, each with `eth0`: 10.9.0.1 and .2, fd09::1 and ::2. `None`: not root, and nothing is tested.
pub(crate) fn neighbours() -> Option<(Host, Host)> {
    let root = rustix::process::geteuid().is_root();
    let Some((a, b)) = Some(()).filter(|()| root).and_then(|()| Some((Host::create()?, Host::create()?)))
    else {
        eprintln!("SKIPPED, nothing was tested: network namespaces need root");
        return None;
    };
    let path = format!("/proc/{}/fd/{}", std::process::id(), b.0.as_raw_fd());
    a.ip(&format!("link set lo up\nlink add eth0 type veth peer name eth0 netns {path}\n"));
    for (host, octet) in [(&a, 1), (&b, 2)] {
        host.ip(&format!(
            "addr add 10.9.0.{octet}/24 dev eth0\nlink set eth0 up\naddr add fd09::{octet}/64 dev eth0 nodad\n"
        ));
    }
    b.ip("link set lo up\n");
    Some((a, b))
}

/// Waits until it is so.
pub(crate) fn until(bound: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + bound;
    while !holds() {
        assert!(Instant::now() < end, "not within {bound:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
