"""Results for golden vectors explained: nothing can be asked, so the vectors are all there is."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...profiles import plain_profile
from ...report import Diagnosis
from ...runner import Verdict
from ...vector_files import read_manifest, read_results, read_vector
from .agreement import Evidence
from .diagnose import SECONDS, combined
from .explain import Explained, explain
from .families import OPERATIONS, family_of
from .search import Clock


def diagnose_results(directory: Path, results: Path, verdicts: Sequence[Verdict],
                     seconds: float = SECONDS) -> Diagnosis | None:
    """What the implementation behind some results computes; None where no clause of it failed.

    directory, results, verdicts  as `check_vectors` took and gave them
    """
    if not any(verdict.failures for verdict in verdicts):
        return None
    recorded = _recorded(Path(directory), Path(results))
    clock = Clock(time.monotonic() + seconds)
    found: list[Explained] = []
    for operation in OPERATIONS:
        for dtype in ("float64", "float32", "float16"):
            seen = recorded.get((operation, dtype), [])
            if not seen:
                continue
            told = explain(family_of(operation), seen, clock)
            if told.choices or told.stopped_at is not None:
                found.append(told)
                break
    return combined(found, len({operation for operation, _ in recorded}), [], verdicts)


def _recorded(directory: Path, results: Path) -> dict[tuple[str, str], list[Evidence]]:
    """Results of finite cases by operation and dtype, the smallest cases first."""
    # Values alone: networks, gradients and errors say little of what else is computed.
    found: dict[tuple[str, str], list[Evidence]] = {}
    for entry in read_manifest(directory)["cases"]:
        if entry["kind"] != "value":
            continue
        answers, vector = read_results(results, entry), read_vector(directory, entry)
        result = None if answers is None or "" not in answers else answers[""].array
        arrays = [array for array in vector.case.arrays.values() if array is not None]
        if result is None or not np.issubdtype(result.dtype, np.floating) \
                or not all(np.isfinite(array).all() for array in arrays):
            continue
        dtype = vector.case.dtype
        profile = plain_profile(dtype, "float32" if dtype == "float16" else None)
        found.setdefault((vector.case.operation, dtype), []).append(
            Evidence(f"case {entry['id']}", vector.case, result.astype(np.float64), profile))
    for seen in found.values():
        seen.sort(key=lambda each: sum(bool(array.any()) for array in each.case.arrays.values()
                                       if array is not None))
    return found
