//! `sonar campaign launch`.

use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256, U256};
use serde_json::json;
use sonar_contracts::{State, Status, address, fee};
use sonar_node::{
    account::{AccountName, Keystore},
    chain::{Client, TxOutcome},
    cli::{self, Ask, Code, Failure, Output, Report},
    files,
};
use sonar_protocol::{
    admission::{self, NotAdmitted},
    campaign::{self, CampaignFile, CampaignFileError},
    families::plain_network,
    handover::AuditSecret,
    ids::{CampaignId, Digest},
    launch::{self, CapsuleTerms, Inputs, Outlook, Plan, Recipient},
    limits,
    lineage::Parent,
    manifest::Manifest,
    pgp::{self, Certificate, Identity},
    statement::{CampaignProgress, PrivacyStatement},
    terms::{CampaignTerms, usual_stake},
    units::{Amount, Timestamp, TokenUnit, percent},
    view::{CapsuleView, World},
};
use syft_nets::Model;
use zeroize::Zeroizing;

use super::{
    Context, delivered,
    draft::{Key, LaunchDraft, LaunchDrafts},
    hub::HubClient,
};
use crate::cmd::identity;

/// By default a campaign locks this part of the Capsule's free stake, so that several campaigns can run at once.
const STAKE_SHARE: u64 = 16;

/// Start a campaign: seal validation set and starting model to a Capsule, and put bounty and fee into escrow.
///
/// If the command is interrupted, run it again: it resumes with the same campaign. After the launch it shows the state
/// of the campaign and changes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sonar campaign launch digits.toml --dry-run\n  sonar campaign launch digits.toml --yes"
)]
pub struct Launch {
    /// The campaign file
    file: PathBuf,
    /// Show terms, cost and privacy statement, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Launch another campaign from a file that was launched before
    #[arg(long)]
    again: bool,
    /// Part of the Capsule's stake that the campaign locks, in ETH (default: a sixteenth of the free stake, or
    /// what Mines expect by default if that is more: a tenth of a bounty in ETH, 0.1 ETH for one in tokens)
    #[arg(long, value_name = "ETH")]
    stake: Option<String>,
}

/// The campaign file and the files that it refers to.
struct LaunchInputs {
    file: CampaignFile,
    text: Vec<u8>,
    validation_path: PathBuf,
    validation: Zeroizing<Vec<u8>>,
    initial: Option<Zeroizing<Vec<u8>>>,
    backbone: Option<PublicNetwork>,
}

/// The backbone that the campaign file names, and the file that is published: it has only the network, without anything
/// else that was in the file on disk.
struct PublicNetwork {
    model: Model,
    file: Vec<u8>,
}

impl Launch {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let given = LaunchInputs::read(&self.file)?;
        let name = context.account()?;
        let passphrase = context.passphrase(&name, Ask::Existing)?;
        let client = context.signer_of(&name, &passphrase).await?;
        let owner = client.address().ok_or_else(|| Failure::internal("no account"))?;
        let key = Key::new(&client, owner, &given.parts());
        let drafts = LaunchDrafts::new(&context.home);
        // A dry run starts nothing and resumes nothing.
        let known = if self.dry_run { None } else { drafts.load(&key)? };
        let known = match known {
            Some((draft, ..)) if self.again => {
                drafts.retire(&key, draft.id)?;
                None
            }
            other => other,
        };
        let hub = HubClient::connect(context, output).await?;
        let (draft, sealed, manifest) = match known {
            Some(known) => {
                output.progress(format_args!("Resuming campaign {}…", known.0.id));
                known
            }
            None => {
                let launching =
                    LaunchContext { context, client: &client, hub: &hub, name: &name, passphrase: &passphrase, owner };
                let plan = launching.plan(&given, self.stake.as_deref(), output).await?;
                if self.dry_run {
                    return launching.preview(&plan, output).await;
                }
                let made = launching.seal(&given, plan).await?;
                drafts.save(&key, &made.0, &made.1, &made.2)?;
                made
            }
        };
        draft.outlook.warnings.iter().for_each(|warning| output.warn(warning));
        let statement = statement(&Manifest::decode(&manifest).map_err(launch::LaunchError::from)?)?;
        let token = super::token(&client, draft.terms.token).await?;
        let backbone = given.backbone.map(|backbone| backbone.file);
        let offered: Vec<_> = [sealed, manifest].into_iter().chain(backbone).collect();
        let offered = hub.offer(offered).await?;
        let opened = open(context, output, &client, &draft, &token, &statement).await?;
        if is_running(&client.status(draft.id).await?) {
            output.progress("Waiting until Sonar has manifest and bundle…");
            hub.wait_until_kept(&offered).await?;
        }
        hub.close().await;
        report(&client, &draft, &token, opened, &statement).await
    }
}

