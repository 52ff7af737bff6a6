"""Chapter 8, networks: NET-1 to NET-8, NET-10 and NET-11, every layer from its own inputs."""

from functools import partial

from ..builders import network_cases, pool_cases
from ..case import Case
from ..judge import Disagreement
from ..network_layers import expected_layers, layer_names
from ..property import agrees, clause, layers_agree, same_shape, trace_of
from ..target import Target

one_block = partial(network_cases, blocks=((1,),), image_channels=(1,))


@clause("NET-1", partial(network_cases, blocks=((1, 2), (2, 1)), width=(4, 8)))
def stages_have_their_blocks(case: Case, target: Target) -> float:
    """Every layer has the shape that its stage gives it."""
    trace = trace_of(case, target)
    for name, value, _ in expected_layers(case, trace, target.profile(case.dtype)):
        same_shape(name, trace[name], value.shape)
    return 0.0


@clause("NET-2", partial(one_block, plain_norms=True))
def blocks_reduce_attend_and_expand(case: Case, target: Target) -> float:
    """Normalizations that leave values nearly as they are."""
    return layers_agree(case, target, ".reduce", ".spatial", "block1")


@clause("NET-3", partial(network_cases, stages=((2,), (1, 2))))
def attention_runs_before_the_pool(case: Case, target: Target) -> float:
    """The middle layer of a block of stride 2."""
    return layers_agree(case, target, "stage2.block1.spatial")


@clause("NET-4", partial(network_cases, stages=((), (1,), (2,), (1, 2))))
def listed_stages_attend(case: Case, target: Target) -> float:
    """Every subset of two stages."""
    return layers_agree(case, target, ".spatial")


@clause("NET-5", partial(one_block, stem=("conv", "plain", "conv_value", "mixture")))
def the_named_stem_comes_first(case: Case, target: Target) -> float:
    """All four."""
    return layers_agree(case, target, "stem")


@clause("NET-6", partial(one_block, stages=((),)))
def stored_statistics_normalize(case: Case, target: Target) -> float:
    """Random statistics, scales and shifts."""
    return layers_agree(case, target, ".reduce")


@clause("NET-7", one_block)
def the_classifier_reads_the_mean(case: Case, target: Target) -> float:
    """Logits from the last block."""
    return layers_agree(case, target, "logits")


@clause("NET-8", partial(network_cases, blocks=((1,), (1, 1), (2,))))
def layers_have_their_names(case: Case, target: Target) -> float:
    """The same names in the same order."""
    names, wanted = list(trace_of(case, target)), layer_names(case.options)  # type: ignore[arg-type]
    if names != wanted:
        raise Disagreement(f"trace: layers {names}; expected {wanted}.")
    return 0.0


@clause("NET-10", partial(network_cases, stages=((), (1,))))
def strides_are_in_the_convolution_and_the_shortcut(case: Case, target: Target) -> float:
    """A block of stride 2 that convolves."""
    return layers_agree(case, target, "stage2.block1.spatial", "stage2.block1")


@clause("NET-11", pool_cases)
def odd_ends_are_averaged_alone(case: Case, target: Target) -> float:
    """The average pool on its own."""
    return agrees(case, target)


@clause("NET-11", partial(network_cases, least=1))
def small_images_pass(case: Case, target: Target) -> float:
    """Down to one pixel."""
    return layers_agree(case, target)
