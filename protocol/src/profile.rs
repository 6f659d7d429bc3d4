//! The profile of a data set: what is known about it without its rows. A Mine decides by profiles which campaigns a data
//! set fits, so that what it submits to discloses at most the profile, however many schemas a stranger tries.
//!
//! A row that is a little outside a published range fits, because a widened range may end there. The margin is small
//! enough that no feature map cuts such rows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use syft::Task;

use crate::data::{FitReport, Misfit, Parse, Range, Schema, Table};

/// Largest number of labels of a column that is not numbers; columns with more are texts.
const MAX_LABELS: usize = 1_024;
/// Largest number of labels of a column of numbers; columns with more are quantities.
const MAX_NUMERIC_LABELS: usize = 32;
/// A column of numbers has labels only if each stands for this number of rows on average.
const ROWS_PER_LABEL: usize = 2;
/// A range is widened to multiples of at most this share of its width …
const STEP_OF_WIDTH: f64 = 0.1;
/// … or this share of its largest value, so that a column with a single value has a step as well.
const STEP_OF_VALUE: f64 = 0.001;

/// The profile of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Number of rows.
    pub rows: usize,
    /// Profile of each column by name.
    pub columns: BTreeMap<String, ColumnProfile>,
}

/// The profile of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnProfile {
    /// Range of its numbers, widened outward; `None` if a cell is not a finite number.
    pub range: Option<Range>,
    /// Its labels, if it has few.
    pub labels: Option<BTreeSet<String>>,
}

impl Profile {
    /// Computes the profile of a table.
    #[must_use]
    pub fn of(table: &Table) -> Self {
        let parse = table.number_format();
        let column = |(place, name): (usize, &String)| (name.clone(), ColumnProfile::of(table, place, parse));
        Self { rows: table.rows(), columns: table.columns().iter().enumerate().map(column).collect() }
    }

    /// Decides whether the data set fits a schema.
    ///
    /// # Errors
    /// All reasons why it does not.
    pub fn fit(&self, schema: &Schema) -> Result<(), FitReport> {
        let mut report = FitReport::default();
        for input in &schema.inputs {
            self.number(&input.name, Range { min: input.min, max: input.max }, &mut report);
        }
        match (&schema.task, schema.range) {
            (Task::Classification { classes }, _) => self.labels(&schema.target, classes, &mut report),
            (Task::Regression, Some(range)) => self.number(&schema.target, range, &mut report),
            (Task::Regression, None) => {}
        }
        report.finish(())
    }

    fn column(&self, name: &str, report: &mut FitReport) -> Option<&ColumnProfile> {
        let column = self.columns.get(name);
        if column.is_none() {
            report.add(Misfit::MissingColumn { column: name.into() });
        }
        column
    }

    fn number(&self, name: &str, published: Range, report: &mut FitReport) {
        let wide = published.with_margin();
        let Some(column) = self.column(name, report) else { return };
        match column.range {
            None => report.add(Misfit::NotNumbers { column: name.into() }),
            Some(range) if range.min < wide.min || range.max > wide.max => {
                let Range { min, max } = range;
                report.add(Misfit::OutsideRange { column: name.into(), min, max, published });
            }
            Some(_) => {}
        }
    }

    fn labels(&self, name: &str, classes: &[String], report: &mut FitReport) {
        let Some(column) = self.column(name, report) else { return };
        let known = column.labels.as_ref().is_some_and(|labels| labels.iter().all(|label| classes.contains(label)));
        if !known {
            report.add(Misfit::UnknownLabels { column: name.into() });
        }
    }
}

impl ColumnProfile {
    fn of(table: &Table, place: usize, parse: Parse) -> Self {
        let cells = || (0..table.rows()).map(|row| table.cell(row, place));
        let numbers = cells().map(|cell| parse(cell).filter(|number| number.is_finite()));
        let range = numbers.map(|number| number.map(|number| (number, number)));
        let range = range.reduce(|all, one| Some((all?.0.min(one?.0), all?.1.max(one?.1)))).flatten();
        let most = match range {
            Some(_) => MAX_NUMERIC_LABELS.min(table.rows() / ROWS_PER_LABEL),
            None => MAX_LABELS,
        };
        let mut labels = BTreeSet::new();
        let few = cells().all(|cell| {
            if !labels.contains(cell) {
                labels.insert(cell.to_owned());
            }
            labels.len() <= most
        });
        Self { range: range.map(|(min, max)| widen(min, max)), labels: few.then_some(labels) }
    }
}

/// The range, with both ends moved outward to multiples of a step of 1, 2 or 5 times a power of ten.
fn widen(min: f64, max: f64) -> Range {
    let largest = min.abs().max(max.abs());
    match step(((max - min) * STEP_OF_WIDTH).max(largest * STEP_OF_VALUE)) {
        Some(step) => Range { min: (min / step).floor() * step, max: (max / step).ceil() * step },
        // All values are zero, or too large to compute with.
        None => Range { min, max },
    }
}

