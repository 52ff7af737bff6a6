"""The kernels where compilation checks every index, and where there is no compilation at all."""

import pytest
from kernel_processes import words_printed

SCRIPT = """
import sys
from sasakit.accel import resolve_backend
from sasakit.conformance.runner import run_verification
from sasakit.conformance.target import BackendTarget
target = BackendTarget("numba", resolve_backend("numba"), dtypes=("float32",))
verdicts = run_verification([target], clauses=sys.argv[2].split(","), profile=sys.argv[1])
print([(v.clause, v.failures) for v in verdicts if not v.passed])
"""


@pytest.mark.parametrize(("mode", "profile", "clauses"), [
    ("NUMBA_BOUNDSCHECK", "brief", "PAD,REL-6,MIX-1,STEM-1,STEM-7,NET-11,NUM-2"),
    ("NUMBA_DISABLE_JIT", "brief", "WIN-1,PAD,REL-6,ATT-7,MIX-1"),
])
def test_kernels_agree(mode, profile, clauses, tmp_path):
    setting = {mode: "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert words_printed(SCRIPT, profile, clauses, **setting) == ["[]"]
