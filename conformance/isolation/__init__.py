"""sasakit.conformance.isolation: runs an implementation in a process of its own, within limits.

This is protection from accidents and from answers that are no answers, not from an attacker: what
runs in the child has the rights of whoever started it.
"""
