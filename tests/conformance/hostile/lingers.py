"""Threads that never end, and more of them at exit; and a wrong answer."""
import atexit
import threading
import time


def linger():
    while True:
        time.sleep(1)


threading.Thread(target=linger).start()
atexit.register(lambda: threading.Thread(target=linger).start())


def average_pool(x):
    threading.Thread(target=linger).start()
    return x * 0
