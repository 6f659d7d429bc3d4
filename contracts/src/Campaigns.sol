// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import { ICapsuleRegistry } from "./interfaces/ICapsuleRegistry.sol";
import { Account, Meter } from "./Packed.sol";
import { IAssessor } from "./interfaces/IAssessor.sol";
import {
    CloseReason,
    Handover,
    ICampaigns,
    KeyProof,
    Ledger,
    Publication,
    Stakes,
    State,
    Status,
    Submission,
    Terms,
    Window,
    WordProof
} from "./interfaces/ICampaigns.sol";

/// @title Campaigns: a bounty in escrow, paid by attested improvements of accuracy.
/// @notice No account can move a campaign's money anywhere except to the campaign's miners, owner and Capsule, by the
/// rules below. There is no administrator, no upgrade and no pause. Tokens that change balances by themselves
/// (rebasing) must not be used as bounties.
contract Campaigns is ICampaigns, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Campaign {
        Meter meter;
        bytes32 windowHash;
        bytes32 material;
        // Total earnings of miners.
        uint128 awarded;
        uint40 changedAt;
        // The part of `awarded` that was withdrawn.
        uint128 paid;
    }

    /// @notice EIP-712 type of the Capsule's attestation that a campaign is activated.
    bytes32 public constant ACTIVATION_TYPEHASH =
        keccak256("Activation(bytes32 campaign,uint32 startPpm,bytes32 material,bytes32 root,bytes32 handover)");
    /// @notice EIP-712 type of the Capsule's attestation that it declines a campaign.
    bytes32 public constant DECLINE_TYPEHASH = keccak256("Decline(bytes32 campaign,uint8 reason)");
    /// @notice EIP-712 type of the Capsule's attestation of a window's settlement.
    bytes32 public constant SETTLEMENT_TYPEHASH = keccak256(
        "Settlement(bytes32 campaign,uint32 version,uint32 window,bytes32 windowHash,uint16[] outcomes,bytes32 material,bytes32 root,bytes32 handover,uint8 close)"
    );
    /// @notice EIP-712 type of the Capsule's attestation that it has delivered the model.
    bytes32 public constant DELIVERY_TYPEHASH = keccak256("Delivery(bytes32 campaign,bytes32 result)");

    /// @notice Maximum number of accepted submissions of a window.
    uint256 public constant MAX_ACCEPTS_PER_WINDOW = 4;

    /// @notice Parts per million in one.
    uint32 private constant ONE = 1_000_000;
    /// @notice The finest grid on which accuracies may be published.
    uint32 private constant FINEST_GRID_PPM = 1_000;
    /// @notice From this code on, outcomes are not accuracies.
    uint16 private constant REJECTED = 0xF000;

    /// @notice Unit of submission stakes: a millionth of the native token.
    uint256 private constant STAKE_UNIT = 1e12;
    /// @notice Maximum audit period, in which an owner keeps a Capsule's stake locked.
    uint32 private constant LONGEST_AUDIT = 30 days;

    /// @notice The registry of this contract's Capsules.
    ICapsuleRegistry public immutable REGISTRY;
    /// @notice The contract that verifies proofs of a Capsule's misconduct.
    IAssessor public immutable ASSESSOR;

    mapping(bytes32 id => Campaign) private _campaigns;
    mapping(bytes32 id => mapping(address miner => Account)) private _accounts;
    // Credits of owners and Capsules.
    mapping(bytes32 id => mapping(address account => uint256)) private _credits;
    // Commitments to each version's material and to the hand-over of its seed.
    mapping(bytes32 id => mapping(uint256 version => bytes32)) private _seals;

    /// @param registry The registry of this contract's Capsules.
    /// @param assessor The contract that verifies proofs of their misconduct. It has no state and no other rights.
    constructor(ICapsuleRegistry registry, IAssessor assessor) EIP712("Sonar", "1") {
        REGISTRY = registry;
        ASSESSOR = assessor;
    }

    // ---------------------------------------------------------------- opening

    /// @inheritdoc ICampaigns
    function open(Terms calldata t) external payable nonReentrant returns (bytes32 id) {
        uint256 amount;
        (id, amount) = _propose(t);
        if (t.token == address(0)) {
            if (msg.value != amount) revert WrongValue(amount, msg.value);
        } else {
            if (msg.value != 0) revert WrongValue(0, msg.value);
            _pull(IERC20(t.token), amount);
        }
    }

    /// @inheritdoc ICampaigns
    function openWithPermit(Terms calldata t, uint256 permitDeadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        returns (bytes32 id)
    {
        if (t.token == address(0)) revert PermitForEth();
        uint256 amount;
        (id, amount) = _propose(t);
        // An attacker may have used the permit already; then the allowance exists anyway.
        try IERC20Permit(t.token).permit(msg.sender, address(this), amount, permitDeadline, v, r, s) { } catch { }
        _pull(IERC20(t.token), amount);
    }

    /// @inheritdoc ICampaigns
    function activate(Terms calldata t, uint32 startPpm, Publication calldata first, bytes calldata sig) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Proposed);
        if (block.timestamp >= m.deadline()) revert DeadlinePassed(m.deadline());
        _requireSigner(t, keccak256(abi.encode(ACTIVATION_TYPEHASH, id, startPpm, first)), sig);
        _checkStart(t, startPpm);
        if (first.material == 0) revert BadMaterial(true);

        c.meter = m.withState(State.Open).withVersion(1).withBestPpm(uint24(startPpm));
        _publish(id, c, 1, first);
        c.windowHash = _windowStart(id, 1, 0);
        c.changedAt = uint40(block.timestamp);
        emit Activated(id, startPpm, first);
        if (t.stake != 0) REGISTRY.lock(t.capsule, id, t.stake);
    }

    /// @inheritdoc ICampaigns
    function decline(Terms calldata t, uint8 reason, bytes calldata sig) external {
        (bytes32 id, Campaign storage c,) = _load(t, State.Proposed);
        _requireSigner(t, keccak256(abi.encode(DECLINE_TYPEHASH, id, reason)), sig);
        emit Declined(id, reason);
        _refund(id, c, t);
    }

    /// @inheritdoc ICampaigns
    function refund(Terms calldata t) external {
        (bytes32 id, Campaign storage c,) = _load(t, State.Proposed);
        _requireTime(c.changedAt, t.activationSeconds);
        _refund(id, c, t);
    }

    // ---------------------------------------------------------------- mining

    /// @inheritdoc ICampaigns
    function submit(bytes32 id, uint32 version, bytes32 content) external payable {
        Campaign storage c = _campaigns[id];
        Meter m = c.meter;
        if (m.state() != State.Open) {
            if (m.state() == State.None) revert UnknownCampaign(id);
            revert NotOpen(id, m.state());
        }
        if (version != m.version()) revert StaleVersion(m.version());
        if (block.timestamp >= m.deadline()) revert DeadlinePassed(m.deadline());
        if (m.submissions() == m.maxSubmissions()) revert LimitReached(m.maxSubmissions());
        uint8 index = m.windowCount();
        if (index != 0 && block.timestamp >= m.windowClosesAt()) {
            revert WindowClosed(m.windowIndex(), m.windowClosesAt());
        }
        _countUpload(id, m);
        c.meter = _afterSubmission(m);
        c.windowHash = _windowFold(c.windowHash, msg.sender, content);
        emit Submitted(id, msg.sender, version, m.windowIndex(), index, content);
    }

    /// @inheritdoc ICampaigns
    function settle(
        Terms calldata t,
        Submission[] calldata subs,
        uint16[] calldata outcomes,
        Publication calldata next,
        uint8 close_,
        bytes calldata sig
    ) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Open);
        _requireClosedWindow(m);
        if (outcomes.length != subs.length) revert WrongCount(subs.length, outcomes.length, m.windowCount());
        bytes32 windowHash = _requireWindow(id, c, m, subs);
        if (close_ != 0 && close_ != uint8(CloseReason.LeakBudget)) revert BadCloseReason(close_);
        _requireSigner(t, _settlementHash(id, m, windowHash, outcomes, next, close_), sig);

        uint8 before = m.accepts();
        m = _award(id, c, m, t, subs, outcomes);
        CloseReason reason = _closeReason(t, m, close_);
        bool renew = m.accepts() != before && reason == CloseReason.None;
        if (renew != (next.material != 0)) revert BadMaterial(renew);
        emit Settled(id, m.windowIndex(), m.version(), outcomes, m.bestPpm(), next);

        m = m.withWindowIndex(m.windowIndex() + 1).withWindowCount(0).withWindowClosesAt(0);
        if (renew) {
            m = m.withVersion(m.version() + 1);
            _publish(id, c, m.version(), next);
        }
        c.windowHash = _windowStart(id, m.version(), m.windowIndex());
        if (reason == CloseReason.None) {
            c.meter = m;
        } else {
            _close(id, c, m, t, reason, 0);
        }
    }

    // ---------------------------------------------------------------- closing

    /// @inheritdoc ICampaigns
    function close(Terms calldata t) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Open);
        if (m.windowCount() != 0) revert UnsettledWindow(m.windowIndex(), m.windowCount());
        bool late = block.timestamp >= m.deadline();
        if (!late && msg.sender != t.owner) revert NotOwner(t.owner, msg.sender);
        _close(id, c, m, t, late ? CloseReason.Deadline : CloseReason.Owner, 0);
    }

    /// @inheritdoc ICampaigns
    function finalize(Terms calldata t, bytes32 result, Handover[] calldata handovers, bytes calldata sig) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Closed);
        if (m.reason() == CloseReason.CapsuleTimeout) revert CapsuleTimedOut(id);
        _requireSigner(t, keccak256(abi.encode(DELIVERY_TYPEHASH, id, result)), sig);
        if (handovers.length != m.version()) revert WrongHandovers(handovers.length, m.version());
        for (uint256 i = 0; i < handovers.length; ++i) {
            _requireSealed(id, i + 1, handovers[i]);
        }
        c.meter = m.withState(State.Finalized);
        c.changedAt = uint40(block.timestamp);
        _credits[id][t.capsule] += _fee(t);
        emit Finalized(id, result, handovers);
    }

    // The registry checks that the stake is still locked: it is released or slashed only once.

    /// @inheritdoc ICampaigns
    function release(Terms calldata t) external {
        (bytes32 id, Campaign storage c,) = _load(t, State.Finalized);
        if (msg.sender != t.owner) _requireTime(c.changedAt, t.audit.period);
        emit Released(id);
        REGISTRY.unlock(t.capsule, id);
    }

    /// @inheritdoc ICampaigns
    function convictHandover(Terms calldata t, uint32 version, Handover calldata h, KeyProof calldata proof) external {
        (bytes32 id,,) = _load(t, State.Finalized);
        _requireSealed(id, version, h);
        ASSESSOR.requireBadHandover(id, version, t.audit.keys, h, proof);
        _convict(id, t, version);
    }

    /// @inheritdoc ICampaigns
    function convictMaterial(Terms calldata t, uint32 version, Handover calldata h, WordProof calldata proof) external {
        (bytes32 id,,) = _load(t, State.Finalized);
        _requireSealed(id, version, h);
        ASSESSOR.requireBadWord(h, proof);
        _convict(id, t, version);
    }

    /// @inheritdoc ICampaigns
    function abandon(Terms calldata t, Submission[] calldata pending) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Open);
        _requireClosedWindow(m);
        _requireTime(m.windowClosesAt(), t.evaluationSeconds);
        _requireWindow(id, c, m, pending);
        _close(id, c, m, t, CloseReason.CapsuleTimeout, _fee(t));
        if (t.stake != 0) REGISTRY.slash(t.capsule, id, _miners(pending));
    }

    /// @inheritdoc ICampaigns
    function expire(Terms calldata t) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Closed);
        if (m.reason() == CloseReason.CapsuleTimeout) revert CapsuleTimedOut(id);
        _requireTime(c.changedAt, t.deliverySeconds);
        c.meter = m.withReason(CloseReason.CapsuleTimeout);
        uint256 fee = _fee(t);
        _credits[id][t.owner] += fee;
        emit Expired(id, fee);
        if (t.stake != 0) _slash(id, t);
    }

    /// @inheritdoc ICampaigns
    function withdraw(Terms calldata t, address to) external nonReentrant {
        bytes32 id = campaignId(t);
        if (to == address(0)) revert ZeroAddress();
        Account account = _accounts[id][msg.sender];
        uint128 earned = account.earned();
        uint256 amount = earned + _credits[id][msg.sender];
        if (amount == 0) revert NothingOwed(id, msg.sender);
        _accounts[id][msg.sender] = account.withEarned(0);
        _credits[id][msg.sender] = 0;
        _campaigns[id].paid += earned;
        emit Withdrawn(id, msg.sender, to, amount);
        if (t.token == address(0)) {
            _send(to, amount);
        } else {
            IERC20(t.token).safeTransfer(to, amount);
        }
    }

    /// @inheritdoc ICampaigns
    function withdrawStake(bytes32 id, address to) external nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        Meter m = _campaigns[id].meter;
        Account account = _accounts[id][msg.sender];
        uint16 held = _held(account, m);
        uint256 amount = (account.stakes() - held) * _stake(m);
        if (amount == 0) revert NothingOwed(id, msg.sender);
        _accounts[id][msg.sender] = account.withStakes(held);
        emit StakeWithdrawn(id, msg.sender, to, amount);
        _send(to, amount);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc ICampaigns
    function campaignId(Terms calldata t) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), t));
    }

    /// @inheritdoc ICampaigns
    function status(bytes32 id) external view returns (Status memory) {
        Campaign storage c = _campaigns[id];
        Meter m = c.meter;
        return Status({
            state: m.state(),
            reason: m.reason(),
            version: m.version(),
            bestPpm: m.bestPpm(),
            accepts: m.accepts(),
            submissions: m.submissions(),
            windowIndex: m.windowIndex(),
            windowCount: m.windowCount(),
            windowClosesAt: m.windowClosesAt(),
            changedAt: c.changedAt,
            windowHash: c.windowHash,
            material: c.material
        });
    }

    /// @inheritdoc ICampaigns
    function window(bytes32 id) external view returns (Window memory) {
        Campaign storage c = _campaigns[id];
        Meter m = c.meter;
        return Window({
            version: m.version(),
            index: m.windowIndex(),
            count: m.windowCount(),
            closesAt: m.windowClosesAt(),
            closed: m.windowCount() != 0 && block.timestamp >= m.windowClosesAt(),
            hash: c.windowHash
        });
    }

    /// @inheritdoc ICampaigns
    function owed(bytes32 id, address account) external view returns (uint256) {
        return _accounts[id][account].earned() + _credits[id][account];
    }

    /// @inheritdoc ICampaigns
    function stakesOf(bytes32 id, address account) external view returns (Stakes memory) {
        Meter m = _campaigns[id].meter;
        Account a = _accounts[id][account];
        uint16 held = _held(a, m);
        uint256 stake = _stake(m);
        return Stakes({
            held: held * stake,
            free: (a.stakes() - held) * stake,
            due: a.stakes() == held ? stake : 0,
            warned: a.warned()
        });
    }

    /// @inheritdoc ICampaigns
    function ledger(Terms calldata t) external view returns (Ledger memory l) {
        Campaign storage c = _campaigns[campaignId(t)];
        Meter m = c.meter;
        if (m.state() == State.None) return l;
        uint256 fee = _fee(t);
        l.deposited = t.bounty + fee;
        l.paid = c.paid;
        l.owed = c.awarded - c.paid;
        bool returned = m.state() == State.Refunded;
        if (returned || m.state() == State.Closed || m.state() == State.Finalized) l.refunded = t.bounty - c.awarded;
        if (returned || m.reason() == CloseReason.CapsuleTimeout) l.refunded += fee;
        if (m.state() == State.Finalized) l.fee = fee;
        l.escrowed = l.deposited - l.paid - l.owed - l.refunded - l.fee;
    }

    /// @inheritdoc ICampaigns
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ---------------------------------------------------------------- inside

    function _propose(Terms calldata t) private returns (bytes32 id, uint256 amount) {
        if (msg.sender != t.owner) revert NotOwner(t.owner, msg.sender);
        _checkTerms(t);
        _checkCapsule(t);
        id = campaignId(t);
        Campaign storage c = _campaigns[id];
        if (c.meter.state() != State.None) revert DuplicateCampaign(id);
        c.meter = Meter.wrap(0).withState(State.Proposed).withMaxSubmissions(uint16(t.maxSubmissions))
            .withWindowSize(uint8(t.windowSize)).withWindowSeconds(uint24(t.windowSeconds))
            .withDeadline(uint40(t.deadline)).withCapPerVersion(uint8(t.capPerVersion))
            .withStakeMicro(uint24(t.submissionStake / STAKE_UNIT));
        c.changedAt = uint40(block.timestamp);
        amount = t.bounty + _fee(t);
        emit Opened(id, t.owner, t);
    }

    function _checkTerms(Terms calldata t) private view {
        _checkRange("bounty", t.bounty, 1, type(uint128).max);
        _checkRange("gridPpm", t.gridPpm, FINEST_GRID_PPM, ONE);
        _checkRange("targetPpm", t.targetPpm, 1, ONE);
        _checkRange("tolerancePpm", t.tolerancePpm, 0, ONE);
        _checkRange("maxSubmissions", t.maxSubmissions, 1, type(uint16).max);
        _checkRange("maxAccepts", t.maxAccepts, 1, type(uint8).max);
        _checkRange("windowSize", t.windowSize, 1, 64);
        _checkRange("windowSeconds", t.windowSeconds, 1, type(uint24).max);
        _checkRange("capPerVersion", t.capPerVersion, 1, type(uint8).max);
        _checkRange("activationSeconds", t.activationSeconds, 1, type(uint32).max);
        _checkRange("evaluationSeconds", t.evaluationSeconds, 1, type(uint32).max);
        _checkRange("deliverySeconds", t.deliverySeconds, 1, type(uint32).max);
        _checkRange("audit.period", t.audit.period, 0, LONGEST_AUDIT);
        _checkRange("submissionStake", t.submissionStake, 0, type(uint24).max * STAKE_UNIT);
        if (t.submissionStake % STAKE_UNIT != 0) revert OffUnit("submissionStake", t.submissionStake, STAKE_UNIT);
        if (t.deadline <= block.timestamp) revert DeadlinePassed(t.deadline);
        _checkRange("deadline", t.deadline, 0, type(uint40).max);
        if (t.targetPpm <= t.startPpm) revert TargetNotAboveStart(t.startPpm, t.targetPpm);
        // Otherwise the target could be exceeded but never reached exactly.
        if (t.targetPpm % t.gridPpm != 0) revert OffGrid("targetPpm", t.targetPpm, t.gridPpm);
    }

    function _checkRange(string memory field, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert OutOfRange(field, value, min, max);
    }

    function _checkCapsule(Terms calldata t) private view {
        (address attester, uint32 feePpm) = REGISTRY.quote(t.capsule);
        if (attester == address(0)) revert UnknownCapsule(t.capsule);
        if (attester != t.attester) revert AttesterMismatch(attester, t.attester);
        if (feePpm != t.feePpm) revert FeeMismatch(feePpm, t.feePpm);
    }

    function _checkStart(Terms calldata t, uint32 startPpm) private pure {
        if (startPpm % t.gridPpm != 0) revert OffGrid("startPpm", startPpm, t.gridPpm);
        if (startPpm >= t.targetPpm) revert TargetNotAboveStart(startPpm, t.targetPpm);
        uint32 claimed = t.startPpm - t.startPpm % t.gridPpm;
        uint32 apart = startPpm > claimed ? startPpm - claimed : claimed - startPpm;
        if (apart > t.tolerancePpm + t.gridPpm) revert StartOutOfTolerance(t.startPpm, startPpm, t.tolerancePpm);
    }

    /// @dev Takes exactly `amount`; reverts if the token delivers another amount.
    function _pull(IERC20 token, uint256 amount) private {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert WrongAmountReceived(amount, received);
    }

    function _send(address to, uint256 amount) private {
        (bool ok,) = to.call{ value: amount }("");
        if (!ok) revert TransferFailed(to, amount);
    }

    function _load(Terms calldata t, State needed) private view returns (bytes32 id, Campaign storage c, Meter m) {
        id = campaignId(t);
        c = _campaigns[id];
        m = c.meter;
        if (m.state() == State.None) revert UnknownCampaign(id);
        if (m.state() != needed) revert WrongState(id, m.state(), needed);
    }

    function _requireTime(uint40 since, uint32 allowed) private view {
        uint64 end = uint64(since) + allowed;
        if (block.timestamp < end) revert TooEarly(end);
    }

    function _requireClosedWindow(Meter m) private view {
        if (m.windowCount() == 0 || block.timestamp < m.windowClosesAt()) {
            revert WindowOpen(m.windowIndex(), m.windowClosesAt());
        }
    }

    /// @dev Checks that the given submissions are exactly those of the window, in order.
    function _requireWindow(bytes32 id, Campaign storage c, Meter m, Submission[] calldata subs)
        private
        view
        returns (bytes32 expected)
    {
        if (subs.length != m.windowCount()) revert WrongCount(subs.length, subs.length, m.windowCount());
        bytes32 given = _windowStart(id, m.version(), m.windowIndex());
        for (uint256 i = 0; i < subs.length; ++i) {
            given = _windowFold(given, subs[i].miner, subs[i].content);
        }
        expected = c.windowHash;
        if (given != expected) revert WrongWindow(expected, given);
    }

    function _requireSigner(Terms calldata t, bytes32 structHash, bytes calldata sig) private view {
        (address signer,,) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(structHash), sig);
        if (signer != t.attester) revert WrongSigner(t.attester, signer);
    }

    function _settlementHash(
        bytes32 id,
        Meter m,
        bytes32 windowHash,
        uint16[] calldata outcomes,
        Publication calldata next,
        uint8 close_
    ) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                SETTLEMENT_TYPEHASH,
                id,
                uint256(m.version()),
                uint256(m.windowIndex()),
                windowHash,
                keccak256(abi.encodePacked(outcomes)),
                next,
                close_
            )
        );
    }

    function _publish(bytes32 id, Campaign storage c, uint256 version, Publication calldata p) private {
        c.material = p.material;
        _seals[id][version] = keccak256(abi.encode(p.root, p.handover));
    }

    /// @dev Checks that the hand-over is the one that the Capsule committed to when it published the version.
    function _requireSealed(bytes32 id, uint256 version, Handover calldata h) private view {
        bytes32 handover = keccak256(abi.encode(h.commitment, h.point, h.ciphertext));
        if (_seals[id][version] != keccak256(abi.encode(h.root, handover))) revert WrongHandover(version);
    }

    function _convict(bytes32 id, Terms calldata t, uint32 version) private {
        emit Convicted(id, version, t.stake);
        _slash(id, t);
    }

    /// @dev Slashes the stake that the campaign locked, in favour of its owner.
    function _slash(bytes32 id, Terms calldata t) private {
        address[] memory to = new address[](1);
        to[0] = t.owner;
        REGISTRY.slash(t.capsule, id, to);
    }

    /// @dev The hash of an empty window. Never zero, so that no submission pays for a new storage slot.
    function _windowStart(bytes32 id, uint256 version, uint256 windowIndex) private pure returns (bytes32) {
        return keccak256(abi.encode(id, version, windowIndex));
    }

    function _windowFold(bytes32 h, address miner, bytes32 content) private pure returns (bytes32) {
        return keccak256(abi.encode(h, miner, content));
    }

    /// @dev The meter after one more submission. A full window closes now.
    function _afterSubmission(Meter m) private view returns (Meter) {
        uint8 count = m.windowCount();
        uint16 submissions = m.submissions();
        if (count == 0) {
            uint256 end = block.timestamp + m.windowSeconds();
            uint40 deadline = m.deadline();
            m = m.withWindowClosesAt(end < deadline ? uint40(end) : deadline);
        }
        unchecked {
            // Both are below their limits.
            ++count;
            ++submissions;
        }
        if (count == m.windowSize() || submissions == m.maxSubmissions()) {
            m = m.withWindowClosesAt(uint40(block.timestamp));
        }
        return m.withWindowCount(count).withSubmissions(submissions);
    }

    /// @dev Counts an upload of the sender to the current version, and holds its stake: a returned one, or else the one
    /// that is sent along.
    function _countUpload(bytes32 id, Meter m) private {
        Account account = _accounts[id][msg.sender];
        uint16 version = m.version();
        uint8 uploads = account.uploadsVersion() == version ? account.uploads() : 0;
        uint8 cap = m.capPerVersion();
        if (uploads >= cap) revert CapReached(cap);
        uint16 stakes = account.stakes();
        uint16 held = _held(account, m);
        uint256 due = stakes == held ? _stake(m) : 0;
        if (msg.value != due) revert WrongValue(due, msg.value);
        unchecked {
            // No count exceeds the campaign's submissions; `held` is at most the number of a window's submissions.
            ++uploads;
            if (stakes == held) ++stakes;
            ++held;
        }
        _accounts[id][msg.sender] = account.withUploadsVersion(version).withUploads(uploads).withStakes(stakes)
            .withStakesWindow(m.windowIndex()).withPending(uint8(held));
    }

    /// @dev Number of an account's stakes that are held for submissions of an unsettled window. Stakes of earlier
    /// windows are returned without a separate transaction, and all stakes when the campaign closes.
    function _held(Account account, Meter m) private pure returns (uint16) {
        bool waits = m.state() == State.Open && account.stakesWindow() == m.windowIndex();
        return waits ? account.pending() : 0;
    }

    function _stake(Meter m) private pure returns (uint256) {
        return m.stakeMicro() * STAKE_UNIT;
    }

    /// @dev A miner's first rejected submission in a campaign costs nothing; each further one forfeits its stake to the
    /// owner. The Capsule, which decides on rejections, gains nothing from them.
    function _reject(bytes32 id, Meter m, Terms calldata t, address miner, uint256 index) private {
        Account account = _accounts[id][miner];
        if (!account.warned()) {
            _accounts[id][miner] = account.withWarning();
            return;
        }
        _accounts[id][miner] = account.withStakes(account.stakes() - 1);
        account = _accounts[id][t.owner];
        _accounts[id][t.owner] = account.withStakes(account.stakes() + 1);
        emit Forfeited(id, miner, m.windowIndex(), uint32(index), t.submissionStake);
    }

    /// @dev Credits the accepted submissions and raises the best accuracy, strictly in order. Records the rejected
    /// ones.
    function _award(
        bytes32 id,
        Campaign storage c,
        Meter m,
        Terms calldata t,
        Submission[] calldata subs,
        uint16[] calldata outcomes
    ) private returns (Meter) {
        uint256 accepts = 0;
        uint256 total = 0;
        for (uint256 i = 0; i < outcomes.length; ++i) {
            uint16 outcome = outcomes[i];
            if (outcome == 0) continue;
            if (outcome >= REJECTED) {
                if (outcome == REJECTED || outcome > REJECTED + 0xFF) revert BadOutcome(i, outcome);
                if (t.submissionStake != 0) _reject(id, m, t, subs[i].miner, i);
                continue;
            }
            uint32 best = m.bestPpm();
            uint256 reached = uint256(outcome) * t.gridPpm;
            if (reached <= best || reached > ONE) revert BadStep(i, reached, best);
            if (++accepts > MAX_ACCEPTS_PER_WINDOW) revert TooManyAccepts(accepts, MAX_ACCEPTS_PER_WINDOW);
            if (m.accepts() == t.maxAccepts) revert TooManyAccepts(uint256(m.accepts()) + 1, t.maxAccepts);
            m = m.withAccepts(m.accepts() + 1).withBestPpm(uint24(reached));
            uint32 delta = _min(uint32(reached), t.targetPpm) - _min(best, t.targetPpm);
            uint256 amount = uint256(t.bounty) * delta / t.targetPpm;
            total += amount;
            address miner = subs[i].miner;
            Account account = _accounts[id][miner];
            _accounts[id][miner] = account.withEarned(account.earned() + uint128(amount));
            emit Awarded(id, miner, m.windowIndex(), uint32(i), delta, amount);
        }
        if (total != 0) c.awarded += uint128(total);
        return m;
    }

    function _closeReason(Terms calldata t, Meter m, uint8 close_) private pure returns (CloseReason) {
        if (m.bestPpm() >= t.targetPpm) return CloseReason.Target;
        if (close_ != 0) return CloseReason.LeakBudget;
        if (m.submissions() == m.maxSubmissions() || m.accepts() == t.maxAccepts) return CloseReason.Limit;
        return CloseReason.None;
    }

    function _close(bytes32 id, Campaign storage c, Meter m, Terms calldata t, CloseReason reason, uint256 fee)
        private
    {
        c.meter = m.withState(State.Closed).withReason(reason);
        c.changedAt = uint40(block.timestamp);
        uint256 refunded = t.bounty - c.awarded + fee;
        if (refunded != 0) _credits[id][t.owner] += refunded;
        emit Closed(id, reason, refunded);
    }

    function _refund(bytes32 id, Campaign storage c, Terms calldata t) private {
        c.meter = c.meter.withState(State.Refunded);
        c.changedAt = uint40(block.timestamp);
        uint256 amount = t.bounty + _fee(t);
        _credits[id][t.owner] += amount;
        emit Refunded(id, amount);
    }

    function _miners(Submission[] calldata subs) private pure returns (address[] memory miners) {
        miners = new address[](subs.length);
        for (uint256 i = 0; i < subs.length; ++i) {
            miners[i] = subs[i].miner;
        }
    }

    function _fee(Terms calldata t) private pure returns (uint256) {
        return uint256(t.bounty) * t.feePpm / ONE;
    }

    function _min(uint32 a, uint32 b) private pure returns (uint32) {
        return a < b ? a : b;
    }
}
