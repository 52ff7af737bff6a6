class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("not even that")

    def __repr__(self):
        raise RuntimeError("nor that")


def average_pool(x):
    raise UnspeakableError
