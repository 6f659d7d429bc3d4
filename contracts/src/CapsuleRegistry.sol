// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Capsule, Exposure, ICapsuleRegistry, Limits, TokenTerms } from "./interfaces/ICapsuleRegistry.sol";

/// @title The registry of Capsules, their keys, fees and stakes.
/// @notice There is no administrator. Stake is moved only by its operator, or by a Campaigns contract that the operator
/// has authorised, and then only the part that this contract has locked.
contract CapsuleRegistry is ICapsuleRegistry {
    /// @notice Maximum fee, in parts per million.
    uint32 public constant FEE_CAP_PPM = 200_000;
    /// @notice Maximum length of an endpoint, in bytes.
    uint256 public constant ENDPOINT_LIMIT = 256;

    mapping(address operator => Capsule) private _capsules;
    mapping(address operator => mapping(address campaigns => bool)) private _authorized;
    mapping(address operator => mapping(address campaigns => mapping(bytes32 id => uint256))) private _locks;
    mapping(address account => uint256) private _credits;
    mapping(address operator => Limits) private _limits;
    mapping(address operator => mapping(address token => TokenTerms)) private _tokens;

    /// @inheritdoc ICapsuleRegistry
    function register(
        address attester,
        bytes32 fingerprint,
        bytes32 certificate,
        string calldata endpoint,
        uint32 feePpm
    ) external payable {
        Capsule storage c = _capsules[msg.sender];
        if (c.attester != address(0)) revert AlreadyRegistered(msg.sender);
        _describe(c, attester, fingerprint, certificate, endpoint, feePpm);
        emit Registered(msg.sender, attester, fingerprint, certificate, endpoint, feePpm);
        _stake(c, msg.value);
    }

    /// @inheritdoc ICapsuleRegistry
    function update(address attester, bytes32 fingerprint, bytes32 certificate, string calldata endpoint, uint32 feePpm)
        external
    {
        Capsule storage c = _registered(msg.sender);
        _describe(c, attester, fingerprint, certificate, endpoint, feePpm);
        emit Updated(msg.sender, attester, fingerprint, certificate, endpoint, feePpm);
    }

    /// @inheritdoc ICapsuleRegistry
    function deposit() external payable {
        _stake(_registered(msg.sender), msg.value);
    }

    /// @inheritdoc ICapsuleRegistry
    function authorize(address campaigns, bool allowed) external {
        _registered(msg.sender);
        _authorized[msg.sender][campaigns] = allowed;
        emit Authorized(msg.sender, campaigns, allowed);
    }

    /// @inheritdoc ICapsuleRegistry
    function setLimits(Limits calldata limits_) external {
        _registered(msg.sender);
        _limits[msg.sender] = limits_;
        emit Limited(msg.sender, limits_);
    }

    /// @inheritdoc ICapsuleRegistry
    function setToken(address token, bool accepted, uint128 leastFee) external {
        _registered(msg.sender);
        _tokens[msg.sender][token] = TokenTerms(accepted, leastFee);
        emit TokenChosen(msg.sender, token, accepted, leastFee);
    }

    /// @inheritdoc ICapsuleRegistry
    function unstake(uint256 amount) external {
        Capsule storage c = _registered(msg.sender);
        _requireFree(c, msg.sender, amount);
        c.stake -= amount;
        emit Unstaked(msg.sender, amount);
        _send(msg.sender, amount);
    }

    /// @inheritdoc ICapsuleRegistry
    function claim(address to) external {
        uint256 amount = _credits[msg.sender];
        if (amount == 0) revert NothingToClaim(msg.sender);
        if (to == address(0)) revert Missing("to");
        _credits[msg.sender] = 0;
        emit Claimed(msg.sender, to, amount);
        _send(to, amount);
    }

    /// @inheritdoc ICapsuleRegistry
    function lock(address operator, bytes32 id, Exposure calldata e) external {
        Capsule storage c = _registered(operator);
        if (!_authorized[operator][msg.sender]) revert NotAuthorized(operator, msg.sender);
        if (_locks[operator][msg.sender][id] != 0) revert AlreadyLocked(operator, msg.sender, id);
        _requireWithinLimits(operator, c, e);
        if (e.stake == 0) return;
        _requireFree(c, operator, e.stake);
        c.locked += e.stake;
        _locks[operator][msg.sender][id] = e.stake;
        emit Locked(operator, msg.sender, id, e.stake);
    }

    /// @inheritdoc ICapsuleRegistry
    function unlock(address operator, bytes32 id) external {
        uint256 amount = _release(operator, id);
        emit Unlocked(operator, msg.sender, id, amount);
    }

    /// @inheritdoc ICapsuleRegistry
    function slash(address operator, bytes32 id, address[] calldata to, uint256 share) external {
        uint256 amount = _release(operator, id);
        uint256 shares = share * to.length;
        if (shares > amount) revert SharesTooHigh(shares, amount);
        _capsules[operator].stake -= amount;
        emit Slashed(operator, msg.sender, id, amount, amount - shares);
        if (share != 0) {
            for (uint256 i = 0; i < to.length; ++i) {
                _credit(to[i], operator, id, share);
            }
        }
        _send(address(0), amount - shares);
    }

    /// @inheritdoc ICapsuleRegistry
    function capsule(address operator) external view returns (Capsule memory) {
        return _capsules[operator];
    }

    /// @inheritdoc ICapsuleRegistry
    function limits(address operator) external view returns (Limits memory) {
        return _limits[operator];
    }

    /// @inheritdoc ICapsuleRegistry
    function tokenTerms(address operator, address token) external view returns (TokenTerms memory) {
        return _tokens[operator][token];
    }

    /// @inheritdoc ICapsuleRegistry
    function quote(address operator) external view returns (address attester, uint32 feePpm) {
        Capsule storage c = _capsules[operator];
        return (c.attester, c.feePpm);
    }

    /// @inheritdoc ICapsuleRegistry
    function authorized(address operator, address campaigns) external view returns (bool) {
        return _authorized[operator][campaigns];
    }

    /// @inheritdoc ICapsuleRegistry
    function lockedFor(address operator, address campaigns, bytes32 id) external view returns (uint256) {
        return _locks[operator][campaigns][id];
    }

    /// @inheritdoc ICapsuleRegistry
    function claimable(address account) external view returns (uint256) {
        return _credits[account];
    }

    function _registered(address operator) private view returns (Capsule storage c) {
        c = _capsules[operator];
        if (c.attester == address(0)) revert NotRegistered(operator);
    }

    function _describe(
        Capsule storage c,
        address attester,
        bytes32 fingerprint,
        bytes32 certificate,
        string calldata endpoint,
        uint32 feePpm
    ) private {
        if (attester == address(0)) revert Missing("attester");
        if (fingerprint == 0) revert Missing("fingerprint");
        if (certificate == 0) revert Missing("certificate");
        if (bytes(endpoint).length == 0) revert Missing("endpoint");
        if (bytes(endpoint).length > ENDPOINT_LIMIT) revert EndpointTooLong(bytes(endpoint).length, ENDPOINT_LIMIT);
        if (feePpm > FEE_CAP_PPM) revert FeeTooHigh(feePpm, FEE_CAP_PPM);
        c.attester = attester;
        c.feePpm = feePpm;
        c.fingerprint = fingerprint;
        c.certificate = certificate;
        c.endpoint = endpoint;
    }

    function _stake(Capsule storage c, uint256 amount) private {
        c.stake += amount;
        emit Deposited(msg.sender, amount);
    }

    function _requireWithinLimits(address operator, Capsule storage c, Exposure calldata e) private view {
        Limits memory l = _limits[operator];
        _requireAtMost("stake", e.stake, l.stakePerCampaign);
        _requireAtMost("stake in all", c.locked + e.stake, l.stakeInAll);
        _requireAtMost("seconds to the deadline", e.deadline - block.timestamp, l.longestRun);
        _requireAtMost("audit period", e.auditSeconds, l.longestAudit);
        _requireAtMost("submissions", e.maxSubmissions, l.maxSubmissions);
        _requireAtLeast("evaluation seconds", e.evaluationSeconds, l.shortestEvaluation);
        _requireAtLeast("delivery seconds", e.deliverySeconds, l.shortestDelivery);
        TokenTerms memory token = _tokens[operator][e.token];
        if (!token.accepted) revert TokenNotAccepted(operator, e.token);
        _requireAtLeast("least fee", e.leastFee, token.leastFee);
    }

    function _requireAtMost(string memory what, uint256 value, uint256 limit) private pure {
        if (value > limit) revert AboveLimit(what, value, limit);
    }

    function _requireAtLeast(string memory what, uint256 value, uint256 limit) private pure {
        if (value < limit) revert BelowLimit(what, value, limit);
    }

    function _requireFree(Capsule storage c, address operator, uint256 amount) private view {
        uint256 free = c.stake - c.locked;
        if (amount > free) revert InsufficientStake(operator, free, amount);
    }

    function _release(address operator, bytes32 id) private returns (uint256 amount) {
        amount = _locks[operator][msg.sender][id];
        if (amount == 0) revert NotLocked(operator, msg.sender, id);
        _locks[operator][msg.sender][id] = 0;
        _capsules[operator].locked -= amount;
    }

    function _credit(address account, address operator, bytes32 id, uint256 amount) private {
        _credits[account] += amount;
        emit Credited(account, operator, id, amount);
    }

    function _send(address to, uint256 amount) private {
        (bool ok,) = to.call{ value: amount }("");
        if (!ok) revert TransferFailed(to, amount);
    }
}
