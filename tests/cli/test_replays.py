"""What is printed of a foreign failure can be pasted: the command, and the page's snippet."""

import html
import json
import re
import shlex
import sys

import pytest
from click.testing import CliRunner

from sasakit.cli.main import main

WRONG = """
from sasakit import reference

def attend(*arrays, options):
    return 2 * reference.local_attention(*arrays, options=options)

def trace_less(x):
    return reference.average_pool(x)[..., :1]
"""
PROCESS = """
import json, sys
HELLO = {"name": "zeros", "spec_version": "0.1", "operations": ["average_pool"],
         "encoding": "lists", "checks_input": False}
for line in sys.stdin:
    request = json.loads(line)
    if "hello" in request:
        print(json.dumps({"hello": HELLO}), flush=True)
        continue
    batch, height, width, channels = request["arrays"]["x"]["shape"]
    pixel = [1e9] * channels
    rows = [[[pixel] * ((width + 1) // 2)] * ((height + 1) // 2)] * batch
    print(json.dumps({"id": request["id"], "data": rows, "shape": [
        batch, (height + 1) // 2, (width + 1) // 2, channels]}), flush=True)
"""


@pytest.fixture
def targets(tmp_path):
    """Words of each target, as the command line has them."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "wrong.py").write_text(WRONG)
    (folder / "process.py").write_text(PROCESS)
    command = shlex.join([sys.executable, str(folder / "process.py")])
    return {"function": [f"{folder}/wrong.py:attend", "--operation", "local_attention"],
            "limited": [f"{folder}/wrong.py:trace_less", "--operation", "average_pool",
                        "--time-limit", "7", "--memory-limit", "4"],
            "process": ["--process", command]}


def sasakit(*words):
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.mark.parametrize(("name", "clause"), [
    ("function", "ATT-5"), ("limited", "NET-11"), ("process", "NET-11")])
def test_the_printed_command_finds_the_same_failure(targets, name, clause):
    given = [*targets[name], "--clauses", clause, "--profile", "brief"]
    result = sasakit("verify", *given, "--json")
    [verdict] = json.loads(result.stdout)["verdicts"]
    failure = verdict["failures"][0]
    program, *words = shlex.split(failure["replay"])
    assert program == "sasakit"
    assert words[1:-2] == targets[name]
    again = json.loads(sasakit(*words, "--json").stdout)["verdicts"][0]
    assert again["failures"][0]["reason"] == failure["reason"]
    assert f"judge it alone: {failure['replay']}" in sasakit("verify", *given).stdout


def test_the_same_seed_finds_the_same_cases(targets):
    given = ["verify", *targets["function"], "--clauses", "ATT-5", "--json", "--seed"]
    found = [[failure["case"] for failure in json.loads(
        sasakit(*given, seed).stdout)["verdicts"][0]["failures"]] for seed in (5, 5)]
    assert found[0] == found[1]
    assert found[0]


@pytest.mark.parametrize(("name", "clause", "map_of"), [
    ("function", "PAD-1,ATT-5", "Over the image"), ("process", "NET-11", "Over the image")])
def test_the_page_has_maps_time_and_a_snippet_that_runs(targets, name, clause, map_of, tmp_path,
                                                        capsys):
    page = tmp_path / "report.html"
    result = sasakit("verify", *targets[name], "--clauses", clause, "--profile", "brief",
                     "--html", page, "--json")
    assert json.loads(result.stdout)["targets"][0]["seconds"] > 0
    text = page.read_text(encoding="utf-8")
    assert map_of in text
    assert re.search(r"; \d+\.\d seconds\.", text)
    source = html.unescape(re.search(r"Reproduce it in Python</summary><pre>(.*?)</pre>", text,
                                     re.DOTALL)[1])
    assert "load_described" in source
    exec(compile(source, "snippet", "exec"), {})
    given, expected = capsys.readouterr().out.splitlines()
    number = float(given.split()[1])
    value, within = float(expected.split()[1]), float(expected.split()[3])
    assert abs(number - value) > within
