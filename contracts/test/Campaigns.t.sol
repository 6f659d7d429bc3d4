// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { IERC20Errors } from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import { ICapsuleRegistry } from "../src/interfaces/ICapsuleRegistry.sol";
import { Bounds, ITermsChecker, Range } from "../src/interfaces/ITermsChecker.sol";
import {
    CloseReason,
    Handover,
    ICampaigns,
    State,
    Status,
    Submission,
    Terms,
    Window
} from "../src/interfaces/ICampaigns.sol";
import { Fixture } from "./support/Fixture.sol";
import { FalseToken, FeeToken, ReentrantToken, SilentToken } from "./support/Tokens.sol";
import { Vm, vm } from "./support/Vm.sol";

contract OpenTest is Fixture {
    function test_takesBountyAndFeeInEth() public {
        Terms memory t = ethTerms();
        bytes32 expected = keccak256(abi.encode(block.chainid, address(campaigns), t));
        vm.expectEmit();
        emit ICampaigns.Opened(expected, owner, operator, t, startOf(expected, 1, 0));
        bytes32 id = opened(t);
        vm.assertEq(address(campaigns).balance, deposit(t));
        assertState(id, State.Proposed, CloseReason.None);
        assertLedger(t, 0, 0, 0, 0, deposit(t));
    }

    function test_takesBountyAndFeeInTokens() public {
        Terms memory t = coinTerms();
        opened(t);
        vm.assertEq(coin.balanceOf(address(campaigns)), deposit(t));
        assertLedger(t, 0, 0, 0, 0, deposit(t));
    }

    function test_idIsTheHashOfChainContractAndTerms() public view {
        Terms memory t = ethTerms();
        vm.assertEq(campaigns.campaignId(t), keccak256(abi.encode(block.chainid, address(campaigns), t)));
    }

    function test_takesAPermit() public {
        Terms memory t = coinTerms();
        (uint8 v, bytes32 r, bytes32 s) = _permit(t);
        vm.prank(owner);
        bytes32 id = campaigns.openWithPermit(t, t.deadline, v, r, s);
        assertState(id, State.Proposed, CloseReason.None);
        vm.assertEq(coin.balanceOf(address(campaigns)), deposit(t));
    }

    function test_takesAPermitThatSomebodyUsedBefore() public {
        Terms memory t = coinTerms();
        (uint8 v, bytes32 r, bytes32 s) = _permit(t);
        vm.prank(stranger);
        coin.permit(owner, address(campaigns), deposit(t), t.deadline, v, r, s);
        vm.prank(owner);
        campaigns.openWithPermit(t, t.deadline, v, r, s);
        vm.assertEq(coin.balanceOf(address(campaigns)), deposit(t));
    }

    function test_refusesABadPermit() public {
        Terms memory t = coinTerms();
        bytes memory refusal =
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(campaigns), 0, deposit(t));
        vm.expectRevert(refusal);
        vm.prank(owner);
        campaigns.openWithPermit(t, t.deadline, 27, bytes32("r"), bytes32("s"));
    }

    function test_refusesAPermitForEth() public {
        vm.expectRevert(ICampaigns.PermitForEth.selector);
        vm.prank(owner);
        campaigns.openWithPermit(ethTerms(), 0, 0, 0, 0);
    }

    function test_refusesFieldsOutOfRange() public {
        Terms memory t = ethTerms();
        t.bounty = 0;
        _refusesRange(t, "bounty", 0, 1, type(uint128).max);
        t = ethTerms();
        t.gridPpm = 999;
        _refusesRange(t, "gridPpm", 999, 1000, 1_000_000);
        t.gridPpm = 1_000_001;
        _refusesRange(t, "gridPpm", 1_000_001, 1000, 1_000_000);
        t = ethTerms();
        t.targetPpm = 1_001_000;
        _refusesRange(t, "targetPpm", 1_001_000, 1, 1_000_000);
        t = ethTerms();
        t.tolerancePpm = 1_000_001;
        _refusesRange(t, "tolerancePpm", 1_000_001, 0, 1_000_000);
        t = ethTerms();
        t.maxSubmissions = 0;
        _refusesRange(t, "maxSubmissions", 0, 1, 65_535);
        t.maxSubmissions = 65_536;
        _refusesRange(t, "maxSubmissions", 65_536, 1, 65_535);
        t = ethTerms();
        t.maxAccepts = 0;
        _refusesRange(t, "maxAccepts", 0, 1, 255);
        t.maxAccepts = 256;
        _refusesRange(t, "maxAccepts", 256, 1, 255);
        t = ethTerms();
        t.windowSize = 0;
        _refusesRange(t, "windowSize", 0, 1, 64);
        t.windowSize = 65;
        _refusesRange(t, "windowSize", 65, 1, 64);
        t = ethTerms();
        t.capPerVersion = 0;
        _refusesRange(t, "capPerVersion", 0, 1, 255);
        t.capPerVersion = 256;
        _refusesRange(t, "capPerVersion", 256, 1, 255);
        t = ethTerms();
        uint256 most = uint256(BOUNTY) * 1_000 / 900_000;
        t.submissionStake = uint128(most + 1);
        _refusesRange(t, "submissionStake", most + 1, 0, most);
        t.submissionStake = uint128(most / 1e12 * 1e12);
        opened(t);
    }

    function test_aSubmissionStakeFitsItsFieldEvenForALargeBounty() public {
        Terms memory t = ethTerms();
        (t.bounty, t.targetPpm, t.gridPpm, t.startPpm) = (1000 ether, 1_000_000, 100_000, 0);
        t.submissionStake = 16.777216 ether;
        _refusesRange(t, "submissionStake", t.submissionStake, 0, 16.777215 ether);
        t.submissionStake = 16.777215 ether;
        opened(t);
    }

    function test_aSubmissionStakeForTokensIsAtMostAThousandth() public {
        Terms memory t = coinTerms();
        t.submissionStake = 0.001001 ether;
        vm.expectRevert(
            abi.encodeWithSelector(
                ICampaigns.OutOfRange.selector, "submissionStake", t.submissionStake, 0, 0.001 ether
            )
        );
        vm.prank(owner);
        campaigns.open(t);
        t.submissionStake = 0.001 ether;
        opened(t);
    }

    function test_boundsEveryTimeOnBothSides() public {
        Terms memory t = ethTerms();
        _bounds(t, "windowSeconds", 60, 1 days);
        _bounds(t, "activationSeconds", 61, 2 days);
        _bounds(t, "evaluationSeconds", 62, 3 days);
        _bounds(t, "deliverySeconds", 63, 4 days);
        _bounds(t, "audit.period", 1000, 30 days);
        t.deadline = uint64(block.timestamp + 90 days + 1);
        _refusesRange(t, "deadline", t.deadline, 0, block.timestamp + 90 days);
        t.deadline = uint64(block.timestamp + 90 days);
        opened(t);
    }

    function test_publishesItsBounds() public view {
        vm.assertEq(keccak256(abi.encode(termsChecker.bounds())), keccak256(abi.encode(bounds())));
    }

    /// @dev The meter has 24 bits for a window, whatever the bounds are.
    function test_aWindowFitsItsFieldEvenUnderWideBounds() public {
        Bounds memory wide = bounds();
        wide.window = Range(0, type(uint32).max);
        termsChecker = ITermsChecker(
            vm.deployCode("out/TermsChecker.sol/TermsChecker.json", abi.encode(registry, wide))
        );
        Terms memory t = ethTerms();
        t.windowSeconds = 0;
        vm.expectRevert(
            abi.encodeWithSelector(ICampaigns.OutOfRange.selector, "windowSeconds", 0, 1, type(uint24).max)
        );
        termsChecker.requireValid(t);
        t.windowSeconds = 1 << 24;
        vm.expectRevert(
            abi.encodeWithSelector(ICampaigns.OutOfRange.selector, "windowSeconds", 1 << 24, 1, type(uint24).max)
        );
        termsChecker.requireValid(t);
        t.windowSeconds = type(uint24).max;
        termsChecker.requireValid(t);
    }

    function test_onlyOneModeExists() public {
        Terms memory t = ethTerms();
        t.audit.mode = 1;
        _refuses(t, abi.encodeWithSelector(ICampaigns.UnknownMode.selector, 1, address(0)));
        (t.audit.mode, t.audit.auditor) = (0, stranger);
        _refuses(t, abi.encodeWithSelector(ICampaigns.UnknownMode.selector, 0, stranger));
    }

    function test_takesTheSmallestAndTheLargestOfEachField() public {
        Terms memory t = ethTerms();
        (t.bounty, t.submissionStake) = (1, 0);
        (t.maxSubmissions, t.maxAccepts, t.windowSize, t.capPerVersion, t.tolerancePpm) = (1, 1, 1, 1, 0);
        (t.targetPpm, t.startPpm) = (1_000, 999);
        t.deadline = uint64(block.timestamp + 1);
        opened(t);
        (t.maxSubmissions, t.maxAccepts, t.windowSize, t.capPerVersion) = (65_535, 255, 64, 255);
        (t.gridPpm, t.targetPpm, t.tolerancePpm) = (1_000_000, 1_000_000, 1_000_000);
        opened(t);
        t.targetPpm = 0;
        _refusesRange(t, "targetPpm", 0, 1, 1_000_000);
    }

    function test_publishesItsDomain() public view {
        bytes32 typehash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain =
            keccak256(abi.encode(typehash, keccak256("Sonar"), keccak256("1"), block.chainid, address(campaigns)));
        vm.assertEq(campaigns.DOMAIN_SEPARATOR(), domain);
    }

    function test_refusesATargetNotAboveTheStart() public {
        Terms memory t = ethTerms();
        t.startPpm = t.targetPpm;
        _refuses(t, abi.encodeWithSelector(ICampaigns.TargetNotAboveStart.selector, t.startPpm, t.targetPpm));
    }

    function test_refusesATargetOffTheGrid() public {
        Terms memory t = ethTerms();
        t.gridPpm = 7000;
        _refuses(t, abi.encodeWithSelector(ICampaigns.OffGrid.selector, "targetPpm", t.targetPpm, 7000));
    }

    function test_refusesAStakeThatIsNoWholeNumberOfMillionths() public {
        Terms memory t = ethTerms();
        t.submissionStake = 1e12 + 1;
        _refuses(t, abi.encodeWithSelector(ICampaigns.OffUnit.selector, "submissionStake", 1e12 + 1, 1e12));
    }

    function test_refusesAPastDeadline() public {
        Terms memory t = ethTerms();
        t.deadline = uint64(block.timestamp);
        _refuses(t, abi.encodeWithSelector(ICampaigns.DeadlinePassed.selector, t.deadline));
    }

    function test_refusesAnUnknownCapsule() public {
        Terms memory t = ethTerms();
        t.capsule = stranger;
        _refuses(t, abi.encodeWithSelector(ICampaigns.UnknownCapsule.selector, stranger));
    }

    function test_refusesAnotherFeeThanTheRegistrys() public {
        Terms memory t = ethTerms();
        t.feePpm = 1;
        _refuses(t, abi.encodeWithSelector(ICampaigns.FeeMismatch.selector, FEE_PPM, 1));
    }

    function test_refusesTheSameTermsTwice() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        _refuses(t, abi.encodeWithSelector(ICampaigns.DuplicateCampaign.selector, id));
        t.salt = bytes32("another");
        opened(t);
    }

    function test_refusesAnotherSenderThanTheOwner() public {
        Terms memory t = ethTerms();
        vm.deal(stranger, 1e30);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NotOwner.selector, owner, stranger));
        vm.prank(stranger);
        campaigns.open{ value: 1e29 }(t);
    }

    function test_refusesAnotherValue() public {
        Terms memory t = ethTerms();
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongValue.selector, deposit(t), deposit(t) - 1));
        campaigns.open{ value: deposit(t) - 1 }(t);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongValue.selector, deposit(t), deposit(t) + 1));
        campaigns.open{ value: deposit(t) + 1 }(t);
        t.token = address(coin);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongValue.selector, 0, 1));
        campaigns.open{ value: 1 }(t);
    }

    function test_refusesTokensWithoutAllowance() public {
        Terms memory t = coinTerms();
        bytes memory refusal =
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(campaigns), 0, deposit(t));
        vm.expectRevert(refusal);
        vm.prank(owner);
        campaigns.open(t);
    }

    function test_takesTheLargestBounty() public {
        Terms memory t = ethTerms();
        t.bounty = type(uint128).max;
        vm.deal(owner, type(uint256).max);
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 4);
        settled(t, subs, outcomes4(900, 0, 0, 0), NEXT);
        vm.assertEq(
            campaigns.owed(id, miner(0)) + campaigns.owed(id, owner) + fee(t), deposit(t), "not a unit of the bounty is lost"
        );
    }

    function _permit(Terms memory t) private view returns (uint8, bytes32, bytes32) {
        bytes32 typehash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 hash = keccak256(abi.encode(typehash, owner, address(campaigns), deposit(t), 0, t.deadline));
        return vm.sign(OWNER_KEY, keccak256(abi.encodePacked("\x19\x01", coin.DOMAIN_SEPARATOR(), hash)));
    }

    /// @dev Opens at both bounds, and not beyond.
    function _bounds(Terms memory t, string memory field, uint32 min, uint32 max) private {
        uint32[4] memory values = [min - 1, min, max, max + 1];
        for (uint256 i = 0; i < 4; ++i) {
            Terms memory changed = abi.decode(abi.encode(t), (Terms));
            changed.salt = bytes32(i + 1);
            bytes32 name = keccak256(bytes(field));
            if (name == keccak256("windowSeconds")) changed.windowSeconds = values[i];
            if (name == keccak256("activationSeconds")) changed.activationSeconds = values[i];
            if (name == keccak256("evaluationSeconds")) changed.evaluationSeconds = values[i];
            if (name == keccak256("deliverySeconds")) changed.deliverySeconds = values[i];
            if (name == keccak256("audit.period")) changed.audit.period = values[i];
            vm.assertTrue(keccak256(abi.encode(changed)) != keccak256(abi.encode(t)), field);
            if (i == 0 || i == 3) _refusesRange(changed, field, values[i], min, max);
            else opened(changed);
        }
    }

    function _refusesRange(Terms memory t, string memory field, uint256 value, uint256 min, uint256 max) private {
        _refuses(t, abi.encodeWithSelector(ICampaigns.OutOfRange.selector, field, value, min, max));
    }

    function _refuses(Terms memory t, bytes memory refusal) private {
        vm.expectRevert(refusal);
        vm.prank(owner);
        campaigns.open{ value: deposit(t) }(t);
    }
}

