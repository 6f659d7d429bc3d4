// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { ICapsuleRegistry } from "../src/interfaces/ICapsuleRegistry.sol";
import { CloseReason, ICampaigns, KeyProof, Submission, Terms } from "../src/interfaces/ICampaigns.sol";
import { Fixture } from "./support/Fixture.sol";
import { Vm, vm } from "./support/Vm.sol";

/// @notice Every transaction reports exactly what it did: these events with these fields, in this order, and no other.
contract EventsTest is Fixture {
    Terms private t;
    bytes32 private id;
    // What is expected of the transactions since `_begin`.
    bytes32[] private expected;

    function setUp() public override {
        super.setUp();
        t = ethTerms();
        id = keccak256(abi.encode(block.chainid, address(campaigns), t));
        vm.recordLogs();
    }

    function test_aLifeToTheRelease() public {
        opened(t);
        _expect(
            _topics(ICampaigns.Opened.selector, id, _word(owner), _word(operator)), abi.encode(t, startOf(id, 1, 0))
        );
        _check("open");

        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
        _expect(_topics(ICampaigns.Activated.selector, id), abi.encode(100_000, published(MATERIAL), CERTIFICATE));
        _expectRegistry(ICapsuleRegistry.Locked.selector, STAKE);
        _check("activate");

        settled(t, _submits(0, 1, 0), outcomes4(0, 0, 0, 0), 0);
        _expect(_topics(ICampaigns.Settled.selector, id), _settlement(0, 1, outcomes4(0, 0, 0, 0), 100_000, 0, 1));
        _lastIs("settle", 2);

        Submission[] memory subs = _submits(0, 1, 1);
        settled(t, subs, outcomes4(150, 0xF00A, 0, 300), NEXT);
        _expectAward(0, 0, 50_000);
        _expectAward(3, 3, 150_000);
        _expect(_topics(ICampaigns.Charged.selector, id), abi.encode(1, 0, 9 * EIGHTH));
        _expect(
            _topics(ICampaigns.Settled.selector, id),
            _settlement(1, 1, outcomes4(150, 0xF00A, 0, 300), 300_000, NEXT, 2)
        );
        _check("settle, with a next version");

        subs = _submits(4, 2, 2);
        vm.prank(owner);
        campaigns.close(t);
        _expect(_topics(ICampaigns.Closing.selector, id), "");
        _check("announce the end");
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        uint256 refunded = BOUNTY - uint256(BOUNTY) * 50_000 / 900_000 - uint256(BOUNTY) * 150_000 / 900_000;
        _expect(_topics(ICampaigns.Charged.selector, id), abi.encode(2, 0, 4 * EIGHTH));
        _expect(_topics(ICampaigns.Settled.selector, id), _settlement(2, 2, outcomes4(0, 0, 0, 0), 300_000, 0, 3));
        _expect(_topics(ICampaigns.Closed.selector, id), abi.encode(CloseReason.Owner, refunded));
        _check("settle and close");

        campaigns.finalize(t, bytes32("result"), handovers(2), signDelivery(id, bytes32("result")));
        _expect(_topics(ICampaigns.Finalized.selector, id), abi.encode(bytes32("result"), handovers(2)));
        _check("finalize");

        vm.warp(block.timestamp + 4000);
        campaigns.release(t);
        uint256 earned = earnedFee(t, BOUNTY - refunded);
        _expect(_topics(ICampaigns.Released.selector, id), abi.encode(earned, fee(t) - earned));
        _expectRegistry(ICapsuleRegistry.Unlocked.selector, STAKE);
        _check("release");

        vm.prank(miner(3));
        campaigns.withdraw(t, stranger);
        _expect(
            _topics(ICampaigns.Withdrawn.selector, id, _word(miner(3))),
            abi.encode(stranger, uint256(BOUNTY) * 150_000 / 900_000)
        );
        vm.prank(miner(3));
        campaigns.withdrawStake(t, stranger);
        _expect(
            _topics(ICampaigns.StakeWithdrawn.selector, id, _word(miner(3))), abi.encode(stranger, SUBMISSION_STAKE)
        );
        _check("withdraw");
    }

    function test_theOtherEnds() public {
        opened(t);
        vm.getRecordedLogs();
        uint256 snapshot = vm.snapshotState();
        campaigns.decline(t, 9, signDecline(id, 9));
        _expect(_topics(ICampaigns.Declined.selector, id), abi.encode(9));
        _expect(_topics(ICampaigns.Refunded.selector, id), abi.encode(deposit(t)));
        _check("decline");
        vm.revertToState(snapshot);

        vm.warp(block.timestamp + 1000);
        campaigns.refund(t);
        _expect(_topics(ICampaigns.Refunded.selector, id), abi.encode(deposit(t)));
        _check("refund");
        vm.revertToState(snapshot);

        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
        snapshot = vm.snapshotState();
        Submission[] memory subs = _submits(0, 1, 0);
        vm.warp(block.timestamp + 2000);
        campaigns.abandon(t, windowStart[id], subs);
        _expect(_topics(ICampaigns.Closed.selector, id), abi.encode(CloseReason.CapsuleTimeout, deposit(t)));
        _expectSlash(STAKE / 10);
        for (uint256 i = 0; i < 4; ++i) {
            _expectCredit(miner(i), STAKE / 40);
        }
        _check("abandon");
        vm.revertToState(snapshot);

        vm.prank(owner);
        campaigns.close(t);
        vm.getRecordedLogs();
        snapshot = vm.snapshotState();
        vm.warp(block.timestamp + 3000);
        campaigns.expire(t);
        _expect(_topics(ICampaigns.Expired.selector, id), abi.encode(fee(t), fee(t)));
        _expectSlash(fee(t));
        _expectCredit(owner, fee(t));
        _check("expire");
        vm.revertToState(snapshot);

        campaigns.finalize(t, bytes32("result"), handovers(1), signDelivery(id, bytes32("result")));
        vm.getRecordedLogs();
        campaigns.convictHandover(t, 1, handover(MATERIAL), KeyProof(AUDIT_KEY, new bytes32[](0)));
        _expect(_topics(ICampaigns.Convicted.selector, id), abi.encode(1, fee(t), STAKE / 10));
        _expectSlash(STAKE / 10);
        _expectCredit(owner, STAKE / 10);
        _check("convict");
    }

    function test_closedReportsEachReason() public {
        activated(t);
        vm.getRecordedLogs();
        uint256 snapshot = vm.snapshotState();
        vm.warp(1_800_000_000 + 1 days);
        campaigns.close(t);
        _expect(_topics(ICampaigns.Closed.selector, id), abi.encode(CloseReason.Deadline, BOUNTY));
        _check("deadline");
        vm.revertToState(snapshot);
        Submission[] memory subs = _submits(0, 1, 0);
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        uint8 leak = uint8(CloseReason.LeakBudget);
        campaigns.settle(
            t, windowStart[id], subs, outcomes, published(0), leak, signSettlement(id, outcomes, 0, leak)
        );
        _expect(_topics(ICampaigns.Closed.selector, id), abi.encode(CloseReason.LeakBudget, BOUNTY));
        _lastIs("leak budget", 3);
    }

    // -------------------------------------------------------------------- inside

    /// @dev A whole window, with its events.
    function _submits(uint256 first, uint32 version, uint32 window) private returns (Submission[] memory subs) {
        vm.getRecordedLogs();
        subs = submitted(id, first, 4);
        for (uint256 i = 0; i < 4; ++i) {
            _expect(
                _topics(ICampaigns.Submitted.selector, id, _word(miner(first + i))),
                abi.encode(version, window, i, content(first + i))
            );
        }
        _check("submit");
    }

    function _settlement(
        uint32 window,
        uint32 version,
        uint16[] memory outcomes,
        uint32 best,
        bytes32 next,
        uint32 nextWindow
    ) private view returns (bytes memory) {
        uint32 nextVersion = next == 0 ? version : version + 1;
        return abi.encode(window, version, outcomes, best, published(next), startOf(id, nextVersion, nextWindow));
    }

    function _expectAward(uint256 account, uint32 index, uint32 delta) private {
        _expect(
            _topics(ICampaigns.Awarded.selector, id, _word(miner(account))),
            abi.encode(1, index, delta, uint256(BOUNTY) * delta / 900_000)
        );
    }

    function _expectRegistry(bytes32 selector, uint256 amount) private {
        _expect(
            _topics(selector, _word(operator), _word(address(campaigns)), id), abi.encode(amount), address(registry)
        );
    }

    function _expectSlash(uint256 paid) private {
        bytes32[] memory topics =
            _topics(ICapsuleRegistry.Slashed.selector, _word(operator), _word(address(campaigns)), id);
        _expect(topics, abi.encode(STAKE, STAKE - paid), address(registry));
    }

    function _expectCredit(address account, uint256 amount) private {
        bytes32[] memory topics = _topics(ICapsuleRegistry.Credited.selector, _word(account), _word(operator), id);
        _expect(topics, abi.encode(amount), address(registry));
    }

    function _expect(bytes32[] memory topics, bytes memory data) private {
        _expect(topics, data, address(campaigns));
    }

    function _expect(bytes32[] memory topics, bytes memory data, address emitter) private {
        expected.push(keccak256(abi.encode(topics, data, emitter)));
    }

    function _check(string memory what) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, expected.length, what);
        for (uint256 i = 0; i < logs.length; ++i) {
            vm.assertEq(keccak256(abi.encode(logs[i].topics, logs[i].data, logs[i].emitter)), expected[i], what);
        }
        delete expected;
    }

    /// @dev Compares only the last event of `count`.
    function _lastIs(string memory what, uint256 count) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, count, what);
        Vm.Log memory last = logs[count - 1];
        vm.assertEq(keccak256(abi.encode(last.topics, last.data, last.emitter)), expected[0], what);
        delete expected;
    }

    function _word(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function _topics(bytes32 a, bytes32 b) private pure returns (bytes32[] memory topics) {
        topics = new bytes32[](2);
        (topics[0], topics[1]) = (a, b);
    }

    function _topics(bytes32 a, bytes32 b, bytes32 c) private pure returns (bytes32[] memory topics) {
        topics = new bytes32[](3);
        (topics[0], topics[1], topics[2]) = (a, b, c);
    }

    function _topics(bytes32 a, bytes32 b, bytes32 c, bytes32 d) private pure returns (bytes32[] memory topics) {
        topics = new bytes32[](4);
        (topics[0], topics[1], topics[2], topics[3]) = (a, b, c, d);
    }
}
