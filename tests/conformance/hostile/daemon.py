"""Leaves the session, the environment and the parent behind, and gives a wrong answer."""
import subprocess
import sys
from pathlib import Path

CODE = ("import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        time.sleep(600)\n# ")


def average_pool(x):
    who = Path("/proc/self/cmdline").read_text().replace("\0", " ")
    subprocess.run([sys.executable, "-S", "-c", CODE + who], env={}, start_new_session=True,
                   check=True)
    return x
