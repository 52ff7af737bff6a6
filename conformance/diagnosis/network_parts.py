"""What a network is made of: attention layers, bottleneck blocks, and what lies between blocks."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .construct import role_of
from .network_trace import Module

LEAVES = ("convolution", "norm", "linear", "plain")


@dataclass
class Parts:
    """A network's modules, sorted.

    modules  all of them by path
    layers   classes of nobody's library that hold parameters and no normalization: attention
    stems    such as hold one normalization, and are no block
    blocks   the smallest modules that hold two 1 x 1 convolutions and one layer or wider one
    leaves   modules in whose calls the network is followed: layers, stems, and torch's own
    """

    modules: dict[str, Module]
    layers: list[Module] = field(default_factory=list)
    stems: list[Module] = field(default_factory=list)
    blocks: list[Module] = field(default_factory=list)
    leaves: dict[str, Module] = field(default_factory=dict)

    def between(self) -> list[str]:
        """Paths of blocks, and of the leaves that no block holds."""
        return [path for path in (*(block.path for block in self.blocks), *self.leaves)
                if not any(block.holds(path) for block in self.blocks)]


def sort_modules(modules: list[Module]) -> Parts:
    """The modules by the part that they play."""
    parts = Parts({module.path: module for module in modules})
    held = {module.path: [other for other in modules if module.holds(other.path)]
            for module in modules}
    for module in sorted(modules, key=lambda each: -each.path.count(".")):
        own = [name for name in module.parameters if "." not in name]
        within = [other for other in held[module.path] if other.kind in LEAVES and other.parameters]
        norms = [other for other in within if other.kind == "norm"]
        whole = module.path and module.foreign and (own or len(within) > 1) and not any(
            other in (*parts.layers, *parts.stems) for other in held[module.path])
        if whole and not norms:
            parts.layers.append(module)
        elif whole and len(norms) == 1 and (own or len(within) > 3):
            parts.stems.append(module)
    hidden = {other.path for module in (*parts.layers, *parts.stems)
              for other in held[module.path]}
    for module in modules:
        bare = module.kind in LEAVES or (module.foreign and not module.parameters
                                         and not held[module.path])
        if module.path not in hidden and (bare or module in (*parts.layers, *parts.stems)):
            parts.leaves[module.path] = module if module.kind != "other" or module.parameters \
                else Module(module.path, module.cls, "plain", True)
    parts.blocks = [module for module in modules if module.path and _is_block(module, parts)
                    and not any(_is_block(other, parts) for other in held[module.path])]
    return parts


def _is_block(module: Module, parts: Parts) -> bool:
    leaves = [path for path in parts.leaves if module.holds(path)]
    wide = [path for path in leaves if is_wide(parts, path)]
    narrow = [path for path in leaves
              if parts.leaves[path].kind == "convolution" and path not in wide]
    return len(wide) == 1 and len(narrow) >= 2


def is_wide(parts: Parts, path: str) -> bool:
    """Whether a leaf sees more than one pixel: attention, or a convolution that is no 1 x 1."""
    leaf = parts.leaves[path]
    kernel = leaf.arguments.get("kernel_size")
    return leaf.kind == "other" or (leaf.kind == "convolution" and kernel not in (1, [1, 1]))


def kinds_of(layers: list[Module]) -> Iterator[tuple[Module, list[Module]]]:
    """One layer of each class and of all arguments but sizes, and all that are like it."""
    alike: dict[str, list[Module]] = {}
    for layer in layers:
        kept = {name: value for name, value in layer.arguments.items()
                if role_of(name) in (None, "one")}
        alike.setdefault(f"{layer.cls} {sorted(kept.items())}", []).append(layer)
    for group in alike.values():
        yield group[0], group


def argument_of(layer: Module, role: str) -> object:
    """The argument of a role that a layer was built with; None where it has none."""
    return next((value for name, value in layer.arguments.items() if role_of(name) == role), None)
