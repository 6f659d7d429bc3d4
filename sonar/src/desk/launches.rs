//! Launches as jobs: each step is on disk before the next begins, so that a launch can be resumed after the desk was stopped or killed.
//!
//! ```text
//!  plan ──▶ claim ──▶ seal ──▶ upload ──▶ approve ──▶ open ──▶ offer ──▶ done
//!                      │          ▲ resume: the draft decides the campaign, so nothing is paid twice
//!                      └──────────┴── failed, interrupted
//! ```
//!
//! A job is a file next to the draft that the command would write for the same files, and the same lock excludes other launches of them. Each
//! of both can resume what the other began. Before the draft exists nothing can be resumed, because a new plan could differ from what its
//! owner has seen.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sonar_node::{
    account::AccountName,
    cli::{Code, Failure},
    files::{self, Access},
};
use sonar_protocol::{ids::CampaignId, limits, units::Timestamp};
use sonar_web::problem::Problem;
use tokio::runtime::Handle;
use utoipa::ToSchema;

use super::{
    Desk, Warnings,
    accounts::AccountKeys,
    events::{Events, Notice},
    plans::StoredPlan,
};
use crate::scientist::{
    draft::{Key, LaunchClaim, LaunchDrafts, SavedDraft},
    hub::HubClient,
    launch::{LaunchInputs, LaunchObserver, LaunchStep, Launcher, PlannedLaunch, SealedLaunch},
};

/// Size limit of a job's file in bytes.
const LIMIT: u64 = 64 << 10;
const JOB: &str = "job.json";
/// Files of a launch, next to its draft.
const VALIDATION: &str = "validation.csv";
const BACKBONE: &str = "backbone.safetensors";
/// The starting model, for the audit.
pub const INITIAL: &str = "initial.safetensors";
const CAMPAIGN: &str = "campaign.toml";

/// A launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaunchView {
    /// Its id: the same files, account and contract have the same.
    pub id: String,
    /// Name from the campaign file.
    pub name: String,
    /// Name of the account that pays.
    pub account: String,
    /// The campaign, once the bundle is sealed.
    #[schema(value_type = Option<String>, required = true)]
    pub campaign: Option<CampaignId>,
    /// State of the whole.
    pub state: LaunchState,
    /// Its steps, in order.
    pub steps: Vec<StepView>,
    /// Why it failed.
    #[schema(required = true)]
    pub error: Option<Problem>,
    /// Whether `resume` can succeed; otherwise the campaign must be planned again.
    pub resumable: bool,
    /// Unix time of its start.
    #[schema(value_type = u64)]
    pub started: Timestamp,
}

/// State of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchState {
    /// A step is running.
    Running,
    /// A step failed, or `sonar ui` was stopped.
    Failed,
    /// The bounty is in escrow, and Sonar has the artefacts.
    Done,
}

/// A step of a launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Which one.
    pub name: LaunchStep,
    /// Its state.
    pub state: StepState,
    /// Its result, or what it does.
    #[schema(required = true)]
    pub detail: Option<String>,
}

/// State of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It comes later.
    Todo,
    /// It is running.
    Running,
    /// It is done.
    Done,
    /// It failed, or was interrupted.
    Failed,
}

/// A job on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    /// The plan that it launches.
    plan: String,
    view: LaunchView,
}

impl Job {
    fn new(plan: &StoredPlan) -> Self {
        let step = |name| StepView { name, state: StepState::Todo, detail: None };
        let view = LaunchView {
            id: plan.key.as_str().into(),
            name: plan.name.clone(),
            account: plan.account.to_string(),
            campaign: None,
            state: LaunchState::Running,
            steps: LaunchStep::ALL.map(step).into(),
            error: None,
            resumable: false,
            started: SystemTime::now().into(),
        };
        Self { plan: plan.id.clone(), view }
    }

