//! What the time of a promotion goes into, by the new leader's own clock.

use crate::numbers::Numbers;

/// The phases of several promotions, in their order.
#[derive(Debug, Default)]
pub(crate) struct Phases(Vec<(String, Vec<f64>)>);

impl Phases {
    /// One promotion: names with the milliseconds since its beginning at which each phase ended.
    pub(crate) fn add(&mut self, ends: &[(String, f64)]) {
        let mut before = 0.0;
        for (name, end) in ends {
            let took = end - before;
            before = *end;
            match self.0.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => values.push(took),
                None => self.0.push((name.clone(), vec![took])),
            }
        }
    }

    /// Each phase with how long it took, milliseconds.
    pub(crate) fn numbers(&self) -> Vec<(&str, Numbers)> {
        self.0.iter().map(|(name, values)| (name.as_str(), Numbers::new(values.clone()))).collect()
    }

    /// The phase with the greatest median.
    pub(crate) fn longest(&self) -> Option<(&str, f64)> {
        let medians = self.numbers().into_iter().map(|(name, numbers)| (name, numbers.median()));
        medians.max_by(|one, two| one.1.total_cmp(&two.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_told_by_how_long_each_took() {
        let mut phases = Phases::default();
        phases.add(&[("frozen".to_owned(), 2.0), ("elected".to_owned(), 10.0)]);
        phases.add(&[("frozen".to_owned(), 4.0), ("elected".to_owned(), 16.0)]);
        let medians: Vec<_> =
            phases.numbers().iter().map(|(name, n)| ((*name).to_owned(), n.median())).collect();
        assert_eq!(medians, [("frozen".to_owned(), 3.0), ("elected".to_owned(), 10.0)]);
        assert_eq!(phases.longest(), Some(("elected", 10.0)));
    }
}
