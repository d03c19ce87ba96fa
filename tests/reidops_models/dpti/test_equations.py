"""Every equation of the paper against a loop written from it, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reidops_models.dpti.attention import AttentionEncoder
from reidops_models.dpti.network import DptiNetwork
from reidops_models.dpti.recipe import NetworkOptions
from reidops_models.dpti.templates import DynamicTemplates, GridTemplates, StaticTemplates, grid_of
from reidops_models.dpti.training import diversity_loss

B, D, L, N = 2, 6, 5, 3
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def by_hand(encoder: AttentionEncoder, features: Tensor, context: Tensor) -> Tensor:
    """Eq. 1 to 4, vector by vector and head by head; features (M, d), context (L, d)."""
    heads, d = encoder.heads, features.shape[1]
    width = d // heads
    rows = []
    for f in features:
        q = encoder.query.weight @ f
        gathered = []
        for head in range(heads):
            own = slice(head * width, (head + 1) * width)
            scores = [((encoder.key.weight @ c)[own] @ q[own]).item() / math.sqrt(width) for c in context]
            exponents = [math.exp(score - max(scores)) for score in scores]
            beta = [one / sum(exponents) for one in exponents]
            gathered.append(sum(b * (encoder.value.weight @ c)[own] for b, c in zip(beta, context, strict=True)))
        g = torch.cat(gathered)
        first, _, _, second, _ = encoder.feed_forward
        hidden = (first.weight @ (g + f) + first.bias).clamp(min=0)
        rows.append(second.weight @ hidden + second.bias + g)
    return torch.stack(rows)


@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_eq_1_to_4_self_attention(heads: int) -> None:
    torch.manual_seed(heads)
    encoder = AttentionEncoder(D, heads=heads, width=9).double().eval()
    features = torch.randn(B, L, D, dtype=torch.float64)
    expected = torch.stack([by_hand(encoder, one, one) for one in features])
    torch.testing.assert_close(encoder(features, features), expected, **CLOSE)


def test_eq_7_attention_from_templates_to_a_map() -> None:
    torch.manual_seed(0)
    encoder = AttentionEncoder(D, heads=2, width=9).double().eval()
    templates, context = torch.randn(B, N, D, dtype=torch.float64), torch.randn(B, L, D, dtype=torch.float64)
    expected = torch.stack([by_hand(encoder, *pair) for pair in zip(templates, context, strict=True)])
    found = encoder(templates, context)
    assert found.shape == (B, N, D)
    torch.testing.assert_close(found, expected, **CLOSE)


def test_attention_weights_are_those_that_gather() -> None:
    torch.manual_seed(1)
    encoder = AttentionEncoder(D, heads=1, width=9).double().eval()
    templates, context = torch.randn(B, N, D, dtype=torch.float64), torch.randn(B, L, D, dtype=torch.float64)
    weights = encoder.weights(templates, context)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(B, N, dtype=torch.float64))
    gathered = weights @ encoder.value(context)
    expected = encoder.feed_forward(gathered + templates) + gathered
    torch.testing.assert_close(encoder(templates, context), expected, **CLOSE)


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    encoder = AttentionEncoder(64, heads=8, width=256)
    features = torch.randn(1, 32, 64)
    assert not torch.equal(encoder(features, features), encoder(features, features))
    encoder.eval()
    assert torch.equal(encoder(features, features), encoder(features, features))
    rates = [layer.p for layer in encoder.modules() if isinstance(layer, nn.Dropout)]
    assert rates == [0.1, 0.1]


def test_gradients_of_the_encoder() -> None:
    torch.manual_seed(0)
    encoder = AttentionEncoder(4, heads=2, width=5).double().eval()
    features = torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True)
    context = torch.randn(1, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(encoder, (features, context))


def test_eq_5_and_6_dynamic_templates() -> None:
    torch.manual_seed(0)
    templates = DynamicTemplates(N, D).double()
    features = torch.randn(B, 6, D, dtype=torch.float64)
    found = templates(features, (3, 2))
    assert found.correlations is not None
    for b in range(B):
        for i in range(N):
            q = templates.part_weights[i]
            gamma = [(a @ q).item() for a in features[b]]
            torch.testing.assert_close(
                found.correlations[b, i], torch.tensor(gamma, dtype=torch.float64), check_dtype=False, **CLOSE
            )
            total = sum(math.exp(one) for one in gamma)
            expected = sum(
                math.exp(one) / total * (templates.value.weight @ a) for one, a in zip(gamma, features[b], strict=True)
            )
            torch.testing.assert_close(found.vectors[b, i], expected, **CLOSE)


def test_sec_3_5_part_presence() -> None:
    torch.manual_seed(0)
    found = DynamicTemplates(N, D).double()(torch.randn(B, 6, D, dtype=torch.float64), (3, 2))
    assert found.correlations is not None
    for b in range(B):
        means = [sum(one.tolist()) / 6 for one in found.correlations[b]]
        total = sum(math.exp(mean) for mean in means)
        expected = torch.tensor([N * math.exp(mean) / total for mean in means], dtype=torch.float64)
        torch.testing.assert_close(found.presence()[b], expected, **CLOSE)
    torch.testing.assert_close(found.presence().sum(dim=1), torch.full((B,), float(N), dtype=torch.float64))


def test_grid_templates_are_the_averages_of_sections() -> None:
    features = torch.randn(B, 16 * 8, D)
    found = GridTemplates(8)(features, (16, 8))
    maps = features.view(B, 16, 8, D)
    for part in range(8):
        row, column = divmod(part, 2)
        section = maps[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        torch.testing.assert_close(found.vectors[:, part], section.mean(dim=(1, 2)))
    with pytest.raises(ValueError, match="no correlations"):
        found.presence()


@given(parts=st.integers(1, 24), height=st.integers(1, 40), width=st.integers(1, 40))
def test_grids_have_as_many_sections_as_there_are_parts(parts: int, height: int, width: int) -> None:
    rows, columns = grid_of(parts, (height, width))
    assert rows * columns == parts


def test_static_templates_are_the_same_for_every_image() -> None:
    found = StaticTemplates(N, D)(B)
    assert found.vectors.shape == (B, N, D)
    assert found.vectors[0].equal(found.vectors[1])


@settings(max_examples=25, deadline=None)
@given(batch=st.integers(1, 3), parts=st.integers(2, 5), d=st.integers(1, 6), seed=st.integers(0, 99))
def test_eq_10_diversity(batch: int, parts: int, d: int, seed: int) -> None:
    vectors = torch.randn(batch, parts, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    expected = 0.0
    for one in vectors:
        for i in range(parts):
            for j in range(parts):
                if i != j:
                    product = float(one[i] @ one[j])
                    expected += product**2 / float(one[i] @ one[i]) / float(one[j] @ one[j])
    expected /= batch * parts * (parts - 1)
    assert float(diversity_loss(vectors)) == pytest.approx(expected, rel=1e-10)


def test_diversity_has_its_least_at_right_angles_and_its_most_at_one_line() -> None:
    assert float(diversity_loss(torch.eye(4)[None])) == 0
    assert float(diversity_loss(torch.tensor([[[1.0, 2.0], [-2.0, -4.0]]]))) == pytest.approx(1)
    assert float(diversity_loss(torch.zeros(3, 0, 4))) == float(diversity_loss(torch.rand(3, 1, 4))) == 0
    assert diversity_loss(torch.zeros(2, 3, 4)).isfinite()
    with pytest.raises(ValueError, match=r"diversity_loss: parts must be \(B, N, d\), got \(2, 3\)"):
        diversity_loss(torch.zeros(2, 3))


def test_gradients_of_diversity() -> None:
    torch.manual_seed(0)
    parts = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(diversity_loss, parts)


def test_eq_8_scales_each_part_by_its_presence() -> None:
    networks = []
    for weighting in (False, True):
        torch.manual_seed(0)
        options = NetworkOptions(backbone="resnet50_slim", dimensions=16, feed_forward=32, parts=4, weighting=weighting)
        networks.append(DptiNetwork(options, (64, 32), 4).eval())
    images = torch.rand(3, 3, 64, 32)
    with torch.inference_mode():
        plain, weighted = (network.describe(images) for network in networks)
    assert plain.templates is not None
    torch.testing.assert_close(weighted.parts, plain.parts * plain.templates.presence()[:, :, None])
    torch.testing.assert_close(weighted.whole, plain.whole)
