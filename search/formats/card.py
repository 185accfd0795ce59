"""The card of a trained network: what it is, how good, how it is used and made again."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from typing import Any

from search.formats.proof import Proof
from space.command import visible
from space.errors import listed
from space.families import label_of
from space.presets import Preset
from space.quantities import counted, format_count

_MOST_CLASSES = 100
"""That are named; `preset.json` has all."""

_USE = """\
Pixels are 0 to 255. The network takes them less `pixel_mean`, by `pixel_std` (both in
`preset.json`); an image of another size is converted first (`{resize}`, Pillow's bicubic filter).

```bash
python -m search.predict --model . IMAGE.png
```

In JAX, with {label} as a Flax module:

```python
import numpy as np
from space import presets
from space.build import build

preset = presets.load(".")  # this folder; the weights are held against their SHA-256
images = np.zeros((1, {size}, {size}, {channels}), np.uint8)
mean, std = np.float32(preset.trained.pixel_mean), np.float32(preset.trained.pixel_std)
logits = build(preset.config).apply({{"params": preset.params()}}, (images - mean) / std)
```

By NumPy alone, without JAX: `space.reference.logits(preset.config, preset.params(), pixels)`.
The arrays of `model.safetensors` are float32 under their path in the module
(`params/head/kernel`)."""


def card(preset: Preset, proofs: Sequence[Proof], latency: Sequence[str] = ()) -> str:
    """The text of a card, in Markdown with a header of YAML.

    Args:
        preset: with `trained`; of its `source` whatever is there.
        proofs: of the other formats in the folder.
        latency: lines of Markdown on what was measured.
    """
    return "\n\n".join(part for part in _parts(preset, proofs, latency) if part) + "\n"


def _parts(preset: Preset, proofs: Sequence[Proof], latency: Sequence[str]) -> Iterator[str]:
    assert preset.trained is not None, "a card is of a trained network"
    config, source = preset.config, preset.source
    yield _header(preset)
    yield f"# {_text(preset.name)}"
    images = f"{config.image_size} x {config.image_size} pixels"
    channels = "grey" if config.image_channels == 1 else "in colour"
    found = f" Trained in study {_code(source['study'])}." if "study" in source else ""
    yield (
        f"{label_of(config)}: tells {config.num_classes:,} classes apart on images of {images}, "
        f"{channels}. {format_count(preset.num_params)} parameters, "
        f"{format_count(2 * preset.macs)}FLOPs an image (forward; a multiply-add is two).{found}"
    )
    if rows := list(_accuracies(source)):
        head = ["| accuracy of | on | % | interval |", "|---|---|---|---|"]
        yield "## Accuracy\n\n" + "\n".join([*head, *rows])
        yield " ".join(_about_accuracies(source))
    if latency:
        yield "## Latency\n\n" + "\n".join(latency)
    if trained := _trained_on(source):
        yield f"## Training\n\n{trained}"
    if names := preset.trained.class_names:
        yield f"Classes by label, from 0: {listed([_code(n) for n in names], _MOST_CLASSES)}."
    yield "## Use\n\n" + _USE.format(
        resize=preset.trained.resize,
        label=label_of(config),
        size=config.image_size,
        channels=config.image_channels,
    )
    if proofs:
        yield "## Other formats\n\n" + "\n".join(f"- {_proof(proof)}" for proof in proofs)
    if command := source.get("command"):
        by = f" (mixer-search {_code(r)})" if (r := source.get("git_revision")) else ""
        place = "In this folder"
        if start := source.get("start_from"):
            began = _code(start["preset"])
            place = f"Where {began} is the folder that it started from (SHA-256 {start['sha256']})"
        elif source.get("converted_from"):
            place = "Beside the file it was converted from"
        yield f"## Made again\n\n{place}{by}:\n\n```bash\n{visible(command)}\n```"


def _header(preset: Preset) -> str:
    """What model hubs read; texts are JSON, which is YAML too."""
    source = preset.source
    tags = ["image-classification", preset.config.family, "mixer-search"]
    header = {
        "license": source.get("license", "unknown"),
        "library_name": "flax",
        "tags": tags,
        "datasets": [name] if (name := source.get("dataset")) and ":" not in name else [],
        "metrics": ["accuracy"],
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in header.items()]
    return "\n".join(["---", *lines, "---"])


def _accuracies(source: dict[str, Any]) -> Iterator[str]:
    """Rows of the table: of these weights, and of the configuration over its seeds."""
    weights, confirmed = source.get("weights", {}), source.get("confirmed")
    for split in ("validation", "test"):
        if own := weights.get(split):
            of = f"these weights, seed {weights['seed']}"
            yield _row(of, f"{split}, {own['num_images']:,} images", own)
    seeds = len(source.get("seeds", [0]))
    if confirmed:
        yield _row(f"the mean of {seeds} seeds", confirmed["accuracy_split"], confirmed)
    elif seeds > 1 and source.get("interval"):
        mean = source["interval"] | {"accuracy": source["accuracy"]}
        yield _row(f"the mean of {seeds} seeds", source["accuracy_split"], mean)


def _row(of: str, split: str, figures: dict[str, Any]) -> str:
    accuracy, low, high = (100 * figures[name] for name in ("accuracy", "low", "high"))
    return f"| {of} | {split} | {accuracy:.1f} | {low:.1f} to {high:.1f} |"


def _about_accuracies(source: dict[str, Any]) -> Iterator[str]:
    seeds = len(source.get("seeds", [0]))
    level = f"{100 * source.get('confirmed', {}).get('level', 0.95):g} %"
    yield f"Intervals are of {level}: of these weights as to other images of the kind,"
    yield "of the mean as to other seeds too." if seeds > 1 else "not as to other seeds."
    weights = source.get("weights", {})
    if seeds > 1 and weights.get("chosen_by") == "validation":
        yield f"Of {seeds} trainings these are the weights best on validation: expect the mean."
    if weights.get("origin") == "search":
        yield "Validation chose the configuration among others, which flatters it."
    yield f"{source.get('test_readings_line', 'test not read').capitalize()}."


def _trained_on(source: dict[str, Any]) -> str:
    said = []
    if file := source.get("converted_from"):
        said.append(
            f"Converted from {_code(file)}, {source['converted_layout']}, SHA-256 "
            f"{_code(source['converted_sha256'])}; it does not say how it was trained."
        )
    if note := source.get("converted_note"):
        said.append(f"{note[:1].upper()}{note[1:]}.")
    if dataset := source.get("dataset"):
        version = f" {v}" if (v := source.get("dataset_version")) else ""
        split = source.get("validation") or {}
        counts = (
            f": {split['num_train']:,} images, and {split['num_images']:,} others to validate on"
            if "num_train" in split
            else ""
        )
        said.append(f"On {_code(dataset)}{version}{counts}.")
    if recipe := source.get("recipe"):
        said.append(
            f"{counted(source.get('epochs', recipe['epochs']), 'epoch')} of "
            f"{_code(recipe['optimizer'])}, learning rate {recipe['learning_rate']:g}, batches of "
            f"{recipe['batch_size']:,}; all of the recipe stands in `preset.json`."
        )
    if device := source.get("device_kind"):
        jax = (source.get("versions") or {}).get("jax")
        said.append(f"Trained on {_text(device)}" + (f" with JAX {_text(jax)}." if jax else "."))
    return " ".join(said)


def _proof(proof: Proof) -> str:
    files = ", ".join(_code(file) for file in proof.files)
    if proof.read_by is None:  # the sentence has the note
        return f"{proof.sentence.rstrip('.')} ({files})."
    note = proof.note.rstrip(".")
    return f"{proof.sentence} ({files}). {note[:1].upper()}{note[1:]}."


def _text(given: object) -> str:
    """Text that Markdown shows as it is."""
    return html.escape(visible(str(given)), quote=False).replace("|", "&#124;")


def _code(given: object) -> str:
    return "`" + visible(str(given)).replace("`", "'").replace("\n", " ") + "`"
