"""phe: Paillier, one ciphertext a weight. Processes stand in for threads, which the library does not have."""

import argparse
import multiprocessing
import sys
from typing import Any

from phe import paillier, util

from peers import common

KEY_BITS = 3072
# Outputs that fit in some seconds; a larger product is scaled from them.
MOST_PRODUCTS = 60_000

# Set before the workers fork, so that they need not receive ciphertexts one by one.
KEY: paillier.PaillierPublicKey
COLUMN: list[paillier.EncryptedNumber]
ROWS: common.Rows


def encrypt(value: int) -> paillier.EncryptedNumber:
    return KEY.encrypt(value)


def output(row: int) -> paillier.EncryptedNumber:
    return sum((cipher * factor for cipher, factor in zip(COLUMN, ROWS[row], strict=True)), start=KEY.encrypt(0, r_value=1))


def plain_output(row: int) -> common.Timed:
    return common.timed(lambda: output(row))


def rerandomised_output(row: int) -> common.Timed:
    return common.timed(lambda: output(row).ciphertext(be_secure=True))


def row_of(run: int, total: int, whole: common.Timed, options: argparse.Namespace) -> dict[str, Any]:
    cipher_bytes, weights = (KEY.nsquare.bit_length() + 7) // 8, options.inputs * options.outputs
    key_bytes = (KEY.n.bit_length() + 7) // 8
    return {
        "seconds": whole.seconds * total / run,
        "cpu_seconds": sum(part.cpu_seconds for part in whole.result) * total / run,
        "threads": options.threads,
        "model_bytes": cipher_bytes * weights,
        "key_bytes": key_bytes,
        "bytes_down": cipher_bytes * weights + key_bytes,
        "bytes_up": cipher_bytes * weights,
        "repeats": 1,
        "scaled_from": None if run == total else f"{run} of {total} outputs",
        "method": f"sum of EncryptedNumber * int, {options.threads} processes",
        "security": {
            "bits": 128,
            "parameters": f"Paillier, {KEY_BITS}-bit modulus",
            "source": "NIST SP 800-57 part 1: factoring 3072 bits",
        },
    }


def main() -> None:
    global KEY, COLUMN, ROWS
    options = common.arguments()
    if not util.HAVE_GMP:
        sys.exit("phe runs without gmpy2: the comparison would be unfair")
    KEY, secret = paillier.generate_paillier_keypair(n_length=KEY_BITS)
    ROWS = common.matrix(options.inputs)
    model = common.model(options.inputs, options.outputs)
    total = options.inputs * options.outputs
    run = max(options.threads, min(options.inputs, MOST_PRODUCTS // options.inputs // (10 if options.quick else 1)))
    fork = multiprocessing.get_context("fork")
    with fork.Pool(options.threads) as pool:
        COLUMN = pool.map(encrypt, [row[0] for row in model])
    with fork.Pool(options.threads) as pool:
        plain = common.timed(lambda: pool.map(plain_output, range(run), chunksize=1))
        rerandomised = common.timed(lambda: pool.map(rerandomised_output, range(run), chunksize=1))
    have = [[secret.decrypt(part.result)] for part in plain.result]
    error = common.max_relative_error(have, common.product(ROWS[:run], [[row[0]] for row in model]))
    rows = {
        "phe": {**row_of(run, total, plain, options), "protections": "none"},
        "phe_rerandomised": {**row_of(run, total, rerandomised, options), "protections": "re-randomised results"},
    }
    common.emit({name: {**row, "max_relative_error": error} for name, row in rows.items()}, ["phe", "gmpy2"])


if __name__ == "__main__":
    main()
