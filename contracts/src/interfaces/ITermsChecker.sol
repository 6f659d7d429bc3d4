// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Terms } from "./ICampaigns.sol";

/// @notice The least and the most seconds that terms may give.
struct Range {
    uint32 min;
    uint32 max;
}

/// @notice Bounds on the times in terms.
struct Bounds {
    Range window;
    Range activation;
    Range evaluation;
    Range delivery;
    Range audit;
    /// Most seconds from the opening to the deadline.
    uint32 horizon;
}

/// @title Decides which terms a campaign may have.
interface ITermsChecker {
    /// @notice Reverts with an error of `ICampaigns` if a campaign may not open with these terms now.
    function requireValid(Terms calldata t) external view;
    /// @notice Reverts with an error of `ICampaigns` if a campaign with these terms may not start from this measured
    /// accuracy.
    function requireStart(Terms calldata t, uint32 startPpm) external pure;
    /// @notice Bounds on the times in terms.
    function bounds() external view returns (Bounds memory);
}
