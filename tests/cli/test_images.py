"""Images of the user's: what is read, how it is prepared, and what is refused in which words."""

import numpy as np
import pytest
from PIL import Image

from sasakit.cli.images import Preparation, read_image
from sasakit.reference import NetworkSpec

DIGITS = Preparation(1, 28, np.float32(0), np.float32(1))
COLOUR = Preparation(3, 8, np.float32(0), np.float32(1))


def bar(height=96, width=64):
    """White paper with a black bar of 40 rows and 16 columns, off the middle."""
    pixels = np.full((height, width), 255, np.uint8)
    pixels[8:48, 40:56] = 0
    return Image.fromarray(pixels)


def save(path, image, **how):
    image.save(path, **how)
    return path


EXPECTED = np.zeros((28, 28), np.uint8)
EXPECTED[4:24, 10:18] = 255


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_is_the_same_digit(tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(np.asarray(bar()).astype(np.uint16) * 257)
    else:
        image = bar().convert(mode)
    path = save(tmp_path / "bar.png", image)
    with Image.open(path) as saved:
        assert saved.mode == mode
    assert (read_image(path, DIGITS) == EXPECTED).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_mode_of_jpeg_is_the_same_digit(tmp_path, mode):
    path = save(tmp_path / "bar.jpg", bar().convert(mode), quality=100, subsampling=0)
    with Image.open(path) as saved:
        assert saved.mode == mode
    assert (read_image(path, DIGITS) == EXPECTED).all()


def test_transparent_is_white(tmp_path):
    image = Image.new("RGBA", (64, 96), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (40, 8, 56, 48))
    assert (read_image(save(tmp_path / "a.png", image), DIGITS) == EXPECTED).all()
    palette = save(tmp_path / "p.png", image.quantize(4))
    assert (read_image(palette, DIGITS) == EXPECTED).all()
    faint = Image.new("RGBA", (4, 4), (255, 0, 0, 51))
    assert (read_image(save(tmp_path / "f.png", faint), COLOUR)[0, 0] == [255, 204, 204]).all()


def test_orientation_of_the_camera_is_honoured(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = bar().rotate(90, expand=True)
    path = save(tmp_path / "photo.jpg", lying, exif=exif, quality=100)
    assert (read_image(path, DIGITS) == EXPECTED).all()


def test_a_digit_of_mnist_is_taken_as_it_is(tmp_path):
    digit = np.zeros((28, 28), np.uint8)
    digit[2:9, 3:5] = 200
    for name, pixels in (("bright.png", digit), ("dark.png", 255 - digit)):
        path = save(tmp_path / name, Image.fromarray(pixels))
        assert (read_image(path, DIGITS) == digit).all()


@pytest.mark.parametrize("size", [(28, 28), (1, 1), (3, 5000), (60000, 1), (29, 28)], ids=str)
@pytest.mark.parametrize("level", [0, 100])
def test_blank_images_are_accepted(tmp_path, size, level):
    path = save(tmp_path / "blank.png", Image.new("L", size, level))
    expected = level if size == (28, 28) else 0
    assert (read_image(path, DIGITS) == expected).all()
    assert (read_image(path, COLOUR) == level).all()
    assert read_image(path, COLOUR).shape == (8, 8, 3)


def test_shadows_and_faint_ink_do_not_hide_the_digit(tmp_path):
    shadow = np.linspace(0, 120, 64)
    pixels = (np.where(np.asarray(bar()) == 0, 0.4, 1) * (240 - shadow)).astype(np.uint8)
    seen = read_image(save(tmp_path / "dim.png", Image.fromarray(pixels)), DIGITS)
    assert (np.ptp(np.argwhere(seen), axis=0) + 1 == (20, 8)).all()


def test_centre_of_mass_is_where_mnist_has_it(tmp_path):
    heavy_top = np.zeros((100, 100), np.uint8)
    heavy_top[10:30, 20:60] = 255
    heavy_top[30:50, 20:30] = 255
    seen = read_image(save(tmp_path / "t.png", Image.fromarray(heavy_top)), DIGITS).astype(float)
    rows, cols = (seen.sum(axis=axis) @ np.arange(28) / seen.sum() for axis in (1, 0))
    assert 13.5 <= rows <= 14.5
    assert 13.5 <= cols <= 14.5


def test_dust_is_no_ink(tmp_path):
    paper = np.full((1000, 1000), 255, np.uint8)
    paper[5, 5] = paper[990, 990] = 0
    assert not read_image(save(tmp_path / "dust.png", Image.fromarray(paper)), DIGITS).any()


def test_a_large_image_is_the_same_digit(tmp_path):
    path = save(tmp_path / "large.png", bar().resize((1280, 1920), Image.Resampling.NEAREST))
    seen = read_image(path, DIGITS)
    assert (np.ptp(np.argwhere(seen), axis=0) + 1 == (20, 8)).all()


def test_colour_is_the_square_in_the_middle(tmp_path):
    image = Image.new("RGB", (32, 16), "red")
    image.paste((0, 0, 255), (8, 0, 24, 16))
    seen = read_image(save(tmp_path / "wide.png", image), COLOUR)
    assert seen.shape == (8, 8, 3)
    assert (seen[:, 1:-1] == [0, 0, 255]).all()


def test_preparation_is_read_from_the_weights():
    spec = NetworkSpec(depth=5, blocks=(1,), stages=())
    metadata = {"image_size": "4", "mean": "[0.5, 0.25, 0]", "std": "0.5"}
    prepared = Preparation.of_weights(spec, metadata)
    assert (prepared.channels, prepared.size, prepared.digits) == (3, 4, False)
    seen = prepared.normalize([np.full((4, 4, 3), 255, np.uint8)] * 2)
    assert (seen.shape, seen.dtype) == ((2, 4, 4, 3), np.float32)
    assert (seen == np.float32([1, 1.5, 2])).all()


def test_mean_and_std_have_defaults():
    spec = NetworkSpec(depth=5, blocks=(1,), stages=(), image_channels=1)
    prepared = Preparation.of_weights(spec, {"image_size": "28"})
    assert prepared.digits
    seen = prepared.normalize([np.full((28, 28), 51, np.uint8)])
    assert (seen == np.float32(0.2)).all()
    assert seen.shape == (1, 28, 28, 1)


@pytest.mark.parametrize(("channels", "metadata", "text"), [
    (2, {"image_size": "28"}, "`weights` must take images of 1 or 3 channels; got 2."),
    (3, {}, "`weights` must say image_size in their metadata, a whole number; got None."),
    (3, {"image_size": "2.5"},
     "`weights` must say image_size in their metadata, a whole number; got '2.5'."),
    (3, {"image_size": "8", "std": "[1, 2]"},
     "`weights` must say std in their metadata, one number or one per channel; got '[1, 2]'."),
    (3, {"image_size": "8", "mean": "NaN"},
     "`weights` must say mean in their metadata, one number or one per channel; got 'NaN'."),
    (3, {"image_size": "8", "std": "0"},
     "`weights` must say a std above 0 in their metadata; got '0'."),
])
def test_metadata_that_cannot_be_read(channels, metadata, text):
    spec = NetworkSpec(depth=5, blocks=(1,), stages=(), image_channels=channels)
    with pytest.raises(ValueError, match="weights") as refused:
        Preparation.of_weights(spec, metadata)
    assert str(refused.value) == text


def damaged(tmp_path, how):
    path = tmp_path / "x.png"
    whole = save(tmp_path / "whole.png", Image.effect_noise((64, 64), 50)).read_bytes()
    contents = {"empty": b"", "text": b"hello", "header": whole[:20], "truncated": whole[:600]}
    if how == "directory":
        path.mkdir()
    elif how == "gif":
        bar().save(path, format="GIF")
    elif how in contents:
        path.write_bytes(contents[how])
    return path


@pytest.mark.parametrize(("how", "rule", "why"), [
    ("missing", "be a file that exists", ""),
    ("directory", "be a file, not a directory", ""),
    ("empty", "not be an empty file", ""),
    ("text", "be a PNG or JPEG image", ""),
    ("gif", "be a PNG or JPEG image", ""),
    ("header", "be a PNG or JPEG image", ""),
    ("truncated", "be a whole image", " (image file is truncated)"),
])
def test_refused(tmp_path, how, rule, why):
    path = damaged(tmp_path, how)
    with pytest.raises(ValueError, match="image") as refused:
        read_image(path, DIGITS)
    assert str(refused.value) == f"`image` must {rule}; got {str(path)!r}{why}."


@pytest.mark.parametrize("limit", [500, 100], ids=["warning", "error"])
def test_decompression_bombs(tmp_path, monkeypatch, limit):
    path = save(tmp_path / "bomb.png", Image.new("1", (28, 28)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ValueError, match="image") as refused:
        read_image(path, DIGITS)
    start = f"`image` must have a size that is safe to decode; got {str(path)!r} (Image size (784"
    assert str(refused.value).startswith(start)


def test_not_a_regular_file():
    with pytest.raises(ValueError, match="image") as refused:
        read_image("/dev/null", DIGITS)
    assert str(refused.value) == "`image` must be a file; got '/dev/null'."
