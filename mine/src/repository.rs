//! The Mine's data sets: CSV in the vault, decrypted only in this process.
//!
//! Whether a data set fits a campaign is decided from its profile, which is made when it is added. Everybody sees which
//! campaigns a Mine submits to; decided from rows, a stranger with many schemas could read them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sonar_node::vault::{SecretStore, VaultError};
use sonar_protocol::{
    data::{self, FitReport, Header, Schema, Table, TableError, TableLimits},
    profile::Profile,
    units::Timestamp,
};
use syft::{Examples, Matrix, Targets};
use zeroize::Zeroizing;

const ABOUT: &str = "about-";
const PROFILE: &str = "profile-";
const TABLE: &str = "table-";
/// Why a data set has no profile, without the cell that is ambiguous.
const UNREADABLE: &str = "it cannot be read without ambiguity; remove the data set and add it again";

/// The name of a data set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DataName(String);

impl FromStr for DataName {
    type Err = RepositoryError;

    fn from_str(text: &str) -> Result<Self, RepositoryError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
        if fits { Ok(Self(text.into())) } else { Err(RepositoryError::Name(text.chars().take(80).collect())) }
    }
}

impl TryFrom<String> for DataName {
    type Error = RepositoryError;

    fn try_from(text: String) -> Result<Self, RepositoryError> {
        text.parse()
    }
}

impl From<DataName> for String {
    fn from(name: DataName) -> Self {
        name.0
    }
}

impl fmt::Display for DataName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Description of a data set, readable without decrypting the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its name.
    pub name: DataName,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// Number of its rows.
    pub rows: usize,
    /// Size as CSV in bytes.
    pub bytes: usize,
    /// Time at which it was added.
    pub added_at: Timestamp,
}

/// A data set with what is known about it without its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct DataProfile {
    /// Its description.
    pub about: About,
    /// Its profile; `None` if it cannot be read without ambiguity.
    pub profile: Option<Profile>,
}

/// How a data set fits a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    /// The data set.
    pub data: DataName,
    /// Number of rows that fit; zero if the data set does not fit.
    pub rows: usize,
    /// Why it does not fit, one reason per line, with the cells.
    pub problems: Option<String>,
    /// The same by its profile alone, without any cell.
    pub by_profile: Option<String>,
}

/// Why an operation on data sets failed.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The name is invalid.
    #[error("`{0}` is not a valid name of a data set: use 1 to 64 letters, digits, - and _")]
    Name(String),
    /// The name is taken.
    #[error("the data set `{0}` exists already; remove it first, or choose another name")]
    Exists(DataName),
    /// No data set has this name.
    #[error("there is no data set `{0}`")]
    Unknown(DataName),
    /// The CSV cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The stored data is damaged.
    #[error("the description of a data set is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Two data sets that fit one schema also fit each other, so this is a bug. It is an error, because training on
    /// only some of them would go unnoticed.
    #[error(
        "the data set `{0}` cannot be joined with the others, although all fit the campaign; remove it, and report this as a bug"
    )]
    Join(DataName),
    /// A data set fits by its profile, but not by its rows, so this is a bug.
    #[error(
        "the data set `{data}` does not fit the campaign, although its profile does; remove it, and report this as a bug"
    )]
    Profile {
        /// The data set.
        data: DataName,
        /// Why its rows do not fit. Not in the message, because it has cells.
        report: FitReport,
    },
    /// The vault failed.
    #[error(transparent)]
    Store(#[from] VaultError),
}

/// Imports a CSV file into the vault.
///
/// # Errors
/// When the name is taken, or the file is not a table; then nothing is changed.
pub fn add(
    store: &dyn SecretStore,
    name: DataName,
    file: &[u8],
    header: &Header,
    added_at: Timestamp,
) -> Result<About, RepositoryError> {
    if names(store)?.contains(&name) {
        return Err(RepositoryError::Exists(name));
    }
    let table = data::read_csv_with(file, header, &TableLimits::default())?;
    // All files are stored in one format, so that separator, encoding and header are decided once.
    let csv = Zeroizing::new(table.to_csv());
    let about = About { columns: table.columns().to_vec(), rows: table.rows(), bytes: csv.len(), added_at, name };
    // The description is written last: without it the data set does not exist.
    store.put(&format!("{TABLE}{}", about.name), csv.as_bytes())?;
    store.put(&format!("{PROFILE}{}", about.name), &serde_json::to_vec(&Profile::of(&table))?)?;
    store.put(&format!("{ABOUT}{}", about.name), &serde_json::to_vec(&about)?)?;
    Ok(about)
}

