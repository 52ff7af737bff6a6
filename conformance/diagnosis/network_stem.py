"""A network's first layers against NET-5 and chapter 7."""

from ..report import Deviation, Diagnosis
from .diagnose import diagnose
from .network_blocks import BlockFacts
from .network_flow import Flow, Image, Way
from .network_parts import Parts, argument_of
from .network_trace import Module
from .network_verdict import Verdict
from .stem_choices import finish_deviations
from .stem_diagnosis import diagnose_stem

CONVOLUTION = {"kernel_size": 7, "stride": 2, "padding": 3, "dilation": 1, "groups": 1}
STEM = ("conv7/2", "norm", "relu", "maximum 3")
# What may follow the attention of a stem, in the words of stem_choices.
FINISH = {"norm": "norm", "relu": "relu", "maximum 4": "maximum", "average 4": "average"}


def judge_stem(image: Image, parts: Parts, first: BlockFacts, verdict: Verdict) -> None:
    """Which stem the network has, and what it does otherwise."""
    block = next(n for n, call in enumerate(image.calls) if call.path == first.path)
    calls = [n for n, call in enumerate(image.calls[:block])
             if call.path in parts.between() and not call.path.startswith(f"{first.path}.")]
    way = Flow(image, image.x, calls, parts.leaves).explain(image.given(block))
    if way is None or way.joined is not None or not way.tokens:
        verdict.open("the way from the image to the first block is none that is known")
        return
    if first.channels[0] != first.channels[1] and first.channels[0] != 0:
        verdict.violate(f"the stem has {first.channels[0]} channels and the first stage "
                        f"{first.channels[1]}, where NET-5 asks for the same")
    leaves = [parts.leaves[image.calls[n].path] for n in calls]
    weighed = [leaf for leaf in leaves if leaf.kind in ("convolution", "other", "linear")]
    if len(weighed) == 1 and weighed[0].kind == "convolution":
        _judge_convolution(weighed[0], way, verdict)
    elif len(weighed) == 1 and weighed[0].kind == "other":
        _judge_attention(image, weighed[0], way, verdict)
    else:
        verdict.open(f"the stem {' '.join(way.tokens)} is none that is known")


def _judge_convolution(leaf: Module, way: Way, verdict: Verdict) -> None:
    given = {name: _number(leaf.arguments[name]) for name in CONVOLUTION}
    if given == CONVOLUTION and way.tokens == STEM:
        verdict.options["stem"] = "conv"
        return
    verdict.deviate(Deviation(
        "stem-mismatched", "NET-5",
        f"the first layers, {' '.join(way.tokens)}, are none of chapter 7's four stems"))


def _number(value: object) -> object:
    return value[0] if isinstance(value, list) and len(set(value)) == 1 else value


def _judge_attention(image: Image, leaf: Module, way: Way, verdict: Verdict) -> None:
    """The stem's attention by its class, what follows it by what was seen."""
    found = diagnose_stem(image.network.builder(leaf.path, opened=True))
    after = way.tokens[1:]
    if found is None:
        _judge_layer(image, leaf, verdict)
        return
    for name, role in (("stem_heads", "heads"), ("stem_window", "extent")):
        value = argument_of(leaf, role)
        if value is not None:
            verdict.options[name] = value
    verdict.options |= found.options
    for each in found.deviations:
        verdict.deviate(Deviation(each.name, each.clause, f"{leaf.cls}: {each.sentence}"))
    if found.found == "unknown":
        text = f"{leaf.cls}: {found.stopped_at}"
        _violate_or_open(found, text, verdict)
    if any(token not in FINISH for token in after):
        verdict.open(f"what follows the stem's attention, {' '.join(after)}, is none that is known")
    elif after:
        verdict.notes.append("STEM-7, sizes that the window does not divide, is not judged inside "
                             "a network")
        for each in finish_deviations(tuple(FINISH[token] for token in after)):
            verdict.deviate(each)


def _judge_layer(image: Image, leaf: Module, verdict: Verdict) -> None:
    """A layer in the stem's place is no stem."""
    found: Diagnosis = diagnose(image.network.builder(leaf.path, opened=False))
    if found.found in ("options", "deviations"):
        verdict.deviate(Deviation("stem-mismatched", "NET-5",
                                  f"{leaf.cls}, the first layer, is an attention layer of sliding "
                                  "windows, none of chapter 7's four stems"))
    else:
        verdict.open(f"{leaf.cls}, the first layer, is explained neither as a stem nor as a layer")


def _violate_or_open(found: Diagnosis, text: str, verdict: Verdict) -> None:
    if found.findings:
        verdict.violate(f"{text}; {found.findings[0]}")
    else:
        verdict.open(text)
