//! A table of samples: cases, and in each case servers; medians, and their relation to one of the servers. Pure.

use super::text::{layout, median, number};
use crate::servers::Kind;

/// A sample is disturbed, and not used where there are others, if someone else kept more than this part of a core busy.
pub(crate) const DISTURBED: f64 = 0.15;

/// A figure that is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) decimals: usize,
    pub(crate) relation: Relation,
}

/// What else is shown beside a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    None,
    /// How many times the reference's.
    Ratio,
    /// How much more than the reference's.
    Difference,
}

impl Column {
    pub(crate) const fn new(title: &'static str, decimals: usize, relation: Relation) -> Self {
        Self { title, decimals, relation }
    }
}

/// One measurement: a figure a column, NaN for none.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) figures: Vec<f64>,
    /// Cores that others kept busy meanwhile.
    pub(crate) others: f64,
}

/// All measurements of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// How the figures were taken.
    pub(crate) how: String,
    /// What the rows' cases have in common, such as `clients`.
    case: &'static str,
    reference: Kind,
    columns: &'static [Column],
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    case: String,
    server: Kind,
    samples: Vec<Sample>,
}

impl Row {
    /// The samples that count: those that nobody disturbed, or all if there are none.
    fn used(&self) -> Vec<&Sample> {
        let quiet: Vec<&Sample> = self.samples.iter().filter(|sample| sample.others <= DISTURBED).collect();
        if quiet.is_empty() { self.samples.iter().collect() } else { quiet }
    }

    fn is_disturbed(&self) -> bool {
        self.samples.iter().all(|sample| sample.others > DISTURBED)
    }

    fn median(&self, figure: impl Fn(&Sample) -> f64) -> Option<f64> {
        median(self.used().into_iter().map(figure).filter(|figure| !figure.is_nan()).collect())
    }
}

impl Table {
    pub(crate) fn new(
        title: impl Into<String>,
        how: impl Into<String>,
        case: &'static str,
        reference: Kind,
        columns: &'static [Column],
    ) -> Self {
        Self { title: title.into(), how: how.into(), case, reference, columns, rows: vec![] }
    }

    /// Takes a measurement; its case and server get a row when they first come. Hands back what to tell of it at once.
    pub(crate) fn take(&mut self, case: &str, server: Kind, sample: Sample) -> String {
        debug_assert_eq!(sample.figures.len(), self.columns.len());
        let shown = self.columns.iter().zip(&sample.figures).filter(|(_, figure)| !figure.is_nan());
        let shown: Vec<String> =
            shown.map(|(c, figure)| format!("{} {}", number(*figure, c.decimals), c.title)).collect();
        let disturbed =
            if sample.others > DISTURBED { format!("  [others {:.2}]", sample.others) } else { String::new() };
        let line = format!("{case:>18}  {:<22}  {}{disturbed}", server.name(), shown.join(", "));
        match self.rows.iter_mut().find(|row| row.case == case && row.server == server) {
            Some(row) => row.samples.push(sample),
            None => {
                // Behind the others of its case.
                let last = self.rows.iter().rposition(|row| row.case == case);
                let at = last.map_or(self.rows.len(), |last| last + 1);
                self.rows.insert(at, Row { case: case.to_owned(), server, samples: vec![sample] });
            }
        }
        line
    }

    /// The median of a column, by its title.
    pub(crate) fn median(&self, case: &str, server: Kind, title: &str) -> Option<f64> {
        let column = self.columns.iter().position(|column| column.title == title)?;
        self.row(case, server)?.median(|sample| sample.figures[column])
    }

    /// The most that a column ever was, disturbed or not.
    pub(crate) fn most(&self, case: &str, server: Kind, title: &str) -> Option<f64> {
        let column = self.columns.iter().position(|column| column.title == title)?;
        let figures = self.row(case, server)?.samples.iter().map(|sample| sample.figures[column]);
        figures.filter(|figure| !figure.is_nan()).max_by(f64::total_cmp)
    }

    /// The median's relation to that of the reference: a ratio, or a difference.
    pub(crate) fn relation(&self, case: &str, server: Kind, title: &str) -> Option<f64> {
        let (own, other) = (self.median(case, server, title)?, self.median(case, self.reference, title)?);
        match self.columns.iter().find(|column| column.title == title)?.relation {
            Relation::None => None,
            Relation::Ratio => Some(own / other),
            Relation::Difference => Some(own - other),
        }
    }

    /// Whether others were busy in every sample, of the server or of the one it is compared with.
    pub(crate) fn is_disturbed(&self, case: &str, server: Kind) -> bool {
        [server, self.reference].iter().filter_map(|server| self.row(case, *server)).any(Row::is_disturbed)
    }

