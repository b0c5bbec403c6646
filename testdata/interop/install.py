"""Installs what a list of requirements names into the Python that runs this, as far
as a registry gives it.

Usage: install.py REQUIREMENTS SPEAKER
"""

import pathlib
import subprocess
import sys
import time


def install(requirements, speaker):
    """Says which packages could not be had; they are passed over."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]

    def had(arguments, patience):
        try:
            done = subprocess.run(pip + arguments, capture_output=True, text=True, timeout=patience)
        except subprocess.TimeoutExpired:
            return f"no answer after {patience} seconds"
        return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]

    for attempt in range(3):
        started = time.monotonic()
        if not had(["--requirement", requirements], 480):
            return
        if time.monotonic() - started > 240:
            break  # no answer, rather than a no: that costs a run too much time
        time.sleep(5 * (attempt + 1))
    # Not all of them at once; then those that can be had, for some minutes.
    enough = time.monotonic() + 480
    for line in pathlib.Path(requirements).read_text().split():
        why = had([line], 120) if time.monotonic() < enough else "not tried any more"
        if why:
            print(f"{speaker}: {line} could not be installed: {why}", file=sys.stderr)


install(*sys.argv[1:])
