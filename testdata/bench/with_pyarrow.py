"""Records to Parquet with pyarrow: lifted in Python (fields.py), 5,000 at a time into
a record batch, hive partitions, zstd, with raw.

Usage: with_pyarrow.py RECORDS DIRECTORY
"""

import sys

import fields
import pyarrow as pa
import pyarrow.dataset as ds

KINDS = {"text": pa.string(), "long": pa.int64(), "int": pa.int32(), "double": pa.float64(), "bool": pa.bool_()}


def kind(t):
    return pa.list_(KINDS[t[0]]) if isinstance(t, list) else KINDS[t]


records, out = sys.argv[1:]
members = fields.RECORD["mainInfo"]["eventObjects"][0]
objects = pa.list_(pa.struct([(ours, KINDS[members[theirs]]) for theirs, ours in fields.OBJECTS.items()]))
moment = pa.timestamp("us", "UTC")
schema = pa.schema(
    [(name, kind(paths[0][1])) for name, paths in fields.PATHS.items()]
    + [("timestamp", moment), ("created", moment), ("date", pa.date32()), ("service", pa.int64()), ("objects", objects), ("raw", pa.string())]
)
batches = (pa.RecordBatch.from_pylist(page, schema=schema) for page in fields.pages(records))
ds.write_dataset(
    pa.RecordBatchReader.from_batches(schema, batches),
    out,
    format="parquet",
    file_options=ds.ParquetFileFormat().make_write_options(compression="zstd"),
    partitioning=ds.partitioning(pa.schema([("date", pa.date32()), ("service", pa.int64())]), flavor="hive"),
    max_partitions=100_000,
    max_open_files=1_000,
)
