//! A campaign's money equation, with the calls that read the same from the contract.

use std::sync::Arc;

use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};
use axum::{Json, extract::State};
use serde::Serialize;
use sonar_contracts::{Campaigns, Ledger, Terms};
use sonar_protocol::{projection::LedgerJson, view::CampaignView};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    App,
    api::{parse, unknown},
    extract::Segment,
    problem::Problem,
};

/// Types that `ledger` returns, in the order of [`LedgerJson`].
const LEDGER_TYPES: &str = "((uint256,uint256,uint256,uint256,uint256,uint256))";
const ID_TYPES: &str = "(bytes32)";

/// The money of a campaign at a block: `deposited = paid + owed + refunded + fee + escrowed`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Money {
    /// Token of all amounts; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// Number of the block that the amounts are of.
    pub block: u64,
    /// The amounts.
    #[serde(flatten)]
    pub ledger: LedgerJson,
    /// Whether the equation holds.
    pub adds_up: bool,
    /// Commands (Foundry's `cast`) that check the answer against a chain node of one's own: the first returns the
    /// campaign's id for these terms, the second its amounts in the order of the equation.
    pub calls: Vec<String>,
}

impl Money {
    fn new(contract: Address, view: &CampaignView, block: u64) -> Self {
        let ledger = view.ledger();
        Self {
            token: view.terms.token,
            block,
            adds_up: adds_up(&ledger),
            ledger: LedgerJson::from(&ledger),
            calls: calls(contract, &view.terms, block),
        }
    }
}

fn adds_up(ledger: &Ledger) -> bool {
    let parts = [ledger.paid, ledger.owed, ledger.refunded, ledger.fee, ledger.escrowed];
    parts.into_iter().try_fold(U256::ZERO, |sum, part| sum.checked_add(part)) == Some(ledger.deposited)
}

fn calls(contract: Address, terms: &Terms, block: u64) -> Vec<String> {
    let terms = tuple(terms);
    let call = |signature: &str, returns: &str| {
        format!("cast call {contract} '{signature}{returns}' '{terms}' --block {block} --rpc-url \"$ETH_RPC_URL\"")
    };
    vec![call(Campaigns::campaignIdCall::SIGNATURE, ID_TYPES), call(Campaigns::ledgerCall::SIGNATURE, LEDGER_TYPES)]
}

/// Terms as an argument of `cast`.
fn tuple(terms: &Terms) -> String {
    let audit = &terms.audit;
    let audit = [audit.mode.to_string(), audit.auditor.to_string(), audit.period.to_string(), audit.keys.to_string()];
    let fields = [
        terms.owner.to_string(),
        terms.token.to_string(),
        terms.bounty.to_string(),
        terms.startPpm.to_string(),
        terms.tolerancePpm.to_string(),
        terms.targetPpm.to_string(),
        terms.gridPpm.to_string(),
        terms.maxSubmissions.to_string(),
        terms.maxAccepts.to_string(),
        terms.windowSize.to_string(),
        terms.windowSeconds.to_string(),
        terms.capPerVersion.to_string(),
        terms.deadline.to_string(),
        terms.activationSeconds.to_string(),
        terms.evaluationSeconds.to_string(),
        terms.deliverySeconds.to_string(),
        format!("({})", audit.join(",")),
        terms.capsule.to_string(),
        terms.feePpm.to_string(),
        terms.stake.to_string(),
        terms.submissionStake.to_string(),
        terms.manifest.to_string(),
        terms.salt.to_string(),
    ];
    format!("({})", fields.join(","))
}

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(money))
}

/// A campaign's money equation at the newest indexed block, and the commands that prove it.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/money", params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = Money),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn money(State(app): State<Arc<App>>, Segment(id): Segment<String>) -> Result<Json<Money>, Problem> {
    let id = parse(&id)?;
    let found = app.index.read_at(|world, block| world.campaigns.get(&id).map(|view| (Arc::clone(view), block)));
    let (view, block) = found.ok_or_else(|| unknown(id))?;
    Ok(Json(Money::new(app.chain.deployment().campaigns, &view, block)))
}

