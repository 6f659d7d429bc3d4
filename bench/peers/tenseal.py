"""TenSEAL: CKKS. Three ways to use it, because the fastest depends on the size."""

import argparse
from dataclasses import dataclass
from typing import Any

import tenseal as ts

from peers import common

# CKKS computes with fractions; these powers of two keep the products within the last modulus and lose nothing.
MATRIX_ONE = 2 ** (common.MATRIX_BITS - 1)
MODEL_ONE = 2 ** (common.MODEL_BITS - 1)


@dataclass(frozen=True)
class Scheme:
    degree: int
    moduli: list[int]
    scale_bits: int
    largest_modulus: int

    def security(self) -> dict[str, Any]:
        return {
            "bits": 128,
            "parameters": f"CKKS, N = {self.degree}, log2 q = {sum(self.moduli)} {self.moduli}, scale 2^{self.scale_bits}",
            "source": f"HomomorphicEncryption.org standard: log2 q at most {self.largest_modulus} for this N (enforced by SEAL)",
        }


SMALL = Scheme(4096, [39, 30, 39], 30, 109)
TUTORIAL = Scheme(8192, [60, 40, 40, 60], 40, 218)


def contexts(scheme: Scheme, threads: int, rotations: bool) -> tuple[ts.Context, ts.Context, int]:
    """The key holder's context, the evaluator's, and the bytes of the latter."""
    own = ts.context(ts.SCHEME_TYPE.CKKS, scheme.degree, coeff_mod_bit_sizes=scheme.moduli, n_threads=threads)
    own.global_scale = 2**scheme.scale_bits
    if rotations:
        own.generate_galois_keys()
    else:
        # The tensor product refuses to start without them, though a product with a plain matrix has no use for them.
        own.generate_relin_keys()
    public = own.serialize(save_public_key=True, save_secret_key=False, save_galois_keys=rotations, save_relin_keys=not rotations)
    return own, ts.context_from(public, n_threads=threads), len(public)


def fractions(rows: common.Rows, one: int) -> list[list[float]]:
    return [[value / one for value in row] for row in rows]


def by_vectors(scheme: Scheme, options: argparse.Namespace, matrix: common.Rows, model: common.Rows) -> dict[str, Any]:
    """One ciphertext a column of the model; the product rotates it through the diagonals of the matrix."""
    own, evaluator, key_bytes = contexts(scheme, options.threads, rotations=True)
    plain = common.transposed(fractions(matrix, MATRIX_ONE))
    columns = common.transposed(fractions(model, MODEL_ONE))[: 1 if options.quick else options.outputs]
    sent = [ts.ckks_vector(own, column).serialize() for column in columns]
    received = [ts.ckks_vector_from(evaluator, data) for data in sent]
    repeats = 5 if options.inputs <= 100 else 1
    run = common.median_of(repeats, lambda: [vector.mm(plain) for vector in received])
    returned = [result.serialize() for result in run.result]
    opened = [ts.ckks_vector_from(own, data).decrypt() for data in returned]
    have = [[value * MATRIX_ONE * MODEL_ONE for value in column] for column in opened]
    want = common.transposed(common.product(matrix, [row[: len(columns)] for row in model]))
    whole = options.outputs / len(columns)
    return {
        "seconds": run.seconds * whole,
        "cpu_seconds": run.cpu_seconds * whole,
        "model_bytes": round(sum(map(len, sent)) * whole),
        "key_bytes": key_bytes,
        "bytes_up": round(sum(map(len, returned)) * whole),
        "max_relative_error": common.max_relative_error(have, want),
        "repeats": repeats,
        "scaled_from": None if whole == 1 else f"{len(columns)} of {options.outputs} columns",
        "method": "ckks_vector.mm, one ciphertext a column, rotations",
    }


def by_tensor(scheme: Scheme, options: argparse.Namespace, matrix: common.Rows, model: common.Rows) -> dict[str, Any]:
    """One ciphertext an input, all outputs in its slots: no rotations, but inputs x inputs products."""
    own, evaluator, key_bytes = contexts(scheme, options.threads, rotations=False)
    rows = min(options.inputs, 10 if options.quick or options.inputs > 100 else options.inputs)
    plain = ts.plain_tensor(common.transposed(fractions(matrix[:rows], MATRIX_ONE)))
    packed = [[column] for column in common.transposed(fractions(model, MODEL_ONE))]
    sent = ts.ckks_tensor(own, packed, batch=True).serialize()
    received = ts.ckks_tensor_from(evaluator, sent)
    repeats = 1 if rows < options.inputs else 5
    run = common.median_of(repeats, lambda: received.mm(plain))
    returned = run.result.serialize()
    opened = ts.ckks_tensor_from(own, returned).decrypt().tolist()
    have = [[value * MATRIX_ONE * MODEL_ONE for value in column[0]] for column in opened]
    want = common.transposed(common.product(matrix[:rows], model))
    whole = options.inputs / rows
    return {
        "seconds": run.seconds * whole,
        "cpu_seconds": run.cpu_seconds * whole,
        "model_bytes": len(sent),
        "key_bytes": key_bytes,
        "bytes_up": round(len(returned) * whole),
        "max_relative_error": common.max_relative_error(have, want),
        "repeats": repeats,
        "scaled_from": None if whole == 1 else f"{rows} of {options.inputs} rows of the plain matrix",
        "method": "ckks_tensor.mm, one ciphertext an input, no rotations",
    }


def main() -> None:
    options = common.arguments()
    matrix, model = common.matrix(options.inputs), common.model(options.inputs, options.outputs)
    measured = {
        "tenseal": (SMALL, by_vectors(SMALL, options, matrix, model)),
        "tenseal_tutorial": (TUTORIAL, by_vectors(TUTORIAL, options, matrix, model)),
        "tenseal_tensor": (SMALL, by_tensor(SMALL, options, matrix, model)),
    }
    constants = {"threads": options.threads, "protections": "none"}
    rows = {
        name: {**row, **constants, "bytes_down": row["model_bytes"] + row["key_bytes"], "security": scheme.security()}
        for name, (scheme, row) in measured.items()
    }
    common.emit(rows, ["tenseal"])


if __name__ == "__main__":
    main()
