// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { Handover, WordProof } from "../../src/interfaces/ICampaigns.sol";
import { Fixture } from "./Fixture.sol";

/// @notice Published words, made by the definition of the encryption, one at a time.
abstract contract Encryption is Fixture {
    uint32 internal constant OUTPUTS = 3;
    uint32 internal constant WEIGHTS = 5 * OUTPUTS;
    int256 internal constant ERROR = 2 ** 28;
    int256 internal constant WEIGHT = 2 ** 50;

    /// @dev What encryptions are made of.
    struct Words {
        bytes32 seed;
        uint32 degree;
        bytes binding;
        bytes32 rowMasks;
        bytes params;
    }

    function _words() internal pure returns (Words memory w) {
        (w.seed, w.rowMasks) = (keccak256("seed"), keccak256("masks"));
        _fit(w, 0);
    }

    /// @dev Ring degrees are powers of two from 64 to 1024.
    function _fit(Words memory w, uint32 word) internal pure returns (uint32) {
        w.degree = uint32(64 << w.degree % 5);
        w.binding = abi.encodePacked(w.seed, bytes32("campaign"), bytes32("beacon"));
        uint32[17] memory constants =
            [5, OUTPUTS, 2048 / w.degree, w.degree, 64, 24, 27, 50, 12, 62, 1, 1, 19, 48, 40, 24, 20];
        w.params = "";
        for (uint256 i = 0; i < 17; ++i) {
            w.params = bytes.concat(w.params, _littleEndian(constants[i], 4));
        }
        return word % (WEIGHTS + 2048);
    }

    /// @dev A version whose word is masked so that this is left when masks times key are taken away.
    function _published(Words memory w, uint32 word, int256 rest)
        internal
        pure
        returns (Handover memory h, WordProof memory p)
    {
        bytes32 params = sha256(abi.encodePacked("syft/linear/3/parameters", w.params));
        p.header = abi.encodePacked("SYFTpk", hex"0300", params, w.binding, w.rowMasks, keccak256("packing"));
        (p.seed, p.params, p.word) = (w.seed, w.params, word);
        bool[] memory key = _key(w, params);
        // Rounded to the six upper bytes.
        uint64 body;
        unchecked {
            body = uint64(int64(rest)) + _masked(w, word, key) + 2 ** 15;
        }
        p.chunk = new bytes(960);
        bytes memory cut = _littleEndian(body >> 16, 6);
        for (uint256 i = 0; i < 6; ++i) {
            p.chunk[word % 160 * 6 + i] = cut[i];
        }
        bytes32 header = leaf(0, p.header);
        bytes32 chunk = leaf(1 + word / 160, p.chunk);
        (p.headerBranch, p.chunkBranch) = (new bytes32[](1), new bytes32[](1));
        (p.headerBranch[0], p.chunkBranch[0]) = (chunk, header);
        h.root = keccak256(header < chunk ? bytes.concat(header, chunk) : bytes.concat(chunk, header));
        h.commitment = commitment(w.seed);
    }

    function _key(Words memory w, bytes32 params) private pure returns (bool[] memory key) {
        bytes32 seed = sha256(
            abi.encodePacked(
                part("syft/linear/3"),
                part("row key"),
                part(abi.encodePacked(w.seed)),
                part(w.binding),
                part(abi.encodePacked(params))
            )
        );
        uint64[] memory words = _stream(seed, "key bits", 0, 32);
        key = new bool[](2048);
        for (uint256 i = 0; i < 2048; ++i) {
            key[i] = words[i / 64] >> (i % 64) & 1 == 1;
        }
    }

    /// @dev A coefficient of the sum of the products of masks and key, by the schoolbook.
    function _masked(Words memory w, uint32 word, bool[] memory key) private pure returns (uint64 sum) {
        uint32 degree = w.degree;
        uint32 used = word < WEIGHTS ? OUTPUTS : degree;
        uint32 place = word < WEIGHTS ? word : word - WEIGHTS;
        bytes32 seed = sha256(abi.encodePacked(part("syft/linear/3"), part("P"), part(w.binding)));
        uint64[] memory masks = word < WEIGHTS
            ? _stream(w.rowMasks, "rowmasks", place / used, 2048)
            : _stream(seed, "P-matrix", place / used, 2048);
        uint256 coefficient = place % used;
        unchecked {
            for (uint256 bit = 0; bit < 2048; ++bit) {
                if (!key[bit]) continue;
                uint256 block_ = bit / degree * degree;
                uint256 shift = bit % degree;
                if (shift <= coefficient) sum += masks[block_ + coefficient - shift];
                else sum -= masks[block_ + degree + coefficient - shift];
            }
        }
    }

    function _stream(bytes32 seed, bytes8 label, uint32 index, uint256 count)
        private
        pure
        returns (uint64[] memory words)
    {
        words = new uint64[](count);
        for (uint256 i = 0; i < count; i += 4) {
            bytes32 digest = sha256(abi.encodePacked(seed, label, index, uint32(i / 4)));
            for (uint256 j = 0; j < 4; ++j) {
                words[i + j] = uint64(bytes8(digest << 64 * j));
            }
        }
    }

    function _littleEndian(uint64 value, uint256 length) private pure returns (bytes memory out) {
        out = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            out[i] = bytes1(uint8(value >> 8 * i));
        }
    }
}