/// The largest of 1, 2 and 5 times a power of ten that is at most `x`.
fn step(x: f64) -> Option<f64> {
    if !x.is_normal() {
        return None;
    }
    let exponent = x.log10().floor() as i32;
    // Parsed, because powers of ten are not exact.
    let parsed = |(digit, exponent): (u8, i32)| format!("{digit}e{exponent}").parse::<f64>().ok();
    let mut steps = [(5, exponent), (2, exponent), (1, exponent), (5, exponent - 1)].into_iter().filter_map(parsed);
    steps.find(|step| *step <= x).filter(|step| step.is_normal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Input, TableLimits, read_csv};
    use proptest::prelude::*;

    fn profile(csv: &str) -> Profile {
        Profile::of(&read_csv(csv.as_bytes(), &TableLimits::default()).unwrap())
    }

    fn schema(inputs: &[(&str, f64, f64)]) -> Schema {
        let input = |&(name, min, max): &(&str, f64, f64)| Input { name: name.into(), min, max };
        let classes = vec!["no".into(), "yes".into()];
        Schema {
            inputs: inputs.iter().map(input).collect(),
            target: "y".into(),
            task: Task::Classification { classes },
            range: None,
        }
    }

    fn range(csv: &str) -> (f64, f64) {
        let Range { min, max } = profile(csv).columns["a"].range.unwrap();
        (min, max)
    }

    #[test]
    fn ranges_are_widened_outward_to_steps() {
        assert_eq!(range("a\n18\n90.5\n"), (15.0, 95.0));
        assert_eq!(range("a\n0\n16\n"), (0.0, 16.0));
        assert_eq!(range("a\n-3.2\n7\n"), (-4.0, 7.0));
        assert_eq!(range("a\n0\n0\n"), (0.0, 0.0));
        assert_eq!(range("a\n2024\n2024\n"), (2024.0, 2024.0));
        assert_eq!(range("a;b\n0,5;1\n7,25;2\n"), (0.5, 7.5));
    }

    #[test]
    fn a_profile_has_labels_but_no_quantities() {
        let ages: String = (0..40).map(|row| format!("{}.5,{}\n", 20 + row, ["no", "yes"][row % 2])).collect();
        let profile = profile(&format!("age,y\n{ages}"));
        assert_eq!(profile.rows, 40);
        assert_eq!(profile.columns["age"].labels, None);
        assert_eq!(profile.columns["y"].labels, Some(["no".into(), "yes".into()].into()));
        assert_eq!(profile.columns["y"].range, None);
        let few = self::profile("age\n43\n57\n");
        assert_eq!(few.columns["age"].labels, None, "each would be a row");
    }

    #[test]
    fn every_reason_is_named() {
        let data = profile("a,b,y\n1,x,no\n99,y,maybe\n");
        let report = data.fit(&schema(&[("a", 0.0, 10.0), ("b", 0.0, 1.0), ("c", 0.0, 1.0)])).unwrap_err();
        assert_eq!(
            report.to_string(),
            "column `a` has values from 0 to 100, outside 0 to 10\ncolumn `b` has cells that are not numbers\n\
             column `c` is missing\ncolumn `y` has values that are not among the classes"
        );
    }

    /// A stranger opens campaigns with ever narrower ranges, and watches which the Mine serves.
    #[test]
    fn attack_reading_rows_by_schemas_gets_only_the_profile() {
        let (one, other) = (profile("a,y\n18.2,no\n90.1,yes\n44,no\n"), profile("a,y\n16,no\n94,yes\n71,no\n"));
        assert_eq!(one, other);
        for low in 0..40 {
            for high in 80..110 {
                let schema = schema(&[("a", low.into(), high.into())]);
                assert_eq!(one.fit(&schema).is_ok(), other.fit(&schema).is_ok());
            }
        }
    }

    proptest! {
        /// No data set is turned away whose rows fit, and what a profile lets in can be read.
        #[test]
        fn what_fits_by_rows_fits_by_profile(
            values in prop::collection::vec(0.0..=1.0_f64, 1..20), low in -50.0..50.0_f64, width in 1.0..1e5_f64,
        ) {
            let rows: String = values.iter().map(|x| format!("{},no\n", low + width * x)).collect();
            let table = read_csv(format!("a,y\n{rows}").as_bytes(), &TableLimits::default()).unwrap();
            let schema = schema(&[("a", low, low + width * 1.000_001)]);
            prop_assert!(schema.fit(&table).is_ok());
            prop_assert_eq!(Profile::of(&table).fit(&schema), Ok(()));
            for narrow in [0.5, 0.8, 0.9, 0.95, 1.05] {
                let schema = self::schema(&[("a", low, low + width * narrow)]);
                if Profile::of(&table).fit(&schema).is_ok() {
                    prop_assert!(schema.extract(&table).is_ok());
                }
            }
        }

        #[test]
        fn a_step_is_at_most_the_number_and_a_widened_range_holds_its_values(min in -1e9..1e9_f64, width in 0.0..1e9_f64) {
            let max = min + width;
            let Range { min: low, max: high } = widen(min, max);
            let slack = (width + min.abs()) * 1e-12;
            prop_assert!(low <= min + slack && high >= max - slack);
            prop_assert!(min - low <= width * STEP_OF_WIDTH + max.abs().max(min.abs()) * STEP_OF_VALUE + slack);
        }
    }
}
