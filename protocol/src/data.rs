//! The schema of a campaign's data, and how CSV files are checked against it.

use std::{collections::HashSet, fmt};

use serde::{Deserialize, Serialize};
use syft::{DataError, Examples, Matrix, TargetMap, Targets, Task};

pub use crate::table::{Header, MAX_COLUMNS, Table, TableError, TableLimits, read_csv, read_csv_with};
use crate::{
    table::{comma_number, shorten},
    text::{self, TextError},
};

/// Maximum number of misfits that a report lists.
const MAX_LISTED: usize = 20;
/// A data set fits a range by its profile even if it is outside by this share of the width: what widening may add, and
/// a little for rounding.
const MARGIN: f64 = 0.1 + 1e-9;

/// An input column of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Minimum.
    pub min: f64,
    /// Maximum.
    pub max: f64,
}

/// Range of the number that a regression predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Minimum.
    pub min: f64,
    /// Maximum.
    pub max: f64,
}

/// The schema of a campaign's data: columns by name, with ranges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The columns that the model reads, in the model's order.
    pub inputs: Vec<Input>,
    /// The column that the model predicts.
    pub target: String,
    /// Type of that column.
    pub task: Task,
    /// Range of that column, for a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// Why a schema is invalid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// There are no inputs, or too many.
    #[error("there are {0} inputs; 1 to {MAX_COLUMNS} are allowed")]
    Inputs(usize),
    /// A name has a control character.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A name is empty or appears twice.
    #[error("the name `{0}` is empty or appears twice")]
    Name(String),
    /// A range is invalid.
    #[error("the range of `{name}` is {min} to {max}; min and max must be finite, and min must be less than max")]
    Range {
        /// The column.
        name: String,
        /// Minimum.
        min: f64,
        /// Maximum.
        max: f64,
    },
    /// There are fewer than two classes, or one appears twice.
    #[error("a classification needs two different classes or more")]
    Classes,
    /// A regression has no range, or a classification has one.
    #[error("a regression needs the range of its target (min and max), and a classification must not have one")]
    TargetRange,
}

/// One reason why data does not fit.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Misfit {
    /// A column is missing.
    #[error("column `{column}` is missing")]
    MissingColumn {
        /// The column.
        column: String,
    },
    /// A cell is not a number.
    #[error("column `{column}`, line {line}: `{text}` where a number is expected{}", comma_advice(.text))]
    NotANumber {
        /// The column.
        column: String,
        /// Line in the file.
        line: u64,
        /// Content of the cell.
        text: String,
    },
    /// A cell is NaN or infinity.
    #[error("column `{column}`, line {line}: {text} is not a finite number")]
    NotFinite {
        /// The column.
        column: String,
        /// Line in the file.
        line: u64,
        /// Content of the cell.
        text: String,
    },
    /// A number is outside the column's range.
    #[error("column `{column}`, line {line}: {value} is outside {min} to {max}")]
    OutOfRange {
        /// The column.
        column: String,
        /// Line in the file.
        line: u64,
        /// Content of the cell.
        value: f64,
        /// Minimum.
        min: f64,
        /// Maximum.
        max: f64,
    },
    /// A column has cells that are not finite numbers.
    #[error("column `{column}` has cells that are not numbers")]
    NotNumbers {
        /// The column.
        column: String,
    },
    /// The widened range of a column is outside the schema's.
    #[error("column `{column}` has values from {min} to {max}, outside {} to {}", published.min, published.max)]
    OutsideRange {
        /// The column.
        column: String,
        /// Minimum in the profile.
        min: f64,
        /// Maximum in the profile.
        max: f64,
        /// The schema's range.
        published: Range,
    },
    /// A column has labels that are not among the campaign's classes, or too many.
    #[error("column `{column}` has values that are not among the classes")]
    UnknownLabels {
        /// The column.
        column: String,
    },
    /// A class is not among the campaign's classes.
    #[error("column `{column}`, line {line}: `{text}` is not one of the classes {}", .classes.join(", "))]
    UnknownClass {
        /// The column.
        column: String,
        /// Line in the file.
        line: u64,
        /// Content of the cell.
        text: String,
        /// The classes.
        classes: Vec<String>,
    },
}

