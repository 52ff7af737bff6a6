"""What each layer of a network gives, from the inputs that the implementation itself gave it."""

from collections.abc import Iterator, Mapping

from sasakit import reference
from sasakit.reference import NetworkSpec
from sasakit.reference import network as chapter
from sasakit.reference.contract.architecture import network_blocks
from sasakit.reference.network import part

from . import estimate_networks
from .case import Case
from .estimate import Array, Estimate, exact
from .profiles import Profile


def layer_names(spec: NetworkSpec) -> list[str]:
    """Names of a network's layers in order (NET-8)."""
    names = ["stem"]
    for block in network_blocks(spec):
        names += [f"{block.name}.reduce", f"{block.name}.spatial", block.name]
    return [*names, "logits"]


def expected_layers(case: Case, trace: Mapping[str, Array],
                    profile: Profile) -> Iterator[tuple[str, Array, Estimate]]:
    """Name, value and error bound of every layer of a "network" case.

    trace  the implementation's layers, from which each next layer is computed
    """
    spec = case.options
    if not isinstance(spec, NetworkSpec):
        raise ValueError(f"`options` must be a NetworkSpec; got {type(spec).__name__}.")
    weights, images = case.arrays, case.arrays["images"]
    own = part(weights, "stem")
    stem_options, options = spec.stem_options(), spec.attention_options()
    yield ("stem", reference.stem(images, own, options=stem_options),
           estimate_networks.stem(exact(images), own, stem_options, profile))
    x = trace["stem"]
    for block in network_blocks(spec):
        own = part(weights, block.name)
        yield (f"{block.name}.reduce", chapter.reduce(x, own),
               estimate_networks.reduce(x, own, profile))
        reduced = trace[f"{block.name}.reduce"]
        yield (f"{block.name}.spatial", chapter.spatial(reduced, own, block, options),
               estimate_networks.spatial(reduced, own, block, options, profile))
        middle = trace[f"{block.name}.spatial"]
        yield (block.name, chapter.expand(x, middle, own, block),
               estimate_networks.expand(x, middle, own, block, profile))
        x = trace[block.name]
    own = part(weights, "classifier")
    yield "logits", chapter.classify(x, own), estimate_networks.classify(x, own, profile)
