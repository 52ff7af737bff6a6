"""Sleeps, and ignores every signal that can be ignored."""
import signal
import time

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)


def average_pool(x):
    time.sleep(600)
