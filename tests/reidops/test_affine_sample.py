"""affine_sample against torch's affine_grid and grid_sample, and what torch has no word for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

import reidops
from reidops import affine_sample, boxes_to_theta, reference
from reidops._ops.affine_sample import MODES, PADDING_MODES
from tests.reidops.threads import with_threads

OPTIONS = [
    {"mode": mode, "padding_mode": padding, "align_corners": align}
    for mode, padding, align in itertools.product(MODES, PADDING_MODES, (False, True))
]
# One channel; a colour image; one vector of channels, with and without a rest; several vectors; several blocks.
CHANNELS = (1, 3, 5, 16, 40, 100)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def maps(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=dtype)


def thetas(kind: str, *batch: int) -> Tensor:
    random = maps(*batch, 2, 3, seed=3)
    if kind == "zoomed":
        return torch.eye(2, 3, dtype=torch.float64) * 0.6 + 0.1 * random
    if kind == "singular":
        return random[..., :1, :].expand(*batch, 2, 3)
    if kind == "boxes":
        return boxes_to_theta(torch.rand(*batch, 4, generator=generator(4), dtype=torch.float64))
    if kind == "a point":
        return random * torch.tensor([0.0, 0.0, 1.0])
    if kind == "far":
        return random * 20
    return random


KINDS = ("any", "zoomed", "singular", "boxes", "a point", "far")


def of_torch(input: Tensor, theta: Tensor, size: tuple[int, int], **options: Any) -> Tensor:
    mode, padding = MODES.index(options["mode"]), PADDING_MODES.index(options["padding_mode"])
    return reference.affine_sample(input, theta, *size, mode, padding, options["align_corners"])


def with_gradients(function: Any, input: Tensor, theta: Tensor, size: tuple[int, int], **options: Any) -> list[Tensor]:
    input, theta = input.detach().clone().requires_grad_(), theta.detach().clone().requires_grad_()
    output = function(input, theta, size, **options)
    output.backward(maps(*output.shape, seed=5).to(output.dtype))
    assert input.grad is not None
    assert theta.grad is not None
    return [output.detach(), input.grad, theta.grad]


def channels_last(value: Tensor) -> Tensor:
    return value.movedim(-3, -1).contiguous().movedim(-1, -3)


def assert_equal_to_torch(input: Tensor, theta: Tensor, size: tuple[int, int], **options: Any) -> None:
    """To 1e-12 of the largest number there is: a gradient of theta is a sum over all pixels and channels."""
    ours = with_gradients(affine_sample, input, theta, size, **options)
    theirs = with_gradients(of_torch, input, theta, size, **options)
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one, other, rtol=0, atol=1e-12 * max(1.0, float(other.abs().max()) if other.numel() else 0.0))


# --- torch's values and gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_equal_to_torch(options: dict[str, Any], kind: str, channels: int) -> None:
    input, theta = maps(2, 1, channels, 9, 7), thetas(kind, 2, 3)
    assert_equal_to_torch(input, theta, (11, 13), **options)
    assert_equal_to_torch(channels_last(input), theta, (11, 13), **options)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("sizes", [(8, 16), (256, 128), (1, 4)])
def test_identity_gives_the_input_back(sizes: tuple[int, int], options: dict[str, Any]) -> None:
    """Positions are on the pixels: the gradient of theta then hangs on the last bit of each."""
    input = maps(1, 3, *sizes)
    assert_close(affine_sample(input, torch.eye(2, 3).double(), sizes, **options), input, rtol=0, atol=1e-12)
    if not options["align_corners"]:  # else powers of two less one, whose bits depend on the machine's arithmetic
        assert_equal_to_torch(input, torch.eye(2, 3).double()[None], sizes, **options)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e30])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("place", [(0, 0), (0, 2), (1, 1)])
def test_a_theta_that_is_no_map(place: tuple[int, int], options: dict[str, Any], bad: float) -> None:
    """What torch gives, and its neighbour in the batch as if it were alone."""
    input, theta = maps(2, 3, 6, 5), thetas("zoomed", 2)
    theta[(1, *place)] = bad
    ours = affine_sample(input, theta, (4, 3), **options)
    assert_close(ours, of_torch(input, theta, (4, 3), **options), rtol=0, atol=1e-12, equal_nan=True)
    assert torch.equal(ours[0], affine_sample(input[0], theta[0], (4, 3), **options))
    # torch itself reads outside the image in backward here, where padding is not zeros.
    gradients = with_gradients(affine_sample, input, theta, (4, 3), **options)[1:]
    for together in gradients:
        assert bool(together[0].isfinite().all())
    if options["padding_mode"] == "zeros":
        theirs = with_gradients(of_torch, input, theta, (4, 3), **options)[1:]
        assert_close(gradients, theirs, rtol=0, atol=1e-11, equal_nan=True)


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.tuples(*(st.integers(1, 20) for _ in range(4))),
    channels=st.integers(1, 35),
    batch=st.sampled_from(
        [((), ()), ((2,), (2,)), ((3, 1), (1, 4)), ((), (2, 3)), ((2, 3), (3,)), ((1,), (5,)), ((2,), ())]
    ),
    options=st.sampled_from(OPTIONS),
    last=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_shapes(
    sizes: tuple[int, int, int, int],
    channels: int,
    batch: tuple[tuple[int, ...], tuple[int, ...]],
    options: dict[str, Any],
    last: bool,
    seed: int,
) -> None:
    input = maps(*batch[0], channels, *sizes[:2], seed=seed)
    theta = 0.7 * maps(*batch[1], 2, 3, seed=seed + 1)
    assert_equal_to_torch(channels_last(input) if last else input, theta, sizes[2:], **options)


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[3], OPTIONS[4]], ids=str)
def test_gradcheck(options: dict[str, Any]) -> None:
    input, theta = maps(2, 1, 3, 6, 5).requires_grad_(), thetas("zoomed", 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda *given: affine_sample(*given, (4, 3), **options), (input, theta))


# --- precision ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 64])
@pytest.mark.parametrize("align_corners", [False, True])
def test_error_is_as_good_as_torchs_own(channels: int, align_corners: bool) -> None:
    """Both in float32, against float64: at most twice torch's largest error, plus a unit in the last place."""
    options = {"mode": "bilinear", "padding_mode": "zeros", "align_corners": align_corners}
    input, theta = maps(4, channels, 64, 32), thetas("zoomed", 4)
    input, theta = input.float().double(), theta.float().double()
    exact = with_gradients(of_torch, input, theta, (48, 40), **options)
    ours = with_gradients(affine_sample, input.float(), theta.float(), (48, 40), **options)
    theirs = with_gradients(of_torch, input.float(), theta.float(), (48, 40), **options)
    for one, other, truth in zip(ours, theirs, exact, strict=True):
        allowed = 2 * (other - truth).abs().max() + torch.finfo(torch.float32).eps * truth.abs().max()
        assert float((one - truth).abs().max()) <= float(allowed)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_every_half_number_is_read_and_written(dtype: torch.dtype) -> None:
    """All 65536, subnormal and infinite ones among them, through the identity with the nearest pixel."""
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)
    input = every.reshape(1, 256, 256)
    same = affine_sample(input, torch.eye(2, 3, dtype=dtype), (256, 256), mode="nearest")
    assert_close(same, input, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_gradients_are_summed_in_float32(dtype: torch.dtype) -> None:
    input, theta = maps(2, 1, 20, 16, 16).to(dtype), thetas("zoomed", 2, 5).to(dtype)
    halves = with_gradients(affine_sample, input, theta, (12, 12))
    floats = with_gradients(affine_sample, input.float(), theta.float(), (12, 12))
    # The gradient that comes in was rounded to the half type, once.
    assert_close([value.float() for value in halves], floats, rtol=0.02, atol=0.02 * float(floats[2].abs().max()))


# --- what is ours ---------------------------------------------------------------------------------------------------


def test_nothing_is_expanded() -> None:
    """An expanded input is read once: its strides are zero, and its gradient is that of the image."""
    image, theta = maps(3, 12, 10).requires_grad_(), thetas("zoomed", 7)
    expanded = affine_sample(image.expand(7, 3, 12, 10), theta, (5, 4))
    assert torch.equal(expanded, affine_sample(image, theta, (5, 4)))
    gradient = torch.autograd.grad(expanded.sum(), image)
    assert_close(gradient, torch.autograd.grad(affine_sample(image, theta, (5, 4)).sum(), image))


def test_channels_last_stays_channels_last() -> None:
    input, theta = maps(2, 8, 6, 5).contiguous(memory_format=torch.channels_last), thetas("zoomed", 2)
    output = affine_sample(input.requires_grad_(), theta, (4, 3))
    assert output.is_contiguous(memory_format=torch.channels_last)
    output.sum().backward()
    assert input.grad is not None
    assert input.grad.is_contiguous(memory_format=torch.channels_last)
    assert affine_sample(maps(2, 8, 6, 5), theta, (4, 3)).is_contiguous()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("channels", [3, 20])
def test_a_bad_pixel_reaches_its_own_samples_only(channels: int, bad: float) -> None:
    input, theta = maps(2, 1, channels, 9, 8), thetas("far", 2, 3)
    input[1, 0, 2, 4, 4] = bad
    ours = affine_sample(input, theta, (10, 9))
    assert_close(ours, of_torch(input, theta, (10, 9), **OPTIONS[0]), rtol=0, atol=1e-12, equal_nan=True)
    assert bool(ours[0].isfinite().all())
    assert bool(ours[1, :, [0, 1]].isfinite().all())


@pytest.mark.parametrize("shape", [(1, 3, 40, 30), (6, 20, 12, 10), (1, 3, 200, 300), (1, 1, 200, 300)])
def test_the_number_of_threads_changes_no_bit(shape: tuple[int, ...]) -> None:
    input, theta = maps(*shape, dtype=torch.float32)[:, None], thetas("zoomed", shape[0], 9).float()
    results = [with_gradients(affine_sample, input, theta, (33, 21)) for _ in with_threads(1, 2, 5)]
    for one in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(one, results[0], strict=True))


