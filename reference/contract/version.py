"""The version of SPEC.md that this package implements; it moves apart from the package's own."""

SPEC_VERSION = "0.3"
