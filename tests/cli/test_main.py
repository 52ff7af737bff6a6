"""The command line as a whole: help, versions, errors as one line, interrupts, closed pipes."""

import errno
import subprocess
import sys

import pytest
from click.testing import CliRunner

from sasakit.cli import cost as cost_file
from sasakit.cli.main import COMMANDS, main


def run(*args):
    return CliRunner().invoke(main, args)


def test_help_lists_every_command_without_importing_one():
    done = run("--help")
    assert done.exit_code == 0
    listed = [line.split()[0] for line in done.output.split("Commands:\n")[1].splitlines()]
    assert listed == list(COMMANDS) == [
        "demo", "classify", "cost", "verify", "selfcheck", "bench", "vectors", "train",
        "backends"]


def test_version_names_the_package_and_the_specification():
    assert run("--version").output == "sasakit 0.1.0, SPEC.md 0.3\n"


@pytest.mark.parametrize("name", ["cost", "classify", "backends", "demo", "selfcheck"])
def test_help_teaches_by_example(name):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert f"Examples:\n    sasakit {name}" in done.output
    assert "Keys of --json" in done.output
    assert "Exit status" in done.output


def test_unknown_command():
    done = run("cots")
    assert done.exit_code == 2
    assert "Error: No such command 'cots'." in done.stderr


@pytest.mark.parametrize(("raised", "line"), [
    (ValueError("`extent` must be\nat least 1."), "Error: `extent` must be at least 1.\n"),
    (TypeError("`classes` must be an integer."), "Error: `classes` must be an integer.\n"),
    (ImportError("Reading images needs Pillow."), "Error: Reading images needs Pillow.\n"),
    (OSError(errno.ENOENT, "No such file or directory", "a.bin"),
     "Error: a.bin: No such file or directory.\n"),
    (ValueError(), "Error: ValueError\n"),
])
def test_errors_are_one_line_and_status_2(monkeypatch, raised, line):
    def fail(*_):
        raise raised
    monkeypatch.setattr(cost_file, "count_cost", fail)
    done = run("cost")
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", line)


def test_interrupt_is_status_130(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(cost_file, "count_cost", interrupted)
    done = run("cost")
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_help_and_cost_import_nothing_heavy():
    program = (
        "import sys\n"
        "from sasakit.cli.main import main\n"
        "for args in (['--help'], ['cost'], ['cost', '--paper', '--json']):\n"
        "    main(args, standalone_mode=False)\n"
        "heavy = {'torch', 'numba', 'hypothesis', 'PIL', 'safetensors'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_pipe_is_quiet():
    with subprocess.Popen([sys.executable, "-m", "sasakit.cli", "cost", "--paper"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
