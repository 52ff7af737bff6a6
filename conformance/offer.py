"""What an implementation says of itself: operations, options, types; what it is judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sasakit.reference.contract import options as choices
from sasakit.reference.contract.options import AttentionOptions, StemOptions

from .builders import CANONICAL, FIXED
from .case import UPSTREAM, VJP, Case
from .draw import Draw, again
from .profiles import DTYPES, Profile, plain_profile, unit_roundoff
from .property import Property

OPERATIONS = ("relative_logits", "local_attention", "attention_layer", "value_mixture", "stem",
              "average_pool", "network")
# Gradients of these, by name; a network has none of its own.
VJPS = tuple(f"{name}{VJP}" for name in OPERATIONS[:-1])
# What a torch module class offers instead: to be built and run at given sizes with given
# parameters, and to tell its own. The diagnosis asks for these, no clause does.
MODULE, MODULE_PARAMETERS = "module", "module parameters"
# The same for a module that may hold normalizations, whose statistics are then parameters; and
# what a network of modules is made of, which calls an image makes, and one array of those.
OPEN_MODULE, OPEN_PARAMETERS = "open module", "open module parameters"
NETWORK_MODULES, NETWORK_CALLS = "network modules", "network calls"
NETWORK_ARRAY = "network array"
# Operations that give several results by name.
NAMED_RESULTS = ("network", MODULE_PARAMETERS, OPEN_PARAMETERS, NETWORK_MODULES, NETWORK_CALLS)
# An exponential that is further off than this is no exponential; without an end, a declaration
# could buy any budget.
MOST_EXP_ULPS = 64
_CHOICES: dict[str, tuple[object, ...]] = {
    "padding": choices.PADDINGS, "relative": choices.RELATIVE_KINDS, "position": choices.POSITIONS,
    "content": (True, False), "scale_terms": choices.SCALE_TERMS,
    "first_half": choices.FIRST_HALVES, "even_window": choices.EVEN_WINDOWS,
    "projection": choices.PROJECTIONS, "kind": choices.STEM_KINDS,
}
# Numbers, of which any may be named.
_NUMBERS = ("extent", "heads", "scale", "window")


@dataclass(frozen=True)
class Offer:
    """What one implementation offers; it is judged by that, and by nothing that it does not offer.

    operations    names of OPERATIONS
    gradients     those whose gradients it offers
    profiles      how it rounds, by the dtype of its inputs: the dtypes that it takes
    options       values that it takes of some of the options; what is not named takes all
    checks_input  whether it refuses invalid input as chapter 11 says
    """

    operations: tuple[str, ...] = OPERATIONS
    profiles: Mapping[str, Profile] = field(default_factory=lambda: profiles_of({}))
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    checks_input: bool = True
    gradients: tuple[str, ...] = OPERATIONS[:-1]

    def takes(self, case: Case) -> bool:
        """Whether a case is one that was offered."""
        offered = self.gradients if UPSTREAM in case.arrays else self.operations
        return case.operation in offered and all(
            getattr(case.options, name, values[0]) in values
            for name, values in self.options.items())

    def adapted(self, case: Case) -> Case:
        """The case as this implementation is asked it, such as under a factor that it fixes."""
        return case

    def own_options(self, options: object) -> AttentionOptions:
        """What stands here for the canonical options, which are what is not offered otherwise.

        options  those of the case that is asked
        """
        return replace(CANONICAL, **{
            name: values[0] for name, values in self.options.items()
            if name in FIXED and getattr(CANONICAL, name) not in values})

    def covers(self, prop: Property, dtype: str) -> bool:
        """Whether some case of a property may be one that was offered."""
        if prop.clause.startswith("INV-") and not self.checks_input:
            return False
        offered = self.gradients if prop.gradients else self.operations
        return bool(asked_operations(prop, dtype) & set(offered))


def offer_of(target: object) -> Offer:
    """What a target offers: its own `offer`, or everything."""
    offer = getattr(target, "offer", None)
    return offer if isinstance(offer, Offer) else Offer()


def trouble_of(target: object) -> str | None:
    """Why a target cannot be judged, or not any more; None while it can."""
    trouble = getattr(target, "trouble", None)
    return None if trouble is None else str(trouble)


def asked_again(prop: Property, recipe: Sequence[int], dtype: str, target: object) -> Case:
    """The case of these choices, as it was asked of a target; as of anyone where that is gone."""
    case = prop.cases(Draw(again(recipe), offered_options(target)), dtype)
    return case if trouble_of(target) is not None else offer_of(target).adapted(case)


def offered_options(target: object) -> Mapping[str, tuple[Any, ...]]:
    """Values of options that a target offers, by name; none are named where it is gone."""
    return {} if trouble_of(target) is not None else offer_of(target).options


_asked: dict[tuple[str, str, str], frozenset[str]] = {}


def asked_operations(prop: Property, dtype: str) -> frozenset[str]:
    """The operations that a property's cases are spread over.

    Found by making its simplest case once for every alternative of the choice "operation".
    """
    key = (prop.clause, prop.name, dtype)
    if key not in _asked:
        found, at, last = set(), 0, 0
        while at <= last:
            def pick(label: str, most: int, at: int = at) -> int:
                nonlocal last
                if label != "operation":
                    return 0
                last = max(last, most)
                return min(at, most)
            found.add(prop.cases(Draw(pick), dtype).operation)
            at += 1
        _asked[key] = frozenset(found)
    return _asked[key]


def profiles_of(given: Mapping[str, Any], dtypes: tuple[str, ...] = ("float64", "float32"),
                ) -> dict[str, Profile]:
    """Profiles by dtype; `given` has fields of Profile for all dtypes, or such by dtype.

    Raises ValueError or TypeError for what is no profile, or one that would excuse anything.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"`profile` must be a mapping; got {type(given).__name__}.")
    if not dtypes or any(dtype not in DTYPES for dtype in dtypes):
        raise ValueError(f"`dtypes` must be among {', '.join(DTYPES)}; got {dtypes!r:.200}.")
    by_dtype = bool(given) and all(name in DTYPES for name in given)
    return {dtype: _profile(dtype, given.get(dtype, {}) if by_dtype else given)
            for dtype in dtypes}


