// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Capsule, ICapsuleRegistry } from "../src/interfaces/ICapsuleRegistry.sol";
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
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NothingToClaim.selector, stranger));
        registry.claim(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NotAuthorized.selector, operator, stranger));
        registry.lock(operator, ID, 1);
        vm.stopPrank();
        vm.expectRevert(refusal);
        registry.lock(stranger, ID, 1);
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
        registry.lock(operator, ID, 60 ether);
        vm.assertEq(registry.lockedFor(operator, address(this), ID), 60 ether);
        vm.expectRevert(
            abi.encodeWithSelector(ICapsuleRegistry.InsufficientStake.selector, operator, 40 ether, 41 ether)
        );
        vm.prank(operator);
        registry.unstake(41 ether);
        vm.expectRevert(
            abi.encodeWithSelector(ICapsuleRegistry.InsufficientStake.selector, operator, 40 ether, 41 ether)
        );
        registry.lock(operator, bytes32("other"), 41 ether);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.AlreadyLocked.selector, operator, address(this), ID));
        registry.lock(operator, ID, 1);
        registry.unlock(operator, ID);
        vm.prank(operator);
        registry.unstake(100 ether);
    }

    function test_onlyWhoLockedReleases() public {
        registry.lock(operator, ID, 1 ether);
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
        registry.slash(operator, ID, to);
    }

    function test_aWithdrawnAuthorityKeepsTheLocks() public {
        registry.lock(operator, ID, 1 ether);
        vm.prank(operator);
        registry.authorize(address(this), false);
        registry.unlock(operator, ID);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NotAuthorized.selector, operator, address(this)));
        registry.lock(operator, ID, 1 ether);
    }

    function test_slashesOnceAndEverybodyClaims() public {
        registry.lock(operator, ID, 10 ether + 1);
        address[] memory to = new address[](3);
        (to[0], to[1], to[2]) = (miner(0), miner(1), miner(0));
        registry.slash(operator, ID, to);
        uint256 share = uint256(10 ether + 1) / 3;
        vm.assertEq(registry.claimable(miner(1)), share);
        vm.assertEq(registry.claimable(miner(0)), 10 ether + 1 - share);
        vm.assertEq(registry.capsule(operator).stake, 90 ether - 1);
        vm.assertEq(registry.capsule(operator).locked, 0);
        vm.expectRevert(abi.encodeWithSelector(ICapsuleRegistry.NotLocked.selector, operator, address(this), ID));
        registry.slash(operator, ID, to);
        vm.expectRevert(ICapsuleRegistry.NoBeneficiaries.selector);
        registry.slash(operator, ID, new address[](0));

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
            abi.encodeWithSelector(ICapsuleRegistry.TransferFailed.selector, address(this), 10 ether + 1 - share)
        );
        vm.prank(miner(0));
        registry.claim(address(this));
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
