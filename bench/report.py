"""What is in the report, and the tables made from it. Pure functions."""

from typing import Any

Row = dict[str, Any]
Report = dict[str, Any]

START = "<!-- measured: written by `make bench` -->"
END = "<!-- end of measured -->"

# The table keeps this order; what nobody measured still has its line.
MAP_ROWS = {
    "ours": "**ours**",
    "ours_unprotected": "ours, unprotected",
    "ours_bare": "ours, neither protected nor packed",
    "tenseal": "TenSEAL, parameters chosen for this",
    "tenseal_tutorial": "TenSEAL, parameters of its tutorial",
    "tenseal_tensor": "TenSEAL, without rotations",
    "concrete_ml_extensions": "concrete-ml-extensions",
    "phe": "phe (Paillier)",
    "phe_rerandomised": "phe, results re-randomised",
}
KERNEL_ROWS = {"portable_kernel": "portable", "avx512_kernel": "AVX-512"}
STEP_ROWS = {"concrete_ml": "concrete-ml `SGDClassifier(fit_encrypted=True)`"}

NUMBERS = ("seconds", "threads", "bytes_down", "bytes_up", "max_relative_error")
KERNEL_NUMBERS = ("seconds", "threads", "multiply_adds")
# Cores that other programs may use before a figure is called disturbed.
QUIET = 0.1


def not_run(reason: str) -> Row:
    return {"not_run": reason}


def checked(row: Any, numbers: tuple[str, ...] = NUMBERS) -> Row:
    """The row, or why it cannot be used: a script that prints half a result must not look measured."""
    if not isinstance(row, dict):
        return not_run("printed no result")
    bad = [name for name in numbers if not isinstance(row.get(name), int | float) or isinstance(row.get(name), bool)]
    return not_run(f"printed no number for {', '.join(bad)}") if bad else row


def same_machine(left: Report, right: Report) -> bool:
    keys = ("cpu", "cores", "flags")
    return [left.get("machine", {}).get(key) for key in keys] == [right.get("machine", {}).get(key) for key in keys]


def merged(old: Report | None, new: Report) -> Report:
    """The new report, with what it did not try taken from an earlier one of the same machine and settings."""
    if old is None or not same_machine(old, new) or old.get("threads") != new["threads"]:
        return new
    sections = {
        name: {**old["sections"].get(name, {}), **new["sections"].get(name, {})} for name in {**old["sections"], **new["sections"]}
    }
    return {**new, "sections": sections, "versions": {**old["versions"], **new["versions"]}}


def published(report: Report) -> Report:
    """The report as it is written: every section at the top, every row in it."""
    rest = {key: value for key, value in report.items() if key != "sections"}
    sections = {"logistic_step": {}, **report["sections"]}
    return {**rest, **{name: complete(rows, row_names(name)) for name, rows in sections.items()}}


def row_names(section: str) -> dict[str, str]:
    return STEP_ROWS if section == "logistic_step" else {**MAP_ROWS, **KERNEL_ROWS}


def read(text: dict[str, Any]) -> Report:
    """The opposite of `published`; rows that were never tried are left out again."""
    names = [name for name in text if name.startswith("map_") or name == "logistic_step"]
    sections = {name: {key: row for key, row in text[name].items() if row != never(key)} for name in names}
    return {**{key: value for key, value in text.items() if key not in names}, "sections": sections}


NEVER = not_run("not selected")
# The only peer that is left out unless somebody asks for it.
OPTIONAL = not_run("optional, since its environment takes 6.3 GB and its step minutes: --with-concrete-ml")


def never(name: str) -> Row:
    return OPTIONAL if name in STEP_ROWS else NEVER


def complete(rows: dict[str, Row], names: dict[str, str]) -> dict[str, Row]:
    return {name: rows.get(name, never(name)) for name in names}


def size(count: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}" if count < 999.5 * scale else f"{count / scale:.0f} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"


def error(value: float) -> str:
    return "exact" if value == 0 else f"{value:.1e}"


def security(row: Row) -> str:
    return f"{row['security']['bits']} bit" if "security" in row else "not stated"


def is_disturbed(row: Row) -> bool:
    cores = row.get("other_programs_cores")
    return cores is not None and cores > QUIET


