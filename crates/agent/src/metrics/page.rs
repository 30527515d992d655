//! One page of metrics in the text formats of Prometheus and OpenMetrics.

use std::fmt::{Display, Write};

/// Longest label value, characters; what is longer is cut.
const LABEL: usize = 200;

/// What a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, until the agent starts anew; the name ends in `_total`.
    Counter,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        }
    }
}

/// A metric: what all samples of one name have in common.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    /// One sentence for people; no quotes or line breaks.
    pub(crate) help: &'static str,
}

/// How a page is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What a request's `Accept` header asks for.
    pub(crate) fn of(accept: &str) -> Format {
        if accept.contains("application/openmetrics-text") { Format::OpenMetrics } else { Format::Prometheus }
    }

    /// The `Content-Type` of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page that is being written. The samples of a family stand together.
pub(crate) struct Page {
    format: Format,
    text: String,
    last: &'static str,
}

impl Page {
    pub(crate) fn new(format: Format) -> Page {
        Page { format, text: String::with_capacity(16 * 1024), last: "" }
    }

    /// A sample; `values` go with the family's labels, in order.
    pub(crate) fn put(&mut self, family: &'static Family, values: &[&str], number: impl Display) {
        if self.last != family.name {
            self.last = family.name;
            self.head(family);
        }
        self.text.push_str(family.name);
        for (index, (label, value)) in family.labels.iter().zip(values).enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        let end = if family.labels.is_empty() { "" } else { "}" };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{end} {number}");
    }

    /// A sample whose number may not be known: then there is none.
    pub(crate) fn put_known(&mut self, family: &'static Family, number: Option<impl Display>) {
        if let Some(number) = number {
            self.put(family, &[], number);
        }
    }

    fn head(&mut self, family: &Family) {
        let Family { name, kind, help, .. } = family;
        let name = match self.format {
            Format::Prometheus => name,
            Format::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
    }

    pub(crate) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

fn escape(value: &str, into: &mut String) {
    for letter in value.chars().take(LABEL) {
        match letter {
            '\\' => into.push_str("\\\\"),
            '"' => into.push_str("\\\""),
            '\n' => into.push_str("\\n"),
            letter if letter.is_control() => into.push('?'),
            letter => into.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static DONE: Family =
        Family { name: "a_done_total", kind: Kind::Counter, labels: &["who", "how"], help: "Things done." };
    static NOW: Family = Family { name: "a_now", kind: Kind::Gauge, labels: &[], help: "Things there." };

    fn page(format: Format) -> String {
        let mut page = Page::new(format);
        page.put(&DONE, &["a\\b\"c\nd\re", "well"], 3_u64);
        page.put(&DONE, &["f", "badly"], 0);
        page.put_known(&NOW, Some(0.25));
        page.put_known(&NOW, None::<u64>);
        page.finish()
    }

    #[test]
    fn both_formats() {
        let samples = "a_done_total{who=\"a\\\\b\\\"c\\nd?e\",how=\"well\"} 3\na_done_total{who=\"f\",how=\"badly\"} 0\n";
        let gauge = "# HELP a_now Things there.\n# TYPE a_now gauge\na_now 0.25\n";
        assert_eq!(
            page(Format::Prometheus),
            format!("# HELP a_done_total Things done.\n# TYPE a_done_total counter\n{samples}{gauge}")
        );
        assert_eq!(
            page(Format::OpenMetrics),
            format!("# HELP a_done Things done.\n# TYPE a_done counter\n{samples}{gauge}# EOF\n")
        );
    }

    #[test]
    fn a_label_has_an_end() {
        let mut page = Page::new(Format::Prometheus);
        page.put(&DONE, &[&"ä".repeat(10_000), ""], 1);
        assert!(page.finish().len() < 600);
    }

    #[test]
    fn what_scrapers_ask_for() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        assert_eq!(Format::of(prometheus), Format::OpenMetrics);
        assert_eq!(Format::of("*/*"), Format::Prometheus);
        assert_eq!(Format::of(""), Format::Prometheus);
    }
}