contract ActivateTest is Fixture {
    function test_opensVersionOne() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        bytes memory sig = signActivation(id, 100_000, MATERIAL);
        vm.expectEmit();
        emit ICampaigns.Activated(id, 100_000, published(MATERIAL), CERTIFICATE);
        vm.prank(stranger);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        Status memory s = campaigns.status(id);
        vm.assertEq(uint256(s.state), uint256(State.Open));
        vm.assertEq(s.version, 1);
        vm.assertEq(s.bestPpm, 100_000);
        vm.assertEq(s.windowHash, startOf(id, 1, 0));
        vm.assertEq(s.material, MATERIAL);
        vm.assertEq(s.changedAt, block.timestamp);
        vm.assertEq(registry.lockedFor(operator, address(campaigns), id), STAKE);
    }

    function test_keepsTheFeeOfTheTerms() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        vm.prank(operator);
        registry.update(attester, bytes32("f"), bytes32("c"), "elsewhere", 1);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
        assertState(id, State.Open, CloseReason.None);
    }

    function test_bindsStartMaterialAndCertificate() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        bytes memory sig = signActivation(id, 100_000, MATERIAL);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.activate(t, 101_000, published(MATERIAL), CERTIFICATE, sig);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.activate(t, 100_000, published(NEXT), CERTIFICATE, sig);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.activate(t, 100_000, published(MATERIAL), bytes32("other"), sig);
    }

    function test_activatesUntilTheActivationTimeIsOver() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        uint256 end = block.timestamp + 1000;
        bytes memory sig = signActivation(id, 100_000, MATERIAL);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooLate.selector, end));
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        vm.warp(end - 1);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        vm.assertEq(campaigns.status(id).changedAt, end - 1);
    }

    function test_allowsToleranceAndOneGridStep() public {
        Terms memory t = ethTerms();
        // The claim of 101,500 is 101,000 on the grid.
        bytes32 id = opened(t);
        _refuses(
            t, 89_000, MATERIAL, abi.encodeWithSelector(ICampaigns.StartOutOfTolerance.selector, 101_500, 89_000, 10_000)
        );
        _refuses(
            t, 113_000, MATERIAL, abi.encodeWithSelector(ICampaigns.StartOutOfTolerance.selector, 101_500, 113_000, 10_000)
        );
        campaigns.activate(t, 112_000, published(MATERIAL), CERTIFICATE, signActivation(id, 112_000, MATERIAL));
        t.salt = bytes32("another");
        id = opened(t);
        campaigns.activate(t, 90_000, published(MATERIAL), CERTIFICATE, signActivation(id, 90_000, MATERIAL));
    }

    function test_refusesAStartOffTheGrid() public {
        Terms memory t = ethTerms();
        opened(t);
        _refuses(t, 101_500, MATERIAL, abi.encodeWithSelector(ICampaigns.OffGrid.selector, "startPpm", 101_500, 1000));
    }

    function test_refusesAStartAtTheTarget() public {
        Terms memory t = ethTerms();
        t.tolerancePpm = 1_000_000;
        opened(t);
        _refuses(t, 900_000, MATERIAL, abi.encodeWithSelector(ICampaigns.TargetNotAboveStart.selector, 900_000, 900_000));
    }

    function test_refusesEmptyMaterial() public {
        Terms memory t = ethTerms();
        opened(t);
        _refuses(t, 100_000, 0, abi.encodeWithSelector(ICampaigns.BadMaterial.selector, true));
    }

    function test_refusesAfterTheDeadline() public {
        Terms memory t = ethTerms();
        uint256 deadline = block.timestamp + 900;
        t.deadline = uint64(deadline);
        bytes32 id = opened(t);
        vm.warp(deadline);
        _refuses(t, 100_000, MATERIAL, abi.encodeWithSelector(ICampaigns.DeadlinePassed.selector, deadline));
        vm.warp(deadline - 1);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
    }

    function test_refusesTwice() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        _refuses(
            t, 100_000, MATERIAL, abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Open, State.Proposed)
        );
    }

    function test_refusesTermsThatWereNotOpened() public {
        Terms memory t = ethTerms();
        opened(t);
        t.bounty += 1;
        _refuses(t, 100_000, MATERIAL, abi.encodeWithSelector(ICampaigns.UnknownCampaign.selector, campaigns.campaignId(t)));
    }

    function test_refusesWithoutFreeStake() public {
        Terms memory t = ethTerms();
        t.stake = 101 ether;
        opened(t);
        _refuses(
            t,
            100_000,
            MATERIAL,
            abi.encodeWithSelector(ICapsuleRegistry.InsufficientStake.selector, operator, 100 ether, 101 ether)
        );
    }

    function test_refusesWithoutTheOperatorsAuthority() public {
        Terms memory t = ethTerms();
        opened(t);
        vm.prank(operator);
        registry.authorize(address(campaigns), false);
        _refuses(
            t,
            100_000,
            MATERIAL,
            abi.encodeWithSelector(ICapsuleRegistry.NotAuthorized.selector, operator, address(campaigns))
        );
    }

    function test_declineGivesEverythingBack() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        bytes memory sig = signDecline(id, 7);
        vm.expectEmit();
        emit ICampaigns.Declined(id, 7);
        vm.expectEmit();
        emit ICampaigns.Refunded(id, deposit(t));
        campaigns.decline(t, 7, sig);
        assertState(id, State.Refunded, CloseReason.None);
        assertLedger(t, 0, 0, deposit(t), 0, 0);
        uint256 before = owner.balance;
        vm.prank(owner);
        campaigns.withdraw(t, owner);
        vm.assertEq(owner.balance - before, deposit(t));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Refunded, State.Proposed));
        campaigns.decline(t, 7, sig);
    }

    function test_declineBindsItsReason() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        bytes memory sig = signDecline(id, 7);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.decline(t, 8, sig);
    }

    function test_refundAfterTheActivationTime() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        uint256 end = block.timestamp + t.activationSeconds;
        vm.warp(end - 1);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooEarly.selector, end));
        campaigns.refund(t);
        vm.warp(end);
        vm.prank(stranger);
        campaigns.refund(t);
        assertState(id, State.Refunded, CloseReason.None);
        vm.assertEq(campaigns.owed(id, owner), deposit(t));
        _refuses(
            t, 100_000, MATERIAL, abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Refunded, State.Proposed)
        );
    }

    function _refuses(Terms memory t, uint32 startPpm, bytes32 material, bytes memory refusal) private {
        bytes memory sig = signActivation(campaigns.campaignId(t), startPpm, material);
        vm.expectRevert(refusal);
        campaigns.activate(t, startPpm, published(material), CERTIFICATE, sig);
    }
}

