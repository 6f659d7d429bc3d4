//! Bindings generated from the committed artefacts.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy::sol;

sol!(
    #[sol(rpc, all_derives)]
    Sonar,
    "artifacts/Sonar.json"
);

sol!(
    #[sol(rpc, all_derives)]
    CapsuleRegistry,
    "artifacts/CapsuleRegistry.json"
);

sol!(
    #[sol(rpc, all_derives)]
    Assessor,
    "artifacts/Assessor.json"
);

sol!(
    #[sol(rpc, all_derives)]
    DataCoin,
    "artifacts/DataCoin.json"
);