/// Puts the bounty into escrow, unless an earlier run of this launch did.
async fn open(
    context: &Context,
    output: &Output,
    client: &Client,
    draft: &LaunchDraft,
    token: &TokenUnit,
    statement: &PrivacyStatement,
) -> Result<Option<TxOutcome>, Failure> {
    let terms = &draft.terms;
    if is_open(&client.status(draft.id).await?) {
        output.progress("The bounty is already in escrow.");
        return Ok(None);
    }
    check_recipient(client, draft).await?;
    output.progress(summary(&draft.name, terms, token, &draft.outlook));
    output.progress(statement);
    cli::confirm(&context.globals, &consequence(terms, token, client))?;
    // The answer may have taken a day.
    check_recipient(client, draft).await?;
    output.progress("Putting the bounty into escrow…");
    match client.open(terms).await {
        Ok(transaction) => Ok(Some(transaction)),
        // Another run of this launch has sent it.
        Err(_) if is_open(&client.status(draft.id).await?) => Ok(None),
        Err(error) => Err(Failure::from(error)
            .help("nothing was paid; `--again` launches the campaign with a new deadline and new terms")),
    }
}

/// Checks that the bundle is sealed to the Capsule's present launch key: an older one may be destroyed before the Capsule
/// gets to the campaign, and it would decline.
async fn check_recipient(client: &Client, draft: &LaunchDraft) -> Result<(), Failure> {
    let present = client.capsule(draft.terms.capsule).await?.and_then(|known| Digest::from_word(known.certificate));
    if draft.sealed_to.is_some() && draft.sealed_to == present {
        return Ok(());
    }
    let message = "the Capsule has replaced the key that this launch's bundle is sealed to; nothing was paid";
    Err(Failure::new(Code::CapsuleCertificate, message).help("`--again` prepares the launch anew"))
}

/// Whether the artefacts of the launch are still needed.
fn is_running(status: &Status) -> bool {
    matches!(State::try_from(status.state), Ok(State::Proposed | State::Open))
}

fn is_open(status: &Status) -> bool {
    status.state != State::None as u8
}

fn consequence(terms: &CampaignTerms, token: &TokenUnit, client: &Client) -> String {
    let fee = fee(terms.bounty, terms.feePpm);
    format!(
        "This puts {} as bounty and {} as the Capsule's fee into escrow on chain {}. The Capsule's verdicts are believed: it \
         could award the bounty to a miner of its own, refuse every update, or deliver nothing (docs/security.md).",
        token.format(terms.bounty.into()),
        token.format(fee.into()),
        client.deployment().chain_id
    )
}

async fn report(
    client: &Client,
    draft: &LaunchDraft,
    token: &TokenUnit,
    transaction: Option<TxOutcome>,
    statement: &PrivacyStatement,
) -> Result<Report, Failure> {
    let status = client.status(draft.id).await?;
    let state = State::try_from(status.state).map_err(Failure::internal)?;
    let data = json!({
        "id": draft.id,
        "name": draft.name,
        "state": state,
        "terms": draft.terms,
        "start_ppm": draft.outlook.start_ppm,
        "leak_bits": draft.outlook.leak_bits,
        "regime": draft.outlook.regime,
        "model": draft.outlook.model,
        "privacy": statement,
        "transaction": transaction,
    });
    let human = format!(
        "campaign  {}\n{}\nfollow it with `sonar campaign watch {}`",
        draft.id,
        summary(&draft.name, &draft.terms, token, &draft.outlook),
        draft.id.short()
    );
    Report::new(&data, human)
}

/// The privacy statement of a campaign without submissions.
fn statement(manifest: &Manifest) -> Result<PrivacyStatement, Failure> {
    PrivacyStatement::new(manifest, CampaignProgress::default()).map_err(Failure::internal)
}

