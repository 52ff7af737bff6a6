"""The parts of the self-check: what each runs, how it is counted, and what must hold."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .modules import EQUIVALENT, RIGHT, UNKNOWN, WRONG, judge_module, judge_outside, outside_tasks
from .mutation import judge_mutant, lacks_torch, mutants_here
from .soundness import judge_sound, shares
from .workers import spread

Progress = Callable[[str, int, int], None]
NO_TORCH = "torch is not installed"


@dataclass(frozen=True)
class Plan:
    """How much is run: cases of sound implementations, known modules, modules outside the list."""

    cases: int
    modules: int
    outside: int


FULL = Plan(cases=10_000, modules=500, outside=200)
QUICK = Plan(cases=600, modules=8, outside=16)


@dataclass
class Score:
    """What one part gave.

    passed   whether its gate held; None where it was skipped
    counts   numbers by name
    details  what did not go as it must, or went so for a reason that is given
    skipped  why it was not run; None where it was
    """

    part: str
    passed: bool | None
    counts: dict[str, float] = field(default_factory=dict)
    details: list[dict[str, Any]] = field(default_factory=list)
    skipped: str | None = None


def run_part(part: str, plan: Plan, seed: int = 0, processes: int = 2,
             progress: Progress = lambda part, done, total: None) -> Score:
    """Run one of PARTS; `progress` is told the part, and tasks done of how many."""
    if part in NEED_TORCH and lacks_torch():
        return Score(part, None, skipped=NO_TORCH)
    work, tasks, score = PARTS[part](plan, seed)
    results: dict[int, Any] = {}
    for place, result in spread(work, tasks, processes):
        results[place] = result
        progress(part, len(results), len(tasks))
    return score([results[place] for place in sorted(results)])


Part = tuple[Callable[..., Any], Sequence[Any], Callable[[list[Any]], Score]]


def _mutants(plan: Plan, seed: int) -> Part:
    return judge_mutant, mutants_here(), score_mutants


def score_mutants(results: list[Any]) -> Score:
    """Every mutant refused by its own clause, and none that means the same."""
    real = [each for each in results if each.mutant.equivalent is None]
    killed = sum(each.killed for each in real)
    counts = {"mutants": len(real), "killed by their clause": killed,
              "killed by any": sum(each.refused_by is not None for each in real),
              "survived": sum(each.refused_by is None for each in real),
              "equivalent": len(results) - len(real)}
    details = [{"mutant": each.mutant.id, "refused by": each.refused_by,
                "reason": each.mutant.equivalent} for each in results
               if not each.killed]
    lacking = [{"package": "torch_gpu", "skipped": NO_TORCH}] if lacks_torch() else []
    return Score("mutants", all(each.right for each in results), dict(counts), details + lacking)


def _sound(plan: Plan, seed: int) -> Part:
    return judge_sound, shares(plan.cases, seed), score_sound


def score_sound(results: list[Any]) -> Score:
    """No case of a sound implementation refused."""
    refused = [{"implementation": each.name, "case": case, "reason": reason}
               for each in results for case, reason in each.refused]
    counts = {"implementations": len(results), "cases": sum(each.cases for each in results),
              "refused": len(refused), "worst rho": max(each.rho for each in results)}
    told = [{"implementation": each.name, "cases": each.cases, "worst rho": round(each.rho, 3)}
            for each in results]
    return Score("sound", not refused, counts, refused + told)


def _modules(plan: Plan, seed: int) -> Part:
    return judge_module, range(seed, seed + plan.modules), score_modules


def score_modules(results: list[Any]) -> Score:
    """No known module named wrongly, and nine of ten named."""
    seen = Counter(each.verdict for each in results)
    counts = {"modules": len(results), **{kind: seen[kind] for kind in (RIGHT, UNKNOWN, WRONG)}}
    return Score("modules", not seen[WRONG] and 10 * seen[RIGHT] >= 9 * len(results),
                 dict(counts), [_told(each) for each in results if each.verdict != RIGHT])


def _outside(plan: Plan, seed: int) -> Part:
    return judge_outside, outside_tasks(plan.outside, seed), score_outside


def score_outside(results: list[Any]) -> Score:
    """No module outside the list given a name that is not true of it."""
    seen = Counter(each.verdict for each in results)
    counts = {"modules": len(results), "changes": len({each.change for each in results}),
              **{kind: seen[kind] for kind in (UNKNOWN, EQUIVALENT)}, "false names": seen[WRONG]}
    return Score("outside", not seen[WRONG], dict(counts),
                 [_told(each) for each in results if each.verdict != UNKNOWN])


def _told(result: Any) -> dict[str, Any]:
    return {"seed": result.seed, "change": result.change, "verdict": result.verdict,
            "deviations": list(result.wanted), "answer": result.answer}


PARTS: dict[str, Callable[[Plan, int], Part]] = {
    "mutants": _mutants, "sound": _sound, "modules": _modules, "outside": _outside}
NEED_TORCH = ("modules", "outside")
