"""The mutation tool without forge and cargo: python3 -m unittest discover bench."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import mutants

SOURCE = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;
import { A as B } from "./A.sol"; // a + b
contract C is B {
    uint256 private constant LIMIT = 64 + 1;
    struct S { uint256 a; }
    mapping(address => uint256) private _paid;
    /* if (x > 1) revert No(); */
    function pay(uint256 amount, S memory s) external payable nonReentrant returns (uint256 left) {
        if (amount > 10 && s.a != 0) revert TooMuch("a > b", amount);
        _paid[msg.sender] += amount;
        emit Paid(msg.sender, amount);
        uint256[] memory list = new uint256[](2);
        left = LIMIT - amount;
        assembly { let x := add(left, 7) }
    }
}
"""


def found(operator: str) -> list[tuple[str, str]]:
    all_mutants = mutants.mutants_of("src/C.sol", SOURCE)
    return [(SOURCE[m.start : m.end], m.new) for m in all_mutants if m.operator == operator]


class Operators(unittest.TestCase):
    def test_only_bodies_change(self) -> None:
        lines = {m.line for m in mutants.mutants_of("src/C.sol", SOURCE)}
        self.assertEqual(lines - {9}, {10, 11, 12, 13, 14}, "no comment, string, declaration or assembly")

    def test_each_finds_its_places(self) -> None:
        self.assertEqual(found("relation"), [(">", ">="), ("!=", "==")])
        self.assertEqual(found("relation, turned"), [(">", "<=")])
        self.assertEqual(found("logic"), [("&&", "||")])
        self.assertEqual(found("arithmetic"), [("-", "+")])
        self.assertEqual(found("assignment"), [("+=", "-=")])
        self.assertEqual(found("check"), [('if (amount > 10 && s.a != 0) revert TooMuch("a > b", amount);', "")])
        self.assertEqual(found("modifier"), [("nonReentrant", "")])
        self.assertEqual([new for _, new in found("condition")], ["(false)", "(true)"])
        self.assertEqual(found("number"), [("10", "(10 + 1)"), ("10", "0"), ("0", "(0 + 1)"), ("2", "(2 + 1)"), ("2", "0")])
        statements = [old for old, _ in found("statement")]
        self.assertIn("emit Paid(msg.sender, amount);", statements)
        self.assertIn("_paid[msg.sender] += amount;", statements)
        self.assertIn("left = LIMIT - amount;", statements)
        self.assertFalse([old for old in statements if old.startswith("uint256")], "a declaration cannot be left out")

    def test_a_mutant_changes_one_place(self) -> None:
        for mutant in mutants.mutants_of("src/C.sol", SOURCE):
            changed = mutant.apply(SOURCE)
            self.assertNotEqual(changed, SOURCE)
            self.assertTrue(changed.startswith(SOURCE[: mutant.start]) and changed.endswith(SOURCE[mutant.end :]))

    def test_the_committed_contracts_have_enough(self) -> None:
        files = sorted((mutants.CONTRACTS / "src").glob("*.sol"))
        self.assertGreater(sum(len(mutants.mutants_of(file.name, file.read_text())) for file in files), 300)


class Sample(unittest.TestCase):
    def test_follows_from_the_seed_and_mixes_operators(self) -> None:
        all_mutants = mutants.mutants_of("src/C.sol", SOURCE)
        drawn = mutants.draw(all_mutants, 1)
        self.assertEqual(drawn, mutants.draw(all_mutants, 1))
        self.assertNotEqual(drawn, mutants.draw(all_mutants, 2))
        self.assertEqual(sorted(map(repr, drawn)), sorted(map(repr, all_mutants)))
        operators = {mutant.operator for mutant in all_mutants}
        self.assertEqual({mutant.operator for mutant in drawn[: len(operators)]}, operators)
        self.assertEqual(mutants.sample(["b", "a", "c"], 2, 1), mutants.sample(["c", "b", "a"], 2, 1))
        self.assertEqual(mutants.sample(["a"], 5, 1), ["a"])