/// Terms and cost, shown before and after the bounty is paid.
fn summary(name: &str, terms: &CampaignTerms, token: &TokenUnit, outlook: &Outlook) -> String {
    format!(
        "name      {name}\nbounty    {} (fee {})\naccuracy  {} as measured (the campaign claims {}) → {} on a grid of {}\nregime    {}\nmodel     {}\nlimits    {} submissions, {} accepts, windows of {} or {} s\nstake     {} a submission: returned if it is accepted; an eighth is lost if it is not, all of it if it is rejected for its form\naudit     {} of the Capsule's stake stay locked for {} after its delivery\nleak      public verdicts disclose at most {:.0} bits about {}\nopen to   {}",
        token.format(terms.bounty.into()),
        token.format(fee(terms.bounty, terms.feePpm).into()),
        percent(outlook.start_ppm),
        percent(terms.start()),
        percent(terms.target()),
        percent(terms.grid()),
        outlook.regime,
        outlook.model,
        terms.maxSubmissions,
        terms.maxAccepts,
        terms.windowSize,
        terms.windowSeconds,
        TokenUnit::eth().format(terms.submissionStake.into()),
        TokenUnit::eth().format(terms.stake.into()),
        super::document::span(terms.audit.period),
        outlook.leak_bits,
        if outlook.regime.is_public() { "your validation set" } else { "the model" },
        terms.deadline(),
    )
}

impl LaunchInputs {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::read_limited(path, campaign::MAX_BYTES)?;
        let place = &path.display();
        let invalid = |message: String| Failure::new(Code::CampaignFile, message);
        let file =
            std::str::from_utf8(&text).map_err(|error| invalid(error.to_string()).at(place)).and_then(|text| {
                CampaignFile::parse(text).map_err(|error| match &error {
                    CampaignFileError::Toml { line, column, message } => {
                        invalid(message.clone()).at(format_args!("{place}:{line}:{column}"))
                    }
                    CampaignFileError::Text(_)
                    | CampaignFileError::Organisation(_)
                    | CampaignFileError::Schema(_)
                    | CampaignFileError::Model { .. } => invalid(error.to_string()).at(place),
                })
            })?;
        // Paths in the campaign file are relative to it.
        let beside = |name: &Path| path.parent().unwrap_or(Path::new("")).join(name);
        let read = |name: &Path| {
            let bytes = files::read_limited(&beside(name), limits::BUNDLE as u64)?;
            Ok::<_, Failure>(Zeroizing::new(bytes))
        };
        Ok(Self {
            validation_path: std::path::absolute(beside(&file.validation.file)).map_err(Failure::internal)?,
            validation: read(&file.validation.file)?,
            initial: file.model.initial_file().map(read).transpose()?,
            backbone: file.model.backbone.as_deref().map(|name| PublicNetwork::read(&beside(name))).transpose()?,
            file,
            text,
        })
    }

    fn parts(&self) -> [&[u8]; 4] {
        let initial = self.initial.as_ref().map_or(&[][..], |bytes| bytes);
        let backbone = self.backbone.as_ref().map_or(&[][..], |backbone| &backbone.file);
        [&self.text, &self.validation, initial, backbone]
    }
}

impl PublicNetwork {
    fn read(path: &Path) -> Result<Self, Failure> {
        let refused = |error: &dyn std::error::Error| Failure::new(Code::Backbone, error).at(path.display());
        let model = Model::from_described(&files::read_limited(path, limits::RESULT as u64)?).map_err(|error| {
            refused(&error).help(
                "use the delivered model of a clear campaign, or write the file as docs/model-formats.md describes",
            )
        })?;
        let file = plain_network(&model).map_err(|error| refused(&error))?.to_vec();
        Ok(Self { model, file })
    }
}

/// A launch without a draft.
struct LaunchContext<'a> {
    context: &'a Context,
    client: &'a Client,
    hub: &'a HubClient,
    name: &'a AccountName,
    passphrase: &'a str,
    owner: Address,
}

/// The plan of a launch, and the certificate of its Capsule.
struct PlannedLaunch {
    plan: Plan,
    capsule: Certificate,
    /// Digest of this certificate.
    sealed_to: Digest,
    salt: Digest,
}

