"""Executes notebooks against a lake, in memory, and compares their numbers with `query`'s.

A notebook leaves them in `answers`. What it prints on the way is for people and
is not kept: notebooks are committed without outputs.

Usage: notebooks.py MDCALAKE LAKE TABLE NOTEBOOK...
"""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys

import table

# What a notebook stands on: the package whose version is told first.
PACKAGES = {
    "pandas": ["pandas", "deltalake", "pyarrow"],
    "polars": ["polars", "deltalake", "pyarrow"],
    "duckdb": ["duckdb", "pytz"],  # which shows it times with a zone
    "spark": ["pyspark", "delta-spark"],
}
RUNNER = ["nbclient", "nbformat", "ipykernel"]


def by_query(program, lake):
    """The numbers that every notebook has to find."""

    def rows(sql):
        said = subprocess.run([program, "query", "--lake", lake, "-o", "json", sql], check=True, capture_output=True, text=True)
        return [list(row.values()) for row in json.loads(said.stdout)]

    def times(name):
        micros = f"epoch_us({name})"
        return [int(n) for n in rows(f"select min({micros}), max({micros}), sum({micros} % 86_400_000_000) from activities")[0]]

    return {
        "per_day_and_service": rows("select date, service, count(*) as n from activities group by all order by all"),
        "users": rows("select count(distinct user_name) as n from activities")[0][0],
        "objects": [
            int(n)
            for n in rows(
                "select count(*) as n, sum(o.type) as t, sum(o.role) as r, sum(o.app_id) as a, sum(o.instance_id) as i"
                " from (select unnest(objects) as o from activities)"
            )[0]
        ],
        "times": {name: times(name) for name in ("timestamp", "created", "ingested")},
    }


def execute(path, environment):
    """The answers of a notebook, and what it printed, cell by cell."""
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count):
            raise ValueError(f"{path} was saved with outputs: clear them")
    # No directory of the person's own is read or written by the kernel.
    asked = nbformat.v4.new_code_cell("import json\nprint(json.dumps(answers))")
    notebook.cells.append(asked)
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        nbclient.NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            extra_arguments=["--IPKernelApp.log_level=40"],
            resources={"metadata": {"path": environment["WORK"]}},
        ).execute()
    finally:
        os.environ.clear()
        os.environ.update(before)
    said = {
        cell.id: "".join(o.get("text", "") for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    return json.loads(said.pop(asked.id)), said


def differences(want, got):
    """Where two answers differ, for people."""
    for key in want:
        if want[key] == got.get(key):
            continue
        if key != "per_day_and_service":
            yield f"{key}: query {want[key]}, here {got.get(key)}"
            continue
        here = {(d, s): n for d, s, n in got.get(key, [])}
        for day, service, n in want[key]:
            if here.pop((day, service), None) != n:
                yield f"{day} {service}: query {n}, here another number"
        for day, service in here:
            yield f"{day} {service}: only here"


def missing(names):
    gone = []
    for name in names:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            gone.append(name)
    return gone


def main(program, lake, rows, *paths):
    work = pathlib.Path(lake).resolve().parent
    sql = work / "notebook.sql"
    subprocess.run([program, "connect", "--lake", lake, "--out", str(sql)], check=True)
    want = by_query(program, lake)
    report = table.Table(rows, "a notebook's numbers")
    report.query(sum(n for _, _, n in want["per_day_and_service"]), table.checksum(want))
    said = {}
    for path in paths:
        name = pathlib.Path(path).stem
        reader = name + ".ipynb"
        if gone := missing(PACKAGES[name] + RUNNER):
            report.passed_over(reader, f"{', '.join(gone)} could not be installed")
            continue
        version = importlib.metadata.version(PACKAGES[name][0])
        # The kernel keeps its files, and finds nobody's settings, in the work directory.
        jupyter = {f"JUPYTER_{kind}_DIR": str(work / "jupyter") for kind in ("CONFIG", "RUNTIME", "DATA")}
        environment = jupyter | {"MDCALAKE_LAKE": str(pathlib.Path(lake).resolve()), "MDCALAKE_SQL": str(sql), "WORK": str(work), "IPYTHONDIR": str(work / "ipython")}
        try:
            got, said[name] = execute(path, environment)
        except Exception as error:  # a notebook that fails is a finding, whatever it raises
            report.failed(reader, version, error)
            continue
        report.add(reader, version, sum(n for _, _, n in got["per_day_and_service"]), table.checksum(got))
        for difference in list(differences(want, got))[:20]:
            print(f"  {reader}: {difference}")
    return said


if __name__ == "__main__":
    main(*sys.argv[1:])
