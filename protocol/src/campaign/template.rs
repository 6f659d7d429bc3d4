//! A campaign file for a validation set: what can be read from the data is filled in, what its owner must decide has a
//! comment.

use std::{collections::BTreeSet, fmt::Write};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    data::{Input, Range, Table},
    profile::{ColumnProfile, Profile},
};

/// Names that a target column usually has.
const TARGET_NAMES: [&str; 8] = ["target", "label", "class", "y", "output", "outcome", "diagnosis", "result"];
/// Most classes that a report lists.
const LISTED: usize = 12;

/// What the owner has decided already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateWishes {
    /// The campaign's name.
    pub name: String,
    /// Path of the validation set, as the campaign file names it.
    pub validation: String,
    /// The column to predict (default: one that is called like a target, else the last one).
    pub target: Option<String>,
    /// The kind of the task (default: a classification if the target has few different values).
    pub task: Option<TaskKind>,
}

/// Kind of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// A class.
    Classification,
    /// A number.
    Regression,
}

impl From<&syft::Task> for TaskKind {
    fn from(task: &syft::Task) -> Self {
        match task {
            syft::Task::Classification { .. } => Self::Classification,
            syft::Task::Regression => Self::Regression,
        }
    }
}

/// A campaign file that parses, and what was guessed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignTemplate {
    /// The text of the campaign file.
    pub text: String,
    /// The guesses, a sentence each.
    pub guesses: Vec<String>,
}

/// Why there is no campaign over this table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The target is not a column.
    #[error("there is no column `{0}`; the columns are {1}")]
    NoColumn(String, String),
    /// The target has one value.
    #[error("the column `{0}` has the same value in every row, so there is nothing to predict")]
    Constant(String),
    /// The target has too many different texts.
    #[error("the column `{0}` has a different text in almost every row, so it is neither a class nor a number")]
    Texts(String),
    /// The target of a regression is not a number.
    #[error("the column `{0}` has cells that are not numbers, so it cannot be the target of a regression")]
    NotNumbers(String),
    /// The target of a classification has too many values.
    #[error("the column `{0}` has too many different values for a classification")]
    TooManyClasses(String),
    /// No column can be an input.
    #[error("no other column than `{0}` has numbers that differ, so a model would have nothing to read")]
    NoInputs(String),
}

/// Writes the campaign file for a validation set.
///
/// # Errors
/// When the table has no column to predict or to predict it from.
pub fn template(table: &Table, wishes: &TemplateWishes) -> Result<CampaignTemplate, TemplateError> {
    let profile = Profile::of(table);
    let mut guesses = Vec::new();
    let target = target(table, wishes, &mut guesses)?;
    let task = Task::of(target, table, &profile.columns[target], wishes.task, &mut guesses)?;
    let inputs = Inputs::of(target, table, &profile, &mut guesses)?;
    guesses.push(
        "the ranges are those of this file, widened to round numbers, and become public: a Mine whose data go beyond \
         them does not take part"
            .into(),
    );
    guesses.push("bounty, target accuracy and deadline are examples: change them before you launch".into());
    Ok(CampaignTemplate { text: text(wishes, target, &task, &inputs), guesses })
}

fn target<'t>(table: &'t Table, wishes: &TemplateWishes, guesses: &mut Vec<String>) -> Result<&'t str, TemplateError> {
    let columns = table.columns();
    if let Some(wanted) = &wishes.target {
        let found = columns.iter().find(|name| *name == wanted);
        return found.map(String::as_str).ok_or_else(|| TemplateError::NoColumn(wanted.clone(), columns.join(", ")));
    }
    let usual = columns.iter().find(|name| TARGET_NAMES.contains(&name.to_lowercase().as_str()));
    let (name, why) = match usual {
        Some(name) => (name, "because of its name"),
        None => (columns.last().ok_or_else(|| TemplateError::NoInputs(String::new()))?, "because it is the last one"),
    };
    guesses.push(format!("the model predicts column `{name}`, {why} (`--target` names another)"));
    Ok(name)
}

/// What the model predicts.
enum Task {
    /// The classes, and the share of the most frequent one.
    Classification { classes: Vec<String>, most_frequent: String, share: f64 },
    /// The range of the number.
    Regression(Range),
}

