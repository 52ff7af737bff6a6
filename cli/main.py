"""The command sasakit: the group that finds each command in its own file."""

import importlib.metadata

import click

from .lazy import LazyGroup

COMMANDS = {
    "demo": ("sasakit.cli.demo", "demo", "A guided tour on handwritten digits."),
    "classify": ("sasakit.cli.classify", "classify", "Say what is on images."),
    "cost": ("sasakit.cli.cost", "cost", "Count parameters and FLOPs, beside the paper's."),
    "verify": ("sasakit.cli.verify", "verify", "Judge an implementation by SPEC.md."),
    "selfcheck": ("sasakit.cli.selfcheck", "selfcheck", "Check the judge itself, and score it."),
    "bench": ("sasakit.cli.bench", "bench", "Time the kernels, against the machine and others."),
    "vectors": ("sasakit.cli.vectors", "vectors", "Golden vectors for any language."),
    "train": ("sasakit.cli.train", "train", "Train the digits network."),
    "backends": ("sasakit.cli.backends", "backends", "Show what is installed and what runs."),
}


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from sasakit.reference.contract.version import SPEC_VERSION
    package = importlib.metadata.version("sasakit")
    click.echo(f"sasakit {package}, SPEC.md {SPEC_VERSION}")
    ctx.exit()


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
              help="Show the versions of the package and of SPEC.md, and exit.")
def main() -> None:
    """Stand-alone self-attention: what it means, fast kernels, and a judge.

    Every command takes --json, which prints one JSON document on stdout whose keys the command's
    --help lists, and --help, which has examples.

    \b
    Examples:
      sasakit demo                      the guided tour
      sasakit classify digit.png        say which digit it is
      sasakit cost --paper              the paper's tables, counted again
      sasakit verify numba              judge the fast kernels
      sasakit backends                  what is installed here

    \b
    Exit status:
      0    done
      1    done, but something was refused or did not pass
      2    an error in the command line or in what was given, as one line on stderr
      130  interrupted by Ctrl-C
    """
