//! Parses a campaign file: its tables, and the checks of its family.

use super::{CampaignFile, CampaignFileError};
use crate::{families, organisation::Organisation, text};

impl CampaignFile {
    /// Parses a campaign file.
    ///
    /// # Errors
    /// Names line and column of the invalid part.
    pub fn parse(text: &str) -> Result<Self, CampaignFileError> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
            CampaignFileError::Toml {
                line: before.matches('\n').count() + 1,
                column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
                message: error.message().into(),
            }
        })?;
        text::check_line("`name`", &file.name)?;
        text::check_lines("`description`", &file.description)?;
        file.organisation.as_ref().map_or(Ok(()), Organisation::check)?;
        file.schema().check()?;
        // The family decides which settings are valid.
        families::check_file(&file)?;
        Ok(file)
    }
}
