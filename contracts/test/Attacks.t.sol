// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { IAssessor } from "../src/interfaces/IAssessor.sol";
import { ICapsuleRegistry, Limits } from "../src/interfaces/ICapsuleRegistry.sol";
import {
    CloseReason,
    Handover,
    ICampaigns,
    KeyProof,
    State,
    Submission,
    Terms,
    WordProof
} from "../src/interfaces/ICampaigns.sol";
import { Encryption } from "./support/Encryption.sol";
import { Fixture } from "./support/Fixture.sol";
import { HoneypotToken } from "./support/Tokens.sol";
import { vm } from "./support/Vm.sol";

/// @notice Attacks on the money, each of which fails or costs its price. `sybil` is an account of whoever attacks.
abstract contract Attacks is Fixture {
    address internal sybil = address(0x5B111);

    function one(uint16 outcome) internal pure returns (uint16[] memory outcomes) {
        outcomes = new uint16[](1);
        outcomes[0] = outcome;
    }

    function only(address account, bytes32 update) internal pure returns (Submission[] memory subs) {
        subs = new Submission[](1);
        subs[0] = Submission(account, update);
    }

    /// @notice A campaign of this account, which has money.
    function ownedBy(address account) internal returns (Terms memory t) {
        t = ethTerms();
        t.owner = account;
        vm.deal(account, 1e24);
    }

    /// @notice An account that is operator as well.
    function becomesOperator(address account) internal {
        vm.deal(account, account.balance + 10 ether);
        vm.startPrank(account);
        registry.register{ value: 10 ether }(attester, bytes32("f"), bytes32("c"), "here", FEE_PPM);
        registry.authorize(address(campaigns), true);
        registry.setLimits(limits());
        registry.setToken(address(0), true, 0);
        vm.stopPrank();
    }
}

