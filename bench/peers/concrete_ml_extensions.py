"""concrete-ml-extensions: one RLWE ciphertext a column of the model, one polynomial product an output, packing key switch."""

import argparse
import json
from typing import Any

import concrete_ml_extensions as fhe
import numpy as np

from peers import common


def signed(values: np.ndarray, bits: int) -> np.ndarray:
    """The library returns residues; the upper half of them are the negative numbers."""
    half = 1 << (bits - 1)
    return (values.astype(np.int64) + half) % (1 << bits) - half


def words(rows: common.Rows) -> np.ndarray:
    """Negative numbers as residues modulo 2^64."""
    return np.array(rows, dtype=np.int64).astype(np.uint64)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    params_text = fhe.default_params()
    params = fhe.MatmulCryptoParameters.deserialize(params_text)
    constants = json.loads(params_text)
    matrix, model = common.matrix(options.inputs), common.model(options.inputs, options.outputs)
    columns = common.transposed(model)[: 1 if options.quick else options.outputs]
    secret, key = fhe.cpu_create_private_key(params)
    sent = fhe.encrypt_matrix(secret, params, words(columns)).serialize()
    received = fhe.EncryptedMatrix.deserialize(sent)
    plain = words(common.transposed(matrix))
    repeats = 3 if options.inputs <= 100 and not options.quick else 1
    run = common.median_of(repeats, lambda: fhe.cpu_matrix_multiplication(received, plain, key))
    returned = run.result.serialize()
    last = options.inputs % constants["polynomial_size"] or constants["polynomial_size"]
    opened = fhe.decrypt_matrix(fhe.CompressedResultEncryptedMatrix.deserialize(returned), secret, params, last)
    have = signed(opened, constants["bits_reserved_for_computation"]).tolist()
    want = common.transposed(common.product(matrix, common.transposed(columns)))
    key_bytes, whole = len(key.serialize()), options.outputs / len(columns)
    return {
        "seconds": run.seconds * whole,
        "cpu_seconds": run.cpu_seconds * whole,
        "threads": options.threads,
        "model_bytes": round(len(sent) * whole),
        "key_bytes": key_bytes,
        "bytes_down": round(len(sent) * whole) + key_bytes,
        "bytes_up": round(len(returned) * whole),
        "max_relative_error": common.max_relative_error(have, want),
        "repeats": repeats,
        "scaled_from": None if whole == 1 else f"{len(columns)} of {options.outputs} columns",
        "method": "cpu_matrix_multiplication",
        "protections": "none",
        "security": {
            "bits": 132,
            "parameters": "default_params: LWE dimension {}, binary secret, modulus 2^{}, sigma {:.3e} of the modulus".format(
                constants["encryption_glwe_dimension"] * constants["polynomial_size"],
                constants["ciphertext_modulus_bit_count"],
                constants["glwe_encryption_noise_distribution_stdev"],
            ),
            "source": "TFHE-rs' noise curve for 132 bits (lattice estimator, MATZOV), which gives this sigma for this dimension",
        },
    }


if __name__ == "__main__":
    common.emit({"concrete_ml_extensions": measure(common.arguments())}, ["concrete-ml-extensions"])