contract SubmitTest is Fixture {
    function test_foldsTheWindow() public {
        bytes32 id = activated(ethTerms());
        bytes32 h = startOf(id, 1, 0);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit();
            emit ICampaigns.Submitted(id, miner(i), 1, 0, uint32(i), content(i));
            submitted(id, i, 1);
            h = keccak256(abi.encode(h, miner(i), content(i)));
        }
        Status memory s = campaigns.status(id);
        vm.assertEq(s.windowHash, h);
        vm.assertEq(s.windowCount, 3);
        vm.assertEq(s.submissions, 3);
        vm.assertEq(s.windowClosesAt, block.timestamp + 600);
    }

    function test_refusesUnknownAndNotOpenCampaigns() public {
        _refuses(bytes32("nothing"), 1, abi.encodeWithSelector(ICampaigns.UnknownCampaign.selector, bytes32("nothing")));
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        _refuses(id, 1, abi.encodeWithSelector(ICampaigns.NotOpen.selector, id, State.Proposed));
        campaigns.decline(t, 1, signDecline(id, 1));
        _refuses(id, 1, abi.encodeWithSelector(ICampaigns.NotOpen.selector, id, State.Refunded));
    }

    function test_refusesClosedCampaigns() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        vm.prank(owner);
        campaigns.close(t);
        _refuses(id, 1, abi.encodeWithSelector(ICampaigns.NotOpen.selector, id, State.Closed));
    }

    function test_refusesOtherVersions() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        _refuses(id, 0, abi.encodeWithSelector(ICampaigns.StaleVersion.selector, 1));
        _refuses(id, 2, abi.encodeWithSelector(ICampaigns.StaleVersion.selector, 1));
        _refuses(id, 0x10001, abi.encodeWithSelector(ICampaigns.StaleVersion.selector, 1));
        settled(t, submitted(id, 0, 4), outcomes4(200, 0, 0, 0), NEXT);
        _refuses(id, 1, abi.encodeWithSelector(ICampaigns.StaleVersion.selector, 2));
    }

    function test_aFullWindowIsClosed() public {
        bytes32 id = activated(ethTerms());
        submitted(id, 0, 4);
        _refuses(id, 1, abi.encodeWithSelector(ICampaigns.WindowClosed.selector, 0, block.timestamp));
        Window memory w = campaigns.window(id);
        vm.assertTrue(w.closed, "closed");
        vm.assertEq(w.closesAt, block.timestamp);
    }

    function test_aWindowClosesByTime() public {
        bytes32 id = activated(ethTerms());
        submitted(id, 0, 1);
        uint256 end = block.timestamp + 600;
        vm.warp(end - 1);
        vm.assertTrue(!campaigns.window(id).closed, "still open");
        submitted(id, 1, 1);
        vm.warp(end);
        vm.assertTrue(campaigns.window(id).closed, "closed");
        _refuses(id, 1, abi.encodeWithSelector(ICampaigns.WindowClosed.selector, 0, end));
    }

    function test_theDeadlineClosesEverything() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        vm.warp(t.deadline - 1);
        submitted(id, 0, 1);
        vm.assertEq(campaigns.status(id).windowClosesAt, t.deadline);
        vm.warp(t.deadline);
        _refuses(id, 1, abi.encodeWithSelector(ICampaigns.DeadlinePassed.selector, t.deadline));
    }

    function test_capsUploadsPerMinerAndVersion() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        for (uint256 i = 0; i < 3; ++i) {
            submit(id, stranger, 1, content(i));
        }
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.CapReached.selector, 3));
        vm.prank(stranger);
        campaigns.submit(id, 1, content(3));

        // Another window of the same version changes nothing, another version does.
        Submission[] memory subs = new Submission[](4);
        for (uint256 i = 0; i < 3; ++i) {
            subs[i] = Submission(stranger, content(i));
        }
        subs[3] = submitted(id, 3, 1)[0];
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.CapReached.selector, 3));
        vm.prank(stranger);
        campaigns.submit(id, 1, content(3));
        settled(t, submitted(id, 10, 4), outcomes4(0, 200, 0, 0), NEXT);
        submit(id, stranger, 2, content(4));
    }

    function test_refusesMoreThanTheLimit() public {
        Terms memory t = ethTerms();
        t.maxSubmissions = 2;
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 2);
        _refuses(id, 1, abi.encodeWithSelector(ICampaigns.LimitReached.selector, 2));
        settled(t, subs, new uint16[](2), 0);
        assertState(id, State.Closed, CloseReason.Limit);
    }

    function _refuses(bytes32 id, uint32 version, bytes memory refusal) private {
        vm.expectRevert(refusal);
        vm.prank(stranger);
        campaigns.submit(id, version, content(99));
    }
}

