#!/usr/bin/env python3
"""Mutation tests: small faults, one at a time, that the tests must notice.

Solidity mutants are drawn by a seed from `OPERATORS` over contracts/src/*.sol, whatever these files contain, and judged by the unit and fuzz
tests of forge (not by gas, artefacts or invariants). Rust mutants of the pure modules in `RUST` are drawn from those of cargo-mutants and judged
by the tests of their crate. A mutant that does not compile, or compiles to the same code, counts for nothing and is replaced by the next.

    python3 bench/mutants.py [--solidity 150] [--rust 60] [--seed 1] [--minutes 110] [--report target/mutants/report.md]

Needs Node (contracts) and cargo-mutants (`--cargo-mutants PATH`); `make mutants` installs both.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
# Share of the time that the contracts get: they are the money.
SOLIDITY_SHARE = 0.65

# Pure modules that decide about money, policy, budget and evaluation, with the package of their tests.
RUST = {
    "contracts/src/rules.rs": "sonar-contracts",
    "syft-rs/src/budget.rs": "syft",
    "syft-rs/src/evaluate.rs": "syft",
    "syft-rs/src/privacy/zcdp.rs": "syft",
    "capsule/src/campaign.rs": "capsule",
    "mine/src/earnings.rs": "mine",
    "mine/src/policy.rs": "mine",
    "mine/src/privacy.rs": "mine",
}


@dataclasses.dataclass(frozen=True)
class Token:
    """A piece of Solidity that is neither space nor comment."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change of one place in a file."""

    operator: str
    file: str
    start: int
    end: int
    new: str
    line: int

    def apply(self, source: str) -> str:
        return source[: self.start] + self.new + source[self.end :]

    def show(self, source: str) -> str:
        old = " ".join(source[self.start : self.end].split())
        return f"`{self.file}:{self.line}` {self.operator}: `{old}` → `{self.new or 'nothing'}`"