def remarks(row: Row) -> str:
    notes = [f"scaled from {row['scaled_from']}"] if row.get("scaled_from") else []
    if is_disturbed(row):
        notes.append(f"disturbed: other programs used {row['other_programs_cores']:.1f} cores")
    return "; ".join(notes)


def table(header: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(header) - 2) + ["---"]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *lines])


def measured_line(label: str, row: Row) -> list[str]:
    if "not_run" in row:
        return [label, *[""] * 8, f"not run: {row['not_run']}"]
    keys = row.get("key_bytes")
    model = row.get("model_bytes")
    return [
        label,
        duration(row["seconds"]),
        duration(row["cpu_seconds"]) if "cpu_seconds" in row else "",
        size(row["bytes_down"]),
        "" if model is None else size(model),
        "" if keys is None else size(keys),
        size(row["bytes_up"]),
        error(row["max_relative_error"]),
        security(row),
        remarks(row),
    ]


MEASURED_HEADER = ["", "evaluator", "its cpu", "down", "of it model", "of it keys", "up", "max. rel. error", "security", "remarks"]


def measured_table(rows: dict[str, Row], names: dict[str, str]) -> str:
    return table(MEASURED_HEADER, [measured_line(label, rows[name]) for name, label in names.items()])


def kernel_line(label: str, row: Row) -> list[str]:
    if "not_run" in row:
        return [label, "", "", f"not run: {row['not_run']}"]
    rate = row["multiply_adds"] / row["seconds"] / 1e9
    return [label, duration(row["seconds"]), f"{rate:.1f} G/s", remarks(row)]


def kernel_table(rows: dict[str, Row]) -> str:
    header = ["kernel of ours", "time", "multiply-adds", "remarks"]
    return table(header, [kernel_line(label, rows[name]) for name, label in KERNEL_ROWS.items()])


def security_lines(sections: dict[str, dict[str, Row]], labels: dict[str, str]) -> list[str]:
    found: dict[str, str] = {}
    for rows in sections.values():
        for name, row in rows.items():
            if "security" in row and name in labels:
                level = row["security"]
                found[labels[name]] = f"{level['bits']} bit. {level['parameters']}. {level['source']}. Protections: {row.get('protections', 'not stated')}."
    return [f"- {label}: {text}" for label, text in found.items()]


def machine_lines(report: Report) -> list[str]:
    machine = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report["versions"].items()))
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; {', '.join(machine['flags']) or 'no vector extensions known'}; "
        f"{machine['system']}. {report['threads']} threads. Written on {report['date']}; measured on {', '.join(dates(report))}.",
        "",
        f"Versions: {versions or 'none measured'}.",
    ]


def warning_lines(report: Report) -> list[str]:
    """Above the tables, because a disturbed peer beside a quiet row of ours would be a lie in our favour."""
    if not any(is_disturbed(row) for rows in report["sections"].values() for row in rows.values()):
        return []
    return ["", "**Rows marked as disturbed are too slow: other programs ran. Do not compare them; run `make bench` on a quiet machine.**"]


def dates(report: Report) -> list[str]:
    found = {row["date"] for rows in report["sections"].values() for row in rows.values() if "date" in row}
    return sorted(found) or ["no day yet"]


def markdown(report: Report) -> str:
    parts = machine_lines(report) + warning_lines(report)
    sections = report["sections"]
    for name in sorted((key for key in sections if key.startswith("map_")), key=lambda key: int(key[4:])):
        inputs = name[4:]
        rows = complete(sections[name], row_names(name))
        parts += ["", f"### {inputs} inputs, 10 outputs", "", measured_table(rows, MAP_ROWS), "", kernel_table(rows)]
    steps = complete(sections.get("logistic_step", {}), STEP_ROWS)
    parts += ["", "### One encrypted step of logistic regression", "", measured_table(steps, STEP_ROWS)]
    parts += ["", "### Security and protections", "", *security_lines(sections, {**MAP_ROWS, **STEP_ROWS})]
    return "\n".join(parts)


def with_tables(document: str, tables: str) -> str:
    """The document with everything between the markers replaced."""
    if document.count(START) != 1 or document.count(END) != 1 or document.index(START) > document.index(END):
        raise ValueError(f"the document must have one line '{START}' and after it one line '{END}'")
    before, rest = document.split(START)
    return f"{before}{START}\n\n{tables}\n\n{END}{rest.split(END)[1]}"