class Judging(unittest.TestCase):
    """A folder in which `tools/forge` is a script of the test."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.forge = mutants.Forge.__new__(mutants.Forge)
        self.forge.folder = Path(directory.name)
        for name in ("src", "tools", "out/C.sol"):
            (self.forge.folder / name).mkdir(parents=True)
        (self.forge.folder / "src/C.sol").write_text(SOURCE)

    def judge(self, script: str) -> str:
        forge = self.forge.folder / "tools/forge"
        build = 'h=$(cksum < src/C.sol); echo "{\\"bytecode\\":{\\"object\\":\\"$h\\"}}" > out/C.sol/C.json; exit 0'
        forge.write_text(f"#!/bin/sh\n[ $1 = build ] && {{ {build}; }}\n{script}\n")
        forge.chmod(0o755)
        self.forge.run("build", limit=10)
        original = self.forge.code()
        mutant = next(m for m in mutants.mutants_of("src/C.sol", SOURCE) if m.operator == "relation")
        verdict = self.forge.judge(mutant, original, 0.5)
        self.assertEqual((self.forge.folder / "src/C.sol").read_text(), SOURCE, "the file is restored")
        return verdict

    def test_tests_that_fail_or_hang_kill(self) -> None:
        self.assertEqual(self.judge("exit 1"), "killed")
        self.assertEqual(self.judge("exec sleep 5"), "killed")

    def test_tests_that_pass_let_it_survive(self) -> None:
        self.assertEqual(self.judge("exit 0"), "survived")

    def test_the_tests_see_the_mutant(self) -> None:
        self.assertEqual(self.judge("! grep -q 'amount >= 10' src/C.sol"), "killed")

    def test_what_does_not_build_or_changes_nothing_counts_for_nothing(self) -> None:
        mutant = mutants.mutants_of("src/C.sol", SOURCE)[0]
        with mock.patch.object(self.forge, "run", return_value=False):
            self.assertEqual(self.forge.judge(mutant, {}, 1), "invalid")
        with mock.patch.object(self.forge, "run", return_value=True):
            self.assertEqual(self.forge.judge(mutant, self.forge.code(), 1), "invalid")


    def test_what_is_excluded_exists(self) -> None:
        tests = "".join(file.read_text() for file in (mutants.CONTRACTS / "test").glob("*.sol"))
        for name in mutants.Forge.EXCLUDED:
            self.assertRegex(tests, rf"\bcontract {name}\b")


class Report(unittest.TestCase):
    def test_has_score_and_survivors(self) -> None:
        solidity = mutants.Result(killed=19, survivors=["`src/C.sol:3` check"], invalid=2, wanted=20)
        rust = mutants.Result(wanted=5, problem="cargo-mutants is missing")
        text = mutants.report({"Solidity": solidity, "Rust": rust}, 7)
        self.assertIn("| Solidity | 20 of 20 | 19 | 1 | 95.0 % | 2 |", text)
        self.assertIn("| Rust | 0 of 5 | 0 | 0 | none | 0 |", text)
        self.assertIn("- `src/C.sol:3` check\n", text)
        self.assertIn("Rust: cargo-mutants is missing", text)
        self.assertIn("Seed 7", text)

    def test_reads_what_cargo_mutants_wrote_before_it_was_stopped(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "caught.txt").write_text("a\nb\n")
            (Path(directory) / "missed.txt").write_text("c\n")
            result = mutants.Result()
            mutants.add(result, Path(directory))
        self.assertEqual((result.killed, result.survivors, result.invalid), (2, ["`c`"], 0))

    def test_every_module_exists(self) -> None:
        for file in mutants.RUST:
            self.assertTrue((mutants.ROOT / file).is_file(), file)


if __name__ == "__main__":
    unittest.main()
