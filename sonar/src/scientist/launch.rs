//! Launch: from a campaign file to a campaign whose bounty is in escrow.
//!
//! [`Launcher::plan`] checks everything and changes nothing. [`Launcher::seal`] decides the campaign, which is then stored as a draft.
//! [`SealedLaunch::carry_out`] does the rest in named steps, each of which can be repeated: after an interruption the same draft leads to the
//! same campaign, and no money moves twice.

use std::{fmt, path::Path};

use alloy::primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};
use sonar_contracts::{State, Status, address};
use sonar_node::{
    chain::{Client, TxOutcome},
    cli::{Code, Failure},
};
use sonar_protocol::{
    admission::{self, NotAdmitted},
    campaign::{CampaignFile, CampaignFileError},
    families::plain_network,
    handover::AuditSecret,
    ids::{CampaignId, Digest},
    launch::{self, CapsuleTerms, Inputs, Plan, Recipient},
    limits,
    lineage::Parent,
    manifest::Manifest,
    pgp::{self, Certificate, Identity},
    statement::{CampaignProgress, PrivacyStatement},
    terms::usual_stake,
    units::{Amount, Timestamp, TokenUnit},
    view::{CapsuleView, World},
};
use syft_nets::Model;
use zeroize::Zeroizing;

use super::{
    Progress, Workspace,
    account::UnlockedAccount,
    delivered,
    draft::{Key, LaunchDraft, SavedDraft},
    hub::HubClient,
};

/// By default a campaign locks this part of the Capsule's free stake, so that several campaigns can run at once.
const STAKE_SHARE: u64 = 16;

/// Where the files come from that a campaign file names.
pub trait CampaignFiles {
    /// Reads a file of at most `limit` bytes.
    fn read(&self, name: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure>;

    /// How messages name it.
    fn shown(&self, name: &Path) -> String;
}

/// The campaign file and the files that it refers to.
pub struct LaunchInputs {
    pub file: CampaignFile,
    pub text: Vec<u8>,
    pub validation: Zeroizing<Vec<u8>>,
    pub initial: Option<Zeroizing<Vec<u8>>>,
    backbone: Option<PublicNetwork>,
}

/// The backbone that the campaign file names, and the file that is published: it has only the network, without anything
/// else that was in the file on disk.
struct PublicNetwork {
    model: Model,
    file: Vec<u8>,
}

impl fmt::Debug for LaunchInputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchInputs").field("name", &self.file.name).finish_non_exhaustive()
    }
}

impl LaunchInputs {
    /// Reads a campaign file, which messages name as `place`, and the files that it names.
    pub fn new(text: Vec<u8>, place: &impl fmt::Display, files: &dyn CampaignFiles) -> Result<Self, Failure> {
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
        let read = |name: &Path| files.read(name, limits::BUNDLE);
        Ok(Self {
            validation: read(&file.validation.file)?,
            initial: file.model.initial_file().map(read).transpose()?,
            backbone: file.model.backbone.as_deref().map(|name| PublicNetwork::read(name, files)).transpose()?,
            file,
            text,
        })
    }

    /// The draft's key: the same files, account and contract have the same.
    pub fn key(&self, client: &Client, owner: Address) -> Key {
        let initial = self.initial.as_ref().map_or(&[][..], |bytes| bytes);
        let backbone = self.published_backbone().unwrap_or_default();
        Key::new(client, owner, &[&self.text, &self.validation, initial, backbone])
    }

    /// The file of the backbone as it is published.
    pub fn published_backbone(&self) -> Option<&[u8]> {
        self.backbone.as_ref().map(|backbone| &*backbone.file)
    }
}

impl PublicNetwork {
    fn read(name: &Path, files: &dyn CampaignFiles) -> Result<Self, Failure> {
        let refused = |error: &dyn std::error::Error| Failure::new(Code::Backbone, error).at(files.shown(name));
        let model = Model::from_described(&files.read(name, limits::RESULT)?).map_err(|error| {
            refused(&error).help(
                "use the delivered model of a clear campaign, or write the file as docs/model-formats.md describes",
            )
        })?;
        let file = plain_network(&model).map_err(|error| refused(&error))?.to_vec();
        Ok(Self { model, file })
    }
}

/// Plans and seals the launches of one account.
pub struct Launcher<'a> {
    pub workspace: &'a Workspace,
    /// The chain, as the account that pays.
    pub client: &'a Client,
    pub hub: &'a HubClient,
    pub account: &'a UnlockedAccount,
    pub progress: &'a dyn Progress,
}

