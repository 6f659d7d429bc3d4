// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Capsule, ICapsuleRegistry } from "../src/interfaces/ICapsuleRegistry.sol";
import {
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

/// @notice Does anything that anybody may do, at random, and keeps books of its own.
contract Handler is Fixture {
    uint256 public constant MINERS = 5;
    uint256 private constant CAMPAIGNS = 6;

    Terms[] private _terms;
    bytes32[] public ids;
    // Books by campaign.
    mapping(bytes32 id => uint256) public taken;
    mapping(bytes32 id => uint256) public sent;
    mapping(bytes32 id => mapping(address account => uint256)) public due;
    mapping(bytes32 id => Submission[]) private _pending;
    mapping(bytes32 id => uint256) public awarded;
    // Stakes of submissions: what came in, what went out, and what stands behind whom.
    mapping(bytes32 id => uint256) public staked;
    mapping(bytes32 id => uint256) public unstaked;
    mapping(bytes32 id => mapping(address account => uint256)) public stakesOf;
    mapping(bytes32 id => mapping(address account => bool)) private _rejected;
    mapping(bytes32 id => uint256) private _submissionStake;
    // Calls that settled something.
    bytes[] private _history;
    // The campaigns and submissions of those.
    bytes32[] private _historyIds;
    mapping(uint256 place => Submission[]) private _historySubs;
    uint256 public replays;
    // The hand-over of each campaign's first version, and whether it opens.
    mapping(bytes32 id => Handover) private _handover;
    mapping(bytes32 id => bool) private _honest;
    uint256 public falseConvictions;
    uint256 public stakeIn;
    uint256 public stakeOut;

    constructor() {
        setUp();
        stakeIn = 100 ether;
    }

    // ------------------------------------------------------------ what people do

    function open(uint256 seed) external {
        _skipIf(ids.length == CAMPAIGNS);
        Terms memory t = seed % 2 == 0 ? ethTerms() : coinTerms();
        t.bounty = uint128(1 + uint256(keccak256(abi.encode(seed))) % 1e20);
        t.maxAccepts = uint16(1 + seed % 6);
        t.maxSubmissions = uint32(3 + seed % 30);
        t.windowSize = uint16(1 + seed % 5);
        t.capPerVersion = uint16(1 + seed % 3);
        t.gridPpm = seed % 3 == 0 ? 7_000 : 1_000;
        t.targetPpm = 98 * 7_000;
        t.startPpm = 98_000;
        t.stake = uint128(seed % 4 == 0 ? 0 : seed % 10 ether);
        t.submissionStake = uint128(seed % 5 == 0 ? 0 : uint256(uint24(seed)) * 1e12);
        t.salt = bytes32(ids.length);
        ids.push(opened(t));
        _terms.push(t);
        _submissionStake[ids[ids.length - 1]] = t.submissionStake;
        taken[ids[ids.length - 1]] = deposit(t);
    }

    function activate(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pick(seed, State.Proposed);
        _skipIf(!found || block.timestamp >= t.deadline);
        Capsule memory c = registry.capsule(operator);
        _skipIf(c.stake - c.locked < t.stake);
        _honest[id] = seed % 2 == 0;
        _handover[id] = _honest[id] ? honestHandover(id, bytes32(seed), bytes32("seed"), seed) : handover(MATERIAL);
        Publication memory first = sealing(MATERIAL, _handover[id]);
        campaigns.activate(t, 98_000, first, signActivation(id, 98_000, first));
    }

    function decline(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pick(seed, State.Proposed);
        _skipIf(!found || seed % 5 != 0);
        campaigns.decline(t, 1, signDecline(id, 1));
        due[id][owner] += deposit(t);
    }

    function refund(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pick(seed, State.Proposed);
        _skipIf(!found || block.timestamp < campaigns.status(id).changedAt + t.activationSeconds);
        campaigns.refund(t);
        due[id][owner] += deposit(t);
    }

    function submit(uint256 seed, uint256 who, uint256 what) external {
        (bool found,, bytes32 id) = _pick(seed, State.Open);
        _skipIf(!found);
        // Few different contents, so that windows repeat.
        _submit(id, miner(who % MINERS), bytes32(what % 2));
    }

    function settle(uint256 seed, uint256 accepts, uint256 steps) external {
        (bool found, Terms memory t, bytes32 id) = _pick(seed, State.Open);
        _skipIf(!found || !campaigns.window(id).closed);
        Submission[] memory subs = _pending[id];
        uint8 reason = seed % 17 == 0 ? 3 : 0;
        (uint16[] memory outcomes, bool renew) = _outcomes(t, id, subs, accepts, steps);
        bytes32 next = renew && reason == 0 ? NEXT : bytes32(0);
        bytes memory sig = signSettlement(id, outcomes, next, reason);
        campaigns.settle(t, subs, outcomes, published(next), reason, sig);
        for (uint256 i = 0; i < subs.length; ++i) {
            _historySubs[_history.length].push(subs[i]);
        }
        _historyIds.push(id);
        _history.push(abi.encodeCall(campaigns.settle, (t, subs, outcomes, published(next), reason, sig)));
        _noteRejects(t, id, subs, outcomes);
        delete _pending[id];
        _noteClosing(t, id);
    }

    /// @notice Brings an old settlement again.
    function replay(uint256 seed) external {
        _skipIf(_history.length == 0);
        (bool ok,) = address(campaigns).call(_history[seed % _history.length]);
        if (ok) replays += 1;
    }

    /// @notice Sends the submissions of an old settlement again, so that it looks right, and then the settlement.
    function repeat(uint256 seed) external {
        _skipIf(_history.length == 0);
        uint256 place = seed % _history.length;
        bytes32 id = _historyIds[place];
        _skipIf(campaigns.status(id).state != State.Open || _pending[id].length != 0);
        for (uint256 i = 0; i < _historySubs[place].length; ++i) {
            Submission memory s = _historySubs[place][i];
            _submit(id, s.miner, s.content);
        }
        (bool ok,) = address(campaigns).call(_history[place]);
        if (ok) replays += 1;
    }

    function close(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pick(seed, State.Open);
        _skipIf(!found || seed % 7 != 0 || campaigns.window(id).count != 0);
        vm.prank(owner);
        campaigns.close(t);
        _noteClosing(t, id);
    }

    function finalize(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pick(seed, State.Closed);
        _skipIf(!found || uint8(campaigns.status(id).reason) == 6);
        Handover[] memory all = handovers(campaigns.status(id).version);
        all[0] = _handover[id];
        campaigns.finalize(t, bytes32(seed), all, signDelivery(id, bytes32(seed)));
        due[id][operator] += fee(t);
    }

    function release(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pickLocked(seed);
        bool late = found && block.timestamp >= campaigns.status(id).changedAt + t.audit.period;
        _skipIf(!found || (!late && seed % 4 != 0));
        if (!late) vm.prank(owner);
        campaigns.release(t);
    }

    /// @notice The owner accuses her Capsule, rightly or not.
    function convict(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pickLocked(seed);
        _skipIf(!found);
        vm.prank(owner);
        try campaigns.convictHandover(t, 1, _handover[id], KeyProof(AUDIT_KEY, new bytes32[](0))) {
            if (_honest[id]) falseConvictions += 1;
        } catch {
            vm.assertTrue(_honest[id], "a dishonest Capsule keeps its stake");
        }
    }

    function abandon(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pick(seed, State.Open);
        Window memory w = campaigns.window(id);
        _skipIf(!found || !w.closed || block.timestamp < w.closesAt + t.evaluationSeconds);
        campaigns.abandon(t, _pending[id]);
        delete _pending[id];
        due[id][owner] += fee(t);
        _noteClosing(t, id);
    }

    function expire(uint256 seed) external {
        (bool found, Terms memory t, bytes32 id) = _pick(seed, State.Closed);
        Status memory s = campaigns.status(id);
        _skipIf(!found || uint8(s.reason) == 6 || block.timestamp < s.changedAt + t.deliverySeconds);
        campaigns.expire(t);
        due[id][owner] += fee(t);
    }

    function withdraw(uint256 seed, uint256 who) external {
        _skipIf(ids.length == 0);
        _withdraw(seed % ids.length, actor(who % actors()));
    }

    function withdrawStake(uint256 seed, uint256 who) external {
        _skipIf(ids.length == 0);
        uint256 place = seed % ids.length;
        bytes32 id = ids[place];
        address account = actor(who % actors());
        uint256 amount = stakesOf[id][account] - heldOf(id, account);
        _skipIf(amount == 0);
        address to = address(uint160(0xA0000) + uint160(place));
        uint256 before = to.balance;
        vm.prank(account);
        campaigns.withdrawStake(id, to);
        vm.assertEq(to.balance - before, amount, "exactly the free stakes are paid");
        stakesOf[id][account] -= amount;
        unstaked[id] += amount;
    }

    function claim(uint256 who) external {
        address account = actor(who % actors());
        uint256 amount = registry.claimable(account);
        _skipIf(amount == 0);
        vm.prank(account);
        registry.claim(address(0xC1A1));
        stakeOut += amount;
    }

    function stake(uint256 amount) external {
        amount = amount % 1 ether;
        vm.startPrank(operator);
        registry.deposit{ value: amount }();
        stakeIn += amount;
        Capsule memory c = registry.capsule(operator);
        amount = amount * 2 > c.stake - c.locked ? c.stake - c.locked : amount * 2;
        registry.unstake(amount);
        stakeOut += amount;
        vm.stopPrank();
    }

    function wait_(uint256 time) external {
        vm.warp(block.timestamp + time % 2500);
    }

    /// @notice Whatever state it was left in, every campaign can be brought to an end by time alone.
    function windUp() external {
        vm.warp(block.timestamp + 40 days);
        for (uint256 i = 0; i < ids.length; ++i) {
            Terms memory t = _terms[i];
            bytes32 id = ids[i];
            State state = campaigns.status(id).state;
            if (state == State.Proposed) {
                campaigns.refund(t);
            } else if (state == State.Open) {
                if (_pending[id].length == 0) campaigns.close(t);
                else campaigns.abandon(t, _pending[id]);
            }
        }
        vm.warp(block.timestamp + 40 days);
        for (uint256 i = 0; i < ids.length; ++i) {
            Status memory s = campaigns.status(ids[i]);
            if (s.state == State.Closed && uint8(s.reason) != 6) campaigns.expire(_terms[i]);
            if (_isLocked(i)) campaigns.release(_terms[i]);
            for (uint256 a = 0; a < actors(); ++a) {
                if (campaigns.owed(ids[i], actor(a)) == 0) continue;
                vm.prank(actor(a));
                campaigns.withdraw(_terms[i], address(0xE4D));
            }
            for (uint256 a = 0; a < actors(); ++a) {
                if (campaigns.stakesOf(ids[i], actor(a)).free == 0) continue;
                vm.prank(actor(a));
                campaigns.withdrawStake(ids[i], address(0xE4D));
            }
        }
        for (uint256 a = 0; a < actors(); ++a) {
            if (registry.claimable(actor(a)) == 0) continue;
            vm.prank(actor(a));
            registry.claim(address(0xC1A1));
        }
        Capsule memory c = registry.capsule(operator);
        vm.prank(operator);
        registry.unstake(c.stake);
    }

    // ---------------------------------------------------------------- for checks

    /// @notice Stakes behind submissions that are neither settled nor abandoned.
    function heldOf(bytes32 id, address account) public view returns (uint256 held) {
        uint256 stake = _submissionStake[id];
        for (uint256 i = 0; i < _pending[id].length; ++i) {
            if (_pending[id][i].miner == account) held += stake;
        }
    }

    function campaignCount() external view returns (uint256) {
        return ids.length;
    }

    function terms(uint256 i) external view returns (Terms memory) {
        return _terms[i];
    }

    function actors() public pure returns (uint256) {
        return MINERS + 2;
    }

    function actor(uint256 i) public view returns (address) {
        if (i < MINERS) return miner(i);
        return i == MINERS ? owner : operator;
    }

    function parts() external view returns (address, address, address) {
        return (address(campaigns), address(registry), address(coin));
    }

    function capsuleOperator() external view returns (address) {
        return operator;
    }

    // -------------------------------------------------------------------- inside

    function _submit(bytes32 id, address account, bytes32 update) private {
        uint32 version = campaigns.status(id).version;
        uint256 stake = _submissionStake[id];
        uint256 due = stakesOf[id][account] > heldOf(id, account) ? 0 : stake;
        vm.deal(account, account.balance + due);
        vm.prank(account);
        try campaigns.submit{ value: due }(id, version, update) {
            _pending[id].push(Submission(account, update));
            staked[id] += due;
            stakesOf[id][account] += due;
        } catch { }
    }

    /// @dev Each miner's first reject is free.
    function _noteRejects(Terms memory t, bytes32 id, Submission[] memory subs, uint16[] memory outcomes) private {
        for (uint256 i = 0; i < subs.length; ++i) {
            if (outcomes[i] < 0xF000) continue;
            address account = subs[i].miner;
            if (_rejected[id][account]) {
                stakesOf[id][account] -= t.submissionStake;
                stakesOf[id][owner] += t.submissionStake;
            }
            _rejected[id][account] = true;
        }
    }

    /// @dev There is nothing to do: not a step of the history.
    function _skipIf(bool idle) private pure {
        vm.assume(!idle);
    }

    /// @dev A delivered campaign whose Capsule's stake is neither released nor taken.
    function _pickLocked(uint256 seed) private view returns (bool, Terms memory, bytes32) {
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 place = addmod(seed, i, ids.length);
            if (_isLocked(place)) return (true, _terms[place], ids[place]);
        }
        Terms memory none;
        return (false, none, 0);
    }

    function _isLocked(uint256 place) private view returns (bool) {
        bytes32 id = ids[place];
        return campaigns.status(id).state == State.Finalized && registry.lockedFor(operator, address(campaigns), id) != 0;
    }

    function _pick(uint256 seed, State state) private view returns (bool, Terms memory, bytes32) {
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 place = addmod(seed, i, ids.length);
            if (campaigns.status(ids[place]).state == state) return (true, _terms[place], ids[place]);
        }
        Terms memory none;
        return (false, none, 0);
    }

    /// @dev Outcomes that the contract must take, and what they must pay, by a computation of our own.
    function _outcomes(Terms memory t, bytes32 id, Submission[] memory subs, uint256 accepts, uint256 steps)
        private
        returns (uint16[] memory outcomes, bool renew)
    {
        Status memory s = campaigns.status(id);
        outcomes = new uint16[](subs.length);
        uint256 best = s.bestPpm;
        uint256 left = t.maxAccepts - s.accepts;
        if (left > 4) left = 4;
        for (uint256 i = 0; i < subs.length; ++i) {
            uint256 reached = (best / t.gridPpm + 1 + (steps >> (8 * i)) % 64) * t.gridPpm;
            if ((accepts >> i) & 1 == 0 || left == 0 || reached > 1_000_000) {
                outcomes[i] = i % 2 == 0 ? 0 : 0xF001;
                continue;
            }
            outcomes[i] = uint16(reached / t.gridPpm);
            _earn(t, id, subs[i].miner, best, reached);
            best = reached;
            left -= 1;
            s.accepts += 1;
        }
        bool ends = best >= t.targetPpm || s.accepts == t.maxAccepts || s.submissions == t.maxSubmissions;
        renew = best > s.bestPpm && !ends;
    }

    /// @dev What the formula gives.
    function _earn(Terms memory t, bytes32 id, address account, uint256 best, uint256 reached) private {
        uint256 from = best < t.targetPpm ? best : t.targetPpm;
        uint256 to = reached < t.targetPpm ? reached : t.targetPpm;
        uint256 amount = uint256(t.bounty) * (to - from) / t.targetPpm;
        due[id][account] += amount;
        awarded[id] += amount;
    }

    function _noteClosing(Terms memory t, bytes32 id) private {
        if (campaigns.status(id).state == State.Closed) due[id][owner] += t.bounty - awarded[id];
    }

    function _withdraw(uint256 i, address account) private {
        uint256 amount = due[ids[i]][account];
        _skipIf(amount == 0);
        Terms memory t = _terms[i];
        address to = address(uint160(0x90000) + uint160(i));
        uint256 before = t.token == address(0) ? to.balance : coin.balanceOf(to);
        vm.prank(account);
        campaigns.withdraw(t, to);
        uint256 received = (t.token == address(0) ? to.balance : coin.balanceOf(to)) - before;
        vm.assertEq(received, amount, "exactly what is due is paid");
        due[ids[i]][account] = 0;
        sent[ids[i]] += amount;
    }
}

