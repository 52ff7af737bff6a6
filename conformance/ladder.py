"""The ladder: what a case rests on, so that one early mistake is told once, where it begins.

A clause stands on one rung. A case rests on the rungs of all that it makes use of, and on theirs;
where one of those has failed, its own failure would say nothing new, and it is not judged.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from sasakit.reference import AttentionOptions, NetworkSpec, StemOptions

from .builders import CANONICAL, interior_of
from .case import Case
from .verdict import Failure, Verdict

# Rungs from the lowest; each with the rungs that it needs always. What else a case uses it needs
# too: a network that attends needs borders and heads.
NEEDS: dict[str, tuple[str, ...]] = {
    "form": (),
    "extent 1": (),
    "window": ("extent 1",),
    "content only": ("window",),
    "relative only": ("extent 1",),
    "interior": ("content only", "relative only"),
    "borders": ("content only",),
    "heads": ("content only",),
    "even extents": (),
    "options": (),
    "stride and pooling": (),
    "stem mixture": (),
    "stems": (),
    "network": ("stride and pooling", "stems"),
    "numbers": (),
    "gradients": (),
}
# The clauses that are about a rung. Those of form (types, shapes, names, errors, repetition) ask
# for no value, and so rest on nothing.
_CLAUSES = {
    "form": "WIN-3 NET-1 NET-8 NUM-1 NUM-7 INV-1 INV-2 INV-3 INV-4 INV-5 INV-6",
    "extent 1": "ATT-5 ATT-6",
    "window": "WIN-1",
    "content only": "WIN-4 POS-1 ATT-4",
    "relative only": "REL-1 REL-2 REL-3 ATT-9",
    "interior": "POS-3 ATT-2",
    "borders": "",
    "heads": "ATT-1 ATT-8",
    "even extents": "WIN-2",
    "options": "REL-4 REL-5 REL-6 POS-2 ATT-3 ATT-7",
    "stride and pooling": "NET-11",
    "stem mixture": "MIX-1 MIX-2 MIX-3",
    "stems": "STEM-1 STEM-2 STEM-3 STEM-4 STEM-5 STEM-6 STEM-7",
    "network": "NET-2 NET-3 NET-4 NET-5 NET-6 NET-7 NET-10",
    "numbers": "NUM-2 NUM-3 NUM-4 NUM-5 NUM-6",
    "gradients": "GRAD-1 GRAD-2 GRAD-3 GRAD-4 GRAD-5 GRAD-6 GRAD-7 GRAD-8 GRAD-9 GRAD-10",
}
# Each is about the borders of who pads so, and about an option of everyone else.
_PADDING = {"zero": "PAD-1", "exclude": "PAD-2", "shift": "PAD-3"}
_RUNG = {clause: rung for rung, clauses in _CLAUSES.items() for clause in clauses.split()}
ORDER = {rung: place for place, rung in enumerate(NEEDS)}
# Options that are rungs of their own; another value of any other one stands on "options".
_OWN_RUNG = ("extent", "heads", "position", "content", "even_window")


def rung_of(clause: str, canonical: AttentionOptions = CANONICAL) -> str:
    """The rung that a clause stands on, for who has these options where others have canonical."""
    if clause in _PADDING.values():
        return "borders" if clause == _PADDING[canonical.padding] else "options"
    return _RUNG[clause]


def uses(case: Case, canonical: AttentionOptions = CANONICAL) -> set[str]:
    """The rungs of all that a case makes use of; `canonical` as for `rung_of`."""
    options = case.options
    match case.operation:
        case "average_pool":
            return {"stride and pooling"}
        case "value_mixture":
            return {"stem mixture"}
    if isinstance(options, StemOptions):
        return _stem_uses(options)
    if isinstance(options, NetworkSpec):
        attends = _terms(options.attention_options(), canonical) | {"heads", "borders"}
        return {"network"} | _stem_uses(options.stem_options()) | (
            attends if options.stages else set())
    return _attention_uses(case, options, canonical) \
        if isinstance(options, AttentionOptions) else set()


def _stem_uses(options: StemOptions) -> set[str]:
    return {"stems"} | ({"content only"} if options.kind != "conv" else set()) \
        | ({"stem mixture"} if options.kind == "mixture" else set())


def _attention_uses(case: Case, options: AttentionOptions,
                    canonical: AttentionOptions) -> set[str]:
    alone = case.operation == "relative_logits"
    found = {"relative only"} if alone else _terms(options, canonical, _zeros(case))
    image = case.arrays.get("x" if case.operation == "attention_layer" else "query")
    if image is None or options.extent == 1:
        found = {"extent 1"}
    elif not alone and options.padding == canonical.padding \
            and _leaves(case, options, image.shape):
        found.add("borders")
    heads = options.heads if image is None or image.ndim < 5 else image.shape[3]
    if heads > 1:
        found.add("heads")
    if options.extent % 2 == 0:
        found.add("even extents")
    return found | _other_options(options, canonical)


def _zeros(case: Case) -> set[str]:
    """Arrays that are zero throughout."""
    return {name for name, array in case.arrays.items() if array is not None and not array.any()}


def _terms(options: AttentionOptions, canonical: AttentionOptions,
           zeros: Set[str] = frozenset()) -> set[str]:
    """What attention over several slots uses; both terms together are a rung of their own.

    zeros  arrays that are zero, with which a term is zero too and says nothing
    """
    content = options.content and not zeros & {"query", "key"}
    relative = options.position == "relative" and "query" not in zeros \
        and not {"rel_row", "rel_col"} <= zeros
    found = {"window"} | _other_options(options, canonical)
    found |= {"content only"} if content else set()
    found |= {"relative only"} if relative else set()
    return found | ({"interior"} if content and relative else set())


def _other_options(options: AttentionOptions, canonical: AttentionOptions) -> set[str]:
    others = options.position == "absolute" or any(
        getattr(options, name) != getattr(canonical, name)
        for name in vars(options) if name not in _OWN_RUNG)
    return {"options"} if others else set()


def _leaves(case: Case, options: AttentionOptions, shape: tuple[int, ...]) -> bool:
    """Whether the window of a judged pixel, centred on it, leaves the image."""
    if len(shape) < 4:
        return False
    leaving = ~interior_of(options, *shape[1:3])
    return bool((leaving if case.judged is None else leaving & case.judged).any())


@dataclass(frozen=True)
class Standing:
    """Where one case of a clause stands.

    stage     the highest rung among the clause's own and those that the case uses
    rests_on  all other rungs that must hold before it says anything of its clause
    own       the clause's own rung
    """

    stage: str
    rests_on: frozenset[str]
    own: str


def standing(clause: str, case: Case, canonical: AttentionOptions = CANONICAL) -> Standing:
    """Where a case stands, `canonical` as for `rung_of`; a clause of form rests on nothing."""
    own = rung_of(clause, canonical)
    if own == "form":
        return Standing(own, frozenset(), own)
    used = uses(case, canonical) | {own}
    return Standing(max(used, key=ORDER.__getitem__), frozenset(_closed(used) - {own}), own)


def _closed(rungs: Iterable[str]) -> set[str]:
    """Rungs and all that they need."""
    found: set[str] = set()
    waiting = list(rungs)
    while waiting:
        rung = waiting.pop()
        if rung not in found:
            found.add(rung)
            waiting += NEEDS[rung]
    return found


class Ladder:
    """What one target has shown so far, while it is judged from the lowest rung up.

    at      the rung that is being judged
    failed  the rungs that did not hold, each with the first clause that showed it
    found   every failure with its verdict and where its case stands, as they were noted
    """

    def __init__(self, at: str = next(iter(NEEDS)), failed: Mapping[str, str] = {}) -> None:
        self.at, self.failed = at, dict(failed)
        self.found: list[tuple[Verdict, Failure, Standing]] = []

    def broken(self, place: Standing) -> str | None:
        """The lowest failed rung that a case rests on; None where all of them hold."""
        return min(place.rests_on & self.failed.keys(), key=ORDER.__getitem__, default=None)

    def is_later(self, place: Standing) -> bool:
        """Whether a case belongs to a rung that is yet to come."""
        return ORDER[place.stage] > ORDER[self.at]

    def note(self, verdict: Verdict, failure: Failure, place: Standing) -> None:
        """Remember that a rung failed."""
        self.failed.setdefault(place.stage, verdict.clause)
        self.found.append((verdict, failure, place))

    def settle(self, verdicts: Iterable[Verdict]) -> None:
        """Take back failures that rest on what was found to fail after them; say what was left out.

        A smaller counterexample may stand lower than the rung on which the search for it began.
        """
        found, self.failed, because = self.found, {}, dict[str, str]()
        for rung in NEEDS:
            own_first = sorted((each for each in found if each[2].stage == rung),
                               key=lambda each: each[2].own != rung)
            for verdict, failure, place in own_first:
                broken = self.broken(place)
                if broken is None:
                    self.failed.setdefault(rung, verdict.clause)
                else:
                    verdict.failures.remove(failure)
                    verdict.rests_on = verdict.rests_on or broken
                    because.setdefault(rung, broken)
        for verdict in verdicts:
            while verdict.rests_on is not None and verdict.rests_on not in self.failed:
                verdict.rests_on = because[verdict.rests_on]
            if verdict.rests_on and not verdict.failures and verdict.reason is None:
                held = f"; {verdict.cases} of its cases do not, and hold" if verdict.cases else ""
                verdict.reason = (f"rests on {verdict.rests_on}, which failed in "
                                  f"{self.failed[verdict.rests_on]}{held}.")
