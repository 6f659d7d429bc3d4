#!/usr/bin/env python3
"""Writes cases.csv: what two other accountants say about cases that `tests/privacy.rs` asks ours about.

    python3 -m venv /tmp/cases && /tmp/cases/bin/pip install dp-accounting==0.6.0 numpy==2.4.6 scipy==1.17.1
    /tmp/cases/bin/pip install --no-deps opacus==1.6.0
    /tmp/cases/bin/python syft-rs/tests/privacy/make_cases.py > syft-rs/tests/privacy/cases.csv

Of opacus only the file with the analysis is loaded, because the package wants PyTorch. Both get the same orders as ours, so
that what is compared are the curves and their conversion, not the choice of orders.
"""

import csv
import importlib.util
import pathlib
import sys
import sysconfig

import dp_accounting
from dp_accounting.rdp import RdpAccountant

ORDERS = (
    [1.01, 1.02, 1.05]
    + [tenth / 10 for tenth in range(11, 110)]
    + [float(order) for order in range(11, 64)]
    + [64.0, 80.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 1024.0]
)

# (sampling rate, noise multiplier, steps, delta)
CASES = [
    (1.0, 0.5, 1, 1e-5),
    (1.0, 1.0, 1, 1e-6),
    (1.0, 2.0, 1, 1e-9),
    (1.0, 5.0, 10, 1e-6),
    (1.0, 10.0, 1, 1e-5),
    (1.0, 10.0, 100, 1e-6),
    (1.0, 10.0, 10000, 1e-9),
    (1.0, 3.0, 50, 1e-6),
    (0.001, 0.5, 1000, 1e-5),
    (0.001, 0.7, 10000, 1e-6),
    (0.001, 1.0, 10000, 1e-5),
    (0.001, 2.0, 10000, 1e-9),
    (0.001, 4.0, 1000, 1e-6),
    (0.001, 10.0, 10000, 1e-6),
    (0.01, 0.5, 100, 1e-5),
    (0.01, 0.8, 1000, 1e-6),
    (0.01, 1.0, 1, 1e-5),
    (0.01, 1.1, 10000, 1e-5),
    (0.01, 4.0, 10000, 1e-9),
    (0.01, 10.0, 10000, 1e-6),
    (0.1, 0.5, 10, 1e-6),
    (0.1, 1.0, 100, 1e-5),
    (0.1, 2.0, 1000, 1e-6),
    (0.1, 5.0, 1, 1e-9),
    (0.1, 5.0, 10000, 1e-5),
    (0.1, 10.0, 1000, 1e-9),
]


def opacus_analysis():
    path = pathlib.Path(sysconfig.get_path("purelib")) / "opacus/accountants/analysis/rdp.py"
    spec = importlib.util.spec_from_file_location("opacus_rdp", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_opacus(analysis, rate, multiplier, steps, delta):
    rdp = analysis.compute_rdp(q=rate, noise_multiplier=multiplier, steps=steps, orders=ORDERS)
    epsilon, _ = analysis.get_privacy_spent(orders=ORDERS, rdp=rdp, delta=delta)
    return epsilon


def by_dp_accounting(rate, multiplier, steps, delta):
    event = dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(multiplier))
    accountant = RdpAccountant(ORDERS)
    accountant.compose(event, steps)
    return accountant.get_epsilon(delta)


def main():
    analysis = opacus_analysis()
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(
        ["case", "noise_multiplier", "sampling_rate", "steps", "delta", "eps_opacus", "eps_dp_accounting"]
    )
    for number, (rate, multiplier, steps, delta) in enumerate(CASES, 1):
        ours = (rate, multiplier, steps, delta)
        theirs = [f"{by_opacus(analysis, *ours):.6g}", f"{by_dp_accounting(*ours):.6g}"]
        out.writerow([number, multiplier, rate, steps, f"{delta:g}", *theirs])


if __name__ == "__main__":
    main()
