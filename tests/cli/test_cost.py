"""sasakit cost: the texts, the keys, and what is refused."""

import json

import pytest
from click.testing import CliRunner

from sasakit.cli.main import main


def run(*args):
    return CliRunner().invoke(main, ("cost", *args))


def test_text():
    assert run("--model", "resnet26", "--stages", "3,4", "--size", "64x96").output == """\
resnet26, stem conv, attention in stages 3 4, image 64 x 96

part        parameters  GFLOPs
stem             9,536   0.030
stage1          75,008   0.058
stage2         659,456   0.146
stage3       3,292,032   0.216
stage4       4,467,136   0.104
classifier   2,049,000   0.004
total       10,552,168   0.558
"""


def test_json():
    done = run("--stages", "none", "--classes", "10", "--json")
    document = json.loads(done.stdout)
    assert list(document) == ["spec_version", "model", "spec", "height", "width", "parameters",
                              "flops", "parts"]
    assert document["spec"]["stages"] == []
    assert (document["height"], document["width"]) == (224, 224)
    assert document["parameters"] == 25_557_032 - 990 * 2049
    assert [list(part) for part in document["parts"]] == [["name", "parameters", "flops"]] * 6
    assert sum(part["flops"] for part in document["parts"]) == document["flops"]


def test_every_option_reaches_the_network():
    done = run("--model", "resnet38", "--stem", "mixture", "--extent", "5", "--stages", "4",
               "--heads", "4", "--position", "absolute", "--no-content", "--classes", "7", "--json")
    spec = json.loads(done.stdout)["spec"]
    chosen = {"depth": 38, "stem": "mixture", "extent": 5, "stages": [4], "heads": 4,
              "position": "absolute", "content": False, "classes": 7}
    assert {name: spec[name] for name in chosen} == chosen


def test_paper_text():
    lines = run("--paper").output.splitlines()
    assert lines[0].split() == ["table", "network", "variant", "quantity", "paper", "ours",
                                "exact"]
    assert lines[1] == ("1      ResNet-26  convolution            GFLOPs"
                        "          4.7   4.7   4.7204  match")
    assert sum(line.endswith("MISS") for line in lines) == 6
    assert lines[-1] == "46 of 52 cells print as in the paper."


def test_paper_json():
    document = json.loads(run("--paper", "--json").stdout)
    assert list(document) == ["spec_version", "cells", "matches", "cells_total"]
    assert (document["matches"], document["cells_total"]) == (46, 52)
    assert len(document["cells"]) == 52
    assert document["cells"][0] == {
        "table": "1", "row": "ResNet-26", "column": "convolution", "quantity": "gflops",
        "paper": 4.7, "ours": 4.7, "exact": 4.7204, "match": True}
    assert {cell["table"] for cell in document["cells"]} == set("134567")
    assert all(cell["match"] == (cell["paper"] == cell["ours"]) for cell in document["cells"])


@pytest.mark.parametrize(("args", "error"), [
    (["--stages", "5"], "`stages` must be distinct and lie in 1 to 4; got (5,)."),
    (["--heads", "3"], "`heads` must divide the channels_out; got heads=3, channels_out=64."),
    (["--extent", "0"], "`extent` must be at least 1; got 0."),
    (["--size", "0"], "`height` must be at least 1; got 0."),
    (["--position", "none", "--no-content"],
     "`content` must be True with position none; got False."),
    (["--stages", "one"],
     "Invalid value for '--stages': 'one' is not numbers between commas, as 3,4, or none."),
    (["--size", "3x"], "Invalid value for '--size': '3x' is not a size, as 224 or 224x192."),
    (["--paper", "--size", "3", "--heads", "8"],
     "--paper counts the paper's own networks; leave out --heads, --size."),
])
def test_refused(args, error):
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"Error: {error}"
    assert "Traceback" not in done.stderr