/// Why data does not fit a schema: all missing columns, and the first invalid cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FitReport {
    /// The reasons.
    pub misfits: Vec<Misfit>,
    /// Number of reasons that are not listed.
    pub more: usize,
}

impl fmt::Display for FitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, misfit) in self.misfits.iter().enumerate() {
            write!(f, "{}{misfit}", if index == 0 { "" } else { "\n" })?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for FitReport {}

impl FitReport {
    /// The result, unless there is a reason against it.
    pub(crate) fn finish<T>(self, result: T) -> Result<T, Self> {
        if self.misfits.is_empty() { Ok(result) } else { Err(self) }
    }

    pub(crate) fn add(&mut self, misfit: Misfit) {
        if self.misfits.len() < MAX_LISTED {
            self.misfits.push(misfit);
        } else {
            self.more += 1;
        }
    }
}

impl Schema {
    /// Checks names, ranges and classes.
    ///
    /// # Errors
    /// Names what is invalid.
    pub fn check(&self) -> Result<(), SchemaError> {
        if self.inputs.is_empty() || self.inputs.len() > MAX_COLUMNS {
            return Err(SchemaError::Inputs(self.inputs.len()));
        }
        for (place, input) in self.inputs.iter().enumerate() {
            text::check_line(format!("the name of input {}", place + 1), &input.name)?;
        }
        text::check_line("the name of the target", &self.target)?;
        let mut names = HashSet::from([self.target.as_str()]);
        let all = self.inputs.iter().map(|input| input.name.as_str());
        for name in all {
            if name.is_empty() || !names.insert(name) {
                return Err(SchemaError::Name(name.into()));
            }
        }
        if self.target.is_empty() {
            return Err(SchemaError::Name(String::new()));
        }
        self.inputs.iter().try_for_each(|input| check_range(&input.name, input.min, input.max))?;
        match (&self.task, self.range) {
            (Task::Classification { classes }, None) => {
                for (place, class) in classes.iter().enumerate() {
                    text::check_line(format!("the name of class {}", place + 1), class)?;
                }
                let different: HashSet<_> = classes.iter().collect();
                if classes.len() < 2 || different.len() < classes.len() {
                    return Err(SchemaError::Classes);
                }
                Ok(())
            }
            (Task::Regression, Some(range)) => check_range(&self.target, range.min, range.max),
            _ => Err(SchemaError::TargetRange),
        }
    }

    /// Range of each input.
    #[must_use]
    pub fn ranges(&self) -> Vec<(f64, f64)> {
        self.inputs.iter().map(|input| (input.min, input.max)).collect()
    }

    /// The map of a regression's target onto [-1, 1]; `None` for classes.
    ///
    /// # Errors
    /// When the range is invalid.
    pub fn target_map(&self) -> Result<Option<TargetMap>, DataError> {
        self.range.map(|range| TargetMap::from_range(range.min, range.max)).transpose()
    }

    /// The targets of raw examples, clamped to their range.
    ///
    /// # Errors
    /// When the range is invalid.
    pub fn targets(&self, examples: &Examples) -> Result<Targets, DataError> {
        Ok(match self.target_map()? {
            Some(map) => map.apply(examples.targets()),
            None => examples.targets().clone(),
        })
    }

    /// Extracts the examples from a table, with the columns in the model's order; other columns are ignored.
    ///
    /// # Errors
    /// All reasons why the table does not fit.
    pub fn fit(&self, table: &Table) -> Result<Examples, FitReport> {
        self.read(table, |numeric| if table.has_decimal_commas(numeric) { with_comma } else { with_point })
    }

    /// Extracts the examples from a table whose profile fits.
    ///
    /// # Errors
    /// All reasons why the table does not fit, although its profile does; this is a bug.
    pub fn extract(&self, table: &Table) -> Result<Examples, FitReport> {
        self.with_margin().read(table, |_| table.number_format())
    }

