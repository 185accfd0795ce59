"""What of the features of a TFDS data set is shown to a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.data.errors import DataError
from search.data.source import WAY_OUT
from search.spec.data_spec import DataSpec
from space.config import ImageTask

UNLABELLED = -1
"""What TFDS writes where the class is not known."""


@dataclass(frozen=True)
class Subject:
    """The feature that is the image, the one that is its class, and what they ask of a network."""

    image_key: str
    label_key: str
    task: ImageTask

    def parsed(self, record: bytes | memoryview) -> tuple[bytes, int]:
        """The encoded image and the label of a serialized `tf.train.Example`.

        Raises:
            ValueError: it is none, or has not one of each, or the label is no class.
        """
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
        from tensorflow_datasets.proto import tf_example_pb2

        try:
            features = tf_example_pb2.Example.FromString(bytes(record)).features.feature
        except DecodeError as error:
            raise ValueError("no tf.train.Example") from error
        images: Sequence[bytes] = (
            features[self.image_key].bytes_list.value if self.image_key in features else []
        )
        labels: Sequence[int] = (
            features[self.label_key].int64_list.value if self.label_key in features else []
        )
        for key, values in ((self.image_key, images), (self.label_key, labels)):
            if len(values) != 1:
                raise ValueError(f"{len(values)} values of {key!r}, not one")
        if labels[0] != UNLABELLED and not 0 <= labels[0] < self.task.num_classes:
            raise ValueError(f"label {labels[0]} of {self.task.num_classes} classes")
        return images[0], labels[0]


def find_subject(tfds: Any, dataset: str, info: Any, options: DataSpec) -> Subject:
    """What of a data set's features is shown to a network, and what it should answer.

    Args:
        tfds: the module.
        dataset: its name.
        info: its `DatasetInfo`.
        options: which label is meant, and the size its images are converted to.

    Raises:
        DataError: not images of one class each, or, where no size is asked for, images that vary
            in size or are not square.
    """
    # Exact types: the masks of a segmentation, for instance, are a child of Image.
    kinds = {key: type(feature) for key, feature in sorted(info.features.items())}
    images = [key for key, kind in kinds.items() if kind is tfds.features.Image]
    classes = [key for key, kind in kinds.items() if kind is tfds.features.ClassLabel]
    labels = classes
    match info.supervised_keys:
        case (str(image), str(label)) if image in images and label in labels:
            images, labels = [image], [label]
    if len(images) != 1:
        raise DataError(
            f"{dataset} should have one image but has {_found(images, kinds)}; choose another data "
            "set"
        )
    if options.label is not None:
        labels = [options.label]
        if options.label not in classes:
            raise DataError(
                f"{dataset} has no class label {options.label!r} "
                f"but {', '.join(classes) or _found(classes, kinds)}; correct data.label"
            )
    if len(labels) != 1:
        way_out = "choose one with `label` in [data] of the study file"
        raise DataError(
            f"{dataset} should have one class label but has {_found(labels, kinds)}; "
            f"{way_out if labels else 'choose another data set'}"
        )
    feature, num_classes = info.features[images[0]], info.features[labels[0]].num_classes
    *frames, rows, columns, channels = feature.shape
    way_out = "choose another data set"
    if frames:
        problem = "images of several frames"
    elif channels not in (1, 3):
        problem = f"images of {channels} channels, not 1 or 3"
    elif feature.np_dtype != np.uint8:
        problem = f"{np.dtype(feature.np_dtype).name} images, not uint8"
    elif num_classes is None or num_classes < 2:
        problem = f"{num_classes or 'an unknown number of'} classes, not 2 or more"
    elif options.image_size is None and (rows is None or columns is None):
        problem, way_out = "images that vary in size", WAY_OUT
    elif options.image_size is None and rows != columns:
        problem, way_out = f"images that are not square ({rows} x {columns})", WAY_OUT
    else:
        task = ImageTask(
            image_size=options.image_size or rows, image_channels=channels, num_classes=num_classes
        )
        return Subject(images[0], labels[0], task)
    raise DataError(f"{dataset} has {problem}; {way_out}")


def _found(keys: Sequence[str], kinds: Mapping[str, type]) -> str:
    return f"several ({', '.join(keys)})" if keys else f"none among {', '.join(kinds)}"