/// @notice Attacks of a Capsule, and of an owner in league with it.
contract CapsuleAttacks is Attacks {
    /// @dev Windows of one submission, windows as large as the campaign, and a campaign of the largest size.
    function test_aSilentCapsuleGetsAtMostATenthBackThroughItsOwnSubmissions() public {
        _silent(1, 1000, 1);
        _silent(64, 64, 63);
        _silent(64, 64, 64);
        _silent(64, 65_535, 63);
        _silent(4, 65_535, 1);
        // The campaign ends before its window is full.
        _silent(64, 3, 2);
    }

    /// @dev The last `own` submissions are the Capsule's.
    function _silent(uint16 windowSize, uint32 maxSubmissions, uint256 own) private {
        Terms memory t = ethTerms();
        (t.windowSize, t.maxSubmissions, t.capPerVersion) = (windowSize, maxSubmissions, 255);
        t.salt = keccak256(abi.encode(windowSize, maxSubmissions, own));
        uint256 snapshot = vm.snapshotState();
        bytes32 id = activated(t);
        uint256 size = maxSubmissions < windowSize ? maxSubmissions : windowSize;
        Submission[] memory subs = new Submission[](size);
        for (uint256 i = 0; i < size; ++i) {
            subs[i] = Submission(i < size - own ? miner(i) : sybil, content(i));
            submit(id, subs[i].miner, 1, subs[i].content);
        }
        uint256 burned = address(0).balance;
        vm.warp(block.timestamp + 2000);
        campaigns.abandon(t, windowStart[id], subs);
        uint256 share = STAKE / 10 / windowSize;
        vm.assertEq(registry.claimable(sybil), own * share, "a share for each submission");
        vm.assertLe(registry.claimable(sybil), STAKE / 10, "at most a tenth comes back");
        vm.assertEq(address(0).balance - burned, STAKE - size * share, "the rest is burned");
        vm.assertEq(registry.capsule(operator).stake, 100 ether - STAKE);
        vm.assertEq(campaigns.owed(id, owner), deposit(t));
        for (uint256 i = 0; i < size - own; ++i) {
            vm.assertEq(registry.claimable(miner(i)), share, "as much as without the crowd");
            vm.assertEq(campaigns.stakesOf(id, miner(i)).free, SUBMISSION_STAKE, "the stake is back");
        }
        vm.assertEq(campaigns.stakesOf(id, sybil).free, own * SUBMISSION_STAKE);
        vm.revertToState(snapshot);
    }

    function test_anOwnerWhoIsTheCapsuleCannotTakeMinersStakes() public {
        vm.fee(2 gwei);
        Terms memory t = ownedBy(stranger);
        becomesOperator(stranger);
        t.capsule = stranger;
        bytes32 id = activated(t);
        uint16[4] memory codes = [0xF001, 0xF002, 0xF0FF, 0];
        for (uint256 i = 0; i < 4; ++i) {
            settled(t, submitted(id, 4 * i, 4), outcomes4(codes[i], codes[i], codes[i], codes[i]), 0);
        }
        vm.assertEq(campaigns.stakesOf(id, stranger).free, 0);
        vm.assertEq(campaigns.owed(id, stranger), 0);
        // Only its gas comes back, for what it evaluated.
        vm.prank(stranger);
        campaigns.withdrawStake(t, address(0x7A4E));
        vm.assertEq(address(0x7A4E).balance, 4 * 4000 * 2 gwei);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, id, stranger));
        vm.prank(stranger);
        campaigns.withdrawStake(t, address(0x7A4E));
    }

    function test_aSubmissionStakeIsAtMostAStepsPay() public {
        Terms memory t = ethTerms();
        t.bounty = 1;
        t.submissionStake = 1e12;
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.OutOfRange.selector, "submissionStake", 1e12, 0, 0));
        vm.prank(owner);
        campaigns.open{ value: 1 }(t);
    }

    function test_noStakeIsHeldForAHundredYears() public {
        Terms memory t = ethTerms();
        uint32 max = type(uint32).max;
        t.evaluationSeconds = max;
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.OutOfRange.selector, "evaluationSeconds", max, 62, 3 days));
        vm.prank(owner);
        campaigns.open{ value: deposit(t) }(t);
        // The longest that a miner can wait, without anybody's help.
        (t.windowSeconds, t.evaluationSeconds) = (1 days, 3 days);
        t.deadline = uint64(block.timestamp + 50 days);
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 1);
        vm.warp(block.timestamp + 4 days);
        vm.prank(miner(0));
        campaigns.abandon(t, windowStart[id], subs);
        vm.prank(miner(0));
        campaigns.withdrawStake(t, miner(0));
        vm.assertEq(miner(0).balance, SUBMISSION_STAKE);
    }

    function test_anOwnerInLeagueFreesNoStakeAtOnce() public {
        Terms memory t = ethTerms();
        delivered(t, handover(MATERIAL));
        uint256 end = block.timestamp + 4000;
        bytes memory refusal = abi.encodeWithSelector(ICampaigns.TooEarly.selector, end);
        vm.startPrank(owner);
        vm.expectRevert(refusal);
        campaigns.release(t);
        vm.warp(end - 1);
        vm.expectRevert(refusal);
        campaigns.release(t);
        vm.stopPrank();
        vm.expectPartialRevert(ICapsuleRegistry.InsufficientStake.selector);
        vm.prank(operator);
        registry.unstake(100 ether);
        // Who has the owner's audit key convicts until then.
        campaigns.convictHandover(t, 1, handover(MATERIAL), KeyProof(AUDIT_KEY, new bytes32[](0)));
    }

    function test_noOwnerSetsNoAudit() public {
        Terms memory t = ethTerms();
        t.audit.period = 0;
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.OutOfRange.selector, "audit.period", 0, 1000, 30 days));
        vm.prank(owner);
        campaigns.open{ value: deposit(t) }(t);
    }

    /// @dev The owner and the Capsule are one, and convict before anybody else does.
    function test_anOwnerInLeagueGainsAtMostATenthByConvictingFirst() public {
        Terms memory t = ownedBy(stranger);
        becomesOperator(stranger);
        t.capsule = stranger;
        uint256 before = stranger.balance;
        uint256 burned = address(0).balance;
        bytes32 id = delivered(t, handover(MATERIAL));
        vm.startPrank(stranger);
        campaigns.convictHandover(t, 1, handover(MATERIAL), KeyProof(AUDIT_KEY, new bytes32[](0)));
        campaigns.withdraw(t, stranger);
        registry.claim(stranger);
        registry.unstake(10 ether - STAKE);
        vm.assertEq(stranger.balance, before + 10 ether - STAKE + STAKE / 10, "a tenth of the stake, no more");
        vm.assertEq(address(0).balance - burned, STAKE - STAKE / 10);
        assertState(id, State.Convicted, CloseReason.Owner);
    }

    /// @dev With a fee as large as the stake, expiry would otherwise be the cheap way out of a conviction.
    function test_anOwnerInLeagueGainsAtMostATenthByLettingItExpire() public {
        Terms memory t = ownedBy(stranger);
        becomesOperator(stranger);
        t.capsule = stranger;
        t.bounty = 100 ether;
        vm.assertGe(fee(t), STAKE, "the fee is the larger");
        uint256 before = stranger.balance;
        uint256 burned = address(0).balance;
        activated(t);
        vm.startPrank(stranger);
        campaigns.close(t);
        vm.warp(block.timestamp + 3000);
        campaigns.expire(t);
        campaigns.withdraw(t, stranger);
        registry.claim(stranger);
        registry.unstake(10 ether - STAKE);
        vm.assertEq(stranger.balance, before + 10 ether - STAKE + STAKE / 10, "a tenth of the stake, no more");
        vm.assertEq(address(0).balance - burned, STAKE - STAKE / 10);
    }

    /// @dev By cutting the Capsule off before it delivers.
    function test_anOwnerWhoCausesATimeOutGainsNothingButTheFeeOnceMore() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        uint256 before = owner.balance;
        vm.startPrank(owner);
        campaigns.close(t);
        vm.warp(block.timestamp + 3000);
        campaigns.expire(t);
        campaigns.withdraw(t, owner);
        vm.assertEq(owner.balance - before, deposit(t), "what it deposited");
        vm.assertEq(registry.claimable(owner), fee(t), "and the fee once more");
        vm.assertEq(campaigns.owed(id, owner), 0);
    }

    /// @dev By cutting the Capsule off before it settles, with a window full of its own submissions.
    function test_anOwnerWhoCausesAnAbandonGainsAtMostATenth() public {
        Terms memory t = ethTerms();
        t.capPerVersion = 4;
        bytes32 id = activated(t);
        Submission[] memory subs = new Submission[](4);
        for (uint256 i = 0; i < 4; ++i) {
            subs[i] = Submission(owner, content(i));
            submit(id, owner, 1, content(i));
        }
        vm.warp(block.timestamp + 2000);
        campaigns.abandon(t, windowStart[id], subs);
        vm.assertEq(campaigns.owed(id, owner), deposit(t));
        vm.assertEq(registry.claimable(owner), STAKE / 10);
    }

    /// @dev Every attestation of a key that its operator has replaced, before and in the middle of a campaign.
    function test_aReplacedKeyActivatesSettlesAndDeliversNothing() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        bytes memory activation = signActivation(id, 100_000, MATERIAL);
        bytes memory decline = signDecline(id, 1);
        uint256 newKey = 0x4E3;
        address newAttester = vm.addr(newKey);
        vm.prank(operator);
        registry.update(newAttester, bytes32("f"), bytes32("c"), "here", FEE_PPM);
        bytes memory refusal = abi.encodeWithSelector(ICampaigns.WrongSigner.selector, newAttester, attester);
        vm.expectRevert(refusal);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, activation);
        vm.expectRevert(refusal);
        campaigns.decline(t, 1, decline);
        // The new key rules the campaign.
        bytes32 hash = activationHash(id, 100_000, campaigns.window(id).hash, published(MATERIAL));
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signAs(newKey, hash));

        Submission[] memory subs = submitted(id, 0, 4);
        uint16[] memory outcomes = outcomes4(200, 0, 0, 0);
        bytes memory settlement = signSettlement(id, outcomes, NEXT, 0);
        vm.expectRevert(refusal);
        campaigns.settle(t, windowStart[id], subs, outcomes, published(NEXT), 0, settlement);
        hash = settlementHash(id, campaigns.window(id), outcomes, NEXT, 0);
        campaigns.settle(t, windowStart[id], subs, outcomes, published(NEXT), 0, signAs(newKey, hash));

        vm.prank(owner);
        campaigns.close(t);
        bytes memory delivery = signDelivery(id, bytes32("result"));
        vm.expectRevert(refusal);
        campaigns.finalize(t, bytes32("result"), handovers(2), delivery);
        bytes32 typehash = keccak256("Delivery(bytes32 campaign,bytes32 windowHash,bytes32 result)");
        hash = keccak256(abi.encode(typehash, id, campaigns.status(id).windowHash, bytes32("result")));
        campaigns.finalize(t, bytes32("result"), handovers(2), signAs(newKey, hash));
    }

    function test_anActivationAfterItsTimeCountsNoMore() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        uint256 end = block.timestamp + 1000;
        bytes memory sig = signActivation(id, 100_000, MATERIAL);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooLate.selector, end));
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        campaigns.refund(t);
        assertState(id, State.Refunded, CloseReason.None);
    }

    /// @dev An owner opens the same campaign again on a chain that was rolled back.
    function test_anActivationOfOneForkCountsOnNoOther() public {
        Terms memory t = ethTerms();
        vm.roll(100);
        uint256 fork = vm.snapshotState();
        vm.setBlockhash(99, keccak256("one"));
        bytes32 id = opened(t);
        bytes memory sig = signActivation(id, 100_000, MATERIAL);
        vm.revertToState(fork);
        vm.setBlockhash(99, keccak256("other"));
        vm.assertEq(opened(t), id);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
    }

    /// @dev The same submissions come again on a chain that was rolled back to before the window.
    function test_aSettlementOfOneForkCountsOnNoOther() public {
        Terms memory t = ethTerms();
        vm.roll(100);
        bytes32 id = activated(t);
        Submission[] memory first = submitted(id, 0, 4);
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        vm.roll(200);
        uint256 fork = vm.snapshotState();
        vm.setBlockhash(199, keccak256("one"));
        settled(t, first, outcomes, 0);
        Submission[] memory second = submitted(id, 4, 4);
        bytes memory sig = signSettlement(id, outcomes, 0, 0);
        vm.revertToState(fork);
        vm.setBlockhash(199, keccak256("other"));
        settled(t, first, outcomes, 0);
        vm.assertEq(campaigns.window(id).hash, keccak256(abi.encode(id, 1, 1, keccak256("other"))));
        second = submitted(id, 4, 4);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.settle(t, windowStart[id], second, outcomes, published(0), 0, sig);
        settled(t, second, outcomes, 0);
    }

    /// @dev The last settlement is rolled back; without it the campaign closes with another model.
    function test_aDeliveryOfOneForkCountsOnNoOther() public {
        Terms memory t = ethTerms();
        vm.roll(100);
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 4);
        vm.roll(200);
        uint256 fork = vm.snapshotState();
        vm.setBlockhash(199, keccak256("one"));
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        vm.prank(owner);
        campaigns.close(t);
        bytes memory sig = signDelivery(id, bytes32("result"));
        vm.revertToState(fork);
        vm.setBlockhash(199, keccak256("other"));
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        vm.prank(owner);
        campaigns.close(t);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.finalize(t, bytes32("result"), handovers(1), sig);
        campaigns.finalize(t, bytes32("result"), handovers(1), signDelivery(id, bytes32("result")));
    }
}

