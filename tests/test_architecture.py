"""The house: which way imports point, what costs nothing to import, what the package holds."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("reference", "accel", "conformance", "cli")
HEAVY = ("torch", "numba", "hypothesis", "click", "PIL", "safetensors")


def imports(path, package):
    """Modules that a file imports anywhere, relative ones spelled out."""
    parts = ("sasakit", *path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[:-node.level] if node.level else ()
            stem = ".".join((*base, *(node.module or "").split("."))).strip(".")
            yield stem
            if node.level or stem.startswith("sasakit"):
                yield from (f"{stem}.{alias.name}" for alias in node.names)


def imported(package, under=""):
    files = (ROOT / package / under).rglob("*.py")
    return {(str(path.relative_to(ROOT)), name) for path in files
            for name in imports(path, package)}


def inside(name, *packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_the_reference_imports_numpy_alone():
    outside = {(path, name) for path, name in imported("reference")
               if not inside(name, "sasakit.reference", "numpy")
               and name.partition(".")[0] not in sys.stdlib_module_names}
    assert outside == set()


def test_the_contract_imports_no_arithmetic():
    outside = {(path, name) for path, name in imported("reference", "contract")
               if name.partition(".")[0] not in sys.stdlib_module_names
               and not inside(name, "sasakit.reference.contract")}
    assert outside == set()


def test_accel_reads_the_contract_and_never_the_arithmetic():
    wrong = {(path, name) for path, name in imported("accel")
             if inside(name, "sasakit.reference") and name != "sasakit.reference"
             and not inside(name, "sasakit.reference.contract")}
    assert wrong == set()


@pytest.mark.parametrize(("package", "never"), [
    ("reference", ("sasakit.accel", "sasakit.conformance", "sasakit.cli")),
    ("accel", ("sasakit.conformance", "sasakit.cli")),
    ("conformance", ("sasakit.accel", "sasakit.cli", "torch", "numba")),
])
def test_arrows_point_one_way(package, never):
    # Those that hold torch modules and tensors in their hands are imported only to judge them.
    holders = {"conformance/doors/torch_module.py", "conformance/doors/torch_tensors.py",
               "conformance/doors/torch_network.py",
               "conformance/selfcheck/factory.py", "conformance/selfcheck/outside.py"}
    assert {(path, name) for path, name in imported(package) if inside(name, *never)
            and path not in holders} == set()


@pytest.mark.parametrize(("module", "free_of"), [
    ("sasakit.reference", HEAVY),
    ("sasakit.accel", HEAVY),
    ("sasakit.cli.main", ("torch", "numba", "hypothesis", "PIL", "safetensors", "numpy")),
    ("sasakit.accel.numba_cpu", ("torch", "hypothesis")),
])
def test_importing_costs_what_it_must(module, free_of):
    code = f"import {module}, sys; print([m for m in {free_of!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_packages_are_those_on_the_disk():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    on_disk = {"sasakit." + ".".join(path.parent.relative_to(ROOT).parts)
               for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")}
    assert set(listed["tool"]["setuptools"]["packages"]) == on_disk


def test_files_are_short():
    long = {str(path.relative_to(ROOT)): count for package in PACKAGES
            for path in (ROOT / package).rglob("*.py")
            if (count := len(path.read_text(encoding="utf-8").splitlines())) > 300}
    assert long == {}


# The line between two results of the diagnosis in either precision, the size of queries by which
# an expansion's own error is measured, and the step that float32 takes: derived where they stand.
DERIVED = {"SAME", "SAME_SINGLE", "SMALL", "STEP_OF_SINGLE"}
BUDGETS = ("judge.py", "estimate", "profiles.py")


def small_constant(node):
    """Whether an expression of numbers alone is closer to zero than anything one may choose."""
    if any(not isinstance(part, ast.Constant | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop)
           for part in ast.walk(node)):
        return False
    value = eval(compile(ast.Expression(node), "", "eval"))
    return isinstance(value, int | float) and 0 < abs(value) < 1e-3


def small_comparisons(tree):
    """Lines that compare with a small number, written there or named at the top of the file."""
    named = {target.id for node in tree.body if isinstance(node, ast.Assign)
             and small_constant(node.value) for target in node.targets
             if isinstance(target, ast.Name)} - DERIVED
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(
                isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops):
            parts = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
            if any((isinstance(part, ast.expr) and small_constant(part))
                   or (isinstance(part, ast.Name) and part.id in named) for part in parts):
                yield node.lineno


def test_nothing_compares_with_a_small_number_of_its_own():
    found = {(str(path.relative_to(ROOT)), line) for folder in ("conformance", "tests")
             for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)
             and not (folder == "conformance" and path.name.startswith(BUDGETS))
             for line in small_comparisons(ast.parse(path.read_text(encoding="utf-8")))}
    assert found == set()


@pytest.mark.parametrize(("source", "found"), [
    ("assert abs(x - y) < 1e-6", [1]), ("TOL = 2.0 ** -20\nif x <= TOL * y: pass", [2]),
    ("assert x < 0.5", []), ("SAME = 2.0 ** -33\nassert x <= SAME", []), ("y = 1e-6 * x", []),
])
def test_small_comparisons_are_found(source, found):
    assert list(small_comparisons(ast.parse(source))) == found


def test_nothing_compares_with_a_tolerance_of_its_own():
    words = {"allclose", "assert_allclose", "isclose", "approx", "rtol", "atol",
             "assert_almost_equal", "assertAlmostEqual"}
    found = set()
    for folder in (*PACKAGES, "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name = getattr(node, "attr", None) or getattr(node, "id", None) \
                    or (node.arg if isinstance(node, ast.keyword) else None)
                if name in words:
                    found.add((str(path.relative_to(ROOT)), name))
    assert found == set()
