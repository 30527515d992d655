//! Messages to and from the kernel: the bytes of netlink, and a socket for questions and answers.

use nix::sys::socket::{MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, sendto};
use rustix::net::RecvFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const REPLACE: u16 = 0x100;
pub(crate) const CREATE: u16 = 0x400;
const INTERRUPTED: u16 = 0x10;

const ERROR: u16 = 2;
const DONE: u16 = 3;

/// Length of a message's head, bytes.
const HEAD: usize = 16;
/// The kernel makes no larger parts of a dump.
const BUFFER: usize = 64 * 1024;
/// How long an answer of the kernel may take.
const ANSWERS: Duration = Duration::from_secs(2);
/// Dumps in which something changed meanwhile are asked for again so often.
const AGAIN: usize = 5;

/// A message being written.
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    pub(crate) fn new(kind: u16, flags: u16) -> Message {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        // Its number and the sender's, set when it is sent.
        bytes.extend([0; 8]);
        Message { bytes }
    }

    pub(crate) fn put(mut self, bytes: &[u8]) -> Message {
        self.bytes.extend(bytes);
        self
    }

    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Message {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    fn finish(mut self, number: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.splice(0..4, length.to_ne_bytes());
        self.bytes.splice(8..12, number.to_ne_bytes());
        self.bytes
    }
}

/// A message that came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received<'a> {
    pub(crate) kind: u16,
    flags: u16,
    number: u32,
    pub(crate) body: &'a [u8],
}

/// The messages of one datagram; whatever does not hold together ends them.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let body = bytes.get(HEAD..length)?;
        let message =
            Received { kind: u16_at(bytes, 4)?, flags: u16_at(bytes, 6)?, number: u32_at(bytes, 8)?, body };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes behind a message's fixed part.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)?;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_ne_bytes(*chunk))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_ne_bytes(*chunk))
}

/// A socket to the kernel.
pub(crate) struct Socket {
    fd: OwnedFd,
    number: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// `groups`: of which events it wants to hear.
    pub(crate) fn open(protocol: SockProtocol, groups: u32) -> io::Result<Socket> {
        let family = nix::sys::socket::AddressFamily::Netlink;
        let fd = nix::sys::socket::socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        nix::sys::socket::bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        set_socket_timeout(&fd, Timeout::Recv, Some(ANSWERS))?;
        Ok(Socket { fd, number: 0, buffer: vec![0; BUFFER] })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn send(&mut self, message: Message) -> io::Result<u32> {
        self.number = self.number.wrapping_add(1);
        let bytes = message.finish(self.number);
        sendto(self.fd.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        Ok(self.number)
    }

    /// Asks for something to be done; the kernel says whether it is.
    pub(crate) fn ask(&mut self, message: Message) -> io::Result<()> {
        let number = self.send(message)?;
        loop {
            let (_, length) = rustix::net::recv(&self.fd, &mut self.buffer[..], RecvFlags::empty())?;
            let bytes = self.buffer.get(..length).unwrap_or_default();
            if let Some(answer) = messages(bytes).find(|answer| answer.number == number) {
                return verdict(&answer);
            }
        }
    }

    /// Asks for a list and reads it to its end.
    pub(crate) fn dump<T>(
        &mut self,
        message: impl Fn() -> Message,
        read: impl Fn(&Received<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut list = Vec::new();
        for _ in 0..AGAIN {
            list.clear();
            if self.dump_once(message(), &read, &mut list)? {
                break;
            }
        }
        Ok(list)
    }

    /// Says whether nothing changed meanwhile.
    fn dump_once<T>(
        &mut self,
        message: Message,
        read: &impl Fn(&Received<'_>) -> Option<T>,
        list: &mut Vec<T>,
    ) -> io::Result<bool> {
        let number = self.send(message)?;
        let mut whole = true;
        loop {
            let (_, length) = rustix::net::recv(&self.fd, &mut self.buffer[..], RecvFlags::empty())?;
            let bytes = self.buffer.get(..length).unwrap_or_default();
            for message in messages(bytes).filter(|message| message.number == number) {
                whole &= message.flags & INTERRUPTED == 0;
                match message.kind {
                    DONE => return Ok(whole),
                    ERROR => return verdict(&message).map(|()| whole),
                    _ => list.extend(read(&message)),
                }
            }
        }
    }

    /// The bytes of the next event, if there is one now.
    pub(crate) fn event(&mut self) -> io::Result<Option<&[u8]>> {
        match rustix::net::recv(&self.fd, &mut self.buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, length)) => Ok(self.buffer.get(..length)),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// An answer of 0 says that it is done.
fn verdict(answer: &Received<'_>) -> io::Result<()> {
    let code = answer.body.first_chunk().map_or(0, |chunk| i32::from_ne_bytes(*chunk));
    match code {
        _ if answer.kind != ERROR => Ok(()),
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let message = Message::new(20, REQUEST).put(&[1, 2, 3, 4]).attribute(7, b"abcde").attribute(9, &[]);
        let bytes = message.finish(5);
        assert_eq!(bytes.len() % 4, 0);
        let read: Vec<_> = messages(&bytes).collect();
        assert_eq!((read.len(), read[0].kind, read[0].number), (1, 20, 5));
        let attributes: Vec<_> = attributes(&read[0].body[4..]).collect();
        assert_eq!(attributes, [(7, &b"abcde"[..]), (9, &[][..])]);
    }

    #[test]
    fn bytes_that_do_not_hold_together_end_the_list() {
        for length in 0..32 {
            let bytes = vec![3; length];
            assert_eq!(messages(&bytes).count(), 0);
        }
        // Shorter than its own head: no progress must not mean no end.
        assert_eq!(messages(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0);
    }
}
