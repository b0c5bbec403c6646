"""Records into SQLite with sqlite-utils: lifted in Python (fields.py), lists as JSON,
with raw. One file, no partitions. Its command `insert --nl` refuses the records:
some have numbers that SQLite cannot hold.

Usage: with_sqlite_utils.py RECORDS FILE
"""

import sys

import fields
import sqlite_utils

records, out = sys.argv[1:]
table = sqlite_utils.Database(out)["activities"]
table.insert_all((fields.flat(row) for row in fields.rows(records)), alter=True, batch_size=1_000)