impl Task {
    fn of(
        target: &str,
        table: &Table,
        column: &ColumnProfile,
        wanted: Option<TaskKind>,
        guesses: &mut Vec<String>,
    ) -> Result<Self, TemplateError> {
        let place = table.columns().iter().position(|name| name == target).unwrap_or_default();
        let values: BTreeSet<&str> = (0..table.rows()).map(|row| table.cell(row, place)).collect();
        if values.len() < 2 {
            return Err(TemplateError::Constant(target.into()));
        }
        let kind =
            wanted.unwrap_or(if column.labels.is_some() { TaskKind::Classification } else { TaskKind::Regression });
        match (kind, &column.labels, column.range) {
            (TaskKind::Classification, Some(labels), _) => {
                let classes = sorted(labels);
                let listed: Vec<_> = classes.iter().take(LISTED).map(String::as_str).collect();
                let more = if classes.len() > LISTED { ", …" } else { "" };
                guesses.push(format!("it is one of {} classes: {}{more}", classes.len(), listed.join(", ")));
                let count = |class: &String| (0..table.rows()).filter(|row| table.cell(*row, place) == class).count();
                let most_frequent = classes.iter().max_by_key(|class| count(class)).cloned().unwrap_or_default();
                let share = count(&most_frequent) as f64 / table.rows() as f64;
                Ok(Self::Classification { classes, most_frequent, share })
            }
            (TaskKind::Classification, None, _) => Err(TemplateError::TooManyClasses(target.into())),
            (TaskKind::Regression, _, Some(range)) => {
                guesses.push(format!("it is a number from {} to {}", range.min, range.max));
                Ok(Self::Regression(range))
            }
            (TaskKind::Regression, _, None) if wanted.is_none() => Err(TemplateError::Texts(target.into())),
            (TaskKind::Regression, _, None) => Err(TemplateError::NotNumbers(target.into())),
        }
    }
}

/// Numbers in their order, other labels by the alphabet.
fn sorted(labels: &BTreeSet<String>) -> Vec<String> {
    let mut classes: Vec<String> = labels.iter().cloned().collect();
    if classes.iter().all(|class| class.parse::<f64>().is_ok()) {
        classes.sort_by(|a, b| a.parse::<f64>().unwrap_or(0.0).total_cmp(&b.parse::<f64>().unwrap_or(0.0)));
    }
    classes
}

/// What the model reads.
enum Inputs {
    Columns(Vec<Input>),
    Image { prefix: String, height: usize, width: usize, range: Range },
}

impl Inputs {
    fn of(target: &str, table: &Table, profile: &Profile, guesses: &mut Vec<String>) -> Result<Self, TemplateError> {
        let others = || table.columns().iter().filter(|name| *name != target);
        let ranges =
            others().map(|name| Some((name.as_str(), profile.columns[name].range?))).collect::<Option<Vec<_>>>();
        if let Some(image) = ranges.and_then(|ranges| Self::image(&ranges)) {
            return Ok(image);
        }
        let mut inputs = Vec::new();
        for (place, name) in table.columns().iter().enumerate().filter(|(_, name)| *name != target) {
            match profile.columns[name].range {
                None => guesses.push(format!("column `{name}` is left out: it has cells that are not numbers")),
                Some(Range { min, max }) if min >= max => {
                    guesses.push(format!("column `{name}` is left out: it has the same value in every row"));
                }
                Some(_) if counts_rows(table, place) => {
                    guesses.push(format!("column `{name}` is left out: it only numbers the rows"));
                }
                Some(Range { min, max }) => inputs.push(Input { name: name.clone(), min, max }),
            }
        }
        if inputs.is_empty() { Err(TemplateError::NoInputs(target.into())) } else { Ok(Self::Columns(inputs)) }
    }

    /// Columns that are named by row and column of a pixel, in the order of an image.
    fn image(columns: &[(&str, Range)]) -> Option<Self> {
        let (first, last) = (columns.first()?, columns.last()?);
        let prefix = first.0.strip_suffix("0_0")?;
        let (row, column) = last.0.strip_prefix(prefix)?.split_once('_')?;
        let (height, width) = (row.parse::<usize>().ok()? + 1, column.parse::<usize>().ok()? + 1);
        let places = (0..height).flat_map(|row| (0..width).map(move |column| format!("{prefix}{row}_{column}")));
        let is_image = height > 1 && width > 1 && columns.iter().map(|column| column.0).eq(places);
        let range = columns
            .iter()
            .map(|column| column.1)
            .reduce(|all, one| Range { min: all.min.min(one.min), max: all.max.max(one.max) })?;
        is_image.then(|| Self::Image { prefix: prefix.into(), height, width, range })
    }
}

/// Whether a column has consecutive whole numbers in order.
fn counts_rows(table: &Table, column: usize) -> bool {
    let number = |row| table.cell(row, column).parse::<i64>().ok();
    table.rows() > 2
        && (1..table.rows())
            .all(|row| matches!((number(row - 1), number(row)), (Some(a), Some(b)) if a.checked_add(1) == Some(b)))
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn text(wishes: &TemplateWishes, target: &str, task: &Task, inputs: &Inputs) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_head(&mut text, wishes, inputs).and_then(|()| write_rest(&mut text, wishes, target, task));
    text
}

