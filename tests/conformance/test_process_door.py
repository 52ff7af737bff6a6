"""The door for processes: the lines, the two examples, and processes that do not keep to it."""

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from sasakit import reference
from sasakit.cli.main import main
from sasakit.conformance.builders import network_cases, pool_cases
from sasakit.conformance.case import call
from sasakit.conformance.doors import process_door
from sasakit.conformance.doors.process_door import ProcessTarget, spell_array
from sasakit.conformance.draw import Draw
from sasakit.conformance.isolation.child import Limits
from sasakit.conformance.isolation.failure import TargetFailure
from sasakit.conformance.isolation.target import IsolatedTarget
from sasakit.conformance.profiles import round_to
from sasakit.conformance.runner import run_verification

EXAMPLES = Path(__file__).parents[2] / "examples" / "process"
SCHEMA = json.loads(
    resources.files("sasakit.conformance").joinpath("schemas/process.schema.json").read_text())
HELLO = {"name": "test", "spec_version": "0.1", "operations": ["average_pool"]}
PYTHON = shlex.quote(sys.executable)


def case_of(builder=pool_cases, dtype="float64", **given):
    return builder(Draw(lambda label, most: min(2, most)), dtype, **given)


def process(tmp_path, code, hello=None):
    """Command of a process that says hello and then runs the code for each request."""
    path = tmp_path / "process.py"
    path.write_text("import base64, json, os, sys, time\n"
                    f"sys.stdin.readline()\nprint({json.dumps({'hello': hello or HELLO})!r}, "
                    "flush=True)\n"
                    "for line in sys.stdin:\n    request = json.loads(line)\n"
                    "    x = request['arrays'].get('x')\n"
                    + "".join(f"    {each}\n" for each in code.splitlines())
                    + "    sys.stdout.flush()\n")
    return f"{PYTHON} {shlex.quote(str(path))}"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) is installed")
    program = tmp_path_factory.mktemp("compiled") / "attention"
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
                    EXAMPLES / "attention.c", "-lm"], check=True)
    return shlex.quote(str(program))


def conforms(command):
    with IsolatedTarget("example", {"door": "process", "command": command}) as target:
        verdicts = run_verification([target], profile="brief")
    judged = [verdict for verdict in verdicts if verdict.reason is None]
    assert [verdict.failures for verdict in judged if not verdict.passed] == []
    return {verdict.clause for verdict in judged}


def test_the_example_in_python_conforms():
    assert {"WIN-1", "PAD-3", "REL-6", "POS-3", "ATT-3", "NUM-4"} <= conforms(
        f"{PYTHON} {shlex.quote(str(EXAMPLES / 'attention.py'))}")


def test_the_example_in_c_conforms(compiled):
    assert {"WIN-1", "PAD-3", "REL-6", "POS-3", "ATT-3", "NUM-4"} <= conforms(compiled)


def test_what_a_process_computes_instead_is_named(tmp_path):
    right = (EXAMPLES / "attention.py").read_text()
    wrong = right.replace("per_head[0][:, rows])", "per_head[0][:, ::-1][:, rows])")
    assert wrong != right
    path = tmp_path / "descending.py"
    path.write_text(wrong)
    command = f"{PYTHON} {shlex.quote(str(path))}"
    done = CliRunner().invoke(main, ["verify", "--process", command, "--profile", "brief",
                                     "--json"])
    [target] = json.loads(done.stdout)["targets"]
    assert (done.exit_code, target["outcome"]) == (1, "deviates")
    assert target["diagnosis"]["found"] == "deviations"
    assert [(each["name"], each["clause"]) for each in target["diagnosis"]["deviations"]] == [
        ("offset-descending", "REL-3")]


@pytest.mark.parametrize("line", [
    b"", b"{", b"[1, 2", b'{"a": "b', b'{"operation": 1}', b"nonsense", b"[" * 1000,
    b'{"operation": "local_attention"}'])
