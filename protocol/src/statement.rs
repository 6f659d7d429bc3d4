//! The privacy statement: what each party of a campaign can learn, and what that rests on. The data scientist sees it
//! before they pay, and anyone can request it later.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use syft::{
    LadderError, Ppm,
    budget::{HARD_BITS, LEAST_SECRET_WEIGHTS, not_secret, transcript_bits},
};
use utoipa::ToSchema;

use crate::{
    families::{PartyStatement, Secrecy, SecurityFigure, UpdateEncryption},
    manifest::Manifest,
    regime::Regime,
    view::CampaignView,
};

/// Progress of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CampaignProgress {
    /// Measured starting accuracy; `None` before activation.
    pub start_ppm: Option<Ppm>,
    /// Number of submissions so far.
    pub submissions: u32,
    /// Number of accepted submissions.
    pub accepts: u32,
}

/// What each party of a campaign can learn, and what that rests on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PrivacyStatement {
    /// Regime: `encrypted` (Mines never see the model) or `clear` (the model is public).
    pub regime: Regime,
    /// Whether the model can be called secret.
    pub model: ModelSecrecy,
    /// What public verdicts can disclose: about model and keys, or in the clear regime about the validation set.
    pub transcript: TranscriptBits,
    /// What updates disclose about a Mine's data to the Capsule.
    pub updates: UpdateSecrecy,
    /// Hardness figures, each under its cost model.
    pub security: Vec<SecurityFigure>,
    /// What each party learns.
    pub parties: Vec<PartyStatement>,
}

/// Whether the model can be called secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelSecrecy {
    /// Number of weights of the model.
    pub weights: usize,
    /// Number of weights of the backbone, which are public; `None` without a backbone.
    pub public_weights: usize,
    /// Minimum number of weights of a secret model, whatever the encryption.
    pub least_weights: usize,
    /// Whether the model can be called secret.
    pub secret: bool,
}

/// Bits that the public transcript can disclose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct TranscriptBits {
    /// In the whole campaign, within its limits.
    pub allowed: f64,
    /// So far.
    pub spent: f64,
    /// In the rest of the campaign.
    pub left: f64,
    /// Maximum of any campaign.
    pub hard_limit: f64,
}

/// What updates disclose about a Mine's data when they are decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct UpdateSecrecy {
    /// Maximum number of updates of one Mine: one per version.
    pub most_uploads: u32,
    /// Effect of their homomorphic encryption; `None` in the clear regime.
    pub encryption: Option<UpdateEncryption>,
}

/// Why a statement cannot be computed. Cannot happen with a checked manifest.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatementError {
    /// The accuracies are inconsistent.
    #[error(transparent)]
    Ladder(#[from] LadderError),
}

impl From<&CampaignView> for CampaignProgress {
    fn from(view: &CampaignView) -> Self {
        Self { start_ppm: view.start_ppm, submissions: view.submissions, accepts: view.accepts }
    }
}

impl PrivacyStatement {
    /// Computes the statement of a campaign with this progress.
    ///
    /// # Errors
    /// When the starting accuracy is not below the target.
    pub fn new(manifest: &Manifest, progress: CampaignProgress) -> Result<Self, StatementError> {
        let method = &manifest.method;
        let (regime, weights) = (method.regime(), method.weights());
        let uploads = u32::from(manifest.limits.versions());
        let Secrecy { encryption, mut security, parties } = method.secrecy(uploads);
        let what = "sealed bundles, updates and results (OpenPGP, Curve25519)";
        security.push(SecurityFigure { what, bits: 126, cost_model: "Pollard's rho" });
        Ok(Self {
            regime,
            model: ModelSecrecy {
                weights,
                public_weights: method.backbone().map_or(0, |backbone| backbone.network.parameters()),
                least_weights: LEAST_SECRET_WEIGHTS,
                secret: !regime.is_public() && !not_secret(weights),
            },
            transcript: TranscriptBits::new(manifest, progress)?,
            updates: UpdateSecrecy { most_uploads: uploads, encryption },
            security,
            parties: parties.to_vec(),
        })
    }
}

impl TranscriptBits {
    fn new(manifest: &Manifest, progress: CampaignProgress) -> Result<Self, StatementError> {
        let accuracy = &manifest.accuracy;
        let ladder = match progress.start_ppm {
            Some(start) => accuracy.ladder_from(start)?,
            None => accuracy.ladder()?,
        };
        let allowed = manifest.limits.budget().bits(&ladder);
        let spent = transcript_bits(progress.submissions.into(), progress.accepts.into(), ladder.steps());
        Ok(Self { allowed, spent, left: (allowed - spent).max(0.0), hard_limit: HARD_BITS })
    }
}

