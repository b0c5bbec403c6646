"""The table that a comparison ends with: reader, version, rows, checksum, equal or not.

Each stage adds its lines to one file; at the end all of them are printed, and
a reader that differs or failed makes the run fail.

Usage: table.py report FILE
"""

import hashlib
import json
import pathlib
import re
import sys


def checksum(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def plain(words):
    """Without the colours of a notebook's errors."""
    return re.sub(r"\x1b\[[0-9;]*m", "", words).strip()


class Table:
    """The lines of one stage."""

    def __init__(self, path, stage):
        self.path, self.stage, self.want = path, stage, None
        print(f"-- {stage}", flush=True)

    def _write(self, **line):
        with open(self.path, "a", encoding="utf-8") as out:
            out.write(json.dumps({"stage": self.stage, **line}) + "\n")
        if line["equal"] != "yes" and line["reader"] != "query":
            print("  " + text(line), flush=True)

    def query(self, rows, check):
        self.want = (rows, check)
        self._write(reader="query", version="", rows=rows, checksum=check, equal="-")

    def add(self, reader, version, rows, check):
        self._write(reader=reader, version=version, rows=rows, checksum=check, equal="yes" if (rows, check) == self.want else "NO")

    def failed(self, reader, version, error):
        self._write(reader=reader, version=version, rows="", checksum="", equal="NO", why=f"{type(error).__name__}: {plain(str(error))[-2000:]}")

    def passed_over(self, reader, why):
        self._write(reader=reader, version="", rows="", checksum="", equal="passed over", why=why)


def text(line):
    why = f" ({line['why']})" if "why" in line else ""
    return f"{line['reader']:<22} {line['version']:<9} {line['rows']:>8}  {line['checksum']:<16}  {line['equal']}{why}"


def report(path):
    lines = [json.loads(line) for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()]
    print(f"\n{'reader':<22} {'version':<9} {'rows':>8}  {'checksum':<16}  equal")
    stage = None
    for line in lines:
        if line["stage"] != stage:
            stage = line["stage"]
            print(f"-- {stage}")
        print(text({**line, "why": line["why"].splitlines()[-1]} if line.get("why") else line))
    read = [line for line in lines if line["reader"] != "query"]
    count = {word: sum(line["equal"] == word for line in read) for word in ("yes", "NO", "passed over")}
    print(f"\n{count['yes']} readings equal, {count['NO']} not, {count['passed over']} passed over")
    return 1 if count["NO"] or not lines else 0


if __name__ == "__main__":
    sys.exit(report(sys.argv[2]))