/// Removes a data set.
///
/// # Errors
/// When no data set has this name.
pub fn remove(store: &dyn SecretStore, name: &DataName) -> Result<(), RepositoryError> {
    if !names(store)?.contains(name) {
        return Err(RepositoryError::Unknown(name.clone()));
    }
    for entry in [ABOUT, PROFILE, TABLE] {
        store.remove(&format!("{entry}{name}"))?;
    }
    Ok(())
}

/// The names of all data sets, sorted.
///
/// # Errors
/// When the store fails.
pub fn names(store: &dyn SecretStore) -> Result<Vec<DataName>, RepositoryError> {
    store.list(ABOUT)?.iter().map(|entry| entry[ABOUT.len()..].parse()).collect()
}

/// All data sets by name.
///
/// # Errors
/// When the store fails.
pub fn list(store: &dyn SecretStore) -> Result<Vec<About>, RepositoryError> {
    names(store)?.iter().map(|name| Ok(serde_json::from_slice(&store.get(&format!("{ABOUT}{name}"))?)?)).collect()
}

/// All data sets by name, with their profiles.
///
/// # Errors
/// When the store fails.
pub fn profiles(store: &dyn SecretStore) -> Result<Vec<DataProfile>, RepositoryError> {
    let with_profile = |about: About| Ok(DataProfile { profile: profile(store, &about.name)?.ok(), about });
    list(store)?.into_iter().map(with_profile).collect()
}

/// How each data set fits a campaign's schema.
///
/// # Errors
/// When the store fails.
pub fn fits(store: &dyn SecretStore, schema: &Schema) -> Result<Vec<Fit>, RepositoryError> {
    names(store)?
        .into_iter()
        .map(|data| {
            let fit = profile(store, &data)?.map(|profile| profile.fit(schema).map(|()| profile.rows));
            let (rows, problems, by_profile) = match fit {
                Ok(Ok(rows)) => (rows, None, None),
                Ok(Err(report)) => (0, Some(explain(store, schema, &data, &report)?), Some(report.to_string())),
                Err(problems) => (0, Some(problems), Some(UNREADABLE.into())),
            };
            Ok(Fit { data, rows, problems, by_profile })
        })
        .collect()
}

/// The examples of all data sets that fit, concatenated, with the names of these data sets.
///
/// # Errors
/// When the store fails.
pub fn examples(
    store: &dyn SecretStore,
    schema: &Schema,
) -> Result<(Vec<DataName>, Option<Examples>), RepositoryError> {
    let mut used = Vec::new();
    let mut all: Option<Examples> = None;
    for name in names(store)? {
        let fits = profile(store, &name)?.is_ok_and(|profile| profile.fit(schema).is_ok());
        let Some(table) = load(store, &name)?.ok().filter(|_| fits) else {
            continue;
        };
        let more = schema.extract(&table);
        let more = more.map_err(|report| RepositoryError::Profile { data: name.clone(), report })?;
        all = match all {
            None => Some(more),
            Some(all) => Some(join(&all, &more).ok_or_else(|| RepositoryError::Join(name.clone()))?),
        };
        used.push(name);
    }
    Ok((used, all))
}

fn join(first: &Examples, second: &Examples) -> Option<Examples> {
    let features = Matrix::new(
        first.len() + second.len(),
        first.features().columns(),
        [first.features().values(), second.features().values()].concat(),
    )
    .ok()?;
    let targets = match (first.targets(), second.targets()) {
        (Targets::Classes(a), Targets::Classes(b)) => Targets::Classes([&a[..], b].concat()),
        (Targets::Values(a), Targets::Values(b)) => Targets::Values([&a[..], b].concat()),
        (Targets::Classes(_), Targets::Values(_)) | (Targets::Values(_), Targets::Classes(_)) => return None,
    };
    Examples::new(features, targets).ok()
}

