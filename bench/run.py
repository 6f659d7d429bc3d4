"""Measures our engine and the peers in one run: target/bench/report.json and the tables in docs/benchmarks.md.

Standard library only. Every peer gets an environment of its own; one that cannot be had is reported and stops nothing.
"""

import argparse
import datetime
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import processes
import report
from processes import Limits, NotRun
from report import Report, Row

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
EXAMPLE = ROOT / "syft-rs" / "examples" / "map.rs"
OUTPUTS = 10
BUILD_TIMEOUT = 3600


@dataclass(frozen=True)
class Peer:
    rows: tuple[str, ...]
    pythons: list[str] = field(default_factory=lambda: ["3.11", "3.12", "3.10"])
    maps: bool = True
    optional: bool = False


PEERS = {
    "tenseal": Peer(("tenseal", "tenseal_tutorial", "tenseal_tensor")),
    "concrete_ml_extensions": Peer(("concrete_ml_extensions",)),
    "phe": Peer(("phe", "phe_rerandomised")),
    "concrete_ml": Peer(
        ("concrete_ml",),
        pythons=["3.11", "3.10"],
        maps=False,
        optional=True,
    ),
}
OUR_ROWS = ("ours", "ours_unprotected", "ours_bare")
OURS = Peer((*OUR_ROWS, *report.KERNEL_ROWS))
MEASURED = {"ours": OURS, **PEERS}
NAMES = list(MEASURED)


def target_folder() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve() / "bench"


def today() -> str:
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def guarded(
    names: tuple[str, ...], command: list[str] | NotRun, measure: Callable[[], dict[str, Row]], idle_wait: float
) -> dict[str, Row]:
    """Rows of one measurement, or the same rows with the reason why there is none."""
    try:
        if isinstance(command, NotRun):
            raise command
        processes.wait_until_idle(idle_wait)
        disturbance = processes.Disturbance()
        rows = measure()
    except (NotRun, OSError, ValueError, KeyError, TypeError) as failure:
        reason = str(failure) if isinstance(failure, NotRun) else f"{type(failure).__name__}: {failure}"
        say(f"  not run: {reason}")
        return {name: report.not_run(reason) for name in names}
    about = {"date": today(), "other_programs_cores": disturbance.cores()}
    say(f"  other programs used {about['other_programs_cores']} cores")
    for name, row in rows.items():
        say(f"  {name}: " + (f"not run: {row['not_run']}" if "not_run" in row else report.duration(row["seconds"])))
    return {name: row if "not_run" in row else {**row, **about} for name, row in rows.items()}


def json_object(output: str) -> dict[str, Any]:
    """What the last line of the output says: libraries print what they like before it."""
    try:
        found = json.loads(processes.last_line(output))
    except json.JSONDecodeError:
        raise NotRun(f"printed no JSON but: {processes.last_line(output)[:80]}") from None
    if not isinstance(found, dict):
        raise NotRun("printed JSON that is not an object")
    return found


def measure_peer(name: str, command: list[str], inputs: int, options: argparse.Namespace, versions: dict[str, str]) -> dict[str, Row]:
    sizes = ["--inputs", str(inputs), "--outputs", str(OUTPUTS), "--threads", str(options.threads)]
    quick = ["--quick"] if options.quick else []
    printed = json_object(processes.run([*command, *sizes, *quick], Limits(options.threads, options.timeout)))
    versions.update({package: version for package, version in printed["versions"].items() if package != "python"})
    return {row: report.checked(printed["rows"].get(row)) for row in PEERS[name].rows}


def ours_from(printed: dict[str, Any]) -> dict[str, Row]:
    """Rows of what our example prints; a processor without AVX-512 says null for that kernel."""
    rows = {name: report.checked(printed.get(name)) for name in OUR_ROWS}
    kernels = {name: report.checked(printed.get(name), report.KERNEL_NUMBERS) for name in report.KERNEL_ROWS}
    if "avx512_kernel" in printed and printed["avx512_kernel"] is None:
        kernels["avx512_kernel"] = report.not_run("this processor has no AVX-512")
    return {**rows, **kernels}


def example(action: str) -> list[str]:
    return [os.environ.get("CARGO", "cargo"), action, "--quiet", "--release", "-p", "syft", "--features", "bench", "--example", "map"]


def measure_ours(inputs: int, options: argparse.Namespace) -> dict[str, Row]:
    sizes = ["--inputs", str(inputs), "--outputs", str(OUTPUTS), "--threads", str(options.threads)]
    output = processes.run([*example("run"), "--", *sizes], Limits(options.threads, options.timeout), cwd=ROOT)
    return ours_from(json_object(output))


def build_ours() -> None:
    if not EXAMPLE.exists():
        raise NotRun("syft has no example `map` yet")
    processes.run(example("build"), Limits(os.cpu_count() or 1, BUILD_TIMEOUT), cwd=ROOT)


