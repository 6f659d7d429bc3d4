//! The result of a campaign, measured, with its files for download.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Bytes,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use sonar_node::{account::AccountName, cli::Failure};
use sonar_protocol::{
    families::{Answers, Format},
    ids::CampaignId,
    manifest::Manifest,
    view::CampaignView,
};
use sonar_web::problem::Problem;
use syft::Task;
use zeroize::Zeroizing;

use super::{
    Desk, Warnings,
    accounts::AccountKeys,
    dto::{Confusion, ModelFormat, OwnerRequest, ResidualPoint, Residuals, ResultFile, ResultView, UnavailableFormat},
};
use crate::scientist::{
    draft::LaunchDrafts,
    hub::HubClient,
    result::{FetchedResult, MeasuredModel, NamedFile, SealedModel, delivered, validation_set},
};

/// Results that are kept for download.
const KEPT: usize = 4;
/// Points of a residual plot: more cannot be told apart, and would disclose no more to their owner.
const POINTS: usize = 2_000;

/// Results that can be downloaded.
#[derive(Default)]
pub struct Results(Mutex<VecDeque<StoredResult>>);

struct StoredResult {
    campaign: CampaignId,
    account: AccountName,
    files: Vec<(Format, Zeroizing<Vec<u8>>)>,
}

impl Results {
    fn keep(&self, result: StoredResult) {
        let mut results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        results.retain(|kept| kept.campaign != result.campaign);
        if results.len() >= KEPT {
            results.pop_front();
        }
        results.push_back(result);
    }

    /// Drops what an account has decrypted.
    pub fn forget(&self, account: &AccountName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|kept| kept.account != *account);
    }

    /// A file, as a download.
    pub fn download(&self, campaign: CampaignId, format: ModelFormat) -> Result<Response, Problem> {
        let format = Format::from(format);
        let results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = results.iter().find(|kept| kept.campaign == campaign);
        let file = result.and_then(|kept| kept.files.iter().find(|(kept, _)| *kept == format));
        let (_, bytes) = file.ok_or_else(|| {
            let detail = "this file is not in memory; fetch the result of the campaign first";
            Problem::new(StatusCode::NOT_FOUND, "NO_RESULT", detail)
        })?;
        let headers: [(HeaderName, String); 2] = [
            (header::CONTENT_TYPE, "application/octet-stream".into()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file_name(campaign, format))),
        ];
        Ok((headers, Bytes::copy_from_slice(bytes)).into_response())
    }
}

fn file_name(campaign: CampaignId, format: Format) -> String {
    format!("campaign-{}.{}", campaign.short().trim_start_matches("0x"), format.extension())
}

/// Fetches, decrypts, checks and measures the finished model of a campaign.
pub async fn fetch(
    desk: &Desk,
    keys: &Arc<AccountKeys>,
    id: CampaignId,
    request: OwnerRequest,
) -> Result<ResultView, Failure> {
    let client = desk.reader().await?;
    let world = desk.workspace.world(&client).await?;
    let view = desk.campaign(&world, id)?;
    delivered(view)?;
    let draft = LaunchDrafts::new(&desk.workspace.home).find(id);
    let warnings = Warnings::default();
    let hub = HubClient::connect(&desk.workspace, &warnings).await?;
    let fetched = FetchedResult::fetch(&hub, &world, view, &warnings).await?;
    let delivered = fetched.open(&keys.identity);
    let given = request.validation.map(|file| Ok(NamedFile { name: "validation set".into(), bytes: file.0 }));
    let validation = match validation_set(given, draft.as_ref(), &fetched.manifest) {
        Ok(validation) => validation,
        // What cannot be measured can be downloaded anyway.
        Err(failure) => {
            keep(desk, keys, id, &fetched, &delivered?);
            return Err(failure);
        }
    };
    let account = || Ok(keys.account.signer().clone());
    let sealed = SealedModel { client: &client, hub: &hub, account: &account };
    let model = fetched.measure(delivered, &validation, sealed, &warnings).await?;
    hub.close().await;
    let (files, unavailable) = keep(desk, keys, id, &fetched, &model.file);
    Ok(report(view, &fetched.manifest, &model, files, unavailable, warnings))
}

fn report(
    view: &CampaignView,
    manifest: &Manifest,
    model: &MeasuredModel,
    files: Vec<ResultFile>,
    unavailable: Vec<UnavailableFormat>,
    warnings: Warnings,
) -> ResultView {
    let (confusion, residuals) = match model.trial.answers() {
        Answers::Classes(pairs) => (confusion(manifest, &pairs), None),
        Answers::Values(pairs) => (None, residuals(manifest, &pairs)),
    };
    ResultView {
        accuracy_ppm: model.accuracy,
        attested_ppm: view.best_ppm,
        as_attested: model.is_as_attested(view, manifest),
        files,
        unavailable,
        confusion,
        residuals,
        warnings: warnings.into_list(),
    }
}

/// Keeps the model in all formats that it has.
fn keep(
    desk: &Desk,
    keys: &AccountKeys,
    campaign: CampaignId,
    fetched: &FetchedResult<'_>,
    signed: &[u8],
) -> (Vec<ResultFile>, Vec<UnavailableFormat>) {
    let (mut kept, mut files, mut unavailable) = (Vec::new(), Vec::new(), Vec::new());
    for format in Format::ALL {
        let encoded = fetched.encode(signed, &[format]).map(|files| files.into_iter().next());
        match encoded {
            Ok(Some(file)) => {
                let name = file_name(campaign, format);
                files.push(ResultFile { format: format.into(), name, bytes: file.len() as u64 });
                kept.push((format, Zeroizing::new(file.into_owned())));
            }
            Ok(None) => {}
            Err(failure) => unavailable.push(UnavailableFormat { format: format.into(), reason: failure.message }),
        }
    }
    let account = keys.account.name().clone();
    // It may have been locked meanwhile.
    if desk.accounts.keys(&account).is_ok() {
        desk.results.keep(StoredResult { campaign, account, files: kept });
    }
    (files, unavailable)
}

fn confusion(manifest: &Manifest, pairs: &[(usize, usize)]) -> Option<Confusion> {
    let Task::Classification { classes } = &manifest.data.task else { return None };
    let mut counts = vec![vec![0; classes.len()]; classes.len()];
    for (right, answer) in pairs {
        if let Some(count) = counts.get_mut(*right).and_then(|row| row.get_mut(*answer)) {
            *count += 1;
        }
    }
    Some(Confusion { classes: classes.clone(), counts })
}

fn residuals(manifest: &Manifest, pairs: &[(f64, f64)]) -> Option<Residuals> {
    let map = manifest.data.target_map().ok().flatten()?;
    let point =
        |(right, answer): &(f64, f64)| ResidualPoint { actual: map.invert(*right), predicted: map.invert(*answer) };
    Some(Residuals { rows: pairs.len() as u64, points: thinned(pairs, POINTS).map(point).collect() })
}

/// At most `most` items, evenly chosen.
fn thinned<T>(items: &[T], most: usize) -> impl Iterator<Item = &T> {
    let count = items.len().min(most);
    (0..count).map(move |place| &items[place * items.len() / count])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_chosen_evenly() {
        let items: Vec<usize> = (0..10).collect();
        let chosen = |most| thinned(&items, most).copied().collect::<Vec<_>>();
        assert_eq!(chosen(20), items);
        assert_eq!(chosen(5), [0, 2, 4, 6, 8]);
        assert_eq!(chosen(3), [0, 3, 6]);
        assert_eq!(thinned(&items[..0], 5).count(), 0);
    }
}
