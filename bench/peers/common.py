"""What every peer script shares: the workload, the error, the command line. Standard library only.

The scripts are named like the packages that they measure, so they run as modules from the folder above: `python -m peers.phe`.
"""

import argparse
import importlib.metadata
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Rows = list[list[int]]

MATRIX_BITS = 12
MODEL_BITS = 10
MATRIX_SEED = 1
MODEL_SEED = 2


def splitmix64(seed: int) -> Iterator[int]:
    """SplitMix64: short enough to be written the same way in every language that takes part."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        word = state
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
        yield word ^ (word >> 31)


def integers(seed: int, bits: int, rows: int, columns: int) -> Rows:
    """Signed integers of `bits` bits, row by row: the top bits of each word."""
    words = splitmix64(seed)
    return [[(next(words) >> (64 - bits)) - 2 ** (bits - 1) for _ in range(columns)] for _ in range(rows)]


def matrix(inputs: int) -> Rows:
    """The evaluator's plain matrix, inputs x inputs."""
    return integers(MATRIX_SEED, MATRIX_BITS, inputs, inputs)


def model(inputs: int, outputs: int) -> Rows:
    """The key holder's model, inputs x outputs."""
    return integers(MODEL_SEED, MODEL_BITS, inputs, outputs)


def product(left: Rows, right: Rows) -> Rows:
    columns = list(zip(*right, strict=True))
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in left]


def transposed(rows: Rows) -> Rows:
    return [list(column) for column in zip(*rows, strict=True)]


def max_relative_error(have: list[list[float]], want: Rows) -> float:
    """Largest difference over largest value, not the largest quotient: products near zero would decide that one."""
    pairs = [(h, w) for have_row, want_row in zip(have, want, strict=True) for h, w in zip(have_row, want_row, strict=True)]
    return max(abs(h - w) for h, w in pairs) / max(abs(w) for _, w in pairs)


@dataclass(frozen=True)
class Timed:
    """Wall-clock and processor time. Other programs lengthen the first much more than the second."""

    seconds: float
    cpu_seconds: float
    result: Any


def timed(call: Callable[[], Any]) -> Timed:
    start, start_cpu = time.perf_counter(), time.process_time()
    result = call()
    return Timed(time.perf_counter() - start, time.process_time() - start_cpu, result)


def median_of(repeats: int, call: Callable[[], Any]) -> Timed:
    """Medians of the times of a call, and its last result. Where there are several, one more goes first to warm the caches."""
    if repeats == 1:
        return timed(call)
    runs = [timed(call) for _ in range(repeats + 1)][1:]
    seconds, cpu_seconds = (statistics.median(values) for values in zip(*((run.seconds, run.cpu_seconds) for run in runs)))
    return Timed(seconds, cpu_seconds, runs[-1].result)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--outputs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="less work, scaled: for trying the harness")
    return parser.parse_args()


def emit(rows: dict[str, Any], packages: list[str]) -> None:
    versions = {name: importlib.metadata.version(name) for name in packages}
    versions["python"] = sys.version.split()[0]
    print(json.dumps({"versions": versions, "rows": rows}))
