// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { CloseReason, State } from "./interfaces/ICampaigns.sol";

// Structs of one storage slot each, as the number in the slot: they are read once and written once, while each member
// of a struct would cost its own read and write. `with...` replaces assignment.

/// @notice Everything that `submit` reads and writes of a campaign, except its window's hash.
type Meter is uint256;

/// @notice A miner in a campaign. An award to a miner who has submitted needs no new storage slot.
type Account is uint256;

using {
    state,
    reason,
    version,
    submissions,
    maxSubmissions,
    windowIndex,
    windowCount,
    windowSize,
    windowSeconds,
    windowClosesAt,
    deadline,
    capPerVersion,
    bestPpm,
    accepts,
    stakeMicro,
    withState,
    withReason,
    withVersion,
    withSubmissions,
    withMaxSubmissions,
    withWindowIndex,
    withWindowCount,
    withWindowSize,
    withWindowSeconds,
    withWindowClosesAt,
    withDeadline,
    withCapPerVersion,
    withBestPpm,
    withAccepts,
    withStakeMicro
} for Meter global;

function state(Meter self) pure returns (State) {
    return State(Meter.unwrap(self) & 0xF);
}

function withState(Meter self, State value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xF)) | uint256(value));
}

function reason(Meter self) pure returns (CloseReason) {
    return CloseReason(Meter.unwrap(self) >> 4 & 0xF);
}

function withReason(Meter self, CloseReason value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xF) << 4) | uint256(value) << 4);
}

function version(Meter self) pure returns (uint16) {
    return uint16(Meter.unwrap(self) >> 16);
}

function withVersion(Meter self, uint16 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFF) << 16) | uint256(value) << 16);
}

function submissions(Meter self) pure returns (uint16) {
    return uint16(Meter.unwrap(self) >> 32);
}

function withSubmissions(Meter self, uint16 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFF) << 32) | uint256(value) << 32);
}

function maxSubmissions(Meter self) pure returns (uint16) {
    return uint16(Meter.unwrap(self) >> 48);
}

function withMaxSubmissions(Meter self, uint16 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFF) << 48) | uint256(value) << 48);
}

function windowIndex(Meter self) pure returns (uint16) {
    return uint16(Meter.unwrap(self) >> 64);
}

function withWindowIndex(Meter self, uint16 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFF) << 64) | uint256(value) << 64);
}

function windowCount(Meter self) pure returns (uint8) {
    return uint8(Meter.unwrap(self) >> 80);
}

function withWindowCount(Meter self, uint8 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFF) << 80) | uint256(value) << 80);
}

function windowSize(Meter self) pure returns (uint8) {
    return uint8(Meter.unwrap(self) >> 88);
}

function withWindowSize(Meter self, uint8 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFF) << 88) | uint256(value) << 88);
}

function windowSeconds(Meter self) pure returns (uint24) {
    return uint24(Meter.unwrap(self) >> 96);
}

function withWindowSeconds(Meter self, uint24 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFFFF) << 96) | uint256(value) << 96);
}

function windowClosesAt(Meter self) pure returns (uint40) {
    return uint40(Meter.unwrap(self) >> 120);
}

function withWindowClosesAt(Meter self, uint40 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFFFFFFFF) << 120) | uint256(value) << 120);
}

function deadline(Meter self) pure returns (uint40) {
    return uint40(Meter.unwrap(self) >> 160);
}

function withDeadline(Meter self, uint40 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFFFFFFFF) << 160) | uint256(value) << 160);
}

function capPerVersion(Meter self) pure returns (uint8) {
    return uint8(Meter.unwrap(self) >> 200);
}

function withCapPerVersion(Meter self, uint8 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFF) << 200) | uint256(value) << 200);
}

function bestPpm(Meter self) pure returns (uint24) {
    return uint24(Meter.unwrap(self) >> 208);
}

function withBestPpm(Meter self, uint24 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFFFF) << 208) | uint256(value) << 208);
}

function accepts(Meter self) pure returns (uint8) {
    return uint8(Meter.unwrap(self) >> 8);
}

function withAccepts(Meter self, uint8 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFF) << 8) | uint256(value) << 8);
}

function stakeMicro(Meter self) pure returns (uint24) {
    return uint24(Meter.unwrap(self) >> 232);
}

function withStakeMicro(Meter self, uint24 value) pure returns (Meter) {
    return Meter.wrap(Meter.unwrap(self) & ~(uint256(0xFFFFFF) << 232) | uint256(value) << 232);
}

using {
    earned,
    uploadsVersion,
    uploads,
    eighths,
    stakesWindow,
    pending,
    withEarned,
    withUploadsVersion,
    withUploads,
    withEighths,
    withStakesWindow,
    withPending
} for Account global;

function earned(Account self) pure returns (uint128) {
    return uint128(Account.unwrap(self));
}

function withEarned(Account self, uint128 value) pure returns (Account) {
    return Account.wrap(Account.unwrap(self) & ~(uint256(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF)) | uint256(value));
}

function uploadsVersion(Account self) pure returns (uint16) {
    return uint16(Account.unwrap(self) >> 128);
}

function withUploadsVersion(Account self, uint16 value) pure returns (Account) {
    return Account.wrap(Account.unwrap(self) & ~(uint256(0xFFFF) << 128) | uint256(value) << 128);
}

function uploads(Account self) pure returns (uint8) {
    return uint8(Account.unwrap(self) >> 144);
}

function withUploads(Account self, uint8 value) pure returns (Account) {
    return Account.wrap(Account.unwrap(self) & ~(uint256(0xFF) << 144) | uint256(value) << 144);
}

/// @dev Eighths of stakes that the account has in the campaign: of each submission that is held, and free ones.
function eighths(Account self) pure returns (uint16) {
    return uint16(Account.unwrap(self) >> 152);
}

function withEighths(Account self, uint16 value) pure returns (Account) {
    return Account.wrap(Account.unwrap(self) & ~(uint256(0xFFFF) << 152) | uint256(value) << 152);
}

function stakesWindow(Account self) pure returns (uint16) {
    return uint16(Account.unwrap(self) >> 168);
}

function withStakesWindow(Account self, uint16 value) pure returns (Account) {
    return Account.wrap(Account.unwrap(self) & ~(uint256(0xFFFF) << 168) | uint256(value) << 168);
}

/// @dev Submissions in the window `stakesWindow`, for each of which a whole stake is held.
function pending(Account self) pure returns (uint8) {
    return uint8(Account.unwrap(self) >> 184);
}

function withPending(Account self, uint8 value) pure returns (Account) {
    return Account.wrap(Account.unwrap(self) & ~(uint256(0xFF) << 184) | uint256(value) << 184);
}
