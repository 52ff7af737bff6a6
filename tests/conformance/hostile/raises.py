class Refusal(Exception):
    def __str__(self):
        return "no luck " * 100_000


def average_pool(x):
    raise Refusal