/// @notice Attacks of miners, and of owners who are not in league with anybody.
contract OutsiderAttacks is Attacks {
    /// @dev Fresh addresses fill every window from one purse.
    function test_junkThatFillsWindowsPaysAnEighthOrTheWholeStake() public {
        Terms memory t = ethTerms();
        (t.windowSize, t.capPerVersion) = (10, 1);
        bytes32 id = activated(t);
        uint256 burned = address(0).balance;
        for (uint32 w = 0; w < 5; ++w) {
            uint16[] memory outcomes = new uint16[](10);
            for (uint256 i = 0; i < 10; ++i) {
                // Nine are evaluated; or all are rejected for their form.
                outcomes[i] = w < 3 ? 0 : 0xF00A;
            }
            Submission[] memory subs = submitted(id, 1000 + 10 * w, 10);
            settled(t, subs, outcomes, 0);
        }
        for (uint256 i = 0; i < 50; ++i) {
            assertStakes(id, miner(1000 + i), 0, i < 30 ? 7 : 0);
        }
        vm.assertEq(address(0).balance - burned, 30 * EIGHTH + 20 * SUBMISSION_STAKE);
    }

    /// @dev Each of the thousand costs an eighth, wherever it comes from, and nobody gets more than gas for it.
    function test_aCampaignIsEndedAtItsLimitOnlyForItsPrice() public {
        Terms memory t = ethTerms();
        (t.maxSubmissions, t.capPerVersion) = (100, 255);
        bytes32 id = activated(t);
        for (uint256 w = 0; w < 25; ++w) {
            Submission[] memory subs = new Submission[](4);
            for (uint256 i = 0; i < 4; ++i) {
                subs[i] = Submission(sybil, content(4 * w + i));
                submit(id, sybil, 1, subs[i].content);
            }
            settled(t, subs, outcomes4(0, 0xF001, 0, 0xF001), 0);
        }
        assertState(id, State.Closed, CloseReason.Limit);
        vm.startPrank(sybil);
        campaigns.withdrawStake(t, sybil);
        // What it sent is what four whole stakes need, topped up by what each window took.
        vm.assertEq(sybil.balance, 4 * SUBMISSION_STAKE - 4 * EIGHTH);
        vm.stopPrank();
        vm.assertEq(address(campaigns).balance, deposit(t), "a hundred eighths are burned");
        vm.assertEq(address(0).balance, 100 * EIGHTH);
        // The Capsule earns no more by it than by an empty campaign.
        campaigns.finalize(t, bytes32("r"), handovers(1), signDelivery(id, bytes32("r")));
        vm.warp(block.timestamp + 4000);
        campaigns.release(t);
        vm.assertEq(campaigns.owed(id, operator), fee(t) / 4);
    }

    /// @dev A submission comes in before the owner's transaction, and another is ready for the next window.
    function test_anOwnersCloseCannotBeFrontRun() public {
        Terms memory t = ethTerms();
        t.capPerVersion = 255;
        bytes32 id = activated(t);
        submit(id, sybil, 1, content(0));
        uint256 closesAt = block.timestamp + 600;
        vm.prank(owner);
        campaigns.close(t);
        vm.warp(closesAt);
        settled(t, only(sybil, content(0)), one(0), 0);
        assertState(id, State.Closed, CloseReason.Owner);
        vm.deal(sybil, SUBMISSION_STAKE);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NotOpen.selector, id, State.Closed));
        vm.prank(sybil);
        campaigns.submit{ value: EIGHTH }(id, 1, content(1));
    }

    function test_oneWeiLocksNoStakeBeyondLimits() public {
        Limits memory l = limits();
        (l.stakePerCampaign, l.stakeInAll, l.longestRun) = (2 ether, 5 ether, 30 days);
        vm.startPrank(operator);
        registry.setLimits(l);
        registry.setToken(address(0), true, 0.001 ether);
        vm.stopPrank();
        Terms memory t = ethTerms();
        (t.bounty, t.submissionStake, t.stake) = (1, 0, 100 ether);
        _refusesActivation(t, abi.encodeWithSelector(ICapsuleRegistry.AboveLimit.selector, "stake", 100 ether, 2 ether));
        t.stake = 2 ether;
        _refusesActivation(t, abi.encodeWithSelector(ICapsuleRegistry.BelowLimit.selector, "least fee", 0, 0.001 ether));
        // Who pays still locks it only for a while, and only a part of it.
        t.bounty = 1 ether;
        uint32 run = 30 days + 1;
        t.deadline = uint64(block.timestamp + run);
        _refusesActivation(
            t, abi.encodeWithSelector(ICapsuleRegistry.AboveLimit.selector, "seconds to the deadline", run, 30 days)
        );
        t.deadline -= 1;
        activated(t);
        t.salt = "second";
        activated(t);
        t.salt = "third";
        _refusesActivation(
            t, abi.encodeWithSelector(ICapsuleRegistry.AboveLimit.selector, "stake in all", 6 ether, 5 ether)
        );
        vm.prank(operator);
        registry.unstake(96 ether);
    }

    function test_noDeadlineIsWithoutEnd() public {
        Terms memory t = ethTerms();
        t.deadline = type(uint40).max;
        vm.expectRevert(
            abi.encodeWithSelector(
                ICampaigns.OutOfRange.selector, "deadline", t.deadline, 0, block.timestamp + 90 days
            )
        );
        vm.prank(owner);
        campaigns.open{ value: deposit(t) }(t);
    }

    function test_theShortestTimesAreTheOperators() public {
        Terms memory t = ethTerms();
        t.evaluationSeconds = 99;
        _refusesActivation(
            t, abi.encodeWithSelector(ICapsuleRegistry.BelowLimit.selector, "evaluation seconds", 99, 100)
        );
        (t.evaluationSeconds, t.deliverySeconds) = (100, 199);
        _refusesActivation(
            t, abi.encodeWithSelector(ICapsuleRegistry.BelowLimit.selector, "delivery seconds", 199, 200)
        );
        (t.deliverySeconds, t.audit.period) = (200, 20 days + 1);
        _refusesActivation(
            t, abi.encodeWithSelector(ICapsuleRegistry.AboveLimit.selector, "audit period", 20 days + 1, 20 days)
        );
    }

    /// @dev It is the base that counts: what the Capsule earns even if nothing is awarded.
    function test_theLeastFeeIsTheOperators() public {
        Terms memory t = ethTerms();
        uint128 base = 0.005 ether;
        vm.assertEq(base, fee(t) / 4);
        vm.prank(operator);
        registry.setToken(address(0), true, base + 1);
        _refusesActivation(
            t, abi.encodeWithSelector(ICapsuleRegistry.BelowLimit.selector, "least fee", base, base + 1)
        );
        vm.prank(operator);
        registry.setToken(address(0), true, base);
        activated(t);
    }

    function test_theMostSubmissionsAreTheOperators() public {
        Limits memory l = limits();
        l.maxSubmissions = 999;
        vm.prank(operator);
        registry.setLimits(l);
        Terms memory t = ethTerms();
        _refusesActivation(t, abi.encodeWithSelector(ICapsuleRegistry.AboveLimit.selector, "submissions", 1000, 999));
        t.maxSubmissions = 999;
        activated(t);
    }

    /// @dev An operator who changes everything in the middle of a campaign stays bound by it.
    function test_noOperatorEscapesByItsLimits() public {
        Terms memory t = ethTerms();
        bytes32 id = delivered(t, handover(MATERIAL));
        Limits memory none;
        vm.startPrank(operator);
        registry.setLimits(none);
        registry.setToken(address(0), false, type(uint128).max);
        registry.authorize(address(campaigns), false);
        vm.expectRevert(
            abi.encodeWithSelector(ICapsuleRegistry.InsufficientStake.selector, operator, 99 ether, 100 ether)
        );
        registry.unstake(100 ether);
        vm.stopPrank();
        campaigns.convictHandover(t, 1, handover(MATERIAL), KeyProof(AUDIT_KEY, new bytes32[](0)));
        assertState(id, State.Convicted, CloseReason.Owner);
        vm.assertEq(registry.capsule(operator).stake, 99 ether);
    }

    function test_aHoneypotTokenIsRefusedAtActivation() public {
        Terms memory t = ethTerms();
        HoneypotToken pot = new HoneypotToken(owner, address(campaigns));
        t.token = address(pot);
        vm.startPrank(owner);
        pot.approve(address(campaigns), type(uint256).max);
        bytes32 id = campaigns.open(t);
        vm.stopPrank();
        bytes memory sig = signActivation(id, 100_000, MATERIAL);
        vm.expectRevert(
            abi.encodeWithSelector(ICapsuleRegistry.TokenNotAccepted.selector, operator, address(pot))
        );
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
    }

    /// @dev A hub or the Capsule could cause it, so it must profit nobody and cost little.
    function test_unavailablePaysAnEighthThatNobodyGets() public {
        vm.fee(100 gwei);
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        uint256 burned = address(0).balance;
        for (uint256 w = 1; w <= 3; ++w) {
            // However often.
            settled(t, submitted(id, 0, 4), outcomes4(0xF001, 0xF001, 0xF001, 0xF001), 0);
            assertStakes(id, miner(0), 0, 7);
            vm.assertEq(address(0).balance - burned, 4 * w * EIGHTH);
        }
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, id, operator));
        vm.prank(operator);
        campaigns.withdrawStake(t, operator);
    }

    /// @dev Who sees that a Capsule is down, and fills its window.
    function test_anOutsiderHarvestsNoMoreThanItsSharesOfATenth() public {
        Terms memory t = ethTerms();
        t.windowSize = 64;
        bytes32 id = activated(t);
        Submission[] memory subs = new Submission[](64);
        Submission[] memory honest = submitted(id, 0, 2);
        (subs[0], subs[1]) = (honest[0], honest[1]);
        for (uint256 i = 2; i < 64; ++i) {
            subs[i] = submitted(id, 1000 + i, 1)[0];
        }
        vm.warp(block.timestamp + 2000);
        campaigns.abandon(t, windowStart[id], subs);
        uint256 share = STAKE / 10 / 64;
        vm.assertEq(registry.claimable(miner(0)), share, "the crowd takes nothing from those who were there");
        vm.assertEq(registry.claimable(miner(1063)), share);
    }

    function _refusesActivation(Terms memory t, bytes memory refusal) private {
        t.salt = keccak256(abi.encode(t));
        bytes32 id = opened(t);
        bytes memory sig = signActivation(id, 100_000, MATERIAL);
        vm.expectRevert(refusal);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        assertState(id, State.Proposed, CloseReason.None);
        t.salt = 0;
    }
}

