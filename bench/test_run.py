"""The harness without network and without peers: python3 -m unittest discover bench."""

import argparse
import itertools
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import processes
import report
import run
from peers import common
from processes import Limits, NotRun

LIMITS = Limits(threads=1, timeout=20)


def row(seconds: float = 1.5, **more: object) -> report.Row:
    numbers = {"seconds": seconds, "threads": 2, "bytes_down": 2_000_000, "bytes_up": 700, "max_relative_error": 1e-5}
    return {**numbers, "date": "2026-01-02", "security": {"bits": 128, "parameters": "p", "source": "s"}, **more}


def kernel(seconds: float) -> report.Row:
    return {"seconds": seconds, "threads": 2, "multiply_adds": 2_000_000_000}


def whole(**sections: dict[str, report.Row]) -> report.Report:
    machine = {"cpu": "C", "cores": 2, "flags": ["avx2"], "memory_gb": 8, "system": "S"}
    return {"date": "2026-01-03", "machine": machine, "threads": 2, "versions": {"phe": "1"}, "sections": sections}


class Workload(unittest.TestCase):
    def test_is_the_same_in_every_language(self) -> None:
        # These numbers stand in bench/README.md; an implementation elsewhere is checked against them.
        self.assertEqual(list(itertools.islice(common.splitmix64(0), 2)), [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4])
        self.assertEqual(common.matrix(65)[0][:4], [272, 1006, 1929, -228])
        self.assertEqual(common.model(65, 10)[0][:4], [93, 255, 97, 271])
        have = common.product(common.matrix(65), common.model(65, 10))
        self.assertEqual([have[0][0], have[-1][-1], sum(map(sum, have))], [-1990396, 488629, -11228797])

    def test_stays_within_its_bits(self) -> None:
        values = [value for line in common.matrix(30) for value in line]
        self.assertTrue(all(-2048 <= value < 2048 for value in values))
        self.assertTrue(min(values) < -1500 and max(values) > 1500)

    def test_error_is_relative_to_the_largest_value(self) -> None:
        self.assertEqual(common.max_relative_error([[1.0, 8.0]], [[2, 10]]), 0.2)
        with self.assertRaises(ValueError):
            common.max_relative_error([[1.0]], [[2, 10]])

    def test_product(self) -> None:
        self.assertEqual(common.product([[1, 2], [3, 4]], [[5], [-6]]), [[-7], [-9]])


class Rows(unittest.TestCase):
    def test_half_a_result_does_not_count(self) -> None:
        self.assertEqual(report.checked(row()), row())
        self.assertEqual(report.checked({**row(), "seconds": None, "bytes_up": True})["not_run"], "printed no number for seconds, bytes_up")
        self.assertIn("not_run", report.checked(None))

    def test_ours(self) -> None:
        printed = {"ours": row(), "ours_unprotected": row(), "portable_kernel": kernel(1.0), "avx512_kernel": None}
        rows = run.ours_from(printed)
        self.assertEqual(rows["avx512_kernel"], report.not_run("this processor has no AVX-512"))
        self.assertEqual(rows["ours"]["seconds"], 1.5)
        self.assertEqual(run.ours_from({})["avx512_kernel"], report.not_run("printed no result"))

    def test_json_is_the_last_line(self) -> None:
        self.assertEqual(run.json_object('library says hello\n{"a": 1}\n\n'), {"a": 1})
        for bad in ("", "hello", "[1]"):
            with self.assertRaises(NotRun):
                run.json_object(bad)


