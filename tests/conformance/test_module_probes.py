"""What a module's outputs depend on: each dependence is seen, and none that is not there."""

import numpy as np
import pytest
import torch
from modules import right, wrong
from modules.in_process import InProcess

from sasakit.conformance.diagnosis.instance import SIZES, SQUARE_SIZES, ModuleError, same
from sasakit.conformance.diagnosis.isolated import IsolatedBuilder
from sasakit.conformance.diagnosis.probes import dependence_findings
from sasakit.conformance.diagnosis.roles import sort_parameters
from sasakit.conformance.doors.module_door import ModuleTarget

pytestmark = pytest.mark.usefixtures("one_thread")


class Counting(right.UnfoldAttention):
    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__(in_channels, out_channels, kernel_size, heads)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * self.calls


class Noisy(right.UnfoldAttention):
    # Of torch's own numbers each call gets the same ones.
    chance = np.random.default_rng(0)

    def forward(self, x):
        return super().forward(x) + self.chance.standard_normal()


class Mutating(right.UnfoldAttention):
    def forward(self, x):
        return super().forward(x.mul_(2))


class Centred(right.UnfoldAttention):
    def forward(self, x):
        return super().forward(x - x.mean())


class Idle(right.UnfoldAttention):
    def __init__(self, in_channels, out_channels, kernel_size, heads):
        super().__init__(in_channels, out_channels, kernel_size, heads)
        self.rel_z = torch.nn.Parameter(torch.zeros(3))


class Rolled(right.UnfoldAttention):
    def forward(self, x):
        y = super().forward(x)
        return y + y.roll(self.depth, 1)


class Wide(right.UnfoldAttention):
    def forward(self, x):
        return super().forward(x + x.roll((1, 2), (2, 3)))


def findings(module):
    builder = InProcess(module)
    for sizes in (SIZES, SQUARE_SIZES):
        try:
            shapes = [builder.build(size).shapes for size in sizes]
        except ModuleError:
            continue
        return dependence_findings(builder, sizes[0], sort_parameters(*shapes, sizes))
    return None


@pytest.mark.parametrize("module", [
    right.UnfoldAttention, right.FusedMaskedAttention, wrong.PerChannelSoftmax,
    wrong.DescendingEdges, wrong.Unheard])
def test_nothing_is_said_of_what_stays_in_its_window_and_head(module):
    assert findings(module) == []


WHOLE = ("output (row 5, column 6) depends on input pixels rows 0..10, columns 0..11; "
         "the window has rows 3..7, columns 4..8")


@pytest.mark.parametrize(("module", "sentences"), [
    (Counting, ["buffers that change in a call: calls", "the same input gives another output "
                "after another call: it depends on earlier calls, for another build does the "
                "same"]),
    (Noisy, ["the same input gives another output after another call: it depends on chance or on "
             "earlier calls"]),
    (Mutating, ["it changes its input"]),
    (Centred, ["the output of batch item 0 depends on batch item 1", WHOLE]),
    (Idle, ["parameters that never matter: rel_z"]),
    (Rolled, [f"8 output channels of other heads depend on rows 0 to 7 of {name}.weight, which "
              "are head 0 where heads own consecutive rows: 8..15"
              for name in ("to_q", "to_k", "to_v")]),
    (Wide, ["output (row 5, column 6) depends on input pixels rows 2..7, columns 2..8, but for 4 "
            "among them that did not move it; the window has rows 3..7, columns 4..8"]),
], ids=lambda value: getattr(value, "__name__", ""))
def test_what_an_output_depends_on_is_said(module, sentences):
    assert findings(module) == sentences


def test_a_new_build_in_the_child_has_its_own_numbers_and_keeps_its_buffers():
    builder = IsolatedBuilder(ModuleTarget("it", Counting, {}))
    one, x = builder.build(SIZES[0]), np.ones((1, 5, 6, 21))
    own = one.get()
    one.set({"rel_h": own["rel_h"] + 1, "calls": own["calls"] + 5})
    one.run(x)
    again = builder.build(SIZES[0])
    assert one.facts.buffers == ("calls",)
    assert all(np.array_equal(value, again.get()[name]) for name, value in own.items())
    assert same(2 * again.run(x), again.run(x))
    assert again.buffers()["calls"] == 2