    fn row(&self, case: &str, server: Kind) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case && row.server == server)
    }

    /// The table as Markdown, in columns that line up for whoever reads it as it is.
    pub(crate) fn markdown(&self) -> String {
        let mut header = vec![self.case.to_owned(), "server".to_owned()];
        for column in self.columns {
            header.push(column.title.to_owned());
            match column.relation {
                Relation::None => {}
                Relation::Ratio => header.push(format!("× {}", self.reference.name())),
                Relation::Difference => header.push(format!("more than {}", self.reference.name())),
            }
        }
        header.extend(["others", "n"].map(str::to_owned));
        let cells = self.rows.iter().map(|row| self.cells(row));
        layout(&std::iter::once(header).chain(cells).collect::<Vec<_>>())
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let mark = if row.is_disturbed() { " †" } else { "" };
        let mut cells = vec![row.case.clone(), format!("{}{mark}", row.server.name())];
        let show = |figure: Option<f64>, decimals| figure.map_or_else(|| "-".to_owned(), |f| number(f, decimals));
        for column in self.columns {
            cells.push(show(self.median(&row.case, row.server, column.title), column.decimals));
            let relation = || self.relation(&row.case, row.server, column.title);
            match column.relation {
                Relation::None => {}
                Relation::Ratio => cells.push(show(relation(), 2)),
                Relation::Difference => cells.push(show(relation(), column.decimals)),
            }
        }
        cells.push(show(row.median(|sample| sample.others), 2));
        cells.push(match (row.used().len(), row.samples.len()) {
            (used, all) if used == all => all.to_string(),
            (used, all) => format!("{used} of {all}"),
        });
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column::new("GB/s", 2, Relation::Ratio),
        Column::new("RSS", 0, Relation::None),
        Column::new("ms", 1, Relation::Difference),
    ];

    fn sample(speed: f64, others: f64) -> Sample {
        Sample { figures: vec![speed, 1234.4, speed * 10.0], others }
    }

    fn table(samples: &[(&str, Kind, f64, f64)]) -> Table {
        let mut table = Table::new("Title", "How.", "clients", Kind::Nginx, COLUMNS);
        for (case, server, speed, others) in samples {
            table.take(case, *server, sample(*speed, *others));
        }
        table
    }

    #[test]
    fn disturbed_samples_count_only_where_there_are_no_others() {
        let table = table(&[
            ("1", Kind::Nginx, 2.0, 0.0),
            ("1", Kind::Nginx, 9.0, 0.5),
            ("1", Kind::Hub, 3.0, 0.5),
            ("1", Kind::Hub, 5.0, 0.5),
        ]);
        assert_eq!(table.median("1", Kind::Nginx, "GB/s"), Some(2.0));
        assert_eq!(table.median("1", Kind::Hub, "GB/s"), Some(4.0));
        assert!(table.is_disturbed("1", Kind::Hub) && !table.is_disturbed("1", Kind::Nginx));
        assert_eq!(table.relation("1", Kind::Hub, "GB/s"), Some(2.0));
        assert_eq!(table.relation("1", Kind::Hub, "ms"), Some(20.0));
        assert_eq!(table.relation("1", Kind::Hub, "RSS"), None);
        assert_eq!(table.most("1", Kind::Nginx, "GB/s"), Some(9.0));
        assert_eq!(table.median("2", Kind::Hub, "GB/s"), None);
        assert_eq!(table.median("1", Kind::Agent, "GB/s"), None);
    }

    #[test]
    fn rows_stand_by_case_and_columns_line_up() {
        let table = table(&[
            ("1", Kind::Nginx, 2.0, 0.0),
            ("16", Kind::Nginx, 4.0, 0.0),
            ("1", Kind::Hub, 3.0, 0.5),
            ("16", Kind::Hub, f64::NAN, 0.0),
            ("16", Kind::Hub, 5.0, 0.5),
        ]);
        let expected = "\
| clients | server       | GB/s | × nginx static |   RSS |   ms | more than nginx static | others |      n |
|---------|--------------|-----:|---------------:|------:|-----:|-----------------------:|-------:|-------:|
| 1       | nginx static | 2.00 |           1.00 | 1,234 | 20.0 |                    0.0 |   0.00 |      1 |
| 1       | larder-hub † | 3.00 |           1.50 | 1,234 | 30.0 |                   10.0 |   0.50 |      1 |
| 16      | nginx static | 4.00 |           1.00 | 1,234 | 40.0 |                    0.0 |   0.00 |      1 |
| 16      | larder-hub   |    - |              - | 1,234 |    - |                      - |   0.00 | 1 of 2 |
";
        assert_eq!(table.markdown(), expected);
    }
}
