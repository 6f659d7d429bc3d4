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
            "iid" => Ok(Self::Iid),
            "by-label" => Ok(Self::ByLabel),
            other => Err(format!("`{other}` is not a split: write iid or by-label")),
        }
    }
}

impl Split {
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
        let mut rows: Vec<&str> = body.lines().collect();
        if owners == 0 || rows.len() < owners {
            return Err(format!("{} rows are too few for {owners} Mines", rows.len()));
        }
        let owner = |index: usize| match self {
            Self::Iid => index % owners,
            Self::ByLabel => index * owners / rows.len(),
        };
        let owner_of: Vec<usize> = (0..rows.len()).map(owner).collect();
        if self == Self::ByLabel {
            // Stable, so that the order within a label is kept. Numbers are sorted numerically.
            let label = |row: &&str| row.split(',').nth(column).unwrap_or_default().to_owned();
            rows.sort_by_cached_key(|row| {
                let text = label(row);
                (text.parse().map_or(i64::MAX, |number: f64| (number * 1e6) as i64), text)
            });
        }
        let part = |wanted: usize| {
            let own = rows.iter().zip(&owner_of).filter(|(_, owner)| **owner == wanted);
            own.fold(format!("{header}\n"), |text, (row, _)| text + row + "\n")
        };
        Ok((0..owners).map(part).collect())
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
