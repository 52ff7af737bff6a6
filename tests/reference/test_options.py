"""Options and networks: canonical values, and what is refused (INV-1, INV-4, INV-5)."""

from dataclasses import FrozenInstanceError

import pytest

from sasakit.reference import AttentionOptions, NetworkSpec, StemOptions


def test_the_defaults_are_canonical():
    assert AttentionOptions() == AttentionOptions(
        extent=7, heads=8, padding="zero", relative="shared", position="relative", content=True,
        scale=1.0, scale_terms="both", first_half="row", even_window="before", projection="dense")
    assert StemOptions() == StemOptions(kind="mixture", heads=4, window=4)
    assert NetworkSpec().block_counts == (3, 4, 6, 3)


def test_options_are_frozen():
    with pytest.raises(FrozenInstanceError):
        AttentionOptions().extent = 3


@pytest.mark.parametrize(("given", "error", "text"), [
    ({"extent": 0}, ValueError, "`extent` must be at least 1; got 0."),
    ({"extent": 3.0}, TypeError, "`extent` must be an integer; got 3.0."),
    ({"extent": True}, TypeError, "`extent` must be an integer; got True."),
    ({"heads": 0}, ValueError, "`heads` must be at least 1; got 0."),
    ({"padding": "same"}, ValueError,
     "`padding` must be one of zero, exclude, shift; got 'same'."),
    ({"relative": None}, ValueError,
     "`relative` must be one of shared, per_head, layer_halves; got None."),
    ({"position": "sine"}, ValueError,
     "`position` must be one of relative, absolute, none; got 'sine'."),
    ({"content": 1}, TypeError, "`content` must be True or False; got 1."),
    ({"scale": "1"}, TypeError, "`scale` must be a number; got '1'."),
    ({"scale": float("nan")}, ValueError, "`scale` must be finite in float64; got nan."),
    ({"scale": float("inf")}, ValueError, "`scale` must be finite in float64; got inf."),
    ({"scale": 10**400}, ValueError, "`scale` must be finite in float64; got a larger integer."),
    ({"content": False, "position": "none"}, ValueError,
     "`content` must be True with position none; got False."),
    ({"first_half": "both"}, ValueError, "`first_half` must be one of row, column; got 'both'."),
])
def test_attention_options_refuse(given, error, text):
    with pytest.raises(error) as caught:
        AttentionOptions(**given)
    assert str(caught.value) == text


@pytest.mark.parametrize(("given", "error", "text"), [
    ({"depth": 34}, ValueError,
     "`depth` must be one of 26, 38, 50 unless blocks are given; got 34."),
    ({"depth": 8, "blocks": (1,)}, ValueError, "`depth` must be 3 sum(blocks) + 2 = 5; got 8."),
    ({"blocks": [1]}, TypeError, "`blocks` must be a tuple of at least one integer; got [1]."),
    ({"stem": "attention"}, ValueError,
     "`stem` must be one of conv, plain, conv_value, mixture; got 'attention'."),
    ({"stages": (0,)}, ValueError, "`stages` must be at least 1; got 0."),
    ({"stages": (5,)}, ValueError, "`stages` must be distinct and lie in 1 to 4; got (5,)."),
    ({"stages": (1, 1)}, ValueError, "`stages` must be distinct and lie in 1 to 4; got (1, 1)."),
    ({"stages": 1}, TypeError, "`stages` must be a tuple of integers; got 1."),
    ({"heads": 3}, ValueError, "`heads` must divide the channels_out; got heads=3, "
                               "channels_out=64."),
    ({"heads": 64}, ValueError,
     "`heads` must give an even depth with position relative; got depth=1."),
    ({"stem": "plain", "stem_heads": 3}, ValueError,
     "`stem_heads` must divide the width; got stem_heads=3, width=64."),
    ({"classes": 0}, ValueError, "`classes` must be at least 1; got 0."),
    ({"padding": "same"}, ValueError,
     "`padding` must be one of zero, exclude, shift; got 'same'."),
])
def test_networks_refuse(given, error, text):
    with pytest.raises(error) as caught:
        NetworkSpec(**given)
    assert str(caught.value) == text


def test_heads_only_matter_where_a_stage_attends():
    assert NetworkSpec(heads=64, stages=(4,)).heads == 64
    assert NetworkSpec(heads=63, stages=()).heads == 63
