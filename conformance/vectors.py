"""Golden vectors: cases with their expected values and budgets, for any language to be judged by.

What cannot be said by one case with one expected value stays with `verify`; the manifest says which
properties those are, and why.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sasakit.reference import SPEC_VERSION

from .case import Case
from .draw import Draw
from .isolation.failure import TargetFailure
from .judge import Disagreement
from .profiles import DTYPES
from .property import PROPERTIES, NotApplicable, Property
from .runner import EXAMPLES, Failure, Verdict, chosen_clauses
from .vector_files import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    OTHER_TYPES,
    Vector,
    read_error,
    read_manifest,
    read_results,
    read_vector,
    replaced_directory,
    stored,
    write_file,
)
from .vector_kinds import NOT_ONE_CASE, AskedTarget, expectation, kind_of, reference_rho, rho_of

NO_RESULTS = "no file of results belongs to a case of this clause."
# Draws that a property may spend on each case: few choices soon repeat.
TRIES = 10


def export_vectors(directory: Path, *, clauses: Sequence[str] | None = None,
                   profile: str = "quick", seed: int = 0,
                   dtypes: Sequence[str] = ("float64", "float32"), force: bool = False,
                   gradients: bool = False) -> int:
    """Write golden vectors; how many. The same arguments give the same bytes.

    clauses, profile, seed, gradients  as for `run_verification`
    force  replace golden vectors that are there already
    Raises ValueError, and nothing is written where it does.
    """
    if profile not in EXAMPLES:
        raise ValueError(f"`profile` must be one of {', '.join(EXAMPLES)}; got {profile!r}.")
    if not dtypes or set(dtypes) - set(DTYPES):
        raise ValueError(f"`dtypes` must be among {', '.join(DTYPES)}; got {', '.join(dtypes)}.")
    chosen = chosen_clauses(clauses, gradients=gradients)
    cases: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    with replaced_directory(Path(directory), force=force) as folder:
        for prop in (prop for clause in chosen for prop in PROPERTIES if prop.clause == clause):
            kind = kind_of(prop)
            if kind is None:
                left_out.append({"clause": prop.clause, "property": prop.name,
                                 "reason": NOT_ONE_CASE})
                continue
            for dtype in (d for d in dtypes if prop.dtypes is None or d in prop.dtypes):
                count = EXAMPLES[profile] * prop.weight
                cases += [_export(folder, prop, kind, number, case, recipe)
                          for number, (case, recipe)
                          in enumerate(_cases(prop, dtype, count, seed))]
        manifest = {"format": FORMAT, "format_version": FORMAT_VERSION,
                    "spec_version": SPEC_VERSION, "profile": profile, "seed": seed,
                    "dtypes": list(dtypes), "cases": cases, "not_exported": left_out}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, allow_nan=False) + "\n",
                                       encoding="utf-8")
    return len(cases)


def _cases(prop: Property, dtype: str, count: int,
           seed: int) -> Iterator[tuple[Case, tuple[int, ...]]]:
    """The simplest case, then random ones, none twice."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{prop.clause}/{prop.name}/{dtype}".encode())])
    seen: set[tuple[int, ...]] = set()
    given = 0
    for turn in range(TRIES * count):
        draw = Draw((lambda label, most: 0) if turn == 0
                    else lambda label, most: int(rng.integers(most + 1)))
        drawn, recipe = prop.cases(draw, dtype), tuple(draw.recipe)
        case = _asked(prop, drawn) if recipe not in seen else None
        seen.add(recipe)
        if case is None:
            continue
        yield case, recipe
        given += 1
        if given == count:
            return


def _asked(prop: Property, case: Case) -> Case | None:
    """The case as the property asks it; None where it says nothing, or a file cannot hold it."""
    if not prop.clause.startswith("INV-"):
        return case
    target = AskedTarget()
    try:
        prop.check(case, target)
    except NotApplicable:
        return None
    asked = target.case
    return asked if asked is not None and set(asked.types.values()) <= set(OTHER_TYPES) else None


