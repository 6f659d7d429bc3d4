//! What each party of a campaign can learn, and what that rests on: the privacy statement that a data scientist sees before she pays,
//! and that anybody can ask for later.

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

/// How far a campaign has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Measured starting accuracy, once there is one.
    pub start_ppm: Option<Ppm>,
    /// Submissions so far.
    pub submissions: u32,
    /// Accepted ones among them.
    pub accepts: u32,
}

/// What each party of a campaign can learn, and what that rests on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PrivacyStatement {
    /// Who may see the model: `encrypted`, no Mine; `clear`, everybody.
    #[schema(value_type = String)]
    pub regime: Regime,
    /// Whether the model can be called secret.
    pub model: ModelSecrecy,
    /// What public verdicts can say: about model and keys, or in the clear regime about the validation set.
    pub transcript: TranscriptBits,
    /// What updates say about a Mine's data to the Capsule.
    pub updates: UpdateSecrecy,
    /// Hardness figures, each under its cost model.
    pub security: Vec<SecurityFigure>,
    /// Who learns what.
    pub parties: Vec<PartyStatement>,
}

/// Whether the model can be called secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelSecrecy {
    /// Weights of the model.
    pub weights: usize,
    /// Weights of the backbone that it reads through, which everybody can read; none without one.
    pub public_weights: usize,
    /// Fewer cannot be called secret, whatever the encryption.
    pub least_weights: usize,
    /// Whether it can.
    pub secret: bool,
}

/// Bits that the public transcript can say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct TranscriptBits {
    /// By the whole campaign within its limits.
    pub allowed: f64,
    /// So far.
    pub spent: f64,
    /// From now on.
    pub left: f64,
    /// What no campaign may exceed.
    pub hard_limit: f64,
}

/// What updates say about a Mine's data to whoever decrypts them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct UpdateSecrecy {
    /// Updates that one Mine can make, at most: one for each version.
    pub most_uploads: u32,
    /// What their encryption adds; nothing in the clear regime, where there is none.
    pub encryption: Option<UpdateEncryption>,
}

/// A statement that cannot be made; no manifest that was checked is the cause.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatementError {
    /// Accuracies make no ladder.
    #[error(transparent)]
    Ladder(#[from] LadderError),
}

impl From<&CampaignView> for Progress {
    fn from(view: &CampaignView) -> Self {
        Self { start_ppm: view.start_ppm, submissions: view.submissions, accepts: view.accepts }
    }
}

impl PrivacyStatement {
    /// The statement of a campaign that has come so far.
    ///
    /// # Errors
    /// When the starting accuracy is not below the target.
    pub fn new(manifest: &Manifest, progress: Progress) -> Result<Self, StatementError> {
        let method = &manifest.method;
        let (regime, weights) = (method.regime(), method.weights());
        let uploads = u32::from(manifest.limits.accepts) + 1;
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
    fn new(manifest: &Manifest, progress: Progress) -> Result<Self, StatementError> {
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
                "The model is not secret: every Mine, and anyone who fetches it, sees its {} weights.",
                model.weights
            )?;
        } else if model.secret {
            writeln!(
                f,
                "The model's {} weights stay secret from everybody but Capsule and data scientist.",
                model.weights
            )?;
        } else {
            let (weights, least) = (model.weights, model.least_weights);
            writeln!(
                f,
                "The model is not secret: it has {weights} weights, and verdicts say too much about one of fewer than {least}."
            )?;
        }
        if model.public_weights > 0 {
            let weights = model.public_weights;
            writeln!(
                f,
                "It reads through a public network: its {weights} weights, and what they tell of the data behind them, are everybody's."
            )?;
        }
        writeln!(
            f,
            "Public verdicts say at most {:.0} bits about {about}: {:.0} so far, {:.0} left (never more than {:.0}).",
            transcript.allowed, transcript.spent, transcript.left, transcript.hard_limit
        )?;
        match &updates.encryption {
            Some(encryption) => writeln!(
                f,
                "The Capsule learns each update that it decrypts, at most {} of a Mine; from {} exact ones it can solve for averages of its data.\n\
                 Beyond the updates, their ciphertexts say no more than ε = {:.2} at δ = {:e} in all. A Mine's privacy budget bounds the updates, too.",
                updates.most_uploads,
                encryption.solvable_from,
                encryption.ciphertext_epsilon,
                encryption.ciphertext_delta
            )?,
            None => writeln!(
                f,
                "The Capsule learns each update, at most {} of a Mine; everybody learns what accepted ones changed. A Mine's privacy budget bounds both.",
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

    fn statement(from: &str, to: &str, progress: Progress) -> PrivacyStatement {
        let manifest = planned(from, to).unwrap().manifest(crate::ids::Digest([9; 32]));
        PrivacyStatement::new(&manifest, progress).unwrap()
    }

    #[test]
    fn small_models_are_not_called_secret() {
        let small = statement("", "", Progress::default());
        assert!(!small.model.secret && small.to_string().starts_with("The model is not secret: it has 6 weights"));
        let large = statement("[reward]", "[model]\nfeatures = \"random-relu:200\"\n[reward]", Progress::default());
        assert!(large.model.secret && large.to_string().contains("402 weights stay secret"), "{large}");
    }

    #[test]
    fn a_sealed_campaign_does_not_call_its_model_secret() {
        let sealed = statement("[reward]", "[model]\nregime = \"clear\"\n[reward]", Progress::default());
        assert!(!sealed.model.secret && sealed.updates.encryption.is_none());
        let text = sealed.to_string();
        for expected in ["not secret: every Mine, and anyone", "bits about the validation set", "126 bit"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(!text.contains("MATZOV"), "nothing here rests on lattices: {text}");
    }

    #[test]
    fn what_was_said_is_not_left() {
        let fresh = statement("", "", Progress::default());
        assert_eq!((fresh.transcript.spent, fresh.transcript.left), (0.0, fresh.transcript.allowed));
        let later = statement("", "", Progress { start_ppm: Some(Ppm::of(1, 10)), submissions: 3, accepts: 1 });
        assert!(later.transcript.spent > 0.0 && later.transcript.left < fresh.transcript.left);
        assert!(later.transcript.spent + later.transcript.left <= later.transcript.allowed + 1e-9);
    }

    #[test]
    fn every_figure_has_its_cost_model() {
        let statement = statement("", "", Progress::default());
        assert!(statement.security.iter().all(|figure| figure.bits >= 120 && !figure.cost_model.is_empty()));
        let text = statement.to_string();
        for expected in
            ["160 bit (lattice estimator, MATZOV)", "133 bit (core-SVP)", "Capsule learns each update", "Mine\n"]
        {
            assert!(text.contains(expected), "{text}");
        }
    }
}
