//! Tables as users of the Go tool know them.

use crate::output::printable;
use comfy_table::{Cell, CellAlignment, ContentArrangement, ContentLineStyle, LineStyle, TableStyle};
use std::fmt;

/// The same line above, below and between all rows, as the Go tool draws it.
const LINE: LineStyle = LineStyle::new('+', '-', '+', '+');
/// Between the cells of a row.
const BARS: ContentLineStyle = ContentLineStyle::new('|', '|', '|');
/// Both together.
const STYLE: TableStyle = TableStyle::new()
    .top_border(LINE)
    .header_lines(BARS)
    .header_separator(LINE)
    .content_lines(BARS)
    .row_separator(LINE)
    .bottom_border(LINE);

/// A table: columns, rows of cells (a cell may have several lines), and the number of rows below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &'static [&'static str], rows: Vec<Vec<String>>) -> Self {
        Self { columns, rows }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().enumerate().map(|(place, name)| {
            let cells = rows.iter().filter_map(|row| row.get(place));
            Cell::new(evened(name, cells)).set_alignment(CellAlignment::Center)
        }));
        for row in rows {
            table.add_row(row);
        }
        write!(f, "{table}\n({} rows)", self.rows.len())
    }
}

/// A column's name that centres as the Go tool centres it: where the room is odd, the larger half is on the right.
fn evened<'a>(name: &str, cells: impl Iterator<Item = &'a String>) -> String {
    let widest = cells.flat_map(|cell| cell.lines()).map(|line| line.chars().count()).max().unwrap_or(0);
    let room = widest.saturating_sub(name.chars().count());
    if room % 2 == 1 { format!("{name} ") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_as_in_the_documents() {
        let table = Table::new(
            &["ID", "Raft", "Backup"],
            vec![
                vec![
                    "192.168.64.154:8801".to_owned(),
                    "[ViewID:182 EpochID:2]@FOLLOWER".to_owned(),
                    "state:[NONE]\nLastError:".to_owned(),
                ],
                vec!["192.168.64.109:8801".to_owned(), "UNKNOW".to_owned(), "UNKNOW".to_owned()],
            ],
        );
        assert_eq!(
            table.to_string(),
            "\
+---------------------+---------------------------------+--------------+
|         ID          |              Raft               |    Backup    |
+---------------------+---------------------------------+--------------+
| 192.168.64.154:8801 | [ViewID:182 EpochID:2]@FOLLOWER | state:[NONE] |
|                     |                                 | LastError:   |
+---------------------+---------------------------------+--------------+
| 192.168.64.109:8801 | UNKNOW                          | UNKNOW       |
+---------------------+---------------------------------+--------------+
(2 rows)"
        );
    }
}
