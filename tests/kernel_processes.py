"""Code that runs in a process of its own, where what kernels are compiled for is another."""

import os
import subprocess
import sys
from pathlib import Path

from sasakit.accel.numba_cpu.vector_width import WIDTHS, vector_bytes

HERE = Path(__file__).parent
# The machine's own width is that of all tests that set none.
OTHER_WIDTHS = [{"SASAKIT_VECTOR_BYTES": str(width)} for width in WIDTHS
                if width != vector_bytes()]


def words_printed(code, *args, timeout=None, **setting):
    """What the code prints, word by word, with these variables in its environment.

    It may import the tests of the kernels; `args` are its sys.argv[1:]. It ends after `timeout`
    seconds at the latest.
    """
    folders = os.pathsep.join([str(HERE), str(HERE / "accel"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", code, *args],
                          env={**os.environ, "PYTHONPATH": folders.rstrip(os.pathsep), **setting},
                          capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