class Merging(unittest.TestCase):
    def test_keeps_what_was_not_tried(self) -> None:
        old = whole(map_65={"phe": row(1), "tenseal": row(2)}, map_785={"phe": row(3)})
        new = whole(map_65={"phe": row(9)})
        rows = report.merged(old, new)["sections"]
        self.assertEqual([rows["map_65"]["phe"]["seconds"], rows["map_65"]["tenseal"]["seconds"]], [9, 2])
        self.assertEqual(rows["map_785"]["phe"]["seconds"], 3)

    def test_a_failure_replaces_an_older_figure(self) -> None:
        merged = report.merged(whole(map_65={"phe": row()}), whole(map_65={"phe": report.not_run("broken")}))
        self.assertEqual(merged["sections"]["map_65"]["phe"], {"not_run": "broken"})

    def test_never_mixes_machines_or_threads(self) -> None:
        new = whole(map_65={})
        for change in ({"machine": {**new["machine"], "cpu": "other"}}, {"threads": 4}):
            self.assertEqual(report.merged({**whole(map_65={"phe": row()}), **change}, new), new)

    def test_written_and_read_again(self) -> None:
        full = whole(map_65={"phe": row()}, logistic_step={})
        published = report.published(full)
        self.assertEqual(published["map_65"]["tenseal"], report.NEVER)
        self.assertEqual(published["logistic_step"]["concrete_ml"], report.OPTIONAL)
        self.assertEqual(report.read(json.loads(json.dumps(published))), full)

    def test_an_interrupted_run_keeps_what_it_measured(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "deep" / "report.json"
            run.written(path, {"map_65": {"phe": row(1)}}, {"phe": "1"}, 2)
            both = run.written(path, {"map_65": {"tenseal": row(2)}}, {"tenseal": "2"}, 2)
            self.assertEqual(set(both["sections"]["map_65"]), {"phe", "tenseal"})
            self.assertEqual(both["versions"], {"phe": "1", "tenseal": "2"})
            path.write_text("not a report")
            with mock.patch.object(run, "say"):
                alone = run.written(path, {"map_65": {"phe": row(3)}}, {}, 2)
            self.assertEqual(set(alone["sections"]["map_65"]), {"phe"})


class Tables(unittest.TestCase):
    def test_every_row_is_there(self) -> None:
        text = report.markdown(whole(map_65={"phe": row(0.5), "ours": report.not_run("no compiler")}))
        self.assertIn("| phe (Paillier) | 500 ms |  | 2 MB |", text)
        self.assertIn("not run: no compiler", text)
        for label in report.MAP_ROWS.values():
            self.assertIn(f"| {label} |", text)
        widths = {line.count("|") for line in text.splitlines() if line.startswith("|") and "kernel" not in line and "G/s" not in line}
        self.assertLessEqual(widths, {11, 5})

    def test_sizes_follow_each_other(self) -> None:
        text = report.markdown(whole(map_785={}, map_65={}))
        self.assertLess(text.index("65 inputs"), text.index("785 inputs"))

    def test_remarks(self) -> None:
        self.assertEqual(report.remarks(row(other_programs_cores=0.05)), "")
        noted = report.remarks(row(scaled_from="1 of 10 columns", other_programs_cores=0.9))
        self.assertEqual(noted, "scaled from 1 of 10 columns; disturbed: other programs used 0.9 cores")

    def test_a_disturbed_row_is_announced_above_the_tables(self) -> None:
        for cores, announced in ((0.9, True), (0.05, False), (None, False)):
            text = report.markdown(whole(map_65={"phe": row(other_programs_cores=cores)}))
            self.assertEqual("quiet machine" in text, announced)

    def test_kernels(self) -> None:
        text = report.kernel_table({"portable_kernel": kernel(2.0), "avx512_kernel": report.not_run("none")})
        self.assertIn("| portable | 2 s | 1.0 G/s |  |", text)
        self.assertIn("not run: none", text)

    def test_units(self) -> None:
        self.assertEqual([report.size(n) for n in (12, 1234, 134_217_808, 999_700)], ["12 B", "1.23 kB", "134 MB", "1000 kB"])
        self.assertEqual([report.duration(s) for s in (0.00123, 2.345, 4321.0)], ["1.23 ms", "2.35 s", "4321 s"])
        self.assertEqual([report.error(0.0), report.error(4.6e-5)], ["exact", "4.6e-05"])

    def test_the_document_keeps_its_words(self) -> None:
        document = f"# A\n\n{report.START}\nold\n{report.END}\n\nend\n"
        once = report.with_tables(document, "new")
        self.assertEqual(once, f"# A\n\n{report.START}\n\nnew\n\n{report.END}\n\nend\n")
        self.assertEqual(report.with_tables(once, "new"), once)
        with self.assertRaises(ValueError):
            report.with_tables("# no markers", "new")

    def test_the_real_document_has_its_markers(self) -> None:
        report.with_tables(run.DOCUMENT.read_text(), "new")


class Processes(unittest.TestCase):
    def python(self, code: str, limits: Limits = LIMITS) -> str:
        return processes.run([sys.executable, "-c", code], limits)

    def test_threads_are_told(self) -> None:
        self.assertEqual(self.python("import os; print(os.environ['OMP_NUM_THREADS'])").strip(), "1")

    def test_a_failure_says_its_last_line_without_addresses(self) -> None:
        with self.assertRaisesRegex(NotRun, r"^failed: no (\(address\)) today$"):
            self.python("import sys; sys.exit('first\\nno https://example.org/x today')")

    def test_time_limit(self) -> None:
        with self.assertRaisesRegex(NotRun, "did not end"):
            self.python("import time; time.sleep(60)", Limits(1, 0.2))

    def test_an_interpreter_that_is_not_there(self) -> None:
        with self.assertRaisesRegex(NotRun, "no Python 2.0"):
            processes.find_python(["2.0"])

    def test_an_environment_is_made_once(self) -> None:
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(processes, "_install_step") as install:
            venv, requirements = Path(folder) / "venv", Path(folder) / "requirements.txt"
            venv.mkdir()
            requirements.write_text("nothing==1")
            version = "%d.%d" % sys.version_info[:2]
            for _ in range(2):
                processes.environment(venv, requirements, [version])
            self.assertEqual(install.call_count, 2)
            requirements.write_text("nothing==2")
            processes.environment(venv, requirements, [version])
            self.assertEqual(install.call_count, 4)

    def test_a_missing_peer_stops_nothing(self) -> None:
        options = run.parsed(["--only", "phe", "--dimensions", "65", "--wait-idle", "0"])
        failure = NotRun("could not be installed: no network")
        with mock.patch.object(processes, "environment", side_effect=failure), mock.patch.object(run, "say"):
            ((section, rows, _),) = run.measure(["phe"], options)
        self.assertEqual((section, rows["phe_rerandomised"]), ("map_65", {"not_run": "could not be installed: no network"}))


class Options(unittest.TestCase):
    def test_selection(self) -> None:
        self.assertNotIn("concrete_ml", run.selected(run.parsed([])))
        self.assertIn("concrete_ml", run.selected(run.parsed(["--with-concrete-ml"])))
        self.assertEqual(run.selected(run.parsed(["--only", "concrete_ml,phe", "--skip", "phe"])), ["concrete_ml"])

    def test_nonsense_is_refused(self) -> None:
        self.assertEqual(run.dimension_list("785,65,65"), [65, 785])
        for call, text in ((run.dimension_list, "many"), (run.dimension_list, "4096"), (run.name_list, "seal")):
            with self.assertRaises(argparse.ArgumentTypeError):
                call(text)

    def test_every_peer_has_its_files(self) -> None:
        for name in run.PEERS:
            self.assertTrue((run.BENCH / "peers" / f"{name}.py").exists(), name)
            self.assertTrue((run.BENCH / f"requirements-{name}.txt").exists(), name)
        labelled = {**report.MAP_ROWS, **report.KERNEL_ROWS, **report.STEP_ROWS}
        self.assertEqual(set(labelled), {name for entry in run.MEASURED.values() for name in entry.rows})


if __name__ == "__main__":
    unittest.main()
