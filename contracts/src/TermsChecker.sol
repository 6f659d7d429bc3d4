// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { ICampaigns, Terms } from "./interfaces/ICampaigns.sol";
import { ICapsuleRegistry } from "./interfaces/ICapsuleRegistry.sol";
import { Bounds, ITermsChecker, Range } from "./interfaces/ITermsChecker.sol";

/// @title Decides which terms a campaign may have.
/// @notice Nothing here changes after the deployment. A public network bounds times in hours and days; a local one in
/// seconds.
contract TermsChecker is ITermsChecker {
    /// @notice Parts per million in one.
    uint32 private constant ONE = 1_000_000;
    /// @notice The finest grid on which accuracies may be published.
    uint32 private constant FINEST_GRID_PPM = 1_000;
    /// @notice Unit of submission stakes: a millionth of the native token.
    uint256 private constant STAKE_UNIT = 1e12;
    /// @notice Maximum submission stake of a campaign whose bounty is a token, whose worth nobody knows here.
    uint256 private constant TOKEN_CAMPAIGN_STAKE = 0.001 ether;

    /// @notice The registry of Capsules.
    ICapsuleRegistry public immutable REGISTRY;

    Bounds private _bounds;

    /// @param registry The registry of Capsules.
    /// @param bounds_ Bounds on the times in terms.
    constructor(ICapsuleRegistry registry, Bounds memory bounds_) {
        REGISTRY = registry;
        _bounds = bounds_;
    }

    /// @inheritdoc ITermsChecker
    function bounds() external view returns (Bounds memory) {
        return _bounds;
    }

    /// @inheritdoc ITermsChecker
    function requireValid(Terms calldata t) external view {
        if (t.audit.mode != 0 || t.audit.auditor != address(0)) {
            revert ICampaigns.UnknownMode(t.audit.mode, t.audit.auditor);
        }
        _checkAccuracies(t);
        _checkLimits(t);
        _checkTimes(t);
        _checkStake(t);
        _checkCapsule(t);
    }

    /// @inheritdoc ITermsChecker
    function requireStart(Terms calldata t, uint32 startPpm) external pure {
        if (startPpm % t.gridPpm != 0) revert ICampaigns.OffGrid("startPpm", startPpm, t.gridPpm);
        if (startPpm >= t.targetPpm) revert ICampaigns.TargetNotAboveStart(startPpm, t.targetPpm);
        uint32 claimed = t.startPpm - t.startPpm % t.gridPpm;
        uint32 apart = startPpm > claimed ? startPpm - claimed : claimed - startPpm;
        if (apart > t.tolerancePpm + t.gridPpm) {
            revert ICampaigns.StartOutOfTolerance(t.startPpm, startPpm, t.tolerancePpm);
        }
    }

    function _checkAccuracies(Terms calldata t) private pure {
        _checkRange("gridPpm", t.gridPpm, FINEST_GRID_PPM, ONE);
        _checkRange("targetPpm", t.targetPpm, 1, ONE);
        _checkRange("tolerancePpm", t.tolerancePpm, 0, ONE);
        if (t.targetPpm <= t.startPpm) revert ICampaigns.TargetNotAboveStart(t.startPpm, t.targetPpm);
        // Otherwise the target could be exceeded but never reached exactly.
        if (t.targetPpm % t.gridPpm != 0) revert ICampaigns.OffGrid("targetPpm", t.targetPpm, t.gridPpm);
    }

    function _checkLimits(Terms calldata t) private pure {
        _checkRange("bounty", t.bounty, 1, type(uint128).max);
        _checkRange("maxSubmissions", t.maxSubmissions, 1, type(uint16).max);
        _checkRange("maxAccepts", t.maxAccepts, 1, type(uint8).max);
        _checkRange("windowSize", t.windowSize, 1, 64);
        _checkRange("capPerVersion", t.capPerVersion, 1, type(uint8).max);
    }

    function _checkTimes(Terms calldata t) private view {
        Bounds memory b = _bounds;
        _checkSeconds("windowSeconds", t.windowSeconds, b.window);
        _checkSeconds("activationSeconds", t.activationSeconds, b.activation);
        _checkSeconds("evaluationSeconds", t.evaluationSeconds, b.evaluation);
        _checkSeconds("deliverySeconds", t.deliverySeconds, b.delivery);
        _checkSeconds("audit.period", t.audit.period, b.audit);
        // The meter has 24 bits for it.
        _checkRange("windowSeconds", t.windowSeconds, 1, type(uint24).max);
        if (t.deadline <= block.timestamp) revert ICampaigns.DeadlinePassed(t.deadline);
        _checkRange("deadline", t.deadline, 0, block.timestamp + b.horizon);
    }

    /// @dev A stake deters junk. It is bounded, so that no owner in league with a Capsule can have much of it burned.
    function _checkStake(Terms calldata t) private pure {
        uint256 most = t.token == address(0) ? uint256(t.bounty) * t.gridPpm / t.targetPpm : TOKEN_CAMPAIGN_STAKE;
        uint256 representable = type(uint24).max * STAKE_UNIT;
        _checkRange("submissionStake", t.submissionStake, 0, most < representable ? most : representable);
        if (t.submissionStake % STAKE_UNIT != 0) {
            revert ICampaigns.OffUnit("submissionStake", t.submissionStake, STAKE_UNIT);
        }
    }

    function _checkCapsule(Terms calldata t) private view {
        (address attester, uint32 feePpm) = REGISTRY.quote(t.capsule);
        if (attester == address(0)) revert ICampaigns.UnknownCapsule(t.capsule);
        if (feePpm != t.feePpm) revert ICampaigns.FeeMismatch(feePpm, t.feePpm);
    }

    function _checkSeconds(string memory field, uint256 value, Range memory range) private pure {
        _checkRange(field, value, range.min, range.max);
    }

    function _checkRange(string memory field, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert ICampaigns.OutOfRange(field, value, min, max);
    }
}
