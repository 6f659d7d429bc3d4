"""concrete-ml: one iteration of logistic regression that also encrypts the data. Another workload than the other peers'."""

from typing import Any

import numpy as np
from concrete.ml.sklearn import SGDClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import MinMaxScaler

from peers import common

RANGE = (-1.0, 1.0)


def data() -> tuple[np.ndarray, np.ndarray]:
    features, labels = load_breast_cancer(return_X_y=True)
    return MinMaxScaler(RANGE).fit_transform(features), labels


def prepared(features: np.ndarray, labels: np.ndarray) -> SGDClassifier:
    """Compiled, by a first step in the clear. The seed decides first weights and batches, so that all copies do the same steps."""
    classifier = SGDClassifier(fit_encrypted=True, parameters_range=RANGE, random_state=1)
    classifier.partial_fit(features, labels, classes=np.unique(labels), fhe="disable")
    return classifier


def weights(classifier: SGDClassifier) -> np.ndarray:
    return np.concatenate([np.ravel(classifier.coef_), np.ravel(classifier.intercept_)])


def encrypted_step(classifier: SGDClassifier, features: np.ndarray, labels: np.ndarray) -> common.Timed:
    """Time of the evaluator alone: the library's step also quantises, encrypts and decrypts."""
    circuit = classifier.training_quantized_module.fhe_circuit
    circuit.keygen()
    library_run, runs = circuit.run, []

    def timed_run(*arguments: Any) -> Any:
        runs.append(common.timed(lambda: library_run(*arguments)))
        return runs[-1].result

    circuit.run = timed_run
    classifier.partial_fit(features, labels, fhe="execute")
    (only,) = runs
    return only


def measure(threads: int) -> dict[str, Any]:
    features, labels = data()
    in_clear, encrypted = prepared(features, labels), prepared(features, labels)
    in_clear.partial_fit(features, labels, fhe="disable")
    step = encrypted_step(encrypted, features, labels)
    want, have = weights(in_clear), weights(encrypted)
    circuit = encrypted.training_quantized_module.fhe_circuit
    key_bytes = circuit.size_of_bootstrap_keys + circuit.size_of_keyswitch_keys
    return {
        "seconds": step.seconds,
        "cpu_seconds": step.cpu_seconds,
        "threads": threads,
        "model_bytes": circuit.size_of_inputs,
        "key_bytes": key_bytes,
        "bytes_down": circuit.size_of_inputs + key_bytes,
        "bytes_up": circuit.size_of_outputs,
        "max_relative_error": float(np.abs(have - want).max() / np.abs(want).max()),
        "repeats": 1,
        "scaled_from": None,
        "method": f"SGDClassifier(fit_encrypted=True), batch {encrypted.batch_size}, {features.shape[1]} features, "
        f"{encrypted.n_bits_training} bits; bytes as its statistics say",
        "protections": f"encrypts the data too; a bootstrap fails with p_error = {encrypted.training_p_error}",
        "security": {
            "bits": circuit.configuration.security_level.value,
            "parameters": "chosen by Concrete's optimizer",
            "source": "Concrete's curves (lattice estimator)",
        },
    }


if __name__ == "__main__":
    packages = ["concrete-ml", "concrete-python", "numpy", "scikit-learn", "torch"]
    common.emit({"concrete_ml": measure(common.arguments().threads)}, packages)