    fn set(&mut self, step: LaunchStep, state: StepState, detail: Option<String>) {
        if let Some(found) = self.view.steps.iter_mut().find(|found| found.name == step) {
            (found.state, found.detail) = (state, detail);
        }
    }

    fn start_again(&mut self) {
        self.view.state = LaunchState::Running;
        self.view.error = None;
        for step in self.view.steps.iter_mut().filter(|step| step.name != LaunchStep::Seal) {
            (step.state, step.detail) = (StepState::Todo, None);
        }
    }

    fn fail(&mut self, problem: Problem) {
        self.view.state = LaunchState::Failed;
        self.view.error = Some(problem);
        for step in self.view.steps.iter_mut().filter(|step| step.state == StepState::Running) {
            step.state = StepState::Failed;
        }
    }
}

/// The jobs of a home.
#[derive(Debug)]
pub struct Launches {
    drafts: LaunchDrafts,
    jobs: Mutex<BTreeMap<String, Job>>,
    events: Arc<Events>,
}

impl Launches {
    /// Reads the jobs of earlier runs. Those that were running then are interrupted.
    pub fn load(home: &Path, events: Arc<Events>) -> Result<Self, Failure> {
        let launches = Self { drafts: LaunchDrafts::new(home), jobs: Mutex::default(), events };
        let entries = std::fs::read_dir(launches.drafts.root()).into_iter().flatten().filter_map(Result::ok);
        for entry in entries {
            let Some(job) = read(&entry.path()) else { continue };
            // A retired draft has another directory; its job is history.
            if entry.file_name().to_str() != Some(job.view.id.as_str()) {
                continue;
            }
            let was_running = job.view.state == LaunchState::Running;
            launches.jobs().insert(job.view.id.clone(), job.clone());
            if was_running {
                launches.interrupt(&job.view.id)?;
            }
        }
        Ok(launches)
    }

    fn interrupt(&self, id: &str) -> Result<(), Failure> {
        let sealed = Key::parse(id).is_some_and(|key| self.drafts.load(&key).is_ok_and(|saved| saved.is_some()));
        let problem = if sealed {
            Problem::new(
                StatusCode::CONFLICT,
                "INTERRUPTED",
                "`sonar ui` was stopped during the launch; unlock the account and resume it, nothing is paid twice",
            )
        } else {
            Problem::new(
                StatusCode::CONFLICT,
                "UNKNOWN_PLAN",
                "`sonar ui` was stopped before the campaign was sealed; nothing was paid: plan it again",
            )
        };
        self.update(id, |job| {
            job.view.resumable = sealed;
            job.fail(problem);
        })
    }

