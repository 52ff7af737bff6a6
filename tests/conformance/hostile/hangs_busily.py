def average_pool(x):
    while True:
        pass
