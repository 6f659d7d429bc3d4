//! Divides the rows of a data set among owners.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a data set is divided among its owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// In turn, so that all owners have similar rows.
    #[default]
    Iid,
    /// Sorted by label and cut, so that each owner has few labels.
    ByLabel,
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "iid" | "even" => Ok(Self::Iid),
            "by-label" => Ok(Self::ByLabel),
            other => Err(format!("`{other}` is not a split: write even (or iid) or by-label")),
        }
    }
}

impl Split {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iid => "even",
            Self::ByLabel => "by-label",
        }
    }

    /// The rows of each of `owners`, for rows with these labels.
    ///
    /// # Errors
    /// When there are fewer rows than owners.
    pub fn owners(self, labels: &[&str], owners: usize) -> Result<Vec<Vec<usize>>, String> {
        let count = labels.len();
        if owners == 0 || count < owners {
            return Err(format!("{count} rows are too few for {owners} Mines"));
        }
        let mut rows: Vec<usize> = (0..count).collect();
        if self == Self::ByLabel {
            // Stable, so that the order within a label is kept. Numbers are sorted numerically.
            rows.sort_by_cached_key(|row| {
                let label = labels[*row];
                (label.parse().map_or(i64::MAX, |number: f64| (number * 1e6) as i64), label)
            });
        }
        let owner = |place: usize| match self {
            Self::Iid => place % owners,
            Self::ByLabel => place * owners / count,
        };
        let mut shares = vec![Vec::new(); owners];
        rows.into_iter().enumerate().for_each(|(place, row)| shares[owner(place)].push(row));
        Ok(shares)
    }

    /// Divides the rows of a CSV text without quoted fields, whose label is in column `label`, among `owners`. Every
    /// part has the header.
    ///
    /// # Errors
    /// When the column is missing or there are fewer rows than owners.
    pub fn deal(self, csv: &str, label: &str, owners: usize) -> Result<Vec<String>, String> {
        let (header, body) = csv.split_once('\n').ok_or("the data has no rows")?;
        let column = header
            .split(',')
            .position(|name| name == label)
            .ok_or_else(|| format!("the data has no column `{label}`"))?;
        let rows: Vec<&str> = body.lines().collect();
        let labels: Vec<&str> = rows.iter().map(|row| row.split(',').nth(column).unwrap_or_default()).collect();
        let part = |own: Vec<usize>| own.into_iter().fold(format!("{header}\n"), |text, row| text + rows[row] + "\n");
        Ok(self.owners(&labels, owners)?.into_iter().map(part).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "x,y\n1,b\n2,a\n3,b\n4,a\n5,a\n";

    #[test]
    fn every_row_has_one_owner() {
        assert_eq!(Split::Iid.deal(CSV, "y", 2).unwrap(), ["x,y\n1,b\n3,b\n5,a\n", "x,y\n2,a\n4,a\n"]);
        assert_eq!(Split::ByLabel.deal(CSV, "y", 2).unwrap(), ["x,y\n2,a\n4,a\n5,a\n", "x,y\n1,b\n3,b\n"]);
    }

    #[test]
    fn what_cannot_be_dealt_is_named() {
        assert!(Split::Iid.deal(CSV, "z", 2).unwrap_err().contains("`z`"));
        assert!(Split::Iid.deal(CSV, "y", 6).unwrap_err().contains("6 Mines"));
        assert!(Split::Iid.deal(CSV, "y", 0).is_err());
    }
}
