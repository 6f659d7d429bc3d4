// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Capsule, ICapsuleRegistry } from "./interfaces/ICapsuleRegistry.sol";

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
    function lock(address operator, bytes32 id, uint256 amount) external {
        Capsule storage c = _registered(operator);
        if (!_authorized[operator][msg.sender]) revert NotAuthorized(operator, msg.sender);
        if (_locks[operator][msg.sender][id] != 0) revert AlreadyLocked(operator, msg.sender, id);
        _requireFree(c, operator, amount);
        c.locked += amount;
        _locks[operator][msg.sender][id] = amount;
        emit Locked(operator, msg.sender, id, amount);
    }

    /// @inheritdoc ICapsuleRegistry
    function unlock(address operator, bytes32 id) external {
        uint256 amount = _release(operator, id);
        emit Unlocked(operator, msg.sender, id, amount);
    }

    /// @inheritdoc ICapsuleRegistry
    function slash(address operator, bytes32 id, address[] calldata to) external {
        if (to.length == 0) revert NoBeneficiaries();
        uint256 amount = _release(operator, id);
        _capsules[operator].stake -= amount;
        emit Slashed(operator, msg.sender, id, amount);
        uint256 share = amount / to.length;
        // The remainder of the division goes to the first, so that nothing is lost.
        _credit(to[0], operator, id, amount - share * (to.length - 1));
        for (uint256 i = 1; i < to.length; ++i) {
            _credit(to[i], operator, id, share);
        }
    }

    /// @inheritdoc ICapsuleRegistry
    function capsule(address operator) external view returns (Capsule memory) {
        return _capsules[operator];
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
