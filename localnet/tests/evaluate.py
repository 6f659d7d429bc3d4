"""Measures a delivered model as its owner would: python3 evaluate.py MODEL.safetensors MANIFEST.json VALIDATION.csv

Prints the accuracy in parts per million. Written from the documentation, not from the Rust code, so that the two check each
other: features are ((x - center) / spread) * scale, cut off at 64 and rounded to 2^-20, then the constant one; rows longer than
`clip` are shortened; the class is the first of the greatest scores.
"""

import csv
import json
import sys

import numpy as np
from safetensors.numpy import load_file

LATTICE = 2.0**20


def to_lattice(x):
    return np.rint(np.clip(x, -64.0, 64.0) * LATTICE) / LATTICE


def features(raw, maps):
    center = np.array([column["center"] for column in maps["columns"]])
    spread = np.array([column["spread"] for column in maps["columns"]])
    x = to_lattice((raw - center) / spread * maps["scale"])
    constant = to_lattice(np.full((len(x), 1), maps["bias"] * maps["scale"]))
    x = np.hstack([x, constant])
    norm = np.sqrt((x * x).sum(axis=1, keepdims=True))
    shortened = np.trunc(x * maps["clip"] / norm * LATTICE) / LATTICE
    return np.where(norm > maps["clip"], shortened, x)


def main(model, manifest, validation):
    weights = load_file(model)["weights"]
    with open(manifest) as file:
        manifest = json.load(file)
    with open(validation, newline="") as file:
        rows = list(csv.DictReader(file))
    data = manifest["data"]
    raw = np.array([[float(row[column["name"]]) for column in data["inputs"]] for row in rows])
    classes = data["task"]["classes"]
    truth = np.array([classes.index(row[data["target"]]) for row in rows])
    scores = features(raw, manifest["features"]) @ weights
    correct = int((scores.argmax(axis=1) == truth).sum())
    print(correct * 1_000_000 // len(rows))


main(*sys.argv[1:])
