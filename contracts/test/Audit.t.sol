// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { IAssessor } from "../src/interfaces/IAssessor.sol";
import { Handover, ICampaigns, KeyProof, State, Terms, WordProof } from "../src/interfaces/ICampaigns.sol";
import { Encryption } from "./support/Encryption.sol";
import { Fixture } from "./support/Fixture.sol";
import { vm } from "./support/Vm.sol";

/// @notice The time after a delivery, in which the Capsule's stake stays locked.
contract ReleaseTest is Fixture {
    function test_theStakeIsFreeAfterTheAudit() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        vm.warp(block.timestamp + 11);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
        vm.warp(block.timestamp + 13);
        vm.prank(owner);
        campaigns.close(t);
        // The audit begins with the delivery.
        uint256 deliveredAt = block.timestamp + 17;
        vm.warp(deliveredAt);
        campaigns.finalize(t, bytes32("result"), handovers(1), signDelivery(id, bytes32("result")));
        uint256 end = deliveredAt + 4000;
        vm.warp(end - 1);
        address[3] memory senders = [owner, operator, stranger];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.TooEarly.selector, end));
            vm.prank(senders[i]);
            campaigns.release(t);
        }
        vm.warp(end);
        vm.expectEmit();
        emit ICampaigns.Released(id, fee(t) / 4, fee(t) - fee(t) / 4);
        vm.prank(stranger);
        campaigns.release(t);
        vm.assertEq(registry.capsule(operator).locked, 0);
        vm.assertEq(registry.capsule(operator).stake, 100 ether);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Released, State.Finalized));
        campaigns.release(t);
    }

    function test_onlyWhatWasDeliveredIsReleased() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Open, State.Finalized));
        campaigns.release(t);
        campaigns.close(t);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Closed, State.Finalized));
        campaigns.release(t);
    }

    function test_nothingIsDeliveredWithoutTheSeeds() public {
        Terms memory t = ethTerms();
        bytes32 id = activated(t);
        vm.prank(owner);
        campaigns.close(t);
        bytes memory sig = signDelivery(id, bytes32("r"));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandovers.selector, 0, 1));
        campaigns.finalize(t, bytes32("r"), handovers(0), sig);
        for (uint256 field = 0; field < 4; ++field) {
            Handover[] memory other = handovers(1);
            if (field == 0) other[0].root = 0;
            if (field == 1) other[0].commitment = 0;
            if (field == 2) other[0].point = 0;
            if (field == 3) other[0].ciphertext = 0;
            vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandover.selector, 1));
            campaigns.finalize(t, bytes32("r"), other, sig);
        }
        campaigns.finalize(t, bytes32("r"), handovers(1), sig);
    }
}