    /// The schema with ranges that are wider by [`MARGIN`] on both sides.
    fn with_margin(&self) -> Self {
        let input = |input: &Input| {
            let Range { min, max } = Range { min: input.min, max: input.max }.with_margin();
            Input { name: input.name.clone(), min, max }
        };
        Self {
            inputs: self.inputs.iter().map(input).collect(),
            range: self.range.map(Range::with_margin),
            ..self.clone()
        }
    }

    fn read(&self, table: &Table, format: impl FnOnce(&[usize]) -> Parse) -> Result<Examples, FitReport> {
        let mut report = FitReport::default();
        let mut find = |name: &str| {
            let place = table.columns().iter().position(|column| column == name);
            if place.is_none() {
                report.add(Misfit::MissingColumn { column: name.into() });
            }
            place
        };
        let inputs: Vec<Option<usize>> = self.inputs.iter().map(|input| find(&input.name)).collect();
        let target = find(&self.target);
        let (Some(inputs), Some(target)) = (inputs.into_iter().collect::<Option<Vec<_>>>(), target) else {
            return Err(report);
        };
        let mut values = Vec::with_capacity(table.rows().saturating_mul(inputs.len()));
        let mut labels = Labels::for_task(&self.task);
        let mut numeric = inputs.clone();
        numeric.extend(self.range.map(|_| target));
        let parse = format(&numeric);
        for row in 0..table.rows() {
            let line = table.line(row);
            for (input, &place) in self.inputs.iter().zip(&inputs) {
                match number(&input.name, line, table.cell(row, place), parse, (input.min, input.max)) {
                    Ok(value) => values.push(value),
                    Err(misfit) => report.add(misfit),
                }
            }
            if let Err(misfit) = labels.read(self, line, table.cell(row, target), parse) {
                report.add(misfit);
            }
        }
        if !report.misfits.is_empty() {
            return Err(report);
        }
        // Every row has a finite number for every input, and a target.
        Matrix::new(table.rows(), inputs.len(), values)
            .and_then(|matrix| Examples::new(matrix, labels.done()))
            .map_err(|_| report)
    }
}

fn check_range(name: &str, min: f64, max: f64) -> Result<(), SchemaError> {
    if min.is_finite() && max.is_finite() && min < max {
        Ok(())
    } else {
        Err(SchemaError::Range { name: name.into(), min, max })
    }
}

/// Targets while they are read.
enum Labels {
    Classes(Vec<usize>),
    Values(Vec<f64>),
}

impl Labels {
    fn for_task(task: &Task) -> Self {
        match task {
            Task::Classification { .. } => Self::Classes(Vec::new()),
            Task::Regression => Self::Values(Vec::new()),
        }
    }

    fn read(&mut self, schema: &Schema, line: u64, text: &str, parse: Parse) -> Result<(), Misfit> {
        match (self, &schema.task) {
            (Self::Classes(labels), Task::Classification { classes }) => {
                let class = classes.iter().position(|class| class == text);
                labels.push(class.ok_or_else(|| Misfit::UnknownClass {
                    column: schema.target.clone(),
                    line,
                    text: shorten(text),
                    classes: classes.iter().take(MAX_LISTED).cloned().collect(),
                })?);
            }
            (Self::Values(labels), _) => {
                let range = schema.range.unwrap_or(Range { min: f64::MIN, max: f64::MAX });
                labels.push(number(&schema.target, line, text, parse, (range.min, range.max))?);
            }
            // Cannot fail: the labels were built for this task.
            (Self::Classes(_), Task::Regression) => {}
        }
        Ok(())
    }

