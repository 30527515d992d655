//! Frames of ARP (RFC 826, 5227) and neighbour discovery (RFC 4861, 4862): written and read, without IO.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A hardware address of an Ethernet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Mac([a, b, c, d, e, g]) = self;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

const EVERYBODY: Mac = Mac([0xff; 6]);
const NOBODY: Mac = Mac([0; 6]);
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
/// The shortest frame without its checksum.
const SHORTEST: usize = 60;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Asks who has an address, without saying anything of the asker that others could remember.
pub(crate) fn probe(ip: IpAddr, mac: Mac) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => arp(1, mac, Ipv4Addr::UNSPECIFIED, NOBODY, ip),
        IpAddr::V6(ip) => {
            let [.., a, b, c] = ip.octets();
            let group =
                Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
            let mut body = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
            body.extend(ip.octets());
            icmp(mac, Ipv6Addr::UNSPECIFIED, group, body)
        }
    }
}

/// Tells everybody who has it now. Two forms for IPv4: some listen to one, some to the other.
pub(crate) fn announcements(ip: IpAddr, mac: Mac) -> Vec<Vec<u8>> {
    match ip {
        IpAddr::V4(ip) => vec![arp(1, mac, ip, NOBODY, ip), arp(2, mac, ip, EVERYBODY, ip)],
        IpAddr::V6(ip) => {
            let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
            // Flag: it overrides what is known. Option 2: the hardware address.
            let mut body = vec![ADVERTISEMENT, 0, 0, 0, 0x20, 0, 0, 0];
            body.extend(ip.octets());
            body.extend([2, 1]);
            body.extend(mac.0);
            vec![icmp(mac, ip, all_nodes, body)]
        }
    }
}

fn ethernet(to: Mac, from: Mac, kind: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(96);
    frame.extend(to.0);
    frame.extend(from.0);
    frame.extend(kind.to_be_bytes());
    frame
}

fn arp(operation: u16, sender: Mac, sender_ip: Ipv4Addr, target: Mac, target_ip: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(EVERYBODY, sender, ARP);
    // Ethernet and IPv4, with addresses of 6 and 4 bytes.
    frame.extend([0, 1, 8, 0, 6, 4]);
    frame.extend(operation.to_be_bytes());
    frame.extend(sender.0);
    frame.extend(sender_ip.octets());
    frame.extend(target.0);
    frame.extend(target_ip.octets());
    frame.resize(SHORTEST, 0);
    frame
}

/// To a group, whose hardware address follows from its own.
fn icmp(mac: Mac, from: Ipv6Addr, to: Ipv6Addr, mut body: Vec<u8>) -> Vec<u8> {
    let [.., a, b, c, d] = to.octets();
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let mut summed = Vec::with_capacity(40 + body.len());
    summed.extend(from.octets());
    summed.extend(to.octets());
    summed.extend(u32::from(length).to_be_bytes());
    summed.extend([0, 0, 0, 58]);
    summed.extend(&body);
    body.splice(2..4, checksum(&summed).to_be_bytes());
    let mut frame = ethernet(Mac([0x33, 0x33, a, b, c, d]), mac, IPV6);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    // ICMPv6; and only the own link may send with this hop limit, which receivers check.
    frame.extend([58, 255]);
    frame.extend(from.octets());
    frame.extend(to.octets());
    frame.extend(body);
    frame
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// Who says in this frame that it has the address: any ARP message that names it as its sender.
pub(crate) fn arp_claim(frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let body = frame.get(14..42).filter(|_| frame.get(12..14) == Some(&ARP.to_be_bytes()[..]))?;
    if body.get(..6)? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let mac = Mac(body.get(8..14)?.try_into().ok()?);
    let ip = Ipv4Addr::from(<[u8; 4]>::try_from(body.get(14..18)?).ok()?);
    (!ip.is_unspecified()).then_some((ip, mac))
}

/// The same of an ICMPv6 message: an advertisement. One without a hardware address says only that somebody has it.
pub(crate) fn icmp_claim(message: &[u8]) -> Option<(Ipv6Addr, Option<Mac>)> {
    if *message.first()? != ADVERTISEMENT {
        return None;
    }
    let ip = Ipv6Addr::from(<[u8; 16]>::try_from(message.get(8..24)?).ok()?);
    let mut options = message.get(24..).unwrap_or_default();
    let mut mac = None;
    while let Some((kind, length)) = options.first().zip(options.get(1)) {
        let length = usize::from(*length) * 8;
        let Some(option) = options.get(..length).filter(|_| length > 0) else { break };
        if *kind == 2 {
            mac = option.get(2..8).and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()).map(Mac);
        }
        options = options.get(length..).unwrap_or_default();
    }
    Some((ip, mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);

    #[test]
    fn a_probe_claims_nothing_and_an_announcement_does() {
        let ip: Ipv4Addr = "10.0.0.100".parse().unwrap();
        assert_eq!(arp_claim(&probe(ip.into(), MAC)), None);
        for frame in announcements(ip.into(), MAC) {
            assert_eq!((frame.len(), arp_claim(&frame)), (60, Some((ip, MAC))));
        }
        let ip: Ipv6Addr = "fd00::12:3456".parse().unwrap();
        let asked = probe(ip.into(), MAC);
        assert_eq!(asked[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        assert_eq!(icmp_claim(&asked[54..]), None);
        let told = announcements(ip.into(), MAC);
        assert_eq!(icmp_claim(&told[0][54..]), Some((ip, Some(MAC))));
    }

    #[test]
    fn the_checksum_of_what_is_sent_is_right() {
        for frame in
            [probe("fd00::1".parse().unwrap(), MAC), announcements("fd00::1".parse().unwrap(), MAC).remove(0)]
        {
            let mut summed = frame[22..54].to_vec();
            summed.extend(u32::try_from(frame.len() - 54).unwrap().to_be_bytes());
            summed.extend([0, 0, 0, 58]);
            summed.extend(&frame[54..]);
            // The sum over all of it, its checksum included, is nothing.
            assert_eq!(checksum(&summed), 0);
        }
    }

    #[test]
    fn whatever_comes_is_read_without_a_panic() {
        let mut frames = announcements("10.0.0.1".parse().unwrap(), MAC);
        frames.extend(announcements("fd00::1".parse().unwrap(), MAC));
        for frame in frames {
            for end in 0..frame.len() {
                let _ = arp_claim(&frame[..end]);
                let _ = icmp_claim(frame.get(54..end).unwrap_or_default());
            }
        }
        assert_eq!(
            icmp_claim(&[136; 25]).map(|(_, mac)| mac),
            Some(None),
            "an option of no length ends them"
        );
    }
}
