"""concrete-ml: one iteration of logistic regression that also encrypts the data. Another workload than the other peers'."""

import contextlib
import io
import re
from typing import Any

import numpy as np
from concrete.ml.sklearn import SGDClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import MinMaxScaler

from peers import common

RANGE = (-1.0, 1.0)


def classifier(verbose: bool) -> SGDClassifier:
    # The seed decides first weights and batch, so that both modes do the same step.
    return SGDClassifier(fit_encrypted=True, parameters_range=RANGE, max_iter=1, random_state=1, verbose=int(verbose))


def printed(pattern: str, text: str) -> float:
    found = re.search(pattern + r" took ([0-9.]+) seconds", text)
    if found is None:
        raise RuntimeError(f"concrete-ml no longer prints '{pattern} took'")
    return float(found[1])


def weights(trained: SGDClassifier) -> np.ndarray:
    return np.concatenate([np.ravel(trained.coef_), np.ravel(trained.intercept_)])


def measure(threads: int) -> dict[str, Any]:
    features, labels = load_breast_cancer(return_X_y=True)
    features = MinMaxScaler(RANGE).fit_transform(features)
    clear = weights(classifier(verbose=False).fit(features, labels, fhe="disable"))
    encrypted = classifier(verbose=True)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        encrypted.fit(features, labels, fhe="execute")
    circuit = encrypted.training_quantized_module.fhe_circuit
    key_bytes = circuit.size_of_bootstrap_keys + circuit.size_of_keyswitch_keys
    return {
        "seconds": printed("Iteration 0", output.getvalue()),
        "threads": threads,
        "model_bytes": circuit.size_of_inputs,
        "key_bytes": key_bytes,
        "bytes_down": circuit.size_of_inputs + key_bytes,
        "bytes_up": circuit.size_of_outputs,
        "max_relative_error": float(np.abs(weights(encrypted) - clear).max() / np.abs(clear).max()),
        "repeats": 1,
        "scaled_from": None,
        "method": f"SGDClassifier(fit_encrypted=True), batch {encrypted.batch_size}, {features.shape[1]} features, "
        f"{encrypted.n_bits_training} bits; key generation {printed('Key generation', output.getvalue()):.0f} s not counted",
        "protections": f"encrypts the data too; each bootstrap fails with p_error = {encrypted.training_p_error}",
        "security": {
            "bits": circuit.configuration.security_level.value,
            "parameters": "chosen by Concrete's optimizer",
            "source": "Concrete's curves (lattice estimator)",
        },
    }


if __name__ == "__main__":
    common.emit({"concrete_ml": measure(common.arguments().threads)}, ["concrete-ml", "concrete-python", "numpy", "scikit-learn", "torch"])