def _profile(dtype: str, given: Mapping[str, Any]) -> Profile:
    plain = plain_profile(dtype, "float32" if dtype in ("float16", "bfloat16") else None)
    known = {each.name: getattr(plain, each.name) for each in fields(Profile)}
    if not isinstance(given, Mapping) or set(given) - set(known):
        raise ValueError(f"`profile` must have fields among {', '.join(known)}; "
                         f"got {given!r:.200}.")
    if "accumulate" in given:
        known |= {"probabilities": given["accumulate"], "logits": given["accumulate"]}
    known |= given
    for name in ("accumulate", "probabilities", "logits"):
        if known[name] not in DTYPES or unit_roundoff(known[name]) > unit_roundoff(dtype):
            raise ValueError(f"`profile` must have {name} at least as fine as {dtype}; "
                             f"got {known[name]!r:.200}.")
    ulps = known["exp_ulps"]
    if type(ulps) is not int or not 0 <= ulps <= MOST_EXP_ULPS:
        raise ValueError(f"`profile` must have exp_ulps from 0 to {MOST_EXP_ULPS}; "
                         f"got {ulps!r:.200}.")
    if type(known["flushes_subnormals"]) is not bool or known["io"] != dtype:
        raise ValueError(f"`profile` must have flushes_subnormals True or False and io {dtype}; "
                         f"got {given!r:.200}.")
    return Profile(**known)


def read_offer(document: Mapping[str, Any]) -> Offer:
    """The offer that a hello or a module's attributes spell.

    document  "operations" (list; "<operation>_vjp" for gradients), and optional "dtypes" (list),
              "profile", "options" (values by name), "checks_input" (true or false)
    Raises ValueError or TypeError, naming the entry.
    """
    operations = document.get("operations", OPERATIONS)
    if not _is_names(operations) or not operations or \
            set(operations) - {*OPERATIONS, *VJPS, MODULE}:
        raise ValueError(f"`operations` must be some of {', '.join(OPERATIONS)}, or of these but "
                         f"the last with {VJP}; got {operations!r:.200}.")
    dtypes = document.get("dtypes", ("float64", "float32"))
    if not _is_names(dtypes):
        raise TypeError(f"`dtypes` must be a sequence of names; got {dtypes!r:.200}.")
    checks = document.get("checks_input", True)
    if type(checks) is not bool:
        raise TypeError(f"`checks_input` must be True or False; got {checks!r:.200}.")
    names = tuple(dict.fromkeys(operations))
    return Offer(tuple(name for name in names if name not in VJPS),
                 profiles_of(document.get("profile", {}), tuple(dict.fromkeys(dtypes))),
                 _read_options(document.get("options", {})), checks,
                 tuple(name.removesuffix(VJP) for name in names if name in VJPS))


def _is_names(given: object) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(name, str) for name in given)


def _read_options(given: object) -> dict[str, tuple[Any, ...]]:
    if not isinstance(given, Mapping):
        raise TypeError(f"`options` must be a mapping; got {type(given).__name__}.")
    known = {each.name for kind in (AttentionOptions, StemOptions) for each in fields(kind)}
    for name, values in given.items():
        allowed = _CHOICES.get(name)
        if name not in known or not isinstance(values, list | tuple) or not values or any(
                type(value) not in (int, float) if allowed is None else value not in allowed
                for value in values):
            rule = f"be some of {', '.join(map(str, allowed))}" if allowed else "be numbers"
            rule = rule if name in known else f"be options among {', '.join(sorted(known))}"
            raise ValueError(f"`options` must {rule}; got {name!s:.50}: {values!r:.200}.")
    return {name: tuple(values) for name, values in given.items()}
