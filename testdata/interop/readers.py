"""Reads a lake with other people's readers and compares each with `query`.

A reader whose package cannot be installed is named and passed over; a reader
that sees anything else than `query` fails the run.

Usage: readers.py compare MDCALAKE LAKE TABLE STAGE
       readers.py copies MDCALAKE LAKE TABLE
       readers.py beside LAKE PID
"""

import datetime
import hashlib
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import time

import table

COLUMNS = [
    "activity_id", "timestamp", "created", "date", "service", "user_name", "user_tags", "is_success",
    "latitude", "objects", "raw", "raw_original", "content_hash", "ingested", "page",
]


def plain(value):
    """One form for the same value of different readers."""
    if value is None or value != value:
        return None
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return (value - epoch) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, dict):
        return tuple((k, plain(v)) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(plain(v) for v in value)
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value == int(value) and abs(value) < 2**53:
        return int(value)
    return value


def digest(read):
    """Rows and a checksum over all of their values, whatever their order."""
    rows = []
    for row in read.select(COLUMNS).to_pylist():
        if isinstance(row["date"], str):
            row["date"] = datetime.date.fromisoformat(row["date"])
        row["service"] = int(row["service"])
        text = repr([plain(row[c]) for c in COLUMNS])
        rows.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    total = hashlib.sha256()
    for r in sorted(rows):
        total.update(r)
    return len(rows), total.hexdigest()[:16]


def by_query(program, lake):
    import pyarrow.parquet

    out = pathlib.Path(lake).parent / "query.parquet"
    subprocess.run([program, "query", "--lake", lake, "-o", "parquet", "--out", str(out), "select * from activities"], check=True)
    return pyarrow.parquet.read_table(out)


def by_deltalake(path):
    import deltalake
    import pyarrow

    return pyarrow.table(deltalake.DeltaTable(path).to_pyarrow_table())


def by_pyarrow(path):
    import pyarrow.dataset

    return pyarrow.dataset.dataset(path, partitioning="hive").to_table()


def by_pandas(path):
    import pandas
    import pyarrow

    return pyarrow.Table.from_pandas(pandas.read_parquet(path, dtype_backend="pyarrow"), preserve_index=False)


def by_polars(path):
    import polars

    return polars.scan_parquet(path + "/*/*/*.parquet", hive_partitioning=True).collect().to_arrow()


def by_polars_delta(path):
    import polars

    return polars.read_delta(path).to_arrow()


def by_duckdb(path):
    import duckdb

    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    return con.sql(f"select * from read_parquet('{path}/*/*/*.parquet', hive_partitioning = true)").to_arrow_table()


def by_duckdb_connected(sql):
    import duckdb

    con = duckdb.connect()
    con.execute(pathlib.Path(sql).read_text(encoding="utf-8"))
    return con.sql("select * from activities").to_arrow_table()


def by_duckdb_command(sql):
    """The stock command line, as its package brings it."""
    import pyarrow.parquet

    program = pathlib.Path(sys.executable).parent / "duckdb"
    out = pathlib.Path(sql).with_suffix(".parquet")
    out.unlink(missing_ok=True)
    subprocess.run([program, "-init", sql, "-c", f"copy (from activities) to '{out}'"], check=True, capture_output=True, text=True)
    return pyarrow.parquet.read_table(out)


# Who reads the directory as it lies, and so a copy as well.
DIRECTORY_READERS = [
    ("pyarrow", ["pyarrow"], by_pyarrow),
    ("pandas", ["pandas", "pyarrow"], by_pandas),
    ("polars", ["polars", "pyarrow"], by_polars),
    ("duckdb", ["duckdb", "pyarrow"], by_duckdb),
]
# Who reads the log.
DELTA_READERS = [
    ("deltalake", ["deltalake", "pyarrow"], by_deltalake),
    ("polars (Delta)", ["polars", "deltalake", "pyarrow"], by_polars_delta),
]
# Who reads what `mdcalake connect` writes.
CONNECTED_READERS = [
    ("duckdb (connect)", ["duckdb", "pyarrow"], by_duckdb_connected),
    ("duckdb CLI (connect)", ["duckdb-cli", "pyarrow"], by_duckdb_command),
]


def packages_at_hand():
    """The versions of what could be installed."""
    found = {}
    for name in ("deltalake", "duckdb", "duckdb-cli", "pandas", "polars", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


class Comparison:
    """One stage: what query sees, and what others see of the same."""

    def __init__(self, program, lake, rows, stage):
        self.program, self.lake, self.have = program, lake, packages_at_hand()
        self.report = table.Table(rows, stage)
        if "pyarrow" not in self.have:
            self.report.passed_over("all readers", "pyarrow could not be installed, and without it nothing can be compared")
            return
        self.report.query(*digest(by_query(program, lake)))

    def hold(self, readers, where):
        for name, packages, read in readers if "pyarrow" in self.have else []:
            missing = [p for p in packages if p not in self.have]
            if missing:
                self.report.passed_over(name, f"{', '.join(missing)} could not be installed")
                continue
            version = self.have[packages[0]]
            try:
                got = digest(read(where))
            except Exception as error:  # a reader that fails is a finding, whatever it raises
                self.report.failed(name, version, error)
                continue
            self.report.add(name, version, *got)


def compare(program, lake, rows, stage):
    """Holds each reader against query; the lake is at rest."""
    sql = str(pathlib.Path(lake).parent / "connect.sql")
    subprocess.run([program, "connect", "--lake", lake, "--out", sql], check=True)
    comparison = Comparison(program, lake, rows, stage)
    comparison.hold(DELTA_READERS, lake + "/activities")
    comparison.hold(DIRECTORY_READERS, lake + "/activities")
    comparison.hold(CONNECTED_READERS, sql)


def copies(program, lake, rows):
    """The same of what `mdcalake export` writes."""
    work = pathlib.Path(lake).parent
    export = [program, "export", "--lake", lake, "--quiet", "--out"]
    comparison = Comparison(program, lake, rows, "an export")
    subprocess.run([*export, str(work / "copy")], check=True)
    comparison.hold(DIRECTORY_READERS, str(work / "copy"))
    subprocess.run([*export, str(work / "copy.parquet")], check=True)
    comparison.hold([("pyarrow (one file)", ["pyarrow"], by_file)], work / "copy.parquet")
    subprocess.run([*export, str(work / "timeline.jsonl"), "-o", "timesketch"], check=True)
    check_timeline(work / "timeline.jsonl", comparison)


def by_file(path):
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path)


def check_timeline(path, comparison):
    """Reads events as Timesketch's importer does, by its documented rules."""
    ids = set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            for field in ("message", "datetime", "timestamp_desc"):
                if not isinstance(event[field], str) or not event[field]:
                    raise ValueError(f"an event has no {field}")
            if event["timestamp"] != plain(datetime.datetime.fromisoformat(event["datetime"])):
                raise ValueError("timestamp is not datetime in microseconds")
            ids.add(event["activity_id"])
    if comparison.report.want and len(ids) != comparison.report.want[0]:
        raise ValueError(f"{len(ids)} events of {comparison.report.want[0]} activities")
    print(f"  timeline: {len(ids)} events, as Timesketch wants them")


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def beside(lake, pid):
    """Reads the Delta table again and again while the process writes it.

    An answer must be that of one version: as many rows as its files have by the
    log, no activity twice. A file that was merged away meanwhile is an error of
    the reader's, and that is a right answer too.
    """
    have = packages_at_hand()
    if "deltalake" not in have or "pyarrow" not in have:
        print("interop: deltalake could not be installed; passed over")
        return 0
    import deltalake
    import pyarrow.compute

    path = lake + "/activities"
    while running(pid) and not os.path.isdir(path + "/_delta_log"):
        time.sleep(0.02)
    answers = errors = 0
    versions = set()
    while running(pid) and answers < 10_000:
        try:
            opened = deltalake.DeltaTable(path)
            version = opened.version()
            rows = sum(json.loads(a["add"]["stats"])["numRecords"] for a in adds(path, version))
            ids = opened.to_pyarrow_table(columns=["activity_id"])["activity_id"]
        except Exception as error:
            last = f"{type(error).__name__}: {error}"
            errors += 1
            if answers == 0 and errors > 5_000:
                print(f"beside a writer nothing can be read: {last}")
                return 1
            continue
        answers += 1
        versions.add(version)
        if len(ids) != rows or pyarrow.compute.count_distinct(ids).as_py() != rows:
            print(f"deltalake saw {len(ids)} rows of version {version}, which has {rows}")
            return 1
    print(f"deltalake beside a writer: {answers} answers of {len(versions)} versions, all right; {errors} clear errors")
    return 0 if answers else 1


def adds(path, version):
    """The files of a version, folded from the entries by the protocol's rule."""
    files = {}
    for n in range(version + 1):
        with open(f"{path}/_delta_log/{n:020}.json", encoding="utf-8") as entry:
            for line in entry:
                action = json.loads(line)
                if "add" in action:
                    files[action["add"]["path"]] = action
                elif "remove" in action:
                    files.pop(action["remove"]["path"], None)
    return files.values()


if __name__ == "__main__":
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "compare":
        compare(*arguments)
    elif verb == "copies":
        copies(*arguments)
    else:
        sys.exit(beside(arguments[0], int(arguments[1])))
