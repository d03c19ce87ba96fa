"""Loading the compiled libraries, and what stands in for the one that cannot be loaded."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch

import reidops
from reidops import _library as library
from reidops import reference

PROBLEM = (torch.eye(2).expand(1, 2, 2), torch.tensor([[[1.0, 0.1]]]), torch.tensor([[2.0]]))
OPTIONS = (None, None, 0.4, 1e-4, 100, 0, True)


def test_missing_cpu_library_is_an_import_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImportError, match="pip install"):
        library.load_cpu(tmp_path / "_C_of_nowhere.abi3.so")


def test_damaged_cpu_library_is_an_import_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "_C.abi3.so"
    path.write_bytes(b"no library")
    with pytest.raises(ImportError, match=r"_C.abi3.so cannot be loaded.*pip install"):
        library.load_cpu(path)


@pytest.mark.parametrize("how", ["installed", "installed to be edited"])
def test_sources_that_hide_the_installed_package_are_named(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, package = tmp_path / "site", tmp_path / "elsewhere" / "reidops"
    if how == "installed":
        package = site / "reidops"
    info = site / "reidops-1.0.dist-info"
    for folder in (package, info):
        folder.mkdir(parents=True)
    (package / "_C_other.abi3.so").touch()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: reidops\nVersion: 1.0\n")
    (info / "RECORD").write_text("reidops/_C_other.abi3.so,,\n" if how == "installed" else "")
    if how != "installed":
        (info / "direct_url.json").write_text(json.dumps({"url": package.parent.as_uri()}))
    monkeypatch.syspath_prepend(site)
    with pytest.raises(ImportError, match="hide the installed package") as error:
        library.load_cpu(tmp_path / "clone" / "reidops" / "_C_other.abi3.so")
    assert str(package) in str(error.value)


@pytest.mark.parametrize("version", ["2.9.1", "2.2.0+cu121"])
def test_old_torch_is_named(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(ImportError, match=rf"needs torch >= 2.10, and this is torch {version}".replace("+", r"\+")):
        library.load_cpu()


@pytest.mark.parametrize("version", ["2.10.0", "2.10.0a0+git1234", "2.13.0+cpu"])
def test_newer_torch_is_accepted(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    library.load_cpu()


def test_cuda_library_gives_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "_C_cuda.abi3.so"
    assert str(library.load_cuda(path)).startswith("not built")
    path.write_bytes(b"no library")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert str(library.load_cuda(path)).endswith("has no CUDA")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "cannot be loaded" in str(library.load_cuda(path))


def test_fallback_warns_once_and_equals_the_reference() -> None:
    stand_in = library.fallback("sparse_reconstruct_gram", "for a test")
    with pytest.warns(RuntimeWarning, match=r"sparse_reconstruct_gram runs without its CUDA kernel.*for a test"):
        first = stand_in(*PROBLEM, *OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = stand_in(*PROBLEM, *OPTIONS)
    for results in (first, second):
        for got, expected in zip(results, reference.sparse_reconstruct_gram(*PROBLEM, *OPTIONS)):
            torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("name", library.KERNELS)
def test_every_kernel_serves_cpu_and_cuda(name: str) -> None:
    for key in ("CPU", "CUDA"):
        assert torch._C._dispatch_has_kernel_for_dispatch_key(f"reidops::{name}", key)


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    reidops.show_config()
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.replace("CPU ", "CPU_").splitlines())
    assert lines["reidops"] == reidops.__version__
    assert lines["torch"] == torch.__version__
    assert lines["threads"] == str(torch.get_num_threads())
    assert lines["CPU_instruction"].split()[-1] in ("baseline", "avx2", "avx512", "amx")
    assert lines["CUDA"].removeprefix("kernels").strip().startswith(("loaded from", "built, but", "not built"))
