"""`reidops train`: train a recipe's network on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import add_device_argument, add_setting_argument, training_seed
from reidops_models.cli.console import CommandError

SUMMARY = "train a network by a recipe"
DESCRIPTION = """\
Train a recipe's network on the training images of a data set. In --out:
model.safetensors and model.json (what match and evaluate read), last.ckpt (to
resume from), and logs/ with metrics.csv and TensorBoard's files. Where the data
set has validation people, best.safetensors and best.json hold the network with
their highest mAP. What the data set holds is printed first, then a line per
epoch, or a bar on a terminal.
"""
EXAMPLES = """\
examples:
  reidops train --recipe dsr/demo --data people --out runs/demo
  reidops train --recipe dsr/demo --data people --out runs/demo --resume
  reidops train --recipe dsr/demo --set optimizer.lr=1e-3 training.epochs=9 --seed 3 --data people --out runs/slow
  reidops train --recipe dsr/demo_finetune --start runs/demo/model.safetensors --data people --out runs/tuned
  reidops train --recipe stnreid/demo_stage1 --data people --out runs/stage1
  reidops train --recipe csn/cuhk03 --data cuhk03_release --setting labeled-old-0 --out runs/csn
  reidops train --recipe dpti/market1501 --data Market-1501-v15.09.15 --out runs/dpti
  reidops train --recipe mine.yaml --data Market-1501-v15.09.15 --out runs/mine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", required=True, metavar="NAME_OR_FILE", help="dsr/demo, ..., or a .yaml file")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="options on top of the recipe's, such as training.epochs=2 or losses.0.weight=0.5; values are YAML",
    )
    parser.add_argument("--seed", type=training_seed, metavar="N", help="short for --set training.seed=N")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data set, as it is unpacked")
    add_setting_argument(parser)
    add_device_argument(parser, None, "auto, cpu, cuda or cuda:N (default: as the recipe's section training says)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--start", metavar="FILE", help="checkpoint whose weights to start from (fine-tuning)")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on from the last.ckpt in --out")
    existing.add_argument("--overwrite", action="store_true", help="begin anew, although --out holds a trained model")


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import describe, load_dataset
    from reidops_models.recipe import load_recipe

    seed = [] if options.seed is None else [f"training.seed={options.seed}"]
    recipe = load_recipe(options.recipe, [*options.overrides, *seed])
    dataset = load_dataset(options.data, setting=options.setting)
    last = options.out / "last.ckpt"
    if options.resume and not last.is_file():
        raise CommandError(f"{last}: nothing to resume from")

    from reidops_models.training.run import train

    print(describe(dataset), flush=True)
    weights = train(
        recipe,
        dataset,
        options.out,
        start=options.start,
        resume=last if options.resume else None,
        overwrite=options.overwrite,
        progress=True,
        device=options.device,
    )
    print(f"written: {weights}")
    return 0