/// @notice Material and hand-overs that the Capsule never sealed convict nobody, and deliver nothing.
contract SealAttacks is Attacks, Encryption {
    Terms private t;
    bytes32 private id;

    /// @dev A campaign with three versions, each with its own hand-over, delivered.
    function setUp() public override {
        super.setUp();
        t = ethTerms();
        id = activated(t);
        settled(t, submitted(id, 0, 4), outcomes4(200, 0, 0, 0), NEXT);
        settled(t, submitted(id, 0, 4), outcomes4(0, 300, 0, 0), bytes32("version 3"));
        vm.prank(owner);
        campaigns.close(t);
    }

    function test_theClosingVersionIsHandedOverToo() public {
        bytes memory sig = signDelivery(id, bytes32("r"));
        for (uint256 versions = 0; versions < 5; ++versions) {
            if (versions == 3) continue;
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandovers.selector, versions, 3));
            campaigns.finalize(t, bytes32("r"), new Handover[](versions), sig);
        }
        campaigns.finalize(t, bytes32("r"), _sealed(), sig);
    }

    function test_handoversInAnotherOrderDeliverNothing() public {
        bytes memory sig = signDelivery(id, bytes32("r"));
        uint8[3][5] memory orders = [[0, 2, 1], [1, 0, 2], [2, 1, 0], [1, 2, 0], [0, 1, 1]];
        uint8[5] memory wrong = [2, 1, 1, 1, 3];
        for (uint256 i = 0; i < 5; ++i) {
            Handover[] memory all = _sealed();
            Handover[] memory mixed = new Handover[](3);
            for (uint256 j = 0; j < 3; ++j) {
                mixed[j] = all[orders[i][j]];
            }
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandover.selector, wrong[i]));
            campaigns.finalize(t, bytes32("r"), mixed, sig);
        }
    }

    function test_eachVersionsHandoverIsBoundInEachField() public {
        bytes memory sig = signDelivery(id, bytes32("r"));
        for (uint256 version = 1; version <= 3; ++version) {
            for (uint256 field = 0; field < 4; ++field) {
                Handover[] memory all = _sealed();
                if (field == 0) all[version - 1].root ^= bytes32(uint256(1));
                if (field == 1) all[version - 1].commitment ^= bytes32(uint256(1));
                if (field == 2) all[version - 1].point ^= bytes32(uint256(1));
                if (field == 3) all[version - 1].ciphertext ^= bytes32(uint256(1));
                vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandover.selector, version));
                campaigns.finalize(t, bytes32("r"), all, sig);
            }
        }
    }

    function test_aHandoverOfAnotherVersionConvictsNobody() public {
        campaigns.finalize(t, bytes32("r"), _sealed(), signDelivery(id, bytes32("r")));
        KeyProof memory proof = KeyProof(AUDIT_KEY, new bytes32[](0));
        for (uint32 version = 0; version < 5; ++version) {
            for (uint256 i = 0; i < 3; ++i) {
                if (i + 1 == version) continue;
                Handover memory h = _sealed()[i];
                vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandover.selector, version));
                campaigns.convictHandover(t, version, h, proof);
            }
        }
        // The key is one for version 1, so that is where it convicts.
        vm.expectRevert(abi.encodeWithSelector(IAssessor.WrongKey.selector, 3));
        campaigns.convictHandover(t, 3, _sealed()[2], proof);
        vm.expectEmit();
        emit ICampaigns.Convicted(id, 1, fee(t), STAKE / 10);
        campaigns.convictHandover(t, 1, _sealed()[0], proof);
    }

    function test_materialThatWasNeverSealedConvictsNobody() public {
        campaigns.finalize(t, bytes32("r"), _sealed(), signDelivery(id, bytes32("r")));
        (Handover memory h, WordProof memory p) = _published(_words(), WEIGHTS + 70, 2 ** 54);
        assessor.requireBadWord(h, p);
        for (uint32 version = 0; version < 5; ++version) {
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandover.selector, version));
            campaigns.convictMaterial(t, version, h, p);
        }
        // Nor does sealed material without a bad word.
        vm.expectPartialRevert(IAssessor.WrongSeed.selector);
        campaigns.convictMaterial(t, 2, _sealed()[1], p);
    }

    /// @dev Version 2 is the bad one, and its proof convicts for version 2.
    function test_badMaterialOfALaterVersionConvicts() public {
        (Handover memory h, WordProof memory p) = _published(_words(), WEIGHTS + 70, 2 ** 54);
        Terms memory other = ethTerms();
        other.salt = "bad";
        bytes32 bad = activated(other);
        Submission[] memory subs = submitted(bad, 0, 4);
        uint16[] memory outcomes = outcomes4(200, 0, 0, 0);
        bytes memory sig = signAs(
            ATTESTER_KEY, settlementHash(bad, campaigns.window(bad), outcomes, sealing(NEXT, h), 0)
        );
        campaigns.settle(other, windowStart[bad], subs, outcomes, sealing(NEXT, h), 0, sig);
        vm.prank(owner);
        campaigns.close(other);
        Handover[] memory all = new Handover[](2);
        (all[0], all[1]) = (handover(MATERIAL), h);
        campaigns.finalize(other, bytes32("r"), all, signDelivery(bad, bytes32("r")));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandover.selector, 1));
        campaigns.convictMaterial(other, 1, h, p);
        vm.expectEmit();
        emit ICampaigns.Convicted(bad, 2, fee(other), STAKE / 10);
        campaigns.convictMaterial(other, 2, h, p);
    }

    function _sealed() private pure returns (Handover[] memory all) {
        all = new Handover[](3);
        (all[0], all[1], all[2]) = (handover(MATERIAL), handover(NEXT), handover(bytes32("version 3")));
    }
}