@pytest.mark.parametrize("shape", [(1, 300, 200), (3, 200, 300), (4, 64, 64), (16, 90, 80)])
@pytest.mark.parametrize("kind", ["any", "zoomed", "boxes"])
def test_every_way_to_a_picture_gives_the_same_bits(kind: str, shape: tuple[int, ...]) -> None:
    """Read from planes, from pixels, or laid out first, alone or among many: edges and the inside are rounded alike."""
    input, theta, size = maps(*shape, dtype=torch.float32), thetas(kind, 9).float(), (150, 70)
    pixels_apart = torch.stack([input, input], dim=-1)[..., 0]
    for one in theta:
        expected = affine_sample(input, one, size)
        for other in (channels_last(input), pixels_apart):
            assert torch.equal(affine_sample(other, one, size), expected)
        assert torch.equal(affine_sample(input, one.expand(9, 2, 3), size)[4], expected)


def test_theta_shared_by_images_has_the_sum() -> None:
    input, theta = maps(4, 3, 8, 8), thetas("zoomed").requires_grad_()
    (together,) = torch.autograd.grad(affine_sample(input, theta, (5, 5)).sum(), theta)
    each = [torch.autograd.grad(affine_sample(one, theta, (5, 5)).sum(), theta)[0] for one in input]
    assert_close(together, torch.stack(each).sum(0))


