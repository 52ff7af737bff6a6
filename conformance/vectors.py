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

from sasakit import reference
from sasakit.reference import SPEC_VERSION

from .case import Case, call, expect
from .draw import Draw
from .judge import Disagreement, Expected, measure, watched
from .profiles import plain_profile
from .property import PROPERTIES, Property
from .runner import EXAMPLES, Failure, Verdict, chosen_clauses
from .target import backend_target
from .vector_files import (
    DTYPES,
    FORMAT,
    MANIFEST,
    Vector,
    read_manifest,
    read_result,
    read_vector,
    replaced_directory,
    write_file,
)

NO_RESULTS = "no file of results belongs to a case of this clause."
# Draws that a property may spend on each case: few choices soon repeat.
TRIES = 10


def export_vectors(directory: Path, *, clauses: Sequence[str] | None = None,
                   profile: str = "quick", seed: int = 0,
                   dtypes: Sequence[str] = ("float64", "float32"), force: bool = False) -> int:
    """Write golden vectors; how many. The same arguments give the same bytes.

    clauses, profile, seed  as for `run_verification`
    force                   replace golden vectors that are there already
    Raises ValueError, and nothing is written where it does.
    """
    if profile not in EXAMPLES:
        raise ValueError(f"`profile` must be one of {', '.join(EXAMPLES)}; got {profile!r}.")
    if not dtypes or set(dtypes) - set(DTYPES):
        raise ValueError(f"`dtypes` must be among {', '.join(DTYPES)}; got {', '.join(dtypes)}.")
    chosen = chosen_clauses(clauses)
    cases: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    with replaced_directory(Path(directory), force=force) as folder:
        for prop in (prop for clause in chosen for prop in PROPERTIES if prop.clause == clause):
            reason = _why_not(prop)
            if reason is not None:
                left_out.append({"clause": prop.clause, "property": prop.name, "reason": reason})
                continue
            for dtype in (d for d in dtypes if prop.dtypes is None or d in prop.dtypes):
                count = EXAMPLES[profile] * prop.weight
                cases += [_export(folder, prop, number, case, recipe) for number, (case, recipe)
                          in enumerate(_cases(prop, dtype, count, seed))]
        manifest = {"format": FORMAT, "format_version": 1, "spec_version": SPEC_VERSION,
                    "profile": profile, "seed": seed, "dtypes": list(dtypes), "cases": cases,
                    "not_exported": left_out}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, allow_nan=False) + "\n",
                                       encoding="utf-8")
    return len(cases)


def _why_not(prop: Property) -> str | None:
    """Why a property is more than one case and its expected value; None where it is just that."""
    if prop.gradients:
        return "gradients are asked for, of which a case has several."
    if prop.clause.startswith("INV-"):
        return "an error is expected, not an array."
    case = prop.cases(Draw(lambda label, most: 0), "float64")
    if case.operation == "network":
        return "every layer is judged from the implementation's own inputs to it."
    with watched() as compared:
        prop.check(case, backend_target("reference", reference))
    # A comparison bit by bit has no budget; an empty result has none either.
    if len(compared) == 1 and compared[0].name == case.operation \
            and (compared[0].want.budget.any() or compared[0].want.budget.size == 0):
        return None
    return "it is about more than the values of one result: types, memory or repetition."


def _cases(prop: Property, dtype: str, count: int,
           seed: int) -> Iterator[tuple[Case, tuple[int, ...]]]:
    """The simplest case, then random ones, none twice."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{prop.clause}/{prop.name}/{dtype}".encode())])
    seen: set[tuple[int, ...]] = set()
    for turn in range(TRIES * count):
        draw = Draw((lambda label, most: 0) if turn == 0
                    else lambda label, most: int(rng.integers(most + 1)))
        case = prop.cases(draw, dtype)
        recipe = tuple(draw.recipe)
        if recipe in seen:
            continue
        seen.add(recipe)
        yield case, recipe
        if len(seen) == count:
            return


def _export(folder: Path, prop: Property, number: int, case: Case,
            recipe: tuple[int, ...]) -> dict[str, Any]:
    """Write one case; its entry in the manifest."""
    want = expect(case, plain_profile(case.dtype, "float32" if case.dtype == "float16" else None))
    tensors = {f"input.{name}": array.astype(case.dtype)
               for name, array in case.arrays.items() if array is not None}
    tensors |= {"expected": want.value.astype(np.float64),
                "budget": np.broadcast_to(want.budget, want.value.shape).astype(np.float64)}
    if case.judged is not None:
        tensors["judged"] = case.judged
    file = f"{prop.clause}-{prop.name}-{case.dtype}-{number:03}.safetensors"
    options = case.options
    return {
        "id": "/".join((prop.clause, prop.name, case.dtype, ".".join(map(str, recipe)))),
        "clause": prop.clause, "property": prop.name, "operation": case.operation,
        "options_type": None if options is None else type(options).__name__,
        "options": None if options is None else asdict(options), "dtype": case.dtype,
        "arguments": list(case.arrays), "file": file,
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
        if results is None:
            _judge(verdict, vector, None)
            continue
        result = read_result(Path(results), entry["file"])
        if result is None:
            missing.setdefault(entry["clause"], []).append(entry)
        else:
            _judge(verdict, vector, result)
    for clause, entries in missing.items():
        if verdicts[clause].cases == 0:
            verdicts[clause].reason = NO_RESULTS
        else:
            verdicts[clause].failures += [_failure(entry, "no file of results.")
                                          for entry in entries]
    return list(verdicts.values())


def _judge(verdict: Verdict, vector: Vector, result: np.ndarray | None) -> None:
    entry, case = vector.entry, vector.case
    verdict.cases += 1
    try:
        rho = _reference_rho(vector) if result is None else _result_rho(vector, result)
        verdict.rho = max(verdict.rho, rho)
    except Disagreement as error:
        verdict.failures.append(_failure(entry, str(error), repr(case)))


def _failure(entry: Mapping[str, Any], reason: str, spelled: str = "") -> Failure:
    return Failure(entry["property"], entry["dtype"], reason, entry["id"],
                   spelled or str(entry["file"]))


def _result_rho(vector: Vector, result: np.ndarray) -> float:
    case = vector.case
    if result.dtype.name != case.dtype:
        raise Disagreement(f"{case.operation}: dtype {result.dtype}; expected {case.dtype}.")
    return measure(case.operation, result, vector.want, case.judged)


def _reference_rho(vector: Vector) -> float:
    """The reference's value within the stored budget, and that budget of today's size."""
    case, entry = vector.case, vector.entry
    profile = plain_profile(case.dtype, "float32" if case.dtype == "float16" else None)
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(call(reference, case, case.arrays))
        derived = expect(case, profile)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"`{entry['file']}` must be a case that the reference takes; "
                         f"got {type(error).__name__}: {error}") from None
    rho = measure(case.operation, value, vector.want, case.judged)
    # A budget widened by hand would let anything pass: it may be at most twice today's.
    measure(f"{case.operation}, budget", vector.want.budget,
            Expected(np.broadcast_to(derived.budget, derived.value.shape),
                     np.broadcast_to(derived.budget, derived.value.shape)), case.judged)
    return rho
