//! Privacy budgets and accounts of data sets. An update and its privacy cost are one entry of the outbox, so neither
//! exists without the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use sonar_protocol::obstacles::USUAL_EPSILON as EPSILON;
pub use sonar_protocol::obstacles::{USUAL_DELTA as DELTA, USUAL_UPLOADS as UPLOADS};
use syft::privacy::{PrivacyError, Zcdp};
use utoipa::ToSchema;

use crate::repository::DataName;

/// Relative tolerance for sums of costs.
const ROUNDING: f64 = 1e-9;

/// Privacy budget of each data set over its whole life: (ε, δ)-differential privacy for replacing one row by any other.
/// It is spent in equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BudgetForm", into = "BudgetForm")]
pub struct Budget {
    epsilon: f64,
    delta: f64,
    uploads: u32,
    total: Zcdp,
}

/// A privacy budget: (ε, δ)-differential privacy for replacing one row of a data set by any other, over its whole life.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PrivacyBudget)]
struct BudgetForm {
    /// The ε.
    epsilon: f64,
    /// The δ: probability that the guarantee fails.
    delta: f64,
    /// Number of uploads into which it is divided.
    uploads: u32,
}

/// Why a privacy budget is invalid.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PrivacyBudgetError {
    /// ε and δ are not a privacy guarantee.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// The number of uploads is zero.
    #[error("a privacy budget must last for at least one upload")]
    Uploads,
}

impl Budget {
    /// Creates a budget for this number of uploads of each data set.
    ///
    /// # Errors
    /// When the number of uploads is 0, ε is not positive, or δ is not between 0 and 1.
    pub fn new(epsilon: f64, delta: f64, uploads: u32) -> Result<Self, PrivacyBudgetError> {
        if uploads == 0 {
            return Err(PrivacyBudgetError::Uploads);
        }
        Ok(Self { epsilon, delta, uploads, total: Zcdp::within(epsilon, delta)? })
    }

    /// A budget that suits most data sets: ε 3 at δ 10⁻⁶, enough for one or two campaigns.
    #[must_use]
    pub fn usual() -> Self {
        Self::new(EPSILON, DELTA, UPLOADS).expect("the constants are a guarantee")
    }

    /// The ε.
    #[must_use]
    pub const fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The δ.
    #[must_use]
    pub const fn delta(&self) -> f64 {
        self.delta
    }

    /// Number of uploads of a data set that it covers.
    #[must_use]
    pub const fn uploads(&self) -> u32 {
        self.uploads
    }

    /// Cost of one upload.
    #[must_use]
    pub fn per_upload(&self) -> Zcdp {
        self.total.share(self.uploads)
    }

    /// Number of further uploads of a data set after this cost was spent.
    #[must_use]
    pub fn left(&self, spent: Disclosure) -> u32 {
        let left = (self.total.rho() - spent.cost.rho()) / self.per_upload().rho();
        // The cast saturates: a data set that spent more under another budget has no uploads left.
        (left + ROUNDING * f64::from(self.uploads)) as u32
    }
}

impl TryFrom<BudgetForm> for Budget {
    type Error = PrivacyBudgetError;

    fn try_from(written: BudgetForm) -> Result<Self, PrivacyBudgetError> {
        Self::new(written.epsilon, written.delta, written.uploads)
    }
}

impl From<Budget> for BudgetForm {
    fn from(budget: Budget) -> Self {
        Self { epsilon: budget.epsilon, delta: budget.delta, uploads: budget.uploads }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ε {} at δ {:e}, in {} uploads", self.epsilon, self.delta, self.uploads)
    }
}

/// Privacy account of a data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Disclosure {
    /// Sum of the costs of the private updates.
    pub cost: Zcdp,
    /// Number of private updates.
    pub private: u32,
    /// Number of exact updates, made without a budget. No ε covers them.
    pub exact: u32,
}

/// The privacy budget of a data set is spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "the privacy budget of data set `{data}` is spent ({told} private updates, ε {epsilon:.2} of {allowed} at δ {delta:e}); \
     a larger one can be set with `mine policy set --epsilon`"
)]
pub struct ExhaustedBudget {
    /// The data set.
    pub data: DataName,
    /// Number of its private updates.
    pub told: u32,
    /// Their total ε.
    pub epsilon: f64,
    /// ε of the budget.
    pub allowed: f64,
    /// δ of the budget.
    pub delta: f64,
}

/// Privacy accounts of all data sets by name. An account is kept after its data set is removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DisclosureLedger(BTreeMap<DataName, Disclosure>);

impl DisclosureLedger {
    /// Charges an update to every data set that it was trained on; an update without a cost counts as exact.
    pub fn charge(&mut self, data: &[DataName], cost: Option<Zcdp>) {
        for data in data {
            let spent = self.0.entry(data.clone()).or_default();
            match cost {
                Some(cost) => {
                    spent.cost = spent.cost.plus(cost);
                    spent.private += 1;
                }
                None => spent.exact += 1,
            }
        }
    }

    /// Privacy account of a data set.
    #[must_use]
    pub fn spent(&self, data: &DataName) -> Disclosure {
        self.0.get(data).copied().unwrap_or_default()
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = (&DataName, Disclosure)> {
        self.0.iter().map(|(data, spent)| (data, *spent))
    }

    /// Whether one more upload of these data sets is within the budget of each.
    ///
    /// # Errors
    /// Names the first data set whose budget is spent.
    pub fn allow<'a>(
        &self,
        budget: &Budget,
        data: impl IntoIterator<Item = &'a DataName>,
    ) -> Result<(), ExhaustedBudget> {
        for data in data {
            let spent = self.spent(data);
            if budget.left(spent) == 0 {
                let epsilon = spent.cost.epsilon(budget.delta);
                let (allowed, delta) = (budget.epsilon, budget.delta);
                return Err(ExhaustedBudget { data: data.clone(), told: spent.private, epsilon, allowed, delta });
            }
        }
        Ok(())
    }
}