def test_more_than_2_to_31_elements() -> None:
    """Images 2^30 elements apart, and a channel 2^31 away from the first."""
    try:
        space = torch.empty(2**32 + 2**12)
    except RuntimeError:
        pytest.skip("this machine does not lend 16 GiB of address space")
    input = space.as_strided((3, 2, 8, 8), (2**30, 2**31, 8, 1))
    input.copy_(maps(3, 2, 8, 8))
    theta = thetas("zoomed", 3).float()
    near = input.contiguous()
    assert torch.equal(affine_sample(input, theta, (6, 7)), affine_sample(near, theta, (6, 7)))
    far, close = (with_gradients(affine_sample, value, theta, (6, 7))[2] for value in (input, near))
    assert torch.equal(far, close)


def test_more_than_2_to_31_samples() -> None:
    """An output of a little over 2^31 bfloat16 numbers: its last sample is where it belongs."""
    image = maps(64, 16, 16).bfloat16()
    theta = thetas("zoomed").bfloat16().expand(2**17 + 8, 2, 3)
    output = affine_sample(image, theta, (16, 16))
    assert output.numel() > 2**31
    assert torch.equal(output[-1], output[0])
    assert bool(output[-1].any())


# --- boxes ----------------------------------------------------------------------------------------------------------


def test_boxes_are_cut_out() -> None:
    """Boxes of whole pixels, sampled at their own size, are slices."""
    input = maps(3, 8, 10)
    box = torch.tensor([2 / 10, 1 / 8, 7 / 10, 5 / 8], dtype=torch.float64)
    assert_close(affine_sample(input, boxes_to_theta(box), (4, 5)), input[:, 1:5, 2:7], rtol=0, atol=1e-12)
    mirrored = boxes_to_theta(box[[2, 1, 0, 3]])
    assert_close(affine_sample(input, mirrored, (4, 5)), input[:, 1:5, 2:7].flip(-1), rtol=0, atol=1e-12)


