"""Originals written as the directory that TFDS would have made of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from search.data.errors import DataError
from search.data.prepared import quiet_tfds
from search.data.raw_files import Originals, Records
from search.data.registry import Importer

_EVERY = 10_000  # images between two lines of progress


def write(
    dataset: str,
    importer: Importer,
    paths: list[Path],
    folder: Path,
    report: Callable[[str], None],
) -> Path:
    """The prepared directory in `folder`, as stock TFDS would have written it.

    A child of the builder in TFDS keeps its version, features, split names and record keys; only
    what would need TensorFlow, opening files and encoding arrays, is ours.
    """
    originals = importer.read(paths)
    with quiet_tfds() as tfds:
        stock = tfds.builder_cls(dataset)

        class Imported(stock, skip_registration=True):  # type: ignore[misc, valid-type, call-arg]
            name = dataset

            def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Any]]:
                with_id = "id" in self.info.features
                return {
                    split: _examples(split, records, with_id=with_id, report=report)
                    for split, records in originals.splits.items()
                }

            def _log_download_bytes(self) -> None:  # nothing is downloaded, and the folder that
                pass  # would be named is gone in a moment

            def _log_download_done(self) -> None:
                pass

        builder = Imported(data_dir=folder)
        _refuse_foreign(paths, originals, importer, builder.info.features)
        for feature, class_names in originals.class_names.items():
            builder.info.features[feature].names = class_names
        tfds.disable_progress_bar()
        try:
            builder.download_and_prepare(
                file_format="array_record",
                download_config=tfds.download.DownloadConfig(try_download_gcs=False),
            )
        except RuntimeError as error:  # array_record's word for whatever the disk said
            raise DataError(
                f"{dataset} cannot be written in {folder} ({error}); "
                "name another folder with --data-dir DIR"
            ) from error
        finally:
            tfds.enable_progress_bar()
        return Path(builder.data_dir)


def _examples(
    split: str, records: Records, *, with_id: bool, report: Callable[[str], None]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Keys and examples as stock TFDS yields them, but for the images: encoded already."""
    for index, image in enumerate(records.images):
        example: dict[str, Any] = {"image": _png(image)}
        for feature, labels in records.labels.items():
            example[feature] = int(labels[index])
        if with_id:
            example["id"] = f"{split}_{index:05d}"
        yield index, example
        if (index + 1) % _EVERY == 0:
            report(f"{index + 1:,} of {len(records.images):,} {split} images written")


def _refuse_foreign(
    paths: list[Path], originals: Originals, importer: Importer, features: Any
) -> None:
    """Refuse what has the right form but cannot be this data set."""
    size, channels = importer.task.image_size, importer.task.image_channels
    for records in originals.splits.values():
        if records.images.shape[1:] != (size, size, channels):
            raise DataError(
                f"{paths[0]} holds images of shape {records.images.shape[1:]}, "
                f"not {(size, size, channels)}"
            )
        for feature, labels in records.labels.items():
            num_classes = features[feature].num_classes
            num_names = len(originals.class_names.get(feature, range(num_classes)))
            if num_names != num_classes or labels.max() >= num_classes:
                raise DataError(
                    f"{paths[0]} has {num_names} names and labels up to {labels.max()} for "
                    f"the {num_classes} classes of {feature!r}"
                )


def _png(image: Any) -> bytes:
    """The image losslessly encoded; TFDS would ask TensorFlow to do it."""
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()