fn write_head(text: &mut String, wishes: &TemplateWishes, inputs: &Inputs) -> std::fmt::Result {
    writeln!(text, "# Check everything here, then see what a launch would do: sonar campaign launch FILE --dry-run")?;
    writeln!(text, "name = {}", quoted(&wishes.name))?;
    writeln!(text, "description = \"\"   # what the model is for; miners read it")?;
    writeln!(text, "deadline = \"7d\"    # from the launch, or a time such as 2030-01-31T12:00:00Z\n")?;
    writeln!(text, "# Columns that a Mine's data must have, with the range of their values. Public.")?;
    match inputs {
        Inputs::Image { prefix, height, width, range } => {
            let columns = quoted(&format!("{prefix}{{row}}_{{column}}"));
            let Range { min, max } = range;
            writeln!(
                text,
                "inputs = {{ columns = {columns}, height = {height}, width = {width}, min = {min}, max = {max} }}\n"
            )
        }
        Inputs::Columns(inputs) => {
            writeln!(text, "inputs = [")?;
            for Input { name, min, max } in inputs {
                writeln!(text, "  {{ name = {}, min = {min}, max = {max} }},", quoted(name))?;
            }
            writeln!(text, "]\n")
        }
    }
}

fn write_rest(text: &mut String, wishes: &TemplateWishes, target: &str, task: &Task) -> std::fmt::Result {
    writeln!(text, "[task]")?;
    let (kind, goal, baseline) = match task {
        Task::Classification { classes, most_frequent, share } => {
            let percent = (100.0 * share).round();
            // Three quarters of the way from the most frequent class to perfection.
            let goal = (100.0 * (share + 0.75 * (1.0 - share))).round() / 100.0;
            let classes: Vec<_> = classes.iter().map(|class| quoted(class)).collect();
            let kind = format!(
                "kind = \"classification\"\ntarget = {}\nclasses = [{}]\nmetric = \"accuracy\"",
                quoted(target),
                classes.join(", ")
            );
            let most_frequent = most_frequent.escape_debug();
            (kind, goal, format!("who always answers `{most_frequent}` is right in {percent} %"))
        }
        Task::Regression(Range { min, max }) => {
            let kind = format!(
                "kind = \"regression\"\ntarget = {}\nmin = {min}\nmax = {max}\nmetric = \"r2\"",
                quoted(target)
            );
            (kind, 0.5, "share of the variance that the model explains".into())
        }
    };
    writeln!(text, "{kind}\n")?;
    writeln!(text, "[validation]\nfile = {}   # only the Capsule sees it\n", quoted(&wishes.validation))?;
    writeln!(
        text,
        "[model]\nregime = \"encrypted\"   # Mines never see the model; `clear`: a network that everybody sees\n\
         # initial = \"campaign:0x…\"   # start from the result of a campaign of yours, instead of from nothing\n"
    )?;
    writeln!(text, "[reward]\nbounty = \"1\"    # what the target is worth to you; each gain is paid its share")?;
    writeln!(text, "token = \"ETH\"   # or DATA, or the address of an ERC-20\n")?;
    writeln!(text, "[accuracy]\ntarget = {goal}   # pays the whole bounty; {baseline}\n")?;
    writeln!(text, "# Shown with the campaign as your own words, which nobody verifies:")?;
    writeln!(text, "# [organisation]\n# name = \"Example Hospital\"\n# link = \"https://example.org\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        campaign::CampaignFile,
        data::{TableLimits, read_csv},
    };

    fn made(csv: &str, wishes: &TemplateWishes) -> Result<CampaignTemplate, TemplateError> {
        template(&read_csv(csv.as_bytes(), &TableLimits::default()).unwrap(), wishes)
    }

    fn wishes() -> TemplateWishes {
        TemplateWishes { name: "N".into(), validation: "v.csv".into(), ..TemplateWishes::default() }
    }

    /// The file parses, and the table that it was made from fits it.
    fn checked(csv: &str, wishes: &TemplateWishes) -> (CampaignFile, CampaignTemplate) {
        let template = made(csv, wishes).unwrap();
        let file = CampaignFile::parse(&template.text).unwrap_or_else(|error| panic!("{error}\n{}", template.text));
        let table = read_csv(csv.as_bytes(), &TableLimits::default()).unwrap();
        file.schema().fit(&table).unwrap();
        (file, template)
    }

    const TUMOURS: &str =
        "id,radius,note,same,verdict\n1,6.2,small,3,benign\n2,9.9,,3,malignant\n3,7.1,x,3,benign\n4,8.0,y,3,benign\n";

    #[test]
    fn a_file_for_a_validation_set_parses_and_says_what_was_guessed() {
        let (file, template) = checked(TUMOURS, &wishes());
        let schema = file.schema();
        assert_eq!(schema.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["radius"]);
        assert_eq!(schema.target, "verdict");
        assert!(template.text.contains("classes = [\"benign\", \"malignant\"]"), "{}", template.text);
        assert!(template.text.contains("who always answers `benign` is right in 75 %"), "{}", template.text);
        let guesses = template.guesses.join("\n");
        for guess in
            ["`verdict`, because it is the last one", "`id` is left out", "`note` is left out", "`same` is left out"]
        {
            assert!(guesses.contains(guess), "{guess}\n{guesses}");
        }
    }

    #[test]
    fn what_its_owner_decides_is_not_guessed() {
        let regression = TemplateWishes { target: Some("radius".into()), ..wishes() };
        let numbers: String = (0..90).map(|row| format!("{},{}.5\n", row % 7, row * row)).collect();
        let (file, template) = checked(&format!("a,radius\n{numbers}"), &regression);
        assert!(matches!(file.task, crate::campaign::TaskTable::Regression { .. }));
        assert!(!template.guesses.iter().any(|guess| guess.contains("--target")));
        let wishes = TemplateWishes { task: Some(TaskKind::Regression), target: Some("a".into()), ..wishes() };
        let (file, _) = checked(&format!("a,radius\n{numbers}"), &wishes);
        assert_eq!(file.schema().range, Some(Range { min: 0.0, max: 6.0 }));
    }

    #[test]
    fn pixels_are_one_image_even_if_a_border_is_always_white() {
        let rows: String = (0..40).map(|row| format!("0,0,0,{},{},0,{}\n", row % 5, row % 3, row % 2)).collect();
        let (file, _) = checked(&format!("p0_0,p0_1,p0_2,p1_0,p1_1,p1_2,label\n{rows}"), &wishes());
        assert!(
            matches!(&file.inputs, crate::campaign::InputsTable::Image(image) if (image.height, image.width) == (2, 3))
        );
    }

    #[test]
    fn what_cannot_be_a_campaign_says_why() {
        let refused = |csv: &str, target: Option<&str>, task| {
            let wishes = TemplateWishes { target: target.map(Into::into), task, ..wishes() };
            made(csv, &wishes).unwrap_err().to_string()
        };
        assert!(refused(TUMOURS, Some("diagnosis"), None).contains("the columns are id, radius, note, same, verdict"));
        assert!(refused(TUMOURS, Some("same"), None).contains("same value"));
        assert!(refused(TUMOURS, Some("note"), Some(TaskKind::Regression)).contains("not numbers"));
        assert!(refused("note,y\na,1\nb,0\na,1\nb,0\n", None, None).contains("nothing to read"));
        let texts: String = (0..1_100).map(|row| format!("{row},t{row}x\n")).collect();
        assert!(refused(&format!("a,b\n{texts}"), None, None).contains("neither a class nor a number"));
        let numbers: String = (0..90).map(|row| format!("{},{}.5\n", row % 7, row * row)).collect();
        let many = refused(&format!("a,b\n{numbers}"), None, Some(TaskKind::Classification));
        assert!(many.contains("too many different values"), "{many}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever names and values a table has.
        #[test]
        fn every_file_parses(
            names in prop::collection::btree_set("[a-zA-Z\"\\\\{}é' _]{1,8}", 2..5),
            rows in prop::collection::vec(prop::collection::vec(-1e9..1e9_f64, 5), 4..30),
        ) {
            let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
            let distinct: BTreeSet<&String> = names.iter().collect();
            prop_assume!(distinct.len() == names.len() && names.iter().all(|name| !name.is_empty()));
            let header: Vec<_> = names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
            let mut csv = header.join(",") + "\n";
            for row in &rows {
                let cells: Vec<_> = row.iter().take(names.len()).map(f64::to_string).collect();
                csv += &(cells.join(",") + "\n");
            }
            let Ok(table) = read_csv(csv.as_bytes(), &TableLimits::default()) else { return Ok(()) };
            if let Ok(template) = template(&table, &wishes()) {
                let file = CampaignFile::parse(&template.text);
                prop_assert!(file.is_ok(), "{:?}\n{}", file.err(), template.text);
                prop_assert!(file.unwrap().schema().fit(&table).is_ok());
            }
        }
    }
}