contract SettleTest is Fixture {
    Terms private t;
    bytes32 private id;
    Submission[] private subs;

    function setUp() public override {
        super.setUp();
        t = ethTerms();
        id = activated(t);
        Submission[] memory first = submitted(id, 0, 4);
        for (uint256 i = 0; i < 4; ++i) {
            subs.push(first[i]);
        }
    }

    function test_paysByTheFormulaInOrder() public {
        uint16[] memory outcomes = outcomes4(150, 0, 0xF001, 300);
        vm.expectEmit();
        emit ICampaigns.Awarded(id, miner(0), 0, 0, 50_000, uint256(BOUNTY) * 50_000 / 900_000);
        vm.expectEmit();
        emit ICampaigns.Awarded(id, miner(3), 0, 3, 150_000, uint256(BOUNTY) * 150_000 / 900_000);
        vm.expectEmit();
        emit ICampaigns.Settled(id, 0, 1, outcomes, 300_000, published(NEXT), startOf(id, 2, 1));
        settled(t, subs, outcomes, NEXT);

        Status memory s = campaigns.status(id);
        vm.assertEq(s.version, 2);
        vm.assertEq(s.bestPpm, 300_000);
        vm.assertEq(s.accepts, 2);
        vm.assertEq(s.windowIndex, 1);
        vm.assertEq(s.windowCount, 0);
        vm.assertEq(s.windowClosesAt, 0);
        vm.assertEq(s.material, NEXT);
        vm.assertEq(s.windowHash, startOf(id, 2, 1));
        vm.assertEq(campaigns.owed(id, miner(0)), uint256(BOUNTY) * 50_000 / 900_000);
        vm.assertEq(campaigns.owed(id, miner(1)), 0);
        vm.assertEq(campaigns.owed(id, miner(3)), uint256(BOUNTY) * 150_000 / 900_000);
    }

    function test_theExampleOfTheDesign() public {
        Terms memory e = ethTerms();
        (e.bounty, e.startPpm, e.targetPpm, e.windowSize) = (1000, 100_000, 800_000, 1);
        e.submissionStake = 0;
        bytes32 example = activated(e);
        uint16[] memory outcome = new uint16[](1);
        outcome[0] = 120;
        settled(e, submitted(example, 0, 1), outcome, NEXT);
        vm.assertEq(campaigns.owed(example, miner(0)), 25);
    }

    function test_anUnimprovedWindowKeepsTheVersion() public {
        settled(t, subs, outcomes4(0, 0xF0FF, 0, 0), 0);
        Status memory s = campaigns.status(id);
        vm.assertEq(s.version, 1);
        vm.assertEq(s.windowIndex, 1);
        vm.assertEq(s.material, MATERIAL);
        vm.assertEq(s.windowHash, startOf(id, 1, 1));
    }

    function test_theTargetClosesAndNothingIsPaidBeyond() public {
        settled(t, subs, outcomes4(899, 950, 1000, 0), NEXT);
        assertState(id, State.Closed, CloseReason.Target);
        uint256 first = uint256(BOUNTY) * 799_000 / 900_000;
        uint256 second = uint256(BOUNTY) * 1000 / 900_000;
        vm.assertEq(campaigns.owed(id, miner(0)), first);
        vm.assertEq(campaigns.owed(id, miner(1)), second);
        vm.assertEq(campaigns.owed(id, miner(2)), 0);
        vm.assertEq(campaigns.owed(id, owner), BOUNTY - first - second);
        assertLedger(t, 0, first + second, BOUNTY - first - second, 0, fee(t));
    }

    function test_theLeakBudgetCloses() public {
        uint8 leak = uint8(CloseReason.LeakBudget);
        uint16[] memory outcomes = outcomes4(200, 0, 0, 0);
        campaigns.settle(
            t, windowStart[id], subs, outcomes, published(NEXT), leak, signSettlement(id, outcomes, NEXT, leak)
        );
        assertState(id, State.Closed, CloseReason.LeakBudget);
        vm.assertEq(campaigns.status(id).version, 2);
    }

    function test_theAcceptLimitCloses() public {
        Terms memory few = ethTerms();
        few.maxAccepts = 2;
        bytes32 other = activated(few);
        settled(few, submitted(other, 0, 4), outcomes4(200, 0, 300, 0), NEXT);
        assertState(other, State.Closed, CloseReason.Limit);
    }

    function test_settlesAPartialWindowAfterItsTime() public {
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        Submission[] memory rest = submitted(id, 4, 2);
        uint16[] memory outcomes = new uint16[](2);
        bytes memory sig = signSettlement(id, outcomes, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WindowOpen.selector, 1, block.timestamp + 600));
        campaigns.settle(t, windowStart[id], rest, outcomes, published(0), 0, sig);
        vm.warp(block.timestamp + 600);
        campaigns.settle(t, windowStart[id], rest, outcomes, published(0), 0, sig);
        vm.assertEq(campaigns.status(id).windowIndex, 2);
    }

    function test_settlesAfterTheDeadline() public {
        vm.warp(t.deadline + 1000);
        settled(t, subs, outcomes4(200, 0, 0, 0), NEXT);
        assertState(id, State.Open, CloseReason.None);
        campaigns.close(t);
        assertState(id, State.Closed, CloseReason.Deadline);
    }

    function test_refusesAnEmptyWindow() public {
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        bytes memory sig = signSettlement(id, new uint16[](0), 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WindowOpen.selector, 1, 0));
        campaigns.settle(t, windowStart[id], new Submission[](0), new uint16[](0), published(0), 0, sig);
    }

    function test_refusesAReplay() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        bytes memory sig = signSettlement(id, outcomes, 0, 0);
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), 0, sig);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WindowOpen.selector, 1, 0));
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), 0, sig);
        // Also when the same updates were sent again.
        Submission[] memory again = submitted(id, 0, 4);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.settle(t, windowStart[id], again, outcomes, published(0), 0, sig);
    }

    function test_refusesAnAttestationForALaterWindow() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        Window memory w = campaigns.window(id);
        w.index += 1;
        _refusesSignature(outcomes, 0, 0, signAs(ATTESTER_KEY, settlementHash(id, w, outcomes, 0, 0)));
        w = campaigns.window(id);
        w.version += 1;
        _refusesSignature(outcomes, 0, 0, signAs(ATTESTER_KEY, settlementHash(id, w, outcomes, 0, 0)));
    }

    function test_refusesAnAttestationOfAnotherCampaign() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        Window memory w = campaigns.window(id);
        _refusesSignature(outcomes, 0, 0, signAs(ATTESTER_KEY, settlementHash(bytes32("other"), w, outcomes, 0, 0)));
    }

    function test_refusesAWrongSigner() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        bytes memory sig = signAs(OWNER_KEY, settlementHash(id, campaigns.window(id), outcomes, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongSigner.selector, attester, owner));
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), 0, sig);
    }

    function test_refusesAnAttestationForAnotherChainOrContract() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        bytes32 hash = settlementHash(id, campaigns.window(id), outcomes, 0, 0);
        _refusesSignature(outcomes, 0, 0, signFor(ATTESTER_KEY, hash, block.chainid + 1, address(campaigns)));
        _refusesSignature(outcomes, 0, 0, signFor(ATTESTER_KEY, hash, block.chainid, address(registry)));
    }

    function test_refusesToServeAnotherChain() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        bytes memory sig = signSettlement(id, outcomes, 0, 0);
        vm.chainId(4242);
        // The campaign's id has the chain in it, so a copy of the chain does not know it.
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.UnknownCampaign.selector, campaigns.campaignId(t)));
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), 0, sig);
    }

    function test_refusesMalformedSignatures() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        bytes memory sig = signSettlement(id, outcomes, 0, 0);
        _refusesSignature(outcomes, 0, 0, "");
        _refusesSignature(outcomes, 0, 0, abi.encodePacked(sig, uint8(0)));
        // The other signature that the curve has for the same key and message.
        (bytes32 r, bytes32 s, uint8 v) = _split(sig);
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        _refusesSignature(outcomes, 0, 0, abi.encodePacked(r, n - uint256(s), v == 27 ? uint8(28) : uint8(27)));
    }

    function test_bindsOutcomesMaterialAndClose() public {
        uint16[] memory outcomes = outcomes4(200, 0, 0, 0);
        bytes memory sig = signSettlement(id, outcomes, NEXT, 0);
        _refusesSignature(outcomes4(201, 0, 0, 0), NEXT, 0, sig);
        _refusesSignature(outcomes, bytes32("other"), 0, sig);
        _refusesSignature(outcomes, NEXT, uint8(CloseReason.LeakBudget), sig);
    }

    function test_refusesOtherSubmissions() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        bytes memory sig = signSettlement(id, outcomes, 0, 0);
        Submission[] memory other = subs;
        (other[0], other[1]) = (other[1], other[0]);
        vm.expectPartialRevert(ICampaigns.WrongWindow.selector);
        campaigns.settle(t, windowStart[id], other, outcomes, published(0), 0, sig);
        other = subs;
        other[2].miner = stranger;
        vm.expectPartialRevert(ICampaigns.WrongWindow.selector);
        campaigns.settle(t, windowStart[id], other, outcomes, published(0), 0, sig);
    }

    function test_refusesOtherCounts() public {
        uint16[] memory three = new uint16[](3);
        bytes memory sig = signSettlement(id, three, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongCount.selector, 4, 3, 4));
        campaigns.settle(t, windowStart[id], subs, three, published(0), 0, sig);
        Submission[] memory fewer = new Submission[](3);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongCount.selector, 3, 3, 4));
        campaigns.settle(t, windowStart[id], fewer, three, published(0), 0, sig);
    }

    function test_refusesStepsThatDoNotImprove() public {
        _refuses(outcomes4(100, 0, 0, 0), NEXT, abi.encodeWithSelector(ICampaigns.BadStep.selector, 0, 100_000, 100_000));
        _refuses(outcomes4(99, 0, 0, 0), NEXT, abi.encodeWithSelector(ICampaigns.BadStep.selector, 0, 99_000, 100_000));
        _refuses(outcomes4(200, 0, 200, 0), NEXT, abi.encodeWithSelector(ICampaigns.BadStep.selector, 2, 200_000, 200_000));
        _refuses(outcomes4(200, 0, 150, 0), NEXT, abi.encodeWithSelector(ICampaigns.BadStep.selector, 2, 150_000, 200_000));
    }

    function test_refusesStepsAboveOne() public {
        _refuses(outcomes4(1001, 0, 0, 0), 0, abi.encodeWithSelector(ICampaigns.BadStep.selector, 0, 1_001_000, 100_000));
        _refuses(outcomes4(0, 0xEFFF, 0, 0), 0, abi.encodeWithSelector(ICampaigns.BadStep.selector, 1, 61_439_000, 100_000));
    }

    function test_refusesCodesThatMeanNothing() public {
        _refuses(outcomes4(0, 0xF000, 0, 0), 0, abi.encodeWithSelector(ICampaigns.BadOutcome.selector, 1, 0xF000));
        _refuses(outcomes4(0, 0, 0, 0xF100), 0, abi.encodeWithSelector(ICampaigns.BadOutcome.selector, 3, 0xF100));
        _refuses(outcomes4(0, 0, 0, 0xFFFF), 0, abi.encodeWithSelector(ICampaigns.BadOutcome.selector, 3, 0xFFFF));
    }

    function test_refusesFiveAcceptsInAWindow() public {
        Terms memory wide = ethTerms();
        wide.windowSize = 5;
        bytes32 other = activated(wide);
        Submission[] memory five = submitted(other, 0, 5);
        uint16[] memory outcomes = new uint16[](5);
        for (uint16 i = 0; i < 5; ++i) {
            outcomes[i] = 200 + i;
        }
        bytes memory sig = signSettlement(other, outcomes, NEXT, 0);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooManyAccepts.selector, 5, 4));
        campaigns.settle(wide, windowStart[other], five, outcomes, published(NEXT), 0, sig);
    }

    function test_refusesMoreAcceptsThanTheCampaignAllows() public {
        Terms memory few = ethTerms();
        few.maxAccepts = 2;
        bytes32 other = activated(few);
        Submission[] memory four = submitted(other, 0, 4);
        uint16[] memory outcomes = outcomes4(200, 201, 202, 0);
        bytes memory sig = signSettlement(other, outcomes, NEXT, 0);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooManyAccepts.selector, 3, 2));
        campaigns.settle(few, windowStart[other], four, outcomes, published(NEXT), 0, sig);
    }

    function test_wantsMaterialExactlyForANextVersion() public {
        _refuses(outcomes4(200, 0, 0, 0), 0, abi.encodeWithSelector(ICampaigns.BadMaterial.selector, true));
        _refuses(outcomes4(0, 0, 0, 0), NEXT, abi.encodeWithSelector(ICampaigns.BadMaterial.selector, false));
        // The closing version is sealed like every other.
        _refuses(outcomes4(900, 0, 0, 0), 0, abi.encodeWithSelector(ICampaigns.BadMaterial.selector, true));
    }

    function test_refusesOtherCloseReasons() public {
        uint16[] memory outcomes = outcomes4(0, 0, 0, 0);
        bytes memory sig = signSettlement(id, outcomes, 0, uint8(CloseReason.Owner));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.BadCloseReason.selector, uint8(CloseReason.Owner)));
        campaigns.settle(t, windowStart[id], subs, outcomes, published(0), uint8(CloseReason.Owner), sig);
    }

    function _refuses(uint16[] memory outcomes, bytes32 next, bytes memory refusal) private {
        bytes memory sig = signSettlement(id, outcomes, next, 0);
        vm.expectRevert(refusal);
        campaigns.settle(t, windowStart[id], subs, outcomes, published(next), 0, sig);
    }

    function _refusesSignature(uint16[] memory outcomes, bytes32 next, uint8 close, bytes memory sig) private {
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.settle(t, windowStart[id], subs, outcomes, published(next), close, sig);
    }

    function _split(bytes memory sig) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            r := mload(add(sig, 32))
            s := mload(add(sig, 64))
            v := byte(0, mload(add(sig, 96)))
        }
    }
}