    fn done(self) -> Targets {
        match self {
            Self::Classes(labels) => Targets::Classes(labels),
            Self::Values(labels) => Targets::Values(labels),
        }
    }
}

impl Range {
    pub(crate) fn with_margin(self) -> Self {
        let margin = (self.max - self.min) * MARGIN;
        Self { min: self.min - margin, max: self.max + margin }
    }
}

impl Table {
    /// The number format of all columns of numbers, decided without a schema.
    pub(crate) fn number_format(&self) -> Parse {
        let is_numeric = |column: &usize| (0..self.rows()).all(|row| with_comma(self.cell(row, *column)).is_some());
        let numeric = || (0..self.columns().len()).filter(is_numeric).collect::<Vec<_>>();
        if self.has_commas() && self.has_decimal_commas(&numeric()) { with_comma } else { with_point }
    }
}

/// Number format of a table.
pub(crate) type Parse = fn(&str) -> Option<f64>;

fn with_point(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn with_comma(text: &str) -> Option<f64> {
    with_point(text).or_else(|| comma_number(text))
}

fn number(column: &str, line: u64, text: &str, parse: Parse, (min, max): (f64, f64)) -> Result<f64, Misfit> {
    let column = || column.to_owned();
    match parse(text) {
        None => Err(Misfit::NotANumber { column: column(), line, text: shorten(text) }),
        Some(value) if !value.is_finite() => Err(Misfit::NotFinite { column: column(), line, text: shorten(text) }),
        Some(value) if value < min || value > max => {
            Err(Misfit::OutOfRange { column: column(), line, value, min, max })
        }
        Some(value) => Ok(value),
    }
}

/// Advice for a text that would be a number without its comma.
fn comma_advice(text: &str) -> &'static str {
    if text.replace(',', "").parse::<f64>().is_ok() && text.contains(',') {
        ": write numbers with a decimal point and without separators of thousands"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schema() -> Schema {
        let input = |name: &str| Input { name: name.into(), min: 0.0, max: 10.0 };
        Schema {
            inputs: vec![input("a"), input("b")],
            target: "y".into(),
            task: Task::Classification { classes: vec!["no".into(), "yes".into()] },
            range: None,
        }
    }

    fn table(text: &str) -> Result<Table, TableError> {
        read_csv(text.as_bytes(), &TableLimits::default())
    }

    fn misfits(text: &str) -> String {
        schema().fit(&table(text).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_and_others_ignored() {
        let table = table("y, extra, b, a\nyes, x, 2, 1\nno, y, 4, 3\n").unwrap();
        let examples = schema().fit(&table).unwrap();
        assert_eq!(examples.features().values(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(*examples.targets(), Targets::Classes(vec![1, 0]));
    }

    #[test]
    fn every_reason_is_named_with_its_place() {
        assert_eq!(misfits("a,c\n1,2\n"), "column `b` is missing\ncolumn `y` is missing");
        let report = misfits("a,b,y\nx,NaN,no\n1,11,maybe\n");
        let lines: Vec<_> = report.lines().collect();
        assert_eq!(lines[0], "column `a`, line 2: `x` where a number is expected");
        assert_eq!(lines[1], "column `b`, line 2: NaN is not a finite number");
        assert_eq!(lines[2], "column `b`, line 3: 11 is outside 0 to 10");
        assert_eq!(lines[3], "column `y`, line 3: `maybe` is not one of the classes no, yes");
    }

    #[test]
    fn long_reports_are_cut() {
        let text = format!("a,b,y\n{}", "x,1,no\n".repeat(100));
        assert!(misfits(&text).ends_with("and 80 more"));
    }

    #[test]
    fn files_that_are_no_tables_are_refused() {
        assert!(matches!(table(""), Err(TableError::Empty)));
        assert!(matches!(table("a,b\n"), Err(TableError::Empty)));
        assert!(matches!(table("a,a\n1,2\n"), Err(TableError::DuplicateColumn(_))));
        assert!(matches!(table("a,b\n1\n"), Err(TableError::Ragged { line: 2, have: 1, expected: 2, .. })));
        let wide = format!("{}\n", vec!["c"; 1_000_000].join(","));
        assert!(matches!(table(&wide), Err(TableError::TooManyColumns { have: 1_000_000, .. })));
        let small = TableLimits { bytes: 10, ..TableLimits::default() };
        let read = |text: &str| read_csv(text.as_bytes(), &small);
        assert!(matches!(read("a,b\n1,2\n3,4\n"), Err(TableError::TooManyBytes(10))));
        assert!(read("a,b\n1,22\n").is_ok());
        let short = TableLimits { rows: 1, ..TableLimits::default() };
        let long = read_csv("a\n1\n2\n".as_bytes(), &short);
        assert!(matches!(long, Err(TableError::TooManyRows(1))));
    }

    #[test]
    fn regressions_have_a_range() {
        let mut schema = schema();
        schema.task = Task::Regression;
        assert_eq!(schema.check(), Err(SchemaError::TargetRange));
        schema.range = Some(Range { min: 0.0, max: 5.0 });
        schema.check().unwrap();
        let examples = schema.fit(&table("a,b,y\n1,2,3.5\n").unwrap()).unwrap();
        assert_eq!(*examples.targets(), Targets::Values(vec![3.5]));
        let report = schema.fit(&table("a,b,y\n1,2,6\n").unwrap()).unwrap_err();
        assert!(matches!(report.misfits[..], [Misfit::OutOfRange { .. }]));
    }

    #[test]
    fn decimal_commas_are_read_and_thousands_are_not() {
        let text = "a;b;y\n1,68;1,17;no\n0,59;7;yes\n";
        let examples = schema().fit(&table(text).unwrap()).unwrap();
        assert_eq!(examples.features().values(), [1.68, 1.17, 0.59, 7.0]);
        let thousands = misfits("a;b;y\n1,234;1;no\n");
        assert!(thousands.starts_with("column `a`, line 2: `1,234` where a number is expected: write"), "{thousands}");
    }

    #[test]
    fn a_byte_order_mark_and_windows_lines_are_no_obstacle() {
        let table = table("\u{feff}a,b,y\r\n1,2,no\r\n").unwrap();
        assert_eq!(table.columns(), ["a", "b", "y"]);
        assert_eq!(schema().fit(&table).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn no_file_makes_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_csv(&bytes, &TableLimits::default());
        }

        #[test]
        fn what_fits_is_finite_and_within_the_ranges(rows in "([ab0-9.,eNy\"+-]{0,12}\n|[0-9.]{1,3},[0-9.]{1,3},no\n){0,6}") {
            if let Ok(table) = table(&format!("a,b,y\n{rows}"))
                && let Ok(examples) = schema().fit(&table)
            {
                prop_assert_eq!(examples.len(), table.rows());
                prop_assert!(examples.features().values().iter().all(|value| (0.0..=10.0).contains(value)));
            }
        }
    }

    #[test]
    fn names_that_terminals_obey_are_refused_with_their_place() {
        let refusal = |change: fn(&mut Schema)| {
            let mut schema = schema();
            change(&mut schema);
            schema.check().unwrap_err().to_string()
        };
        let column = refusal(|s| s.inputs[1].name = "b\u{1b}[2J".into());
        assert!(column.starts_with("the name of input 2 contains the invisible character U+001B"), "{column}");
        assert!(refusal(|s| s.target = "y\u{202e}".into()).contains("the target contains"));
        let class = refusal(|s| s.task = Task::Classification { classes: vec!["no".into(), "\u{9b}31mred".into()] });
        assert!(class.starts_with("the name of class 2 contains the invisible character U+009B"), "{class}");
    }

    #[test]
    fn senseless_schemas_are_named() {
        let broken = |change: fn(&mut Schema)| {
            let mut schema = schema();
            change(&mut schema);
            schema.check().unwrap_err().to_string()
        };
        assert!(broken(|s| s.inputs.clear()).contains("0 inputs"));
        assert!(broken(|s| s.inputs[1].name = "a".into()).contains("`a`"));
        assert!(broken(|s| s.inputs[1].name = "y".into()).contains("`y`"));
        assert!(broken(|s| s.inputs[0].max = f64::NAN).contains("range of `a`"));
        assert!(broken(|s| s.task = Task::Classification { classes: vec!["no".into()] }).contains("two"));
    }
}
