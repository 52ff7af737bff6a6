"""What an output depends on: pixels, other images, earlier calls, heads, and which parameters.

Each probe changes one thing by a finite amount and looks which outputs move by more than rounding.
What moves is a fact whatever the module computes; what a probe does not see is not denied.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Protocol

import numpy as np

from ..estimate import Array
from .instance import Instance, ModuleError, Sizes, same
from .roles import Parts

# Room for a whole window of 2 extent - 1 slots around the middle pixel.
MARGIN = 1
# Of parameters: logits, their products, are a tenth of that or so.
SMALL = 0.3


class ProbedInstance(Instance, Protocol):
    """An instance that also tells its buffers."""

    def buffers(self) -> dict[str, Array]:
        """Copies of its buffers by name."""
        ...


class ProbingBuilder(Protocol):
    """A builder of other builds of the same sizes."""

    def build(self, sizes: Sizes, said: Mapping[str, int] | None = None) -> ProbedInstance:
        """As of a Builder; said "fresh" numbers another build."""
        ...


def dependence_findings(builder: ProbingBuilder, sizes: Sizes, parts: Parts | None) -> list[str]:
    """Sentences on what the outputs of a module depend on, at random values of its parameters.

    parts  its parameters by kind, where they were sorted; heads are not looked at without
    """
    try:
        instance, rng = builder.build(sizes, {"fresh": 1}), np.random.default_rng(0)
        findings = _input(instance, sizes, rng) + _calls(builder, sizes, rng)
        if not _is_repeatable(instance, _image(instance, sizes, rng)):
            return findings
        randomize(instance, rng)
        findings += _batch(instance, sizes, rng) + reach(instance, sizes, rng)
        findings += idle_parameters(instance, sizes, rng)
        return findings + ([] if parts is None else heads_mixed(instance, sizes, parts, rng))
    except ModuleError as error:
        return [f"asked what it depends on, it raises: {str(error).splitlines()[0]}"]


def reach(instance: Instance, sizes: Sizes, rng: np.random.Generator) -> list[str]:
    """Which input pixels reach one output, in the middle; and whether these are its window."""
    x = _image(instance, sizes, rng)
    y = _run(instance, x)
    at = (y.shape[1] // 2, y.shape[2] // 2)
    pixels = [pixel for pixel in product(range(x.shape[1]), range(x.shape[2]))
              if not _same(instance, _run(instance, _but(x, pixel, rng))[:, at[0], at[1]],
                           y[:, at[0], at[1]])]
    if not pixels:
        return [f"output (row {at[0]}, column {at[1]}) depends on no input pixel"]
    rows, cols = ((min(each), max(each)) for each in zip(*pixels, strict=True))
    holes = (rows[1] - rows[0] + 1) * (cols[1] - cols[0] + 1) - len(pixels)
    but = f", but for {holes} among them that did not move it" if holes else ""
    seen = (f"output (row {at[0]}, column {at[1]}) depends on input pixels rows {_span(rows)}, "
            f"columns {_span(cols)}{but}")
    if y.shape[:3] != x.shape[:3]:
        return [seen]
    before = sizes.extent // 2
    window = [(middle - before, middle - before + sizes.extent - 1) for middle in at]
    if [rows, cols] == window and not holes:
        return []
    return [f"{seen}; the window has rows {_span(window[0])}, columns {_span(window[1])}"]


def idle_parameters(instance: Instance, sizes: Sizes, rng: np.random.Generator) -> list[str]:
    """Parameters that can change without an output that moves."""
    x, own = _image(instance, sizes, rng), _parameters(instance)
    y, idle = _run(instance, x), []
    for name, value in own.items():
        instance.set({name: value + rng.standard_normal(value.shape)})
        if value.size and _same(instance, _run(instance, x), y):
            idle.append(name)
        instance.set({name: value})
    return [f"parameters that never matter: {', '.join(idle)}"] if idle else []


def heads_mixed(instance: Instance, sizes: Sizes, parts: Parts,
                rng: np.random.Generator) -> list[str]:
    """Projections of which one head's rows move the outputs of other heads.

    A head's rows and outputs are the consecutive ones, as ATT-1 has them.
    """
    x, own = _image(instance, sizes, rng), _parameters(instance)
    y, findings = _run(instance, x), []
    if y.shape[3] != sizes.channels_out or sizes.heads == 1:
        return []
    for part in parts.projections:
        rows = part.rows(own[part.name]) if part.groups == 1 else np.zeros((0, 1))
        for block, start in enumerate(range(0, len(rows), sizes.channels_out)):
            if len(rows) % sizes.channels_out:
                break
            changed = rows.copy()
            changed[start:start + sizes.depth] += rng.standard_normal(
                changed[start:start + sizes.depth].shape)
            instance.set({part.name: part.array(changed, own[part.name].shape)})
            other = _run(instance, x)
            instance.set({part.name: own[part.name]})
            moved = [c for c in range(sizes.channels_out)
                     if not _same(instance, other[..., c], y[..., c])]
            beyond = [c for c in moved if c >= sizes.depth]
            if beyond:
                findings.append(
                    f"{len(beyond)} output channels of other heads depend on rows {start} to "
                    f"{start + sizes.depth - 1} of {part.name}"
                    + (f" (part {block})" if len(rows) > sizes.channels_out else "")
                    + f", which are head 0 where heads own consecutive rows: {_listed(beyond)}")
    return findings


def _input(instance: Instance, sizes: Sizes, rng: np.random.Generator) -> list[str]:
    x = _image(instance, sizes, rng)
    before = x.copy()
    instance.run(x)
    return [] if np.array_equal(x, before) else ["it changes its input"]


def _calls(builder: ProbingBuilder, sizes: Sizes, rng: np.random.Generator) -> list[str]:
    """Whether the order of calls matters, chance does, or a buffer changes."""
    one, again = (builder.build(sizes, {"fresh": number}) for number in (2, 3))
    x, other = _image(one, sizes, rng), _image(one, sizes, rng)
    again.set(_parameters(one))
    before = one.buffers()
    first, second = ([_run(instance, image) for image in (x, other, x)]
                     for instance in (one, again))
    findings = []
    after = one.buffers()
    changed = [name for name, value in before.items()
               if not np.array_equal(value, after[name], equal_nan=True)]
    if changed:
        findings.append(f"buffers that change in a call: {', '.join(changed)}")
    if not _same(one, first[0], first[2]):
        alike = all(_same(one, a, b) for a, b in zip(first, second, strict=True))
        findings.append("the same input gives another output after another call: " + (
            "it depends on earlier calls, for another build does the same" if alike
            else "it depends on chance or on earlier calls"))
    return findings


def _run(instance: Instance, x: Array) -> Array:
    """The output for an image that the module may change."""
    return instance.run(x.copy())


def _same(instance: Instance, one: Array, other: Array) -> bool:
    return same(one, other, instance.facts.single)


def _is_repeatable(instance: Instance, x: Array) -> bool:
    return _same(instance, _run(instance, x), _run(instance, x))


def _batch(instance: Instance, sizes: Sizes, rng: np.random.Generator) -> list[str]:
    x = np.concatenate([_image(instance, sizes, rng), _image(instance, sizes, rng)])
    y = _run(instance, x)
    x[1] += rng.standard_normal(x[1].shape)
    moved = len(y) == 2 and not _same(instance, _run(instance, x)[0], y[0])
    return ["the output of batch item 0 depends on batch item 1"] if moved else []


def randomize(instance: Instance, rng: np.random.Generator) -> None:
    """Random parameters, so small that no logit rules out what another one sees."""
    instance.set({name: SMALL * rng.standard_normal(value.shape)
                  / (np.sqrt(value[0].size) if value.ndim > 1 and value[0].size else 1.0)
                  for name, value in _parameters(instance).items()})


def _image(instance: Instance, sizes: Sizes, rng: np.random.Generator) -> Array:
    side = 2 * sizes.extent - 1 + 2 * MARGIN
    return rng.standard_normal((1, *instance.facts.frame(side, side + 1), sizes.channels_in))


def _parameters(instance: Instance) -> dict[str, Array]:
    """Copies of its parameters, without the other tensors that it holds."""
    return {name: value for name, value in instance.get().items()
            if name not in instance.facts.buffers}


def _but(x: Array, pixel: tuple[int, int], rng: np.random.Generator) -> Array:
    changed = x.copy()
    changed[:, pixel[0], pixel[1]] += rng.standard_normal(x.shape[3])
    return changed


def _span(ends: tuple[int, int]) -> str:
    return f"{ends[0]}..{ends[1]}"


def _listed(channels: list[int]) -> str:
    return ", ".join(_runs(channels))


def _runs(channels: list[int]) -> Iterator[str]:
    """Consecutive numbers as runs, 8..15."""
    start = channels[0]
    for here, following in zip(channels, [*channels[1:], -1], strict=True):
        if following != here + 1:
            yield f"{start}..{here}" if start != here else str(here)
            start = following