#[cfg(test)]
mod tests {
    use alloy::{
        primitives::{B256, keccak256},
        sol_types::SolValue,
    };
    use serde_json::Value;
    use sonar_contracts::{AuditTerms, campaign_id};

    use super::*;

    fn terms() -> Terms {
        Terms {
            owner: Address::repeat_byte(1),
            token: Address::repeat_byte(2),
            bounty: u128::MAX,
            startPpm: 3,
            tolerancePpm: 4,
            targetPpm: 5,
            gridPpm: 6,
            maxSubmissions: 7,
            maxAccepts: 8,
            windowSize: 9,
            windowSeconds: 10,
            capPerVersion: 11,
            deadline: u64::MAX,
            activationSeconds: 12,
            evaluationSeconds: 13,
            deliverySeconds: 14,
            audit: AuditTerms { mode: 15, auditor: Address::repeat_byte(16), period: 17, keys: B256::repeat_byte(18) },
            capsule: Address::repeat_byte(19),
            feePpm: 20,
            stake: 21,
            submissionStake: 22,
            manifest: B256::repeat_byte(23),
            salt: B256::repeat_byte(24),
        }
    }

    /// A word of the ABI from the text of a number, an address or a hash, as `cast` reads it.
    fn word(text: &str) -> [u8; 32] {
        let value = match text.strip_prefix("0x") {
            Some(digits) => U256::from_str_radix(digits, 16),
            None => U256::from_str_radix(text, 10),
        };
        value.unwrap().to_be_bytes()
    }

    /// All terms are static types, so that their encoding is a word for each.
    #[test]
    fn the_argument_of_cast_encodes_to_the_terms() {
        let terms = terms();
        let text = tuple(&terms);
        let words: Vec<u8> = text.split(['(', ')', ',']).filter(|part| !part.is_empty()).flat_map(word).collect();
        assert_eq!(words, terms.abi_encode());
        let (chain, contract) = (31337, Address::repeat_byte(9));
        let hashed = [word("31337").as_slice(), &word(&contract.to_string()), &words].concat();
        assert_eq!(keccak256(hashed), campaign_id(chain, contract, &terms));
    }

    /// A tuple of types as `cast` reads it, from a list of parameters in the ABI.
    fn types(parameters: &Value) -> String {
        let name = |parameter: &Value| match parameter["type"].as_str().unwrap() {
            "tuple" => types(&parameter["components"]),
            plain => plain.to_owned(),
        };
        let names: Vec<_> = parameters.as_array().unwrap().iter().map(name).collect();
        format!("({})", names.join(","))
    }

    #[test]
    fn the_signatures_are_those_of_the_contract() {
        let artefact: Value =
            serde_json::from_str(include_str!("../../../contracts/artifacts/Campaigns.json")).unwrap();
        let function = |name: &str| {
            let items = artefact["abi"].as_array().unwrap().iter();
            items.clone().find(|item| item["type"] == "function" && item["name"] == name).unwrap()
        };
        let calls = calls(Address::repeat_byte(9), &terms(), 77);
        for (call, name) in calls.iter().zip(["campaignId", "ledger"]) {
            let function = function(name);
            let signature = format!("'{name}{}{}'", types(&function["inputs"]), types(&function["outputs"]));
            assert!(call.contains(&signature), "{call}\n{signature}");
            assert!(call.starts_with(&format!("cast call {} '", Address::repeat_byte(9))), "{call}");
            assert!(call.ends_with(" --block 77 --rpc-url \"$ETH_RPC_URL\""), "{call}");
        }
        let outputs = function("ledger")["outputs"][0]["components"].as_array().unwrap();
        let names: Vec<_> = outputs.iter().map(|output| output["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["deposited", "paid", "owed", "refunded", "fee", "escrowed"], "the order of the equation");
    }

    /// Nothing in a command comes from a stranger as text, so that pasting it into a shell is safe.
    #[test]
    fn commands_have_no_characters_that_a_shell_obeys() {
        for call in calls(Address::repeat_byte(9), &terms(), 77) {
            let unquoted: String = call.split('\'').step_by(2).collect();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || " -\"$_".contains(c);
            assert!(unquoted.chars().all(is_plain) && call.matches('\'').count() == 4, "{call}");
        }
    }
}
