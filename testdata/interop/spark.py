"""Executes the notebook of Spark and keeps what came of it.

Usage: spark.py MDCALAKE LAKE TABLE NOTEBOOK RESULT
"""

import datetime
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys

import notebooks
import table


def plan_of(said):
    """The scan of a cell in Spark's own words: what it filters, and how many files it opens."""
    filters = re.search(r"PartitionFilters: \[(.*?)\]$", said["one-cell"], re.MULTILINE)
    files = re.search(r"^(\d+) of (\d+) files$", said["files"], re.MULTILINE)
    if not filters or not all(f"{key}#" in filters[1] for key in ("date", "service")):
        raise SystemExit(f"the plan has no filters on the partitions:\n{said['one-cell']}")
    if not files or int(files[1]) >= int(files[2]):
        raise SystemExit(f"no file was left out: {said['files']}")
    return re.sub(" +$", "", said["one-cell"].strip(), flags=re.MULTILINE), int(files[1]), int(files[2])


def memory():
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{pages / 2**30:.0f} GiB"


def main(program, lake, rows, notebook, result):
    said = notebooks.main(program, lake, rows, notebook)["spark"]
    if table.report(rows):
        raise SystemExit(1)
    plan, opened, files = plan_of(said)
    plan = plan.replace(str(pathlib.Path(lake).resolve()), "/lake")  # where it lay is nobody's business
    lines = [json.loads(line) for line in pathlib.Path(rows).read_text(encoding="utf-8").splitlines()]
    version = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(["git", "log", "-1", "--format=%h %s"], check=True, capture_output=True, text=True).stdout.strip()
    java = subprocess.run(["java", "-version"], check=True, capture_output=True, text=True).stderr.splitlines()[0]
    pathlib.Path(result).write_text(
        f"""# Spark reads the lake

The last run of `make interop-spark`: `testdata/notebooks/spark.ipynb` over a lake of the simulator, in place, as the Delta table
that it is; then the lake's files are byte for byte what they were.

| what | |
|---|---|
| date | {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC |
| commit | {commit} |
| program | {version} |
| machine | {os.cpu_count()} processors, {memory()} |
| Spark, Delta | pyspark {importlib.metadata.version("pyspark")}, delta-spark {importlib.metadata.version("delta-spark")} |
| Java | {java} |

The numbers of the notebook (rows by day and service, distinct users, sums over `objects`, times to the microsecond) and those of
`mdcalake query`:

```
{"reader":<22} {"version":<9} {"rows":>8}  {"checksum":<16}  equal
{chr(10).join(table.text(line).rstrip() for line in lines)}
```

A condition on `date` and `service` opens {opened} of {files} files. Its physical plan:

```
{plan}
```
""",
        encoding="utf-8",
    )
    print(f"kept in {result}")


if __name__ == "__main__":
    main(*sys.argv[1:])
