"""Environments of the peers, and processes run with the same limits for everybody."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALL_TIMEOUT = 1800


class NotRun(Exception):
    """Why something could not be measured, in words for the report."""


@dataclass(frozen=True)
class Limits:
    threads: int
    timeout: float


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def reason(text: str) -> str:
    """The line that tells most, without addresses: which mirror somebody uses is nobody's business."""
    errors = [line for line in text.splitlines() if line.startswith("ERROR:")]
    line = errors[0] if errors else last_line(text)
    return re.sub(r"\w+://\S+", "(address)", line)[:200]


def thread_environment(threads: int) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **{name: str(threads) for name in names}}


def pin(threads: int) -> None:
    """Run in the child: libraries that count cores instead of asking must see only as many as there are threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def run(command: list[str], limits: Limits, cwd: Path = HERE) -> str:
    """Output of a pinned process; its whole process group ends at the time limit."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=thread_environment(limits.threads),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: pin(limits.threads),
    )
    try:
        output, errors = process.communicate(timeout=limits.timeout)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise NotRun(f"did not end within {limits.timeout:.0f} s") from None
        raise
    if process.returncode != 0:
        raise NotRun(f"failed: {reason(errors)}")
    return output


def find_python(versions: list[str]) -> str:
    """The first interpreter of one of these versions that can make environments."""
    for version in versions:
        for candidate in (sys.executable, shutil.which(f"python{version}")):
            if candidate and _is_version(candidate, version):
                return candidate
    raise NotRun(f"no Python {' or '.join(versions)} with venv")


def _is_version(python: str, version: str) -> bool:
    check = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        found = subprocess.run([python, "-c", check], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and found.stdout.strip() == version


def environment(folder: Path, requirements: Path, versions: list[str]) -> Path:
    """The interpreter of an environment with exactly these requirements; made again only when they change."""
    python, stamp, wanted = folder / "bin" / "python", folder / ".installed", requirements.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    _install_step([find_python(versions), "-m", "venv", "--clear", str(folder)])
    _install_step([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)])
    stamp.write_text(wanted)
    return python


def _install_step(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise NotRun(f"could not be installed: no end within {INSTALL_TIMEOUT} s") from None
    if done.returncode != 0:
        raise NotRun(f"could not be installed: {reason(done.stderr or done.stdout)}")


class Disturbance:
    """How many cores other programs used meanwhile. Where the system does not tell, it is not known."""

    def __init__(self) -> None:
        self._start = (time.monotonic(), _busy_seconds(), _own_seconds())

    def cores(self) -> float | None:
        start, busy, own = self._start
        now, busy_now, own_now = time.monotonic(), _busy_seconds(), _own_seconds()
        if busy is None or busy_now is None or now <= start:
            return None
        return round(max(0.0, (busy_now - busy) - (own_now - own)) / (now - start), 2)


def _busy_seconds() -> float | None:
    """Processor time of the whole machine but for idling and waiting."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def wait_until_idle(seconds: float, sample: float = 2.0) -> None:
    """Waits, at most this long, until nothing else runs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        disturbance = Disturbance()
        time.sleep(sample)
        if (disturbance.cores() or 0.0) < 0.1:
            return