def _export(folder: Path, prop: Property, kind: str, number: int, case: Case,
            recipe: tuple[int, ...]) -> dict[str, Any]:
    """Write one case; its entry in the manifest."""
    due, error = expectation(kind, case)
    tensors = {f"input.{name}": stored(array, case.types.get(name, case.dtype))
               for name, array in case.arrays.items() if array is not None}
    tensors |= due
    if case.judged is not None:
        tensors["judged"] = case.judged
    file = f"{prop.clause}-{prop.name}-{case.dtype}-{number:03}.safetensors"
    options = case.options
    return {
        "id": "/".join((prop.clause, prop.name, case.dtype, ".".join(map(str, recipe)))),
        "clause": prop.clause, "property": prop.name, "kind": kind, "operation": case.operation,
        "options_type": None if options is None else type(options).__name__,
        "options": None if options is None else asdict(options), "dtype": case.dtype,
        "types": dict(case.types), "arguments": list(case.arrays), "error": error, "file": file,
        "sha256": write_file(folder / file, tensors)}


def check_vectors(directory: Path, results: Path | None = None) -> list[Verdict]:
    """One verdict for each clause of a folder of golden vectors.

    results  a folder with one file for each case, by the case's name, with a tensor "result"; None
             judges the vectors themselves by the reference, as it is now
    Raises ValueError where the vectors are not whole, or a file of results is none.
    """
    manifest = read_manifest(Path(directory))
    if results is not None and not Path(results).is_dir():
        raise ValueError(f"`results` must be a folder; got {results}.")
    name = str(directory) if results is None else str(results)
    verdicts: dict[str, Verdict] = {}
    missing: dict[str, list[Mapping[str, Any]]] = {}
    for entry in manifest["cases"]:
        vector = read_vector(Path(directory), entry)
        verdict = verdicts.setdefault(entry["clause"], Verdict(name, entry["clause"]))
        if not _judge(verdict, vector, None if results is None else Path(results)):
            missing.setdefault(entry["clause"], []).append(entry)
    for clause, entries in missing.items():
        if verdicts[clause].cases == 0:
            verdicts[clause].reason = NO_RESULTS
        else:
            verdicts[clause].failures += [_failure(entry, "no file of results.")
                                          for entry in entries]
    return list(verdicts.values())


def _judge(verdict: Verdict, vector: Vector, results: Path | None) -> bool:
    """Judge one case, adding to the verdict; whether there was anything to judge."""
    try:
        rho = _reference_rho(vector) if results is None else _result_rho(vector, results)
    except (Disagreement, TargetFailure) as error:
        verdict.cases += 1
        verdict.failures.append(_failure(vector.entry, str(error), repr(vector.case)))
        return True
    if rho is not None:
        verdict.cases += 1
        verdict.rho = max(verdict.rho, rho)
    return rho is not None


def _failure(entry: Mapping[str, Any], reason: str, spelled: str = "") -> Failure:
    return Failure(entry["property"], entry["dtype"], reason, entry["id"],
                   spelled or str(entry["file"]))


def _result_rho(vector: Vector, results: Path) -> float | None:
    """rho of somebody's results; None where there are none. Raises Disagreement."""
    entry, case = vector.entry, vector.case
    if entry["kind"] == "error":
        argument, due = read_error(results, entry["file"]), dict(entry["error"] or {})
        if argument not in (None, due.get("argument")):
            raise Disagreement(f"{case.operation}: the error names `{argument}`; "
                               f"expected `{due.get('argument')}`.")
        return None if argument is None else 0.0
    found = read_results(results, entry)
    return None if found is None else rho_of(
        entry["kind"], entry["id"], case, vector.want, found)


def _reference_rho(vector: Vector) -> float:
    """The reference's results within the stored budgets, and those of today's size."""
    entry = vector.entry
    try:
        return reference_rho(entry["kind"], entry["id"], vector.case, vector.want,
                             entry["error"])
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"`{entry['file']}` must be a case that the reference takes; "
                         f"got {type(error).__name__}: {error}") from None
