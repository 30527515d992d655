//! When an operator's own certificate ends: read from its bytes, for a check-up that warns in time.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;

/// Seconds since 1970 at which the first certificate of a PEM file ends.
///
/// # Errors
/// The file cannot be read, or holds no certificate that is understood: as a sentence.
pub fn certificate_ends(path: &Path) -> Result<i64, String> {
    let name = path.display();
    let mut certificates = CertificateDer::pem_file_iter(path).map_err(|error| format!("{name}: {error}"))?;
    let first = match certificates.next() {
        Some(Ok(certificate)) => certificate,
        Some(Err(error)) => return Err(format!("{name}: {error}")),
        None => return Err(format!("{name} holds no certificate")),
    };
    not_after(&first).ok_or_else(|| format!("the certificate in {name} is not understood"))
}

/// The end of `Validity`, the fifth part of a certificate's inner sequence (the fourth when it names no version).
fn not_after(der: &[u8]) -> Option<i64> {
    let (_, certificate, _) = element(der)?;
    let (_, inner, _) = element(certificate)?;
    let mut rest = inner;
    if rest.first() == Some(&0xa0) {
        rest = element(rest)?.2;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, behind) = element(validity)?;
    let (tag, text, _) = element(behind)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Tag, contents, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if *first & 0x80 != 0 {
        let count = usize::from(*first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (bytes, behind) = rest.split_at_checked(count)?;
        length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        rest = behind;
    }
    let (contents, behind) = rest.split_at_checked(length)?;
    Some((*tag, contents, behind))
}

/// `YYMMDDHHMMSSZ` (tag 23, years 1950 to 2049) or `YYYYMMDDHHMMSSZ` (tag 24).
fn time(tag: u8, text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (year, rest) = match tag {
        23 => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        24 => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    if !(1..=12).contains(&month) {
        return None;
    }
    // Days since 1970 by the civil calendar: the year begins in March, so that the leap day is its last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
        - 1
        - 719_468;
    Some(days * 86_400 + part(4)? * 3600 + part(6)? * 60 + part(8)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(time(23, "700101000000Z"), Some(0));
        assert_eq!(time(24, "20000229120000Z"), Some(951_825_600));
        assert_eq!(time(23, "491231235959Z"), Some(2_524_607_999));
        for bad in ["", "Z", "7001010000Z", "701301000000Z", "70010100000xZ"] {
            assert_eq!(time(23, bad), None, "{bad}");
        }
    }

    #[test]
    fn a_certificate_of_our_own() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(vec!["x".to_owned()]).expect("a name");
        parameters.not_after = rcgen::date_time_ymd(2031, 5, 6);
        let certificate = parameters.self_signed(&key).expect("signed");
        assert_eq!(not_after(certificate.der()), Some(1_935_792_000));
        for end in 0..certificate.der().len() {
            let _ = not_after(&certificate.der()[..end]);
        }
    }
}
