//! Reads of the current state: campaigns, balances, tokens, blocks and receipts.

use alloy::{
    eips::BlockNumberOrTag,
    network::ReceiptResponse,
    primitives::{Address, B256, U256},
    providers::Provider,
    rpc::types::Block,
};
use sonar_contracts::{Campaigns, DataCoin, Ledger, Stakes, Status, Terms};
use sonar_protocol::{
    event::Head,
    ids::CampaignId,
    units::{Amount, Timestamp, TokenUnit},
};

use super::{Client, Error};

/// Gas and fee of a mined transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Charge {
    /// Gas used.
    pub gas_used: u64,
    /// Fee in wei.
    pub cost: Amount,
}

impl Client {
    /// Current status of a campaign.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn status(&self, id: CampaignId) -> Result<Status, Error> {
        self.view("read the campaign's status", &Campaigns::statusCall { id: id.0 }).await
    }

    /// Ledger of a campaign.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn ledger(&self, terms: &Terms) -> Result<Ledger, Error> {
        let call = Campaigns::ledgerCall { t: terms.clone() };
        self.view("read the campaign's ledger", &call).await
    }

    /// Amount that an account can withdraw from a campaign.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn owed(&self, id: CampaignId, account: Address) -> Result<Amount, Error> {
        let call = Campaigns::owedCall { id: id.0, account };
        Ok(self.view("read what is owed", &call).await?.into())
    }

    /// An account's stakes in a campaign.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn stakes(&self, id: CampaignId, account: Address) -> Result<Stakes, Error> {
        self.view("read the stakes", &Campaigns::stakesOfCall { id: id.0, account }).await
    }

    /// An account's balance in wei.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn balance(&self, account: Address) -> Result<Amount, Error> {
        self.shared.node.balance(account).await
    }

    /// Price of a unit of gas in wei, as the chain node suggests it.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn gas_price(&self) -> Result<u128, Error> {
        self.ask("read the gas price", || async { self.provider().get_gas_price().await }).await
    }

    /// An account's balance in a token's smallest unit; the zero token is ETH.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn token_balance(&self, token: Address, account: Address) -> Result<Amount, Error> {
        if token.is_zero() {
            return self.balance(account).await;
        }
        let call = DataCoin::balanceOfCall { account };
        Ok(self.read("read the balance", token, &call).await?.into())
    }

    /// A token's symbol and decimals; the zero token is ETH.
    ///
    /// # Errors
    /// When the address is not an ERC-20 with symbol and decimals, or the chain cannot be read.
    pub async fn token(&self, address: Address) -> Result<TokenUnit, Error> {
        if address.is_zero() {
            return Ok(TokenUnit::eth());
        }
        let what = "read the token's symbol and decimals";
        let symbol = self.read(what, address, &DataCoin::symbolCall {}).await?;
        let decimals = self.read(what, address, &DataCoin::decimalsCall {}).await?;
        Ok(TokenUnit {
            // A token's symbol is untrusted text: it must not break a table or a terminal.
            symbol: symbol.chars().filter(|c| c.is_ascii_alphanumeric()).take(16).collect(),
            decimals,
            address,
        })
    }

    /// Cost of an amount of gas at current prices, in wei.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn gas_cost(&self, gas: u64) -> Result<Amount, Error> {
        let estimate = || self.provider().estimate_eip1559_fees();
        let fees = self.ask("read the price of gas", estimate).await?;
        Ok(Amount(U256::from(gas) * U256::from(fees.max_fee_per_gas)))
    }

    /// The newest block.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn head(&self) -> Result<Head, Error> {
        let what = "read the last block";
        let block = |tag: BlockNumberOrTag| {
            self.ask(what, move || async move { self.provider().get_block_by_number(tag).await })
        };
        let latest = block(BlockNumberOrTag::Latest)
            .await?
            .ok_or_else(|| Error::Nonsense { what, reason: "the chain has no block".into() })?;
        // Some nodes have no pending block; then the time of the newest block is used.
        let pending = block(BlockNumberOrTag::Pending).await.unwrap_or_default();
        Ok(Head {
            number: latest.header.number,
            hash: latest.header.hash,
            now: pending.map_or(Timestamp::EPOCH, |block| time(&block)).max(time(&latest)),
        })
    }

    /// Time of the block in which a transaction sent now would be executed.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn now(&self) -> Result<Timestamp, Error> {
        Ok(self.head().await?.now)
    }

    /// A block's hash and time, if the chain has it.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn block(&self, number: u64) -> Result<Option<(B256, Timestamp)>, Error> {
        let block =
            self.ask("read a block", || async { self.provider().get_block_by_number(number.into()).await }).await?;
        Ok(block.map(|block| (block.header.hash, time(&block))))
    }

    /// Gas and fee of a transaction; `None` until it is mined.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn charge(&self, transaction: B256) -> Result<Option<Charge>, Error> {
        let read = || async { self.provider().get_transaction_receipt(transaction).await };
        let receipt = self.ask("read a receipt", read).await?;
        Ok(receipt.map(|receipt| Charge {
            gas_used: receipt.gas_used(),
            cost: Amount(U256::from(receipt.gas_used()) * U256::from(receipt.effective_gas_price())),
        }))
    }
}

fn time(block: &Block) -> Timestamp {
    Timestamp::from_unix(block.header.timestamp)
}
