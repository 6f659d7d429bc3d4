// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { IAssessor } from "../src/interfaces/IAssessor.sol";
import { Capsule, ICapsuleRegistry, Limits } from "../src/interfaces/ICapsuleRegistry.sol";
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
    Window
} from "../src/interfaces/ICampaigns.sol";
import { Fixture } from "./support/Fixture.sol";
import { vm } from "./support/Vm.sol";

/// @dev What a campaign should be.
struct Book {
    Terms t;
    State state;
    CloseReason reason;
    uint32 version;
    uint32 index;
    uint256 best;
    uint256 accepts;
    uint256 submissions;
    uint256 closesAt;
    uint256 changedAt;
    // The window's hash while it was empty, and now.
    bytes32 start;
    bytes32 hash;
    Submission[] pending;
    // The ledger.
    uint256 awarded;
    uint256 paid;
    uint256 refunded;
    uint256 fee;
    // What left by `withdraw`.
    uint256 sent;
    // Submission stakes: what came in, what went out, what is burned, and what is the Capsule's.
    uint256 stakesIn;
    uint256 stakesOut;
    uint256 burned;
    uint256 gasCredit;
}

/// @dev The arguments of a settlement.
struct Settlement {
    bytes32 start;
    Submission[] subs;
    uint16[] outcomes;
    Publication next;
    uint8 close;
    bytes sig;
}

