"""What OpenAPI says is what the server does: schemathesis makes requests, right ones and wrong ones, from it alone."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.generation import GenerationMode

from reidops_models import Gallery
from reidops_models.data import UPLOAD_FORMATS
from reidops_models.serve import People, create_app
from reidops_models.serve.uploads import MEDIA_TYPES

from .conftest import LIMITS


@st.composite
def images(draw: st.DrawFn, forms: tuple[str, ...]) -> bytes:
    file = io.BytesIO()
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 80))
    colour = draw(st.integers(0, 255))
    Image.new("RGB", (width, height), (colour, 255 - colour, 128)).save(file, draw(st.sampled_from(forms)))
    return file.getvalue()


for kind in MEDIA_TYPES:
    own = tuple(form for form in UPLOAD_FORMATS if kind == f"image/{form.lower()}")
    schemathesis.openapi.media_type(kind, images(own or UPLOAD_FORMATS))


@pytest.fixture(scope="module")
def described(gallery: Path) -> Any:
    """The schema that the server gives, with the server behind it."""
    app = create_app(People(Gallery.open(gallery), 0.15), LIMITS, names=("testserver",))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


QUICK = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ADDRESSES = [
    ("GET", "/api/gallery"),
    ("GET", "/api/entries/{number}"),
    ("GET", "/api/entries/{number}/thumbnail"),
    ("POST", "/api/search"),
]
RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.mark.parametrize(
    ("method", "address", "mode"),
    [(*address, RIGHT) for address in ADDRESSES] + [(*address, WRONG) for address in ADDRESSES[1:]],
)
def test_the_server_does_what_it_says(described: Any, method: str, address: str, mode: GenerationMode) -> None:
    seen: Counter[int] = Counter()

    @QUICK
    @given(case=described[address][method].as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        seen[case.call_and_validate().status_code] += 1

    check()
    assert max(seen) < 500
    assert (200 if mode == RIGHT else 422) in seen


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_other_methods_are_refused(described: Any, method: str, address: str) -> None:
    other = "DELETE" if method == "GET" else "GET"
    case = described[address][method].Case(method=other, path_parameters={"number": 0})
    answer = case.call()
    assert (answer.status_code, answer.headers["allow"]) == (405, [method])
    assert answer.json() == {"error": "Method Not Allowed"}


def test_every_address_is_described(described: Any) -> None:
    paths = described.raw_schema["paths"]
    assert [(method.upper(), path) for path, methods in paths.items() for method in methods] == ADDRESSES
    for methods in paths.values():
        for operation in methods.values():
            answers = operation["responses"]
            assert "200" in answers
            for code in set(answers) - {"200"}:
                (content,) = answers[code]["content"].values()
                assert content["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}
