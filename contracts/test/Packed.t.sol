// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Account, Meter } from "../src/Packed.sol";
import { CloseReason, ICampaigns, State, Status, Submission, Terms } from "../src/interfaces/ICampaigns.sol";
import { Fixture } from "./support/Fixture.sol";
import { vm } from "./support/Vm.sol";

/// @notice Every field of the packed structs has its width and its place, and shares no bit with another.
contract PackedTest is Fixture {
    uint256 private constant METER_FIELDS = 15;
    uint256 private constant ACCOUNT_FIELDS = 6;

    function testFuzz_aFieldOfTheMeterChangesNoOther(uint256 bits, uint256 field, uint256 value) public pure {
        field = field % METER_FIELDS;
        Meter before = _valid(bits);
        value = _fit(value, _meterWidth(field), field);
        Meter afterwards = _writeMeter(before, field, value);
        for (uint256 i = 0; i < METER_FIELDS; ++i) {
            vm.assertEq(_readMeter(afterwards, i), i == field ? value : _readMeter(before, i), _name("meter", i));
        }
        // Bits that are in no field stay.
        Meter back = _writeMeter(afterwards, field, _readMeter(before, field));
        vm.assertEq(Meter.unwrap(back), Meter.unwrap(before), _name("meter", field));
    }

    function testFuzz_aFieldOfAnAccountChangesNoOther(uint256 bits, uint256 field, uint256 value) public pure {
        field = field % ACCOUNT_FIELDS;
        Account before = Account.wrap(bits);
        value = value % (1 << _accountWidth(field));
        Account afterwards = _writeAccount(before, field, value);
        for (uint256 i = 0; i < ACCOUNT_FIELDS; ++i) {
            vm.assertEq(_readAccount(afterwards, i), i == field ? value : _readAccount(before, i), _name("account", i));
        }
        Account back = _writeAccount(afterwards, field, _readAccount(before, field));
        vm.assertEq(Account.unwrap(back), Account.unwrap(before), _name("account", field));
    }

    /// @dev A field takes its largest value, next to empty and to full neighbours.
    function test_everyFieldTakesItsLargestValue() public pure {
        for (uint256 field = 0; field < METER_FIELDS; ++field) {
            uint256 largest = _fit(type(uint256).max, _meterWidth(field), field);
            vm.assertEq(_readMeter(_writeMeter(Meter.wrap(0), field, largest), field), largest, _name("meter", field));
            Meter full = _valid(type(uint256).max);
            vm.assertEq(_readMeter(_writeMeter(full, field, 0), field), 0, _name("meter", field));
        }
        for (uint256 field = 0; field < ACCOUNT_FIELDS; ++field) {
            uint256 largest = (1 << _accountWidth(field)) - 1;
            Account alone = _writeAccount(Account.wrap(0), field, largest);
            vm.assertEq(_readAccount(alone, field), largest, _name("account", field));
            Account full = _writeAccount(Account.wrap(type(uint256).max), field, 0);
            vm.assertEq(_readAccount(full, field), 0, _name("account", field));
        }
    }

    // ------------------------------------------------------------ counters beyond a byte

    function test_moreThan256WindowsAndSubmissions() public {
        Terms memory t = ethTerms();
        (t.windowSize, t.maxSubmissions, t.capPerVersion) = (1, 300, 255);
        bytes32 id = activated(t);
        for (uint256 i = 0; i < 300; ++i) {
            Status memory s = campaigns.status(id);
            vm.assertEq(s.windowIndex, i);
            vm.assertEq(s.submissions, i);
            settled(t, submitted(id, i % 2, 1), new uint16[](1), 0);
        }
        assertState(id, State.Closed, CloseReason.Limit);
        vm.assertEq(campaigns.status(id).windowIndex, 300);
        vm.assertEq(campaigns.status(id).submissions, 300);
    }

    /// @dev 255 accepted submissions make 256 versions, all of which are handed over.
    function test_moreThan255Versions() public {
        Terms memory t = ethTerms();
        (t.windowSize, t.maxAccepts) = (1, 255);
        bytes32 id = activated(t);
        uint16[] memory outcomes = new uint16[](1);
        for (uint16 i = 1; i <= 255; ++i) {
            outcomes[0] = 100 + i;
            settled(t, submitted(id, 0, 1), outcomes, NEXT);
        }
        assertState(id, State.Closed, CloseReason.Limit);
        vm.assertEq(campaigns.status(id).version, 256);
        vm.assertEq(campaigns.status(id).accepts, 255);
        bytes memory sig = signDelivery(id, bytes32("r"));
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.WrongHandovers.selector, 0, 256));
        campaigns.finalize(t, bytes32("r"), handovers(0), sig);
        campaigns.finalize(t, bytes32("r"), handovers(256), sig);
    }

    /// @dev 64 stakes are 512 eighths.
    function test_moreThan255EighthsOfOneMiner() public {
        Terms memory t = ethTerms();
        (t.windowSize, t.capPerVersion) = (64, 255);
        bytes32 id = activated(t);
        Submission[] memory subs = new Submission[](64);
        for (uint256 i = 0; i < 64; ++i) {
            subs[i] = Submission(stranger, content(i));
            submit(id, stranger, 1, content(i));
            assertStakes(id, stranger, 8 * (i + 1), 0);
        }
        uint16[] memory outcomes = new uint16[](64);
        outcomes[0] = 0xF002;
        settled(t, subs, outcomes, 0);
        assertStakes(id, stranger, 0, 63 * 7);
        vm.prank(stranger);
        campaigns.withdrawStake(t, stranger);
        vm.assertEq(stranger.balance, 63 * 7 * EIGHTH);
    }

    function test_theLargestCap() public {
        Terms memory t = ethTerms();
        (t.windowSize, t.capPerVersion) = (64, 255);
        bytes32 id = activated(t);
        for (uint256 i = 0; i < 255; ++i) {
            submit(id, stranger, 1, content(0));
            uint256 count = i % 64 + 1;
            if (count != 64) continue;
            Submission[] memory subs = new Submission[](64);
            for (uint256 j = 0; j < 64; ++j) {
                subs[j] = Submission(stranger, content(0));
            }
            settled(t, subs, new uint16[](64), 0);
        }
        vm.expectRevert(abi.encodeWithSelector(ICampaigns.CapReached.selector, 255));
        vm.prank(stranger);
        campaigns.submit(id, 1, content(0));
    }

    // ------------------------------------------------------------ the layout, once more

    /// @dev States and reasons are enums, which have fewer values than their bits.
    function _fit(uint256 value, uint256 width, uint256 field) private pure returns (uint256) {
        if (field == 0) return value % 8;
        if (field == 1) return value % 7;
        return value % (1 << width);
    }

    function _valid(uint256 bits) private pure returns (Meter) {
        return Meter.wrap(bits & ~uint256(0xFF) | (bits & 0xF) % 8 | ((bits >> 4 & 0xF) % 7) << 4);
    }

    function _meterWidth(uint256 field) private pure returns (uint256) {
        uint8[METER_FIELDS] memory widths = [4, 4, 8, 16, 16, 16, 16, 8, 8, 24, 40, 40, 8, 24, 24];
        return widths[field];
    }

    function _readMeter(Meter m, uint256 field) private pure returns (uint256) {
        if (field == 0) return uint256(m.state());
        if (field == 1) return uint256(m.reason());
        if (field == 2) return m.accepts();
        if (field == 3) return m.version();
        if (field == 4) return m.submissions();
        if (field == 5) return m.maxSubmissions();
        if (field == 6) return m.windowIndex();
        if (field == 7) return m.windowCount();
        if (field == 8) return m.windowSize();
        if (field == 9) return m.windowSeconds();
        if (field == 10) return m.windowClosesAt();
        if (field == 11) return m.deadline();
        if (field == 12) return m.capPerVersion();
        if (field == 13) return m.bestPpm();
        return m.stakeMicro();
    }

    function _writeMeter(Meter m, uint256 field, uint256 value) private pure returns (Meter) {
        if (field == 0) return m.withState(State(value));
        if (field == 1) return m.withReason(CloseReason(value));
        if (field == 2) return m.withAccepts(uint8(value));
        if (field == 3) return m.withVersion(uint16(value));
        if (field == 4) return m.withSubmissions(uint16(value));
        if (field == 5) return m.withMaxSubmissions(uint16(value));
        if (field == 6) return m.withWindowIndex(uint16(value));
        if (field == 7) return m.withWindowCount(uint8(value));
        if (field == 8) return m.withWindowSize(uint8(value));
        if (field == 9) return m.withWindowSeconds(uint24(value));
        if (field == 10) return m.withWindowClosesAt(uint40(value));
        if (field == 11) return m.withDeadline(uint40(value));
        if (field == 12) return m.withCapPerVersion(uint8(value));
        if (field == 13) return m.withBestPpm(uint24(value));
        return m.withStakeMicro(uint24(value));
    }

    function _accountWidth(uint256 field) private pure returns (uint256) {
        uint8[ACCOUNT_FIELDS] memory widths = [128, 16, 8, 16, 16, 8];
        return widths[field];
    }

    function _readAccount(Account a, uint256 field) private pure returns (uint256) {
        if (field == 0) return a.earned();
        if (field == 1) return a.uploadsVersion();
        if (field == 2) return a.uploads();
        if (field == 3) return a.eighths();
        if (field == 4) return a.stakesWindow();
        return a.pending();
    }

    function _writeAccount(Account a, uint256 field, uint256 value) private pure returns (Account) {
        if (field == 0) return a.withEarned(uint128(value));
        if (field == 1) return a.withUploadsVersion(uint16(value));
        if (field == 2) return a.withUploads(uint8(value));
        if (field == 3) return a.withEighths(uint16(value));
        if (field == 4) return a.withStakesWindow(uint16(value));
        return a.withPending(uint8(value));
    }

    function _name(string memory struct_, uint256 field) private pure returns (string memory) {
        return string.concat(struct_, ": field ", string(abi.encodePacked(bytes1(uint8(65 + field)))));
    }
}