contract ClosingTest is Fixture {
    function test_theOwnerClosesAtAnyTime() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NotOwner.selector, owner, stranger));
        vm.prank(stranger);
        campaigns.close(t);
        vm.expectEmit();
        emit ICampaigns.Closed(id, CloseReason.Owner, BOUNTY);
        vm.prank(owner);
        campaigns.close(t);
        assertLedger(t, 0, 0, BOUNTY, 0, fee(t));
    }

    function test_anyoneClosesAfterTheDeadline() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        vm.warp(t.deadline);
        vm.prank(stranger);
        campaigns.close(t);
        assertState(id, State.Closed, CloseReason.Deadline);
    }

    function test_anAnnouncedEndComesWithTheSettlement() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 3);
        vm.expectEmit();
        emit ICampaigns.Closing(id);
        vm.startPrank(owner);
        campaigns.close(t);
        assertState(id, State.Open, CloseReason.Owner);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.AlreadyClosing.selector, id));
        campaigns.close(t);
        vm.stopPrank();
        // The window takes what it would have taken anyway.
        Submission[] memory all = new Submission[](4);
        (all[0], all[1], all[2], all[3]) = (subs[0], subs[1], subs[2], submitted(id, 3, 1)[0]);
        settled(t, all, outcomes4(200, 0, 0, 0), NEXT);
        assertState(id, State.Closed, CloseReason.Owner);
        vm.assertEq(campaigns.status(id).version, 2);
        uint256 awarded = uint256(BOUNTY) * 100_000 / 900_000;
        assertLedger(t, 0, awarded, BOUNTY - awarded, 0, fee(t));
    }

    function test_anAnnouncedEndIsNotTheReasonIfThereIsAnother() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 4);
        vm.prank(owner);
        campaigns.close(t);
        settled(t, subs, outcomes4(900, 0, 0, 0), NEXT);
        assertState(id, State.Closed, CloseReason.Target);
    }

    function test_onlyTheOwnerAnnouncesTheEnd() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        submitted(id, 0, 2);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NotOwner.selector, owner, stranger));
        vm.prank(stranger);
        campaigns.close(t);
        assertState(id, State.Open, CloseReason.None);
    }

    function test_nobodyClosesOverUnsettledSubmissionsAfterTheDeadline() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        uint256 deadline = block.timestamp + 1 days;
        submitted(id, 0, 2);
        vm.warp(deadline);
        address[2] memory senders = [owner, stranger];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.UnsettledWindow.selector, 0, 2));
            vm.prank(senders[i]);
            campaigns.close(t);
        }
    }

    /// @dev The deadline passes between announcement and settlement.
    function test_anAnnouncedEndOutlivesTheDeadline() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        uint256 deadline = block.timestamp + 1 days;
        vm.warp(deadline - 1);
        Submission[] memory subs = submitted(id, 0, 2);
        vm.prank(owner);
        campaigns.close(t);
        vm.warp(deadline);
        settled(t, subs, new uint16[](2), 0);
        assertState(id, State.Closed, CloseReason.Owner);
    }

    function test_aCapsuleThatIsSilentWhileClosingIsAbandoned() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 4);
        uint256 closedAt = block.timestamp;
        vm.prank(owner);
        campaigns.close(t);
        vm.warp(closedAt + 2000);
        campaigns.abandon(t, windowStart[id], subs);
        assertState(id, State.Closed, CloseReason.CapsuleTimeout);
    }

    function test_theFeeComesAfterTheAuditAndFollowsTheAwards() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        settled(t, submitted(id, 0, 4), outcomes4(0, 550, 0, 0), NEXT);
        vm.prank(owner);
        campaigns.close(t);
        bytes memory sig = signDelivery(id, bytes32("result"));
        vm.expectEmit();
        emit ICampaigns.Finalized(id, bytes32("result"), handovers(2));
        campaigns.finalize(t, bytes32("result"), handovers(2), sig);
        assertState(id, State.Finalized, CloseReason.Owner);
        // Half of the way to the target.
        uint256 awarded = uint256(BOUNTY) * 450_000 / 900_000;
        vm.assertEq(campaigns.owed(id, operator), 0);
        vm.assertEq(registry.capsule(operator).locked, STAKE, "until the audit is over");
        assertLedger(t, 0, awarded, BOUNTY - awarded, 0, fee(t));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Finalized, State.Closed));
        campaigns.finalize(t, bytes32("result"), handovers(2), sig);
        vm.warp(block.timestamp + 4000);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Finalized, State.Closed));
        campaigns.expire(t);
        campaigns.release(t);
        // Rounded down.
        uint256 earned = 0.0125 ether - 1;
        vm.assertEq(earned, earnedFee(t, awarded), "a quarter, and half of the rest");
        vm.assertEq(campaigns.owed(id, operator), earned);
        vm.assertEq(campaigns.owed(id, owner), BOUNTY - awarded + fee(t) - earned);
        assertLedger(t, 0, awarded, BOUNTY - awarded + fee(t) - earned, earned, 0);
        assertState(id, State.Released, CloseReason.Owner);
    }

    function test_deliveryBindsItsResult() public {
        Terms memory t = ethTerms();
        bytes memory sig = signDelivery(_closed(t), bytes32("result"));
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.finalize(t, bytes32("other"), handovers(1), sig);
    }

    function test_nothingIsDeliveredFromAnOpenCampaign() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        bytes memory sig = signDelivery(id, bytes32("result"));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Open, State.Closed));
        campaigns.finalize(t, bytes32("result"), handovers(1), sig);
    }

    function test_aLateDeliveryCountsUntilSomebodyExpiresIt() public {
        Terms memory t = ethTerms();
        bytes32 id = _closed(t);
        vm.warp(block.timestamp + 2 * t.deliverySeconds);
        campaigns.finalize(t, bytes32("result"), handovers(1), signDelivery(id, bytes32("result")));
        assertState(id, State.Finalized, CloseReason.Owner);
    }

    function test_expiryGivesTheOwnerTheFeeTwice() public {
        Terms memory t = ethTerms();
        bytes32 id = _closed(t);
        uint256 end = block.timestamp + 3000;
        uint256 burned = address(0).balance;
        vm.warp(end - 1);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooEarly.selector, end));
        campaigns.expire(t);
        vm.warp(end);
        vm.expectEmit();
        emit ICampaigns.Expired(id, fee(t), fee(t));
        vm.prank(stranger);
        campaigns.expire(t);
        assertState(id, State.Closed, CloseReason.CapsuleTimeout);
        assertLedger(t, 0, 0, deposit(t), 0, 0);
        vm.assertEq(campaigns.owed(id, owner), deposit(t));
        vm.assertEq(registry.claimable(owner), fee(t));
        vm.assertEq(address(0).balance - burned, STAKE - fee(t));
        vm.assertEq(registry.capsule(operator).stake, 100 ether - STAKE);
        vm.assertEq(registry.capsule(operator).locked, 0);

        bytes memory sig = signDelivery(id, bytes32("result"));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.CapsuleTimedOut.selector, id));
        campaigns.finalize(t, bytes32("result"), handovers(1), sig);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.CapsuleTimedOut.selector, id));
        campaigns.expire(t);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Closed, State.Finalized));
        campaigns.release(t);
    }

    function test_expiryPaysNoMoreThanATenthOfTheStake() public {
        Terms memory t = ethTerms();
        t.stake = 0.1 ether;
        bytes32 id = _closed(t);
        vm.warp(block.timestamp + 3000);
        vm.expectEmit();
        emit ICampaigns.Expired(id, fee(t), 0.01 ether);
        campaigns.expire(t);
        vm.assertEq(registry.claimable(owner), 0.01 ether);
    }

    function test_expiryOfATokenCampaignPaysNothingOfTheStake() public {
        Terms memory t = coinTerms();
        bytes32 id = _closed(t);
        uint256 burned = address(0).balance;
        vm.warp(block.timestamp + 3000);
        vm.expectEmit();
        emit ICampaigns.Expired(id, fee(t), 0);
        campaigns.expire(t);
        vm.assertEq(campaigns.owed(id, owner), deposit(t));
        vm.assertEq(registry.claimable(owner), 0);
        vm.assertEq(address(0).balance - burned, STAKE);
    }

    function test_abandonedSubmissionsGetTheirStakeAndAShare() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        settled(t, submitted(id, 0, 4), outcomes4(200, 0, 0, 0), NEXT);
        uint256 awarded = campaigns.owed(id, miner(0));
        Submission[] memory pending = submitted(id, 1, 3);
        uint256 burned = address(0).balance;
        uint256 end = block.timestamp + 600 + 2000;
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WindowOpen.selector, 1, block.timestamp + 600));
        campaigns.abandon(t, windowStart[id], pending);
        vm.warp(end - 1);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooEarly.selector, end));
        campaigns.abandon(t, windowStart[id], pending);
        vm.warp(end);
        Submission[] memory other = submitted2(pending);
        vm.expectPartialRevert(ICampaigns.WrongWindow.selector);
        campaigns.abandon(t, windowStart[id], other);

        vm.expectEmit();
        emit ICampaigns.Closed(id, CloseReason.CapsuleTimeout, BOUNTY - awarded + fee(t));
        vm.prank(stranger);
        campaigns.abandon(t, windowStart[id], pending);
        assertState(id, State.Closed, CloseReason.CapsuleTimeout);
        assertLedger(t, 0, awarded, BOUNTY - awarded + fee(t), 0, 0);
        for (uint256 i = 1; i < 4; ++i) {
            // A tenth, by the four submissions that the window could have had.
            vm.assertEq(registry.claimable(miner(i)), 0.025 ether);
        }
        vm.assertEq(address(0).balance - burned, STAKE - 0.075 ether);
        assertStakes(id, miner(0), 0, 8);
        // They paid for the first window.
        assertStakes(id, miner(1), 0, 8);
        vm.assertEq(registry.capsule(operator).stake, 100 ether - STAKE);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Closed, State.Open));
        campaigns.abandon(t, windowStart[id], pending);
    }

    function test_aLateSettlementCountsUntilSomebodyAbandonsIt() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        Submission[] memory pending = submitted(id, 0, 4);
        vm.warp(block.timestamp + 10 * t.evaluationSeconds);
        settled(t, pending, outcomes4(200, 0, 0, 0), NEXT);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WindowOpen.selector, 1, 0));
        campaigns.abandon(t, windowStart[id], pending);
    }

    function test_noStakeIsNoObstacle() public {
        Terms memory t = ethTerms();
        t.stake = 0;
        bytes32 id = _closed(t);
        campaigns.finalize(t, bytes32("result"), handovers(1), signDelivery(id, bytes32("result")));
        vm.warp(block.timestamp + t.audit.period);
        campaigns.release(t);
        assertState(id, State.Released, CloseReason.Owner);
        t.deadline = uint64(block.timestamp + 1 days);
        t.salt = bytes32("expire");
        _closed(t);
        vm.warp(block.timestamp + t.deliverySeconds);
        campaigns.expire(t);
        t.salt = bytes32("abandon");
        id = activated(t);
        Submission[] memory pending = submitted(id, 0, 4);
        vm.warp(block.timestamp + t.evaluationSeconds);
        campaigns.abandon(t, windowStart[id], pending);
        assertState(id, State.Closed, CloseReason.CapsuleTimeout);
    }

    function submitted2(Submission[] memory subs) private pure returns (Submission[] memory other) {
        other = new Submission[](subs.length);
        for (uint256 i = 0; i < subs.length; ++i) {
            other[i] = subs[subs.length - 1 - i];
        }
    }

    function _closed(Terms memory t) private returns (bytes32 id) {
        id = activated(t);
        vm.prank(owner);
        campaigns.close(t);
    }
}

