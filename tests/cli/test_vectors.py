"""`sasakit vectors` and the foreign targets of `sasakit verify`: rows, JSON, exit status."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from sasakit.cli.main import main

HOSTILE = Path(__file__).parents[1] / "conformance" / "hostile"
CODE = """
from sasakit import reference

def local_attention(*arrays, options):
    return reference.local_attention(*arrays, options=options)

def attend(*arrays, options):
    return 2 * reference.local_attention(*arrays, options=options)
"""


def sasakit(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return str(path)


def words(result):
    return {v["clause"]: v["verdict"] for v in json.loads(result.stdout)["verdicts"]}


def test_export_then_check(tmp_path):
    golden, results = tmp_path / "golden", tmp_path / "results"
    done = sasakit("vectors", "export", golden, "--clauses", "MIX-1", "--profile", "brief")
    assert (done.exit_code, done.stdout) == (0, f"6 cases in {golden}.\n")
    checked = sasakit("vectors", "check", golden)
    assert checked.exit_code == 0
    assert "1 clauses passed, 0 failed" in checked.stdout
    results.mkdir()
    assert sasakit("vectors", "check", golden, "--results", results).exit_code == 2
    for path in golden.glob("*.safetensors"):
        tensors = load_file(path)
        dtype = tensors["input.x"].dtype
        save_file({"result": tensors["expected"].astype(dtype)}, results / path.name)
    assert sasakit("vectors", "check", golden, "--results", results).exit_code == 0
    save_file({"result": tensors["expected"].astype(dtype) + 1}, results / path.name)
    wrong = sasakit("vectors", "check", golden, "--results", results, "--json")
    assert wrong.exit_code == 1
    assert words(wrong) == {"MIX-1": "fail"}


def test_what_are_no_vectors_exits_2(tmp_path):
    result = sasakit("vectors", "check", tmp_path)
    assert result.exit_code == 2
    assert "`manifest.json` must be a file in" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_foreign_code_is_judged(mine):
    right = sasakit("verify", f"{mine}:local_attention", "--clauses", "PAD-1,MIX-1",
                    "--profile", "brief", "--json")
    wrong = sasakit("verify", f"{mine}:attend", "--operation", "local_attention",
                    "--clauses", "PAD-1,MIX-1", "--profile", "brief", "--json")
    assert (right.exit_code, words(right)) == (0, {"PAD-1": "pass", "MIX-1": "not judged"})
    assert (wrong.exit_code, words(wrong)) == (1, {"PAD-1": "fail", "MIX-1": "not judged"})


def test_a_process_is_judged():
    script = Path(__file__).parents[2] / "examples" / "process" / "attention.py"
    command = shlex.join([sys.executable, str(script)])
    result = sasakit("verify", "--process", command, "--clauses", "PAD-1", "--profile", "brief")
    assert result.exit_code == 0
    assert f"1 clauses passed, 0 failed: {command} conforms." in result.stdout


@pytest.mark.parametrize(("target", "status", "text"), [
    (HOSTILE / "no_such_import.py", 2, "import error: ModuleNotFoundError: No module named"),
    (HOSTILE / "hangs_busily.py", 1, "hang: no answer within 0.5 s, in average_pool."),
    (HOSTILE / "patches.py", 1, "rho"),
    ("no_such_package.module", 2, "import error: ModuleNotFoundError: No module named"),
])
def test_hostile_code_gets_its_status(target, status, text):
    result = sasakit("verify", target, "--clauses", "NET-11", "--time-limit", "0.5")
    assert result.exit_code == status
    assert text in result.stdout
    assert "1 clauses passed" not in result.stdout


def test_foreign_code_cannot_write_on_the_terminal():
    result = sasakit("verify", HOSTILE / "erases.py", "--clauses", "NET-11", "--profile", "brief")
    assert result.exit_code == 1
    assert "NET-11  6  0  pass" in result.stdout
    assert not {"\x1b", "\r"} & set(result.stdout)


def test_what_is_offered_nowhere_could_not_be_judged(mine):
    result = sasakit("verify", mine, "--clauses", "MIX", "--profile", "brief")
    assert result.exit_code == 2
    assert f"0 clauses passed, 0 failed, 3 not judged: {mine} could not be judged." in result.stdout


def test_an_operation_needs_foreign_code():
    result = sasakit("verify", "reference", "--operation", "stem")
    assert result.exit_code == 2
    assert "`--operation` must come with a target of foreign Python code" in result.stderr
