"""Layers as third parties write them, each in a style of its own; some right, some wrong."""
