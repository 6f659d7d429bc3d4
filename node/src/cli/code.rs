//! The failure codes: one name, one exit code and one meaning each. `docs/cli.md` lists them; a test compares the two.

use std::fmt::{self, Display, Formatter};

use serde::{Serialize, Serializer};

use super::ExitCode;

macro_rules! codes {
    ($($variant:ident = $name:literal, $exit:ident, $meaning:literal;)*) => {
        /// A failure code: a stable name for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// All codes, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in JSON output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The exit code of a program that fails with this code.
            #[must_use]
            pub const fn exit(self) -> ExitCode {
                match self { $(Self::$variant => ExitCode::$exit,)* }
            }

            /// The meaning, in Markdown.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    AccountAmbiguous = "ACCOUNT_AMBIGUOUS", Usage, "there are several accounts; name one with `--account`";
    AccountExists = "ACCOUNT_EXISTS", Refused, "an account with this name exists; it is not overwritten";
    AccountName = "ACCOUNT_NAME", Usage, "invalid account name: use 1 to 64 letters, digits, `-` and `_`";
    AccuracyNotAsAttested = "ACCURACY_NOT_AS_ATTESTED", Unsuccessful, "the delivered model's accuracy differs from the attested one";
    AlreadyRunning = "ALREADY_RUNNING", Refused, "another `mine run` uses this home, or another local network this directory";
    Amount = "AMOUNT", Refused, "invalid amount of tokens";
    Artefact = "ARTEFACT", Refused, "an artefact on IPFS is too large or malformed";
    ArtefactNotFound = "ARTEFACT_NOT_FOUND", Unreachable, "no connected peer delivered the artefact in time";
    AuditFailed = "AUDIT_FAILED", Unsuccessful, "the audit found versions that differ from what an honest Capsule publishes";
    Backbone = "BACKBONE", Refused, "the backbone file is not a usable network";
    Backup = "BACKUP", Refused, "the file is not a valid backup of a Capsule";
    Bounty = "BOUNTY", Refused, "the bounty is zero or too large";
    Busy = "BUSY", Refused, "another `sonar serve` uses this home";
    CampaignAmbiguous = "CAMPAIGN_AMBIGUOUS", Usage, "several campaign ids start with these digits";
    CampaignFile = "CAMPAIGN_FILE", Refused, "invalid campaign file; `where` names line and column";
    CampaignId = "CAMPAIGN_ID", Usage, "invalid campaign id";
    CampaignRefunded = "CAMPAIGN_REFUNDED", Unsuccessful, "the campaign was refunded: its Capsule declined or did not activate it in time";
    CapsuleCertificate = "CAPSULE_CERTIFICATE", Refused, "the Capsule's OpenPGP certificate is missing or is not the registered one";
    CapsuleTimedOut = "CAPSULE_TIMED_OUT", Unsuccessful, "the Capsule missed a deadline, and the campaign ended";
    CertificateExpires = "CERTIFICATE_EXPIRES", Refused, "the data scientist's OpenPGP certificate expires before the model is certain to be delivered";
    ChainNode = "CHAIN_NODE", Internal, "the chain node refused the request";
    ChainNonsense = "CHAIN_NONSENSE", Internal, "the chain node returned inconsistent events or an invalid answer";
    ChainUnreachable = "CHAIN_UNREACHABLE", Unreachable, "the chain node does not answer";
    ChainUrl = "CHAIN_URL", Usage, "invalid URL of the chain node";
    Config = "CONFIG", Refused, "`config.toml` or `policy.toml` is invalid, or no home directory is known";
    ContractRefused = "CONTRACT_REFUSED", Refused, "a contract refused the transaction; the message gives its reason";
    DatabaseUnreachable = "DATABASE_UNREACHABLE", Unreachable, "the PostgreSQL database of `sonar serve --database` does not answer";
    DataExists = "DATA_EXISTS", Refused, "a data set with this name exists";
    DataName = "DATA_NAME", Usage, "invalid name of a data set: use 1 to 64 letters, digits, `-` and `_`";
    DataNotATable = "DATA_NOT_A_TABLE", Refused, "the file is not a valid CSV table";
    DataUnknown = "DATA_UNKNOWN", NotFound, "no data set has this name";
    Declined = "DECLINED", Declined, "the confirmation was not given";
    DeploymentFailed = "DEPLOYMENT_FAILED", Refused, "a deployment transaction was refused or reverted";
    DirectoryNotEmpty = "DIRECTORY_NOT_EMPTY", Refused, "`localnet` does not clear a directory that it did not make";
    Discovery = "DISCOVERY", Refused, "the deployment file or Sonar's answer does not contain valid addresses";
    Ended = "ENDED", Refused, "the campaign has ended already";
    Exists = "EXISTS", Refused, "the home has a Capsule already";
    File = "FILE", Internal, "a file cannot be read or written";
    FileExists = "FILE_EXISTS", Refused, "a file to write exists already; pass `--force` to overwrite it";
    FileNotFound = "FILE_NOT_FOUND", NotFound, "there is no such file";
    FileRefused = "FILE_REFUSED", Refused, "a file is larger than allowed, or not a plain file";
    GasExceedsAmount = "GAS_EXCEEDS_AMOUNT", Refused, "withdrawing would cost more gas than it brings";
    Grid = "GRID", Refused, "the accuracy grid is invalid for this validation set";
    Index = "INDEX", Internal, "the index database cannot be used";
    InsufficientFunds = "INSUFFICIENT_FUNDS", Refused, "the account has less than the transaction needs";
    Internal = "INTERNAL", Internal, "a bug, or a failure of the machine";
    Interrupted = "INTERRUPTED", Unsuccessful, "interrupted; all processes were stopped";
    InUse = "IN_USE", Refused, "another process uses this Capsule's home";
    Ipfs = "IPFS", Internal, "the embedded IPFS node failed";
    IpfsAddress = "IPFS_ADDRESS", Refused, "invalid IPFS address: it must end in `/p2p/PEER`";
    IpfsUnreachable = "IPFS_UNREACHABLE", Unreachable, "the external IPFS node does not answer";
    IpfsUrl = "IPFS_URL", Usage, "invalid URL of an external IPFS node";
    Keystore = "KEYSTORE", Refused, "the file is damaged, or neither a keystore file (version 3) nor a private key in hexadecimal";
    LaunchRunning = "LAUNCH_RUNNING", Refused, "the same files are being launched by another command or by `sonar ui`";
    Limits = "LIMITS", Refused, "the limits in the campaign file are invalid";
    Listen = "LISTEN", Refused, "the address is in use or not available";
    Manifest = "MANIFEST", Refused, "the manifest is invalid or does not match the terms on chain";
    MaxStake = "MAX_STAKE", Usage, "invalid amount for `--max-stake` or `--max-at-stake`";
    MinBounty = "MIN_BOUNTY", Usage, "invalid amount or token for `--min-bounty`";
    Model = "MODEL", Refused, "the model is invalid, too large, or does not fit the campaign";
    NeverDelivered = "NEVER_DELIVERED", Unsuccessful, "the campaign ended without a delivered model";
    NotConfigured = "NOT_CONFIGURED", Usage, "the chain, Sonar or the contracts are not configured";
    NotDelivered = "NOT_DELIVERED", NotFound, "the campaign has no delivered model yet";
    NotInitialised = "NOT_INITIALISED", NotFound, "the home is not initialised; run `init` first";
    NotKept = "NOT_KEPT", Unreachable, "Sonar did not fetch the launch's artefacts in time; run the launch again";
    NotMined = "NOT_MINED", TimedOut, "the transaction was sent but not mined in time; it may be mined later";
    NotOwner = "NOT_OWNER", Refused, "only the account that launched the campaign can do this";
    NotRunning = "NOT_RUNNING", NotFound, "the program that shows the pages does not run with this home";
    NotSigned = "NOT_SIGNED", Refused, "the message is not signed by the expected key";
    NoAccount = "NO_ACCOUNT", NotFound, "there is no account that could sign";
    NoCapsule = "NO_CAPSULE", Refused, "no suitable Capsule is registered";
    NoContract = "NO_CONTRACT", NotFound, "there is no contract at the configured address";
    NoNetwork = "NO_NETWORK", NotFound, "no local network was started in this directory";
    NoSigner = "NO_SIGNER", Locked, "the account that signs is locked";
    NoValidationSet = "NO_VALIDATION_SET", Usage, "the validation set is needed; pass `--validation`";
    Openpgp = "OPENPGP", Refused, "an OpenPGP key or message is invalid";
    OpenpgpFailed = "OPENPGP_FAILED", Internal, "an OpenPGP key or message cannot be made";
    OtherModel = "OTHER_MODEL", Refused, "this is not the starting model that the campaign was launched with";
    OtherValidationSet = "OTHER_VALIDATION_SET", Refused, "this is not the validation set that the campaign was launched with";
    PassphraseMissing = "PASSPHRASE_MISSING", Locked, "a passphrase is needed";
    PastDeadline = "PAST_DEADLINE", Refused, "the deadline in the campaign file has passed";
    PrivacyBudget = "PRIVACY_BUDGET", Usage, "invalid privacy budget";
    Sign = "SIGN", Internal, "a signature could not be created";
    SonarUnreachable = "SONAR_UNREACHABLE", Unreachable, "Sonar's API does not answer";
    Stake = "STAKE", Usage, "invalid amount for `--stake`";
    StartNotAsClaimed = "START_NOT_AS_CLAIMED", Refused, "the measured starting accuracy differs from `accuracy.start`";
    TargetNotAboveStart = "TARGET_NOT_ABOVE_START", Refused, "the target is not above the starting accuracy";
    TargetOffGrid = "TARGET_OFF_GRID", Refused, "the target is not a multiple of the accuracy grid";
    TaskEnded = "TASK_ENDED", Internal, "a part of a server ended before the server, which is a bug; start the server again";
    TimedOut = "TIMED_OUT", TimedOut, "not finished within `--timeout`; run the same command again to resume";
    Token = "TOKEN", Refused, "invalid token: use `ETH`, `DATA` or the address of an ERC-20";
    TooEarly = "TOO_EARLY", Refused, "the Capsule's deadline has not passed yet";
    TrainingData = "TRAINING_DATA", Refused, "the training file is not a valid table, does not fit the campaign, or has too few rows";
    TransactionFailed = "TRANSACTION_FAILED", Refused, "the transaction was mined and failed, because the state changed in between";
    Trouble = "TROUBLE", Unreachable, "with `mine run --once`: a campaign could not be served after several attempts";
    Unhealthy = "UNHEALTHY", Unsuccessful, "`mine doctor` found a problem; `data` lists every check with its fix";
    UnknownAccount = "UNKNOWN_ACCOUNT", NotFound, "no account has this name";
    UnknownCampaign = "UNKNOWN_CAMPAIGN", NotFound, "no campaign has this id";
    UnsettledWindow = "UNSETTLED_WINDOW", Refused, "submissions wait for settlement; try again later";
    Usage = "USAGE", Usage, "invalid command line";
    ValidationData = "VALIDATION_DATA", Refused, "the validation set is not a valid table, or does not fit the campaign";
    Vault = "VAULT", Internal, "the vault cannot be read or written, or is damaged";
    VaultMissing = "VAULT_MISSING", NotFound, "the home has no vault";
    WrongChain = "WRONG_CHAIN", Refused, "the chain node is on another chain than the contracts";
    WrongPassphrase = "WRONG_PASSPHRASE", Locked, "wrong passphrase";
}

impl Display for Code {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].name() < pair[1].name()));
    }

    #[test]
    fn the_documentation_lists_every_code() {
        let documentation = include_str!("../../../docs/cli.md");
        let listed: Vec<&str> = documentation
            .lines()
            .skip_while(|line| *line != "## Failure codes")
            .skip(1)
            .take_while(|line| !line.starts_with("## "))
            .filter(|line| line.starts_with("| ") && !line.starts_with("| code ") && !line.starts_with("| --- "))
            .collect();
        let expected: Vec<String> =
            Code::ALL.iter().map(|code| format!("| {code} | {} | {} |", code.exit() as u8, code.meaning())).collect();
        assert_eq!(listed, expected, "the table should be:\n{}", expected.join("\n"));
    }
}
