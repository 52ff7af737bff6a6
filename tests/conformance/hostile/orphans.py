"""Kills the process above it and leaves a child."""
import os
import signal
import time


def average_pool(x):
    if os.fork() == 0:
        time.sleep(600)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
