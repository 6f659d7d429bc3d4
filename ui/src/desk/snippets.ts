/** How to load a result in Python, for each format; the documentation of model formats has the rest. */

import type { ModelFormat } from "./types";

function text(value: string): string {
  return JSON.stringify(value);
}

export function snippet(format: ModelFormat, file: string, regression: boolean): string {
  switch (format) {
    case "onnx":
      return `# pip install onnxruntime numpy
import csv
import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(${text(file)}, providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
names = [column["name"] for column in json.loads(about["sonar.data"])["inputs"]]
with open("validation.csv", newline="") as rows:
    columns = np.array([[float(row[name]) for name in names] for row in csv.DictReader(rows)])
scores, ${regression ? "values" : "labels"} = session.run(None, {"columns": columns})
print(${regression ? "values" : "labels"}[:10])`;
    case "npz":
      return `# pip install numpy
import numpy as np

model = np.load(${text(file)})
print({name: model[name].shape for name in model.files})`;
    case "safetensors":
      return `# pip install safetensors numpy
from safetensors import safe_open

with safe_open(${text(file)}, "np") as model:
    about = model.metadata()
    tensors = {name: model.get_tensor(name) for name in model.keys()}
print(about["sonar.name"], about["sonar.accuracy_ppm"])
print({name: tensor.shape for name, tensor in tensors.items()})`;
  }
}
