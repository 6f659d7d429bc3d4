#!/usr/bin/env python3
"""Makes the CSV files in this folder from the copies that come with scikit-learn (see README.md).

    pip install scikit-learn && python3 data/prepare.py

The rows are shuffled once with a fixed seed; the first part is the data scientist's validation set, the rest is what
Mines train on. A second run writes the same bytes.
"""
import csv
import pathlib
import random

from sklearn import datasets

HERE = pathlib.Path(__file__).resolve().parent


def write(path, header, rows):
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def split(name, header, rows, validation):
    random.Random(f"sonar/{name}/1").shuffle(rows)
    write(HERE / f"{name}-validation.csv", header, rows[:validation])
    write(HERE / f"{name}-train.csv", header, rows[validation:])


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


digits()
breast_cancer()