def test_boxes_have_gradients() -> None:
    boxes = torch.tensor([[0.1, 0.2, 0.7, 0.9], [0.0, 0.0, 1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(boxes_to_theta, boxes)
    input = maps(3, 9, 7)
    assert torch.autograd.gradcheck(lambda box: affine_sample(input, boxes_to_theta(box), (4, 3)), boxes[:1])


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"input": torch.rand(4, 4)}, ValueError, r"input must have shape \(\*B, C, H, W\), got .*\(4, 4\)"),
        ({"input": [[1.0]]}, TypeError, "input must be a tensor"),
        ({"input": torch.rand(3, 0, 4)}, ValueError, r"at least one pixel, got .*\(3, 0, 4\)"),
        ({"theta": torch.rand(3, 2)}, ValueError, r"theta must have shape \(\*B, 2, 3\), got .*\(3, 2\)"),
        ({"theta": torch.rand(5, 2, 3)}, ValueError, r"broadcast with input's \(2,\), got .*\(5, 2, 3\)"),
        ({"theta": torch.rand(2, 2, 3).double()}, TypeError, "theta must have input's dtype torch.float32"),
        ({"size": 4}, TypeError, r"size must be two ints \(h, w\), got 4"),
        ({"size": (4, 4, 4)}, TypeError, r"size must be two ints"),
        ({"size": (4, 0)}, ValueError, r"size\[1\] must be an int >= 1, got 0"),
        ({"size": (2.0, 4)}, TypeError, r"size\[0\] must be an int >= 1, got 2.0"),
        ({"mode": "bicubic"}, ValueError, "mode must be one of 'bilinear', 'nearest', got 'bicubic'"),
        ({"padding_mode": "wrap"}, ValueError, "padding_mode must be one of 'zeros', 'border', 'reflection'"),
        ({"input": torch.rand(*(1,) * 9, 3, 4, 4)}, ValueError, "at most 8 batch dimensions"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    given: dict[str, Any] = {"input": torch.rand(2, 3, 4, 4), "theta": torch.rand(2, 2, 3), "size": (3, 3), **changes}
    with pytest.raises(error, match=rf"^affine_sample: .*{words}"):
        reidops.affine_sample(given.pop("input"), given.pop("theta"), given.pop("size"), **given)


def test_bad_boxes() -> None:
    with pytest.raises(ValueError, match=r"^boxes_to_theta: boxes must have shape \(\*B, 4\), got"):
        boxes_to_theta(torch.rand(3, 5))
    with pytest.raises(TypeError, match=r"^boxes_to_theta: boxes must be a tensor"):
        boxes_to_theta([0.0, 0.0, 1.0, 1.0])  # type: ignore[arg-type]


def test_an_operator_called_past_the_public_function_is_checked() -> None:
    with pytest.raises(RuntimeError, match=r"affine_sample: theta: expected shape \(\*B, 2, 3\), got \(3, 2\)"):
        torch.ops.reidops.affine_sample(torch.rand(3, 4, 4), torch.rand(3, 2), 2, 2, 0, 0, False)
    with pytest.raises(RuntimeError, match="affine_sample: mode: expected 0 to 1, got 2"):
        torch.ops.reidops.affine_sample(torch.rand(3, 4, 4), torch.rand(2, 3), 2, 2, 2, 0, False)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_reference_is_torchs(options: dict[str, Any]) -> None:
    """The fallback of CUDA tensors, gradients included."""
    input, theta, grad = maps(2, 1, 3, 6, 5), thetas("any", 2, 3), maps(2, 3, 3, 4, 4, seed=9)
    numbers = MODES.index(options["mode"]), PADDING_MODES.index(options["padding_mode"]), options["align_corners"]
    expanded = input.expand(2, 3, 3, 6, 5).flatten(0, 1)
    grid = F.affine_grid(theta.flatten(0, 1), [6, 3, 4, 4], align_corners=options["align_corners"])
    expected = F.grid_sample(expanded, grid, **options).unflatten(0, (2, 3))
    assert torch.equal(reference.affine_sample(input, theta, 4, 4, *numbers), expected)
    for wanted in ((True, True), (False, True), (True, False)):
        ours = torch.ops.reidops.affine_sample_backward(grad, input, theta, *numbers, *wanted)
        theirs = reference.affine_sample_backward(grad, input, theta, *numbers, *wanted)
        assert_close(ours, theirs, rtol=0, atol=1e-11)


# --- theta far away -------------------------------------------------------------------------------------------------


def cancelling(a: float, turn: int, place: int, **kind: Any) -> Tensor:
    """X is near the image at one corner of the output alone, as the difference of numbers as large as ``a``."""
    step = torch.finfo(torch.float32).eps * a / 2
    return torch.tensor([[a + turn * step, a + step, 2 * a - 1 + 2 * place * step], [0, 0, 0]], **kind)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", PADDING_MODES)
@pytest.mark.parametrize(("size", "a"), [((1, 1024), 4.5e5), ((8, 1024), 4.5e5), ((1, 4096), 1e4), ((1, 1024), 1e7)])
def test_far_and_cancelling(size: tuple[int, int], a: float, padding: str, mode: str) -> None:
    """Which pixel is read is float32's affair. It is one of the image, or zero outside it; so for the gradient."""
    input = (torch.arange(size[1]) / size[1] + 1).expand(2, 16, *size).contiguous().requires_grad_()
    least = 0 if padding == "zeros" else 1
    for place, turn in itertools.product(range(-24, 25, 4), range(4)):
        theta = cancelling(a, turn, place).expand(2, 3, 2, 3).contiguous()
        options: dict[str, Any] = {"mode": mode, "padding_mode": padding, "align_corners": True}
        output = affine_sample(input[:, None], theta, (2, 2), **options)
        low, high = output.detach().aminmax()
        assert least - 1e-5 <= float(low)
        assert float(high) <= 2 + 1e-5
        (grad,) = torch.autograd.grad(output.sum(), input)
        assert bool((grad >= 0).all())
        if padding != "zeros":  # every sample is taken from the image, whole
            assert_close(grad.sum(), torch.tensor(float(output.numel())), rtol=1e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("padding", PADDING_MODES)
def test_far_where_the_dtype_has_digits(padding: str, dtype: torch.dtype) -> None:
    """Terms of a hundred images that cancel: the values of float64, as far as a position's rounding goes."""
    width, a = 64, 100.0
    input = (torch.arange(width, dtype=torch.float64) / width + 1).expand(16, 4, width).contiguous()
    for place in range(-8, 9):
        theta = cancelling(a, 3, 0, dtype=torch.float32).double() + torch.tensor([[0, 0, place / 4], [0, 0, 0]])
        theta = theta.float().double()
        options: dict[str, Any] = {"mode": "bilinear", "padding_mode": padding, "align_corners": True}
        exact = of_torch(input, theta, (3, 5), **options)
        got = affine_sample(input.to(dtype), theta.to(dtype), (3, 5), **options).double()
        position = 8 * torch.finfo(dtype).eps * 4 * a * width  # in pixels, of which one is worth 1 / width of the value
        inside = 1.0 / width if padding != "zeros" else 2.0  # and up to two at the edge, where zeros begin
        assert_close(got, exact, rtol=0, atol=position * inside + 8 * torch.finfo(dtype).eps)
