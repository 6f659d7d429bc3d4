//! A campaign file for a validation set.

use sonar_node::cli::{Code, Failure};
use sonar_protocol::{
    bundle,
    campaign::template::{CampaignTemplate, TemplateWishes, template},
    data::{Table, read_csv},
};

/// A validation set, and the campaign file that was written for it.
#[derive(Debug)]
pub struct Draft {
    pub table: Table,
    pub template: CampaignTemplate,
}

/// Writes the campaign file for a validation set, which messages name as `place`.
pub fn draft(validation: &[u8], place: &str, wishes: &TemplateWishes) -> Result<Draft, Failure> {
    let table = read_csv(validation, &bundle::validation_limits());
    let table = table.map_err(|error| Failure::new(Code::DataNotATable, error).at(place))?;
    let template = template(&table, wishes).map_err(|error| Failure::new(Code::CampaignFile, error).at(place))?;
    Ok(Draft { table, template })
}
