"""Records to Parquet with polars: lines as text, one json_decode to the fields that
are wanted, all of them as text, which takes numbers too; then casts. Partitions by
date and service, zstd, with raw. Streaming.

Usage: with_polars.py RECORDS DIRECTORY
"""

import sys

import fields
import polars as pl


def kind(t):
    if isinstance(t, dict):
        return pl.Struct({name: kind(inner) for name, inner in t.items()})
    if isinstance(t, list):
        return pl.List(kind(t[0]))
    return pl.String


CASTS = {"long": pl.Int64, "int": pl.Int32, "double": pl.Float64}


def cast(value, t):
    if t == "bool":
        return value == "true"
    return value.cast(CASTS[t], strict=False) if t in CASTS else value


def at(path):
    value = pl.col("r")
    for name in path.split("."):
        value = value.struct.field(name)
    kind = fields.type_of(path)
    return value if isinstance(kind, list) else cast(value, kind)


MEMBERS = fields.RECORD["mainInfo"]["eventObjects"][0]
records, out = sys.argv[1:]
lines = pl.scan_csv(records, has_header=False, new_columns=["raw"], schema={"raw": pl.String}, separator="\x01", quote_char=None)
decoded = lines.with_columns(pl.col("raw").str.json_decode(kind(fields.RECORD)).alias("r"))


def column(paths):
    return pl.coalesce([at(p) for p in paths]) if len(paths) > 1 else at(paths[0])


def time(path):
    return pl.from_epoch(at(path) * 1000, time_unit="us").dt.replace_time_zone("UTC")


columns = [column(paths).alias(name) for name, paths in fields.COLUMNS.items()]
columns += [time("timestamp").alias("timestamp"), time("created").alias("created")]
columns += [time("timestamp").dt.date().alias("date"), at("appId").fill_null(0).alias("service")]
columns += [
    at("mainInfo.eventObjects").list.eval(
        pl.struct([cast(pl.element().struct.field(theirs), MEMBERS[theirs]).alias(ours) for theirs, ours in fields.OBJECTS.items()])
    ).alias("objects"),
    pl.col("raw"),
]
decoded.select(columns).sink_parquet(
    pl.PartitionBy(out, key=["date", "service"], include_key=False), compression="zstd", mkdir=True
)