    /// All launches, newest first.
    pub fn list(&self) -> Vec<LaunchView> {
        let mut views: Vec<LaunchView> = self.jobs().values().map(|job| job.view.clone()).collect();
        views.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| a.id.cmp(&b.id)));
        views
    }

    /// One launch.
    pub fn get(&self, id: &str) -> Result<LaunchView, Problem> {
        let found = self.jobs().get(id).map(|job| job.view.clone());
        found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_LAUNCH", "there is no such launch"))
    }

    /// The launch of this plan, if it was started before.
    pub fn of_plan(&self, plan: &str) -> Option<String> {
        self.jobs().values().find(|job| job.plan == plan).map(|job| job.view.id.clone())
    }

    fn claim(&self, key: &Key) -> Result<LaunchClaim, Problem> {
        self.drafts.claim(key).map_err(|failure| match failure.code {
            Code::LaunchRunning => {
                Problem { retryable: true, ..Problem::new(StatusCode::CONFLICT, failure.code.name(), failure.message) }
            }
            _ => failure.into(),
        })
    }

    /// Registers a job and stores it.
    fn insert(&self, key: &Key, job: Job) -> Result<(), Failure> {
        files::private_directory(&self.drafts.directory(key))?;
        let id = job.view.id.clone();
        self.jobs().insert(id.clone(), job);
        self.update(&id, |_| {})
    }

    /// Changes a job, stores it, and tells the pages.
    fn update(&self, id: &str, change: impl FnOnce(&mut Job)) -> Result<(), Failure> {
        let mut jobs = self.jobs();
        let Some(job) = jobs.get_mut(id) else { return Ok(()) };
        change(job);
        let text = serde_json::to_vec_pretty(&*job).map_err(Failure::internal)?;
        let view = job.view.clone();
        if let Some(key) = Key::parse(id) {
            files::write_atomic(&self.drafts.directory(&key).join(JOB), &text, Access::Private)?;
        }
        drop(jobs);
        self.events.publish(Notice::Launch(Box::new(view)));
        Ok(())
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(directory: &Path) -> Option<Job> {
    let bytes = files::read_limited(&directory.join(JOB), LIMIT).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Starts a launch, or returns the one that this plan or these files have started.
pub fn start(
    desk: &Arc<Desk>,
    keys: Arc<AccountKeys>,
    plan_id: &str,
    account: &AccountName,
    again: bool,
) -> Result<String, Problem> {
    // The button was clicked twice.
    if let Some(id) = desk.launches.of_plan(plan_id) {
        return Ok(id);
    }
    let plan = desk.plans.take(plan_id, account)?;
    let claim = desk.launches.claim(&plan.key)?;
    if let (true, Some(known)) = (again, desk.launches.drafts.load(&plan.key)?) {
        desk.launches.drafts.retire(&plan.key, known.draft.id)?;
    }
    let job = Job::new(&plan);
    let id = job.view.id.clone();
    desk.launches.insert(&plan.key, job)?;
    let StoredPlan { key, inputs, planned, .. } = plan;
    let run = Run { desk: desk.clone(), keys, id: id.clone(), key, _claim: claim };
    run.spawn(Some((inputs, planned)));
    Ok(id)
}

/// Resumes a launch that failed or was interrupted. One that is running or done is left alone.
pub fn resume(desk: &Arc<Desk>, id: &str) -> Result<LaunchView, Problem> {
    let view = desk.launches.get(id)?;
    if view.state != LaunchState::Failed {
        return Ok(view);
    }
    let name: AccountName = view.account.parse().map_err(Failure::from)?;
    let keys = desk.accounts.spending_keys(&name)?;
    let key = Key::parse(id).ok_or_else(|| Problem::not_found("there is no such launch"))?;
    let claim = desk.launches.claim(&key)?;
    if desk.launches.drafts.load(&key)?.is_none() {
        let detail = "the campaign was not sealed, and nothing was paid; plan it again";
        return Err(Problem::new(StatusCode::CONFLICT, "UNKNOWN_PLAN", detail));
    }
    desk.launches.update(id, Job::start_again)?;
    let run = Run { desk: desk.clone(), keys, id: id.into(), key, _claim: claim };
    run.spawn(None);
    desk.launches.get(id)
}

/// A running launch.
struct Run {
    desk: Arc<Desk>,
    keys: Arc<AccountKeys>,
    id: String,
    key: Key,
    _claim: LaunchClaim,
}

impl Run {
    /// Runs on a thread of its own, because sealing computes.
    fn spawn(self, plan: Option<(LaunchInputs, PlannedLaunch)>) {
        let (desk, id, handle) = (self.desk.clone(), self.id.clone(), Handle::current());
        tokio::spawn(async move {
            let work = tokio::task::spawn_blocking(move || {
                let ended = handle.block_on(self.run(plan));
                // The claim is held until the state is stored.
                (ended, self)
            });
            let (ended, _run) = match work.await {
                Ok((ended, run)) => (ended, Some(run)),
                Err(panic) => (Err(Failure::internal(panic)), None),
            };
            let stored = desk.launches.update(&id, |job| match ended {
                Ok(()) => job.view.state = LaunchState::Done,
                Err(failure) => job.fail(failure.into()),
            });
            if let Err(failure) = stored {
                tracing::error!(%failure, "the state of a launch cannot be stored");
            }
        });
    }

    async fn run(&self, plan: Option<(LaunchInputs, PlannedLaunch)>) -> Result<(), Failure> {
        let desk = &self.desk;
        let client = self.keys.client(&desk.reader().await?);
        let hub = HubClient::connect(&desk.workspace, &Warnings::default()).await?;
        let launcher = Launcher {
            workspace: &desk.workspace,
            client: &client,
            hub: &hub,
            account: &self.keys.account,
            progress: &Warnings::default(),
        };
        let saved = self.sealed(&launcher, plan).await?;
        desk.launches.update(&self.id, |job| {
            job.view.campaign = Some(saved.draft.id);
            job.view.resumable = true;
            job.set(LaunchStep::Seal, StepState::Done, Some(format!("campaign {}", saved.draft.id)));
        })?;
        let artefacts = [saved.bundle, saved.manifest].into_iter().chain(self.backbone()?).collect();
        let launch = SealedLaunch { client: &client, hub: &hub, draft: &saved.draft, observer: self };
        launch.carry_out(artefacts).await?;
        hub.close().await;
        Ok(())
    }

    /// The draft of an earlier run, or of this plan.
    async fn sealed(
        &self,
        launcher: &Launcher<'_>,
        plan: Option<(LaunchInputs, PlannedLaunch)>,
    ) -> Result<SavedDraft, Failure> {
        let drafts = &self.desk.launches.drafts;
        if let Some(saved) = drafts.load(&self.key)? {
            return Ok(saved);
        }
        let (inputs, planned) = plan.ok_or_else(|| Failure::internal("a launch without plan and draft"))?;
        self.begin(LaunchStep::Seal)?;
        if inputs.key(launcher.client, self.keys.account.address()) != self.key {
            let message = "the contracts have changed since the campaign was planned; plan it again";
            return Err(Failure::new(Code::WrongChain, message));
        }
        self.store(&inputs, &planned)?;
        let saved = launcher.seal(planned, Path::new(VALIDATION)).await?;
        drafts.save(&self.key, &saved)?;
        Ok(saved)
    }

    /// Stores the files of the launch: result and audit need them, and the command resumes with them.
    fn store(&self, inputs: &LaunchInputs, planned: &PlannedLaunch) -> Result<(), Failure> {
        let directory = self.desk.launches.drafts.directory(&self.key);
        // Of a file, or the result of an earlier campaign.
        let initial = planned.plan.bundle.initial.as_ref().map(|bytes| bytes.as_slice());
        let files = [
            (CAMPAIGN, Some(inputs.text.as_slice())),
            (VALIDATION, Some(inputs.validation.as_slice())),
            (INITIAL, initial),
            (BACKBONE, inputs.published_backbone()),
        ];
        for (name, bytes) in files.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))) {
            files::write_atomic(&directory.join(name), bytes, Access::Private)?;
        }
        Ok(())
    }

    /// The published backbone, which this node must offer until Sonar has it.
    fn backbone(&self) -> Result<Option<Vec<u8>>, Failure> {
        let path: PathBuf = self.desk.launches.drafts.directory(&self.key).join(BACKBONE);
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(files::read_limited(&path, limits::RESULT as u64)?))
    }
}

impl LaunchObserver for Run {
    fn begin(&self, step: LaunchStep) -> Result<(), Failure> {
        self.desk.launches.update(&self.id, |job| job.set(step, StepState::Running, None))
    }

    fn done(&self, step: LaunchStep, detail: &str) -> Result<(), Failure> {
        self.desk.launches.update(&self.id, |job| job.set(step, StepState::Done, Some(detail.into())))
    }

    /// The owner has launched the plan that they saw, with their passphrase.
    fn consent(&self) -> Result<(), Failure> {
        Ok(())
    }
}
