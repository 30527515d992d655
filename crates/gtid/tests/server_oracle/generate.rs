//! Texts of GTID sets, good and bad, by chance.

use std::fmt::Write as _;

/// The UUIDs of the generated sets: few, so that sets have much in common.
pub(crate) const UUIDS: [&str; 4] = [
    "3e11fa47-71ca-11e1-9e33-c80aa9429562",
    "3e11fa47-71ca-11e1-9e33-c80aa9429563",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-4fff-bfff-fffffffffffe",
];

/// Marsaglia's xorshift: the same texts on every run and every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A set as text: noisy, and one time in two with characters damaged.
    pub(crate) fn text(&mut self) -> String {
        let mut text = String::new();
        for item in 0..self.below(4) {
            if item > 0 {
                text.push(',');
            }
            self.item(&mut text);
        }
        if self.one_in(2) {
            for _ in 0..=self.below(2) {
                self.damage(&mut text);
            }
        }
        text
    }

    fn item(&mut self, text: &mut String) {
        let uuid = *self.pick(&UUIDS);
        let uuid = match self.below(8) {
            0 => uuid.to_uppercase(),
            1 => uuid.replace('-', ""),
            2 => format!("{{{uuid}}}"),
            _ => uuid.to_owned(),
        };
        self.space(text);
        text.push_str(&uuid);
        for _ in 0..self.below(6) {
            self.space(text);
            text.push(':');
            self.space(text);
            match self.below(4) {
                0 => text.push_str(self.pick::<&str>(&[
                    "a",
                    "b",
                    "aa",
                    "A",
                    "_",
                    "a_1",
                    "ZZ9",
                    "zzz_zzz_zzz_zzz_zzz_zzz_zzz_zzz_",
                ])),
                _ => self.interval(text),
            }
        }
        self.space(text);
        if self.one_in(8) {
            text.push(',');
        }
    }

    fn interval(&mut self, text: &mut String) {
        let first = match self.below(40) {
            0 => 9_223_372_036_854_775_800 + self.below(9),
            _ => 1 + self.below(12),
        };
        let zeros = if self.one_in(20) { "00" } else { "" };
        write!(text, "{zeros}{first}").unwrap();
        if self.one_in(2) {
            self.space(text);
            text.push('-');
            self.space(text);
            // Now and then before the first, which is an empty interval.
            write!(text, "{}", (first + self.below(9)).saturating_sub(2)).unwrap();
        }
    }

    fn space(&mut self, text: &mut String) {
        if self.one_in(6) {
            text.push_str(self.pick::<&str>(&[" ", "  ", "\n", "\t", "\r\n", "\u{b}", "\u{c}"]));
        }
    }

    /// Replaces, removes or inserts one character.
    fn damage(&mut self, text: &mut String) {
        const NEW: [char; 24] = [
            ':', ':', ',', '-', '-', '0', '0', '1', '9', 'a', 'g', 'F', '_', 'x', '{', '}', ' ', '\n', '+',
            '.', '\'', '\0', 'é', '€',
        ];
        let mut chars: Vec<char> = text.chars().collect();
        let at = self.below(chars.len() + 1);
        let new = *self.pick(&NEW);
        match self.below(3) {
            0 if at < chars.len() => chars[at] = new,
            1 if at < chars.len() => {
                chars.remove(at);
            }
            _ => chars.insert(at, new),
        }
        *text = chars.into_iter().collect();
    }
}
