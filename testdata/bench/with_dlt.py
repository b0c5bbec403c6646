"""Records to Parquet with dlt: lifted in Python (fields.py), a resource that yields
pages, the filesystem destination, Parquet. Lists stay JSON, since there would be a
table for each of them otherwise. It has its own directories in place of partitions.

Usage: with_dlt.py RECORDS DIRECTORY
"""

import os
import shutil
import sys

import fields

records, out = sys.argv[1:]
out = os.path.abspath(out)
state = out + ".state"
os.makedirs(out)
os.environ.update({
    "RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": state, "RUNTIME__LOG_LEVEL": "ERROR", "DATA_WRITER__DISABLE_COMPRESSION": "true",
})

import dlt  # noqa: E402, after its settings


@dlt.resource(name="activities", max_table_nesting=0)
def activities():
    for page in fields.pages(records):
        yield [fields.flat(row) for row in page]


dlt.pipeline(
    "bench", destination=dlt.destinations.filesystem("file://" + out), dataset_name="lake", pipelines_dir=state,
).run(activities(), loader_file_format="parquet")
shutil.rmtree(state, ignore_errors=True)
