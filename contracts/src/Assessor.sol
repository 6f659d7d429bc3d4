// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { MerkleProof } from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import { IAssessor } from "./interfaces/IAssessor.sol";
import { Handover, KeyProof, WordProof } from "./interfaces/ICampaigns.sol";

/// @title Verifies proofs of a Capsule's misconduct.
/// @notice An honest Capsule is never convicted:
///
/// * Its hand-over decrypts under the key that the owner published. Revealing another key needs two keys with the same
///   two addresses: 2^160 steps, even for an owner who chooses both.
/// * Another seed for its commitment, or another chunk or header for its root, cannot be found: at least 2^128 steps,
///   and 2^256 for anyone who did not create them.
/// * With its own seed, header and chunk, this contract computes the same values as the Capsule: the word minus masks
///   times key is the message and its error. The message is zero in the public key, and a weight within the public
///   bound in the rows. The error is a Gaussian of deviation 2^24, rounded to multiples of 2^16, and compared with
///   2^28. The generator cannot exceed 13.3 deviations (it takes the logarithm of a number above 2^-126), so it never
///   reaches the bound; a true Gaussian would exceed it once in 10^56 words.
contract Assessor is IAssessor {
    /// @notice Order of the group of secp256k1.
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    /// @notice The x coordinate of its generator, whose y is even.
    uint256 private constant GENERATOR = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;

    /// @notice Name and version of the encryption.
    string private constant PROTOCOL = "syft/linear/3";
    /// @notice Bits of a key, and masks of a row.
    uint256 private constant DIMENSION = 2048;
    /// @notice Bytes of a published word: the upper ones, in little-endian order.
    uint256 private constant WORD = 6;
    /// @notice Words of a chunk.
    uint256 private constant CHUNK = 160;

    /// @dev Properties of a word that do not depend on its masks.
    struct Place {
        bytes32 maskSeed;
        bytes8 maskLabel;
        uint256 row;
        uint256 coefficient;
        uint256 degree;
        uint64 bound;
    }

    /// @inheritdoc IAssessor
    function requireBadHandover(
        bytes32 id,
        uint32 version,
        bytes32 auditKeys,
        Handover calldata h,
        KeyProof calldata proof
    ) external pure {
        bytes memory key = abi.encodePacked(
            _multiple(proof.key, GENERATOR), _multiple(addmod(proof.key, 1, ORDER), GENERATOR)
        );
        if (!MerkleProof.verifyCalldata(proof.branch, auditKeys, _leaf(version, key))) revert WrongKey(version);
        // Zero if the point is invalid.
        address common = _multiple(proof.key, uint256(h.point));
        bytes32 pad = sha256(abi.encodePacked("sonar/hand-over/1", id, version, common));
        if (common != address(0) && _commitment(h.ciphertext ^ pad) == h.commitment) revert NotGuilty();
    }

    /// @inheritdoc IAssessor
    function requireBadWord(Handover calldata h, WordProof calldata proof) external pure {
        if (_commitment(proof.seed) != h.commitment) revert WrongSeed();
        _requireChunk(h.root, 0, proof.header, proof.headerBranch);
        _requireChunk(h.root, 1 + proof.word / CHUNK, proof.chunk, proof.chunkBranch);
        bytes32 params = bytes32(proof.header[8:40]);
        if (sha256(abi.encodePacked(PROTOCOL, "/parameters", proof.params)) != params) revert WrongParameters();

        Place memory place = _place(proof);
        bytes32 keySeed =
            sha256(abi.encodePacked(_label("row key"), _part(proof.seed), _part(proof.header[40:136]), _part(params)));
        uint64 masked = _product(_keyBits(keySeed), place);
        uint64 rest;
        unchecked {
            rest = _word(proof.chunk, proof.word % CHUNK) - masked;
            if (rest >> 63 != 0) rest = 0 - rest;
        }
        if (rest <= place.bound) revert NotGuilty();
    }

    /// @dev Row and coefficient of a word, its masks, and the bound on its message.
    function _place(WordProof calldata proof) private pure returns (Place memory place) {
        uint256 outputs = _constant(proof.params, 1);
        uint256 weights = _constant(proof.params, 0) * outputs;
        place.degree = _constant(proof.params, 3);
        place.bound = uint64(1 << _constant(proof.params, 5) + 4);
        uint256 word = proof.word;
        if (word < weights) {
            (place.row, place.coefficient) = (word / outputs, word % outputs);
            (place.maskSeed, place.maskLabel) = (bytes32(proof.header[136:168]), "rowmasks");
            place.bound += uint64(1 << _constant(proof.params, 9) - _constant(proof.params, 8));
        } else {
            if (word >= weights + DIMENSION) revert NoSuchWord(word, weights + DIMENSION);
            word -= weights;
            (place.row, place.coefficient) = (word / place.degree, word % place.degree);
            place.maskSeed = sha256(abi.encodePacked(_label("P"), _part(proof.header[40:136])));
            place.maskLabel = "P-matrix";
        }
    }

    /// @dev One coefficient of masks times key: products of polynomials modulo X^degree + 1, added up modulo 2^64.
    function _product(uint256[8] memory key, Place memory place) private pure returns (uint64 sum) {
        (uint256 degree, uint256 coefficient) = (place.degree, place.coefficient);
        for (uint256 at = 0; at < DIMENSION; at += 4) {
            uint256 masks =
                uint256(sha256(abi.encodePacked(place.maskSeed, place.maskLabel, uint32(place.row), uint32(at / 4))));
            unchecked {
                for (uint256 i = at; i < at + 4; ++i) {
                    uint256 power = i % degree;
                    uint256 bit = i - power + (coefficient + degree - power) % degree;
                    if (key[bit >> 8] >> (bit & 255) & 1 != 0) {
                        uint64 mask = uint64(masks >> 64 * (at + 3 - i));
                        sum = power > coefficient ? sum - mask : sum + mask;
                    }
                }
            }
        }
    }

    /// @dev The bits of the rows' key, the first in the lowest bit of the first word.
    function _keyBits(bytes32 seed) private pure returns (uint256[8] memory key) {
        for (uint256 i = 0; i < 8; ++i) {
            uint256 words = uint256(sha256(abi.encodePacked(seed, "key bits", uint32(0), uint32(i))));
            key[i] = words >> 192 | (words >> 128 & type(uint64).max) << 64 | (words >> 64 & type(uint64).max) << 128
                | words << 192;
        }
    }

    function _word(bytes calldata chunk, uint256 index) private pure returns (uint64 word) {
        bytes6 bytes_ = bytes6(chunk[index * WORD:(index + 1) * WORD]);
        for (uint256 i = 0; i < WORD; ++i) {
            word |= uint64(uint8(bytes_[i])) << uint64(8 * (i + 2));
        }
    }

    /// @dev One of the encryption's constants: four bytes, little-endian.
    function _constant(bytes calldata params, uint256 index) private pure returns (uint256 value) {
        bytes4 bytes_ = bytes4(params[4 * index:4 * index + 4]);
        for (uint256 i = 0; i < 4; ++i) {
            value |= uint256(uint8(bytes_[i])) << 8 * i;
        }
    }

    function _commitment(bytes32 seed) private pure returns (bytes32) {
        return sha256(abi.encodePacked(_label("commitment"), _part(seed)));
    }

    /// @dev The prefix of the encryption's hashes.
    function _label(bytes memory label) private pure returns (bytes memory) {
        return abi.encodePacked(_part(bytes(PROTOCOL)), _part(label));
    }

    function _part(bytes32 part) private pure returns (bytes memory) {
        return _part(abi.encodePacked(part));
    }

    /// @dev A part of a hash's input, after its length in eight bytes, little-endian. Parts are short.
    function _part(bytes memory part) private pure returns (bytes memory) {
        return abi.encodePacked(uint8(part.length), bytes7(0), part);
    }

    /// @dev The address of a multiple of the point with this x and an even y; zero if there is no such point. (Recovering a
    /// key from a signature of the message zero multiplies a point by s/r.)
    function _multiple(uint256 factor, uint256 x) private pure returns (address) {
        return ecrecover(0, 27, bytes32(x), bytes32(mulmod(factor, x, ORDER)));
    }

    function _requireChunk(bytes32 root, uint256 index, bytes calldata chunk, bytes32[] calldata branch) private pure {
        if (!MerkleProof.verifyCalldata(branch, root, _leaf(uint32(index), chunk))) revert WrongChunk(index);
    }

    /// @dev Leaves contain their index, and are hashed twice, so that an inner node cannot pass as a leaf.
    function _leaf(uint32 index, bytes memory content) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encodePacked(index, content))));
    }
}