/// What was disclosed about each data set, and what is left of its budget.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PrivacyReport {
    /// Budget of each data set; `null` if Capsules learn exact updates.
    #[schema(value_type = Option<BudgetForm>, required = true)]
    pub budget: Option<Budget>,
    /// By name.
    pub data: Vec<PrivacyAccount>,
}

/// Privacy account of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PrivacyAccount {
    /// The data set. Its account is kept after it is removed.
    #[schema(value_type = String)]
    pub data: DataName,
    /// Number of private updates.
    pub private: u32,
    /// Number of exact updates, which no ε covers.
    pub exact: u32,
    /// Total ε of the private updates; `null` without a budget, which has the δ.
    #[schema(required = true)]
    pub epsilon: Option<f64>,
    /// Number of updates that the budget still allows; `null` without a budget.
    #[schema(required = true)]
    pub left: Option<u32>,
}

impl PrivacyReport {
    /// The report on these data sets, and on all that have an account.
    #[must_use]
    pub fn new(budget: Option<Budget>, ledger: &DisclosureLedger, names: impl IntoIterator<Item = DataName>) -> Self {
        let names: BTreeSet<DataName> = ledger.accounts().map(|(data, _)| data.clone()).chain(names).collect();
        let account = |data: DataName| {
            let spent = ledger.spent(&data);
            PrivacyAccount {
                data,
                private: spent.private,
                exact: spent.exact,
                epsilon: budget.map(|budget| spent.cost.epsilon(budget.delta())),
                left: budget.map(|budget| budget.left(spent)),
            }
        };
        Self { budget, data: names.into_iter().map(account).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> DataName {
        text.parse().unwrap()
    }

    fn charge(ledger: &mut DisclosureLedger, data: &[&str], cost: Option<Zcdp>) {
        ledger.charge(&data.iter().map(|text| name(text)).collect::<Vec<_>>(), cost);
    }

    #[test]
    fn a_budget_survives_its_file_and_senseless_ones_do_not() {
        let budget = Budget::new(3.0, 1e-6, 50).unwrap();
        assert_eq!((budget.epsilon(), budget.delta(), budget.uploads()), (3.0, 1e-6, 50));
        let text = toml::to_string(&budget).unwrap();
        assert_eq!(toml::from_str::<Budget>(&text).unwrap(), budget);
        for (epsilon, delta, uploads, why) in [
            ("0.0", "1e-6", 50, "ε"),
            ("nan", "1e-6", 50, "ε"),
            ("inf", "1e-6", 50, "ε"),
            ("3.0", "1.0", 50, "δ"),
            ("3.0", "0.0", 50, "δ"),
            ("3.0", "1e-6", 0, "at least one"),
        ] {
            let text = format!("epsilon = {epsilon}\ndelta = {delta}\nuploads = {uploads}");
            assert!(toml::from_str::<Budget>(&text).unwrap_err().to_string().contains(why), "{text}");
        }
    }

    #[test]
    fn every_data_set_of_an_update_is_charged() {
        let budget = Budget::new(1.0, 1e-6, 2).unwrap();
        let mut ledger = DisclosureLedger::default();
        for data in [&["a"][..], &["a", "b"]] {
            charge(&mut ledger, data, Some(budget.per_upload()));
        }
        charge(&mut ledger, &["c"], None);
        let [a, b, c, d] = ["a", "b", "c", "d"].map(name);
        let refused = ledger.allow(&budget, [&b, &a]).unwrap_err();
        assert!(refused.to_string().contains("`a` is spent (2 private updates, ε 1.00 of 1"), "{refused}");
        assert_eq!(ledger.allow(&budget, [&b, &c, &d]), Ok(()));
        assert_eq!((budget.left(ledger.spent(&b)), ledger.spent(&c).exact), (1, 1));
        // Raising a budget does not refund what was spent.
        let larger = Budget::new(2.0, 1e-6, 2).unwrap();
        assert_eq!(budget.left(ledger.spent(&a)), 0);
        assert_eq!(larger.left(ledger.spent(&a)), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// However often the owner changes the budget, an upload never exceeds the budget at its time.
        #[test]
        fn no_budget_is_exceeded(changes in prop::collection::vec((0.01..20.0_f64, 1e-9..1e-3_f64, 1u32..10), 1..8)) {
            let (mut ledger, own) = (DisclosureLedger::default(), name("own"));
            for (epsilon, delta, uploads) in changes {
                let budget = Budget::new(epsilon, delta, uploads).unwrap();
                let mut made = 0;
                while ledger.allow(&budget, [&own]).is_ok() {
                    charge(&mut ledger, &["own"], Some(budget.per_upload()));
                    prop_assert!(ledger.spent(&own).cost.epsilon(delta) <= epsilon * (1.0 + 1e-6));
                    made += 1;
                }
                prop_assert!(made <= uploads);
            }
        }

        #[test]
        fn a_budget_lasts_as_long_as_it_should(epsilon in 0.01..20.0_f64, uploads in 1u32..1_000) {
            let budget = Budget::new(epsilon, 1e-6, uploads).unwrap();
            let mut spent = Disclosure::default();
            for _ in 0..uploads {
                prop_assert!(budget.left(spent) > 0);
                spent.cost = spent.cost.plus(budget.per_upload());
            }
            prop_assert_eq!(budget.left(spent), 0);
        }
    }
}
