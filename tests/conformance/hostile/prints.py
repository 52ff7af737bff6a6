def average_pool(x):
    while True:
        print("x" * 1000)
