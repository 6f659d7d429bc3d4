//! Bindings generated from the committed artefacts.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy::sol;

sol!(
    #[sol(all_derives)]
    Campaigns,
    "artifacts/Campaigns.json"
);

sol!(
    #[sol(all_derives)]
    CapsuleRegistry,
    "artifacts/CapsuleRegistry.json"
);

sol!(
    #[sol(all_derives)]
    TermsChecker,
    "artifacts/TermsChecker.json"
);

sol!(
    #[sol(all_derives)]
    Assessor,
    "artifacts/Assessor.json"
);

sol!(
    #[sol(all_derives)]
    DataCoin,
    "artifacts/DataCoin.json"
);
