// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import { Exposure, ICapsuleRegistry } from "./interfaces/ICapsuleRegistry.sol";
import { Account, Meter } from "./Packed.sol";
import { IAssessor } from "./interfaces/IAssessor.sol";
import { ITermsChecker } from "./interfaces/ITermsChecker.sol";
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
        // What submissions paid for the Capsule's gas, in wei, and it did not withdraw. Never near its limit: all stakes
        // of a campaign are less than 2^81.
        uint88 gasCredit;
        // The part of `awarded` that was withdrawn.
        uint128 paid;
    }

    /// @notice EIP-712 type of the Capsule's attestation that a campaign is activated.
    bytes32 public constant ACTIVATION_TYPEHASH = keccak256(
        "Activation(bytes32 campaign,uint32 startPpm,bytes32 windowHash,bytes32 material,bytes32 root,bytes32 handover,bytes32 certificate)"
    );
    /// @notice EIP-712 type of the Capsule's attestation that it declines a campaign.
    bytes32 public constant DECLINE_TYPEHASH = keccak256("Decline(bytes32 campaign,uint8 reason)");
    /// @notice EIP-712 type of the Capsule's attestation of a window's settlement.
    bytes32 public constant SETTLEMENT_TYPEHASH = keccak256(
        "Settlement(bytes32 campaign,uint32 version,uint32 window,bytes32 windowHash,uint16[] outcomes,bytes32 material,bytes32 root,bytes32 handover,uint8 close)"
    );
    /// @notice EIP-712 type of the Capsule's attestation that it has delivered the model.
    bytes32 public constant DELIVERY_TYPEHASH =
        keccak256("Delivery(bytes32 campaign,bytes32 windowHash,bytes32 result)");

    /// @notice Maximum number of accepted submissions of a window.
    uint256 public constant MAX_ACCEPTS_PER_WINDOW = 4;
    /// @notice Part of the fee that pays for activation and delivery. The rest is in proportion to what was awarded.
    uint32 public constant BASE_FEE_PPM = 250_000;
    /// @notice Most of a Capsule's stake that goes to those whom it wronged, in parts per million. The rest is burned:
    /// nobody can gain much by causing a fault, not even the Capsule by submitting to itself.
    uint32 public constant COMPENSATION_PPM = 100_000;
    /// @notice Gas of a settlement's submission that was not accepted, which it pays for at the block's base fee. Less
    /// than its part of any settlement: that of the largest window costs 4,300 each if all are of one miner, and 9,000
    /// if all are of different miners. So no Capsule earns from what it refuses.
    uint256 public constant GAS_PER_EVALUATION = 4_000;

    /// @notice Parts per million in one.
    uint32 private constant ONE = 1_000_000;
    /// @notice From this code on, outcomes are not accuracies.
    uint16 private constant REJECTED = 0xF000;
    /// @notice The rejection that need not be the miner's fault.
    uint16 private constant UNAVAILABLE = 0xF001;

    /// @notice Unit of submission stakes: a millionth of the native token.
    uint256 private constant STAKE_UNIT = 1e12;
    /// @notice Parts of a stake in which submissions pay.
    uint16 private constant EIGHTHS = 8;
    /// @notice More than all eighths of a window.
    uint256 private constant EVALUATED = 1 << 128;

    /// @notice The registry of this contract's Capsules.
    ICapsuleRegistry public immutable REGISTRY;
    /// @notice The contract that verifies proofs of a Capsule's misconduct.
    IAssessor public immutable ASSESSOR;
    /// @notice The contract that decides which terms a campaign may have.
    ITermsChecker public immutable TERMS_CHECKER;

    mapping(bytes32 id => Campaign) private _campaigns;
    mapping(bytes32 id => mapping(address miner => Account)) private _accounts;
    // Credits of owners and Capsules.
    mapping(bytes32 id => mapping(address account => uint256)) private _credits;
    // Commitments to each version's material and to the hand-over of its seed.
    mapping(bytes32 id => mapping(uint256 version => bytes32)) private _seals;

    /// @param registry The registry of this contract's Capsules.
    /// @param assessor The contract that verifies proofs of their misconduct. It has no state and no other rights.
    /// @param termsChecker The contract that decides which terms a campaign may have. It has no other rights.
    constructor(ICapsuleRegistry registry, IAssessor assessor, ITermsChecker termsChecker) EIP712("Sonar", "1") {
        REGISTRY = registry;
        ASSESSOR = assessor;
        TERMS_CHECKER = termsChecker;
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
    function activate(
        Terms calldata t,
        uint32 startPpm,
        Publication calldata first,
        bytes32 certificate,
        bytes calldata sig
    ) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Proposed);
        _requireNotOver(uint256(c.changedAt) + t.activationSeconds);
        if (block.timestamp >= m.deadline()) revert DeadlinePassed(m.deadline());
        bytes32 windowHash = c.windowHash;
        bytes32 attestation = keccak256(abi.encode(ACTIVATION_TYPEHASH, id, startPpm, windowHash, first, certificate));
        _requireSigner(t, attestation, sig);
        TERMS_CHECKER.requireStart(t, startPpm);
        if (first.material == 0) revert BadMaterial(true);

        c.meter = m.withState(State.Open).withVersion(1).withBestPpm(uint24(startPpm));
        _publish(id, c, 1, first);
        c.changedAt = uint40(block.timestamp);
        emit Activated(id, startPpm, first, certificate);
        REGISTRY.lock(t.capsule, id, _exposure(t));
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
        bytes32 windowStart,
        Submission[] calldata subs,
        uint16[] calldata outcomes,
        Publication calldata next,
        uint8 close_,
        bytes calldata sig
    ) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Open);
        _requireClosedWindow(m);
        if (outcomes.length != subs.length) revert WrongCount(subs.length, outcomes.length, m.windowCount());
        bytes32 windowHash = _requireWindow(c, m, windowStart, subs);
        if (close_ != 0 && close_ != uint8(CloseReason.LeakBudget)) revert BadCloseReason(close_);
        _requireSigner(t, _settlementHash(id, m, windowHash, outcomes, next, close_), sig);

        uint8 before = m.accepts();
        m = _award(id, c, m, t, subs, outcomes);
        bool renew = m.accepts() != before;
        if (renew != (next.material != 0)) revert BadMaterial(renew);
        _renew(id, c, m, t, outcomes, next, close_);
    }

    // ---------------------------------------------------------------- closing

    /// @inheritdoc ICampaigns
    function close(Terms calldata t) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Open);
        bool late = block.timestamp >= m.deadline();
        if (!late && msg.sender != t.owner) revert NotOwner(t.owner, msg.sender);
        if (m.windowCount() == 0) {
            _close(id, c, m, t, late ? CloseReason.Deadline : CloseReason.Owner, 0);
            return;
        }
        // After the deadline no other window opens anyway.
        if (late) revert UnsettledWindow(m.windowIndex(), m.windowCount());
        if (m.reason() != CloseReason.None) revert AlreadyClosing(id);
        c.meter = m.withReason(CloseReason.Owner);
        emit Closing(id);
    }

    /// @inheritdoc ICampaigns
    function finalize(Terms calldata t, bytes32 result, Handover[] calldata handovers, bytes calldata sig) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Closed);
        if (m.reason() == CloseReason.CapsuleTimeout) revert CapsuleTimedOut(id);
        _requireSigner(t, keccak256(abi.encode(DELIVERY_TYPEHASH, id, c.windowHash, result)), sig);
        if (handovers.length != m.version()) revert WrongHandovers(handovers.length, m.version());
        for (uint256 i = 0; i < handovers.length; ++i) {
            _requireSealed(id, i + 1, handovers[i]);
        }
        c.meter = m.withState(State.Finalized);
        c.changedAt = uint40(block.timestamp);
        emit Finalized(id, result, handovers);
    }

    /// @inheritdoc ICampaigns
    function release(Terms calldata t) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Finalized);
        _requireTime(c.changedAt, t.audit.period);
        c.meter = m.withState(State.Released);
        uint256 earned = _earnedFee(c, t);
        uint256 refunded = _fee(t) - earned;
        _credits[id][t.capsule] += earned;
        _credits[id][t.owner] += refunded;
        emit Released(id, earned, refunded);
        if (t.stake != 0) REGISTRY.unlock(t.capsule, id);
    }

    /// @inheritdoc ICampaigns
    function convictHandover(Terms calldata t, uint32 version, Handover calldata h, KeyProof calldata proof) external {
        (bytes32 id, Campaign storage c,) = _load(t, State.Finalized);
        _requireSealed(id, version, h);
        ASSESSOR.requireBadHandover(id, version, t.audit.keys, h, proof);
        _convict(id, c, t, version);
    }

    /// @inheritdoc ICampaigns
    function convictMaterial(Terms calldata t, uint32 version, Handover calldata h, WordProof calldata proof) external {
        (bytes32 id, Campaign storage c,) = _load(t, State.Finalized);
        _requireSealed(id, version, h);
        ASSESSOR.requireBadWord(h, proof);
        _convict(id, c, t, version);
    }

    /// @inheritdoc ICampaigns
    function abandon(Terms calldata t, bytes32 windowStart, Submission[] calldata pending) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Open);
        _requireClosedWindow(m);
        _requireTime(m.windowClosesAt(), t.evaluationSeconds);
        _requireWindow(c, m, windowStart, pending);
        _close(id, c, m, t, CloseReason.CapsuleTimeout, _fee(t));
        // The share of a submission does not depend on how many there are: crowding out others earns nothing.
        if (t.stake != 0) REGISTRY.slash(t.capsule, id, _miners(pending), _compensation(t) / t.windowSize);
    }

    /// @inheritdoc ICampaigns
    function expire(Terms calldata t) external {
        (bytes32 id, Campaign storage c, Meter m) = _load(t, State.Closed);
        if (m.reason() == CloseReason.CapsuleTimeout) revert CapsuleTimedOut(id);
        _requireTime(c.changedAt, t.deliverySeconds);
        c.meter = m.withReason(CloseReason.CapsuleTimeout);
        uint256 fee = _fee(t);
        // What a token is worth in wei is not known here. Never more than after a conviction: otherwise a Capsule in
        // league with the owner would let a campaign with a high fee expire, and lose nothing.
        uint256 most = t.token == address(0) ? _compensation(t) : 0;
        uint256 compensation = fee < most ? fee : most;
        _credits[id][t.owner] += fee;
        emit Expired(id, fee, compensation);
        _slash(id, t, compensation);
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
    function withdrawStake(Terms calldata t, address to) external nonReentrant {
        bytes32 id = campaignId(t);
        if (to == address(0)) revert ZeroAddress();
        Campaign storage c = _campaigns[id];
        Meter m = c.meter;
        Account account = _accounts[id][msg.sender];
        uint16 held = _held(account, m);
        uint256 amount = (account.eighths() - held) * _eighth(m);
        if (msg.sender == t.capsule) {
            amount += c.gasCredit;
            c.gasCredit = 0;
        }
        if (amount == 0) revert NothingOwed(id, msg.sender);
        _accounts[id][msg.sender] = account.withEighths(held);
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
        uint16 free = a.eighths() - held;
        uint256 eighth = _eighth(m);
        return Stakes({ held: held * eighth, free: free * eighth, due: _missing(free) * eighth });
    }

    /// @inheritdoc ICampaigns
    function ledger(Terms calldata t) external view returns (Ledger memory l) {
        Campaign storage c = _campaigns[campaignId(t)];
        Meter m = c.meter;
        State state = m.state();
        if (state == State.None) return l;
        uint256 fee = _fee(t);
        l.deposited = t.bounty + fee;
        l.paid = c.paid;
        l.owed = c.awarded - c.paid;
        if (state != State.Proposed && state != State.Open) l.refunded = t.bounty - c.awarded;
        if (state == State.Released) {
            l.fee = _earnedFee(c, t);
            l.refunded += fee - l.fee;
        } else if (
            state == State.Refunded || state == State.Convicted || state == State.Closed
                && m.reason() == CloseReason.CapsuleTimeout
        ) {
            l.refunded += fee;
        }
        l.escrowed = l.deposited - l.paid - l.owed - l.refunded - l.fee;
    }

    /// @inheritdoc ICampaigns
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ---------------------------------------------------------------- inside

    function _propose(Terms calldata t) private returns (bytes32 id, uint256 amount) {
        if (msg.sender != t.owner) revert NotOwner(t.owner, msg.sender);
        TERMS_CHECKER.requireValid(t);
        id = campaignId(t);
        Campaign storage c = _campaigns[id];
        if (c.meter.state() != State.None) revert DuplicateCampaign(id);
        c.meter = Meter.wrap(0).withState(State.Proposed).withMaxSubmissions(uint16(t.maxSubmissions))
            .withWindowSize(uint8(t.windowSize)).withWindowSeconds(uint24(t.windowSeconds))
            .withDeadline(uint40(t.deadline)).withCapPerVersion(uint8(t.capPerVersion))
            .withStakeMicro(uint24(t.submissionStake / STAKE_UNIT));
        c.changedAt = uint40(block.timestamp);
        bytes32 windowStart = _windowStart(id, 1, 0);
        c.windowHash = windowStart;
        amount = t.bounty + _fee(t);
        emit Opened(id, t.owner, t.capsule, t, windowStart);
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

    function _requireNotOver(uint256 end) private view {
        if (block.timestamp >= end) revert TooLate(uint64(end));
    }

    function _requireClosedWindow(Meter m) private view {
        if (m.windowCount() == 0 || block.timestamp < m.windowClosesAt()) {
            revert WindowOpen(m.windowIndex(), m.windowClosesAt());
        }
    }

    /// @dev Checks that the given submissions are exactly those of the window, in order. Nobody can find another start
    /// with the same number of submissions that leads to the same hash.
    function _requireWindow(Campaign storage c, Meter m, bytes32 windowStart, Submission[] calldata subs)
        private
        view
        returns (bytes32 expected)
    {
        if (subs.length != m.windowCount()) revert WrongCount(subs.length, subs.length, m.windowCount());
        bytes32 given = windowStart;
        for (uint256 i = 0; i < subs.length; ++i) {
            given = _windowFold(given, subs[i].miner, subs[i].content);
        }
        expected = c.windowHash;
        if (given != expected) revert WrongWindow(expected, given);
    }

    function _requireSigner(Terms calldata t, bytes32 structHash, bytes calldata sig) private view {
        (address signer,,) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(structHash), sig);
        (address attester,) = REGISTRY.quote(t.capsule);
        if (signer != attester) revert WrongSigner(attester, signer);
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

    function _convict(bytes32 id, Campaign storage c, Terms calldata t, uint32 version) private {
        c.meter = c.meter.withState(State.Convicted);
        uint256 fee = _fee(t);
        uint256 compensation = _compensation(t);
        _credits[id][t.owner] += fee;
        emit Convicted(id, version, fee, compensation);
        _slash(id, t, compensation);
    }

    /// @dev Slashes the stake that the campaign locked; `compensation` of it goes to the owner.
    function _slash(bytes32 id, Terms calldata t, uint256 compensation) private {
        if (t.stake == 0) return;
        address[] memory to = new address[](1);
        to[0] = t.owner;
        REGISTRY.slash(t.capsule, id, to, compensation);
    }

    /// @dev The hash of an empty window. Never zero, so that no submission pays for a new storage slot. It depends on the
    /// chain's last block, so that no attestation survives a reorganisation before it.
    function _windowStart(bytes32 id, uint256 version, uint256 windowIndex) private view returns (bytes32) {
        return keccak256(abi.encode(id, version, windowIndex, blockhash(block.number - 1)));
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
        uint16 held = _held(account, m);
        uint16 missing = _missing(account.eighths() - held);
        uint256 due = missing * _eighth(m);
        if (msg.value != due) revert WrongValue(due, msg.value);
        unchecked {
            // At most the cap; at most a window's submissions; at most a stake for each of those and one more.
            _accounts[id][msg.sender] = account.withUploadsVersion(version).withUploads(uploads + 1)
                .withStakesWindow(m.windowIndex()).withPending(uint8(held / EIGHTHS + 1))
                .withEighths(account.eighths() + missing);
        }
    }

    /// @dev Eighths of stakes that an account holds for submissions of an unsettled window. Stakes of earlier windows are
    /// returned without a separate transaction, and all stakes when the campaign closes.
    function _held(Account account, Meter m) private pure returns (uint16) {
        bool waits = m.state() == State.Open && account.stakesWindow() == m.windowIndex();
        return waits ? uint16(account.pending()) * EIGHTHS : 0;
    }

    /// @dev Eighths that are missing to a whole stake.
    function _missing(uint16 free) private pure returns (uint16) {
        return free < EIGHTHS ? EIGHTHS - free : 0;
    }

    function _eighth(Meter m) private pure returns (uint256) {
        return m.stakeMicro() * (STAKE_UNIT / EIGHTHS);
    }

    /// @dev Takes what submissions that were not accepted pay. The Capsule gets no more than its gas costs for those that it
    /// evaluated, so it gains nothing from what it decides.
    function _charge(bytes32 id, Campaign storage c, Meter m, uint256 eighths, uint256 evaluated) private {
        uint256 eighth = _eighth(m);
        uint256 gas = GAS_PER_EVALUATION * block.basefee;
        uint256 toCapsule = evaluated * (gas < eighth ? gas : eighth);
        uint256 burned = eighths * eighth - toCapsule;
        if (toCapsule != 0) c.gasCredit += uint88(toCapsule);
        emit Charged(id, m.windowIndex(), toCapsule, burned);
        if (burned != 0) _send(address(0), burned);
    }

    /// @dev Credits the accepted submissions and raises the best accuracy, strictly in order. A submission that was not
    /// accepted pays an eighth of its stake, or all of it if its form is wrong.
    function _award(
        bytes32 id,
        Campaign storage c,
        Meter m,
        Terms calldata t,
        Submission[] calldata subs,
        uint16[] calldata outcomes
    ) private returns (Meter) {
        mapping(address miner => Account) storage accounts = _accounts[id];
        uint8 before = m.accepts();
        uint256 total = 0;
        // The eighths that are paid, and above them the number of evaluated submissions among those that pay.
        uint256 charges = 0;
        for (uint256 i = 0; i < outcomes.length; ++i) {
            uint16 outcome = outcomes[i];
            address miner = subs[i].miner;
            if (outcome != 0 && outcome < REJECTED) {
                (uint24 reached, uint32 delta, uint256 amount) = _gain(m, t, i, outcome);
                m = m.withAccepts(m.accepts() + 1).withBestPpm(reached);
                if (m.accepts() - before > MAX_ACCEPTS_PER_WINDOW) {
                    revert TooManyAccepts(m.accepts() - before, MAX_ACCEPTS_PER_WINDOW);
                }
                total += amount;
                Account account = accounts[miner];
                accounts[miner] = account.withEarned(account.earned() + uint128(amount));
                emit Awarded(id, miner, m.windowIndex(), uint32(i), delta, amount);
            } else {
                if (outcome == REJECTED || outcome > REJECTED + 0xFF) revert BadOutcome(i, outcome);
                if (m.stakeMicro() == 0) continue;
                uint16 part = outcome > UNAVAILABLE ? EIGHTHS : 1;
                charges += outcome == 0 ? EVALUATED + part : part;
                Account account = accounts[miner];
                accounts[miner] = account.withEighths(account.eighths() - part);
            }
        }
        if (total != 0) c.awarded += uint128(total);
        if (charges != 0) _charge(id, c, m, charges % EVALUATED, charges / EVALUATED);
        return m;
    }

    /// @dev The accuracy that an accepted submission reaches, and what that gains: towards the target, and of the bounty.
    function _gain(Meter m, Terms calldata t, uint256 i, uint16 outcome)
        private
        pure
        returns (uint24 reached, uint32 delta, uint256 amount)
    {
        uint32 best = m.bestPpm();
        uint256 ppm = uint256(outcome) * t.gridPpm;
        if (ppm <= best || ppm > ONE) revert BadStep(i, ppm, best);
        if (m.accepts() == t.maxAccepts) revert TooManyAccepts(uint256(m.accepts()) + 1, t.maxAccepts);
        uint32 target = t.targetPpm;
        reached = uint24(ppm);
        delta = _min(reached, target) - _min(best, target);
        amount = uint256(t.bounty) * delta / target;
    }

    /// @dev Ends the window: opens the next one, or closes the campaign.
    function _renew(
        bytes32 id,
        Campaign storage c,
        Meter m,
        Terms calldata t,
        uint16[] calldata outcomes,
        Publication calldata next,
        uint8 close_
    ) private {
        (uint16 window_, uint16 settled) = (m.windowIndex(), m.version());
        m = m.withWindowIndex(window_ + 1).withWindowCount(0).withWindowClosesAt(0);
        if (next.material != 0) {
            m = m.withVersion(settled + 1);
            _publish(id, c, settled + 1, next);
        }
        bytes32 windowStart = _windowStart(id, m.version(), window_ + 1);
        c.windowHash = windowStart;
        emit Settled(id, window_, settled, outcomes, m.bestPpm(), next, windowStart);
        CloseReason reason = _closeReason(t, m, close_);
        if (reason == CloseReason.None) {
            c.meter = m;
        } else {
            _close(id, c, m, t, reason, 0);
        }
    }

    function _closeReason(Terms calldata t, Meter m, uint8 close_) private pure returns (CloseReason) {
        if (m.bestPpm() >= t.targetPpm) return CloseReason.Target;
        if (close_ != 0) return CloseReason.LeakBudget;
        if (m.submissions() == m.maxSubmissions() || m.accepts() == t.maxAccepts) return CloseReason.Limit;
        // `Owner` if the end was announced.
        return m.reason();
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

    /// @dev The part of the fee that the Capsule earns by delivering.
    function _earnedFee(Campaign storage c, Terms calldata t) private view returns (uint256) {
        uint256 fee = _fee(t);
        uint256 base = fee * BASE_FEE_PPM / ONE;
        return base + (fee - base) * c.awarded / t.bounty;
    }

    /// @dev What those whom the Capsule wronged get of its stake together.
    function _compensation(Terms calldata t) private pure returns (uint256) {
        return uint256(t.stake) * COMPENSATION_PPM / ONE;
    }

    function _exposure(Terms calldata t) private pure returns (Exposure memory) {
        return Exposure({
            stake: t.stake,
            token: t.token,
            leastFee: _fee(t) * BASE_FEE_PPM / ONE,
            deadline: t.deadline,
            evaluationSeconds: t.evaluationSeconds,
            deliverySeconds: t.deliverySeconds,
            auditSeconds: t.audit.period,
            maxSubmissions: t.maxSubmissions
        });
    }

    function _min(uint32 a, uint32 b) private pure returns (uint32) {
        return a < b ? a : b;
    }
}
