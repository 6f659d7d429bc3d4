// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Capsule, Exposure, ICapsuleRegistry, Limits, TokenTerms } from "../src/interfaces/ICapsuleRegistry.sol";
import { Fixture } from "./support/Fixture.sol";
import { vm } from "./support/Vm.sol";

/// @notice This contract plays a Campaigns contract.
contract CapsuleRegistryTest is Fixture {
    bytes32 private constant ID = bytes32("campaign");

    function setUp() public override {
        super.setUp();
        vm.prank(operator);
        registry.authorize(address(this), true);
    }

    function test_remembersWhatWasRegistered() public view {
        Capsule memory c = registry.capsule(operator);
        vm.assertEq(c.attester, attester);
        vm.assertEq(c.feePpm, FEE_PPM);
        vm.assertEq(c.fingerprint, bytes32("fingerprint"));
        vm.assertEq(c.certificate, bytes32("certificate"));
        vm.assertEq(c.endpoint, "here");
        vm.assertEq(c.stake, 100 ether);
        vm.assertEq(c.locked, 0);
        vm.assertTrue(registry.authorized(operator, address(campaigns)), "authorised");
    }

    function test_registersOnce() public {
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.AlreadyRegistered.selector, operator));
        vm.prank(operator);
        registry.register(attester, bytes32("f"), bytes32("c"), "here", 0);
    }

    function test_updates() public {
        vm.expectEmit();
        emit ICapsuleRegistry.Updated(operator, stranger, bytes32("f"), bytes32("c"), "there", 7);
        vm.prank(operator);
        registry.update(stranger, bytes32("f"), bytes32("c"), "there", 7);
        (address key, uint32 feePpm) = registry.quote(operator);
        vm.assertEq(key, stranger);
        vm.assertEq(feePpm, 7);
        vm.assertEq(registry.capsule(operator).stake, 100 ether);
    }

    function test_refusesIncompleteRegistrations() public {
        _refuses(address(0), bytes32("f"), bytes32("c"), "here", 0, _missing("attester"));
        _refuses(attester, 0, bytes32("c"), "here", 0, _missing("fingerprint"));
        _refuses(attester, bytes32("f"), 0, "here", 0, _missing("certificate"));
        _refuses(attester, bytes32("f"), bytes32("c"), "", 0, _missing("endpoint"));
        bytes memory refusal = abi.encodeWithSelector(ICapsuleRegistry.EndpointTooLong.selector, 257, 256);
        _refuses(attester, bytes32("f"), bytes32("c"), string(new bytes(257)), 0, refusal);
        refusal = abi.encodeWithSelector(ICapsuleRegistry.FeeTooHigh.selector, 200_001, 200_000);
        _refuses(attester, bytes32("f"), bytes32("c"), "here", 200_001, refusal);
        vm.prank(stranger);
        registry.register(attester, bytes32("f"), bytes32("c"), string(new bytes(256)), 200_000);
        vm.prank(stranger);
        vm.expectRevert(refusal);
        registry.update(attester, bytes32("f"), bytes32("c"), "here", 200_001);
    }

    function test_strangersCanDoNothing() public {
        bytes memory refusal = abi.encodeWithSelector(ICapsuleRegistry.NotRegistered.selector, stranger);
        vm.deal(stranger, 1 ether);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        registry.update(attester, bytes32("f"), bytes32("c"), "here", 0);
        vm.expectRevert(refusal);
        registry.deposit{ value: 1 }();
        vm.expectRevert(refusal);
        registry.unstake(1);
        vm.expectRevert(refusal);
        registry.authorize(stranger, true);
        vm.expectRevert(refusal);
        registry.setLimits(limits());
        vm.expectRevert(refusal);
        registry.setToken(address(0), true, 0);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NothingToClaim.selector, stranger));
        registry.claim(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NotAuthorized.selector, operator, stranger));
        registry.lock(operator, ID, _exposure(1));
        vm.stopPrank();
        vm.expectRevert(refusal);
        registry.lock(stranger, ID, _exposure(1));
    }

    function test_stakeComesAndGoes() public {
        vm.startPrank(operator);
        registry.deposit{ value: 5 ether }();
        vm.assertEq(registry.capsule(operator).stake, 105 ether);
        uint256 before = operator.balance;
        registry.unstake(105 ether);
        vm.assertEq(operator.balance - before, 105 ether);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.InsufficientStake.selector, operator, 0, 1));
        registry.unstake(1);
    }

    function test_lockedStakeStays() public {
        registry.lock(operator, ID, _exposure(60 ether));
        vm.assertEq(registry.lockedFor(operator, address(this), ID), 60 ether);
        vm.expectRevert(
            abi.encodeWithSelector(ICapsuleRegistry.InsufficientStake.selector, operator, 40 ether, 41 ether)
        );
        vm.prank(operator);
        registry.unstake(41 ether);
        vm.expectRevert(
            abi.encodeWithSelector(ICapsuleRegistry.InsufficientStake.selector, operator, 40 ether, 41 ether)
        );
        registry.lock(operator, bytes32("other"), _exposure(41 ether));
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.AlreadyLocked.selector, operator, address(this), ID));
        registry.lock(operator, ID, _exposure(1));
        registry.unlock(operator, ID);
        vm.prank(operator);
        registry.unstake(100 ether);
    }

    function test_onlyWhoLockedReleases() public {
        registry.lock(operator, ID, _exposure(1 ether));
        // Even when the operator trusts it otherwise.
        vm.prank(operator);
        registry.authorize(stranger, true);
        bytes memory refusal = abi.encodeWithSelector(ICapsuleRegistry.NotLocked.selector, operator, stranger, ID);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        registry.unlock(operator, ID);
        address[] memory to = new address[](1);
        to[0] = stranger;
        vm.expectRevert(refusal);
        registry.slash(operator, ID, to, 1);
    }

    function test_aWithdrawnAuthorityKeepsTheLocks() public {
        registry.lock(operator, ID, _exposure(1 ether));
        vm.prank(operator);
        registry.authorize(address(this), false);
        registry.unlock(operator, ID);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NotAuthorized.selector, operator, address(this)));
        registry.lock(operator, ID, _exposure(1 ether));
    }

    function test_slashesOnceAndEverybodyClaims() public {
        registry.lock(operator, ID, _exposure(10 ether + 1));
        address[] memory to = new address[](3);
        (to[0], to[1], to[2]) = (miner(0), miner(1), miner(0));
        uint256 share = 2 ether;
        uint256 burned = address(0).balance;
        vm.expectEmit();
        emit ICapsuleRegistry.Slashed(operator, address(this), ID, 10 ether + 1, 4 ether + 1);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit();
            emit ICapsuleRegistry.Credited(to[i], operator, ID, share);
        }
        registry.slash(operator, ID, to, share);
        vm.assertEq(registry.claimable(miner(1)), 2 ether);
        vm.assertEq(registry.claimable(miner(0)), 4 ether);
        vm.assertEq(address(0).balance - burned, 4 ether + 1);
        vm.assertEq(registry.capsule(operator).stake, 90 ether - 1);
        vm.assertEq(registry.capsule(operator).locked, 0);
        vm.assertEq(address(registry).balance, 90 ether - 1 + 6 ether);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NotLocked.selector, operator, address(this), ID));
        registry.slash(operator, ID, to, 0);

        vm.expectEmit();
        emit ICapsuleRegistry.Claimed(miner(1), stranger, 2 ether);
        vm.prank(miner(1));
        registry.claim(stranger);
        vm.assertEq(stranger.balance, share);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NothingToClaim.selector, miner(1)));
        vm.prank(miner(1));
        registry.claim(stranger);
        vm.expectRevert(_missing("to"));
        vm.prank(miner(0));
        registry.claim(address(0));
        vm.expectRevert(
            abi.encodeWithSelector(ICapsuleRegistry.TransferFailed.selector, address(this), 4 ether)
        );
        vm.prank(miner(0));
        registry.claim(address(this));
    }

    function test_sharesAreAtMostTheStake() public {
        registry.lock(operator, ID, _exposure(10));
        address[] memory to = new address[](3);
        (to[0], to[1], to[2]) = (miner(0), miner(1), miner(2));
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.SharesTooHigh.selector, 12, 10));
        registry.slash(operator, ID, to, 4);
        uint256 snapshot = vm.snapshotState();
        registry.slash(operator, ID, to, 3);
        vm.assertEq(registry.claimable(miner(2)), 3);
        vm.revertToState(snapshot);
        // Nobody gets anything: all of it is burned.
        vm.recordLogs();
        registry.slash(operator, ID, to, 0);
        vm.assertEq(vm.getRecordedLogs().length, 1, "only Slashed");
        vm.assertEq(registry.claimable(miner(2)), 0);
        vm.assertEq(registry.capsule(operator).stake, 100 ether - 10);
        vm.assertEq(address(registry).balance, 100 ether - 10);
    }

    function test_withoutLimitsNothingIsLocked() public {
        vm.deal(stranger, 1 ether);
        vm.startPrank(stranger);
        registry.register{ value: 1 ether }(attester, bytes32("f"), bytes32("c"), "here", 0);
        registry.authorize(address(this), true);
        registry.setToken(address(0), true, 0);
        vm.stopPrank();
        _above("stake", 1, 0);
        registry.lock(stranger, ID, _exposure(1));
        _above("seconds to the deadline", 1 days, 0);
        registry.lock(stranger, ID, _exposure(0));
        vm.assertEq(keccak256(abi.encode(registry.limits(operator))), keccak256(abi.encode(limits())));
    }

    function test_eachLimitHoldsOnBothSides() public {
        vm.prank(operator);
        registry.setToken(address(0), true, 77);
        Exposure memory e = _exposure(1 ether);
        (e.stake, e.leastFee) = (90 ether, 77);
        Limits memory l = limits();
        (l.stakePerCampaign, l.stakeInAll) = (90 ether - 1, 1000 ether);
        _limit(l);
        _above("stake", 90 ether, 90 ether - 1);
        registry.lock(operator, ID, e);
        l.stakePerCampaign = 90 ether;
        l.stakeInAll = 99 ether;
        e.deadline = uint64(block.timestamp + 60 days + 1);
        _limit(l);
        _above("seconds to the deadline", 60 days + 1, 60 days);
        registry.lock(operator, ID, e);
        e.deadline -= 1;
        e.auditSeconds = 20 days + 1;
        _above("audit period", 20 days + 1, 20 days);
        registry.lock(operator, ID, e);
        e.auditSeconds = 20 days;
        (e.maxSubmissions, l.maxSubmissions) = (65_000, 64_999);
        _limit(l);
        _above("submissions", 65_000, 64_999);
        registry.lock(operator, ID, e);
        e.maxSubmissions = 64_999;
        e.evaluationSeconds = 99;
        _below("evaluation seconds", 99, 100);
        registry.lock(operator, ID, e);
        e.evaluationSeconds = 100;
        e.deliverySeconds = 199;
        _below("delivery seconds", 199, 200);
        registry.lock(operator, ID, e);
        e.deliverySeconds = 200;
        e.leastFee = 76;
        _below("least fee", 76, 77);
        registry.lock(operator, ID, e);
        e.leastFee = 77;
        vm.expectEmit();
        emit ICapsuleRegistry.Locked(operator, address(this), ID, 90 ether);
        registry.lock(operator, ID, e);
        // All campaigns together.
        e.stake = 9 ether + 1;
        _above("stake in all", 99 ether + 1, 99 ether);
        registry.lock(operator, bytes32("other"), e);
        e.stake = 9 ether;
        registry.lock(operator, bytes32("other"), e);
    }

    function test_onlyChosenTokensAreTaken() public {
        Exposure memory e = _exposure(1 ether);
        e.token = address(this);
        bytes memory refusal =
            abi.encodeWithSelector(ICapsuleRegistry.TokenNotAccepted.selector, operator, address(this));
        vm.expectRevert(refusal);
        registry.lock(operator, ID, e);
        vm.prank(operator);
        vm.expectEmit();
        emit ICapsuleRegistry.TokenChosen(operator, address(this), true, 5);
        registry.setToken(address(this), true, 5);
        TokenTerms memory token = registry.tokenTerms(operator, address(this));
        vm.assertTrue(token.accepted, "accepted");
        vm.assertEq(token.leastFee, 5);
        e.leastFee = 5;
        registry.lock(operator, ID, e);
        vm.prank(operator);
        registry.setToken(address(this), false, 5);
        vm.expectRevert(refusal);
        registry.lock(operator, bytes32("other"), e);
    }

    /// @dev Every event of the registry with all its fields. (`Slashed`, `Credited`, `Claimed`, `TokenChosen`, `Updated`
    /// and `Locked` are above.)
    function test_reportsWhatHappens() public {
        vm.deal(stranger, 3 ether);
        vm.startPrank(stranger);
        vm.expectEmit();
        emit ICapsuleRegistry.Registered(stranger, attester, bytes32("f"), bytes32("c"), "there", 9);
        vm.expectEmit();
        emit ICapsuleRegistry.Deposited(stranger, 1 ether);
        registry.register{ value: 1 ether }(attester, bytes32("f"), bytes32("c"), "there", 9);
        vm.expectEmit();
        emit ICapsuleRegistry.Deposited(stranger, 2 ether);
        registry.deposit{ value: 2 ether }();
        vm.expectEmit();
        emit ICapsuleRegistry.Authorized(stranger, address(this), true);
        registry.authorize(address(this), true);
        vm.expectEmit();
        emit ICapsuleRegistry.Authorized(stranger, address(this), false);
        registry.authorize(address(this), false);
        vm.expectEmit();
        emit ICapsuleRegistry.Limited(stranger, limits());
        registry.setLimits(limits());
        vm.expectEmit();
        emit ICapsuleRegistry.Unstaked(stranger, 1 ether);
        registry.unstake(1 ether);
        vm.stopPrank();
        registry.lock(operator, ID, _exposure(3 ether));
        vm.expectEmit();
        emit ICapsuleRegistry.Unlocked(operator, address(this), ID, 3 ether);
        registry.unlock(operator, ID);
    }

    /// @dev A campaign without stake is checked, and locks nothing.
    function test_noStakeIsCheckedAnyway() public {
        Exposure memory e = _exposure(0);
        e.evaluationSeconds = 99;
        _below("evaluation seconds", 99, 100);
        registry.lock(operator, ID, e);
        vm.recordLogs();
        registry.lock(operator, ID, _exposure(0));
        vm.assertEq(vm.getRecordedLogs().length, 0, "no event");
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NotLocked.selector, operator, address(this), ID));
        registry.unlock(operator, ID);
    }

    function _exposure(uint256 stake) private view returns (Exposure memory) {
        return Exposure({
            stake: stake,
            token: address(0),
            leastFee: 0,
            deadline: uint64(block.timestamp + 1 days),
            evaluationSeconds: 1000,
            deliverySeconds: 1000,
            auditSeconds: 1000,
            maxSubmissions: 1000
        });
    }

    function _limit(Limits memory l) private {
        vm.prank(operator);
        registry.setLimits(l);
    }

    function _above(string memory what, uint256 value, uint256 limit) private {
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.AboveLimit.selector, what, value, limit));
    }

    function _below(string memory what, uint256 value, uint256 limit) private {
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.BelowLimit.selector, what, value, limit));
    }

    function _missing(string memory field) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICapsuleRegistry.Missing.selector, field);
    }

    function _refuses(
        address key,
        bytes32 fingerprint,
        bytes32 certificate,
        string memory endpoint,
        uint32 feePpm,
        bytes memory refusal
    ) private {
        vm.expectRevert(refusal);
        vm.prank(stranger);
        registry.register(key, fingerprint, certificate, endpoint, feePpm);
    }
}

contract DataCoinTest is Fixture {
    function test_theDeployerHasItAll() public view {
        vm.assertEq(coin.name(), "DataCoin");
        vm.assertEq(coin.symbol(), "DATA");
        vm.assertEq(coin.decimals(), 18);
        vm.assertEq(coin.totalSupply(), 1e30);
        vm.assertEq(coin.balanceOf(address(this)) + coin.balanceOf(owner), 1e30);
    }
}
