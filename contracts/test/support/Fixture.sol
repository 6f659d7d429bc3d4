// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import { DataCoin } from "../../src/DataCoin.sol";
import { IAssessor } from "../../src/interfaces/IAssessor.sol";
import { ICapsuleRegistry, Limits } from "../../src/interfaces/ICapsuleRegistry.sol";
import { Bounds, ITermsChecker, Range } from "../../src/interfaces/ITermsChecker.sol";
import {
    CloseReason,
    Handover,
    ICampaigns,
    Ledger,
    Publication,
    Stakes,
    State,
    Status,
    Submission,
    Terms,
    Window
} from "../../src/interfaces/ICampaigns.sol";
import { Vm, vm } from "./Vm.sol";

/// @notice Everything deployed, a Capsule registered, people with money, and an EIP-712 implementation of its own.
abstract contract Fixture {
    uint256 internal constant ATTESTER_KEY = 0xA77E57E2;
    uint256 internal constant OWNER_KEY = 0x0714E2;
    uint256 internal constant AUDIT_KEY = 0xA0D17;
    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint32 internal constant FEE_PPM = 20_000;
    uint128 internal constant STAKE = 1 ether;
    uint128 internal constant SUBMISSION_STAKE = 0.0005 ether;
    uint256 internal constant EIGHTH = 0.0000625 ether;
    /// @dev A grid step of it pays more than the submission stake.
    uint128 internal constant BOUNTY = 1 ether + 7;
    bytes32 internal constant MATERIAL = keccak256("version 1");
    bytes32 internal constant NEXT = keccak256("version 2");
    bytes32 internal constant CERTIFICATE = keccak256("certificate");

    ICapsuleRegistry internal registry;
    ITermsChecker internal termsChecker;
    ICampaigns internal campaigns;
    IAssessor internal assessor;
    DataCoin internal coin;
    address internal owner = vm.addr(OWNER_KEY);
    address internal attester = vm.addr(ATTESTER_KEY);
    address internal operator = address(0xCA9501E);
    address internal stranger = address(0x57A46E2);
    /// @dev The hash of each campaign's current window while it was empty.
    mapping(bytes32 id => bytes32) internal windowStart;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        registry = ICapsuleRegistry(vm.deployCode("out/CapsuleRegistry.sol/CapsuleRegistry.json"));
        assessor = IAssessor(vm.deployCode("out/Assessor.sol/Assessor.json"));
        termsChecker = ITermsChecker(
            vm.deployCode("out/TermsChecker.sol/TermsChecker.json", abi.encode(registry, bounds()))
        );
        campaigns = ICampaigns(
            vm.deployCode("out/Campaigns.sol/Campaigns.json", abi.encode(registry, assessor, termsChecker))
        );
        coin = new DataCoin(1e30);
        coin.transfer(owner, 1e29);
        vm.deal(owner, 1e30);
        vm.deal(operator, 1000 ether);
        vm.startPrank(operator);
        registry.register{ value: 100 ether }(attester, bytes32("fingerprint"), bytes32("certificate"), "here", FEE_PPM);
        registry.authorize(address(campaigns), true);
        registry.setLimits(limits());
        registry.setToken(address(0), true, 0);
        registry.setToken(address(coin), true, 0);
        vm.stopPrank();
    }

    /// @notice Bounds that differ from each other, so that none can be mistaken for another.
    function bounds() internal pure returns (Bounds memory) {
        return Bounds({
            window: Range(60, 1 days),
            activation: Range(61, 2 days),
            evaluation: Range(62, 3 days),
            delivery: Range(63, 4 days),
            audit: Range(1000, 30 days),
            horizon: 90 days
        });
    }

    /// @notice What the operator's Capsule takes.
    function limits() internal pure returns (Limits memory) {
        return Limits({
            stakePerCampaign: 150 ether,
            stakeInAll: 1000 ether,
            longestRun: 60 days,
            longestAudit: 20 days,
            shortestEvaluation: 100,
            shortestDelivery: 200,
            maxSubmissions: 65_535
        });
    }

    // ------------------------------------------------------------ campaigns

    function ethTerms() internal view returns (Terms memory t) {
        t.owner = owner;
        t.bounty = BOUNTY;
        t.startPpm = 101_500;
        t.tolerancePpm = 10_000;
        t.targetPpm = 900_000;
        t.gridPpm = 1_000;
        t.maxSubmissions = 1000;
        t.maxAccepts = 20;
        t.windowSize = 4;
        t.windowSeconds = 600;
        t.capPerVersion = 3;
        t.deadline = uint64(block.timestamp + 1 days);
        t.activationSeconds = 1000;
        t.evaluationSeconds = 2000;
        t.deliverySeconds = 3000;
        t.audit.period = 4000;
        t.capsule = operator;
        t.feePpm = FEE_PPM;
        t.stake = STAKE;
        t.submissionStake = SUBMISSION_STAKE;
        t.manifest = keccak256("manifest");
        t.audit.keys = leaf(1, abi.encodePacked(vm.addr(AUDIT_KEY), vm.addr(AUDIT_KEY + 1)));
    }

    function coinTerms() internal view returns (Terms memory t) {
        t = ethTerms();
        t.token = address(coin);
    }

    function fee(Terms memory t) internal pure returns (uint256) {
        return uint256(t.bounty) * t.feePpm / 1_000_000;
    }

    function deposit(Terms memory t) internal pure returns (uint256) {
        return t.bounty + fee(t);
    }

    function opened(Terms memory t) internal returns (bytes32 id) {
        vm.startPrank(t.owner);
        if (t.token == address(0)) {
            id = campaigns.open{ value: deposit(t) }(t);
        } else {
            coin.approve(address(campaigns), deposit(t));
            id = campaigns.open(t);
        }
        vm.stopPrank();
    }

    function activated(Terms memory t) internal returns (bytes32 id) {
        id = opened(t);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
    }

    /// @notice The base, and the rest in proportion to what was awarded.
    function earnedFee(Terms memory t, uint256 awarded) internal pure returns (uint256) {
        uint256 base = fee(t) / 4;
        return base + (fee(t) - base) * awarded / t.bounty;
    }

    /// @notice What is published with a material, nothing with none.
    function published(bytes32 material) internal pure returns (Publication memory p) {
        if (material != 0) p = sealing(material, handover(material));
    }

    /// @notice A publication that these hand-overs open.
    function sealing(bytes32 material, Handover memory h) internal pure returns (Publication memory) {
        return Publication(material, h.root, keccak256(abi.encode(h.commitment, h.point, h.ciphertext)));
    }

    function handover(bytes32 material) internal pure returns (Handover memory) {
        return Handover(
            keccak256(abi.encode("root", material)), keccak256(abi.encode("commitment", material)), "point", "ciphertext"
        );
    }

    /// @notice Those of a campaign whose first version is `MATERIAL` and all others `NEXT`.
    function handovers(uint256 versions) internal pure returns (Handover[] memory h) {
        h = new Handover[](versions);
        for (uint256 i = 0; i < versions; ++i) {
            h[i] = handover(i == 0 ? MATERIAL : NEXT);
        }
    }

    function miner(uint256 i) internal pure returns (address) {
        return address(uint160(0x10000 + i));
    }

    function content(uint256 i) internal pure returns (bytes32) {
        return keccak256(abi.encode("content", i));
    }

    /// @notice Miners `first`, `first + 1`, ... submit one update each.
    function submitted(bytes32 id, uint256 first, uint256 count) internal returns (Submission[] memory subs) {
        subs = new Submission[](count);
        uint32 version = campaigns.status(id).version;
        for (uint256 i = 0; i < count; ++i) {
            subs[i] = Submission(miner(first + i), content(first + i));
            submit(id, subs[i].miner, version, subs[i].content);
        }
    }

    /// @notice Submits with the stake that is due.
    function submit(bytes32 id, address account, uint32 version, bytes32 update) internal {
        Window memory w = campaigns.window(id);
        if (w.count == 0) windowStart[id] = w.hash;
        uint256 due = campaigns.stakesOf(id, account).due;
        vm.deal(account, account.balance + due);
        vm.prank(account);
        campaigns.submit{ value: due }(id, version, update);
    }

    /// @notice The hash of an empty window that begins now.
    function startOf(bytes32 id, uint256 version, uint256 index) internal view returns (bytes32) {
        return keccak256(abi.encode(id, version, index, blockhash(block.number - 1)));
    }

    function settled(Terms memory t, Submission[] memory subs, uint16[] memory outcomes, bytes32 next) internal {
        bytes32 id = campaigns.campaignId(t);
        campaigns.settle(
            t, windowStart[id], subs, outcomes, published(next), 0, signSettlement(id, outcomes, next, 0)
        );
    }

    function outcomes4(uint16 a, uint16 b, uint16 c, uint16 d) internal pure returns (uint16[] memory o) {
        o = new uint16[](4);
        (o[0], o[1], o[2], o[3]) = (a, b, c, d);
    }

    // ---------------------------------------------------------------- audit

    function leaf(uint32 index, bytes memory content_) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encodePacked(index, content_))));
    }

    function commitment(bytes32 seed) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(part("syft/linear/3"), part("commitment"), part(abi.encodePacked(seed))));
    }

    function part(bytes memory content_) internal pure returns (bytes memory) {
        return abi.encodePacked(bytes1(uint8(content_.length)), bytes7(0), content_);
    }

    /// @notice A hand-over of version 1 that opens under `AUDIT_KEY`, made with a secret `r`.
    function honestHandover(bytes32 id, bytes32 root, bytes32 seed, uint256 r) internal returns (Handover memory) {
        return honestHandover(id, 1, root, seed, r);
    }

    function honestHandover(bytes32 id, uint32 version, bytes32 root, bytes32 seed, uint256 r)
        internal
        returns (Handover memory)
    {
        vm.assume(r % ORDER != 0);
        Vm.Wallet memory w = vm.createWallet(r % ORDER);
        // Both square roots have the same x; the even one is meant.
        r = w.publicKeyY % 2 == 0 ? w.privateKey : ORDER - w.privateKey;
        address common = vm.addr(mulmod(AUDIT_KEY, r, ORDER));
        bytes32 pad = sha256(abi.encodePacked("sonar/hand-over/1", id, version, common));
        return Handover(root, commitment(seed), bytes32(w.publicKeyX), seed ^ pad);
    }

    /// @notice A campaign with one version that was delivered.
    function delivered(Terms memory t, Handover memory h) internal returns (bytes32 id) {
        id = opened(t);
        Publication memory first = sealing(MATERIAL, h);
        campaigns.activate(t, 100_000, first, CERTIFICATE, signActivation(id, 100_000, first));
        vm.prank(t.owner);
        campaigns.close(t);
        Handover[] memory all = new Handover[](1);
        all[0] = h;
        campaigns.finalize(t, bytes32("result"), all, signDelivery(id, bytes32("result")));
    }

    // ---------------------------------------------------------- attestations

    function signActivation(bytes32 id, uint32 startPpm, bytes32 material) internal view returns (bytes memory) {
        return signActivation(id, startPpm, published(material));
    }

    function signActivation(bytes32 id, uint32 startPpm, Publication memory first)
        internal
        view
        returns (bytes memory)
    {
        return signAs(ATTESTER_KEY, activationHash(id, startPpm, campaigns.window(id).hash, first));
    }

    function activationHash(bytes32 id, uint32 startPpm, bytes32 start, Publication memory first)
        internal
        pure
        returns (bytes32)
    {
        bytes32 typehash = keccak256(
            "Activation(bytes32 campaign,uint32 startPpm,bytes32 windowHash,bytes32 material,bytes32 root,bytes32 handover,bytes32 certificate)"
        );
        return keccak256(
            abi.encode(typehash, id, startPpm, start, first.material, first.root, first.handover, CERTIFICATE)
        );
    }

    function signDecline(bytes32 id, uint8 reason) internal view returns (bytes memory) {
        bytes32 typehash = keccak256("Decline(bytes32 campaign,uint8 reason)");
        return signAs(ATTESTER_KEY, keccak256(abi.encode(typehash, id, reason)));
    }

    function signDelivery(bytes32 id, bytes32 result) internal view returns (bytes memory) {
        bytes32 typehash = keccak256("Delivery(bytes32 campaign,bytes32 windowHash,bytes32 result)");
        return signAs(ATTESTER_KEY, keccak256(abi.encode(typehash, id, campaigns.status(id).windowHash, result)));
    }

    /// @notice Signs for the present window.
    function signSettlement(bytes32 id, uint16[] memory outcomes, bytes32 next, uint8 close)
        internal
        view
        returns (bytes memory)
    {
        return signAs(ATTESTER_KEY, settlementHash(id, campaigns.window(id), outcomes, next, close));
    }

    function settlementHash(bytes32 id, Window memory w, uint16[] memory outcomes, bytes32 next, uint8 close)
        internal
        pure
        returns (bytes32)
    {
        return settlementHash(id, w, outcomes, published(next), close);
    }

    function settlementHash(
        bytes32 id,
        Window memory w,
        uint16[] memory outcomes,
        Publication memory p,
        uint8 close
    ) internal pure returns (bytes32) {
        bytes32 typehash = keccak256(
            "Settlement(bytes32 campaign,uint32 version,uint32 window,bytes32 windowHash,uint16[] outcomes,bytes32 material,bytes32 root,bytes32 handover,uint8 close)"
        );
        bytes32 all = keccak256(abi.encodePacked(outcomes));
        return keccak256(
            abi.encode(typehash, id, w.version, w.index, w.hash, all, p.material, p.root, p.handover, close)
        );
    }

    function signAs(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        return signFor(key, structHash, block.chainid, address(campaigns));
    }

    function signFor(uint256 key, bytes32 structHash, uint256 chain, address verifier)
        internal
        pure
        returns (bytes memory)
    {
        bytes32 typehash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(abi.encode(typehash, keccak256("Sonar"), keccak256("1"), chain, verifier));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    // ---------------------------------------------------------------- checks

    function assertLedger(Terms memory t, uint256 paid, uint256 owed, uint256 refunded, uint256 fee_, uint256 escrowed)
        internal
        view
    {
        Ledger memory l = campaigns.ledger(t);
        vm.assertEq(l.deposited, deposit(t), "deposited");
        vm.assertEq(l.paid, paid, "paid");
        vm.assertEq(l.owed, owed, "owed");
        vm.assertEq(l.refunded, refunded, "refunded");
        vm.assertEq(l.fee, fee_, "fee");
        vm.assertEq(l.escrowed, escrowed, "escrowed");
    }

    /// @notice In eighths of stakes, not in wei.
    function assertStakes(bytes32 id, address account, uint256 held, uint256 free) internal view {
        Stakes memory s = campaigns.stakesOf(id, account);
        vm.assertEq(s.held, held * EIGHTH, "held");
        vm.assertEq(s.free, free * EIGHTH, "free");
        vm.assertEq(s.due, free < 8 ? (8 - free) * EIGHTH : 0, "due");
    }

    function assertHeldOff(bytes memory answer) internal pure {
        bytes4 refusal = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        vm.assertEq(answer, abi.encodeWithSelector(refusal), "held off");
    }

    function assertState(bytes32 id, State state, CloseReason reason) internal view {
        Status memory s = campaigns.status(id);
        vm.assertEq(uint256(s.state), uint256(state), "state");
        vm.assertEq(uint256(s.reason), uint256(reason), "reason");
    }
}
