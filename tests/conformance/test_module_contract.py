"""Modules at other sizes: what they accept though it cannot be, and what they refuse."""

import pytest
import torch.nn.functional as F  # noqa: N812
from modules import right, wrong
from modules.in_process import diagnosed
from torch import nn

from sasakit.conformance.diagnosis.contract_pass import contract_pass

pytestmark = pytest.mark.usefixtures("one_thread")


def contract_of(module):
    builder, diagnosis = diagnosed(module)
    return contract_pass(builder, diagnosis.explanation)


def test_the_most_copied_class_misreads_windows_that_do_not_fit():
    contract = contract_of(wrong.PerChannelSoftmax)
    [deviation] = contract.deviations
    assert (deviation.name, deviation.clause) == ("impossible-size-accepted", "WIN-3")
    assert deviation.sentence == ("with extent 3 and padding 0 it returns 6 x 6 outputs for 6 x 6 "
                                  "pixels, where there are 4 x 4 windows")
    assert any(each.startswith("stride 2: raises; RuntimeError") for each in contract.findings)
    assert "bias=True: the projections get biases (key_conv.bias, query_conv.bias, " \
        "value_conv.bias), which ATT-6 rules out" in contract.findings


class Obedient(nn.Module):
    """Padding and stride as convolutions have them; heads that do not divide are cut short."""

    def __init__(self, in_channels, out_channels, kernel_size, heads, padding=0, stride=1):
        super().__init__()
        self.k, self.n, self.p, self.s = kernel_size, heads, padding, stride
        self.d = out_channels // heads
        self.q, self.kk, self.v = (nn.Conv2d(in_channels, out_channels, 1, bias=False)
                                   for _ in range(3))

    def forward(self, x):
        cut = self.n * self.d
        lost = self.q.weight.shape[0] - cut
        key, value = (F.pad(f(x)[:, :cut], [self.p] * 4).unfold(2, self.k, self.s)
                      .unfold(3, self.k, self.s).unflatten(1, (self.n, self.d))
                      for f in (self.kk, self.v))
        first = self.k // 2 - self.p
        h, w = key.shape[3:5]
        q = self.q(x)[:, :cut, first::self.s, first::self.s][:, :, :h, :w]
        s = (q.unflatten(1, (self.n, self.d))[..., None, None] * key).sum(2)
        p = s.flatten(-2).softmax(-1).unflatten(-1, (self.k, self.k))
        return F.pad((p[:, :, None] * value).sum((-1, -2)).flatten(1, 2), [0, 0, 0, 0, 0, lost])


def test_arguments_that_do_what_they_say_are_no_deviation():
    contract = contract_of(Obedient)
    assert "stride 2: only every second pixel has an output, which WIN-3 rules out" \
        in contract.findings
    assert [each.name for each in contract.deviations] == ["heads-rounded"]
    assert contract.deviations[0].sentence.startswith("25 channels in 3 heads are accepted")


def test_even_windows_are_found():
    assert contract_of(right.ChannelsLastDense).even_window == "before"
    assert contract_of(right.UnfoldAttention).even_window is None


def test_sizes_that_raise_are_findings_and_no_deviations():
    contract = contract_of(right.UnfoldAttention)
    assert contract.deviations == []
    raised = [each.partition(": raises; ")[0] for each in contract.findings]
    assert raised == ["extent 2", "extent 4", "an empty batch"]


class Fragile(right.UnfoldAttention):
    """Takes large images that lie in one piece, in double precision."""

    def forward(self, x):
        if x.stride(-1) != 1 or x.element_size() != 8:
            raise TypeError("not so")
        return super().forward(x) if x.shape[2] > 3 else x.new_zeros(()) + super().forward(x) * 2


def test_other_manners_and_small_images_are_tried():
    findings = contract_of(Fragile).findings
    for sentence in ("an image in float32: raises; TypeError: not so",
                     "an image that is not contiguous in memory: raises; TypeError: not so",
                     "an image of 2 x 3 pixels, smaller than the window: the output is not that of "
                     "the layer that was found"):
        assert sentence in findings