# ---- Solidity: tokens, places, mutants

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<string>(?:hex|unicode)?"(?:\\.|[^"\\])*"|(?:hex|unicode)?'(?:\\.|[^'\\])*')
      | (?P<number>0[xX][0-9a-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE]-?\d+)?)
      | (?P<name>[A-Za-z_$][\w$]*)
      | (?P<sign>>>>=|<<=|>>=|>>>|\*\*|&&|\|\||==|!=|<=|>=|\+\+|--|\+=|-=|\*=|/=|%=|\|=|&=|\^=|=>|->|<<|>>|:=|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens(source: str) -> list[Token]:
    """The tokens of a file, without spaces and comments."""
    found = (Token(match.lastgroup or "", match.group(), match.start()) for match in _TOKEN.finditer(source))
    return [token for token in found if token.kind != "space"]


def bodies(all_tokens: list[Token]) -> list[bool]:
    """For each token whether it lies in the body of a function, outside of assembly: elsewhere are declarations."""
    inside, stack, opener = [], [], "other"
    for token in all_tokens:
        if token.text in ("function", "modifier", "constructor", "receive", "fallback"):
            opener = "function"
        elif token.text == "assembly":
            opener = "assembly"
        elif token.text == ";" and (not stack or stack[-1] == "other"):
            opener = "other"
        elif token.text == "{":
            within = stack[-1] if stack else "other"
            stack.append(opener if opener != "other" else within if within != "other" else "other")
            opener = "other"
        elif token.text == "}" and stack:
            stack.pop()
        inside.append(bool(stack) and stack[-1] == "function")
    return inside


SWAPS = {
    "relation": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    "relation, turned": {"<": ">=", "<=": ">", ">": "<=", ">=": "<"},
    "arithmetic": {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*"},
    "logic": {"&&": "||", "||": "&&"},
    "bits": {"<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "&"},
    "assignment": {"+=": "-=", "-=": "+=", "*=": "/=", "|=": "&=", "&=": "|=", "++": "--", "--": "++"},
    "constant": {"true": "false", "false": "true"},
}
_VALUE = re.compile(r"^[\w$)\]]+$")


def _swaps(name: str) -> Callable[[list[Token]], Iterator[tuple[int, int, str]]]:
    def places(body: list[Token]) -> Iterator[tuple[int, int, str]]:
        for before, token in zip([None, *body], body):
            new = SWAPS[name].get(token.text)
            # A sign in front of a number, or `*` in an import, is no operator with two sides.
            has_left = before is not None and (_VALUE.match(before.text) or token.text in ("true", "false", "++", "--"))
            if new and has_left:
                yield token.start, token.end, new

    return places


def _numbers(body: list[Token]) -> Iterator[tuple[int, int, str]]:
    for token in body:
        if token.kind == "number" and "." not in token.text and "e" not in token.text.lower()[:1]:
            yield token.start, token.end, f"({token.text} + 1)"
            if token.text.strip("0_x"):
                yield token.start, token.end, "0"


def _negations(body: list[Token]) -> Iterator[tuple[int, int, str]]:
    yield from ((token.start, token.end, "") for token in body if token.text == "!")


def _statement_end(body: list[Token], at: int) -> int | None:
    """Index of the semicolon that ends the statement from here on, if it has no block."""
    depth = 0
    for index in range(at, len(body)):
        text = body[index].text
        depth += text in ("(", "[") or -(text in (")", "]"))
        if text in ("{", "}") and depth == 0:
            return None
        if text == ";" and depth == 0:
            return index
    return None


def _statements(body: list[Token]) -> Iterator[tuple[int, int, str]]:
    """Statements that can be left out: calls, assignments, events, checks."""
    for at, token in enumerate(body[:-1]):
        starts = at == 0 or body[at - 1].text in (";", "{", "}", ")", "else")
        following = body[at + 1].text
        is_effect = token.text in ("emit", "delete", "require", "revert") or (
            token.kind == "name" and token.text not in KEYWORDS and following in ("=", ".", "[", "(", "+=", "-=", "|=", "&=", "++", "--")
        )
        # `uint256[] memory x` and `if (a) return` are declarations and control flow.
        if not (starts and is_effect) or (following == "[" and body[at + 2 : at + 3] and body[at + 2].text == "]"):
            continue
        end = _statement_end(body, at)
        if end is not None:
            yield token.start, body[end].end, "{}" if at and body[at - 1].text in (")", "else") else ""


def _checks(body: list[Token]) -> Iterator[tuple[int, int, str]]:
    """`if (…) revert …;` as a whole."""
    for at, token in enumerate(body):
        if token.text != "if":
            continue
        depth = 0
        for index in range(at + 1, len(body)):
            depth += (body[index].text == "(") - (body[index].text == ")")
            if depth == 0:
                break
        if index + 1 < len(body) and body[index + 1].text == "revert":
            end = _statement_end(body, index + 1)
            if end is not None:
                yield token.start, body[end].end, ""


def _conditions(body: list[Token]) -> Iterator[tuple[int, int, str]]:
    """The condition of an `if`, always and never."""
    for at, token in enumerate(body[:-1]):
        if token.text == "if" and body[at + 1].text == "(":
            depth = 0
            for index in range(at + 1, len(body)):
                depth += (body[index].text == "(") - (body[index].text == ")")
                if depth == 0:
                    yield body[at + 1].start, body[index].end, "(true)"
                    yield body[at + 1].start, body[index].end, "(false)"
                    break


def _modifiers(all_tokens: list[Token]) -> Iterator[tuple[int, int, str]]:
    """Modifiers in the head of a function."""
    for at, token in enumerate(all_tokens):
        if token.text not in ("function", "constructor"):
            continue
        depth, before = 0, ""
        for head in all_tokens[at + 2 :]:
            depth += (head.text == "(") - (head.text == ")")
            if head.text in ("{", ";") and depth == 0:
                break
            # A modifier with arguments may be the constructor of a base, without which nothing compiles.
            if depth == 0 and head.kind == "name" and head.text not in HEAD and before != ".":
                yield head.start, head.end, ""
            before = head.text


HEAD = frozenset("external public internal private view pure payable virtual override returns".split())
KEYWORDS = frozenset(
    "if else for while do return returns unchecked assembly try catch new var let memory storage calldata break continue "
    "uint int bool address bytes string mapping function struct event error".split()
)
OPERATORS: dict[str, Callable[[list[Token]], Iterator[tuple[int, int, str]]]] = {
    **{name: _swaps(name) for name in SWAPS},
    "number": _numbers,
    "negation": _negations,
    "statement": _statements,
    "check": _checks,
    "condition": _conditions,
}
# Operators on the heads of functions.
HEAD_OPERATORS = {"modifier": _modifiers}


def runs(all_tokens: list[Token]) -> Iterator[list[Token]]:
    """The tokens of each body."""
    for inside, group in itertools.groupby(zip(all_tokens, bodies(all_tokens)), key=lambda pair: pair[1]):
        if inside:
            yield [token for token, _ in group]


def mutants_of(file: str, source: str) -> list[Mutant]:
    """All mutants of a file, in the order of the file."""
    all_tokens = tokens(source)
    places = [(OPERATORS, body) for body in runs(all_tokens)] + [(HEAD_OPERATORS, all_tokens)]
    found = {
        Mutant(name, file, start, end, new, source.count("\n", 0, start) + 1)
        for operators, part in places
        for name, operator in operators.items()
        for start, end, new in operator(part)
    }
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.operator, mutant.new))


def draw(all_mutants: Iterable[Mutant], seed: int) -> list[Mutant]:
    """The mutants in the order in which they are tried: operators in turn, so that frequent ones do not fill the sample."""
    generator = random.Random(seed)
    by_operator: dict[str, list[Mutant]] = {}
    for mutant in all_mutants:
        by_operator.setdefault(mutant.operator, []).append(mutant)
    queues = [by_operator[name] for name in sorted(by_operator)]
    for queue in queues:
        generator.shuffle(queue)
    rounds = itertools.zip_longest(*queues)
    return [mutant for row in rounds for mutant in row if mutant is not None]


# ---- Running


@dataclasses.dataclass
class Result:
    """What became of the mutants of one language."""

    killed: int = 0
    survivors: list[str] = dataclasses.field(default_factory=list)
    invalid: int = 0
    wanted: int = 0
    problem: str = ""

    @property
    def judged(self) -> int:
        return self.killed + len(self.survivors)


class Forge:
    """A copy of the contracts, in which one file at a time is changed."""

    # Gas, sizes and random histories judge nothing here: unit and fuzz tests do.
    EXCLUDED = ("GasTest", "HistoryTest", "SizeTest")
    TESTS = ("test", "--fail-fast", "--no-match-contract", f"^({'|'.join(EXCLUDED)})$")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("src", "test", "tools"):
            shutil.copytree(CONTRACTS / name, folder / name, ignore=shutil.ignore_patterns("*.rs"))
        shutil.copy(CONTRACTS / "foundry.toml", folder)
        (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")

    def run(self, *arguments: str, profile: str = "default", limit: float) -> bool:
        command = [str(self.folder / "tools/forge"), *arguments]
        environment = {**os.environ, "FOUNDRY_PROFILE": profile}
        quiet = subprocess.DEVNULL
        # `tools/forge` starts forge, so a mutant that loops for ever is ended as a group.
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
        ) as run:
            try:
                return run.wait(limit) == 0
            except BaseException as error:
                os.killpg(run.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    return False
                raise

    def code(self) -> dict[str, str]:
        """What the build deploys, by artefact."""
        built = {}
        for file in sorted((self.folder / "out").glob("*.sol/*.json")):
            artefact = json.loads(file.read_text())
            built[file.name] = artefact.get("bytecode", {}).get("object", "") + artefact.get("deployedBytecode", {}).get("object", "")
        return built

    def judge(self, mutant: Mutant, original: dict[str, str], limit: float) -> str:
        """`invalid`, `killed` or `survived`."""
        file = self.folder / mutant.file
        source = file.read_text()
        file.write_text(mutant.apply(source))
        try:
            if not self.run("build", limit=limit) or self.code() == original:
                return "invalid"
            return "survived" if self.run(*self.TESTS, profile="test", limit=limit) else "killed"
        finally:
            file.write_text(source)


def solidity(arguments: argparse.Namespace, folder: Path, until: float) -> Result:
    """Judges mutants of the contracts until there are enough or the time is over."""
    result = Result(wanted=arguments.solidity)
    forge = Forge(folder)
    started = time.monotonic()
    if not (forge.run("build", limit=1_800) and forge.run(*Forge.TESTS, profile="test", limit=1_800)):
        result.problem = "the unchanged contracts fail: contracts/tools/check"
        return result
    # A mutant that loops for ever is killed by its time.
    limit = 10 * (time.monotonic() - started) + 60
    original = forge.code()
    sources = {str(file.relative_to(forge.folder)): file.read_text() for file in sorted((forge.folder / "src").glob("*.sol"))}
    drawn = draw((mutant for file, source in sources.items() for mutant in mutants_of(file, source)), arguments.seed)
    for mutant in drawn:
        if result.judged >= arguments.solidity or time.monotonic() > until:
            break
        verdict = forge.judge(mutant, original, limit)
        shown = mutant.show(sources[mutant.file])
        print(f"solidity {result.judged}/{arguments.solidity} {verdict}: {shown}", flush=True)
        if verdict == "invalid":
            result.invalid += 1
        elif verdict == "killed":
            result.killed += 1
        else:
            result.survivors.append(shown)
    return result


def sample(names: Iterable[str], count: int, seed: int) -> list[str]:
    """Some of these mutants, the same for a seed."""
    ordered = sorted(set(names))
    return sorted(random.Random(seed).sample(ordered, min(count, len(ordered))))


def rust(arguments: argparse.Namespace, folder: Path, until: float) -> Result:
    """Lets cargo-mutants judge a sample of its mutants of the pure modules."""
    result = Result(wanted=arguments.rust)
    tool = shutil.which(arguments.cargo_mutants)
    if tool is None:
        result.problem = f"{arguments.cargo_mutants} is missing: run `make mutants`"
        return result
    base = [tool, "mutants", "--dir", str(ROOT), "--no-shuffle"]
    # A folder of its own: Cargo compares times only, and would pass off the last mutant as the unchanged program.
    environment = {**os.environ, "CARGO_TARGET_DIR": str(folder / "target")}
    files = [part for file in RUST for part in ("--file", file)]
    listed = subprocess.run([*base, "--list", *files], capture_output=True, text=True, check=True).stdout.splitlines()
    chosen = sample(listed, arguments.rust, arguments.seed)
    for package in sorted(set(RUST.values())):
        mine = [name for name in chosen if RUST.get(name.split(":")[0]) == package]
        left = until - time.monotonic()
        if not mine or left < 60:
            continue
        names = [part for name in mine for part in ("--re", f"^{re.escape(name)}$")]
        of_package = [part for file, owner in RUST.items() if owner == package for part in ("--file", file)]
        out = folder / package
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        command = [*base, *of_package, *names, "--output", str(out), "--profile", arguments.profile, "--", "--lib"]
        with subprocess.Popen(command, env=environment) as run:
            try:
                run.wait(left)
            except subprocess.TimeoutExpired:
                print(f"{package}: the time is over", flush=True)
                run.send_signal(signal.SIGINT)
        add(result, out / "mutants.out")
    return result


def add(result: Result, out: Path) -> None:
    """Adds what cargo-mutants wrote, also if it was stopped."""

    def lines(name: str) -> list[str]:
        file = out / name
        return file.read_text().splitlines() if file.exists() else []

    result.killed += len(lines("caught.txt")) + len(lines("timeout.txt"))
    result.survivors += [f"`{line}`" for line in lines("missed.txt")]
    result.invalid += len(lines("unviable.txt"))


# ---- Report


def report(results: dict[str, Result], seed: int) -> str:
    """The score, and every survivor to be explained."""
    text = f"# Mutants\n\nSeed {seed}.\n\n| language | judged | killed | survived | score | did not compile or changed nothing |\n| --- | --- | --- | --- | --- | --- |\n"
    for name, result in results.items():
        score = f"{100 * result.killed / result.judged:.1f} %" if result.judged else "none"
        judged = f"{result.judged} of {result.wanted}"
        text += f"| {name} | {judged} | {result.killed} | {len(result.survivors)} | {score} | {result.invalid} |\n"
    for name, result in results.items():
        if result.problem:
            text += f"\n{name}: {result.problem}\n"
        if result.survivors:
            text += f"\n## Survivors in {name}\n\n" + "".join(f"- {line}\n" for line in result.survivors)
    return text


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solidity", type=int, default=150, help="Solidity mutants to judge")
    parser.add_argument("--rust", type=int, default=60, help="Rust mutants to judge")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=110, help="time for everything; then the report says how many were judged")
    parser.add_argument("--profile", default="release", help="profile of the Rust tests")
    parser.add_argument("--cargo-mutants", default="cargo-mutants")
    parser.add_argument("--report", type=Path, default=ROOT / "target/mutants/report.md")
    arguments = parser.parse_args(words)
    folder = arguments.report.resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    started, seconds = time.monotonic(), 60 * arguments.minutes
    results = {}
    if arguments.solidity:
        share = SOLIDITY_SHARE if arguments.rust else 1
        results["Solidity"] = solidity(arguments, folder / "contracts", started + share * seconds)
    if arguments.rust:
        results["Rust"] = rust(arguments, folder / "rust", started + seconds)
    text = report(results, arguments.seed)
    arguments.report.write_text(text)
    print(text)
    return int(any(result.problem for result in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