def test_the_example_in_c_refuses_what_is_no_request(compiled, line):
    done = subprocess.run(shlex.split(compiled), input=line + b"\n", capture_output=True, timeout=5,
                          check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"attention: ")


@pytest.mark.parametrize("encoding", ["base64", "lists"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_arrays_go_there_and_back(tmp_path, encoding, dtype):
    hello = HELLO | {"dtypes": [dtype], "encoding": encoding}
    command = process(tmp_path, "print(json.dumps({'id': request['id'], **x}))", hello)
    target = ProcessTarget(command)
    numbers = np.array([1.5, -0.0, np.nan, np.inf, -np.inf, 0.1]).reshape(1, 1, 2, 3)
    numbers = round_to(numbers, dtype)
    case = replace(case_of(dtype=dtype), arrays={"x": numbers})
    result = target.call(case, target.native(case))
    target._stop()
    assert target.result_dtype(result) == dtype
    np.testing.assert_array_equal(target.read(result).astype(np.float64), numbers)


def test_every_line_keeps_to_the_schema(tmp_path):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    log = tmp_path / "log"
    code = (f"open({str(log)!r}, 'a').write(line)\n"
            "print(json.dumps({'id': request['id'], 'shape': [0], 'data': []}))")
    target = ProcessTarget(process(tmp_path, code))
    for case in (case_of(), case_of(network_cases), replace(case_of(), types={"x": "complex64"})):
        for target._encoding in ("base64", "lists"):
            if case.operation != "network":
                target.call(case, target.native(case))
    target._stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines += [process_door._request(case_of(network_cases), {}, 1, "base64"), {"hello": HELLO},
              {"hello": {"protocol": 1, "spec_version": reference.SPEC_VERSION}},
              {"id": 1, "error": {"type": "ValueError", "message": "no"}},
              {"id": 1, "layers": {"stem": {"shape": [], "data": 1}}}]
    assert len(lines) == 9
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    for wrong in ({}, {"hello": {}}, {"id": 1}, {"id": 1, "shape": [-1], "data": ""},
                  {"hello": HELLO | {"operations": ["convolve"]}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)


def test_a_network_answers_layer_by_layer(tmp_path):
    case = case_of(network_cases)
    layers = {name: spell_array(array, "float64")
              for name, array in call(reference, case, case.arrays).items()}
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(layers))
    code = f"print(json.dumps({{'id': request['id'], 'layers': json.load(open({str(path)!r}))}}))"
    target = ProcessTarget(process(tmp_path, code, HELLO | {"operations": ["network"]}))
    result = target.call(case, target.native(case))
    target._stop()
    assert list(result) == list(layers)
    assert target.read(result["logits"]).shape == tuple(layers["logits"]["shape"])


def test_an_error_is_the_implementations_own(tmp_path):
    code = ("print(json.dumps({'id': request['id'], 'error': "
            "{'type': 'ValueError', 'message': '`x` must be; got it.'}}))")
    target = ProcessTarget(process(tmp_path, code))
    case = case_of()
    with pytest.raises(TargetFailure, match="exception: ValueError: `x` must be") as caught:
        target.call(case, target.native(case))
    target._stop()
    assert caught.value.raised.bases == ("ValueError",)


SAY = "print(json.dumps({'id': request['id'], WHAT}))"
ANSWER = "print(json.dumps({'id': request['id'], 'shape': SHAPE, 'data': DATA}))"


@pytest.mark.parametrize(("code", "beginning"), [
    ("print('{')", "bad answer: a line that is no JSON object: b'{"),
    ("print('[' * 100000)", "bad answer: a line that is no JSON object: b'[["),
    ("print('[1]')", "bad answer: a line that is no JSON object: b'[1]"),
    ("print('{}')", "bad answer: ValueError: its id is None, not "),
    (SAY.replace("WHAT", "'x': 1"), "bad answer: KeyError: 'shape', in the response to a"),
    (SAY.replace("WHAT", "'error': 3"), "bad answer: TypeError: "),
    (SAY.replace("WHAT", "'error': {'type': 1, 'message': 2}"), "bad answer: TypeError: an error "),
    (ANSWER.replace("SHAPE", "[9]").replace("DATA", "''"), "bad answer: ValueError: `data` must "),
    (ANSWER.replace("SHAPE", "[10**12]").replace("DATA", "''"), "bad answer: ValueError: `data` "),
    (ANSWER.replace("SHAPE", "[-1]").replace("DATA", "''"), "bad answer: ValueError: `shape` must"),
    (ANSWER.replace("SHAPE", "'x'").replace("DATA", "''"), "bad answer: ValueError: `shape` must "),
    (ANSWER.replace("SHAPE", "[1]").replace("DATA", "'!'"), "bad answer: Error: "),
    (ANSWER.replace("SHAPE", "[1]").replace("DATA", "['pass']"), "bad answer: ValueError: `data` "),
    (ANSWER.replace("SHAPE", "[1]").replace("DATA", "[[1]]"), "bad answer: "),
    (ANSWER.replace("SHAPE", "[2]").replace("DATA", "[1]"), "bad answer: ValueError: `data` must "),
    (ANSWER.replace("SHAPE", "x['shape']").replace("DATA", "x['data']"), "average_pool: "),
    ("os.abort()", "crash: the process ended by SIGABRT."),
    ("sys.exit(3)", "exit: the process ended with status 3."),
    ("time.sleep(600)", "hang: no answer within 1 s, in average_pool."),
    ("while True: print('x' * 1000, end='')", "hang: no answer within 1 s, in average_pool."),
    ("while True: print('x' * 1000, file=sys.stderr)", "endless output: more than 1048576 bytes, "),
    ("x = bytearray(100 << 30)", "exit: the process ended with status 1."),
    ("os.closerange(0, 9); time.sleep(600)", "hang: no answer within 1 s, in average_pool."),
])
def test_a_process_that_does_not_answer_never_passes(tmp_path, code, beginning):
    limits = Limits(seconds=1, memory=2 << 30, output=1 << 20, restarts=0)
    described = {"door": "process", "command": process(tmp_path, code)}
    with IsolatedTarget("hostile", described, limits) as target:
        verdict = run_verification([target], clauses=["NET-11"], profile="brief")[0]
    assert verdict.reason is None
    assert verdict.failures[0].reason.startswith(beginning)


def test_what_it_says_on_stderr_is_shown(tmp_path):
    code = "print('out of luck', file=sys.stderr, flush=True)\nsys.exit(3)"
    described = {"door": "process", "command": process(tmp_path, code)}
    with IsolatedTarget("hostile", described, Limits(restarts=0)) as target:
        verdict = run_verification([target], clauses=["NET-11"], profile="brief")[0]
    assert "| out of luck" in verdict.failures[0].reason


@pytest.mark.parametrize(("command", "text"), [
    ("/no/such/command", "import error: cannot run '/no/such/command'"),
    ("'", "import error: cannot run "),
    ("", "import error: cannot run "),
    ("false", "exit: the process ended with status 1."),
    ("echo hello", "bad answer: a line that is no JSON object: b'hello"),
    ("echo '{\"id\": 1}'", "bad answer: its first line must be a hello; got"),
    ("echo '{\"hello\": {}}'", "bad answer: `spec_version` must be at most"),
    ("echo '{\"hello\": {\"spec_version\": \"99.0\"}}'", "bad answer: `spec_version` must be at "),
    ("echo '{\"hello\": {\"spec_version\": \"0.1\", \"operations\": 1}}'", "bad answer: `oper"),
    ("echo '{\"hello\": {\"spec_version\": \"0.1\", \"encoding\": \"x\"}}'", "bad answer: `enco"),
])
def test_what_is_no_such_process_cannot_be_judged(command, text):
    with pytest.raises(TargetFailure) as caught:
        ProcessTarget(command)
    assert str(caught.value).startswith(text)
