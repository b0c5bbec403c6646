"""Reads a lake with other people's readers and compares each with `query`.

A reader whose package cannot be installed is named and passed over; a reader
that sees anything else than `query` fails the run.

Usage: readers.py MDCALAKE LAKE REQUIREMENTS
"""

import datetime
import hashlib
import importlib.metadata
import pathlib
import subprocess
import sys
import time

COLUMNS = [
    "activity_id", "timestamp", "created", "date", "service", "user_name", "user_tags", "is_success",
    "latitude", "objects", "raw", "raw_original", "content_hash", "ingested", "page",
]


def install(requirements):
    """Answers the packages that could not be had."""
    missing = []
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
            missing.append(line.split("==")[0])
            print(f"interop: {line} could not be installed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return missing


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


def main(program, lake, requirements):
    missing = install(requirements)
    if "pyarrow" in missing:
        print("interop: without pyarrow nothing can be compared; passed over")
        return 0
    want = digest(by_query(program, lake))
    print(f"{'reader':<16} {'version':<10} {'rows':>8}  {'checksum':<16}  equal")
    print(f"{'query':<16} {'':<10} {want[0]:>8}  {want[1]}  -")
    failed = 0
    for name, packages, read in READERS:
        if any(p in missing for p in packages):
            print(f"{name:<16} passed over: {', '.join(p for p in packages if p in missing)} could not be installed")
            continue
        version = importlib.metadata.version(packages[0])
        try:
            got = digest(read(lake + "/activities"))
        except Exception as error:  # a reader that fails is a finding, whatever it raises
            print(f"{name:<16} {version:<10} failed: {type(error).__name__}: {error}")
            failed += 1
            continue
        print(f"{name:<16} {version:<10} {got[0]:>8}  {got[1]}  {'yes' if got == want else 'NO'}")
        failed += got != want
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