/// @notice What cannot be prevented yet, because the Capsule's word is believed for verdicts: what each conduct earns it.
contract ConductTest is Attacks {
    /// @dev In wei, gas aside. Positive if the party has more than before.
    struct Earned {
        int256 capsule;
        int256 miners;
        int256 owner;
        uint256 burned;
    }

    Terms private t;
    bytes32 private id;
    uint256 private snapshot;
    uint256 private burned;
    uint256 private paidByMiners;
    uint256 private paidByCapsule;

    /// @dev A point of accuracy pays 1 ETH. Fee 1.8 ETH, of which 0.45 ETH are the base; the Capsule locks 9 ETH. A
    /// submission stakes 0.08 ETH. Start 10 %, target 90 %; two windows of four; honest evaluation finds 60 points.
    function setUp() public override {
        super.setUp();
        vm.fee(10 gwei);
        t = ethTerms();
        (t.bounty, t.stake, t.submissionStake) = (90 ether, 9 ether, 0.08 ether);
    }

    function test_whatEachConductEarnsTheCapsule() public {
        _begin();
        _honestWork();
        _deliver(3);
        _earns("honesty", Earned(1.35016 ether, 59.88 ether, -61.35 ether, 0.11984 ether));

        _begin();
        _settle(0, 4, outcomes4(0, 0, 0, 0));
        _settle(4, 4, outcomes4(0, 0, 0, 0));
        _close();
        _deliver(1);
        _earns("refuse-all", Earned(0.45032 ether, -0.08 ether, -0.45 ether, 0.07968 ether));

        _begin();
        _settle(0, 4, outcomes4(200, 300, 400, 500));
        _settle(4, 4, outcomes4(600, 700, 800, 900));
        _deliver(3);
        _earns("accept-all", Earned(1.65 ether, 80 ether, -81.65 ether, 0));

        _begin();
        _settle(3, 1, outcomes4(0, 0, 0, 900));
        _deliver(2);
        _earns("self-award", Earned(81.65012 ether, -0.03 ether, -81.65 ether, 0.02988 ether));

        _begin();
        _abandon(4);
        _earns("silence", Earned(-9 ether, 0.9 ether, 0, 8.1 ether));

        _begin();
        _abandon(1);
        _earns("silence in a window of its own", Earned(-8.325 ether, 0.225 ether, 0, 8.1 ether));

        _begin();
        _honestWork();
        vm.warp(block.timestamp + 3000);
        campaigns.expire(t);
        _earns("no delivery", Earned(-8.99984 ether, 59.88 ether, -59.1 ether, 8.21984 ether));

        _begin();
        _honestWork();
        _finalize(3);
        campaigns.convictHandover(t, 1, handover(MATERIAL), KeyProof(AUDIT_KEY, new bytes32[](0)));
        _earns("convicted", Earned(-8.99984 ether, 59.88 ether, -59.1 ether, 8.21984 ether));
    }

    function _begin() private {
        snapshot = vm.snapshotState();
        burned = address(0).balance;
        (paidByMiners, paidByCapsule) = (0, 0);
        id = activated(t);
    }

    /// @dev Two improve by 20 points each, then one by 20; one is rejected for its form, four are not improved.
    function _honestWork() private {
        _settle(0, 4, outcomes4(300, 0, 500, 0));
        _settle(4, 4, outcomes4(0, 700, 0, 0xF00A));
        _close();
    }

    /// @dev A window of `honest` miners; what is left of it is the Capsule's own.
    function _window(uint256 first, uint256 honest) private returns (Submission[] memory subs) {
        subs = new Submission[](4);
        uint32 version = campaigns.status(id).version;
        for (uint256 i = 0; i < 4; ++i) {
            subs[i] = Submission(i < honest ? miner(first + i) : sybil, content(first + i));
            if (i < honest) paidByMiners += 0.08 ether;
            else paidByCapsule += 0.08 ether;
            submit(id, subs[i].miner, version, subs[i].content);
        }
    }

    /// @dev In a self-award three honest miners come before the Capsule's own submission.
    function _settle(uint256 first, uint256 count, uint16[] memory outcomes) private {
        uint256 honest = count == 1 ? 3 : count;
        uint256 from = count == 1 ? 0 : first;
        bool renew = false;
        for (uint256 i = 0; i < 4; ++i) {
            if (outcomes[i] != 0 && outcomes[i] < 0xF000) renew = true;
        }
        settled(t, _window(from, honest), outcomes, renew ? NEXT : bytes32(0));
    }

    function _abandon(uint256 honest) private {
        Submission[] memory subs = _window(0, honest);
        vm.warp(block.timestamp + 2000);
        campaigns.abandon(t, windowStart[id], subs);
    }

    function _close() private {
        vm.prank(owner);
        campaigns.close(t);
    }

    function _finalize(uint256 versions) private {
        campaigns.finalize(t, bytes32("result"), handovers(versions), signDelivery(id, bytes32("result")));
    }

    function _deliver(uint256 versions) private {
        _finalize(versions);
        vm.warp(block.timestamp + 4000);
        campaigns.release(t);
    }

    function _earns(string memory conduct, Earned memory expected) private {
        uint256 miners = 0;
        for (uint256 i = 0; i < 8; ++i) {
            miners += _has(miner(i));
        }
        uint256 capsule = _has(operator) + _has(sybil) + registry.capsule(operator).stake;
        int256 change = int256(capsule) - int256(100 ether + paidByCapsule);
        vm.assertEq(change, expected.capsule, string.concat(conduct, ": Capsule"));
        vm.assertEq(int256(miners) - int256(paidByMiners), expected.miners, string.concat(conduct, ": miners"));
        change = int256(_has(owner)) - int256(deposit(t));
        vm.assertEq(change, expected.owner, string.concat(conduct, ": owner"));
        vm.assertEq(address(0).balance - burned, expected.burned, string.concat(conduct, ": burned"));
        vm.assertEq(
            expected.capsule + expected.miners + expected.owner + int256(expected.burned), 0, "nothing is lost"
        );
        vm.revertToState(snapshot);
    }

    /// @dev What an account can take now.
    function _has(address account) private returns (uint256 amount) {
        amount = campaigns.owed(id, account) + registry.claimable(account);
        uint256 before = address(0x7A4E).balance;
        vm.prank(account);
        try campaigns.withdrawStake(t, address(0x7A4E)) { } catch { }
        amount += address(0x7A4E).balance - before;
    }
}
