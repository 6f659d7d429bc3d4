"""Runs the Python of docs/model-formats.md as its reader would: python3 formats.py PAGE DIRECTORY…

In each directory lie model.safetensors, model.onnx, model.npz, validation.csv and expected.json with our scores and answers and the truth.
Whatever block leaves `scores` and `answers` must have found ours, bit for bit. Blocks whose modules are not installed are skipped.

Prints a line of JSON for each directory: how many blocks agreed, which modules were missing, and, of a classification, the accuracy of
the blocks' answers in parts per million.
"""

import importlib.util
import json
import os
import re
import sys

import numpy as np


def blocks(page):
    with open(page, encoding="utf-8") as file:
        return re.findall(r"^```python\n(.*?)^```$", file.read(), re.DOTALL | re.MULTILINE)


def missing(block):
    modules = re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE)
    return [module for module in modules if importlib.util.find_spec(module) is None]


def run(blocks):
    with open("expected.json", encoding="utf-8") as file:
        expected = json.load(file)
    agreed, skipped, names, answers = 0, [], {}, None
    for block in blocks:
        if absent := missing(block):
            skipped += absent
            continue
        exec(block, names)
        if "scores" not in names:
            continue
        scores, answers = np.asarray(names.pop("scores")), list(names.pop("answers"))
        wanted = np.array(expected["scores"])
        where = f"{os.getcwd()}:\n{block}"
        assert scores.dtype == np.float64 and np.array_equal(scores.reshape(wanted.shape), wanted), where
        assert answers == expected["answers"], where
        agreed += 1
    correct = sum(answer == truth for answer, truth in zip(answers, expected["truth"]))
    accuracy = correct * 1_000_000 // len(answers) if isinstance(answers[0], str) else None
    print(json.dumps({"agreed": agreed, "skipped": skipped, "accuracy_ppm": accuracy}))


def main(page, *directories):
    page = blocks(page)
    for directory in directories:
        os.chdir(directory)
        run(page)


main(sys.argv[1], *(os.path.abspath(path) for path in sys.argv[2:]))
