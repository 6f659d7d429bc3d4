"""Runs the Python of docs/model-formats.md as its reader would: python3 formats.py PAGE linear|networks DIRECTORY…

In each directory lie model.safetensors, model.onnx, model.npz, validation.csv and expected.json with our scores and answers and the truth.
Whatever block leaves `scores` and `answers` must have found ours: bit for bit, and of networks nearly. Blocks whose modules are not installed are skipped.

Prints a line of JSON for each directory: how many blocks agreed, what each of those skipped misses, and, of a classification, the accuracy of
the blocks' answers in parts per million.
"""

import importlib.util
import json
import os
import re
import sys

import numpy as np


def blocks(page, part):
    """The blocks of a part: what is defined before any file is opened, and those for linear models or for networks."""
    with open(page, encoding="utf-8") as file:
        defined, rest = file.read().split("\n## safetensors with NumPy\n")
    linear, networks = rest.split("\n## Networks\n")
    text = defined + {"linear": linear, "networks": networks}[part]
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def missing(block):
    modules = dict.fromkeys(re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE))
    return ", ".join(module for module in modules if importlib.util.find_spec(module) is None)


def check(part, scores, wanted, where):
    assert scores.shape == wanted.shape, where
    if part == "linear":
        assert scores.dtype == np.float64 and np.array_equal(scores, wanted), where
    else:
        # Sums of networks are rounded, and others take them in another order.
        apart, largest = np.abs(scores - wanted).max(), np.abs(wanted).max()
        assert largest > 0 and apart <= 1e-4 * largest, f"{apart} of {largest}, {where}"


def run(part, blocks):
    with open("expected.json", encoding="utf-8") as file:
        expected = json.load(file)
    agreed, skipped, names, answers = 0, [], {}, None
    for block in blocks:
        if absent := missing(block):
            skipped.append(absent)
            continue
        exec(block, names)
        if "scores" not in names:
            continue
        scores, answers = np.asarray(names.pop("scores")), list(names.pop("answers"))
        wanted = np.array(expected["scores"])
        where = f"{os.getcwd()}:\n{block}"
        check(part, scores.reshape(wanted.shape), wanted, where)
        assert part == "networks" or answers == expected["answers"], where
        agreed += 1
    correct = sum(answer == truth for answer, truth in zip(answers, expected["truth"]))
    accuracy = correct * 1_000_000 // len(answers) if isinstance(answers[0], str) else None
    print(json.dumps({"agreed": agreed, "skipped": skipped, "accuracy_ppm": accuracy}))


def main(page, part, *directories):
    page = blocks(page, part)
    for directory in directories:
        os.chdir(directory)
        run(part, page)


main(*sys.argv[1:3], *(os.path.abspath(path) for path in sys.argv[3:]))
