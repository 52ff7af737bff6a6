"""What every backend shares: options, shapes, names and errors. No arithmetic lives here.

A backend reads the contract to know what it was given; it never reads how the reference computes.
"""
