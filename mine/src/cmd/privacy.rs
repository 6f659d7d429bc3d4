//! `mine privacy`

use sonar_node::cli::{self, Ask, Failure, Report};

use super::{Context, repository_failure, store_failure};
use crate::{home, outbox::Outbox, privacy::PrivacyReport, repository};

pub fn run(context: &Context) -> Result<Report, Failure> {
    let store = context.home.store(&context.passphrase(Ask::Existing)?)?;
    let budget = home::read_policy(&context.home.policy())?.privacy;
    let outbox = Outbox::load(&*store).map_err(store_failure)?;
    let names = repository::names(&*store).map_err(repository_failure)?;
    let privacy = PrivacyReport::new(budget, outbox.ledger(), names);
    Report::new(&privacy, human(&privacy))
}

fn human(privacy: &PrivacyReport) -> String {
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