/// A part of the Capsule's free stake, or what Mines expect for the bounty if that is more and free.
fn default_stake(capsule: &CapsuleView, token: Address, bounty: Amount) -> Amount {
    let free = capsule.free_stake();
    let share = Amount(free.0 / U256::from(STAKE_SHARE));
    share.max(usual_stake(token, bounty)).min(free).min(capsule.limits.stake_per_campaign)
}

impl LaunchContext<'_> {
    async fn plan(&self, given: &LaunchInputs, stake: Option<&str>, output: &Output) -> Result<PlannedLaunch, Failure> {
        let world = self.context.world(self.client).await?;
        let (operator, view) = self.choose(&given.file, &world)?;
        output.progress(format_args!("Fetching the certificate of Capsule {operator}…"));
        let (capsule, sealed_to) = self.certificate(operator, view, world.head.now).await?;
        let token = self.token(&given.file).await?;
        let bounty =
            token.parse(&given.file.reward.bounty).map_err(|error| refused_amount(error).at("reward.bounty"))?;
        let stake = match stake {
            Some(text) => TokenUnit::eth().parse(text).map_err(refused_amount)?,
            None => default_stake(view, token.address, bounty),
        };
        let identity = identity::open(self.context, self.name, self.passphrase)?;
        let scientist = Certificate::decode(&identity.certificate().encode(), world.head.now)?;
        let parent = match given.file.model.initial_campaign() {
            Some(id) => Some(self.parent(&world, id, &identity, output).await?),
            None => None,
        };
        let (parent, initial) = parent.unzip();
        let account = Keystore::new(&self.context.home).unlock(self.name, self.passphrase)?;
        let backbone = match &given.backbone {
            Some(PublicNetwork { model, file }) => Some((model.clone(), self.hub.add(file.clone()).await?)),
            None => None,
        };
        let salt: [u8; 32] = rand::random();
        let campaign_salt = B256::new(rand::random());
        let deployment = self.client.deployment();
        let inputs = Inputs {
            chain_id: deployment.chain_id,
            contract: deployment.campaigns,
            validation: given.validation.clone(),
            initial: initial.or_else(|| given.initial.clone()),
            backbone,
            owner: self.owner,
            scientist: Recipient::from(&scientist),
            bounty,
            token: token.address,
            capsule: CapsuleTerms { operator, fee_ppm: view.fee_ppm, stake, fingerprint: capsule.fingerprint() },
            now: world.head.now,
            bundle_salt: Zeroizing::new(salt),
            salt: campaign_salt,
            audit: AuditSecret::of(&account, campaign_salt),
        };
        let plan = launch::plan_from(&given.file, inputs, parent.as_ref())?;
        self.check_admission(&plan, view, world.head.now).await?;
        Ok(PlannedLaunch { plan, capsule, sealed_to, salt: Digest(salt) })
    }

    /// The own campaign that the file names as its start, with its result.
    async fn parent(
        &self,
        world: &World,
        id: CampaignId,
        identity: &Identity,
        output: &Output,
    ) -> Result<(Parent, Zeroizing<Vec<u8>>), Failure> {
        if let Some(view) = world.campaign(id).filter(|view| view.terms.owner != self.owner) {
            let message = format!("campaign {id} was launched by {}, not by this account", view.terms.owner);
            return Err(Failure::new(Code::NotOwner, message).at("model.initial"));
        }
        delivered::starting_model(self.hub, world, id, identity, output).await
    }

    /// Checks the terms against the contract's bounds and the operator's limits, before any money moves.
    async fn check_admission(&self, plan: &Plan, capsule: &CapsuleView, now: Timestamp) -> Result<(), Failure> {
        let terms = plan.terms(Digest([0; 32]));
        let refused = |error: NotAdmitted| Failure::new(Code::Limits, error).at("limits");
        admission::check_times(&self.client.bounds().await?, &terms, now).map_err(refused)?;
        admission::check_limits(capsule, &terms, now).map_err(refused)
    }

    /// The Capsule that the campaign file names, or the cheapest of those that have authorised this contract to lock
    /// their stake.
    fn choose<'w>(&self, file: &CampaignFile, world: &'w World) -> Result<(Address, &'w CapsuleView), Failure> {
        let sonar = self.client.deployment().campaigns;
        let usable = |view: &CapsuleView| !view.attester.is_zero() && view.authorized.contains(&sonar);
        let refused = |message: String| Failure::new(Code::NoCapsule, message);
        match file.capsule {
            Some(operator) => match world.capsules.get(&operator) {
                Some(view) if usable(view) => Ok((operator, view)),
                Some(_) => Err(refused(format!(
                    "the Capsule of {operator} has not authorised this contract to lock its stake"
                ))),
                None => Err(refused(format!("{operator} has registered no Capsule"))),
            },
            None => world
                .capsules
                .iter()
                .filter(|(_, view)| usable(view))
                .min_by_key(|(operator, view)| (view.fee_ppm, **operator))
                .map(|(operator, view)| (*operator, view))
                .ok_or_else(|| refused("no Capsule is registered with this contract".into())),
        }
    }

    /// Fetches the Capsule's certificate and compares it with the registered digest.
    async fn certificate(
        &self,
        operator: Address,
        view: &CapsuleView,
        now: Timestamp,
    ) -> Result<(Certificate, Digest), Failure> {
        let digest = view.certificate.ok_or_else(|| Failure::internal("a registered Capsule has a certificate"))?;
        let bytes = self.hub.fetch(digest, limits::CERTIFICATE).await?;
        let refused = |message: String| Failure::new(Code::CapsuleCertificate, message);
        let certificate = Certificate::decode(&bytes, now).map_err(|error| {
            refused(format!("Capsule {operator}: {error}")).help(
                "if its launch key has expired, the Capsule does not run: ask its operator, or name another `capsule` in the campaign file",
            )
        })?;
        if certificate.fingerprint().word() != view.fingerprint {
            return Err(refused(format!("the certificate of {operator} is not the registered one")));
        }
        Ok((certificate, digest))
    }

    async fn token(&self, file: &CampaignFile) -> Result<TokenUnit, Failure> {
        let address = match file.reward.token.as_str() {
            "ETH" => return Ok(TokenUnit::eth()),
            "DATA" => self.client.deployment().datacoin,
            text => token_address(text).map_err(|message| Failure::new(Code::Token, message).at("reward.token"))?,
        };
        Ok(self.client.token(address).await?)
    }

    async fn preview(&self, planned: &PlannedLaunch, output: &Output) -> Result<Report, Failure> {
        let plan = &planned.plan;
        plan.outlook.warnings.iter().for_each(|warning| output.warn(warning));
        let terms = plan.terms(Digest([0; 32]));
        let token = super::token(self.client, terms.token).await?;
        let manifest = plan.manifest(Digest([0; 32]));
        let statement = statement(&manifest)?;
        let name = manifest.name;
        let data = json!({
            "name": name,
            "terms": terms,
            "start_ppm": plan.outlook.start_ppm,
            "leak_bits": plan.outlook.leak_bits,
            "regime": plan.outlook.regime,
            "model": plan.outlook.model,
            "privacy": statement,
        });
        let human = format!(
            "{}\n{statement}{}",
            summary(&name, &terms, &token, &plan.outlook),
            consequence(&terms, &token, self.client).replacen("This puts", "A launch puts", 1),
        );
        Report::new(&data, human)
    }

    /// Seals the bundle, and derives the campaign's id from the digests of bundle and manifest.
    async fn seal(
        &self,
        given: &LaunchInputs,
        planned: PlannedLaunch,
    ) -> Result<(LaunchDraft, Vec<u8>, Vec<u8>), Failure> {
        let PlannedLaunch { plan, capsule, sealed_to, salt } = planned;
        let sealed = pgp::seal(&plan.encode_bundle(), &[&capsule])?;
        let bundle = self.hub.add(sealed.clone()).await?;
        let manifest = plan.manifest(bundle);
        let encoded = manifest.encode().map_err(launch::LaunchError::from)?;
        let terms = plan.terms(self.hub.add(encoded.clone()).await?);
        let draft = LaunchDraft {
            id: self.client.id(&terms),
            name: manifest.name,
            terms,
            bundle,
            sealed_to: Some(sealed_to),
            account: self.name.to_string(),
            validation: given.validation_path.clone(),
            outlook: plan.outlook,
            salt,
        };
        Ok((draft, sealed, encoded))
    }
}

fn token_address(text: &str) -> Result<Address, String> {
    if !text.starts_with("0x") {
        return Err(format!("`{text}` is neither ETH, DATA nor the address of an ERC-20"));
    }
    address::parse(text).map_err(|error| error.to_string())
}

fn refused_amount(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Amount, error)
}
