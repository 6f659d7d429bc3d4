//! `sonar account …`.

use std::path::PathBuf;

use alloy::primitives::Address;
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use sonar_contracts::address;
use sonar_node::{
    account::{AccountName, Keystore, read_key},
    cli::{self, Ask, Code, Failure, Output, Report},
};
use sonar_protocol::units::{Amount, TokenUnit};

use super::Context;
use crate::scientist::account;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create an account: a key for the chain and an OpenPGP key, under one passphrase
    #[command(after_help = "Example:\n  sonar account new alice --passphrase-file secret.txt")]
    New {
        /// Name of the account
        name: AccountName,
    },
    /// Import a key from a keystore file, or from a file with a private key in hexadecimal
    #[command(after_help = "Example:\n  sonar account import alice --key-file UTC--2026-01-01--alice")]
    Import {
        /// Name of the account
        name: AccountName,
        /// File with the key; a keystore file is decrypted with the same passphrase
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
    /// List accounts
    #[command(visible_alias = "ls")]
    List,
    /// Show balances in ETH and DataCoin
    Balance {
        /// Account or address (default: all accounts)
        #[arg(value_name = "ACCOUNT")]
        whose: Option<String>,
    },
}

impl Command {
    pub fn schema(&self) -> &'static str {
        match self {
            Self::New { .. } => "sonar.account.new/1",
            Self::Import { .. } => "sonar.account.import/1",
            Self::List => "sonar.account.list/1",
            Self::Balance { .. } => "sonar.account.balance/1",
        }
    }

    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let keystore = Keystore::new(&context.home);
        match self {
            Self::New { name } => new(context, &name),
            Self::Import { name, key_file } => {
                let passphrase = context.passphrase(&name, Ask::New)?;
                let signer = read_key(&key_file, &passphrase)?;
                keystore.store(&name, &signer, &passphrase)?;
                made(&keystore, &name, signer.address())
            }
            Self::List => list(&keystore),
            Self::Balance { whose } => balance(context, &keystore, whose, output).await,
        }
    }
}

fn new(context: &Context, name: &AccountName) -> Result<Report, Failure> {
    let passphrase = context.passphrase(name, Ask::New)?;
    let created = account::create(&context.home, name, &passphrase)?;
    let account::CreatedAccount { address, file, fingerprint, openpgp } = created;
    let human =
        format!("{name}  {address}\nkept in {}\nOpenPGP {fingerprint} in {}", file.display(), openpgp.display());
    let data = json!({
        "name": name,
        "address": address,
        "file": file,
        "openpgp": {"fingerprint": fingerprint, "file": openpgp},
    });
    Report::new(&data, human)
}

fn made(keystore: &Keystore, name: &AccountName, address: Address) -> Result<Report, Failure> {
    let file = keystore.path(name);
    let human = format!("{name}  {address}\nkept in {}", file.display());
    Report::new(&json!({"name": name, "address": address, "file": file}), human)
}

fn list(keystore: &Keystore) -> Result<Report, Failure> {
    let accounts = keystore.list()?;
    let human = if accounts.is_empty() {
        "no accounts; create one with `sonar account new NAME`".into()
    } else {
        accounts.iter().map(|account| format!("{}  {}\n", account.address, account.name)).collect::<String>()
    };
    Report::new(&accounts, human)
}

#[derive(Serialize)]
struct Balance {
    name: Option<AccountName>,
    address: Address,
    eth: Amount,
    datacoin: Option<Amount>,
}

async fn balance(
    context: &Context,
    keystore: &Keystore,
    account: Option<String>,
    output: &Output,
) -> Result<Report, Failure> {
    let accounts = wanted(keystore, account)?;
    let node = context.node()?;
    // Without contracts there is still ETH.
    let client = match (&context.config.contracts, &context.config.sonar) {
        (None, None) => None,
        _ => Some(context.reader().await?),
    };
    let mut balances = Vec::new();
    for (name, address) in accounts {
        let eth = super::tell(output, "Asking the chain…", node.balance(address)).await?;
        let datacoin = match &client {
            Some(client) => {
                let token = client.deployment().datacoin;
                Some(client.token_balance(token, address).await?)
            }
            None => None,
        };
        balances.push(Balance { name, address, eth, datacoin });
    }
    Report::new(&balances, table(&balances))
}

fn wanted(keystore: &Keystore, account: Option<String>) -> Result<Vec<(Option<AccountName>, Address)>, Failure> {
    if let Some(text) = account.as_ref().filter(|text| text.starts_with("0x")) {
        let address = address::parse(text).map_err(|error| Failure::new(Code::Usage, error))?;
        return Ok(vec![(None, address)]);
    }
    let name = account.map(|text| text.parse::<AccountName>()).transpose()?;
    let accounts: Vec<_> = keystore
        .list()?
        .into_iter()
        .filter(|account| name.as_ref().is_none_or(|name| *name == account.name))
        .map(|account| (Some(account.name), account.address))
        .collect();
    match name {
        Some(name) if accounts.is_empty() => Err(keystore.unknown(&name).into()),
        _ => Ok(accounts),
    }
}

fn table(balances: &[Balance]) -> String {
    let data = TokenUnit { symbol: "DATA".into(), ..TokenUnit::eth() };
    let mut table = cli::table(["account", "address", "ETH", "DataCoin"]);
    for balance in balances {
        table.add_row([
            balance.name.as_ref().map_or_else(String::new, ToString::to_string),
            balance.address.to_string(),
            TokenUnit::eth().format(balance.eth),
            balance.datacoin.map_or_else(|| "-".into(), |amount| data.format(amount)),
        ]);
    }
    table.to_string()
}