/// @notice Hand-overs: one that opens convicts nobody, any other convicts.
contract HandoverTest is Fixture {
    bytes32 private constant SEED = keccak256("seed");
    Terms private t;
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        t = ethTerms();
        id = campaigns.campaignId(t);
    }

    function testFuzz_aHandoverThatOpensConvictsNobody(bytes32 seed, uint256 r) public {
        Handover memory h = honestHandover(id, keccak256("root"), seed, r);
        delivered(t, h);
        vm.expectRevert(IAssessor.NotGuilty.selector);
        campaigns.convictHandover(t, 1, h, _proof());
    }

    function testFuzz_aHandoverThatDoesNotOpenConvicts(bytes32 commitment_, bytes32 point, bytes32 ciphertext) public {
        _convicts(Handover(keccak256("root"), commitment_, point, ciphertext));
    }

    function test_eachWayOfHandingOverGarbageConvicts() public {
        Handover memory h = honestHandover(id, keccak256("root"), SEED, 7);
        bytes32 point = h.point;
        h.ciphertext ^= bytes32(uint256(1));
        _convicts(h);
        h.ciphertext ^= bytes32(uint256(1));
        h.commitment = commitment(keccak256("other seed"));
        _convicts(h);
        h.commitment = commitment(SEED);
        // No point, no point on the curve, and one that is not below the order: five is the x of none.
        bytes32[3] memory none = [bytes32(0), bytes32(uint256(5)), bytes32(type(uint256).max)];
        for (uint256 i = 0; i < none.length; ++i) {
            // Even if it would open with nothing in common.
            h.point = none[i];
            h.ciphertext = SEED ^ sha256(abi.encodePacked("sonar/hand-over/1", id, uint32(1), address(0)));
            _convicts(h);
        }
        h.point = point;
        h.ciphertext = 0;
        _convicts(h);
    }

    function test_refusesWhatIsNotTheOwnersKey() public {
        Handover memory h = handover(MATERIAL);
        delivered(t, h);
        for (uint256 key = AUDIT_KEY - 1; key <= AUDIT_KEY + 1; key += 2) {
            vm.expectRevert(abi.encodeWithSelector(IAssessor.WrongKey.selector, 1));
            campaigns.convictHandover(t, 1, h, KeyProof(key, new bytes32[](0)));
        }
        vm.expectRevert(abi.encodeWithSelector(IAssessor.WrongKey.selector, 1));
        campaigns.convictHandover(t, 1, h, KeyProof(AUDIT_KEY, new bytes32[](1)));
    }

    function test_refusesWhatIsNotTheVersionsHandover() public {
        Handover memory h = handover(MATERIAL);
        delivered(t, h);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandover.selector, 2));
        campaigns.convictHandover(t, 2, h, _proof());
        h.ciphertext = 0;
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandover.selector, 1));
        campaigns.convictHandover(t, 1, h, _proof());
    }

    function test_nobodyIsConvictedTwiceOrAfterRelease() public {
        Handover memory h = handover(MATERIAL);
        delivered(t, h);
        campaigns.convictHandover(t, 1, h, _proof());
        vm.assertEq(registry.claimable(owner), STAKE / 10);
        bytes memory refusal = abi.encodeWithSelector(
            ICampaigns.WrongState.selector, id, State.Convicted, State.Finalized
        );
        vm.expectRevert(refusal);
        campaigns.convictHandover(t, 1, h, _proof());
        vm.warp(block.timestamp + 4000);
        vm.expectRevert(refusal);
        campaigns.release(t);

        t.salt = "released";
        bytes32 other = delivered(t, h);
        vm.warp(block.timestamp + 4000);
        campaigns.release(t);
        vm.expectRevert(
            abi.encodeWithSelector(ICampaigns.WrongState.selector, other, State.Released, State.Finalized)
        );
        campaigns.convictHandover(t, 1, h, _proof());
        vm.assertEq(registry.claimable(owner), STAKE / 10);
    }

    /// @dev Also without a stake that could be slashed twice.
    function test_nobodyLosesTheFeeTwice() public {
        t.stake = 0;
        Handover memory h = handover(MATERIAL);
        bytes32 other = delivered(t, h);
        campaigns.convictHandover(t, 1, h, _proof());
        vm.assertEq(campaigns.owed(other, owner), deposit(t));
        vm.expectRevert(
            abi.encodeWithSelector(ICampaigns.WrongState.selector, other, State.Convicted, State.Finalized)
        );
        campaigns.convictHandover(t, 1, h, _proof());
    }

    /// @dev The audit may end, but until somebody releases the stake it can be slashed.
    function test_convictsUntilSomebodyReleases() public {
        Handover memory h = handover(MATERIAL);
        delivered(t, h);
        vm.warp(block.timestamp + 10 * 4000);
        campaigns.convictHandover(t, 1, h, _proof());
    }

    function test_whatIsNotDeliveredIsNotJudged() public {
        activated(t);
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Open, State.Finalized));
        campaigns.convictHandover(t, 1, handover(MATERIAL), _proof());
    }

    /// @dev Without audit keys there is nobody to hand over to, and nothing to convict by.
    function test_whoSealsNothingIsNotJudged() public {
        t.audit.keys = 0;
        Handover memory h;
        delivered(t, h);
        vm.expectRevert(abi.encodeWithSelector(IAssessor.WrongKey.selector, 1));
        campaigns.convictHandover(t, 1, h, _proof());
    }

    function _convicts(Handover memory h) private {
        Terms memory own = t;
        // The pads above are those of the campaign without salt: each accusation has its own copy of the chain.
        uint256 snapshot = vm.snapshotState();
        delivered(own, h);
        uint256 burned = address(0).balance;
        vm.expectEmit();
        emit ICampaigns.Convicted(id, 1, fee(own), STAKE / 10);
        vm.prank(stranger);
        campaigns.convictHandover(own, 1, h, _proof());
        vm.assertEq(registry.claimable(owner), STAKE / 10);
        vm.assertEq(address(0).balance - burned, STAKE - STAKE / 10);
        assertLedger(own, 0, 0, deposit(own), 0, 0);
        vm.assertEq(campaigns.owed(id, owner), deposit(own));
        vm.assertEq(campaigns.owed(id, operator), 0);
        vm.assertEq(registry.capsule(operator).stake, 100 ether - STAKE);
        vm.assertEq(registry.capsule(operator).locked, 0);
        vm.revertToState(snapshot);
    }

    function _proof() private pure returns (KeyProof memory) {
        return KeyProof(AUDIT_KEY, new bytes32[](0));
    }
}