/// The profile of a data set, or why it has none. An ambiguous file that an older version of the program accepted fits
/// no campaign, without blocking the other data sets.
fn profile(store: &dyn SecretStore, name: &DataName) -> Result<Result<Profile, String>, RepositoryError> {
    let entry = format!("{PROFILE}{name}");
    match store.get(&entry) {
        Ok(bytes) => return Ok(Ok(serde_json::from_slice(&bytes)?)),
        // An older version of the program added it.
        Err(VaultError::Missing(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let table = match load(store, name)? {
        Ok(table) => table,
        Err(error) => return Ok(Err(format!("{error}; remove the data set and add it again"))),
    };
    let profile = Profile::of(&table);
    store.put(&entry, &serde_json::to_vec(&profile)?)?;
    Ok(Ok(profile))
}

/// Why a data set does not fit, for its owner: with the cells if there are any, because only the decision is disclosed.
fn explain(
    store: &dyn SecretStore,
    schema: &Schema,
    name: &DataName,
    report: &FitReport,
) -> Result<String, RepositoryError> {
    let cells = load(store, name)?.ok().and_then(|table| schema.fit(&table).err());
    Ok(cells.as_ref().unwrap_or(report).to_string())
}

fn load(store: &dyn SecretStore, name: &DataName) -> Result<Result<Table, TableError>, RepositoryError> {
    let csv: Zeroizing<Vec<u8>> = store.get(&format!("{TABLE}{name}"))?;
    // Quotes around cells with commas make the text longer than the file.
    let limits = TableLimits { bytes: u64::MAX, ..TableLimits::default() };
    Ok(data::read_csv_with(&csv, &Header::FirstLine, &limits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;

    const NOW: Timestamp = Timestamp::from_unix(5);

    fn name(text: &str) -> DataName {
        text.parse().unwrap()
    }

    #[test]
    fn a_data_set_is_added_listed_and_removed() {
        let store = Memory::default();
        let about = add(&store, name("own"), b"a,b\n1,2\n3,4\n", &Header::Checked, NOW).unwrap();
        assert_eq!((about.rows, about.columns.len()), (2, 2));
        assert_eq!(list(&store).unwrap(), [about]);
        assert!(matches!(add(&store, name("own"), b"a\n1\n", &Header::Checked, NOW), Err(RepositoryError::Exists(_))));
        remove(&store, &name("own")).unwrap();
        assert!(list(&store).unwrap().is_empty());
        assert!(store.list("").unwrap().is_empty(), "nothing stays behind");
        assert!(matches!(remove(&store, &name("own")), Err(RepositoryError::Unknown(_))));
    }

    #[test]
    fn examples_of_different_kinds_are_not_joined_silently() {
        let examples = |targets| Examples::new(Matrix::new(1, 1, vec![0.5]).unwrap(), targets).unwrap();
        let (class, value) = (examples(Targets::Classes(vec![1])), examples(Targets::Values(vec![0.1])));
        assert!(join(&class, &value).is_none() && join(&value, &class).is_none());
        assert_eq!(join(&class, &class).unwrap().len(), 2);
        let wider = Examples::new(Matrix::new(1, 2, vec![0.5, 0.5]).unwrap(), Targets::Classes(vec![1])).unwrap();
        assert!(join(&class, &wider).is_none());
    }

    #[test]
    fn what_is_no_table_is_not_kept() {
        let store = Memory::default();
        for csv in [&b""[..], b"a,b\n", b"a,b\n1\n", b"\xff\xfe\n1\n"] {
            assert!(add(&store, name("bad"), csv, &Header::Checked, NOW).is_err(), "{csv:?}");
        }
        assert!(store.list("").unwrap().is_empty());
    }

    fn schema() -> Schema {
        let input = |name: &str| data::Input { name: name.into(), min: 0.0, max: 10.0 };
        let classes = vec!["no".into(), "yes".into()];
        let task = syft::Task::Classification { classes };
        Schema { inputs: vec![input("a"), input("b")], target: "y".into(), task, range: None }
    }

    #[test]
    fn every_form_of_a_file_is_the_same_data_set() {
        let names = Header::Absent(Some(vec!["a".into(), "b".into(), "y".into()]));
        let forms: [(&[u8], &Header); 5] = [
            (b"a,b,y\n1.68,1.17,no\n0.59,7,yes\n", &Header::Checked),
            (b"a;b;y\r\n1,68;1,17;no\r\n0,59;7;yes\r\n", &Header::Checked),
            (b"a\tb\ty\r1.68\t1.17\tno\r0.59\t7\tyes", &Header::Checked),
            (b"\xEF\xBB\xBFa|b|y\n1.68|1.17|no\n\n0.59|7|yes\n", &Header::Checked),
            (b"1.68,1.17,no\n0.59,7,yes\n", &names),
        ];
        for (file, header) in forms {
            let store = Memory::default();
            add(&store, name("own"), file, header, NOW).unwrap();
            let (used, examples) = examples(&store, &schema()).unwrap();
            let text = String::from_utf8_lossy(file);
            assert_eq!(used, [name("own")], "{text}");
            assert_eq!(examples.unwrap().features().values(), [1.68, 1.17, 0.59, 7.0], "{text}");
        }
    }

    #[test]
    fn an_ambiguous_file_of_an_older_mine_does_not_stop_the_others() {
        let store = Memory::default();
        add(&store, name("good"), b"a,b,y\n1,2,no\n", &Header::Checked, NOW).unwrap();
        add(&store, name("old"), b"a,b,y\n1,2,no\n", &Header::Checked, NOW).unwrap();
        store.put("table-old", b"a,b,y\n1,2,\"no\n3,4,yes\n").unwrap();
        store.remove("profile-old").unwrap();
        let fits = fits(&store, &schema()).unwrap();
        assert_eq!((fits[0].rows, fits[1].rows), (1, 0));
        assert!(fits[1].problems.as_ref().unwrap().contains("the quote opened in line 2"), "{fits:?}");
        assert_eq!(examples(&store, &schema()).unwrap().0, [name("good")]);
    }

    #[test]
    fn a_data_set_of_an_older_mine_gets_its_profile() {
        let store = Memory::default();
        add(&store, name("own"), b"a,b,y\n1,2,no\n3,4,yes\n", &Header::Checked, NOW).unwrap();
        let made = store.get("profile-own").unwrap();
        store.remove("profile-own").unwrap();
        assert_eq!(fits(&store, &schema()).unwrap()[0].rows, 2);
        assert_eq!(store.get("profile-own").unwrap(), made);
    }

    fn store_profile(store: &Memory) -> String {
        String::from_utf8(store.get("profile-own").unwrap().to_vec()).unwrap()
    }

    /// A stranger who opens a campaign for each schema learns no more from what a Mine serves.
    #[test]
    fn attack_two_data_sets_with_one_profile_lead_to_the_same_decisions() {
        let [one, other] = [&b"a,b,y\n1.1,2,no\n3.9,9.4,yes\n"[..], b"a,b,y\n3.95,2.1,yes\n1.05,9.3,no\n"].map(|csv| {
            let store = Memory::default();
            add(&store, name("own"), csv, &Header::Checked, NOW).unwrap();
            store
        });
        assert_eq!(store_profile(&one), store_profile(&other));
        for step in 0..40 {
            let mut schema = schema();
            schema.inputs[0].max = f64::from(step) / 8.0 + 0.1;
            schema.inputs[1].min = f64::from(step) / 8.0 - 0.1;
            let decisions = [&one, &other].map(|store| fits(store, &schema).unwrap()[0].rows);
            assert_eq!(decisions[0], decisions[1], "{schema:?}");
            for store in [&one, &other] {
                let (used, examples) = examples(store, &schema).unwrap();
                assert_eq!(
                    (used.len() * 2, examples.map_or(0, |examples| examples.len())),
                    (decisions[0], decisions[0])
                );
            }
        }
    }

    #[test]
    fn names_are_plain() {
        for text in ["", "a/b", "..", "a b", &"a".repeat(65)] {
            assert!(text.parse::<DataName>().is_err(), "{text}");
        }
    }
}