/// The plan of a launch, and the certificate of its Capsule.
pub struct PlannedLaunch {
    pub plan: Plan,
    /// Token of the bounty.
    pub token: TokenUnit,
    capsule: Certificate,
    /// Digest of this certificate.
    sealed_to: Digest,
    salt: Digest,
}

impl fmt::Debug for PlannedLaunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedLaunch").field("sealed_to", &self.sealed_to).finish_non_exhaustive()
    }
}

/// A part of the Capsule's free stake, or what Mines expect for the bounty if that is more and free.
fn default_stake(capsule: &CapsuleView, token: Address, bounty: Amount) -> Amount {
    let free = capsule.free_stake();
    let share = Amount(free.0 / U256::from(STAKE_SHARE));
    share.max(usual_stake(token, bounty)).min(free).min(capsule.limits.stake_per_campaign)
}

impl Launcher<'_> {
    /// Plans a launch whose result is sealed to `identity`, with this part of the Capsule's stake in ETH. Nothing is spent, stored or published, except the backbone: this
    /// node offers it from now on.
    pub async fn plan(
        &self,
        given: &LaunchInputs,
        stake: Option<&str>,
        identity: &Identity,
    ) -> Result<PlannedLaunch, Failure> {
        let world = self.workspace.world(self.client).await?;
        let (operator, view) = self.choose(&given.file, &world)?;
        self.progress.note(&format_args!("Fetching the certificate of Capsule {operator}…"));
        let (capsule, sealed_to) = self.certificate(operator, view, world.head.now).await?;
        let token = self.token(&given.file).await?;
        let bounty =
            token.parse(&given.file.reward.bounty).map_err(|error| refused_amount(error).at("reward.bounty"))?;
        let stake = match stake {
            Some(text) => TokenUnit::eth().parse(text).map_err(refused_amount)?,
            None => default_stake(view, token.address, bounty),
        };
        let scientist = Certificate::decode(&identity.certificate().encode(), world.head.now)?;
        let parent = match given.file.model.initial_campaign() {
            Some(id) => Some(self.parent(&world, id, identity).await?),
            None => None,
        };
        let (parent, initial) = parent.unzip();
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
            owner: self.account.address(),
            scientist: Recipient::from(&scientist),
            bounty,
            token: token.address,
            capsule: CapsuleTerms { operator, fee_ppm: view.fee_ppm, stake, fingerprint: capsule.fingerprint() },
            now: world.head.now,
            bundle_salt: Zeroizing::new(salt),
            salt: campaign_salt,
            audit: AuditSecret::of(self.account.signer(), campaign_salt),
        };
        let plan = launch::plan_from(&given.file, inputs, parent.as_ref())?;
        self.check_admission(&plan, view, world.head.now).await?;
        Ok(PlannedLaunch { plan, token, capsule, sealed_to, salt: Digest(salt) })
    }

    /// The own campaign that the file names as its start, with its result.
    async fn parent(
        &self,
        world: &World,
        id: CampaignId,
        identity: &Identity,
    ) -> Result<(Parent, Zeroizing<Vec<u8>>), Failure> {
        if let Some(view) = world.campaign(id).filter(|view| view.terms.owner != self.account.address()) {
            let message = format!("campaign {id} was launched by {}, not by this account", view.terms.owner);
            return Err(Failure::new(Code::NotOwner, message).at("model.initial"));
        }
        delivered::starting_model(self.hub, world, id, identity, self.progress).await
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

    /// Seals the bundle, and derives the campaign's id from the digests of bundle and manifest. The draft names the validation set by this
    /// path, which may be relative to the draft's directory.
    pub async fn seal(&self, planned: PlannedLaunch, validation: &Path) -> Result<SavedDraft, Failure> {
        let PlannedLaunch { plan, capsule, sealed_to, salt, .. } = planned;
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
            account: self.account.name().to_string(),
            validation: validation.to_owned(),
            outlook: plan.outlook,
            salt,
        };
        Ok(SavedDraft { draft, bundle: sealed, manifest: encoded })
    }
}

fn token_address(text: &str) -> Result<Address, String> {
    if !text.starts_with("0x") {
        return Err(format!("`{text}` is neither ETH, DATA nor the address of an ERC-20"));
    }
    address::parse(text).map_err(|error| error.to_string())
}

fn refused_amount(error: impl fmt::Display) -> Failure {
    Failure::new(Code::Amount, error)
}

/// The privacy statement of a campaign without submissions.
pub fn statement(manifest: &Manifest) -> Result<PrivacyStatement, Failure> {
    PrivacyStatement::new(manifest, CampaignProgress::default()).map_err(Failure::internal)
}

