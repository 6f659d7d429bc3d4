// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Handover, KeyProof, WordProof } from "./ICampaigns.sol";

/// @title Verifies proofs of a Capsule's misconduct. It has no state: each result follows from the arguments.
interface IAssessor {
    /// @notice The key is not the owner's audit key for this version.
    error WrongKey(uint256 version);
    /// @notice The seed is not the one that the Capsule committed to.
    error WrongSeed();
    /// @notice The constants are not those in the material's header.
    error WrongParameters();
    /// @notice The chunk is not part of the material.
    error WrongChunk(uint256 index);
    /// @notice The word is not in the rows or the public key.
    error NoSuchWord(uint256 word, uint256 words);
    /// @notice The proof does not show misconduct.
    error NotGuilty();

    /// @notice Returns if the hand-over does not decrypt under the owner's key, and reverts otherwise.
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
