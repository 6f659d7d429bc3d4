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


def rerandomised(row: int) -> int:
    return output(row).ciphertext(be_secure=True)


def row_of(run: int, total: int, seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    cipher_bytes, weights = KEY.nsquare.bit_length() // 8, options.inputs * options.outputs
    key_bytes = KEY.n.bit_length() // 8
    return {
        "seconds": seconds * total / run,
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
        seconds, results = common.timed(lambda: pool.map(output, range(run), chunksize=1))
        seconds_rerandomised, _ = common.timed(lambda: pool.map(rerandomised, range(run), chunksize=1))
    have = [[secret.decrypt(result)] for result in results]
    error = common.max_relative_error(have, common.product(ROWS[:run], [[row[0]] for row in model]))
    plain = {**row_of(run, total, seconds, options), "protections": "none", "max_relative_error": error}
    protected = {**row_of(run, total, seconds_rerandomised, options), "protections": "re-randomised results", "max_relative_error": error}
    common.emit({"phe": plain, "phe_rerandomised": protected}, ["phe", "gmpy2"])


if __name__ == "__main__":
    main()