/// A step of a launch, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchStep {
    /// Seal the bundle to the Capsule, and store the draft.
    Seal,
    /// Put the artefacts into this node, from which Sonar's hub fetches them.
    Upload,
    /// Let the contract take the bounty.
    Approve,
    /// Put bounty and fee into escrow.
    Open,
    /// Wait until Sonar has the artefacts, so that this node is not needed any more.
    Offer,
}

impl LaunchStep {
    /// All steps.
    pub const ALL: [Self; 5] = [Self::Seal, Self::Upload, Self::Approve, Self::Open, Self::Offer];
}

/// Observes a launch, and decides whether it may pay.
pub trait LaunchObserver: Send + Sync {
    /// A step begins. A failure ends the launch before it.
    fn begin(&self, step: LaunchStep) -> Result<(), Failure>;

    /// A step has ended, with this result for people.
    fn done(&self, step: LaunchStep, detail: &str) -> Result<(), Failure>;

    /// Asks whether bounty and fee may be paid, directly before they are.
    fn consent(&self) -> Result<(), Failure>;
}

/// A launch whose campaign is decided.
pub struct SealedLaunch<'a> {
    pub client: &'a Client,
    pub hub: &'a HubClient,
    pub draft: &'a LaunchDraft,
    pub observer: &'a dyn LaunchObserver,
}

impl SealedLaunch<'_> {
    /// Offers the artefacts, pays unless an earlier run of this launch did, and waits until Sonar has the artefacts.
    /// Returns the transaction that paid.
    pub async fn carry_out(&self, artefacts: Vec<Vec<u8>>) -> Result<Option<TxOutcome>, Failure> {
        self.observer.begin(LaunchStep::Upload)?;
        let offered = self.hub.offer(artefacts).await?;
        self.observer.done(LaunchStep::Upload, &format!("{} artefacts", offered.len()))?;
        let opened = self.open().await?;
        self.observer.begin(LaunchStep::Offer)?;
        if is_running(&self.client.status(self.draft.id).await?) {
            self.hub.wait_until_kept(&offered).await?;
        }
        self.observer.done(LaunchStep::Offer, "Sonar has manifest and bundle")?;
        Ok(opened)
    }

    /// Puts the bounty into escrow, unless an earlier run of this launch did.
    async fn open(&self) -> Result<Option<TxOutcome>, Failure> {
        if self.is_open().await? {
            self.observer.done(LaunchStep::Approve, "not needed")?;
            self.observer.done(LaunchStep::Open, "the bounty is already in escrow")?;
            return Ok(None);
        }
        self.check_recipient().await?;
        self.observer.consent()?;
        // The answer may have taken a day.
        self.check_recipient().await?;
        match self.pay().await {
            Ok(transaction) => {
                self.observer.done(LaunchStep::Open, &format!("transaction {}", transaction.hash))?;
                Ok(Some(transaction))
            }
            // Another run of this launch has sent it.
            Err(_) if self.is_open().await? => {
                self.observer.done(LaunchStep::Open, "the bounty is already in escrow")?;
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn pay(&self) -> Result<TxOutcome, Failure> {
        let unpaid = |error| {
            Failure::from(error)
                .help("nothing was paid; `--again` launches the campaign with a new deadline and new terms")
        };
        let terms = &self.draft.terms;
        self.observer.begin(LaunchStep::Approve)?;
        let (funding, approved) = self.client.approve(terms).await.map_err(unpaid)?;
        let approved = approved.map(|transaction| format!("transaction {}", transaction.hash));
        self.observer.done(LaunchStep::Approve, approved.as_deref().unwrap_or("no transaction needed"))?;
        self.observer.begin(LaunchStep::Open)?;
        self.client.open_with(terms, funding).await.map_err(unpaid)
    }

    async fn is_open(&self) -> Result<bool, Failure> {
        Ok(self.client.status(self.draft.id).await?.state != State::None as u8)
    }

    /// Checks that the bundle is sealed to the Capsule's present launch key: an older one may be destroyed before the
    /// Capsule gets to the campaign, and it would decline.
    async fn check_recipient(&self) -> Result<(), Failure> {
        let draft = self.draft;
        let present =
            self.client.capsule(draft.terms.capsule).await?.and_then(|known| Digest::from_word(known.certificate));
        if draft.sealed_to.is_some() && draft.sealed_to == present {
            return Ok(());
        }
        let message = "the Capsule has replaced the key that this launch's bundle is sealed to; nothing was paid";
        Err(Failure::new(Code::CapsuleCertificate, message).help("`--again` prepares the launch anew"))
    }
}

/// Whether the artefacts of the launch are still needed.
fn is_running(status: &Status) -> bool {
    matches!(State::try_from(status.state), Ok(State::Proposed | State::Open))
}
