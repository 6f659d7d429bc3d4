// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Handover, KeyProof, WordProof } from "./ICampaigns.sol";

/// @title Judges accusations against a Capsule. Without state: each verdict follows from what is given.
interface IAssessor {
    /// @notice The key is not the owner's for this version.
    error WrongKey(uint256 version);
    /// @notice The seed is not the one that the Capsule committed to.
    error WrongSeed();
    /// @notice The constants are not those that the material's header names.
    error WrongParameters();
    /// @notice The chunk is not part of the material.
    error WrongChunk(uint256 index);
    /// @notice The word is none of rows and public key.
    error NoSuchWord(uint256 word, uint256 words);
    /// @notice What is shown can be honest: nobody is convicted by it.
    error NotGuilty();

    /// @notice Returns if the hand-over does not open under the owner's key, and reverts otherwise.
    function requireBadHandover(
        bytes32 id,
        uint32 version,
        bytes32 auditKeys,
        Handover calldata h,
        KeyProof calldata proof
    ) external pure;

    /// @notice Returns if no honest Capsule can have published the word under the committed seed, and reverts otherwise.
    function requireBadWord(Handover calldata h, WordProof calldata proof) external pure;
}