/// @notice Does anything that anybody may do, and much that nobody may: with wrong signers, too early and too late, with
/// windows and terms of other campaigns. It predicts from a model of its own whether each call succeeds, and with
/// which error it reverts otherwise. A call that does anything else fails the test.
contract Handler is Fixture {
    uint256 private constant MINERS = 5;
    uint256 private constant ACTORS = 7;
    uint256 private constant RUNNING = 6;
    uint256 private constant GAS_PER_EVALUATION = 4_000;
    address private constant SINK = address(0xE4D);

    bytes32[] private _ids;
    mapping(bytes32 id => bool) private _touched;
    mapping(bytes32 id => Book) private _books;
    mapping(bytes32 id => mapping(address account => uint256)) private _owed;
    mapping(bytes32 id => mapping(address account => uint256)) private _eighths;
    mapping(bytes32 id => mapping(address account => mapping(uint256 version => uint256))) private _uploads;
    mapping(bytes32 id => mapping(uint256 version => Handover)) private _handovers;
    mapping(bytes32 id => mapping(uint256 version => bool)) private _honest;
    // Settlements that happened.
    bytes[] private _history;
    // The registry.
    uint256[2] private _keys = [ATTESTER_KEY, ATTESTER_KEY + 1];
    uint256 private _present;
    bool private _authorized = true;
    mapping(address token => bool) private _accepted;
    Limits private _limits = limits();
    uint256 private _stake = 100 ether;
    uint256 private _locked;
    mapping(bytes32 id => uint256) private _locks;
    mapping(address account => uint256) private _claimable;
    uint256 private _registryBalance = 100 ether;
    uint256 private _burned;
    uint256 private _burnedBefore = address(0).balance;
    uint256 private _sunkBefore = SINK.balance;
    // What everyone withdrew and claimed.
    uint256 private _sunkEth;
    uint256 private _sunkTokens;
    // What happened how often.
    mapping(string action => uint256) public successes;
    mapping(bytes4 refusal => uint256) public refusals;

    constructor() {
        setUp();
        (_accepted[address(0)], _accepted[address(coin)]) = (true, true);
        vm.prank(owner);
        coin.approve(address(campaigns), type(uint256).max);
    }

    /// @notice One action, chosen by chance.
    function step(uint256 seed) external {
        uint256 r = uint256(keccak256(abi.encode(seed)));
        uint256 kind = r % 128;
        r = r >> 8;
        if (kind < 8) _open(r);
        else if (kind < 24) _activate(r);
        else if (kind < 25) _decline(r);
        else if (kind < 26) _refund(r);
        else if (kind < 66) _submit(r);
        else if (kind < 83) _settleSomething(r);
        else if (kind < 85) _replay(r);
        else if (kind < 87) _repeat(r);
        else if (kind < 91) _close(r);
        else if (kind < 97) _finalize(r);
        else if (kind < 99) _release(r);
        else if (kind < 104) _convict(r);
        else if (kind < 105) _abandon(r);
        else if (kind < 106) _expire(r);
        else if (kind < 110) _withdraw(r);
        else if (kind < 115) _withdrawStake(r);
        else if (kind < 118) _claim(r);
        else if (kind < 121) _moveStake(r);
        else if (kind < 122) _rotate();
        else if (kind < 124) _limit(r);
        else _wait(r);
    }

    // ------------------------------------------------------------ before mining

    function _open(uint256 r) private {
        if (_running() >= RUNNING) return;
        Terms memory t = _someTerms(r);
        if (r % 16 == 1 && _ids.length != 0) t = _books[_ids[r % _ids.length]].t;
        address sender = r % 16 == 2 ? stranger : owner;
        uint256 value = t.token == address(0) ? deposit(t) : 0;
        if (r % 16 == 3) value += 1;
        bytes32 id = _idOf(t);
        bytes memory refusal;
        if (sender != owner) refusal = abi.encodeWithSelector(ICampaigns.NotOwner.selector, owner, sender);
        else if (t.deadline <= block.timestamp) {
            refusal = abi.encodeWithSelector(ICampaigns.DeadlinePassed.selector, t.deadline);
        } else if (_books[id].state != State.None) {
            refusal = abi.encodeWithSelector(ICampaigns.DuplicateCampaign.selector, id);
        } else if (r % 16 == 3) {
            refusal = abi.encodeWithSelector(ICampaigns.WrongValue.selector, value - 1, value);
        }
        if (!_attempt("open", sender, value, abi.encodeCall(campaigns.open, (t)), refusal)) return;
        _ids.push(id);
        Book storage b = _books[id];
        (b.t, b.state, b.changedAt, b.version) = (t, State.Proposed, block.timestamp, 1);
        b.start = startOf(id, 1, 0);
        b.hash = b.start;
    }

    function _activate(uint256 r) private {
        bytes32 id = _pick(r, State.Proposed);
        if (id == 0) return;
        Book storage b = _books[id];
        // Mostly what can still be activated.
        if (_isLate(b) && (r >> 44) % 8 != 0) return _refund(r);
        (Terms memory t, bytes memory refusal) = _load(id, State.Proposed, r);
        if (r % 8 == 1) _approach(b.changedAt + t.activationSeconds, r >> 16);
        uint32 start = _someStart((r >> 32) % 16);
        Handover memory h = _someHandover(id, 1, r);
        Publication memory first = sealing(MATERIAL, h);
        if (r % 32 == 9) first.material = 0;
        uint256 key = _someKey(r >> 40);
        if (refusal.length == 0) refusal = _activationRefusal(b, start, first, key);
        if (!_attempt("activate", stranger, 0, _activation(t, id, start, first, key), refusal)) return;
        (b.state, b.best, b.changedAt) = (State.Open, start, block.timestamp);
        _seal(id, 1, h, r);
        (_locks[id], _locked) = (b.t.stake, _locked + b.t.stake);
    }

    function _activation(Terms memory t, bytes32 id, uint32 start, Publication memory first, uint256 key)
        private
        view
        returns (bytes memory)
    {
        bytes memory sig = signAs(key, activationHash(id, start, _books[id].hash, first));
        return abi.encodeCall(campaigns.activate, (t, start, first, CERTIFICATE, sig));
    }

    function _activationRefusal(Book storage b, uint32 start, Publication memory first, uint256 key)
        private
        view
        returns (bytes memory)
    {
        uint256 end = b.changedAt + b.t.activationSeconds;
        if (block.timestamp >= end) return abi.encodeWithSelector(ICampaigns.TooLate.selector, end);
        if (block.timestamp >= b.t.deadline) {
            return abi.encodeWithSelector(ICampaigns.DeadlinePassed.selector, b.t.deadline);
        }
        if (vm.addr(key) != _attester()) return _wrongSigner(vm.addr(key));
        if (start == 98_001) return abi.encodeWithSelector(ICampaigns.OffGrid.selector, "startPpm", start, b.t.gridPpm);
        if (start == 686_000) {
            return abi.encodeWithSelector(ICampaigns.TargetNotAboveStart.selector, 686_000, 686_000);
        }
        // 28,000 from the claim; 10,000 and a grid step are allowed.
        if (start == 126_000) {
            return abi.encodeWithSelector(ICampaigns.StartOutOfTolerance.selector, 98_000, start, 10_000);
        }
        if (first.material == 0) return abi.encodeWithSelector(ICampaigns.BadMaterial.selector, true);
        return _lockRefusal(b.t);
    }

    function _lockRefusal(Terms memory t) private view returns (bytes memory) {
        if (!_authorized) {
            return abi.encodeWithSelector(ICapsuleRegistry.NotAuthorized.selector, operator, address(campaigns));
        }
        Limits memory l = _limits;
        uint256 run = t.deadline - block.timestamp;
        if (t.stake > l.stakePerCampaign) return _above("stake", t.stake, l.stakePerCampaign);
        if (_locked + t.stake > l.stakeInAll) return _above("stake in all", _locked + t.stake, l.stakeInAll);
        if (run > l.longestRun) return _above("seconds to the deadline", run, l.longestRun);
        if (t.audit.period > l.longestAudit) return _above("audit period", t.audit.period, l.longestAudit);
        if (t.maxSubmissions > l.maxSubmissions) return _above("submissions", t.maxSubmissions, l.maxSubmissions);
        if (t.evaluationSeconds < l.shortestEvaluation) {
            return _below("evaluation seconds", t.evaluationSeconds, l.shortestEvaluation);
        }
        if (t.deliverySeconds < l.shortestDelivery) {
            return _below("delivery seconds", t.deliverySeconds, l.shortestDelivery);
        }
        if (!_accepted[t.token]) {
            return abi.encodeWithSelector(ICapsuleRegistry.TokenNotAccepted.selector, operator, t.token);
        }
        if (t.stake > _stake - _locked) {
            return abi.encodeWithSelector(
                ICapsuleRegistry.InsufficientStake.selector, operator, _stake - _locked, t.stake
            );
        }
        return "";
    }

    function _decline(uint256 r) private {
        bytes32 id = _pick(r, State.Proposed);
        if (id == 0) return;
        (Terms memory t, bytes memory refusal) = _load(id, State.Proposed, r);
        uint256 key = _someKey(r >> 40);
        bytes32 typehash = keccak256("Decline(bytes32 campaign,uint8 reason)");
        bytes memory sig = signAs(key, keccak256(abi.encode(typehash, id, uint8(r))));
        if (refusal.length == 0 && vm.addr(key) != _attester()) refusal = _wrongSigner(vm.addr(key));
        bytes memory data = abi.encodeCall(campaigns.decline, (t, uint8(r), sig));
        if (_attempt("decline", stranger, 0, data, refusal)) _noteRefund(id);
    }

    function _refund(uint256 r) private {
        bytes32 id = _pick(r, State.Proposed);
        if (id == 0) return;
        Book storage b = _books[id];
        (Terms memory t, bytes memory refusal) = _load(id, State.Proposed, r);
        uint256 end = b.changedAt + b.t.activationSeconds;
        _approach(end, r >> 16);
        if (refusal.length == 0) refusal = _unlessSince(end);
        if (_attempt("refund", stranger, 0, abi.encodeCall(campaigns.refund, (t)), refusal)) _noteRefund(id);
    }

    // ------------------------------------------------------------ mining

    function _submit(uint256 r) private {
        bytes32 id = _pick(r, State.Open);
        if (id == 0) return;
        Book storage b = _books[id];
        uint32 version = r % 32 == 5 ? b.version + 1 : b.version;
        // Few different contents, so that windows repeat.
        _submitAs(id, _actor((r >> 16) % ACTORS), version, bytes32((r >> 24) % 2), r % 32 == 6 ? 1 : 0);
    }

    function _submitAs(bytes32 id, address account, uint32 version, bytes32 update, uint256 more)
        private
        returns (bool)
    {
        _touched[id] = true;
        bytes memory data = abi.encodeCall(campaigns.submit, (id, version, update));
        bytes memory refusal = _submissionRefusal(id, account, version, more);
        if (!_attempt("submit", account, _due(id, account) + more, data, refusal)) return false;
        _uploads[id][account][version] += 1;
        _noteSubmission(id, Submission(account, update));
        return true;
    }

    function _noteSubmission(bytes32 id, Submission memory s) private {
        Book storage b = _books[id];
        if (b.pending.length == 0) b.closesAt = _min(block.timestamp + b.t.windowSeconds, b.t.deadline);
        b.stakesIn += _due(id, s.miner);
        _eighths[id][s.miner] += _missing(id, s.miner);
        b.pending.push(s);
        b.submissions += 1;
        b.hash = keccak256(abi.encode(b.hash, s.miner, s.content));
        if (b.pending.length == b.t.windowSize || b.submissions == b.t.maxSubmissions) b.closesAt = block.timestamp;
    }

    function _submissionRefusal(bytes32 id, address account, uint32 version, uint256 more)
        private
        view
        returns (bytes memory)
    {
        Book storage b = _books[id];
        if (b.state != State.Open) return abi.encodeWithSelector(ICampaigns.NotOpen.selector, id, b.state);
        if (version != b.version) return abi.encodeWithSelector(ICampaigns.StaleVersion.selector, b.version);
        if (block.timestamp >= b.t.deadline) {
            return abi.encodeWithSelector(ICampaigns.DeadlinePassed.selector, b.t.deadline);
        }
        if (b.submissions == b.t.maxSubmissions) {
            return abi.encodeWithSelector(ICampaigns.LimitReached.selector, b.t.maxSubmissions);
        }
        if (b.pending.length != 0 && block.timestamp >= b.closesAt) {
            return abi.encodeWithSelector(ICampaigns.WindowClosed.selector, b.index, b.closesAt);
        }
        if (_uploads[id][account][version] >= b.t.capPerVersion) {
            return abi.encodeWithSelector(ICampaigns.CapReached.selector, b.t.capPerVersion);
        }
        if (more != 0) {
            uint256 due = _due(id, account);
            return abi.encodeWithSelector(ICampaigns.WrongValue.selector, due, due + more);
        }
        return "";
    }

    function _settleSomething(uint256 r) private {
        bytes32 id = _pick(r, State.Open);
        if (id == 0) return;
        Book storage b = _books[id];
        if (b.pending.length != 0) _approach(b.closesAt, r >> 16);
        uint256 flaw = (r >> 32) % 24;
        Settlement memory s;
        s.start = flaw == 1 ? keccak256("start") : b.start;
        s.subs = flaw == 2 ? _books[_ids[(r >> 40) % _ids.length]].pending : b.pending;
        if (flaw == 3 && s.subs.length > 1) (s.subs[0], s.subs[1]) = (s.subs[1], s.subs[0]);
        s.outcomes = _someOutcomes(b, flaw, r >> 48);
        s.close = (r >> 36) % 24 == 0 ? 3 : flaw == 4 ? 4 : 0;
        bool renew = _isAccepting(s.outcomes);
        Handover memory h = _someHandover(id, b.version + 1, r);
        if (renew != (flaw == 5)) s.next = sealing(NEXT, h);
        Window memory w;
        (w.version, w.index, w.hash) = (b.version, b.index, b.hash);
        if (flaw == 6) w.index += 1;
        s.sig = signAs(_someKey(r >> 200), settlementHash(id, w, s.outcomes, s.next, s.close));
        if (_settle(id, s, r) && renew) _seal(id, b.version, h, r);
    }

    function _settle(bytes32 id, Settlement memory s, uint256 r) private returns (bool) {
        (Terms memory t, bytes memory refusal) = _load(id, State.Open, r);
        if (refusal.length == 0) refusal = _settlementRefusal(id, s);
        if (!_attempt("settle", stranger, 0, _settlement(t, s), refusal)) return false;
        _history.push(abi.encode(id, s));
        _noteOutcomes(id, s);
        _noteCharges(id, s);
        Book storage b = _books[id];
        delete b.pending;
        (b.index, b.closesAt) = (b.index + 1, 0);
        if (s.next.material != 0) {
            b.version += 1;
            successes["settle with a new version"] += 1;
        }
        b.start = startOf(id, b.version, b.index);
        b.hash = b.start;
        _noteEnd(id, s.close);
        return true;
    }

    function _settlement(Terms memory t, Settlement memory s) private view returns (bytes memory) {
        return abi.encodeCall(campaigns.settle, (t, s.start, s.subs, s.outcomes, s.next, s.close, s.sig));
    }

    /// @dev After a settlement.
    function _noteEnd(bytes32 id, uint8 close) private {
        Book storage b = _books[id];
        CloseReason reason = b.reason;
        if (b.submissions == b.t.maxSubmissions || b.accepts == b.t.maxAccepts) reason = CloseReason.Limit;
        if (close != 0) reason = CloseReason.LeakBudget;
        if (b.best >= b.t.targetPpm) reason = CloseReason.Target;
        if (reason != CloseReason.None) _noteClose(id, reason, 0);
    }

    function _settlementRefusal(bytes32 id, Settlement memory s) private view returns (bytes memory) {
        Book storage b = _books[id];
        if (b.pending.length == 0 || block.timestamp < b.closesAt) {
            return abi.encodeWithSelector(ICampaigns.WindowOpen.selector, b.index, b.closesAt);
        }
        (uint256 subs, uint256 outcomes) = (s.subs.length, s.outcomes.length);
        if (outcomes != subs) {
            return abi.encodeWithSelector(ICampaigns.WrongCount.selector, subs, outcomes, b.pending.length);
        }
        bytes memory refusal = _windowRefusal(b, s.start, s.subs);
        if (refusal.length != 0) return refusal;
        if (s.close != 0 && s.close != 3) return abi.encodeWithSelector(ICampaigns.BadCloseReason.selector, s.close);
        Window memory w;
        (w.version, w.index, w.hash) = (b.version, b.index, b.hash);
        address signer = _recovered(settlementHash(id, w, s.outcomes, s.next, s.close), s.sig);
        if (signer != _attester()) return _wrongSigner(signer);
        refusal = _outcomesRefusal(b, s.outcomes);
        if (refusal.length != 0) return refusal;
        bool renew = _isAccepting(s.outcomes);
        if (renew != (s.next.material != 0)) return abi.encodeWithSelector(ICampaigns.BadMaterial.selector, renew);
        return "";
    }

    function _windowRefusal(Book storage b, bytes32 start, Submission[] memory subs)
        private
        view
        returns (bytes memory)
    {
        if (subs.length != b.pending.length) {
            return abi.encodeWithSelector(
                ICampaigns.WrongCount.selector, subs.length, subs.length, b.pending.length
            );
        }
        bytes32 given = start;
        for (uint256 i = 0; i < subs.length; ++i) {
            given = keccak256(abi.encode(given, subs[i].miner, subs[i].content));
        }
        if (given != b.hash) return abi.encodeWithSelector(ICampaigns.WrongWindow.selector, b.hash, given);
        return "";
    }

    function _outcomesRefusal(Book storage b, uint16[] memory outcomes) private view returns (bytes memory) {
        uint256 best = b.best;
        uint256 accepts = 0;
        for (uint256 i = 0; i < outcomes.length; ++i) {
            uint256 outcome = outcomes[i];
            if (outcome == 0 || (outcome > 0xF000 && outcome < 0xF100)) continue;
            if (outcome >= 0xF000) return abi.encodeWithSelector(ICampaigns.BadOutcome.selector, i, outcome);
            uint256 reached = outcome * b.t.gridPpm;
            if (reached <= best || reached > 1_000_000) {
                return abi.encodeWithSelector(ICampaigns.BadStep.selector, i, reached, best);
            }
            accepts += 1;
            if (accepts > 4) return abi.encodeWithSelector(ICampaigns.TooManyAccepts.selector, accepts, 4);
            if (b.accepts + accepts > b.t.maxAccepts) {
                return abi.encodeWithSelector(
                    ICampaigns.TooManyAccepts.selector, b.accepts + accepts, b.t.maxAccepts
                );
            }
            best = reached;
        }
        return "";
    }

    /// @dev Who is paid what.
    function _noteOutcomes(bytes32 id, Settlement memory s) private {
        Book storage b = _books[id];
        for (uint256 i = 0; i < s.outcomes.length; ++i) {
            if (s.outcomes[i] == 0 || s.outcomes[i] >= 0xF000) continue;
            uint256 reached = uint256(s.outcomes[i]) * b.t.gridPpm;
            uint256 from = b.best < b.t.targetPpm ? b.best : b.t.targetPpm;
            uint256 to = reached < b.t.targetPpm ? reached : b.t.targetPpm;
            uint256 amount = uint256(b.t.bounty) * (to - from) / b.t.targetPpm;
            _owed[id][s.subs[i].miner] += amount;
            b.awarded += amount;
            b.best = reached;
            b.accepts += 1;
        }
    }

    /// @dev Who pays what.
    function _noteCharges(bytes32 id, Settlement memory s) private {
        Book storage b = _books[id];
        if (b.t.submissionStake == 0) return;
        uint256 eighth = uint256(b.t.submissionStake) / 8;
        uint256 gas = GAS_PER_EVALUATION * block.basefee;
        uint256 burned = 0;
        for (uint256 i = 0; i < s.outcomes.length; ++i) {
            uint256 outcome = s.outcomes[i];
            if (outcome != 0 && outcome < 0xF000) continue;
            uint256 eighths = outcome > 0xF001 ? 8 : 1;
            _eighths[id][s.subs[i].miner] -= eighths;
            uint256 toCapsule = outcome != 0 ? 0 : gas < eighth ? gas : eighth;
            b.gasCredit += toCapsule;
            burned += eighths * eighth - toCapsule;
        }
        b.burned += burned;
        _burned += burned;
    }

    /// @dev Brings an old settlement again.
    function _replay(uint256 r) private {
        if (_history.length == 0) return;
        (bytes32 id, Settlement memory s) = abi.decode(_history[r % _history.length], (bytes32, Settlement));
        _settlesNothing(id, s, r);
    }

    /// @dev Sends the submissions of an old settlement again, so that it looks right, and then the settlement.
    function _repeat(uint256 r) private {
        if (_history.length == 0) return;
        (bytes32 id, Settlement memory s) = abi.decode(_history[r % _history.length], (bytes32, Settlement));
        if (_books[id].state != State.Open || _books[id].pending.length != 0) return;
        for (uint256 i = 0; i < s.subs.length; ++i) {
            _submitAs(id, s.subs[i].miner, _books[id].version, s.subs[i].content, 0);
        }
        if (_books[id].pending.length != 0) vm.warp(_max(block.timestamp, _books[id].closesAt));
        // With the window's own start, so that it fails only for its signature.
        if (r % 2 == 0) s.start = _books[id].start;
        _settlesNothing(id, s, r);
    }

    function _settlesNothing(bytes32 id, Settlement memory s, uint256 r) private {
        vm.assertTrue(!_settle(id, s, r), "nothing is settled twice");
        successes["refuse a settlement that was"] += 1;
    }

    // ------------------------------------------------------------ ends

    function _close(uint256 r) private {
        bytes32 id = _pick(r, State.Open);
        if (id == 0) return;
        Book storage b = _books[id];
        (Terms memory t, bytes memory refusal) = _load(id, State.Open, r);
        address sender = (r >> 32) % 4 == 0 ? stranger : owner;
        if (refusal.length == 0) refusal = _closeRefusal(id, sender);
        bool empty = b.pending.length == 0;
        bytes memory data = abi.encodeCall(campaigns.close, (t));
        if (!_attempt(empty ? "close" : "announce the end", sender, 0, data, refusal)) return;
        bool late = block.timestamp >= b.t.deadline;
        if (empty) _noteClose(id, late ? CloseReason.Deadline : CloseReason.Owner, 0);
        else b.reason = CloseReason.Owner;
    }

    function _closeRefusal(bytes32 id, address sender) private view returns (bytes memory) {
        Book storage b = _books[id];
        bool late = block.timestamp >= b.t.deadline;
        if (!late && sender != owner) return abi.encodeWithSelector(ICampaigns.NotOwner.selector, owner, sender);
        if (b.pending.length == 0) return "";
        if (late) return abi.encodeWithSelector(ICampaigns.UnsettledWindow.selector, b.index, b.pending.length);
        if (b.reason != CloseReason.None) return abi.encodeWithSelector(ICampaigns.AlreadyClosing.selector, id);
        return "";
    }

    function _finalize(uint256 r) private {
        bytes32 id = _pick(r, State.Closed);
        if (id == 0) return;
        Book storage b = _books[id];
        (Terms memory t, bytes memory refusal) = _load(id, State.Closed, r);
        uint256 flaw = (r >> 32) % 12;
        uint256 key = _someKey(r >> 200);
        if (refusal.length == 0) refusal = _deliveryRefusal(id, flaw, key);
        if (!_attempt("finalize", stranger, 0, _delivery(t, id, flaw, key), refusal)) return;
        (b.state, b.changedAt) = (State.Finalized, block.timestamp);
    }

    function _delivery(Terms memory t, bytes32 id, uint256 flaw, uint256 key) private view returns (bytes memory) {
        uint256 versions = _books[id].version;
        Handover[] memory all = new Handover[](flaw == 0 ? versions + 1 : versions);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = _handovers[id][i + 1];
        }
        // Version 2 with what was sealed for version 1.
        if (flaw == 1 && all.length > 1) all[1] = all[0];
        bytes32 typehash = keccak256("Delivery(bytes32 campaign,bytes32 windowHash,bytes32 result)");
        bytes memory sig = signAs(key, keccak256(abi.encode(typehash, id, campaigns.status(id).windowHash, bytes32("result"))));
        return abi.encodeCall(campaigns.finalize, (t, bytes32("result"), all, sig));
    }

    function _deliveryRefusal(bytes32 id, uint256 flaw, uint256 key) private view returns (bytes memory) {
        Book storage b = _books[id];
        if (b.reason == CloseReason.CapsuleTimeout) {
            return abi.encodeWithSelector(ICampaigns.CapsuleTimedOut.selector, id);
        }
        if (vm.addr(key) != _attester()) return _wrongSigner(vm.addr(key));
        if (flaw == 0) return abi.encodeWithSelector(ICampaigns.WrongHandovers.selector, b.version + 1, b.version);
        if (flaw == 1 && b.version > 1) return abi.encodeWithSelector(ICampaigns.WrongHandover.selector, 2);
        return "";
    }

    function _release(uint256 r) private {
        bytes32 id = _pick(r, State.Finalized);
        if (id == 0) return;
        Book storage b = _books[id];
        (Terms memory t, bytes memory refusal) = _load(id, State.Finalized, r);
        uint256 end = b.changedAt + b.t.audit.period;
        if (r % 2 == 0) _approach(end, r >> 16);
        if (refusal.length == 0) refusal = _unlessSince(end);
        address sender = (r >> 32) % 2 == 0 ? owner : stranger;
        if (!_attempt("release", sender, 0, abi.encodeCall(campaigns.release, (t)), refusal)) return;
        b.state = State.Released;
        b.fee = earnedFee(b.t, b.awarded);
        _owed[id][operator] += b.fee;
        _credits[id][operator] += b.fee;
        _credit(id, fee(b.t) - b.fee);
        (_locked, _locks[id]) = (_locked - _locks[id], 0);
    }

    /// @dev The owner accuses the Capsule, rightly or not.
    function _convict(uint256 r) private {
        bytes32 id = _pick(r, State.Finalized);
        if (id == 0) return;
        Book storage b = _books[id];
        (Terms memory t, bytes memory refusal) = _load(id, State.Finalized, r);
        // One more than there are.
        uint32 version = uint32(1 + (r >> 32) % (b.version + 1));
        uint256 flaw = (r >> 40) % 12;
        Handover memory h = _handovers[id][version];
        if (flaw == 0) h.ciphertext ^= bytes32(uint256(1));
        KeyProof memory proof = KeyProof(flaw == 1 ? AUDIT_KEY + 1 : AUDIT_KEY, _branch(version));
        if (refusal.length == 0) refusal = _convictionRefusal(id, version, flaw);
        bytes memory data = abi.encodeCall(campaigns.convictHandover, (t, version, h, proof));
        if (!_attempt("convict", stranger, 0, data, refusal)) return;
        if (version > 1) successes["convict by a later version"] += 1;
        b.state = State.Convicted;
        _credit(id, fee(b.t));
        _slash(id, uint256(b.t.stake) / 10);
        if (b.t.stake != 0) _claimable[owner] += uint256(b.t.stake) / 10;
    }

    function _convictionRefusal(bytes32 id, uint32 version, uint256 flaw) private view returns (bytes memory) {
        if (flaw == 0 || version > _books[id].version) {
            return abi.encodeWithSelector(ICampaigns.WrongHandover.selector, version);
        }
        if (flaw == 1) return abi.encodeWithSelector(IAssessor.WrongKey.selector, version);
        if (_honest[id][version]) return abi.encodeWithSelector(IAssessor.NotGuilty.selector);
        return "";
    }

    function _abandon(uint256 r) private {
        bytes32 id = _pick(r, State.Open);
        if (id == 0) return;
        Book storage b = _books[id];
        (Terms memory t, bytes memory refusal) = _load(id, State.Open, r);
        uint256 end = b.closesAt + b.t.evaluationSeconds;
        if (b.pending.length != 0) _approach((r >> 24) % 4 == 0 ? b.closesAt : end, r >> 16);
        uint256 flaw = (r >> 32) % 8;
        Submission[] memory pending = flaw == 0 ? _books[_ids[(r >> 40) % _ids.length]].pending : b.pending;
        bytes32 start = flaw == 1 ? b.hash : b.start;
        if (refusal.length == 0) refusal = _abandonRefusal(b, end, start, pending);
        bytes memory data = abi.encodeCall(campaigns.abandon, (t, start, pending));
        if (_attempt("abandon", stranger, 0, data, refusal)) _noteAbandon(id);
    }

    function _abandonRefusal(Book storage b, uint256 end, bytes32 start, Submission[] memory pending)
        private
        view
        returns (bytes memory)
    {
        if (b.pending.length == 0 || block.timestamp < b.closesAt) {
            return abi.encodeWithSelector(ICampaigns.WindowOpen.selector, b.index, b.closesAt);
        }
        if (block.timestamp < end) return _unlessSince(end);
        return _windowRefusal(b, start, pending);
    }

    function _noteAbandon(bytes32 id) private {
        Book storage b = _books[id];
        uint256 share = uint256(b.t.stake) / 10 / b.t.windowSize;
        for (uint256 i = 0; i < b.pending.length; ++i) {
            _claimable[b.pending[i].miner] += share;
        }
        _slash(id, share * b.pending.length);
        delete b.pending;
        _noteClose(id, CloseReason.CapsuleTimeout, fee(b.t));
    }

    function _expire(uint256 r) private {
        bytes32 id = _pick(r, State.Closed);
        if (id == 0) return;
        Book storage b = _books[id];
        (Terms memory t, bytes memory refusal) = _load(id, State.Closed, r);
        uint256 end = b.changedAt + b.t.deliverySeconds;
        _approach(end, r >> 16);
        if (refusal.length == 0 && b.reason == CloseReason.CapsuleTimeout) {
            refusal = abi.encodeWithSelector(ICampaigns.CapsuleTimedOut.selector, id);
        }
        if (refusal.length == 0) refusal = _unlessSince(end);
        if (_attempt("expire", stranger, 0, abi.encodeCall(campaigns.expire, (t)), refusal)) _noteExpiry(id);
    }

    // ------------------------------------------------------------ money

    function _withdraw(uint256 r) private {
        if (_ids.length == 0) return;
        bytes32 id = _ids[r % _ids.length];
        _withdrawAs(id, _actor((r >> 32) % ACTORS), (r >> 16) % 16 == 0 ? address(0) : SINK, r >> 48);
    }

    function _withdrawAs(bytes32 id, address account, address to, uint256 r) private {
        uint256 amount = _owed[id][account];
        (Terms memory t, bytes memory refusal) = _withdrawalOf(id, account, to, amount, r);
        if (!_attempt("withdraw", account, 0, abi.encodeCall(campaigns.withdraw, (t, to)), refusal)) return;
        if (t.token == address(0)) _sunkEth += amount;
        else _sunkTokens += amount;
        _books[id].sent += amount;
        // What is not a credit was earned as a miner.
        _books[id].paid += amount - _credits[id][account];
        (_owed[id][account], _credits[id][account]) = (0, 0);
    }

    /// @dev The terms, or rarely others, and the refusal.
    function _withdrawalOf(bytes32 id, address account, address to, uint256 amount, uint256 r)
        private
        returns (Terms memory t, bytes memory refusal)
    {
        (t, refusal) = _load(id, _books[id].state, r);
        if (to == address(0)) refusal = abi.encodeWithSelector(ICampaigns.ZeroAddress.selector);
        else if (refusal.length != 0 || amount == 0) {
            refusal = abi.encodeWithSelector(ICampaigns.NothingOwed.selector, _idOf(t), account);
        }
    }

    function _withdrawStake(uint256 r) private {
        if (_ids.length == 0) return;
        bytes32 id = _ids[r % _ids.length];
        // The Capsule's gas is there too.
        address account = (r >> 96) % 3 == 0 ? operator : _actor((r >> 32) % ACTORS);
        _withdrawStakeAs(id, account, (r >> 16) % 16 == 0 ? address(0) : SINK, r >> 48);
    }

    function _withdrawStakeAs(bytes32 id, address account, address to, uint256 r) private {
        uint256 free = _eighths[id][account] - _held(id, account);
        uint256 gas = account == operator ? _books[id].gasCredit : 0;
        uint256 amount = free * _books[id].t.submissionStake / 8 + gas;
        (Terms memory t, bytes memory refusal) = _withdrawalOf(id, account, to, amount, r);
        bytes memory data = abi.encodeCall(campaigns.withdrawStake, (t, to));
        if (!_attempt("withdraw stake", account, 0, data, refusal)) return;
        if (gas != 0) {
            _books[id].gasCredit = 0;
            successes["withdraw gas"] += 1;
        }
        _eighths[id][account] -= free;
        _books[id].stakesOut += amount;
        _sunkEth += amount;
    }

    function _claim(uint256 r) private {
        address account = _actor(r % ACTORS);
        uint256 amount = _claimable[account];
        bytes memory refusal;
        if (amount == 0) refusal = abi.encodeWithSelector(ICapsuleRegistry.NothingToClaim.selector, account);
        bytes memory data = abi.encodeCall(registry.claim, (SINK));
        if (!_attemptAt(address(registry), "claim", account, 0, data, refusal)) return;
        _claimable[account] = 0;
        _registryBalance -= amount;
        _sunkEth += amount;
    }

    function _moveStake(uint256 r) private {
        uint256 amount = r % 20 ether;
        if (_stake < 60 ether || (r >> 128) % 2 == 0) {
            bytes memory deposit_ = abi.encodeCall(registry.deposit, ());
            _attemptAt(address(registry), "deposit", operator, amount, deposit_, "");
            (_stake, _registryBalance) = (_stake + amount, _registryBalance + amount);
            return;
        }
        uint256 free = _stake - _locked;
        if (r % 3 != 0 && amount > free) amount = free;
        bytes memory refusal;
        if (amount > free) {
            refusal = abi.encodeWithSelector(ICapsuleRegistry.InsufficientStake.selector, operator, free, amount);
        }
        bytes memory data = abi.encodeCall(registry.unstake, (amount));
        if (!_attemptAt(address(registry), "unstake", operator, 0, data, refusal)) return;
        (_stake, _registryBalance) = (_stake - amount, _registryBalance - amount);
    }

    function _rotate() private {
        _present = 1 - _present;
        vm.prank(operator);
        registry.update(_attester(), bytes32("f"), bytes32("c"), "here", FEE_PPM);
        successes["rotate the key"] += 1;
    }

    function _limit(uint256 r) private {
        _limits = limits();
        // Mostly what everybody may have.
        if (r % 8 == 1) _limits.stakeInAll = uint128(_locked);
        if (r % 8 == 2) _limits.stakePerCampaign = 1 ether;
        if (r % 8 == 3) _limits.maxSubmissions = 10;
        if (r % 8 == 4) _limits.shortestEvaluation = 1000;
        _authorized = r % 8 != 5;
        _accepted[address(coin)] = r % 8 != 6;
        vm.startPrank(operator);
        registry.setLimits(_limits);
        registry.authorize(address(campaigns), _authorized);
        registry.setToken(address(coin), _accepted[address(coin)], 0);
        vm.stopPrank();
    }

    /// @dev Time, blocks and the price of gas.
    function _wait(uint256 r) private {
        vm.warp(block.timestamp + (r >> 32) % 1000);
        vm.roll(block.number + 1 + r % 3);
        vm.setBlockhash(block.number - 1, keccak256(abi.encode(r)));
        vm.fee((r >> 64) % 200 gwei);
    }

    // ------------------------------------------------------------ the model's books

    // Of what accounts are owed, what is not a miner's earnings.
    mapping(bytes32 id => mapping(address account => uint256)) private _credits;

    /// @dev To the owner.
    function _credit(bytes32 id, uint256 amount) private {
        _books[id].refunded += amount;
        _owed[id][owner] += amount;
        _credits[id][owner] += amount;
    }

    function _noteRefund(bytes32 id) private {
        Book storage b = _books[id];
        (b.state, b.changedAt) = (State.Refunded, block.timestamp);
        _credit(id, deposit(b.t));
    }

    function _noteClose(bytes32 id, CloseReason reason, uint256 fee_) private {
        Book storage b = _books[id];
        (b.state, b.reason, b.changedAt) = (State.Closed, reason, block.timestamp);
        _credit(id, b.t.bounty - b.awarded + fee_);
    }

    function _noteExpiry(bytes32 id) private {
        Book storage b = _books[id];
        b.reason = CloseReason.CapsuleTimeout;
        _credit(id, fee(b.t));
        uint256 paid = b.t.token == address(0) ? uint256(b.t.stake) / 10 : 0;
        if (paid > fee(b.t)) paid = fee(b.t);
        _slash(id, paid);
        _claimable[owner] += paid;
    }

    function _slash(bytes32 id, uint256 paid) private {
        uint256 stake = _locks[id];
        (_locks[id], _locked, _stake) = (0, _locked - stake, _stake - stake);
        if (stake == 0) return;
        _registryBalance -= stake - paid;
        _burned += stake - paid;
    }

    function _seal(bytes32 id, uint32 version, Handover memory h, uint256 r) private {
        _handovers[id][version] = h;
        _honest[id][version] = _isHonest(r);
    }

    /// @dev Eighths behind submissions of an unsettled window.
    function _held(bytes32 id, address account) private view returns (uint256 held) {
        Book storage b = _books[id];
        if (b.state != State.Open) return 0;
        for (uint256 i = 0; i < b.pending.length; ++i) {
            if (b.pending[i].miner == account) held += 8;
        }
    }

    function _missing(bytes32 id, address account) private view returns (uint256) {
        uint256 free = _eighths[id][account] - _held(id, account);
        return free < 8 ? 8 - free : 0;
    }

    function _due(bytes32 id, address account) private view returns (uint256) {
        return _missing(id, account) * _books[id].t.submissionStake / 8;
    }

    // ------------------------------------------------------------ checks

    /// @notice The contracts agree with the model, and no money is lost or made. Looks into all campaigns, or those that
    /// somebody touched since the last check.
    function check(bool all) external {
        uint256 eth = 0;
        uint256 tokens = 0;
        uint256 locked = 0;
        for (uint256 i = 0; i < _ids.length; ++i) {
            bytes32 id = _ids[i];
            Book storage b = _books[id];
            if (all || _touched[id]) {
                _checkStatus(id);
                _checkLedger(id);
                _checkStakes(id);
                vm.assertEq(registry.lockedFor(operator, address(campaigns), id), _locks[id], "lock");
                _touched[id] = false;
            }
            uint256 held = deposit(b.t) - b.sent;
            if (b.t.token == address(0)) eth += held;
            else tokens += held;
            eth += b.stakesIn - b.stakesOut - b.burned;
            locked += _locks[id];
        }
        vm.assertEq(address(campaigns).balance, eth, "the campaigns' ETH");
        vm.assertEq(coin.balanceOf(address(campaigns)), tokens, "the campaigns' tokens");
        Capsule memory c = registry.capsule(operator);
        vm.assertEq(c.stake, _stake, "stake");
        vm.assertEq(c.locked, locked, "locked");
        uint256 claimable = 0;
        for (uint256 a = 0; a < ACTORS; ++a) {
            vm.assertEq(registry.claimable(_actor(a)), _claimable[_actor(a)], "claimable");
            claimable += _claimable[_actor(a)];
        }
        vm.assertEq(address(registry).balance, _stake + claimable, "the registry's ETH is stakes and credits");
        vm.assertEq(address(registry).balance, _registryBalance, "the registry's ETH is what came in and stayed");
        vm.assertEq(address(0).balance - _burnedBefore, _burned, "burned");
        vm.assertEq(SINK.balance - _sunkBefore, _sunkEth, "exactly what was due is paid");
        vm.assertEq(coin.balanceOf(SINK), _sunkTokens, "exactly what was due is paid in tokens");
    }

    function _checkStatus(bytes32 id) private view {
        Book storage b = _books[id];
        Status memory s = campaigns.status(id);
        vm.assertEq(uint256(s.state), uint256(b.state), "state");
        vm.assertEq(uint256(s.reason), uint256(b.reason), "reason");
        vm.assertEq(s.bestPpm, b.best, "best");
        vm.assertEq(s.accepts, b.accepts, "accepts");
        vm.assertEq(s.submissions, b.submissions, "submissions");
        vm.assertEq(s.windowIndex, b.index, "index");
        vm.assertEq(s.windowHash, b.hash, "hash");
        vm.assertEq(s.changedAt, b.changedAt, "changed at");
        bool active = b.state != State.Proposed && b.state != State.Refunded;
        vm.assertEq(s.material, !active ? bytes32(0) : b.version == 1 ? MATERIAL : NEXT, "material");
        vm.assertEq(s.version, active ? b.version : 0, "version");
        if (b.state != State.Open) return;
        vm.assertEq(s.windowCount, b.pending.length, "count");
        vm.assertEq(s.windowClosesAt, b.closesAt, "closes at");
        Window memory w = campaigns.window(id);
        vm.assertTrue(w.closed == (b.pending.length != 0 && block.timestamp >= b.closesAt), "closed");
        vm.assertEq(w.version, b.version, "the window's version");
        vm.assertEq(w.index, b.index, "the window's index");
        vm.assertEq(w.count, b.pending.length, "the window's count");
        vm.assertEq(w.closesAt, b.closesAt, "the window closes at");
        vm.assertEq(w.hash, b.hash, "the window's hash");
    }

    /// @dev deposited = paid + owed + refunded + fee + escrowed, each by the model, and everyone is owed theirs.
    function _checkLedger(bytes32 id) private view {
        Book storage b = _books[id];
        Ledger memory l = campaigns.ledger(b.t);
        vm.assertEq(l.deposited, deposit(b.t), "deposited");
        vm.assertEq(l.paid, b.paid, "paid");
        vm.assertEq(l.owed, b.awarded - b.paid, "owed");
        vm.assertEq(l.refunded, b.refunded, "refunded");
        vm.assertEq(l.fee, b.fee, "fee");
        vm.assertEq(l.deposited, l.paid + l.owed + l.refunded + l.fee + l.escrowed, "the ledger balances");
        uint256 owed = 0;
        for (uint256 a = 0; a < ACTORS; ++a) {
            vm.assertEq(campaigns.owed(id, _actor(a)), _owed[id][_actor(a)], "everyone is owed what is due");
            owed += _owed[id][_actor(a)];
        }
        vm.assertEq(l.deposited, b.sent + owed + l.escrowed, "nothing leaks between campaigns");
    }

    /// @dev Submission stakes that came in are held, free, the Capsule's for its gas, burned, or went out.
    function _checkStakes(bytes32 id) private view {
        Book storage b = _books[id];
        uint256 eighth = uint256(b.t.submissionStake) / 8;
        uint256 here = 0;
        for (uint256 a = 0; a < ACTORS; ++a) {
            address account = _actor(a);
            Stakes memory s = campaigns.stakesOf(id, account);
            uint256 held = _held(id, account) * eighth;
            vm.assertEq(s.held, held, "held for what is pending");
            vm.assertEq(s.held + s.free, _eighths[id][account] * eighth, "everyone has their stakes");
            vm.assertEq(s.due, _missing(id, account) * eighth, "due");
            here += s.held + s.free;
        }
        vm.assertEq(b.stakesIn, here + b.gasCredit + b.burned + b.stakesOut, "no stake leaks");
    }

    /// @notice Whatever state it was left in, every campaign can be brought to an end by time alone; then everyone
    /// withdraws, and nothing is left.
    function windUp() external {
        vm.warp(block.timestamp + 40 days);
        for (uint256 i = 0; i < _ids.length; ++i) {
            Book storage b = _books[_ids[i]];
            if (b.state == State.Proposed) campaigns.refund(b.t);
            else if (b.state == State.Open && b.pending.length == 0) campaigns.close(b.t);
            else if (b.state == State.Open) campaigns.abandon(b.t, b.start, b.pending);
        }
        vm.warp(block.timestamp + 40 days);
        for (uint256 i = 0; i < _ids.length; ++i) {
            Terms memory t = _books[_ids[i]].t;
            Status memory s = campaigns.status(_ids[i]);
            if (s.state == State.Closed && s.reason != CloseReason.CapsuleTimeout) campaigns.expire(t);
            if (s.state == State.Finalized) campaigns.release(t);
            for (uint256 a = 0; a < ACTORS; ++a) {
                _takeAll(_ids[i], t, _actor(a));
            }
        }
        for (uint256 a = 0; a < ACTORS; ++a) {
            if (registry.claimable(_actor(a)) == 0) continue;
            vm.prank(_actor(a));
            registry.claim(SINK);
        }
        Capsule memory c = registry.capsule(operator);
        vm.assertEq(c.locked, 0, "locked for ever");
        vm.prank(operator);
        registry.unstake(c.stake);
        vm.assertEq(address(campaigns).balance, 0, "ETH is left");
        vm.assertEq(coin.balanceOf(address(campaigns)), 0, "tokens are left");
        vm.assertEq(address(registry).balance, 0, "stake is left");
    }

    function _takeAll(bytes32 id, Terms memory t, address account) private {
        if (campaigns.owed(id, account) != 0) {
            vm.prank(account);
            campaigns.withdraw(t, SINK);
        }
        bool gas = account == operator && _books[id].gasCredit != 0;
        if (campaigns.stakesOf(id, account).free == 0 && !gas) return;
        vm.prank(account);
        campaigns.withdrawStake(t, SINK);
    }

    /// @notice The first action that never succeeded; empty if each did.
    function missing() external view returns (string memory) {
        string[23] memory actions = [
            "open",
            "activate",
            "decline",
            "refund",
            "submit",
            "settle",
            "settle with a new version",
            "refuse a settlement that was",
            "close",
            "announce the end",
            "finalize",
            "release",
            "convict",
            "convict by a later version",
            "abandon",
            "expire",
            "withdraw",
            "withdraw stake",
            "withdraw gas",
            "claim",
            "deposit",
            "unstake",
            "rotate the key"
        ];
        for (uint256 i = 0; i < actions.length; ++i) {
            if (successes[actions[i]] == 0) return actions[i];
        }
        return "";
    }

    /// @notice The first error that no call met; zero if each was met.
    function unmet() external view returns (bytes4) {
        bytes4[16] memory errors = [
            ICampaigns.UnknownCampaign.selector,
            ICampaigns.WrongState.selector,
            ICampaigns.NotOpen.selector,
            ICampaigns.WrongSigner.selector,
            ICampaigns.WrongWindow.selector,
            ICampaigns.WrongCount.selector,
            ICampaigns.WindowOpen.selector,
            ICampaigns.WindowClosed.selector,
            ICampaigns.StaleVersion.selector,
            ICampaigns.WrongValue.selector,
            ICampaigns.TooEarly.selector,
            ICampaigns.BadStep.selector,
            ICampaigns.BadMaterial.selector,
            ICampaigns.NothingOwed.selector,
            ICampaigns.WrongHandover.selector,
            IAssessor.NotGuilty.selector
        ];
        for (uint256 i = 0; i < errors.length; ++i) {
            if (refusals[errors[i]] == 0) return errors[i];
        }
        return 0;
    }

    // ------------------------------------------------------------ chance

    function _someTerms(uint256 r) private view returns (Terms memory t) {
        t = r % 3 == 0 ? coinTerms() : ethTerms();
        t.bounty = uint128(1e16 + (r >> 8) % 1e20);
        t.maxAccepts = uint16(1 + (r >> 16) % 7);
        t.maxSubmissions = uint32(3 + (r >> 24) % 30);
        t.windowSize = uint16(1 + (r >> 32) % 6);
        t.capPerVersion = uint16(1 + (r >> 40) % 4);
        t.gridPpm = (r >> 48) % 3 == 0 ? 7_000 : 1_000;
        (t.targetPpm, t.startPpm) = (686_000, 98_000);
        t.stake = uint128((r >> 56) % 4 == 0 ? 0 : (r >> 64) % 10 ether);
        uint256 most = t.token == address(0) ? uint256(t.bounty) * t.gridPpm / t.targetPpm : 0.001 ether;
        t.submissionStake = uint128((r >> 72) % 5 == 0 ? 0 : (r >> 80) % most / 1e12 * 1e12);
        t.windowSeconds = uint32(60 + (r >> 88) % 600);
        t.activationSeconds = uint32(2000 + (r >> 96) % 10_000);
        t.evaluationSeconds = uint32(100 + (r >> 104) % 3000);
        t.deliverySeconds = uint32(200 + (r >> 112) % 3000);
        t.audit.period = uint32(1000 + (r >> 120) % 3000);
        t.deadline = uint64(block.timestamp + 5000 + (r >> 128) % 2 days);
        t.audit.keys = _root();
        t.salt = bytes32(r);
    }

    function _someStart(uint256 x) private pure returns (uint32) {
        if (x == 0) return 98_001;
        if (x == 1) return 686_000;
        return x == 2 ? 126_000 : 98_000;
    }

    /// @dev Mostly outcomes that the contract must take.
    function _someOutcomes(Book storage b, uint256 flaw, uint256 r) private view returns (uint16[] memory outcomes) {
        uint256 count = b.pending.length;
        if (flaw == 7 && count != 0) count -= 1;
        outcomes = new uint16[](count);
        uint256 best = b.best / b.t.gridPpm;
        uint256 left = _min(b.t.maxAccepts - b.accepts, 4);
        for (uint256 i = 0; i < count; ++i) {
            uint256 x = uint256(keccak256(abi.encode(r, i)));
            uint256 reached = best + 1 + (x >> 8) % 40;
            if (flaw == 8 || (x % 4 == 0 && left != 0 && reached * b.t.gridPpm <= 1_000_000)) {
                outcomes[i] = uint16(reached);
                best = reached;
                if (left != 0) left -= 1;
            } else {
                outcomes[i] = _someRefusal(x);
            }
        }
        if (flaw == 9 && count != 0) {
            outcomes[r % count] = [uint16(0xF000), 0xF100, 0xFFFF, 1, 0xEFFF][(r >> 8) % 5];
        }
    }

    function _someRefusal(uint256 x) private pure returns (uint16) {
        if ((x >> 24) % 4 < 2) return 0;
        return (x >> 24) % 4 == 2 ? 0xF001 : uint16(0xF002 + (x >> 16) % 254);
    }

    function _isAccepting(uint16[] memory outcomes) private pure returns (bool) {
        for (uint256 i = 0; i < outcomes.length; ++i) {
            if (outcomes[i] != 0 && outcomes[i] < 0xF000) return true;
        }
        return false;
    }

    function _isHonest(uint256 r) private pure returns (bool) {
        return (r >> 12) % 2 == 0;
    }

    function _someHandover(bytes32 id, uint32 version, uint256 r) private returns (Handover memory) {
        if (!_isHonest(r)) return handover(bytes32(r));
        return honestHandover(id, version, bytes32(r), keccak256(abi.encode(r)), 1 + r % (ORDER - 1));
    }

    /// @dev Mostly the present one.
    function _someKey(uint256 r) private view returns (uint256) {
        if (r % 16 == 0) return _keys[1 - _present];
        return r % 16 == 1 ? OWNER_KEY : _keys[_present];
    }

    /// @dev Mostly one in this state, if there is one; else any.
    function _pick(uint256 r, State state) private view returns (bytes32) {
        if (_ids.length == 0) return 0;
        uint256 first = (r >> 100) % _ids.length;
        if ((r >> 180) % 8 == 0) return _ids[first];
        for (uint256 i = 0; i < _ids.length; ++i) {
            bytes32 id = _ids[(first + i) % _ids.length];
            // Nothing more happens to a campaign whose Capsule timed out.
            if (_books[id].state == state && _books[id].reason != CloseReason.CapsuleTimeout) return id;
        }
        return _ids[first];
    }

    /// @dev Brings the time to a limit, or a second before it, if that is ahead; or leaves it.
    function _approach(uint256 limit, uint256 r) private {
        if (r % 4 == 0) return;
        if (r % 4 == 1) limit -= 1;
        vm.warp(_max(block.timestamp, limit));
    }

    /// @dev The terms of a campaign, or rarely others; with the refusal that they meet.
    function _load(bytes32 id, State needed, uint256 r) private returns (Terms memory t, bytes memory refusal) {
        _touched[id] = true;
        State state = _books[id].state;
        t = _books[id].t;
        if ((r >> 190) % 32 == 0) {
            t.manifest = ~t.manifest;
            return (t, abi.encodeWithSelector(ICampaigns.UnknownCampaign.selector, _idOf(t)));
        }
        if (state != needed) refusal = abi.encodeWithSelector(ICampaigns.WrongState.selector, id, state, needed);
    }

    // ------------------------------------------------------------ little things

    function _attempt(string memory action, address sender, uint256 value, bytes memory data, bytes memory refusal)
        private
        returns (bool)
    {
        return _attemptAt(address(campaigns), action, sender, value, data, refusal);
    }

    /// @dev Must succeed if there is no refusal, else revert with exactly that one.
    function _attemptAt(
        address target,
        string memory action,
        address sender,
        uint256 value,
        bytes memory data,
        bytes memory refusal
    ) private returns (bool ok) {
        vm.deal(sender, sender.balance + value);
        bytes memory answer;
        vm.prank(sender);
        (ok, answer) = target.call{ value: value }(data);
        if (refusal.length == 0) {
            if (!ok) vm.assertEq(answer, refusal, action);
            successes[action] += 1;
        } else {
            vm.assertTrue(!ok, string.concat(action, ": succeeded"));
            vm.assertEq(answer, refusal, action);
            refusals[bytes4(refusal)] += 1;
        }
    }

    function _running() private view returns (uint256 count) {
        for (uint256 i = 0; i < _ids.length; ++i) {
            State state = _books[_ids[i]].state;
            if (state == State.Open || (state == State.Proposed && !_isLate(_books[_ids[i]]))) ++count;
        }
    }

    function _isLate(Book storage b) private view returns (bool) {
        return b.state == State.Proposed && block.timestamp >= b.changedAt + b.t.activationSeconds;
    }

    function _actor(uint256 i) private view returns (address) {
        if (i < MINERS) return miner(i);
        return i == MINERS ? owner : operator;
    }

    function _attester() private view returns (address) {
        return vm.addr(_keys[_present]);
    }

    function _recovered(bytes32 structHash, bytes memory sig) private view returns (address) {
        bytes32 typehash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(
            abi.encode(typehash, keccak256("Sonar"), keccak256("1"), block.chainid, address(campaigns))
        );
        (bytes32 r, bytes32 s, uint8 v) = (bytes32(0), bytes32(0), 0);
        assembly ("memory-safe") {
            r := mload(add(sig, 32))
            s := mload(add(sig, 64))
            v := byte(0, mload(add(sig, 96)))
        }
        return ecrecover(keccak256(abi.encodePacked("\x19\x01", domain, structHash)), v, r, s);
    }

    function _idOf(Terms memory t) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(campaigns), t));
    }

    /// @dev The owner has one audit key for each of eight versions, all the same.
    function _leaves() private pure returns (bytes32[8] memory leaves) {
        bytes memory key = abi.encodePacked(vm.addr(AUDIT_KEY), vm.addr(AUDIT_KEY + 1));
        for (uint32 i = 0; i < 8; ++i) {
            leaves[i] = leaf(i + 1, key);
        }
    }

    function _root() private pure returns (bytes32) {
        bytes32[8] memory level = _leaves();
        for (uint256 width = 8; width > 1; width /= 2) {
            for (uint256 i = 0; i < width; i += 2) {
                level[i / 2] = _pair(level[i], level[i + 1]);
            }
        }
        return level[0];
    }

    function _branch(uint32 version) private pure returns (bytes32[] memory branch) {
        branch = new bytes32[](3);
        uint256 place = (version - 1) % 8;
        bytes32[8] memory level = _leaves();
        for (uint256 depth = 0; depth < 3; ++depth) {
            branch[depth] = level[place ^ 1];
            for (uint256 i = 0; i < 8 >> depth; i += 2) {
                level[i / 2] = _pair(level[i], level[i + 1]);
            }
            place /= 2;
        }
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return keccak256(a < b ? bytes.concat(a, b) : bytes.concat(b, a));
    }

    function _unlessSince(uint256 end) private view returns (bytes memory) {
        if (block.timestamp >= end) return "";
        return abi.encodeWithSelector(ICampaigns.TooEarly.selector, end);
    }

    function _wrongSigner(address signer) private view returns (bytes memory) {
        return abi.encodeWithSelector(ICampaigns.WrongSigner.selector, _attester(), signer);
    }

    function _above(string memory what, uint256 value, uint256 limit) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICapsuleRegistry.AboveLimit.selector, what, value, limit);
    }

    function _below(string memory what, uint256 value, uint256 limit) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICapsuleRegistry.BelowLimit.selector, what, value, limit);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }
}

/// @notice Random histories, in which every action succeeds at least once, and every error is met.
contract HistoryTest {
    uint256 private constant STEPS = 500;
    /// @dev If some action did not succeed by chance.
    uint256 private constant MORE_STEPS = 10_000;

    /// @dev The same ones every time.
    function test_historiesThatAreKnown() public {
        for (uint256 seed = 1; seed <= 2; ++seed) {
            _history(seed);
        }
    }

    /// forge-config: test.fuzz.runs = 2
    function testFuzz_historiesThatNobodyKnows(uint256 seed) public {
        _history(seed);
    }

    function _history(uint256 seed) private {
        Handler handler = new Handler();
        for (uint256 i = 0; i < STEPS || (i < MORE_STEPS && _isIncomplete(handler)); ++i) {
            handler.step(uint256(keccak256(abi.encode(seed, i))));
            if (i % 10 == 0) handler.check(false);
        }
        handler.check(true);
        vm.assertEq(handler.missing(), "");
        vm.assertEq(bytes32(handler.unmet()), bytes32(0), "no call met this error");
        handler.windUp();
    }

    function _isIncomplete(Handler handler) private view returns (bool) {
        return bytes(handler.missing()).length != 0 || handler.unmet() != 0;
    }
}