def prepared(name: str) -> list[str] | NotRun:
    """The command that everything of this name starts with, or why there is none."""
    say(f"{name}: preparing")
    try:
        if name == "ours":
            build_ours()
            return []
        folder = target_folder() / f"venv-{name}"
        python = processes.environment(folder, BENCH / f"requirements-{name}.txt", PEERS[name].pythons)
        return [str(python), "-m", f"peers.{name}"]
    except NotRun as failure:
        return failure
    except OSError as failure:
        return NotRun(f"could not be prepared: {failure}")


def measure(names: list[str], options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Row], dict[str, str]]]:
    """Section, rows and versions, one measurement after the other."""
    # Building and installing come first: they must not run beside a measurement.
    commands = {name: prepared(name) for name in names}

    def rows_of(name: str, command: list[str], inputs: int, versions: dict[str, str]) -> dict[str, Row]:
        return measure_ours(inputs, options) if name == "ours" else measure_peer(name, command, inputs, options, versions)

    for name, command in commands.items():
        # A workload that is not a map has a size of its own.
        for inputs in options.dimensions if MEASURED[name].maps else [0]:
            say(f"{name}, {inputs} inputs" if inputs else name)
            versions: dict[str, str] = {}
            rows = guarded(MEASURED[name].rows, command, lambda: rows_of(name, command, inputs, versions), options.wait_idle)
            yield f"map_{inputs}" if inputs else "logistic_step", rows, versions


def cpu() -> tuple[str, list[str]]:
    """Name of the processor, and those of its extensions that matter here."""
    interesting = ("avx2", "avx512f", "avx512dq", "avx512ifma", "bmi2", "adx", "neon", "asimd", "sve")
    try:
        lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    except OSError:
        return platform.processor() or platform.machine(), []
    fields = {key.strip(): value.strip() for key, _, value in reversed(lines)}
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    model = fields.get("model name") or platform.machine()
    numbers = [fields[key] for key in ("cpu family", "model") if key in fields]
    return f"{model} (family/model {'/'.join(numbers)})" if numbers else model, [flag for flag in interesting if flag in flags]


def machine() -> dict[str, Any]:
    name, flags = cpu()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": name,
        "flags": flags,
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def workload() -> dict[str, Any]:
    return {
        "outputs": OUTPUTS,
        "matrix": "plain, inputs x inputs, signed 12-bit integers, SplitMix64 seed 1",
        "model": "encrypted, inputs x outputs, signed 10-bit integers, SplitMix64 seed 2",
        "seconds": "evaluator's time for the whole product, keys warm",
        "bytes": "down: model and evaluation keys of one version; up: the result",
        "max_relative_error": "max |have - want| / max |want|",
    }


def dimension_list(text: str) -> list[int]:
    try:
        dimensions = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers like 65,785") from None
    if dimensions[0] < 2 or dimensions[-1] > 2048:
        raise argparse.ArgumentTypeError("dimensions lie between 2 and 2048: the peers hold a column in one ciphertext")
    return dimensions


def name_list(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return names


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=name_list, help=f"measure only these, of {', '.join(NAMES)}; the rest is kept from earlier runs")
    parser.add_argument("--skip", type=name_list, default=[], help="do not measure these")
    parser.add_argument("--dimensions", type=dimension_list, default=[65, 785], help="inputs of the model (default 65,785)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for each process (default 1800)")
    parser.add_argument("--wait-idle", type=float, default=60, help="wait at most so many seconds for other programs to end (default 60)")
    parser.add_argument("--with-concrete-ml", action="store_true", help="also the peer that needs 6.3 GB")
    parser.add_argument("--quick", action="store_true", help="small parts, scaled; writes report-quick.json and no tables")
    options = parser.parse_args(arguments)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not 1 <= options.threads <= available:
        parser.error(f"--threads must lie between 1 and {available} here")
    return options


def selected(options: argparse.Namespace) -> list[str]:
    names = options.only or [name for name in NAMES if not MEASURED[name].optional or options.with_concrete_ml]
    return [name for name in NAMES if name in names and name not in options.skip]


def earlier(path: Path) -> Report | None:
    try:
        return report.read(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError):
        say(f"{path} is not a report; it is written anew")
        return None


def written(path: Path, sections: dict[str, dict[str, Row]], versions: dict[str, str], threads: int) -> Report:
    """Adds to the report on disk, so that an interrupted run keeps what it measured."""
    new: Report = {
        "date": today(),
        "machine": machine(),
        "threads": threads,
        "workload": workload(),
        "versions": versions,
        "sections": sections,
    }
    whole = report.merged(earlier(path), new)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.published(whole), indent=2) + "\n")
    return whole


def main(arguments: list[str]) -> None:
    # So that the process that is being measured ends too: it has a process group of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("make bench: stopped"))
    options = parsed(arguments)
    names = selected(options)
    if not names:
        sys.exit("make bench: nothing is left to measure; see --only and --skip")
    path = target_folder() / ("report-quick.json" if options.quick else "report.json")
    for section, rows, versions in measure(names, options):
        whole = written(path, {section: rows}, versions, options.threads)
        if not options.quick:
            DOCUMENT.write_text(report.with_tables(DOCUMENT.read_text(), report.markdown(whole)))
    say(f"report: {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
