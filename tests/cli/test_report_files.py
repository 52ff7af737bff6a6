"""`sasakit verify --html --junit`: whole files, or none and an error that says why."""

import sys
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from sasakit.accel import door
from sasakit.cli.main import main
from sasakit.cli.report_files import write_whole
from sasakit.conformance.mutants import Mutant, mutated_backend

BROKEN = Mutant("PAD-1", "padding-excluded", "attention",
                '            if options.padding == "exclude":\n',
                '            if options.padding != "shift":\n')


def verify(*arguments):
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def test_writes_both_reports_of_a_broken_backend(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "broken_backend", mutated_backend(BROKEN))
    monkeypatch.setitem(door._MODULES, "reference", "broken_backend")
    html, junit = tmp_path / "report.html", tmp_path / "report.xml"
    result = verify("reference", "--clauses", "PAD", "--html", html, "--junit", junit)
    assert result.exit_code == 1
    assert "2 clauses passed, 1 failed" in result.stdout
    page = html.read_text(encoding="utf-8")
    assert "Over the image" in page
    assert 'backend = resolve_backend(&#x27;reference&#x27;)' in page
    [suite] = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.xml"]


@pytest.mark.parametrize("option", ["--html", "--junit"])
@pytest.mark.parametrize(("file", "text"), [("none/report", "is no directory."),
                                            ("", "is a directory.")])
def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(option, file, text,
                                                                       tmp_path):
    result = verify("reference", option, tmp_path / file)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.stderr
    assert text in result.stderr
    assert result.stdout == ""


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    file = tmp_path / "report.html"
    write_whole(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "new \ud800")
    assert file.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    write_whole(file, "new")
    assert file.read_text(encoding="utf-8") == "new"