contract WithdrawTest is Fixture {
    function test_everyoneTakesTheirsOnceInEth() public {
        _everyoneTakesTheirs(ethTerms());
        vm.assertEq(address(campaigns).balance, 0, "bounty, fee and stakes");
    }

    function test_everyoneTakesTheirsOnceInTokens() public {
        _everyoneTakesTheirs(coinTerms());
        vm.assertEq(coin.balanceOf(address(campaigns)), 0);
        vm.assertEq(address(campaigns).balance, 0, "stakes");
    }

    function test_oneAccountInThreeRoles() public {
        Terms memory t = ethTerms();
        t.capsule = owner;
        vm.startPrank(owner);
        registry.register{ value: 1 ether }(attester, bytes32("f"), bytes32("c"), "here", FEE_PPM);
        registry.authorize(address(campaigns), true);
        registry.setLimits(limits());
        registry.setToken(address(0), true, 0);
        vm.stopPrank();
        bytes32 id = activated(t);
        submit(id, owner, 1, content(0));
        vm.warp(block.timestamp + t.windowSeconds);
        Submission[] memory subs = new Submission[](1);
        subs[0] = Submission(owner, content(0));
        uint16[] memory outcome = new uint16[](1);
        outcome[0] = 900;
        settled(t, subs, outcome, NEXT);
        campaigns.finalize(t, bytes32("r"), handovers(2), signDelivery(id, bytes32("r")));
        uint256 earned = uint256(BOUNTY) * 800_000 / 900_000;
        assertLedger(t, 0, earned, BOUNTY - earned, 0, fee(t));
        vm.warp(block.timestamp + t.audit.period);
        campaigns.release(t);
        uint256 got = earnedFee(t, earned);
        assertLedger(t, 0, earned, BOUNTY - earned + fee(t) - got, got, 0);
        vm.assertEq(campaigns.owed(id, owner), deposit(t));
        vm.prank(owner);
        campaigns.withdraw(t, stranger);
        vm.assertEq(stranger.balance, deposit(t));
        assertLedger(t, earned, 0, BOUNTY - earned + fee(t) - got, got, 0);
    }

    function test_refusesTheZeroAddressAndUnknownCampaigns() public {
        Terms memory t = ethTerms();
        opened(t);
        vm.expectRevert(ICampaigns.ZeroAddress.selector);
        campaigns.withdraw(t, address(0));
        t.salt = bytes32("unknown");
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, campaigns.campaignId(t), stranger));
        vm.prank(stranger);
        campaigns.withdraw(t, stranger);
    }

    function test_aReceiverThatRefusesEthLosesNothing() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        campaigns.decline(t, 1, signDecline(id, 1));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TransferFailed.selector, address(this), deposit(t)));
        vm.prank(owner);
        campaigns.withdraw(t, address(this));
        vm.assertEq(campaigns.owed(id, owner), deposit(t));
    }

    function test_aReceiverCannotTakeTwice() public {
        Thief thief = new Thief(campaigns);
        Terms memory t = ethTerms();
        t.owner = address(thief);
        vm.deal(address(thief), deposit(t));
        opened(t);
        // Somebody else's money is there to be stolen.
        Terms memory victim = ethTerms();
        opened(victim);
        campaigns.decline(t, 1, signDecline(campaigns.campaignId(t), 1));
        thief.steal(t);
        vm.assertTrue(!thief.again(), "no second withdrawal inside the first");
        assertHeldOff(thief.answer());
        vm.assertEq(address(thief).balance, deposit(t));
        vm.assertEq(address(campaigns).balance, deposit(victim));
    }

    function _everyoneTakesTheirs(Terms memory t) private {
        bytes32 id = activated(t);
        settled(t, submitted(id, 0, 4), outcomes4(200, 0, 300, 0), NEXT);
        settled(t, submitted(id, 0, 4), outcomes4(0, 400, 0, 500), NEXT);
        vm.prank(owner);
        campaigns.close(t);
        campaigns.finalize(t, bytes32("r"), handovers(3), signDelivery(id, bytes32("r")));
        vm.warp(block.timestamp + t.audit.period);
        campaigns.release(t);
        address[6] memory all = [miner(0), miner(1), miner(2), miner(3), owner, operator];
        uint256 total = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            uint256 owed = campaigns.owed(id, all[i]);
            total += owed;
            address to = address(uint160(0x70000 + i));
            vm.expectEmit();
            emit ICampaigns.Withdrawn(id, all[i], to, owed);
            vm.prank(all[i]);
            campaigns.withdraw(t, to);
            vm.assertEq(t.token == address(0) ? to.balance : coin.balanceOf(to), owed);
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, id, all[i]));
            vm.prank(all[i]);
            campaigns.withdraw(t, to);
        }
        vm.assertEq(total, deposit(t));
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(miner(i));
            campaigns.withdrawStake(t, stranger);
        }
        // Two of each window were not accepted; those of the first topped theirs up.
        vm.assertEq(stranger.balance, 4 * 8 * EIGHTH - 2 * EIGHTH, "one stake served for both submissions");
    }
}

