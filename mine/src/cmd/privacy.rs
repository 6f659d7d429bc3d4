//! `mine privacy`

use std::collections::BTreeSet;

use crate::{
    home,
    outbox::Outbox,
    privacy::{Budget, Disclosure},
    repository::{self, DataName},
};
use serde::Serialize;
use sonar_node::cli::{self, Ask, Failure, Report};

use super::{Context, repository_failure, store_failure};

#[derive(Serialize)]
struct Privacy {
    budget: Option<Budget>,
    data: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    data: DataName,
    private: u32,
    exact: u32,
    /// Total ε of the private updates; `None` without a δ.
    epsilon: Option<f64>,
    left: Option<u32>,
}

pub fn run(context: &Context) -> Result<Report, Failure> {
    let store = context.home.store(&context.passphrase(Ask::Existing)?)?;
    let budget = home::read_policy(&context.home.policy())?.privacy;
    let outbox = Outbox::load(&*store).map_err(store_failure)?;
    let ledger = outbox.ledger();
    let mut names: BTreeSet<DataName> = ledger.accounts().map(|(data, _)| data.clone()).collect();
    names.extend(repository::names(&*store).map_err(repository_failure)?);
    let data = names.into_iter().map(|data| line(budget.as_ref(), ledger.spent(&data), data)).collect();
    let privacy = Privacy { budget, data };
    Report::new(&privacy, human(&privacy))
}

fn line(budget: Option<&Budget>, spent: Disclosure, data: DataName) -> Line {
    Line {
        data,
        private: spent.private,
        exact: spent.exact,
        epsilon: budget.map(|budget| spent.cost.epsilon(budget.delta())),
        left: budget.map(|budget| budget.left(spent)),
    }
}

fn human(privacy: &Privacy) -> String {
    let head = match &privacy.budget {
        Some(budget) => format!("budget of each data set: {budget}"),
        None => "no privacy budget: Capsules learn exact updates; set a budget with `mine policy set --epsilon`".into(),
    };
    let mut table = cli::table(["DATA SET", "PRIVATE UPDATES", "EXACT UPDATES", "EPSILON", "LEFT"]);
    for line in &privacy.data {
        table.add_row([
            line.data.to_string(),
            line.private.to_string(),
            line.exact.to_string(),
            line.epsilon.map_or_else(String::new, |epsilon| format!("{epsilon:.2}")),
            line.left.map_or_else(String::new, |left| left.to_string()),
        ]);
    }
    let exact = privacy.data.iter().any(|line| line.exact > 0);
    let warning = if exact { "\nExact updates were made without a budget; ε does not cover them." } else { "" };
    format!("{head}\n\n{table}{warning}")
}
