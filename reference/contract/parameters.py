"""Names and shapes of the weights of a layer, a stem and a network (NET-6)."""

from .architecture import Block, NetworkSpec, network_blocks
from .arrays import ArrayKind, Shapes, check_names
from .checks import IMAGE, NORM_NAMES, check_layer_channels
from .options import AttentionOptions

Parameters = dict[str, tuple[int, ...]]


def layer_parameters(channels_in: int, channels_out: int, options: AttentionOptions) -> Parameters:
    """Names and shapes of one attention layer's weights (ATT-6, REL-4 to REL-6).

    Raises ValueError for channels that the options cannot have.
    """
    check_layer_channels(channels_in, channels_out, options)
    heads, depth = options.heads, channels_out // options.heads
    weight: tuple[int, ...] = (channels_in, channels_out)
    if options.projection == "per_head":
        weight = (heads, channels_in // heads, depth)
    shapes = dict.fromkeys(("w_query", "w_key", "w_value"), weight)
    if not options.content:
        del shapes["w_key"]
    if options.position == "relative":
        table: tuple[int, ...] = (options.table_rows, depth // 2)
        if options.relative == "per_head":
            table = (heads, *table)
        elif options.relative == "layer_halves":
            table = (options.table_rows, channels_out // 2)
        shapes |= {"rel_row": table, "rel_col": table}
    return shapes


def norm_parameters(channels: int) -> Parameters:
    """Names and shapes of one batch normalization's weights and statistics (NET-6)."""
    return dict.fromkeys(NORM_NAMES, (channels,))


def stem_parameters(spec: NetworkSpec) -> Parameters:
    """Names and shapes of the stem's weights (STEM-1, STEM-4 to STEM-6)."""
    channels_in, width, window = spec.image_channels, spec.width, spec.stem_window
    if spec.stem == "conv":
        return {"w_conv": (7, 7, channels_in, width)} | norm_parameters(width)
    shapes: Parameters = dict.fromkeys(("w_query", "w_key"), (channels_in, width))
    values: dict[str, Parameters] = {
        "plain": {"w_value": (channels_in, width)},
        "conv_value": {"w_value": (window, window, channels_in, width)},
        "mixture": {"w_value": (spec.stem_mixtures, channels_in, width)},
    }
    shapes |= values[spec.stem]
    if spec.stem == "mixture":
        embedding = width // spec.stem_heads
        shapes |= {"emb_row": (window, embedding), "emb_col": (window, embedding),
                   "nu": (spec.stem_mixtures, embedding)}
    return shapes | norm_parameters(width)


def block_parameters(block: Block, options: AttentionOptions) -> Parameters:
    """Names and shapes of one block's weights, without the block's own name (NET-2, NET-3)."""
    shapes: Parameters = {"reduce.w": (block.channels_in, block.channels_mid)}
    if block.attention:
        layer = layer_parameters(block.channels_mid, block.channels_mid, options)
        shapes |= under("attention", layer)
    else:
        shapes["conv.w"] = (3, 3, block.channels_mid, block.channels_mid)
    shapes["expand.w"] = (block.channels_mid, block.channels_out)
    for part, channels in (("reduce", block.channels_mid), ("spatial", block.channels_mid),
                           ("expand", block.channels_out)):
        shapes |= under(part, norm_parameters(channels))
    if block.projects:
        shapes["shortcut.w"] = (block.channels_in, block.channels_out)
        shapes |= under("shortcut", norm_parameters(block.channels_out))
    return shapes


def network_parameters(spec: NetworkSpec) -> Parameters:
    """Names and shapes of all the network's weights, "stage1.block1.reduce.w" (NET-6)."""
    options = spec.attention_options()
    shapes = under("stem", stem_parameters(spec))
    for block in network_blocks(spec):
        shapes |= under(block.name, block_parameters(block, options))
    shapes["classifier.w"] = (spec.channels_last, spec.classes)
    shapes["classifier.bias"] = (spec.classes,)
    return shapes


def under(prefix: str, named: dict[str, tuple[int, ...]]) -> Parameters:
    """The same entries with every name prefixed, "w" to "reduce.w"."""
    return {f"{prefix}.{name}": value for name, value in named.items()}


def check_network(kind: ArrayKind, spec: object, weights: object) -> None:
    """Weights that fit a network. Raises ValueError or TypeError, naming the weight."""
    if not isinstance(spec, NetworkSpec):
        raise TypeError(f"`spec` must be NetworkSpec; got {type(spec).__name__}.")
    expected = network_parameters(spec)
    given = check_names("weights", weights, list(expected))
    shapes = Shapes(kind, {})
    for name, shape in expected.items():
        axes = [str(axis) for axis in range(len(shape))]
        shapes.sizes = dict(zip(axes, shape, strict=True))
        shapes.take(name, given[name], *axes)


def check_images(kind: ArrayKind, images: object, spec: NetworkSpec,
                 dtype: str, device: str) -> None:
    """Images that a loaded network can read. Raises ValueError or TypeError."""
    shapes = Shapes(kind, {"channels_in": spec.image_channels}, ("weights", dtype, device))
    shapes.take("images", images, *IMAGE)
