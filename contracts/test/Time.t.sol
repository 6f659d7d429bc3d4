// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { CloseReason, ICampaigns, State, Submission, Terms } from "../src/interfaces/ICampaigns.sol";
import { Fixture } from "./support/Fixture.sol";
import { vm } from "./support/Vm.sol";

/// @notice Everything happens at another time, and each limit is tested a second before and at it. Times are computed
/// here from the terms, never read from the contract.
contract TimeTest is Fixture {
    uint256 private constant OPENED = 1_800_000_500;
    uint256 private constant ACTIVATED = OPENED + 900;
    uint256 private constant SUBMITTED = ACTIVATED + 777;
    Terms private t;
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        t = ethTerms();
        vm.warp(OPENED);
        id = opened(t);
        vm.warp(ACTIVATED);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
        vm.assertEq(campaigns.status(id).changedAt, ACTIVATED);
        vm.warp(SUBMITTED);
    }

    function test_theTimeToActivateCountsFromTheOpening() public {
        t.salt = "other";
        bytes32 other = opened(t);
        bytes memory sig = signActivation(other, 100_000, MATERIAL);
        vm.warp(SUBMITTED + 999);
        _tooEarly(SUBMITTED + 1000);
        campaigns.refund(t);
        uint256 snapshot = vm.snapshotState();
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        vm.revertToState(snapshot);
        vm.warp(SUBMITTED + 1000);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooLate.selector, SUBMITTED + 1000));
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        campaigns.refund(t);
        vm.assertEq(campaigns.status(other).changedAt, SUBMITTED + 1000);
    }

    /// @dev Later submissions do not extend it.
    function test_aWindowCountsFromItsFirstSubmission() public {
        submitted(id, 0, 1);
        vm.warp(SUBMITTED + 599);
        submitted(id, 1, 1);
        uint16[] memory outcomes = new uint16[](2);
        bytes memory sig = signSettlement(id, outcomes, 0, 0);
        Submission[] memory subs = _two(0);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WindowOpen.selector, 0, SUBMITTED + 600));
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), 0, sig);
        vm.warp(SUBMITTED + 600);
        vm.deal(stranger, SUBMISSION_STAKE);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WindowClosed.selector, 0, SUBMITTED + 600));
        vm.prank(stranger);
        campaigns.submit{ value: SUBMISSION_STAKE }(id, 1, content(9));
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), 0, sig);
    }

    function test_aWindowThatFillsIsDueFromThen() public {
        submitted(id, 0, 3);
        vm.warp(SUBMITTED + 100);
        submitted(id, 3, 1);
        Submission[] memory subs = _four(0);
        vm.warp(SUBMITTED + 100 + 1999);
        _tooEarly(SUBMITTED + 100 + 2000);
        campaigns.abandon(t, windowStart[id], subs);
        uint256 snapshot = vm.snapshotState();
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        vm.revertToState(snapshot);
        vm.warp(SUBMITTED + 100 + 2000);
        campaigns.abandon(t, windowStart[id], subs);
        vm.assertEq(campaigns.status(id).changedAt, SUBMITTED + 2100);
    }

    function test_aWindowThatFillsCanBeSettledAtOnce() public {
        vm.warp(SUBMITTED + 1);
        submitted(id, 0, 4);
        settled(t, _four(0), outcomes4(0, 200, 0, 0), NEXT);
        vm.assertEq(campaigns.status(id).windowIndex, 1);
    }

    /// @dev The campaign's last submission closes its window too.
    function test_theLastSubmissionClosesItsWindow() public {
        t.salt = "short";
        t.maxSubmissions = 2;
        bytes32 short = activated(t);
        submitted(short, 0, 1);
        vm.warp(SUBMITTED + 7);
        submitted(short, 1, 1);
        vm.assertEq(campaigns.window(short).closesAt, SUBMITTED + 7);
        settled(t, _two(0), new uint16[](2), 0);
        assertState(short, State.Closed, CloseReason.Limit);
    }

    function test_theDeadlineCutsTheLastWindow() public {
        uint256 deadline = 1_800_000_000 + 1 days;
        vm.warp(deadline - 10);
        submitted(id, 0, 1);
        vm.warp(deadline - 1);
        submitted(id, 1, 1);
        uint16[] memory outcomes = new uint16[](2);
        bytes memory sig = signSettlement(id, outcomes, 0, 0);
        Submission[] memory subs = _two(0);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WindowOpen.selector, 0, deadline));
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), 0, sig);
        vm.warp(deadline);
        vm.deal(stranger, SUBMISSION_STAKE);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.DeadlinePassed.selector, deadline));
        vm.prank(stranger);
        campaigns.submit{ value: SUBMISSION_STAKE }(id, 1, content(9));
        uint256 snapshot = vm.snapshotState();
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), 0, sig);
        vm.revertToState(snapshot);
        // And the time to settle counts from there.
        vm.warp(deadline + 1999);
        _tooEarly(deadline + 2000);
        campaigns.abandon(t, windowStart[id], subs);
        vm.warp(deadline + 2000);
        campaigns.abandon(t, windowStart[id], subs);
    }

    function test_aWindowThatEndsAtTheDeadlineIsNotCut() public {
        uint256 deadline = 1_800_000_000 + 1 days;
        vm.warp(deadline - 600);
        submitted(id, 0, 1);
        vm.assertEq(campaigns.window(id).closesAt, deadline);
        t.salt = "earlier";
        vm.warp(deadline - 601);
        bytes32 other = activated(t);
        submitted(other, 0, 1);
        vm.assertEq(campaigns.window(other).closesAt, deadline - 1);
    }

    function test_anyoneClosesFromTheDeadlineOn() public {
        uint256 deadline = 1_800_000_000 + 1 days;
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NotOwner.selector, owner, stranger));
        vm.prank(stranger);
        campaigns.close(t);
        uint256 snapshot = vm.snapshotState();
        vm.prank(owner);
        campaigns.close(t);
        assertState(id, State.Closed, CloseReason.Owner);
        vm.revertToState(snapshot);
        vm.warp(deadline);
        vm.prank(stranger);
        campaigns.close(t);
        assertState(id, State.Closed, CloseReason.Deadline);
    }

    function test_theDeliveryIsDueFromTheClose() public {
        vm.prank(owner);
        campaigns.close(t);
        vm.assertEq(campaigns.status(id).changedAt, SUBMITTED);
        _deliveryIsDueFrom(SUBMITTED, 1);
    }

    function test_theDeliveryIsDueFromTheSettlementThatCloses() public {
        submitted(id, 0, 4);
        vm.warp(SUBMITTED + 1234);
        settled(t, _four(0), outcomes4(0, 0, 0, 900), NEXT);
        vm.assertEq(campaigns.status(id).changedAt, SUBMITTED + 1234);
        _deliveryIsDueFrom(SUBMITTED + 1234, 2);
    }

    /// @dev Not from the announcement.
    function test_theDeliveryIsDueFromTheSettlementAfterTheAnnouncement() public {
        submitted(id, 0, 4);
        vm.warp(SUBMITTED + 10);
        vm.prank(owner);
        campaigns.close(t);
        vm.assertEq(campaigns.status(id).changedAt, ACTIVATED);
        vm.warp(SUBMITTED + 1500);
        settled(t, _four(0), outcomes4(0, 0, 0, 0), 0);
        _deliveryIsDueFrom(SUBMITTED + 1500, 1);
    }

    /// @dev Ends with the audit of the delivery.
    function _deliveryIsDueFrom(uint256 closed, uint256 versions) private {
        vm.warp(closed + 2999);
        _tooEarly(closed + 3000);
        campaigns.expire(t);
        uint256 snapshot = vm.snapshotState();
        vm.warp(closed + 3000);
        campaigns.expire(t);
        assertState(id, State.Closed, CloseReason.CapsuleTimeout);
        vm.revertToState(snapshot);
        uint256 delivered = closed + 2999;
        vm.warp(delivered);
        campaigns.finalize(t, bytes32("r"), handovers(versions), signDelivery(id, bytes32("r")));
        vm.assertEq(campaigns.status(id).changedAt, delivered);
        vm.warp(delivered + 3999);
        _tooEarly(delivered + 4000);
        campaigns.release(t);
        vm.warp(delivered + 4000);
        campaigns.release(t);
    }

    function _tooEarly(uint256 notBefore) private {
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooEarly.selector, notBefore));
    }

    function _two(uint256 first) private pure returns (Submission[] memory subs) {
        subs = new Submission[](2);
        for (uint256 i = 0; i < 2; ++i) {
            subs[i] = Submission(miner(first + i), content(first + i));
        }
    }

    function _four(uint256 first) private pure returns (Submission[] memory subs) {
        subs = new Submission[](4);
        for (uint256 i = 0; i < 4; ++i) {
            subs[i] = Submission(miner(first + i), content(first + i));
        }
    }
}
