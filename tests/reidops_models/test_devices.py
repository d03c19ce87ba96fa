"""The device that a caller names: what it means, and one line where it is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from reidops_models.checkpoint import load_checkpoint
from reidops_models.devices import DeviceError, find_device
from reidops_models.extractor import FeatureExtractor
from reidops_models.recipe import load_recipe
from reidops_models.retrieval import search
from reidops_models.training import run as training

from .conftest import Run
from .fake_gpu import GPU, fake_gpu, is_there

COMMANDS = {
    "match": ("--probe", "people", "--gallery", "people"),
    "evaluate": ("--data", "people"),
    "embed": ("--images", "people", "--out", "out"),
    "demo": ("--out", "out"),
    "reproduce": ("dsr", "--table", "all", "--out", "out"),
    "train": ("--recipe", "dsr/demo", "--data", "people", "--out", "out"),
}


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.version, "cuda", "13.0")


@pytest.mark.usefixtures("two_gpus")
def test_gpus_by_their_names() -> None:
    assert find_device() == find_device("cuda") == torch.device("cuda")
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("cuda:1") == find_device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match=r"^device: no cuda:2 on this machine: there are cpu, cuda:0, cuda:1$"):
        find_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(DeviceError, match=r"^device: no cuda on this machine: there is only cpu$"):
        find_device("cuda")
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(DeviceError, match=r"there is only cpu, and this torch is built without CUDA$"):
        find_device(torch.device("cuda"))


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "meta"])
def test_what_is_no_device(name: str) -> None:
    with pytest.raises(DeviceError, match=f"^device: expected auto, cpu, cuda or cuda:N, got '{name}'$"):
        find_device(name)
    assert find_device(torch.device("meta")).type == "meta"  # an object of torch's is taken at its word


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_there_is(
    run: Run, people: Path, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people").symlink_to(people)
    for device, expected in (("cuda:3", "no cuda:3 on this machine: there is only cpu"), ("gpu", "expected auto, cpu")):
        code, _, complaints = run(command, *COMMANDS[command], "--device", device)
        assert code == 2
        assert len(complaints) == 1
        assert complaints[0].startswith(f"reidops: --device: {expected}")
    assert not (tmp_path / "out").exists()  # before anything is done


def test_what_runs_on_a_gpu_gives_the_lists_of_the_cpu(
    people: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = people / "query", people / "bounding_box_test"
    expected = search(*sides, checkpoint, device="cpu")
    with fake_gpu(monkeypatch) as gpu:
        loaded = load_checkpoint(checkpoint, device="auto")
        assert loaded.device == GPU
        assert all(is_there(weight) for weight in loaded.network.state_dict().values())
        loading = gpu.calls
        found = search(*sides, loaded)  # stays where it is
        assert gpu.calls > loading
        assert search(*sides, loaded, device="cpu").ranked[0].matches == expected[0].matches
        assert loaded.device == torch.device("cpu")
    assert [ranked.matches for ranked in found] == [ranked.matches for ranked in expected]


def test_match_and_embed_run_there(run: Run, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: dict[str, list[Any]] = {
        "match": ["--probe", people / "query", "--gallery", people / "query", "--pictures", 2],
        "embed": ["--images", people / "query"],
    }
    for command, words in commands.items():
        assert run(command, *words, "--device", "cpu", "--out", tmp_path / f"{command} cpu")[0] == 0
        with fake_gpu(monkeypatch) as gpu:
            code, _, complaints = run(command, *words, "--out", tmp_path / f"{command} gpu")
        assert (code, complaints) == (0, [])
        assert gpu.calls > 100
        for path in (tmp_path / f"{command} cpu").iterdir():
            assert path.read_bytes() == (tmp_path / f"{command} gpu" / path.name).read_bytes()


def test_the_extractor_stays_where_its_network_is(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(3, 3, 70, 40)
    expected = FeatureExtractor("dpti")(images)
    with fake_gpu(monkeypatch) as gpu:
        extract = FeatureExtractor("dpti", device="cuda")
        assert extract.checkpoint.device == GPU
        before = gpu.calls
        descriptors = extract(images)
        assert gpu.calls > before
        assert descriptors.device == torch.device("cpu")
        assert FeatureExtractor(extract.checkpoint).checkpoint.device == GPU
        assert extract([]).shape == (0, expected.shape[1])
    torch.testing.assert_close(descriptors, expected, rtol=0, atol=0)


def test_tensors_of_two_devices_do_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_gpu(monkeypatch), pytest.raises(RuntimeError, match="expected all tensors to be on the same device"):
        torch.ones(2, device="cuda") + torch.ones(2)


@pytest.mark.usefixtures("two_gpus")
def test_training_is_told_which_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    class Trainer:
        world_size = 1

        def __init__(self, **options: Any) -> None:
            given.append(options)

    monkeypatch.setattr(L, "Trainer", Trainer)
    for device in (None, "cpu", "cuda", "cuda:1"):
        chosen = None if device is None else find_device(device)
        training.build_trainer(load_recipe("dsr/demo"), tmp_path, device=chosen)
    assert [(options["accelerator"], options["devices"]) for options in given] == [
        ("auto", "auto"),
        ("cpu", 1),
        ("gpu", 1),
        ("gpu", [1]),
    ]


def test_a_gpu_without_memory_is_one_line(run: Run, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB. GPU 0 has ...")

    monkeypatch.setattr("reidops_models.retrieval.ranking.rank_probes", full)
    code, _, complaints = run("match", "--probe", people / "query", "--gallery", people / "query")
    assert code == 2
    assert complaints == [
        "reidops: --device: CUDA out of memory: --half keeps maps in half of it, --device cpu needs none of it"
    ]
