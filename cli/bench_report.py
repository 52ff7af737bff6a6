"""What a measurement says: one document, which --json prints, and the same as tables."""

import textwrap
from collections.abc import Iterable
from typing import Any

import click

from sasakit.reference import SPEC_VERSION

from .bench_rounds import Contest, Times
from .output import print_table

FORMAT = 1
NOTES = (
    "Random weights and random inputs: times mean nothing for accuracy, and no data is read.",
    "One machine, at one time: another process, another CPU, another clock rate give others.",
    "FLOPs and bytes are what a contestant's definition needs at least, not what it does; "
    "GFLOP/s and the share of the peak follow from them.",
    "Ratios compare calls that are warm; starting, compiling and packing weights are not in them.",
)


def case_document(contest: Contest, times: Times) -> dict[str, Any]:
    """One contest and its times; nobody's share of the peak yet."""
    rows = []
    for contestant in contest.contestants:
        seconds = times.seconds[contestant.name]
        rows.append({
            "name": contestant.name, "against": contestant.against,
            "milliseconds": seconds * 1e3, "ratio": seconds / times.seconds[contestant.against],
            "flops": contestant.work.flops, "bytes": contestant.work.moved,
            "gflops": contestant.work.flops / seconds / 1e9})
    return {"case": contest.name, "rounds": times.rounds, "contestants": rows,
            "missing": [{"name": missing.name, "reason": missing.reason}
                        for missing in contest.missing]}


def document(what: str, command: str, batch: int, machine: dict[str, Any],
             ceilings: dict[str, Any], cases: list[dict[str, Any]]) -> dict[str, Any]:
    """All of one measurement, with everybody's share of the peak."""
    for case in cases:
        for row in case["contestants"]:
            row["share_of_peak"] = row["gflops"] / peak_of(ceilings)
    return {"format": FORMAT, "spec_version": SPEC_VERSION, "benchmark": what, "command": command,
            "batch": batch, "machine": machine, "ceilings": ceilings, "cases": cases,
            "notes": list(NOTES)}


def peak_of(ceilings: dict[str, Any]) -> float:
    """GFLOP/s at most with all threads that are used."""
    return float(ceilings["multiply_add"][-1]["gflops"])


def print_document(document: dict[str, Any]) -> None:
    """Machine and command, a table for each case, who is missing, what the numbers do not say."""
    _print_top(document)
    for case in document["cases"]:
        click.echo(f"\n{case['case']}, batch {document['batch']}, medians of "
                   f"{_count(case['rounds'], 'round')}")
        rows = [("", "ms", "GFLOP/s", "of peak", "ratio", "to")]
        rows += [(row["name"], f"{row['milliseconds']:.3f}", f"{row['gflops']:.2f}",
                  f"{row['share_of_peak']:.1%}", f"{row['ratio']:.2f}", row["against"])
                 for row in case["contestants"]]
        print_table(rows, "<>>>><")
    click.echo()
    for line in _missing(document["cases"]):
        click.echo(line)
    click.echo("What the numbers do not say:")
    for note in document["notes"]:
        click.echo(textwrap.fill(note, 88, initial_indent="  - ", subsequent_indent="    "))


def _print_top(document: dict[str, Any]) -> None:
    machine, ceilings = document["machine"], document["ceilings"]
    cpu = machine["cpu"]
    click.echo(document["command"])
    click.echo(f"{cpu['name']}, {cpu['instruction_set']}, {_count(machine['cores'], 'core')}, "
               f"{_count(machine['threads'], 'thread')} ({machine['threading_layer']}); "
               f"{machine['system']}")
    versions = {"python": machine["python"], **machine["packages"]}
    click.echo(", ".join(f"{name} {version}" for name, version in versions.items()))
    if machine["environment"]:
        click.echo(" ".join(f"{name}={value}" for name, value in machine["environment"].items()))
    rates = ", ".join(f"{rate['gflops']:.0f} GFLOP/s on {_count(rate['threads'], 'thread')}"
                      for rate in ceilings["multiply_add"])
    click.echo(f"At most, float32: {rates}; copying moves {ceilings['copy_gbytes']:.1f} GB/s.")


def _count(number: int | None, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _missing(cases: Iterable[dict[str, Any]]) -> list[str]:
    """One line for each reason, with all that are missing for it."""
    reasons: dict[str, list[str]] = {}
    for case in cases:
        for missing in case["missing"]:
            names = reasons.setdefault(missing["reason"], [])
            if missing["name"] not in names:
                names.append(missing["name"])
    return [f"Missing ({reason}): {'; '.join(names)}." for reason, names in reasons.items()]
