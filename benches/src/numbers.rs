//! Some numbers of the same kind: median and spread.

/// Measured values, sorted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Numbers(Vec<f64>);

impl Numbers {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub(crate) fn values(&self) -> &[f64] {
        &self.0
    }

    pub(crate) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// Of an even count the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let upper = self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN);
        if self.0.len() % 2 == 1 {
            return upper;
        }
        let lower = self.0.len().checked_sub(2).and_then(|_| self.0.get(self.0.len() / 2 - 1)).copied();
        lower.map_or(upper, |lower| f64::midpoint(lower, upper))
    }
}

/// A number of milliseconds for people: three digits, seconds from one second on.
pub(crate) fn shown(ms: f64) -> String {
    match ms {
        ms if ms.is_nan() => "–".to_owned(),
        ms if ms >= 1_000.0 => format!("{:.2} s", ms / 1e3),
        ms if ms >= 100.0 => format!("{ms:.0} ms"),
        ms => format!("{ms:.1} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads() {
        let numbers = Numbers::new(vec![3.0, 1.0, 2.0, 10.0]);
        assert_eq!((numbers.min(), numbers.median(), numbers.max()), (1.0, 2.5, 10.0));
        assert_eq!(Numbers::new(vec![3.0, 1.0, 2.0]).median(), 2.0);
        assert!(Numbers::default().median().is_nan());
        assert_eq!([shown(1.26), shown(123.4), shown(1_234.0)], ["1.3 ms", "123 ms", "1.23 s"]);
    }
}
