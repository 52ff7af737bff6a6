"""One test for each clause of SPEC.md, for the test suite of whoever implements it.

    from sasakit.conformance.pytest_plugin import conformance_tests

    test_conformance = conformance_tests("mypackage.attention:attention")
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from .reports.summary import is_offered, status_of, title_of, why_not
from .runner import chosen_clauses, run_verification
from .target import BackendTarget, Target


def conformance_tests(target: object, *, clauses: Sequence[str] | None = None,
                      profile: str = "quick", seed: int = 0,
                      gradients: bool = False, operation: str | None = None,
                      ) -> Callable[..., None]:
    """A test function that pytest runs once for each clause, with the clause's id as its own.

    target   what to judge: a Target, a module or object with the interface's operations, or a
             string that names one as on the command line, package.module:name or file.py:name,
             which runs in a process of its own from the first test on
    clauses, profile, seed, gradients  as for `run_verification`
    operation  what a string's one function is, where its own name does not say it
    Raises ValueError for clauses that are unknown; a string that names nothing fails each test.
    """
    opened: list[Target] = []

    def once(config: pytest.Config) -> Target:
        if not opened:
            opened.append(open_target(target, operation=operation))
            # Foreign code has a process of its own, which ends with the session.
            config.add_cleanup(getattr(opened[0], "close", lambda: None))
        return opened[0]

    @pytest.mark.parametrize("clause", chosen_clauses(clauses, gradients=gradients))
    def test_clause(clause: str, request: pytest.FixtureRequest) -> None:
        __tracebackhide__ = True
        [verdict] = run_verification([once(request.config)], clauses=[clause], profile=profile,
                                     seed=seed)
        match status_of(verdict):
            case "fail":
                texts = [str(each) for each in verdict.failures]
                pytest.fail("\n\n".join([f"{clause} {title_of(clause)}",
                                         *(texts or [why_not(verdict)])]), pytrace=False)
            case "not judged" if is_offered(verdict):
                pytest.fail(f"{clause} could not be judged: {why_not(verdict)}", pytrace=False)
            case "not judged":
                pytest.skip(why_not(verdict))
            case "pass":
                pass

    return test_clause


def open_target(target: object, *, operation: str | None = None) -> Target:
    """The target that a string, a backend or a target itself stands for.

    Raises TypeError for anything else.
    """
    if isinstance(target, str):
        # Who brings a target needs no second process, nor what starts one.
        from .isolation.target import IsolatedTarget
        return IsolatedTarget(target, {"door": "python", "spec": target, "operation": operation})
    # A target's other properties may start its process.
    if hasattr(target, "native") and hasattr(target, "read"):
        return cast(Target, target)
    if hasattr(target, "local_attention") and hasattr(target, "from_numpy"):
        return BackendTarget(str(getattr(target, "name", type(target).__name__)),
                             cast(Any, target))
    raise TypeError(f"`target` must be a Target, a backend or a string that names one; "
                    f"got {type(target).__name__}.")
