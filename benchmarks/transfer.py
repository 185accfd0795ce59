"""Is a trained Mixer worth starting from, where images of other classes are few?

    python benchmarks/transfer.py --data-dir DIR               # two cores: about ten minutes

A class split of CIFAR-10: a small Mixer is pretrained on the six classes of animals, then trained
on 20, 100 and 500 images a class of the four classes of vehicles; once from the pretrained weights
with a head of zeros, as `search.finetune` trains, and once from drawn weights. Both see as many
images in as many steps, by the same recipe, each at the best of the same learning rates.

Of 4,000 vehicles that are kept out of every training, one half chooses the rates (by the mean of
the first two seeds), the other reports. A seed draws its own training images, the same for both;
gains are paired over the seeds, with a t interval.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transfer_gains import SIZES, Gain, Training, draw, gains_of, read, table, write
from transfer_trainings import RECIPE, SHOWN, Transfer

from search import data as images
from search.data import DataError
from search.data.loading import to_stderr
from search.train.compile_cache import use_compile_cache
from search.train.environment import find_environment
from search.train.xla_options import use_xla_options
from space.cost import cost
from space.families import label_of
from space.quantities import format_count


def main(argv: Sequence[str] | None = None) -> int:
    """Pretrains, trains, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="with the prepared cifar10")
    parser.add_argument("--out", type=Path, help="write all trainings into this CSV file")
    parser.add_argument("--png", type=Path, help="draw a figure into this file")
    parser.add_argument("--read", type=Path, help="train nothing: show the trainings of a CSV file")
    parser.add_argument("--seeds", type=int, default=5, help="2 or more")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="images a class")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, help=f"of {SHOWN} images")
    parser.add_argument("--pretrain-epochs", type=int, default=12)
    args = parser.parse_args(argv)
    if args.read:
        gains = gains_of(read(args.read))
        print(table(gains))
        if args.png:
            draw(gains, args.png)
        return 0
    use_xla_options()
    use_compile_cache(to_stderr)
    try:
        data = images.load("cifar10", data_dir=args.data_dir)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    began = time.monotonic()
    transfer = Transfer(
        data, RECIPE.model_copy(update={"epochs": args.epochs}), args.pretrain_epochs
    )
    trainings: list[Training] = []
    for size in map(int, args.sizes.split(",")):
        trainings += transfer.trainings(size, args.seeds)
    gains = gains_of(trainings)
    print(report(transfer, gains, args, time.monotonic() - began))
    if args.out:
        write(trainings, args.out)
    if args.png:
        draw(gains, args.png)
    return 0


def report(transfer: Transfer, gains: Sequence[Gain], args: Any, seconds: float) -> str:
    """As Markdown: what was trained, how, and what came of it."""
    environment = find_environment(transfer.device)
    bill = cost(transfer.config)
    kept_out = len(transfer.vehicles.validation_labels)
    steps = transfer.recipe.epochs * (SHOWN // transfer.recipe.batch_size)
    lines = [
        f"{label_of(transfer.config)}, {format_count(bill.flops)}FLOPs, "
        f"{format_count(bill.params)} parameters; pretrained for {args.pretrain_epochs} epochs on "
        f"six classes of animals ({100 * transfer.pretrained_accuracy:.1f} % on validation)",
        f"{steps} steps of {transfer.recipe.batch_size} images each, AdamW; {args.seeds} seeds; "
        f"accuracy on {kept_out // 2:,} vehicles, rates chosen on {kept_out - kept_out // 2:,} "
        "others",
        f"{seconds / 60:.1f} min on {environment.device_kind}, {datetime.now(UTC).date()}, "
        f"revision {environment.git_revision}",
        "",
        table(gains),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