/// @notice Published words.
contract WordTest is Encryption {
    function testFuzz_anHonestWordConvictsNobody(Words memory w, uint32 word, int256 weight, int256 noise) public {
        word = _fit(w, word);
        noise = noise % (ERROR - 2 ** 15);
        int256 message = word < WEIGHTS ? weight % (WEIGHT + 1) : int256(0);
        (Handover memory h, WordProof memory p) = _published(w, word, message + noise);
        vm.expectRevert(IAssessor.NotGuilty.selector);
        assessor.requireBadWord(h, p);
    }

    function testFuzz_aWordBeyondTheBoundConvicts(Words memory w, uint32 word, int256 message, bool negative) public view {
        word = _fit(w, word);
        int256 bound = ERROR + (word < WEIGHTS ? WEIGHT : int256(0)) + 2 ** 16;
        int256 room = 2 ** 63 - 2 ** 16 - bound;
        message = bound + (message < 0 ? -(message + 1) : message) % room;
        (Handover memory h, WordProof memory p) = _published(w, word, negative ? -message : message);
        assessor.requireBadWord(h, p);
    }

    function test_aBadWordTakesTheStake() public {
        Words memory w = _words();
        (Handover memory h, WordProof memory p) = _published(w, WEIGHTS + 70, 2 ** 54);
        Terms memory t = ethTerms();
        bytes32 id = delivered(t, h);
        vm.expectEmit();
        emit ICampaigns.Convicted(id, 1, fee(t), STAKE / 10);
        campaigns.convictMaterial(t, 1, h, p);
        vm.assertEq(registry.claimable(owner), STAKE / 10);
        vm.assertEq(campaigns.owed(id, owner), deposit(t));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongState.selector, id, State.Convicted, State.Finalized));
        campaigns.convictMaterial(t, 1, h, p);
    }

    function test_evidenceIsWhatWasPublished() public {
        (Handover memory h, WordProof memory p) = _published(_words(), 4, 2 ** 60);
        assessor.requireBadWord(h, p);
        p.seed = keccak256("other");
        vm.expectRevert(IAssessor.WrongSeed.selector);
        assessor.requireBadWord(h, p);
        (h, p) = _published(_words(), 4, 2 ** 60);
        p.params[0] ^= 0x01;
        vm.expectRevert(IAssessor.WrongParameters.selector);
        assessor.requireBadWord(h, p);
        (h, p) = _published(_words(), 4, 2 ** 60);
        p.header[140] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(IAssessor.WrongChunk.selector, 0));
        assessor.requireBadWord(h, p);
        (h, p) = _published(_words(), 4, 2 ** 60);
        p.chunk[25] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(IAssessor.WrongChunk.selector, 1));
        assessor.requireBadWord(h, p);
        (h, p) = _published(_words(), 4, 2 ** 60);
        p.word += 160;
        vm.expectRevert(abi.encodeWithSelector(IAssessor.WrongChunk.selector, 2));
        assessor.requireBadWord(h, p);
        (h, p) = _published(_words(), WEIGHTS + 2048, 0);
        vm.expectRevert(abi.encodeWithSelector(IAssessor.NoSuchWord.selector, WEIGHTS + 2048, WEIGHTS + 2048));
        assessor.requireBadWord(h, p);
    }
}
