"""The table of operators: what test_common_rules.py needs to know of each.  A new operator is a new row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import reidops
from tests.reidops.features import relu_columns, relu_maps


@dataclass(frozen=True)
class Op:
    """One public function with one set of options."""

    name: str
    function: Callable[..., Any]  #: of tensors alone, options bound
    inputs: Callable[[], tuple[Tensor, ...]]  #: float64, on the CPU
    differentiable: Callable[[Any], Tensor]  #: which part of the result has gradients
    empty: tuple[tuple[tuple[int, ...], ...], ...]  #: shapes of empty inputs
    operator: str | None  #: the operator that its graph must hold, in torch.ops.reidops; None: torch's own suffice
    sizes: tuple[str, ...]  #: a name for each size of each input that may be any; numbers are the sizes that may not

    @property
    def public_name(self) -> str:
        """Of the function."""
        return self.name.split("-")[0]

    @property
    def forward_mode(self) -> bool:
        """Whether it has forward-mode and second derivatives; what holds coefficients constant refuses both."""
        return self.public_name not in ("sparse_reconstruct", "dsr_distance", "dsr_topk")


@dataclass(frozen=True)
class Operator:
    """One operator of torch.ops.reidops with one set of arguments."""

    name: str
    inputs: Callable[[], tuple[Any, ...]]  #: float64, requiring gradients


def _gram_inputs(*, data: bool, coefficients: bool, solver: int = 0) -> tuple[Any, ...]:
    atoms = relu_maps(3, 7, 1, 5).squeeze(2).mT.contiguous()
    columns = relu_columns(7, 6, seed=1).mT
    gram = (atoms @ atoms.mT).requires_grad_()
    correlation = torch.einsum("rd,gmd->rgm", columns, atoms).requires_grad_()
    energy = columns.square().sum(1)[:, None].repeat(1, 3).requires_grad_()
    given = (columns[:, None].expand(6, 3, 7), atoms) if data else (None, None)
    return gram, correlation, energy, *given, 0.4, 1e-6, 1000, solver, coefficients


def _working_set_inputs() -> tuple[Any, ...]:
    x, y = relu_maps(2, 12, 1, 3).squeeze(2), relu_maps(2, 12, 1, 20, seed=1).squeeze(2)
    return x.requires_grad_(), y.requires_grad_(), 0.2, 1e-8, 1000, 0


def _adjoint_inputs() -> tuple[Any, ...]:
    gram, correlation, *_ = _gram_inputs(data=False, coefficients=False)
    return gram.detach(), (correlation.detach() - 0.4).relu(), 0.4


def _operator(options: dict[str, Any]) -> str | None:
    if options.get("method") == "ridge":
        return None
    return "sparse_reconstruct_fista" if options.get("solver") == "fista" else "sparse_reconstruct_gram"


def _sparse_reconstruct(name: str, **options: Any) -> Op:
    return Op(
        name=f"sparse_reconstruct-{name}",
        function=lambda x, y: reidops.sparse_reconstruct(x, y, **options),
        inputs=lambda: (relu_maps(2, 12, 3, 5).flatten(2)[:, None], relu_maps(3, 12, 2, 4, seed=1).flatten(2)),
        differentiable=lambda result: result.error,
        empty=(((4, 0), (4, 3)), ((4, 3), (4, 0)), ((0, 3), (0, 2)), ((0, 1, 4, 3), (5, 4, 2))),
        operator=_operator(options),
        sizes=("A 1 d N", "B d M"),
    )


def _dsr_distance(name: str, **options: Any) -> Op:
    return Op(
        name=f"dsr_distance-{name}",
        function=lambda probe, gallery: reidops.dsr_distance(probe, gallery, **options),
        inputs=lambda: (relu_maps(2, 12, 4, 3), relu_maps(3, 12, 5, 4, seed=1)),
        differentiable=lambda result: result,
        empty=(((0, 4, 3, 2), (2, 4, 3, 2)), ((2, 4, 3, 2), (0, 4, 3, 2)), ((0, 4, 3, 2), (0, 4, 3, 2))),
        operator=_operator(options),
        sizes=("P C h w", "G C H W"),
    )


def _maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _thetas(*batch: int, seed: int = 1) -> Tensor:
    """Zoomed, turned a little, and partly outside."""
    noise = torch.randn(*batch, 2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.eye(2, 3, dtype=torch.float64) * 0.7 + 0.2 * noise


def _affine_sample(name: str, shape: tuple[int, ...] = (2, 1, 5, 7, 6), **options: Any) -> Op:
    return Op(
        name=f"affine_sample-{name}",
        function=lambda input, theta: reidops.affine_sample(input, theta, (4, 5), **options),
        inputs=lambda: (_maps(*shape), _thetas(2, 3)),
        differentiable=lambda result: result,
        empty=(((0, 3, 4, 5), (0, 2, 3)), ((2, 0, 4, 5), (2, 2, 3)), ((2, 1, 3, 4, 5), (2, 0, 2, 3))),
        operator="affine_sample",
        sizes=("B 1 C H W" if len(shape) > 3 else "C H W", "B K 2 3"),
    )


def _sampled(input: Tensor) -> tuple[Any, ...]:
    return input.requires_grad_(), _thetas(2, 3).requires_grad_(), 4, 5, 0, 0, False


def _sampled_backward(**wanted: bool) -> tuple[Any, ...]:
    given = _maps(2, 3, 5, 4, 5, seed=2), _maps(2, 1, 5, 7, 6), _thetas(2, 3)
    return *given, 0, 0, False, *wanted.values()


def _depthwise_xcorr(
    name: str, search: tuple[int, ...], template: tuple[int, ...], sizes: tuple[str, str], **options: Any
) -> Op:
    return Op(
        name=f"depthwise_xcorr-{name}",
        function=lambda search, template: reidops.depthwise_xcorr(search, template, **options),
        inputs=lambda: (_maps(*search), _maps(*template, seed=1)),
        differentiable=lambda result: result,
        empty=(((0, 3, 4, 5), (3, 2, 2)), ((2, 0, 4, 5), (2, 0, 3, 3)), ((2, 1, 3, 4, 5), (2, 0, 3, 2, 2))),
        operator="depthwise_xcorr",
        sizes=sizes,
    )


def _correlated(search: Tensor) -> tuple[Any, ...]:
    return search.requires_grad_(), _maps(3, 5, 4, 3, seed=1).requires_grad_(), 1, 1, 7, 6


def _projected_xcorr(name: str, **options: Any) -> Op:
    return Op(
        name=f"projected_xcorr-{name}",
        function=lambda search, template, weight: reidops.projected_xcorr(search, template, weight, **options),
        inputs=lambda: (_maps(2, 1, 5, 7, 6), _maps(3, 2, 5, 4, 3, seed=1), _maps(4, 2, 5, seed=2)),
        differentiable=lambda result: result,
        empty=(((0, 3, 4, 5), (2, 3, 2, 2), (4, 2, 3)), ((2, 3, 4, 5), (2, 3, 2, 2), (0, 2, 3))),
        operator="projected_xcorr",
        sizes=("A 1 C H W", "K T C h w", "O T C"),
    )


def _projected() -> tuple[Any, ...]:
    given = _maps(2, 1, 5, 7, 6), _maps(3, 2, 5, 4, 3, seed=1), _maps(4, 2, 5, seed=2)
    return *(value.requires_grad_() for value in given), 1, 1, 7, 6, True, [2, 3]


def _weighted_groups(probe: Tensor, gallery: Tensor) -> Tensor:
    weight = torch.linspace(0.5, 1.5, 12, dtype=probe.dtype, device=probe.device).reshape(4, 3)
    return reidops.dsr_distance(
        probe, gallery, groups=[k // 2 for k in range(len(gallery))], probe_weight=weight.expand(probe.shape[0], 4, 3)
    )


def _candidates(probe: Tensor, gallery: Tensor) -> Tensor:
    chosen = torch.tensor([[1, 0], [0, 0]], device=probe.device) if gallery.shape[0] else torch.empty(0, 2).long()
    return reidops.dsr_distance(probe, gallery, candidates=chosen[: len(probe)])


OPS = (
    _affine_sample("zeros"),
    _affine_sample("border", padding_mode="border"),
    _affine_sample("reflection", padding_mode="reflection", align_corners=True),
    _affine_sample("nearest", mode="nearest"),
    _affine_sample("colours", shape=(3, 7, 6)),
    _affine_sample("many_channels", shape=(2, 1, 40, 7, 6)),
    _depthwise_xcorr("same", (2, 1, 5, 7, 6), (3, 5, 4, 3), ("A 1 C H W", "K C h w")),
    _depthwise_xcorr("valid", (2, 20, 7, 6), (2, 20, 3, 2), ("B C H W", "B C h w"), padding="valid"),
    _depthwise_xcorr("one_template", (2, 3, 3, 7, 6), (3, 3, 3), ("A K C H W", "C h w"), padding=2),
    _projected_xcorr("plain"),
    _projected_xcorr("pooled", pool=True, padding=2),
    _sparse_reconstruct("active_set"),
    _sparse_reconstruct("feature_sign", solver="feature_sign"),
    _sparse_reconstruct("coordinate_descent", solver="coordinate_descent"),
    _sparse_reconstruct("fista", solver="fista"),
    replace(
        _sparse_reconstruct("many_atoms"),
        inputs=lambda: (relu_columns(200, 2), relu_columns(200, 512, seed=1)),
        operator="sparse_reconstruct_working_set",
        sizes=("d 2", "d M"),  # for more columns another way is chosen
    ),
    _sparse_reconstruct("implicit", gradient="implicit"),
    _sparse_reconstruct("ridge", method="ridge"),
    _sparse_reconstruct("ridge_implicit", method="ridge", gradient="implicit"),
    _dsr_distance("single_scale"),
    # Counts of blocks are polynomials of the sizes, which torch's algebra takes seconds over: one side's in a row.
    replace(_dsr_distance("multi_scale", scales=(1, 2, 3)), sizes=("P C h w", "G C 5 4")),
    _dsr_distance("implicit", gradient="implicit"),
    replace(_dsr_distance("joint", method="joint", scales=(1, 2)), sizes=("P C 4 3", "3 C H W")),
    replace(_dsr_distance("ridge", scales=(1, 2), method="ridge"), sizes=("P C 4 3", "G C 5 4")),
    replace(
        _dsr_distance("gap", scales=(1, 2), return_gap=True),
        differentiable=lambda result: result[0],
        sizes=("P C h w", "G C 5 4"),
    ),
    replace(_dsr_distance("ridge_gap", method="ridge", return_gap=True), differentiable=lambda result: result[0]),
    replace(
        _dsr_distance("candidates"),
        function=_candidates,
        empty=(((0, 4, 3, 2), (2, 4, 3, 2)),),
        sizes=("2 C h w", "G C H W"),
    ),
    replace(
        _dsr_distance("nearest"),
        name="dsr_topk",
        function=lambda probe, gallery: reidops.dsr_topk(probe, gallery, 2).distances,
        empty=(((0, 4, 3, 2), (2, 4, 3, 2)),),
    ),
    replace(
        _dsr_distance("weighted_groups"),
        function=_weighted_groups,
        empty=(((0, 4, 4, 3), (2, 4, 3, 2)),),
        sizes=("2 12 4 3", "3 12 H W"),
    ),
)

OPERATORS = (
    Operator("affine_sample", lambda: _sampled(_maps(2, 1, 5, 7, 6))),
    Operator("affine_sample", lambda: _sampled(_maps(2, 1, 7, 6, 5).movedim(-1, -3))),  # channels last
    Operator("affine_sample_backward", lambda: _sampled_backward(of_input=True, of_theta=True)),
    Operator("affine_sample_backward", lambda: _sampled_backward(of_input=False, of_theta=True)),
    Operator("depthwise_xcorr", lambda: (*_correlated(_maps(2, 1, 5, 7, 6)), False, [2, 3])),
    Operator("depthwise_xcorr", lambda: (*_correlated(_maps(2, 1, 7, 6, 5).movedim(-1, -3)), True, [2, 1])),
    Operator("projected_xcorr", _projected),
    Operator("sparse_reconstruct_gram", lambda: _gram_inputs(data=True, coefficients=True)),
    Operator("sparse_reconstruct_gram", lambda: _gram_inputs(data=False, coefficients=False)),
    Operator("sparse_reconstruct_fista", lambda: _gram_inputs(data=True, coefficients=True, solver=3)),
    Operator("sparse_reconstruct_working_set", _working_set_inputs),
    Operator("lasso_adjoint", _adjoint_inputs),
    Operator("channel_product", lambda: (_maps(2, 5, 7), _maps(3, 5, 6, seed=1), None)),
    Operator("channel_product", lambda: (_maps(2, 5, 7), _maps(3, 5, 6, seed=1), torch.tensor([[0, 2], [1, 1]]))),
    Operator("channel_gram", lambda: (_maps(3, 5, 6),)),
    Operator("weighted_sums", lambda: (_maps(2, 7, 3, 6), _maps(3, 5, 6, seed=1))),
)
