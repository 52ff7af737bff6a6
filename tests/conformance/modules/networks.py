"""Attention ResNets as third parties write them: one right, the others wrong in one way each."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .right import UnfoldAttention
from .wrong import PerChannelSoftmax


class Attention(UnfoldAttention):
    """The right layer."""

    def __init__(self, in_channels, out_channels, kernel_size=3, groups=2):
        super().__init__(in_channels, out_channels, kernel_size, groups)


class StridedAttention(Attention):
    """Queries at every second pixel."""

    def __init__(self, in_channels, out_channels, kernel_size=3, groups=2, stride=1):
        super().__init__(in_channels, out_channels, kernel_size, groups)
        self.stride = stride

    def forward(self, x):
        return super().forward(x)[:, :, ::self.stride, ::self.stride]


class PooledAttention(Attention):
    """The average that NET-3 asks for is part of the layer."""

    def __init__(self, in_channels, out_channels, kernel_size=3, groups=2, stride=1):
        super().__init__(in_channels, out_channels, kernel_size, groups)
        self.stride = stride

    def forward(self, x):
        y = super().forward(x)
        return F.avg_pool2d(y, 2, ceil_mode=True) if self.stride == 2 else y


class CopiedAttention(PerChannelSoftmax):
    """The most copied mistake inside a network."""

    def __init__(self, in_channels, out_channels, kernel_size=3, groups=2):
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2,
                         groups=groups)


class Bottleneck(nn.Module):
    """reduce, attend, expand; the pool is a function in forward."""

    expansion = 4

    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.attend = self.make_attention(planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample, self.stride = downsample, stride

    def make_attention(self, planes, stride):
        return Attention(planes, planes)

    def pooled(self, x):
        return F.avg_pool2d(x, 2, ceil_mode=True) if self.stride == 2 else x

    def middle(self, x):
        return self.bn2(self.pooled(self.attend(x)))

    def last(self, x):
        return self.bn3(self.conv3(x))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.last(self.relu(self.middle(y)))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Strided(Bottleneck):
    def make_attention(self, planes, stride):
        return StridedAttention(planes, planes, stride=stride)

    def pooled(self, x):
        return x


class Pooled(Strided):
    def make_attention(self, planes, stride):
        return PooledAttention(planes, planes, stride=stride)


class Copied(Bottleneck):
    def make_attention(self, planes, stride):
        return CopiedAttention(planes, planes)


class PoolLast(Bottleneck):
    def middle(self, x):
        return self.bn2(self.attend(x))

    def last(self, x):
        return self.pooled(super().last(x))


class FloorLast(PoolLast):
    """An odd size does not fit its shortcut."""

    def pooled(self, x):
        return F.avg_pool2d(x, 2) if self.stride == 2 else x


class FloorPool(Bottleneck):
    """nn.AvgPool2d as it comes, behind the attention."""

    def make_attention(self, planes, stride):
        layer = Attention(planes, planes)
        return nn.Sequential(layer, nn.AvgPool2d(2, 2)) if stride == 2 else layer

    def pooled(self, x):
        return x


class LateRelu(Bottleneck):
    """The last ReLU comes before the sum."""

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.last(self.relu(self.middle(y))))
        return y + (x if self.downsample is None else self.downsample(x))


class AttentionResNet(nn.Module):
    """A small network of the family; its stem is a convolution."""

    block = Bottleneck

    def __init__(self, num_classes=10, width=8, layers=(1, 2)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.inplanes = width
        self.stages = nn.Sequential(*[
            self.make_stage(width * self.growth(s), count, 1 if s == 0 else 2)
            for s, count in enumerate(layers)])
        self.fc = nn.Linear(self.inplanes, num_classes)

    def growth(self, stage):
        return 2 ** stage

    def make_stage(self, planes, count, stride):
        blocks = []
        for n in range(count):
            down = None if n else nn.Sequential(
                nn.Conv2d(self.inplanes, 4 * planes, 1, stride, bias=False),
                nn.BatchNorm2d(4 * planes))
            blocks.append(self.block(self.inplanes, planes, stride if n == 0 else 1, down))
            self.inplanes = 4 * planes
        return nn.Sequential(*blocks)

    def stem(self, x):
        return self.maxpool(torch.relu(self.bn1(self.conv1(x))))

    def forward(self, x):
        y = self.stages(self.stem(x))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(y, 1), 1))


class StridedQueries(AttentionResNet):
    block = Strided


class PooledInside(AttentionResNet):
    block = Pooled


class WrongLayer(AttentionResNet):
    block = Copied


class PoolAfterExpand(AttentionResNet):
    block = PoolLast


class OddRefused(AttentionResNet):
    block = FloorLast


class FloorPooled(AttentionResNet):
    block = FloorPool


class ReluBeforeSum(AttentionResNet):
    block = LateRelu


class Narrow(AttentionResNet):
    """The width does not double."""

    def growth(self, stage):
        return 1


def wrong_layer(num_classes=10):
    """A network by a function, as libraries offer them."""
    return WrongLayer(num_classes)
