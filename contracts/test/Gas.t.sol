// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Handover, KeyProof, Submission, Terms, WordProof } from "../src/interfaces/ICampaigns.sol";
import { Encryption } from "./support/Encryption.sol";
import { vm } from "./support/Vm.sol";

/// @notice What people pay, as the chain charges it: whole transactions, calldata included (run with `--isolate`).
/// Fails above the ceilings, and if a cost differs from `snapshots/transactions.json`.
contract GasTest is Encryption {
    uint256 private constant OPEN = 200_000;
    uint256 private constant PERMIT = 20_000;
    uint256 private constant ACTIVATE = 260_000;
    uint256 private constant SUBMIT = 62_000;
    uint256 private constant SETTLE_PER_EVALUATION = 20_000;

    function setUp() public override {
        super.setUp();
        // On every public chain somebody burned something before.
        vm.deal(address(0), 1);
    }

    function test_openInEth() public {
        opened(ethTerms());
        _charge("open in ETH", OPEN);
    }

    function test_openInTokens() public {
        opened(coinTerms());
        _charge("open in tokens", OPEN);
    }

    function test_openWithPermit() public {
        Terms memory t = coinTerms();
        bytes32 typehash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 hash = keccak256(abi.encode(typehash, owner, address(campaigns), deposit(t), 0, t.deadline));
        hash = keccak256(abi.encodePacked("\x19\x01", coin.DOMAIN_SEPARATOR(), hash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(OWNER_KEY, hash);
        vm.prank(owner);
        campaigns.openWithPermit(t, t.deadline, v, r, s);
        _charge("open with permit", OPEN + PERMIT);
    }

    function test_activate() public {
        activated(ethTerms());
        _charge("activate", ACTIVATE);
    }

    /// @dev Within the second of the launch, the time of the change is there already. Whoever estimates then must leave room for this.
    function test_activateLater() public {
        Terms memory t = ethTerms();
        bytes32 id = opened(t);
        vm.warp(block.timestamp + 1);
        campaigns.activate(t, 100_000, published(MATERIAL), CERTIFICATE, signActivation(id, 100_000, MATERIAL));
        _charge("activate, a second after the launch", ACTIVATE);
    }

    function test_submit() public {
        Terms memory t = _ten();
        bytes32 id = activated(t);
        submitted(id, 0, 1);
        _charge("submit, first of a campaign", SUBMIT);
        submitted(id, 1, 1);
        _charge("submit, first of a miner", SUBMIT);
        submitted(id, 1, 1);
        _charge("submit, later of a miner", SUBMIT);
        submitted(id, 2, 7);
        _charge("submit, last of a window", SUBMIT);
    }

    function test_submitFirstOfALaterWindow() public {
        (, bytes32 id) = _settled();
        submitted(id, 10, 1);
        _charge("submit, first of a window", SUBMIT);
        submitted(id, 0, 1);
        _charge("submit, first of a miner to a later version", SUBMIT);
    }

    function test_settleTenWithFourAccepts() public {
        _settled();
        _charge("settle ten, four accepted", 10 * SETTLE_PER_EVALUATION);
    }

    function test_settleTenWithoutAccepts() public {
        Terms memory t = _ten();
        bytes32 id = activated(t);
        settled(t, submitted(id, 0, 10), new uint16[](10), 0);
        _charge("settle ten, none accepted", 10 * SETTLE_PER_EVALUATION);
    }

    function test_withdraw() public {
        (Terms memory t,) = _settled();
        vm.prank(miner(0));
        campaigns.withdraw(t, miner(0));
        _charge("withdraw ETH", 100_000);
    }

    function test_settleTenWithRejects() public {
        Terms memory t = _ten();
        bytes32 id = activated(t);
        uint16[] memory outcomes = new uint16[](10);
        (outcomes[0], outcomes[1]) = (0xF001, 0xF00A);
        settled(t, submitted(id, 0, 10), outcomes, 0);
        _charge("settle ten, two rejected", 10 * SETTLE_PER_EVALUATION);
    }

    /// @dev What submissions pay for the Capsule's gas is less than their part of it, however full the window is and
    /// whoever submits: else a Capsule would earn by refusing. (With a base fee a settlement costs no less than here.)
    function test_submissionsPayLessThanTheirGas() public {
        (Terms memory t, bytes32 id) = _sixtyFour();
        settled(t, submitted(id, 0, 64), new uint16[](64), 0);
        settled(t, submitted(id, 0, 64), new uint16[](64), 0);
        uint256 gas = _charge("settle 64, none accepted", 64 * SETTLE_PER_EVALUATION);
        vm.assertGe(gas, 64 * _paidGas(), "paid more than the gas");
    }

    function test_submissionsOfOneMinerPayLessThanTheirGas() public {
        (Terms memory t, bytes32 id) = _sixtyFour();
        for (uint256 window = 0; window < 2; ++window) {
            Submission[] memory subs = new Submission[](64);
            for (uint256 i = 0; i < 64; ++i) {
                subs[i] = Submission(stranger, content(i));
                submit(id, stranger, 1, content(i));
            }
            settled(t, subs, new uint16[](64), 0);
        }
        uint256 gas = _charge("settle 64 of one miner, none accepted", 64 * SETTLE_PER_EVALUATION);
        vm.assertGe(gas, 64 * _paidGas(), "paid more than the gas");
    }

    function _paidGas() private view returns (uint256) {
        (, bytes memory gas) = address(campaigns).staticcall(abi.encodeWithSignature("GAS_PER_EVALUATION()"));
        return abi.decode(gas, (uint256));
    }

    function test_abandonSixtyFour() public {
        (Terms memory t, bytes32 id) = _sixtyFour();
        Submission[] memory subs = submitted(id, 0, 64);
        vm.warp(block.timestamp + t.evaluationSeconds);
        campaigns.abandon(t, windowStart[id], subs);
        _charge("abandon 64", 3_000_000);
    }

    function test_expire() public {
        Terms memory t = ethTerms();
        activated(t);
        vm.prank(owner);
        campaigns.close(t);
        _charge("close", 100_000);
        vm.warp(block.timestamp + t.deliverySeconds);
        campaigns.expire(t);
        _charge("expire", 180_000);
    }

    function test_announceTheEnd() public {
        Terms memory t = ethTerms();
        submitted(activated(t), 0, 1);
        vm.prank(owner);
        campaigns.close(t);
        _charge("announce the end", 60_000);
    }

    function test_withdrawStake() public {
        (Terms memory t,) = _settled();
        vm.prank(miner(1));
        campaigns.withdrawStake(t, miner(1));
        _charge("withdraw stake", 60_000);
    }

    function test_finalize() public {
        delivered(ethTerms(), handover(MATERIAL));
        _charge("finalize, one version", 120_000);
    }

    function test_finalizeTwenty() public {
        Terms memory t = ethTerms();
        (t.maxAccepts, t.windowSize) = (21, 1);
        bytes32 id = activated(t);
        for (uint16 i = 1; i < 20; ++i) {
            uint16[] memory outcome = new uint16[](1);
            outcome[0] = 100 + i;
            settled(t, submitted(id, 0, 1), outcome, NEXT);
        }
        vm.prank(owner);
        campaigns.close(t);
        campaigns.finalize(t, bytes32("result"), handovers(20), signDelivery(id, bytes32("result")));
        _charge("finalize, twenty versions", 300_000);
    }

    function test_release() public {
        Terms memory t = ethTerms();
        delivered(t, handover(MATERIAL));
        vm.warp(block.timestamp + t.audit.period);
        campaigns.release(t);
        _charge("release", 120_000);
    }

    function test_convictHandover() public {
        Terms memory t = ethTerms();
        Handover memory h = handover(MATERIAL);
        delivered(t, h);
        campaigns.convictHandover(t, 1, h, KeyProof(AUDIT_KEY, new bytes32[](0)));
        _charge("convict by a hand-over", 150_000);
    }

    function test_convictMaterial() public {
        Terms memory t = ethTerms();
        (Handover memory h, WordProof memory p) = _published(_words(), 4, 2 ** 60);
        delivered(t, h);
        campaigns.convictMaterial(t, 1, h, p);
        _charge("convict by a word of the model", 2_000_000);
        t.salt = "another";
        (h, p) = _published(_words(), WEIGHTS + 70, 2 ** 54);
        delivered(t, h);
        campaigns.convictMaterial(t, 1, h, p);
        _charge("convict by a word of the public key", 2_000_000);
    }

    function _sixtyFour() private returns (Terms memory t, bytes32 id) {
        t = ethTerms();
        (t.windowSize, t.capPerVersion) = (64, 255);
        id = activated(t);
    }

    function _ten() private view returns (Terms memory t) {
        t = ethTerms();
        t.windowSize = 10;
    }

    /// @dev A campaign whose first window has ten submissions, four of them accepted.
    function _settled() private returns (Terms memory t, bytes32 id) {
        t = _ten();
        id = activated(t);
        settled(t, submitted(id, 0, 10), _four(), NEXT);
    }

    function _four() private pure returns (uint16[] memory outcomes) {
        outcomes = new uint16[](10);
        (outcomes[0], outcomes[3], outcomes[6], outcomes[9]) = (200, 300, 400, 500);
    }

    function _charge(string memory name, uint256 ceiling) private returns (uint256 gas) {
        gas = vm.snapshotGasLastCall("transactions", name);
        vm.assertLe(gas, ceiling, name);
        vm.assertGe(gas, 21_000, "run with --isolate, else the transaction itself is not counted");
    }
}

/// @notice A contract of more than 24,576 bytes cannot be deployed. Ours keep a distance, creation code included.
contract SizeTest is Encryption {
    uint256 private constant LIMIT = 22_500;

    function test_everyContractIsSmall() public view {
        string[5] memory names = ["Campaigns", "TermsChecker", "CapsuleRegistry", "Assessor", "DataCoin"];
        for (uint256 i = 0; i < names.length; ++i) {
            string memory artefact = string.concat("out/", names[i], ".sol/", names[i], ".json");
            vm.assertLe(vm.getCode(artefact).length, LIMIT, names[i]);
        }
    }
}
