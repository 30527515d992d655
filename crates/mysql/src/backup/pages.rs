//! The checksums of InnoDB's own pages, checked while a file is read anyway.
//!
//! A server that starts on a copy reads only the pages that it needs. This sees the others: a page that was torn or
//! overwritten on the source's disk before it was copied, which a checksum made afterwards would only preserve.

use std::path::Path;

/// Of a page: its checksum (4), number (4), …, type (2, at 24), …; its last 8 bytes are a trailer.
const HEADER_BYTES: usize = 38;
const TRAILER_BYTES: usize = 8;
/// Tablespace flags in the first page.
const FLAGS_AT: usize = 38 + 16;
/// Types of page whose stored form is not the one that the checksum is of: compressed, encrypted, both, an R-tree's.
const STORED_OTHERWISE: [u16; 4] = [14, 15, 16, 17];

/// Checks the pages of one file, piece by piece. A piece is a whole number of pages, all but the last.
pub(super) struct PageCheck {
    /// `None`: not a tablespace, or one whose pages are not checked.
    state: Option<State>,
}

enum State {
    /// The first page says how large pages are.
    Beginning,
    Pages {
        page_bytes: usize,
        number: u64,
    },
}

impl PageCheck {
    pub(super) fn new(path: &Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_tablespace = name.ends_with(".ibd")
            || name.ends_with(".ibu")
            || name.starts_with("ibdata")
            || name.starts_with("undo_");
        Self { state: is_tablespace.then_some(State::Beginning) }
    }

    /// The next bytes of the file.
    ///
    /// # Errors
    /// A sentence that names the first page whose checksum is wrong.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        if let Some(State::Beginning) = self.state {
            self.state = page_bytes(bytes).map(|page_bytes| State::Pages { page_bytes, number: 0 });
        }
        let Some(State::Pages { page_bytes, number }) = &mut self.state else { return Ok(()) };
        for page in bytes.chunks(*page_bytes) {
            if page.len() == *page_bytes && !is_sound(page) {
                return Err(format!(
                    "page {number} is damaged: its checksum is wrong; the source's disk may be at fault (CHECK TABLE there \
                     tells the table)"
                ));
            }
            *number += 1;
        }
        Ok(())
    }
}

/// From the flags of the tablespace. `None` where pages are compressed by table (ROW_FORMAT=COMPRESSED) or encrypted: what
/// is stored then has another form.
fn page_bytes(first: &[u8]) -> Option<usize> {
    let flags = u32::from_be_bytes(first.get(FLAGS_AT..FLAGS_AT + 4)?.try_into().ok()?);
    let (compressed, size, encrypted) = (flags >> 1 & 0xf, flags >> 6 & 0xf, flags >> 13 & 1);
    if compressed != 0 || encrypted != 0 {
        return None;
    }
    // 0 stands for 16 KiB, else 512 << n.
    match size {
        0 => Some(16384),
        3..=7 => Some(512 << size),
        _ => None,
    }
}

fn is_sound(page: &[u8]) -> bool {
    let number =
        |at: usize| -> Option<u32> { Some(u32::from_be_bytes(page.get(at..at + 4)?.try_into().ok()?)) };
    let kind = page.get(24..26).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    if kind.is_some_and(|kind| STORED_OTHERWISE.contains(&kind)) {
        return true;
    }
    let (Some(stored), Some(header), Some(body)) =
        (number(0), page.get(4..26), page.get(HEADER_BYTES..page.len().saturating_sub(TRAILER_BYTES)))
    else {
        return true;
    };
    if stored == crc32c::crc32c(header) ^ crc32c::crc32c(body) {
        return true;
    }
    // Allocated and never written; or checksums are off on that server.
    const NONE: u32 = 0xDEAD_BEEF;
    stored == NONE || page.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u8) -> Vec<u8> {
        let mut page = vec![0; 16384];
        page[7] = number;
        page[100] = 7;
        let sum = crc32c::crc32c(&page[4..26]) ^ crc32c::crc32c(&page[38..16384 - 8]);
        page[..4].copy_from_slice(&sum.to_be_bytes());
        page
    }

    #[test]
    fn a_damaged_page_is_named() {
        let good: Vec<u8> = (0..4).flat_map(page).chain(vec![0; 16384]).collect();
        let check = |bytes: &[u8], name: &str| PageCheck::new(Path::new(name)).feed(bytes);
        assert_eq!(check(&good, "d/t.ibd"), Ok(()));
        let mut bad = good.clone();
        bad[3 * 16384 + 5000] ^= 1;
        assert!(check(&bad, "d/t.ibd").expect_err("damaged").contains("page 3"));
        assert_eq!(check(&bad, "ib_buffer_pool"), Ok(()), "no tablespace");
        // Compressed tables are stored in another form.
        bad[FLAGS_AT + 3] = 4 << 1;
        assert_eq!(check(&bad, "d/t.ibd"), Ok(()));
        assert_eq!(check(&[1, 2, 3], "d/t.ibd"), Ok(()));
    }
}
