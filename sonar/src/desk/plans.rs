//! Plans: what a launch would do, kept in memory until it is launched, so that exactly what was shown is launched.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use alloy::primitives::U256;
use axum::http::StatusCode;
use sonar_contracts::{fee, payout};
use sonar_node::{
    account::AccountName,
    chain::Client,
    cli::{Code, Failure},
};
use sonar_protocol::{
    ids::Digest,
    terms::CampaignTerms,
    units::{Amount, TokenUnit},
    wire::TermsJson,
};
use sonar_web::problem::Problem;
use zeroize::Zeroizing;

use super::{
    Desk, Warnings,
    accounts::AccountKeys,
    dto::{CostView, OutlookView, PayoutExample, PlanRequest, PlanView, PlannedCapsule, Upload},
};
use crate::scientist::{
    draft::{Key, LaunchDrafts},
    hub::HubClient,
    launch::{CampaignFiles, LaunchInputs, Launcher, PlannedLaunch, statement},
    signer_of,
};

/// Plans have validation sets in memory, so only a few are kept, …
const KEPT: usize = 4;
/// … for this time.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// Gas to approve and open a campaign: the dearest way, measured by the contracts' tests, and a little more.
const OPEN_GAS: u64 = 260_000;
/// Improvements whose payout is shown, besides a step of the grid: 1, 5 and 10 points of accuracy.
const SHOWN_DELTAS: [u32; 3] = [10_000, 50_000, 100_000];

/// A plan that can be launched.
pub struct StoredPlan {
    pub id: String,
    pub account: AccountName,
    /// Key of the draft.
    pub key: Key,
    pub name: String,
    pub inputs: LaunchInputs,
    pub planned: PlannedLaunch,
    made: Instant,
}

/// The plans that can be launched.
#[derive(Default)]
pub struct Plans(Mutex<VecDeque<StoredPlan>>);

impl Plans {
    fn keep(&self, plan: StoredPlan) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= KEPT {
            plans.pop_front();
        }
        plans.push_back(plan);
    }

    /// Takes a plan out. It is launched once.
    pub fn take(&self, id: &str, account: &AccountName) -> Result<StoredPlan, Problem> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|plan| plan.made.elapsed() < LIFETIME);
        let place = plans.iter().position(|plan| plan.id == id && plan.account == *account);
        place.and_then(|place| plans.remove(place)).ok_or_else(|| {
            let detail = "this account has no such plan, or it is older than an hour; plan the campaign again";
            Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_PLAN", detail)
        })
    }

    /// Drops the plans that are too old, and those of an account.
    pub fn forget(&self, account: &AccountName) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|plan| plan.account != *account && plan.made.elapsed() < LIFETIME);
    }
}

/// The files that came with a plan, by name.
struct Uploads(BTreeMap<String, Upload>);

impl CampaignFiles for Uploads {
    fn read(&self, name: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let file = name.to_str().and_then(|name| self.0.get(name)).ok_or_else(|| {
            let message = format!("the campaign file names `{}`, which was not sent with it", name.display());
            Failure::new(Code::FileNotFound, message).at("campaign.toml")
        })?;
        if file.0.len() > limit {
            let message = format!("`{}` is larger than {limit} bytes", name.display());
            return Err(Failure::new(Code::FileRefused, message));
        }
        Ok(file.0.clone())
    }

    fn shown(&self, name: &Path) -> String {
        name.display().to_string()
    }
}

/// Plans a launch, and keeps the plan. Spends nothing.
pub async fn make(desk: &Desk, keys: &Arc<AccountKeys>, request: PlanRequest) -> Result<PlanView, Failure> {
    let PlanRequest { toml, files, stake, .. } = request;
    let inputs = LaunchInputs::new(toml.into_bytes(), &"campaign.toml", &Uploads(files))?;
    let client = keys.client(&desk.reader().await?);
    let warnings = Warnings::default();
    let hub = HubClient::connect(&desk.workspace, &warnings).await?;
    let launcher = Launcher {
        workspace: &desk.workspace,
        client: &client,
        hub: &hub,
        account: &keys.account,
        progress: &warnings,
    };
    let planned = launcher.plan(&inputs, stake.as_deref(), &keys.identity).await;
    hub.close().await;
    let planned = planned?;
    let key = inputs.key(&client, keys.account.address());
    let earlier = LaunchDrafts::new(&desk.workspace.home).load(&key)?.map(|saved| saved.draft.id);
    let terms = planned.plan.terms(Digest([0; 32]));
    let cost = cost(&client, &terms, &planned.token).await?;
    let manifest = planned.plan.manifest(Digest([0; 32]));
    let mut outlook = OutlookView::from(&planned.plan.outlook);
    outlook.warnings.extend(warnings.into_list());
    outlook.warnings.extend(unaffordable(&cost, &planned.token));
    let view = PlanView {
        plan_id: format!("{:032x}", rand::random::<u128>()),
        name: manifest.name.clone(),
        outlook,
        privacy: statement(&manifest)?,
        cost,
        capsule: PlannedCapsule { operator: terms.capsule, fee_ppm: terms.fee(), stake: terms.stake.into() },
        examples: examples(&terms),
        earlier,
        terms: TermsJson::from(terms),
    };
    desk.plans.keep(StoredPlan {
        id: view.plan_id.clone(),
        account: keys.account.name().clone(),
        key,
        name: view.name.clone(),
        inputs,
        planned,
        made: Instant::now(),
    });
    Ok(view)
}

async fn cost(client: &Client, terms: &CampaignTerms, unit: &TokenUnit) -> Result<CostView, Failure> {
    let account = signer_of(client)?;
    let (bounty, fee) = (Amount::from(terms.bounty), Amount(fee(terms.bounty, terms.feePpm)));
    let gas = client.gas_cost(OPEN_GAS).await?;
    let balance = client.token_balance(terms.token, account).await?;
    let gas_balance = client.balance(account).await?;
    let needed = bounty.saturating_add(fee);
    let affordable = match unit.address.is_zero() {
        true => balance >= needed.saturating_add(gas),
        false => balance >= needed && gas_balance >= gas,
    };
    Ok(CostView {
        bounty,
        fee,
        gas_estimate: gas,
        token: terms.token,
        symbol: unit.symbol.clone(),
        decimals: unit.decimals,
        balance,
        gas_balance,
        affordable,
    })
}

fn unaffordable(cost: &CostView, unit: &TokenUnit) -> Option<String> {
    let needed = unit.format(cost.bounty.saturating_add(cost.fee));
    let gas = TokenUnit::eth().format(cost.gas_estimate);
    (!cost.affordable).then(|| {
        format!(
            "the account cannot pay: it needs {needed} and about {gas} for gas, and has {} and {}",
            unit.format(cost.balance),
            TokenUnit::eth().format(cost.gas_balance),
        )
    })
}

/// Payouts of some improvements, up to the target.
fn examples(terms: &CampaignTerms) -> Vec<PayoutExample> {
    let left = terms.target().get().saturating_sub(terms.start().get());
    let deltas = [terms.grid().get()].into_iter().chain(SHOWN_DELTAS).chain([left]);
    let mut deltas: Vec<u32> = deltas.filter(|delta| (1..=left).contains(delta)).collect();
    deltas.sort_unstable();
    deltas.dedup();
    let amount = |delta: u32| {
        let start = terms.start().get();
        Amount(U256::from(payout(terms.bounty, terms.target().get(), start, start + delta)))
    };
    deltas.into_iter().map(|delta_ppm| PayoutExample { delta_ppm, amount: amount(delta_ppm) }).collect()
}