contract StakeTest is Fixture {
    /// @dev Gas of an evaluation that its submission pays for.
    uint256 private constant GAS = 4_000;
    Terms private t;
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        t = ethTerms();
        id = activated(t);
    }

    function test_aSubmissionSendsExactlyTheStake() public {
        vm.deal(stranger, 1 ether);
        uint256 stake = SUBMISSION_STAKE;
        _refusesValue(0, stake);
        _refusesValue(stake - 1, stake);
        _refusesValue(stake + 1, stake);
        submit(id, stranger, 1, content(0));
        assertStakes(id, stranger, 8, 0);
        // The first stands behind a submission that is not settled.
        _refusesValue(0, stake);
        submit(id, stranger, 1, content(1));
        assertStakes(id, stranger, 16, 0);
    }

    function test_aReturnedStakeStandsBehindTheNextSubmission() public {
        settled(t, submitted(id, 0, 4), outcomes4(200, 300, 0, 0), NEXT);
        assertStakes(id, miner(0), 0, 8);
        assertStakes(id, miner(2), 0, 7);
        vm.deal(miner(1), SUBMISSION_STAKE);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongValue.selector, 0, SUBMISSION_STAKE));
        vm.prank(miner(1));
        campaigns.submit{ value: SUBMISSION_STAKE }(id, 2, content(9));
        vm.deal(miner(2), SUBMISSION_STAKE);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongValue.selector, EIGHTH, 0));
        vm.prank(miner(2));
        campaigns.submit(id, 2, content(9));
        submitted(id, 0, 4);
        for (uint256 i = 0; i < 4; ++i) {
            assertStakes(id, miner(i), 8, 0);
        }
        vm.assertEq(address(campaigns).balance, deposit(t) + 4 * SUBMISSION_STAKE);
    }

    /// @dev Accepted, not improved, unavailable, and rejected for the form.
    function test_eachOutcomePaysItsPrice() public {
        vm.fee(3 gwei);
        Submission[] memory subs = submitted(id, 0, 4);
        uint256 burned = address(0).balance;
        // One evaluation, and the rest of 1 + 1 + 8 eighths.
        vm.expectEmit();
        emit ICampaigns.Charged(id, 0, GAS * 3 gwei, 10 * EIGHTH - GAS * 3 gwei);
        settled(t, subs, outcomes4(200, 0, 0xF001, 0xF00A), NEXT);
        assertStakes(id, miner(0), 0, 8);
        assertStakes(id, miner(1), 0, 7);
        assertStakes(id, miner(2), 0, 7);
        assertStakes(id, miner(3), 0, 0);
        vm.assertEq(address(0).balance - burned, 10 * EIGHTH - GAS * 3 gwei);
        vm.assertEq(address(campaigns).balance, deposit(t) + 22 * EIGHTH + GAS * 3 gwei);
        assertLedger(
            t, 0, uint256(BOUNTY) * 100_000 / 900_000, 0, 0, deposit(t) - uint256(BOUNTY) * 100_000 / 900_000
        );
        vm.prank(operator);
        vm.expectEmit();
        emit ICampaigns.StakeWithdrawn(id, operator, stranger, GAS * 3 gwei);
        campaigns.withdrawStake(t, stranger);
        vm.assertEq(stranger.balance, GAS * 3 gwei);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, id, operator));
        vm.prank(operator);
        campaigns.withdrawStake(t, stranger);
    }

    function test_theCapsuleGetsNoMoreThanAnEighth() public {
        vm.fee(1 ether);
        Submission[] memory subs = submitted(id, 0, 4);
        uint256 burned = address(0).balance;
        vm.expectEmit();
        emit ICampaigns.Charged(id, 0, 3 * EIGHTH, EIGHTH);
        settled(t, subs, outcomes4(0, 0, 0, 0xF001), 0);
        vm.assertEq(address(0).balance - burned, EIGHTH);
        vm.fee(0);
        subs = submitted(id, 0, 4);
        vm.expectEmit();
        emit ICampaigns.Charged(id, 1, 0, 4 * EIGHTH);
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        vm.prank(operator);
        campaigns.withdrawStake(t, stranger);
        vm.assertEq(stranger.balance, 3 * EIGHTH);
    }

    function test_aWindowWithoutChargesHasNoCharge() public {
        vm.recordLogs();
        settled(t, submitted(id, 0, 4), outcomes4(200, 300, 400, 500), NEXT);
        _assertNoCharge();
    }

    function test_oneMinerPaysForEachOfItsSubmissions() public {
        Submission[] memory subs = new Submission[](4);
        for (uint256 i = 0; i < 3; ++i) {
            subs[i] = Submission(stranger, content(i));
            submit(id, stranger, 1, content(i));
        }
        subs[3] = submitted(id, 3, 1)[0];
        settled(t, subs, outcomes4(0xF002, 0xF001, 0, 0), 0);
        assertStakes(id, stranger, 0, 24 - 8 - 1 - 1);
        assertStakes(id, miner(3), 0, 7);
    }

    /// @dev Its stakes and the price of its gas in one withdrawal.
    function test_aCapsuleThatMinesGetsBoth() public {
        vm.fee(3 gwei);
        Submission[] memory subs = new Submission[](4);
        subs[0] = Submission(operator, content(0));
        submit(id, operator, 1, content(0));
        Submission[] memory others = submitted(id, 1, 3);
        (subs[1], subs[2], subs[3]) = (others[0], others[1], others[2]);
        settled(t, subs, outcomes4(0, 0, 0, 0), 0);
        // What it holds for a submission stays.
        submit(id, operator, 1, content(9));
        vm.prank(operator);
        campaigns.withdrawStake(t, stranger);
        vm.assertEq(stranger.balance, 4 * GAS * 3 gwei);
        assertStakes(id, operator, 8, 0);
    }

    function test_aSilentCapsuleKeepsNoStake() public {
        Submission[] memory subs = submitted(id, 0, 2);
        vm.warp(block.timestamp + t.windowSeconds + t.evaluationSeconds);
        assertStakes(id, miner(0), 8, 0);
        campaigns.abandon(t, windowStart[id], subs);
        assertStakes(id, miner(0), 0, 8);
        _takes(miner(0), 8);
        _takes(miner(1), 8);
    }

    function test_whatIsHeldCannotBeWithdrawn() public {
        settled(t, submitted(id, 0, 4), outcomes4(0, 0, 0, 0), 0);
        _takes(miner(0), 7);
        submitted(id, 0, 2);
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, id, miner(i)));
            vm.prank(miner(i));
            campaigns.withdrawStake(t, stranger);
        }
        _takes(miner(2), 7);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, id, miner(2)));
        vm.prank(miner(2));
        campaigns.withdrawStake(t, stranger);
    }

    function test_withdrawsToSomebodyWhoTakesIt() public {
        settled(t, submitted(id, 0, 4), outcomes4(0, 0, 0, 0), 0);
        vm.startPrank(miner(0));
        vm.expectRevert(ICampaigns.ZeroAddress.selector);
        campaigns.withdrawStake(t, address(0));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.TransferFailed.selector, address(this), 7 * EIGHTH));
        campaigns.withdrawStake(t, address(this));
        vm.stopPrank();
        assertStakes(id, miner(0), 0, 7);
        t.salt = "unknown";
        bytes32 unknown = campaigns.campaignId(t);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, unknown, stranger));
        vm.prank(stranger);
        campaigns.withdrawStake(t, stranger);
    }

    function test_noTokenKeepsAStakeBack() public {
        FalseToken token = new FalseToken();
        (t.token, t.owner) = (address(token), address(this));
        token.approve(address(campaigns), type(uint256).max);
        id = campaigns.open(t);
        vm.prank(operator);
        registry.setToken(address(token), true, 0);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
        settled(t, submitted(id, 0, 4), outcomes4(200, 0, 0, 0), NEXT);
        token.lie();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        vm.prank(miner(0));
        campaigns.withdraw(t, miner(0));
        _takes(miner(0), 8);
    }

    function test_aReceiverCannotTakeItsStakeTwice() public {
        StakeThief thief = new StakeThief(campaigns);
        settled(t, submitted(id, 0, 3, address(thief)), outcomes4(0, 0, 0, 0), 0);
        thief.steal(t);
        vm.assertTrue(!thief.again(), "no second withdrawal inside the first");
        assertHeldOff(thief.answer());
        vm.assertEq(address(thief).balance, 7 * EIGHTH);
        vm.assertEq(address(campaigns).balance, deposit(t) + 3 * 7 * EIGHTH);
    }

    function test_noStakeIsAllowed() public {
        t.submissionStake = 0;
        id = activated(t);
        vm.recordLogs();
        settled(t, submitted(id, 0, 4), outcomes4(0xF001, 0, 0xF002, 0), 0);
        _assertNoCharge();
        settled(t, submitted(id, 0, 4), outcomes4(0xF001, 0, 0xF002, 0), 0);
        vm.assertEq(address(campaigns).balance, deposit(ethTerms()) + deposit(t));
        address[2] memory accounts = [miner(0), operator];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, id, accounts[i]));
            vm.prank(accounts[i]);
            campaigns.withdrawStake(t, stranger);
        }
    }

    function _assertNoCharge() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            vm.assertTrue(logs[i].topics[0] != ICampaigns.Charged.selector, "charged");
        }
    }

    /// @notice `count` miners, and then somebody else.
    function submitted(bytes32 id_, uint256 first, uint256 count, address last)
        private
        returns (Submission[] memory subs)
    {
        Submission[] memory before = submitted(id_, first, count);
        subs = new Submission[](count + 1);
        for (uint256 i = 0; i < count; ++i) {
            subs[i] = before[i];
        }
        subs[count] = Submission(last, content(99));
        submit(id_, last, campaigns.status(id_).version, content(99));
    }

    function _takes(address account, uint256 eighths) private {
        address to = address(0x7A4E2);
        uint256 before = to.balance;
        vm.expectEmit();
        emit ICampaigns.StakeWithdrawn(id, account, to, eighths * EIGHTH);
        vm.prank(account);
        campaigns.withdrawStake(t, to);
        vm.assertEq(to.balance - before, eighths * EIGHTH);
    }

    function _refusesValue(uint256 sent, uint256 due) private {
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongValue.selector, due, sent));
        vm.prank(stranger);
        campaigns.submit{ value: sent }(id, 1, content(9));
    }
}