contract InvariantTest {
    Handler private handler;
    ICampaigns private campaigns;

    function setUp() public {
        handler = new Handler();
        (address s,,) = handler.parts();
        campaigns = ICampaigns(s);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(handler);
        // Those that move campaigns on come up more often.
        bytes4[22] memory all = [
            Handler.open.selector,
            Handler.open.selector,
            Handler.activate.selector,
            Handler.decline.selector,
            Handler.refund.selector,
            Handler.submit.selector,
            Handler.submit.selector,
            Handler.submit.selector,
            Handler.settle.selector,
            Handler.settle.selector,
            Handler.replay.selector,
            Handler.repeat.selector,
            Handler.close.selector,
            Handler.finalize.selector,
            Handler.release.selector,
            Handler.convict.selector,
            Handler.abandon.selector,
            Handler.expire.selector,
            Handler.withdraw.selector,
            Handler.withdrawStake.selector,
            Handler.claim.selector,
            Handler.wait_.selector
        ];
        targets[0].selectors = new bytes4[](all.length + 1);
        for (uint256 i = 0; i < all.length; ++i) {
            targets[0].selectors[i] = all[i];
        }
        targets[0].selectors[all.length] = Handler.stake.selector;
    }

    /// @notice The money rules, after every step of a random history.
    function invariant_moneyRules() external view {
        _everyCampaignBalances();
        _theContractIsSolvent();
        _stakeIsConserved();
        _submissionStakesAreConserved();
        vm.assertEq(handler.replays(), 0, "nothing is settled twice");
        vm.assertEq(handler.falseConvictions(), 0, "no honest Capsule is convicted");
    }

    /// @dev Per campaign: deposited = paid + owed + refunded + fee + escrowed, and each campaign pays from its own.
    function _everyCampaignBalances() private view {
        for (uint256 i = 0; i < handler.campaignCount(); ++i) {
            bytes32 id = handler.ids(i);
            Ledger memory l = campaigns.ledger(handler.terms(i));
            vm.assertEq(l.deposited, handler.taken(id), "deposited is what was taken");
            vm.assertEq(l.deposited, l.paid + l.owed + l.refunded + l.fee + l.escrowed, "the ledger balances");
            vm.assertEq(l.paid + l.owed, handler.awarded(id), "miners have what the formula gives");
            uint256 credits = 0;
            uint256 miners = 0;
            for (uint256 a = 0; a < handler.actors(); ++a) {
                address account = handler.actor(a);
                vm.assertEq(campaigns.owed(id, account), handler.due(id, account), "everyone is owed what is due");
                credits += campaigns.owed(id, account);
                if (a < handler.MINERS()) miners += campaigns.owed(id, account);
            }
            vm.assertEq(l.owed, miners, "owed is what miners can withdraw");
            vm.assertEq(l.deposited, handler.sent(id) + credits + l.escrowed, "nothing leaks between campaigns");
        }
    }

    /// @dev The contract holds, per token, exactly what its campaigns hold.
    function _theContractIsSolvent() private view {
        (,, address coin) = handler.parts();
        uint256 eth = 0;
        uint256 tokens = 0;
        for (uint256 i = 0; i < handler.campaignCount(); ++i) {
            bytes32 id = handler.ids(i);
            uint256 held = handler.taken(id) - handler.sent(id);
            if (handler.terms(i).token == address(0)) eth += held;
            else tokens += held;
            eth += handler.staked(id) - handler.unstaked(id);
        }
        vm.assertEq(address(campaigns).balance, eth, "ETH");
        (, bytes memory balance) = coin.staticcall(abi.encodeWithSignature("balanceOf(address)", address(campaigns)));
        vm.assertEq(abi.decode(balance, (uint256)), tokens, "tokens");
    }

    /// @dev The registry holds what was staked and not taken out, and locks are those of running campaigns.
    function _stakeIsConserved() private view {
        (, address registry,) = handler.parts();
        vm.assertEq(registry.balance, handler.stakeIn() - handler.stakeOut(), "balance");
        ICapsuleRegistry r = ICapsuleRegistry(registry);
        Capsule memory c = r.capsule(handler.capsuleOperator());
        uint256 claimable = 0;
        for (uint256 a = 0; a < handler.actors(); ++a) {
            claimable += r.claimable(handler.actor(a));
        }
        vm.assertEq(registry.balance, c.stake + claimable, "stakes and credits");
        uint256 locked = 0;
        for (uint256 i = 0; i < handler.campaignCount(); ++i) {
            bytes32 id = handler.ids(i);
            Status memory s = campaigns.status(id);
            bool runs = s.state == State.Open || (s.state == State.Closed && uint8(s.reason) != 6);
            uint256 lock = r.lockedFor(handler.capsuleOperator(), address(campaigns), id);
            uint256 stake = handler.terms(i).stake;
            bool audited = s.state == State.Finalized && lock != 0;
            vm.assertEq(lock, runs || audited ? stake : 0, "a campaign locks its stake until it is audited");
            locked += lock;
        }
        vm.assertEq(c.locked, locked, "locked");
    }

    /// @dev Per campaign, stakes that came in are held, free or went out, and each is its account's or was forfeited.
    function _submissionStakesAreConserved() private view {
        for (uint256 i = 0; i < handler.campaignCount(); ++i) {
            bytes32 id = handler.ids(i);
            uint256 here = 0;
            for (uint256 a = 0; a < handler.actors(); ++a) {
                address account = handler.actor(a);
                Stakes memory s = campaigns.stakesOf(id, account);
                vm.assertEq(s.held, handler.heldOf(id, account), "held for what is pending");
                vm.assertEq(s.held + s.free, handler.stakesOf(id, account), "everyone has their stakes");
                vm.assertEq(s.due, s.free == 0 ? handler.terms(i).submissionStake : 0, "due");
                here += s.held + s.free;
            }
            vm.assertEq(handler.staked(id), here + handler.unstaked(id), "no stake leaks");
        }
    }

    /// @notice At the end of every history everyone takes theirs, and nothing is left.
    function afterInvariant() external {
        handler.windUp();
        (address s, address registry, address coin) = handler.parts();
        vm.assertEq(s.balance, 0, "ETH is left");
        (, bytes memory balance) = coin.staticcall(abi.encodeWithSignature("balanceOf(address)", s));
        vm.assertEq(abi.decode(balance, (uint256)), 0, "tokens are left");
        vm.assertEq(registry.balance, 0, "stake is left");
    }
}
