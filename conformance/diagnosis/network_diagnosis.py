"""A whole network against chapter 8: its layers, its stem, its blocks, its end."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from sasakit.reference.contract.architecture import BLOCKS, EXPANSION

from ..report import Deviation, Diagnosis
from ..reports.summary import first_line
from .diagnose import diagnose
from .instance import ModuleError, same
from .network_blocks import BlockFacts, Name, judge_block, size_names
from .network_count import count_parameters
from .network_flow import POOLS, Flow, Image, inside
from .network_parts import Parts, argument_of, is_wide, kinds_of, sort_modules
from .network_stem import judge_stem
from .network_trace import Module, Network
from .network_verdict import Verdict

# The first that the network takes; multiples of 32 divide evenly all the way.
SIZES = ((64, 96), (128, 128), (224, 224), (32, 32))
ODD_SIZE = (68, 92)


def diagnose_network(network: Network) -> Diagnosis | None:
    """What a network does otherwise than chapter 8; None where no class scores come out.

    Raises ModuleError where it cannot be built.
    """
    modules = network.modules()
    parts = sort_modules(modules)
    image = next((found for size in SIZES for found in [_image(network, size)]
                  if found.raised is None), None)
    if image is None or not image.calls or len(image.calls[-1].gave) != 2:
        return None
    verdict = Verdict()
    if not parts.blocks:
        verdict.open("no bottleneck block was found in it: no module holds two 1 x 1 convolutions "
                     "around one layer")
        return verdict.diagnosis()
    facts = [_block(image, parts, block) for block in _in_order(image, parts.blocks)]
    _judge_layers(network, parts, facts, verdict)
    judge_stem(image, parts, facts[0], verdict)
    _judge_blocks(facts, verdict)
    _judge_stages(facts, verdict)
    _judge_end(image, parts, facts, verdict)
    _judge_norms(parts, verdict)
    _judge_odd_sizes(_image(network, ODD_SIZE), parts, facts, verdict)
    classes = image.calls[-1].gave[1]
    verdict.notes.append(count_parameters(modules[0], stages_of(facts), classes, verdict))
    return verdict.diagnosis()


def _image(network: Network, size: tuple[int, int]) -> Image:
    rng = np.random.default_rng(0)
    return Image(network, rng.standard_normal((1, 3, *size)))


def _in_order(image: Image, blocks: list[Module]) -> list[Module]:
    order = [call.path for call in image.calls]
    return sorted((block for block in blocks if block.path in order),
                  key=lambda block: order.index(block.path))


def _call(image: Image, path: str) -> int:
    return next(n for n, call in enumerate(image.calls) if call.path == path)


def _block(image: Image, parts: Parts, block: Module) -> BlockFacts:
    """A block's channels and stride, and what its inside says."""
    call = image.calls[_call(image, block.path)]
    layers = [layer for layer in parts.layers if block.holds(layer.path)]
    calls = list(inside(image, block, parts.leaves))
    # The layer in the middle is the one that is no 1 x 1.
    middle = next(image.calls[n].given[1] for n in calls if is_wide(parts, image.calls[n].path))
    facts = BlockFacts(block.path, layers[0].path if layers else None,
                       (call.given[1], middle, call.gave[1]),
                       -(-call.given[2] // call.gave[2]))
    at = _call(image, block.path)
    flow = Flow(image, image.given(at), calls, parts.leaves)
    judge_block(facts, flow.explain(image.gave(at)))
    return facts


def _judge_layers(network: Network, parts: Parts, facts: list[BlockFacts],
                  verdict: Verdict) -> None:
    """Every kind of attention layer in the blocks, built anew and judged as any layer is."""
    used = {fact.attention for fact in facts}
    layers = [layer for layer in parts.layers if layer.path in used]
    for layer, alike in kinds_of(layers):
        where = f"{layer.cls}, in {len(alike)} block{'s' if len(alike) > 1 else ''}"
        try:
            found = diagnose(network.builder(layer.path, opened=False))
        except ModuleError as error:
            found = Diagnosis("not judged", stopped_at=str(error))
        for each in found.deviations:
            clause = "NET-3" if each.name == "strided-queries" else each.clause
            verdict.deviate(Deviation(each.name, clause, f"{where}: {each.sentence}"))
        if found.found == "unknown" and found.findings:
            verdict.violate(f"{where}: {found.stopped_at}; {found.findings[0]}")
        elif found.found in ("unknown", "not judged"):
            verdict.open(f"{where}: {found.stopped_at}")
        for name, value in found.options.items():
            verdict.option(name, value, layer.cls)
        for role in ("extent", "heads"):
            for other in alike:
                value = argument_of(other, role)
                if value is not None:
                    verdict.option(role, value, other.path)


def _judge_blocks(facts: list[BlockFacts], verdict: Verdict) -> None:
    grouped: dict[Deviation, list[str]] = {}
    for fact in facts:
        for each in fact.deviations:
            grouped.setdefault(each, []).append(fact.path)
        if fact.problem is not None:
            verdict.open(f"block {fact.path}: {fact.problem}")
    for each, paths in grouped.items():
        where = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        verdict.deviate(replace(each, sentence=f"{where}: {each.sentence}"))


def stages_of(facts: list[BlockFacts]) -> list[list[BlockFacts]]:
    """Blocks by stage: a new one begins where the size halves or the channels out change."""
    stages: list[list[BlockFacts]] = []
    for fact in facts:
        if not stages or fact.stride > 1 or fact.channels[2] != stages[-1][-1].channels[2]:
            stages.append([])
        stages[-1].append(fact)
    return stages


def _judge_stages(facts: list[BlockFacts], verdict: Verdict) -> None:
    """NET-1, NET-4: how many blocks, how wide, and which attend."""
    stages = stages_of(facts)
    counts = tuple(len(stage) for stage in stages)
    depth = 3 * sum(counts) + 2
    if depth in BLOCKS and counts != BLOCKS[depth]:
        verdict.deviate(Deviation("blocks-miscounted", "NET-1",
                                  f"{depth} layers deep, it has {counts} blocks"))
    elif depth not in BLOCKS:
        verdict.notes.append(f"NET-1 names no network of {depth} layers: the blocks {counts} are "
                             "not judged")
    widths = [fact.channels[1] for stage in stages for fact in stage[:1]]
    if widths != [widths[0] * 2 ** n for n in range(len(widths))]:
        verdict.deviate(Deviation("width-not-doubled", "NET-1",
                                  f"the stages have {widths} middle channels"))
    for fact in facts:
        if fact.channels[2] != EXPANSION * fact.channels[1]:
            verdict.violate(f"block {fact.path} has {fact.channels[1]} middle channels and "
                            f"{fact.channels[2]} out, where NET-1 asks for four times as many")
            break
    late = [stage[0].path for stage in stages[1:] if stage[0].stride != 2]
    if late or stages[0][0].stride != 1:
        verdict.violate(f"stage by stage the size is divided by {[s[0].stride for s in stages]}, "
                        "where NET-10 asks for 1 in the first stage and 2 in the others")
    attends = [{fact.attention is not None for fact in stage} for stage in stages]
    if any(len(each) > 1 for each in attends):
        verdict.violate("a stage holds blocks that attend and blocks that convolve (NET-4)")
    elif not all(True in each for each in attends):
        verdict.options["stages"] = tuple(n for n, each in enumerate(attends, 1) if True in each)


def _judge_end(image: Image, parts: Parts, facts: list[BlockFacts], verdict: Verdict) -> None:
    """NET-7: blocks follow each other, then the mean, then the classifier."""
    between = [n for n, call in enumerate(image.calls) if call.path in parts.between()]
    for one, other in pairwise(facts):
        if not same(image.gave(_call(image, one.path)), image.given(_call(image, other.path))):
            verdict.open(f"between {one.path} and {other.path} something happens")
    last = _call(image, facts[-1].path)
    flow = Flow(image, image.gave(last), [n for n in between if n > last], parts.leaves)
    way = flow.explain(image.gave(len(image.calls) - 1))
    known = [("mean", "linear"), ("global maximum", "linear")]
    if way is None or way.joined or way.tokens not in known:
        verdict.open("the way from the last block to the class scores is "
                     + ("none that is known" if way is None else " ".join(way.tokens)))
        return
    if way.tokens[0] == "global maximum":
        verdict.deviate(Deviation("classifier-pool-maximum", "NET-7",
                                  "the maximum over the last block's pixels is classified"))
    linear = next(parts.leaves[image.calls[n].path] for n in between
                  if parts.leaves.get(image.calls[n].path, parts.blocks[0]).kind == "linear")
    if "bias" not in linear.parameters:
        verdict.deviate(Deviation("classifier-unbiased", "NET-7", "the classifier has no bias"))


def _judge_norms(parts: Parts, verdict: Verdict) -> None:
    norms = [leaf for leaf in parts.leaves.values() if leaf.kind == "norm"]
    if not all(leaf.arguments["stored"] for leaf in norms):
        verdict.deviate(Deviation("norm-by-batch", "NET-6",
                                  "normalization uses the batch's statistics, not stored ones"))
    other = sorted({leaf.arguments["eps"] for leaf in norms} - {1e-5})
    if other:
        verdict.violate(f"normalization has epsilon {other[0]}, where NET-6 asks for 0.00001")
    if not all(leaf.arguments["affine"] for leaf in norms):
        verdict.violate("a normalization has neither scale nor shift (NET-6)")
    biased = [leaf.path for leaf in parts.leaves.values()
              if leaf.kind == "convolution" and "bias" in leaf.parameters]
    if biased:
        verdict.notes.append(f"{len(biased)} convolutions have a bias that the normalization "
                             "after them makes superfluous")


def _judge_odd_sizes(image: Image, parts: Parts, facts: list[BlockFacts],
                     verdict: Verdict) -> None:
    """NET-11: the last row and column of odd sizes."""
    before = {each.name for each in verdict.deviations}
    for fact in facts:
        for name, clause, sentence in _odd_pools(image, parts, fact) if fact.stride == 2 else ():
            if name not in before:
                verdict.deviate(Deviation(name, clause, f"{fact.path}: {sentence}"))
                before.add(name)
    if image.raised is None or before & {"pool-floor-size", "pool-counts-padding"}:
        return
    rows, cols = ODD_SIZE
    text = f"an image of {rows} x {cols} pixels is refused: {first_line(image.raised)}"
    # What is refused after the last block has another reason than NET-11's.
    if any(call.path == facts[-1].path for call in image.calls):
        verdict.notes.append(text)
    else:
        verdict.deviate(Deviation("odd-size-refused", "NET-11", text))


def _odd_pools(image: Image, parts: Parts, fact: BlockFacts) -> list[Name]:
    """What the pools of one block do to an odd size, as far as the image went."""
    reached = [n for n, call in enumerate(image.calls)
               if call.path in parts.leaves and call.path.startswith(f"{fact.path}.")]
    if not reached:
        return []
    flow = Flow(image, image.given(reached[0]), reached, parts.leaves)
    words = {token for _, way in flow.nodes if way is not None for token in way.tokens}
    return [name for word in sorted(words & set(POOLS)) for name in size_names(word)]
