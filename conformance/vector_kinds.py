"""What golden vectors expect: a value, layers, gradients, a form or an error; and who meets it."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from sasakit import reference

from .case import UPSTREAM, Case, call, call_vjp, expect
from .draw import Draw
from .estimate import Array
from .gradients import expect_gradients
from .isolation.failure import Raised, TargetFailure
from .isolation.target import Answer
from .judge import Disagreement, Expected, measure, watched
from .network_layers import layer_names
from .profiles import DTYPES, Profile, plain_profile
from .property import Property, same_shape
from .runner import parse_id
from .target import backend_target

KINDS = ("value", "layers", "gradients", "form", "error")
REFERENCE = backend_target("reference", reference)
NOT_ONE_CASE = "it is about more than one result of one call: memory or repetition."
Tensors = dict[str, Array]
Results = Mapping[str, Answer]


def profile_of(dtype: str) -> Profile:
    """How whoever computes the results is assumed to round: half precisions sum in float32."""
    return plain_profile(dtype, "float32" if dtype in ("float16", "bfloat16") else None)


def kind_of(prop: Property) -> str | None:
    """What the cases of a property expect; None where one result cannot show it."""
    if prop.gradients:
        return "gradients"
    if prop.clause.startswith("INV-"):
        return "error"
    case = prop.cases(Draw(lambda label, most: 0), "float64")
    if case.operation == "network":
        return "layers"
    with watched() as compared:
        prop.check(case, REFERENCE)
    if not compared:
        return "form"
    # A comparison bit by bit has no budget; an empty result has none either.
    if len(compared) == 1 and compared[0].name == case.operation \
            and (compared[0].want.budget.any() or compared[0].want.budget.size == 0):
        return "value"
    return None


def expectation(kind: str, case: Case) -> tuple[Tensors, dict[str, str] | None]:
    """Tensors that a case's file has beside its inputs, and the error that it expects."""
    with np.errstate(all="ignore"):
        match kind:
            case "value":
                return _with_budget(expect(case, profile_of(case.dtype)), ""), None
            case "gradients":
                wanted = expect_gradients(case, profile_of(case.dtype))
                return {name: array for each, want in wanted.items()
                        for name, array in _with_budget(want, f".{each}").items()}, None
            case "layers":
                return {f"expected.{name}": np.asarray(layer, np.float64)
                        for name, layer in call(reference, case, case.arrays).items()}, None
            case "error":
                return {}, error_of(case)
    return {}, None


def _with_budget(want: Expected, ending: str) -> Tensors:
    return {f"expected{ending}": want.value.astype(np.float64),
            f"budget{ending}": np.broadcast_to(want.budget, want.value.shape).astype(np.float64)}


def error_of(case: Case) -> dict[str, str] | None:
    """The reference's error: type, message, and the argument that it names; None if none."""
    try:
        REFERENCE.call(case, REFERENCE.native(case))
    except (ValueError, TypeError) as error:
        named = re.match(r"`(\w+)`", str(error))
        return {"type": type(error).__name__, "message": str(error),
                "argument": named[1] if named else ""}
    return None


class AskedTarget:
    """The reference, which keeps the last case that it was asked: a check may change it first."""

    name, dtypes = "reference", DTYPES

    def __init__(self) -> None:
        self.case: Case | None = None
        self.profile, self.native = REFERENCE.profile, REFERENCE.native
        self.read, self.result_dtype = REFERENCE.read, REFERENCE.result_dtype

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """What the reference gives."""
        self.case = case
        return REFERENCE.call(case, arrays)


class RecordedTarget:
    """Results from a file as a target: whatever is asked, they are the answer."""

    name, dtypes, has_gradients = "results", DTYPES, True

    def __init__(self, results: Results) -> None:
        self._results = results

    def profile(self, dtype: str) -> Profile:
        """As for the vectors' own budgets."""
        return profile_of(dtype)

    def native(self, case: Case) -> dict[str, Any]:
        """The arrays themselves, which nobody computes with."""
        return dict(case.arrays)

    def call(self, case: Case, arrays: Mapping[str, Any]) -> Any:
        """The one result, or a network's layers in the order that is expected of them."""
        if case.operation != "network":
            return _the_result(self._results)
        order = layer_names(case.options)  # type: ignore[arg-type]
        return {name: self._results[name] for name in sorted(
            self._results, key=lambda name: order.index(name) if name in order else len(order))}

    def gradients(self, case: Case, arrays: Mapping[str, Any], upstream: Any) -> dict[str, Any]:
        """The gradients by argument."""
        return dict(self._results)

    def read(self, result: Any) -> Array:
        """Its numbers."""
        return np.asarray(result.array)

    def result_dtype(self, result: Any) -> str:
        """As the file has it."""
        return str(result.dtype)


def _the_result(results: Results) -> Answer:
    if list(results) != [""]:
        raise TargetFailure("bad answer", f"results {', '.join(results)}; expected one.",
                            Raised("", ""))
    return results[""]


def rho_of(kind: str, case_id: str, case: Case, want: Mapping[str, Expected],
           results: Results) -> float:
    """rho of somebody's results by the stored values and budgets, or by the property's own check.

    want  by name, "" for a single value
    Raises Disagreement.
    """
    if kind == "layers":
        # The check computes each layer from the one before, which must be one.
        for name, each in want.items():
            if name not in results:
                raise Disagreement(f"{name}: there is none.")
            same_shape(name, results[name].array, each.value.shape)
    if kind not in ("value", "gradients"):
        return parse_id(case_id)[0].check(case, RecordedTarget(results))
    worst = 0.0
    for name, each in want.items():
        what = f"{case.operation}, gradient of {name}" if name else case.operation
        if name not in results:
            raise Disagreement(f"{what}: there is none.")
        if results[name].dtype != case.dtype:
            raise Disagreement(f"{what}: dtype {results[name].dtype}; expected {case.dtype}.")
        worst = max(worst, measure(what, results[name].array, each, case.judged))
    return worst


def reference_rho(kind: str, case_id: str, case: Case, want: Mapping[str, Expected],
                  error: Mapping[str, str] | None) -> float:
    """The reference's results by what is stored, and the stored budgets of today's size.

    Raises Disagreement, and what the reference raises for a case that it does not take.
    """
    if kind == "error":
        if error_of(case) != error:
            raise Disagreement(f"{case.operation}: {error_of(case)}; expected {error}.")
        return 0.0
    with np.errstate(all="ignore"):
        if kind == "form":
            # The reference itself has no bfloat16: that it takes the case is all it can say.
            call(reference, case, case.arrays)
            return 0.0
        if kind == "layers":
            return rho_of(kind, case_id, case, want, {
                name: Answer(each.value, case.dtype) for name, each in want.items()})
        derived = {"": expect(case, profile_of(case.dtype))} if kind == "value" \
            else expect_gradients(case, profile_of(case.dtype))
        found = {"": call(reference, case, case.arrays)} if kind == "value" else call_vjp(
            reference, case, {name: array for name, array in case.arrays.items()
                              if name != UPSTREAM}, case.arrays[UPSTREAM])
    worst = 0.0
    if derived.keys() != want.keys():
        raise Disagreement(f"{case.operation}: results {', '.join(want)}; "
                           f"expected {', '.join(derived)}.")
    for name, each in want.items():
        worst = max(worst, measure(case.operation, np.asarray(found[name]), each, case.judged))
        # A budget widened by hand would let anything pass: it may be at most twice today's.
        today = np.broadcast_to(derived[name].budget, derived[name].value.shape)
        measure(f"{case.operation}, budget", each.budget, Expected(today, today), case.judged)
    return worst
