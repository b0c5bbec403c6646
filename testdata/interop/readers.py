"""Reads a lake with other people's readers and compares each with `query`.

A reader whose package cannot be installed is named and passed over; a reader
that sees anything else than `query` fails the run.

Usage: readers.py install REQUIREMENTS
       readers.py compare MDCALAKE LAKE STAGE
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

COLUMNS = [
    "activity_id", "timestamp", "created", "date", "service", "user_name", "user_tags", "is_success",
    "latitude", "objects", "raw", "raw_original", "content_hash", "ingested", "page",
]


def install(requirements):
    """Says which packages could not be had."""
    for line in pathlib.Path(requirements).read_text().split():
        for attempt in range(3):
            done = subprocess.run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", line],
                capture_output=True, text=True, timeout=600,
            )
            if done.returncode == 0:
                break
            time.sleep(5 * (attempt + 1))
        else:
            print(f"interop: {line} could not be installed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)


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


def digest(table):
    """Rows and a checksum over all of their values, whatever their order."""
    rows = []
    for row in table.select(COLUMNS).to_pylist():
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


def by_deltalake(table):
    import deltalake
    import pyarrow

    return pyarrow.table(deltalake.DeltaTable(table).to_pyarrow_table())


def by_pyarrow(table):
    import pyarrow.dataset

    return pyarrow.dataset.dataset(table, partitioning="hive").to_table()


def by_pandas(table):
    import pandas
    import pyarrow

    return pyarrow.Table.from_pandas(pandas.read_parquet(table, dtype_backend="pyarrow"), preserve_index=False)


def by_polars(table):
    import polars

    return polars.scan_parquet(table + "/*/*/*.parquet", hive_partitioning=True).collect().to_arrow()


def by_polars_delta(table):
    import polars

    return polars.read_delta(table).to_arrow()


def by_duckdb(table):
    import duckdb

    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    return con.sql(f"select * from read_parquet('{table}/*/*/*.parquet', hive_partitioning = true)").to_arrow_table()


READERS = [
    ("deltalake", ["deltalake", "pyarrow"], by_deltalake),
    ("pyarrow", ["pyarrow"], by_pyarrow),
    ("pandas", ["pandas", "pyarrow"], by_pandas),
    ("polars", ["polars", "pyarrow"], by_polars),
    ("polars (Delta)", ["polars", "deltalake", "pyarrow"], by_polars_delta),
    ("duckdb", ["duckdb", "pyarrow"], by_duckdb),
]


def packages_at_hand():
    """The versions of what could be installed."""
    found = {}
    for name in ("deltalake", "duckdb", "pandas", "polars", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def compare(program, lake, stage):
    """Holds each reader against query; the lake is at rest."""
    have = packages_at_hand()
    if "pyarrow" not in have:
        print("interop: without pyarrow nothing can be compared; passed over")
        return 0
    want = digest(by_query(program, lake))
    print(f"-- {stage}")
    print(f"{'reader':<16} {'version':<10} {'rows':>8}  {'checksum':<16}  equal")
    print(f"{'query':<16} {'':<10} {want[0]:>8}  {want[1]}  -")
    failed = 0
    for name, packages, read in READERS:
        missing = [p for p in packages if p not in have]
        if missing:
            print(f"{name:<16} passed over: {', '.join(missing)} could not be installed")
            continue
        version = have[packages[0]]
        try:
            got = digest(read(lake + "/activities"))
        except Exception as error:  # a reader that fails is a finding, whatever it raises
            print(f"{name:<16} {version:<10} failed: {type(error).__name__}: {error}")
            failed += 1
            continue
        print(f"{name:<16} {version:<10} {got[0]:>8}  {got[1]}  {'yes' if got == want else 'NO'}")
        failed += got != want
    return 1 if failed else 0


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

    table = lake + "/activities"
    while running(pid) and not os.path.isdir(table + "/_delta_log"):
        time.sleep(0.02)
    answers = errors = 0
    versions = set()
    while running(pid) and answers < 10_000:
        try:
            opened = deltalake.DeltaTable(table)
            version = opened.version()
            rows = sum(json.loads(a["add"]["stats"])["numRecords"] for a in adds(table, version))
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


def adds(table, version):
    """The files of a version, folded from the entries by the protocol's rule."""
    files = {}
    for n in range(version + 1):
        with open(f"{table}/_delta_log/{n:020}.json", encoding="utf-8") as entry:
            for line in entry:
                action = json.loads(line)
                if "add" in action:
                    files[action["add"]["path"]] = action
                elif "remove" in action:
                    files.pop(action["remove"]["path"], None)
    return files.values()


if __name__ == "__main__":
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "install":
        install(*arguments)
    elif verb == "compare":
        sys.exit(compare(*arguments))
    else:
        sys.exit(beside(arguments[0], int(arguments[1])))