/// @notice Tries to withdraw its stake again when it receives it.
contract StakeThief {
    ICampaigns private _campaigns;
    Terms private _terms;
    bool public again;
    bytes public answer;

    constructor(ICampaigns campaigns) {
        _campaigns = campaigns;
    }

    function steal(Terms calldata t) external {
        _terms = t;
        _campaigns.withdrawStake(t, address(this));
    }

    receive() external payable {
        (again, answer) = address(_campaigns).call(abi.encodeCall(_campaigns.withdrawStake, (_terms, address(this))));
    }
}

/// @notice Tries to withdraw again when it receives ETH.
contract Thief {
    ICampaigns private _campaigns;
    Terms private _terms;
    bool public again;
    bytes public answer;

    constructor(ICampaigns campaigns) {
        _campaigns = campaigns;
    }

    function steal(Terms calldata t) external {
        _terms = t;
        _campaigns.withdraw(t, address(this));
    }

    receive() external payable {
        (again, answer) = address(_campaigns).call(abi.encodeCall(_campaigns.withdraw, (_terms, address(this))));
    }
}

contract TokenTest is Fixture {
    function test_refusesTokensThatTakeAFee() public {
        Terms memory t = ethTerms();
        FeeToken token = new FeeToken();
        t.token = address(token);
        t.owner = address(this);
        token.approve(address(campaigns), type(uint256).max);
        bytes memory refusal =
            abi.encodeWithSelector(ICampaigns.WrongAmountReceived.selector, deposit(t), deposit(t) - deposit(t) / 100);
        vm.expectRevert(refusal);
        campaigns.open(t);
    }

    function test_refusesTokensThatSayNo() public {
        Terms memory t = ethTerms();
        FalseToken token = new FalseToken();
        t.token = address(token);
        t.owner = address(this);
        token.approve(address(campaigns), type(uint256).max);
        token.lie();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        campaigns.open(t);
    }

    function test_keepsTheCreditWhenATokenSaysNo() public {
        Terms memory t = ethTerms();
        FalseToken token = new FalseToken();
        t.token = address(token);
        t.owner = address(this);
        token.approve(address(campaigns), type(uint256).max);
        bytes32 id = campaigns.open(t);
        campaigns.decline(t, 1, signDecline(id, 1));
        token.lie();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        campaigns.withdraw(t, address(this));
        vm.assertEq(campaigns.owed(id, address(this)), deposit(t));
    }

    function test_takesTokensThatReturnNothing() public {
        Terms memory t = ethTerms();
        SilentToken token = new SilentToken();
        t.token = address(token);
        t.owner = address(this);
        token.approve(address(campaigns), deposit(t));
        bytes32 id = campaigns.open(t);
        campaigns.decline(t, 1, signDecline(id, 1));
        campaigns.withdraw(t, stranger);
        vm.assertEq(token.balanceOf(stranger), deposit(t));
    }

    function test_refusesAnAddressThatIsNoToken() public {
        Terms memory t = ethTerms();
        t.token = address(0xDEAD);
        vm.prank(owner);
        (bool ok,) = address(campaigns).call(abi.encodeCall(campaigns.open, (t)));
        vm.assertTrue(!ok, "an account without code is no token");
    }

    function test_aTokenCannotOpenASecondCampaignWithTheSameMoney() public {
        (Terms memory t, ReentrantToken token) = _reentrant();
        Terms memory second = ethTerms();
        (second.token, second.owner, second.salt) = (t.token, address(token), bytes32("second"));
        token.arm(address(campaigns), abi.encodeCall(campaigns.open, (second)));
        campaigns.open(t);
        _assertHeldOff(token);
        vm.assertEq(uint256(campaigns.status(campaigns.campaignId(second)).state), uint256(State.None));
    }

    function test_aTokenCannotOpenASecondCampaignInsideAPermit() public {
        (Terms memory t, ReentrantToken token) = _reentrant();
        Terms memory second = ethTerms();
        (second.token, second.owner, second.salt) = (t.token, address(token), bytes32("second"));
        token.arm(address(campaigns), abi.encodeCall(campaigns.openWithPermit, (second, 0, 0, 0, 0)));
        campaigns.openWithPermit(t, 0, 0, 0, 0);
        _assertHeldOff(token);
        assertLedger(t, 0, 0, 0, 0, deposit(t));
    }

    /// @dev Nor take stakes, which are not its own.
    function test_aTokenCannotWithdrawStakesInsideAWithdrawal() public {
        (Terms memory t, ReentrantToken token) = _reentrant();
        bytes32 id = campaigns.open(t);
        campaigns.decline(t, 1, signDecline(id, 1));
        token.arm(address(campaigns), abi.encodeCall(campaigns.withdrawStake, (t, address(this))));
        campaigns.withdraw(t, stranger);
        _assertHeldOff(token);
    }

    function test_aTokenCannotWithdrawInsideAWithdrawal() public {
        (Terms memory t, ReentrantToken token) = _reentrant();
        bytes32 id = campaigns.open(t);
        campaigns.decline(t, 1, signDecline(id, 1));
        token.arm(address(campaigns), abi.encodeCall(campaigns.withdraw, (t, address(this))));
        campaigns.withdraw(t, stranger);
        _assertHeldOff(token);
        vm.assertEq(token.balanceOf(stranger), deposit(t));
        vm.assertEq(token.balanceOf(address(campaigns)), 0);
    }

    function _reentrant() private returns (Terms memory t, ReentrantToken token) {
        t = ethTerms();
        token = new ReentrantToken();
        (t.token, t.owner) = (address(token), address(this));
        token.approve(address(campaigns), type(uint256).max);
    }

    function _assertHeldOff(ReentrantToken token) private view {
        vm.assertTrue(!token.reentered(), "held off");
        assertHeldOff(token.answer());
    }
}
