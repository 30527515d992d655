//! Reading along a few bytes. Nothing here can run past the end: what is not there is `None`.

/// The bytes that are still to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of `count` bytes, at most 8, the least first.
    pub(crate) fn number(&mut self, count: usize) -> Option<u64> {
        let mut wide = [0; 8];
        wide.get_mut(..count)?.copy_from_slice(self.take(count)?);
        Some(u64::from_le_bytes(wide))
    }

    /// A number in the form of the client protocol: one byte up to 250, else a byte that tells how many follow.
    pub(crate) fn packed(&mut self) -> Option<u64> {
        match self.u8()? {
            small @ 0..=250 => Some(u64::from(small)),
            252 => self.number(2),
            253 => self.number(3),
            254 => self.number(8),
            // 251 stands for NULL and 255 for nothing.
            _ => None,
        }
    }

    /// A number in the form of MySQL's serialization library (8.3): the ones at the low end of the first byte tell how
    /// many bytes follow, the bits above them are the lowest of the number.
    pub(crate) fn varying(&mut self) -> Option<u64> {
        let first = self.u8()?;
        let more = usize::try_from(first.trailing_ones()).ok()?;
        let rest = self.number(more)?;
        if more >= 7 {
            // No bit of the number is in the first byte.
            return Some(rest);
        }
        // The first byte has 7 - more bits of the number; the sum of bits is below 64 here.
        let low = u64::from(first) >> (more + 1);
        Some(low | rest << (7 - more))
    }

    /// A signed number of that form: the sign is its lowest bit, and all others are turned round when it is set.
    pub(crate) fn varying_signed(&mut self) -> Option<i64> {
        let raw = self.varying()?;
        Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_varying_length() {
        let table: [(&[u8], u64); 6] = [
            (&[0x00], 0),
            (&[0x02], 1),
            (&[0xc5, 0x03], 0xf1),
            (&[0x61, 0x04], 280),
            (&[0x83, 0x12, 0x0b], 90_704),
            (&[0xff, 1, 2, 3, 4, 5, 6, 7, 0x80], 0x8007_0605_0403_0201),
        ];
        for (bytes, number) in table {
            let mut left = Bytes(bytes);
            assert_eq!(left.varying(), Some(number), "{bytes:x?}");
            assert!(left.is_empty());
        }
        assert_eq!(
            Bytes(&[0x7f, 0x11, 0x3a, 0x41, 0x6c, 0xc8, 0x60, 6]).varying(),
            Some(0x0006_60c8_6c41_3a11)
        );
        assert_eq!(Bytes(&[0x61]).varying(), None);
        let signed = [(0x04, 1), (0x02, -1), (0x00, 0), (0x06, -2)];
        for (byte, number) in signed {
            assert_eq!(Bytes(&[byte]).varying_signed(), Some(number));
        }
    }

    #[test]
    fn packed_numbers() {
        assert_eq!(Bytes(&[250]).packed(), Some(250));
        assert_eq!(Bytes(&[252, 1, 1]).packed(), Some(257));
        assert_eq!(Bytes(&[253, 0, 0, 1]).packed(), Some(65_536));
        assert_eq!(Bytes(&[251]).packed(), None);
        assert_eq!(Bytes(&[254, 1]).packed(), None);
    }
}
