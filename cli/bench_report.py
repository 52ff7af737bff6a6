"""What a measurement says: one document, which --json prints, and the same as tables."""

import textwrap
from collections.abc import Iterable
from typing import Any

import click

from sasakit.reference import SPEC_VERSION

from .bench_rounds import Contest
from .bench_targets import WHERE, target_rows
from .output import print_table

FORMAT = 2
NOTES = (
    "Random weights and random inputs: times mean nothing for accuracy, and no data is read.",
    "One machine, at one time: another process, another CPU, another clock rate give others.",
    "The attention network is not the convolutional one made faster: with a convolution stem it "
    "has 15 % fewer FLOPs, so level times would be no merit of the kernels.",
    "FLOPs and bytes are what a contestant's definition needs at least, not what it does; "
    "GFLOP/s and the share of the peak follow from them.",
    "Ratios compare calls that are warm; starting, compiling and packing weights are not in them.",
)


def case_document(contest: Contest, ceilings: dict[str, Any]) -> dict[str, Any]:
    """One contest that was timed, with everybody's share of the peak of as many threads."""
    times = contest.times
    if times is None:
        raise ValueError(f"`contest` must have been timed; got {contest.name}.")
    peak, rows = peak_of(ceilings, contest.threads), []
    for contestant in contest.contestants:
        seconds = times.seconds[contestant.name]
        gflops = contestant.work.flops / seconds / 1e9
        rows.append({
            "name": contestant.name, "against": contestant.against,
            "milliseconds": seconds * 1e3, "ratio": seconds / times.seconds[contestant.against],
            "flops": contestant.work.flops, "bytes": contestant.work.moved, "gflops": gflops,
            "share_of_peak": gflops / peak, "note": contestant.note})
    return {"case": contest.name, "batch": contest.batch, "threads": contest.threads,
            "shape": contest.shape, "curve": contest.curve, "rounds": times.rounds,
            "disturbed": times.disturbed, "contestants": rows,
            "missing": [{"name": missing.name, "reason": missing.reason}
                        for missing in contest.missing]}


def document(what: str, command: str, machine: dict[str, Any], ceilings: dict[str, Any],
             contests: Iterable[Contest], figures: list[dict[str, Any]]) -> dict[str, Any]:
    """All of one measurement.

    figures  name, unit, value and reason of what is no time of turns
    """
    cases = [case_document(contest, ceilings) for contest in contests]
    return {"format": FORMAT, "spec_version": SPEC_VERSION, "benchmark": what, "command": command,
            "machine": machine, "ceilings": ceilings, "cases": cases, "figures": figures,
            "targets": target_rows(what, cases, figures), "notes": [*NOTES, WHERE]}


def peak_of(ceilings: dict[str, Any], threads: int) -> float:
    """GFLOP/s at most with so many threads, of those that were measured."""
    rates = {rate["threads"]: rate["gflops"] for rate in ceilings["multiply_add"]}
    return float(rates[threads])


def print_document(document: dict[str, Any]) -> None:
    """Machine, a table for each case, the targets, who is missing, what the numbers do not say."""
    _print_top(document)
    for case in document["cases"]:
        _print_case(case)
    click.echo()
    for figure in document["figures"]:
        click.echo(f"{figure['name']}: {_figure(figure)}")
    _print_targets(document["targets"])
    for line in _missing(document["cases"]):
        click.echo(line)
    click.echo("What the numbers do not say:")
    for note in document["notes"]:
        click.echo(textwrap.fill(note, 88, initial_indent="  - ", subsequent_indent="    "))


def _print_case(case: dict[str, Any]) -> None:
    click.echo(f"\n{case['case']}: {_count(case['threads'], 'thread')}, {_rounds(case)}")
    rows = [("", "ms", "GFLOP/s", "of peak", "ratio", "to")]
    rows += [(row["name"], f"{row['milliseconds']:.3f}", f"{row['gflops']:.2f}",
              f"{row['share_of_peak']:.1%}", f"{row['ratio']:.2f}", row["against"])
             for row in case["contestants"]]
    print_table(rows, "<>>>><")
    for row in case["contestants"]:
        if row["note"]:
            click.echo(f"{row['name']}: {row['note']}.")


def _rounds(case: dict[str, Any]) -> str:
    rounds, disturbed = case["rounds"], case["disturbed"]
    if disturbed is None:
        return (f"medians of {_count(rounds, 'round')}; whether other processes ran in them is "
                "not known here")
    if disturbed == rounds:
        return (f"medians of {_count(rounds, 'round')}; other processes ran in each, "
                "so none is left out")
    return f"medians of {_count(rounds - disturbed, 'round')}; {disturbed} disturbed, left out"


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return f"not measured ({figure['reason']})"
    if figure["unit"] == "bytes":
        return f"{figure['value'] / 2 ** 20:.1f} MiB"
    return f"{figure['value']:.1f} s"


def _print_targets(targets: list[dict[str, Any]]) -> None:
    click.echo(f"\n{WHERE}")
    rows = [("", "case", "target", "measured", "met", "fastest peer")]
    for row in targets:
        met = {True: "yes", False: "no", None: "-"}[row["met"]]
        about = "; ".join(text for text in (row["against"], row["reason"]) if text)
        if row["without"]:
            about += f" (without {'; '.join(row['without'])})"
        rows.append((row["row"], row["case"], _quantity(row["target"], row["kind"]),
                     _quantity(row["measured"], row["kind"]), met, about))
    print_table(rows, "<<>><<")
    click.echo()


def _quantity(value: float | None, kind: str) -> str:
    if value is None:
        return "-"
    return {"share": f"{value:.0%}", "seconds": f"{value:.1f} s", "ratio": f"{value:.2f}"}[kind]


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
