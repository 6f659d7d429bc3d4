// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { AuditTerms, CloseReason, ICampaigns, State, Status, Submission, Terms } from "../src/interfaces/ICampaigns.sol";
import { Fixture } from "./support/Fixture.sol";
import { vm } from "./support/Vm.sol";

contract FuzzTest is Fixture {
    /// @notice Any bounty, grid, target and ladder of accepts: each is paid by the formula, all together at most the
    /// bounty, and what is not earned goes back.
    function testFuzz_payoutsFollowTheFormula(
        uint128 bounty,
        uint32 grid,
        uint32 target,
        uint32 start,
        uint16[4] memory ladder
    ) public {
        Terms memory t = _terms(bounty, grid, target, start);
        vm.deal(owner, type(uint256).max);
        bytes32 id = opened(t);
        start = t.startPpm - t.startPpm % t.gridPpm;
        campaigns.activate(t, start, published(MATERIAL), CERTIFICATE, signActivation(id, start, MATERIAL));
        uint16[] memory outcomes = new uint16[](4);
        uint256 best = start / t.gridPpm;
        uint256 sum = 0;
        uint256[4] memory expected;
        for (uint256 i = 0; i < 4; ++i) {
            uint256 room = 1_000_000 / t.gridPpm - best;
            uint256 step = best + uint256(ladder[i]) % (room + 1);
            if (step == best) continue;
            outcomes[i] = uint16(step);
            expected[i] = _pay(t, best * t.gridPpm, step * t.gridPpm);
            sum += expected[i];
            best = step;
        }
        Submission[] memory subs = submitted(id, 0, 4);
        bool renew = best * t.gridPpm > start;
        settled(t, subs, outcomes, renew ? NEXT : bytes32(0));

        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(campaigns.owed(id, miner(i)), expected[i], "by the formula");
        }
        vm.assertLe(sum, t.bounty, "at most the bounty");
        vm.assertEq(campaigns.status(id).bestPpm, best * t.gridPpm);
        if (best * t.gridPpm < t.targetPpm) {
            vm.prank(owner);
            campaigns.close(t);
        }
        vm.assertEq(campaigns.owed(id, owner), t.bounty - sum, "the rest goes back");
    }

    /// @notice Whatever code an attester signs, the contract takes exactly those that mean something.
    function testFuzz_takesOnlyMeaningfulOutcomes(uint16 code) public {
        Terms memory t = ethTerms();
        t.windowSize = 1;
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 1);
        uint16[] memory outcomes = new uint16[](1);
        outcomes[0] = code;
        bool improves = code > 100 && code <= 1000;
        bool means = code == 0 || improves || (code > 0xF000 && code <= 0xF0FF);
        bytes32 next = improves ? NEXT : bytes32(0);
        bytes memory sig = signSettlement(id, outcomes, next, 0);
        try campaigns.settle(t, windowStart[id], subs, outcomes, published(next), 0, sig) {
            vm.assertTrue(means, "a code without meaning was taken");
        } catch {
            vm.assertTrue(!means, "a code with meaning was refused");
        }
        vm.assertEq(campaigns.status(id).bestPpm, means && improves ? uint256(code) * 1000 : 100_000);
    }

    /// @notice Any stake that the contract takes is due to the wei, and comes back to the wei, less what its outcome
    /// costs.
    function testFuzz_stakesAreExact(uint24 micro, uint256 sent, uint8 outcome, uint64 basefee) public {
        Terms memory t = ethTerms();
        t.windowSize = 1;
        t.bounty = 1e25;
        t.submissionStake = uint128(micro) * 1e12;
        bytes32 id = activated(t);
        vm.deal(stranger, type(uint128).max);
        sent = sent % 2 == 0 ? t.submissionStake : sent % type(uint128).max;
        windowStart[id] = campaigns.window(id).hash;
        vm.prank(stranger);
        try campaigns.submit{ value: sent }(id, 1, content(0)) {
            vm.assertEq(sent, t.submissionStake, "taken");
        } catch {
            vm.assertTrue(sent != t.submissionStake, "refused");
            return;
        }
        Submission[] memory subs = new Submission[](1);
        subs[0] = Submission(stranger, content(0));
        vm.fee(basefee);
        (uint256 pays, uint256 toCapsule) = _price(outcome % 5, uint256(t.submissionStake) / 8, basefee);
        _settlesWithCode(t, subs, outcome % 5, pays - toCapsule);
        vm.assertEq(campaigns.stakesOf(id, stranger).free, t.submissionStake - pays);
        _takes(t, stranger, t.submissionStake - pays);
        _takes(t, operator, toCapsule);
        vm.assertEq(address(campaigns).balance, deposit(t), "no wei of the stake is left");
    }

    /// @dev Not improved, unavailable, two codes of rejections for the form, accepted.
    function _price(uint256 kind, uint256 eighth, uint256 basefee) private pure returns (uint256, uint256) {
        uint256 gas = basefee * 4_000;
        if (kind == 0) return (eighth, gas < eighth ? gas : eighth);
        if (kind == 1) return (eighth, 0);
        return (kind == 4 ? 0 : 8 * eighth, 0);
    }

    function _settlesWithCode(Terms memory t, Submission[] memory subs, uint256 kind, uint256 burned) private {
        uint16[5] memory codes = [0, 0xF001, 0xF002, 0xF0FF, 101];
        uint16[] memory outcomes = new uint16[](1);
        outcomes[0] = codes[kind];
        uint256 before = address(0).balance;
        settled(t, subs, outcomes, kind == 4 ? NEXT : bytes32(0));
        vm.assertEq(address(0).balance - before, burned, "burned");
    }

    function _takes(Terms memory t, address account, uint256 amount) private {
        address to = address(0x7A4E);
        uint256 before = to.balance;
        if (amount == 0) {
            bytes32 id = campaigns.campaignId(t);
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.NothingOwed.selector, id, account));
        }
        vm.prank(account);
        campaigns.withdrawStake(t, to);
        vm.assertEq(to.balance - before, amount, "to the wei");
    }

    /// @notice Nobody but the attester can settle anything.
    function testFuzz_otherKeysSettleNothing(uint256 key, uint16 step) public {
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        key = 1 + key % (order - 1);
        vm.assume(key != ATTESTER_KEY);
        Terms memory t = ethTerms();
        t.windowSize = 1;
        bytes32 id = activated(t);
        Submission[] memory subs = submitted(id, 0, 1);
        uint16[] memory outcomes = new uint16[](1);
        outcomes[0] = step;
        bytes memory sig = signAs(key, settlementHash(id, campaigns.window(id), outcomes, NEXT, 0));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongSigner.selector, attester, vm.addr(key)));
        campaigns.settle(t, windowStart[id], subs, outcomes, published(NEXT), 0, sig);
    }

    /// @notice Random bytes are no signature and break nothing.
    function testFuzz_randomBytesAreNoSignature(bytes memory sig) public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        vm.expectPartialRevert(ICampaigns.WrongSigner.selector);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, sig);
        assertState(id, State.Proposed, CloseReason.None);
    }

    /// @notice The measured start is taken exactly within tolerance and one grid step of the claim.
    function testFuzz_startTolerance(uint32 claimed, uint32 measured, uint32 tolerance) public {
        Terms memory t = ethTerms();
        t.startPpm = claimed % t.targetPpm;
        t.tolerancePpm = tolerance % 1_000_001;
        measured = measured % 1_000_001;
        measured -= measured % t.gridPpm;
        bytes32 id = opened(t);
        uint256 onGrid = t.startPpm - t.startPpm % t.gridPpm;
        uint256 apart = measured > onGrid ? measured - onGrid : onGrid - measured;
        bool fits = apart <= uint256(t.tolerancePpm) + t.gridPpm && measured < t.targetPpm;
        bytes memory sig = signActivation(id, measured, MATERIAL);
        try campaigns.activate(t, measured, published(MATERIAL), CERTIFICATE, sig) {
            vm.assertTrue(fits, "taken outside the tolerance");
        } catch {
            vm.assertTrue(!fits, "refused within the tolerance");
        }
    }

    /// @notice Two campaigns have the same id only if all their terms are the same.
    function testFuzz_everyTermIsInTheId(uint256 field, bytes32 noise) public view {
        Terms memory t = ethTerms();
        bytes32 id = campaigns.campaignId(t);
        // Field 16 is a pointer to the audit's terms, which are two fields.
        field = field % 26;
        AuditTerms memory audit = t.audit;
        assembly ("memory-safe") {
            let at := add(t, mul(field, 32))
            if eq(field, 16) { at := audit }
            if eq(field, 25) { at := add(audit, 32) }
            // The lowest byte: valid in every type.
            mstore(at, xor(mload(at), and(noise, 0xFF)))
        }
        vm.assertTrue((campaigns.campaignId(t) == id) == (uint8(uint256(noise)) == 0), "each term is bound");
    }

    function _terms(uint128 bounty, uint32 grid, uint32 target, uint32 start) private view returns (Terms memory t) {
        t = ethTerms();
        t.bounty = bounty == 0 ? 1 : bounty;
        t.submissionStake = 0;
        t.gridPpm = 1000 + grid % 200_000;
        uint32 steps = 1_000_000 / t.gridPpm;
        t.targetPpm = (1 + target % steps) * t.gridPpm;
        t.startPpm = start % t.targetPpm;
    }

    function _pay(Terms memory t, uint256 best, uint256 reached) private pure returns (uint256) {
        if (best >= t.targetPpm) return 0;
        if (reached > t.targetPpm) reached = t.targetPpm;
        return uint256(t.bounty) * (reached - best) / t.targetPpm;
    }
}