impl Display for PrivacyStatement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { regime, model, transcript, updates, security, parties } = self;
        let about = if regime.is_public() { "the validation set" } else { "model and keys" };
        if regime.is_public() {
            writeln!(
                f,
                "The model is not secret: every Mine, and anyone who fetches it, can read its {} weights.",
                model.weights
            )?;
        } else if model.secret {
            writeln!(
                f,
                "The model's {} weights stay secret from everyone except Capsule and data scientist.",
                model.weights
            )?;
        } else {
            let (weights, least) = (model.weights, model.least_weights);
            writeln!(
                f,
                "The model is not secret: it has {weights} weights, and public verdicts disclose too much about a model with fewer than {least}."
            )?;
        }
        if model.public_weights > 0 {
            let weights = model.public_weights;
            writeln!(
                f,
                "It reads the activations of a public network: its {weights} weights, and what they disclose about its training data, are public."
            )?;
        }
        writeln!(
            f,
            "Public verdicts disclose at most {:.0} bits about {about}: {:.0} so far, {:.0} left (never more than {:.0}).",
            transcript.allowed, transcript.spent, transcript.left, transcript.hard_limit
        )?;
        match &updates.encryption {
            Some(encryption) => writeln!(
                f,
                "The Capsule learns each update that it decrypts, at most {} per Mine; from {} exact updates it can compute averages of the Mine's data.\n\
                 In addition to the updates, their ciphertexts disclose at most ε = {:.2} at δ = {:e} in all. A Mine's privacy budget also bounds the updates.",
                updates.most_uploads,
                encryption.solvable_from,
                encryption.ciphertext_epsilon,
                encryption.ciphertext_delta
            )?,
            None => writeln!(
                f,
                "The Capsule learns each update, at most {} per Mine; everybody learns what accepted updates changed. A Mine's privacy budget bounds both.",
                updates.most_uploads
            )?,
        }
        for figure in security {
            writeln!(f, "{} bit ({}): {}", figure.bits, figure.cost_model, figure.what)?;
        }
        for party in parties {
            writeln!(f, "{}\n  learns        {}", party.party, party.learns)?;
            writeln!(f, "  never learns  {}\n  rests on      {}", party.never_learns, party.rests_on)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::tests::planned;

    fn statement(from: &str, to: &str, progress: CampaignProgress) -> PrivacyStatement {
        let manifest = planned(from, to).unwrap().manifest(crate::ids::Digest([9; 32]));
        PrivacyStatement::new(&manifest, progress).unwrap()
    }

    #[test]
    fn small_models_are_not_called_secret() {
        let small = statement("", "", CampaignProgress::default());
        assert!(!small.model.secret && small.to_string().starts_with("The model is not secret: it has 6 weights"));
        let large =
            statement("[reward]", "[model]\nfeatures = \"random-relu:200\"\n[reward]", CampaignProgress::default());
        assert!(large.model.secret && large.to_string().contains("402 weights stay secret"), "{large}");
    }

    #[test]
    fn a_sealed_campaign_does_not_call_its_model_secret() {
        let sealed = statement("[reward]", "[model]\nregime = \"clear\"\n[reward]", CampaignProgress::default());
        assert!(!sealed.model.secret && sealed.updates.encryption.is_none());
        let text = sealed.to_string();
        for expected in ["not secret: every Mine, and anyone", "bits about the validation set", "126 bit"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(!text.contains("MATZOV"), "nothing here rests on lattices: {text}");
    }

    #[test]
    fn what_was_said_is_not_left() {
        let fresh = statement("", "", CampaignProgress::default());
        assert_eq!((fresh.transcript.spent, fresh.transcript.left), (0.0, fresh.transcript.allowed));
        let later = statement("", "", CampaignProgress { start_ppm: Some(Ppm::of(1, 10)), submissions: 3, accepts: 1 });
        assert!(later.transcript.spent > 0.0 && later.transcript.left < fresh.transcript.left);
        assert!(later.transcript.spent + later.transcript.left <= later.transcript.allowed + 1e-9);
    }

    #[test]
    fn every_figure_has_its_cost_model() {
        let statement = statement("", "", CampaignProgress::default());
        assert!(statement.security.iter().all(|figure| figure.bits >= 120 && !figure.cost_model.is_empty()));
        let text = statement.to_string();
        for expected in
            ["160 bit (lattice estimator, MATZOV)", "133 bit (core-SVP)", "Capsule learns each update", "Mine\n"]
        {
            assert!(text.contains(expected), "{text}");
        }
    }
}
