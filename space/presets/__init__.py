"""Presets: named configurations, a JSON file each, or a folder where weights come along.

The published Mixers and ViTs and our own small baselines lie beside this file; the winners of
studies lie where `search.export` wrote them. All load alike:

    preset = load("mixer_b16")            # or a .json file, or the folder of a winner
    module = space.build.build(preset.config)
    logits = module.apply({"params": preset.params()}, images)

A folder holds `preset.json` and `model.safetensors`; whatever else is there was made from these.
"""

from __future__ import annotations

import codecs
import hashlib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pydantic
from pydantic import ConfigDict, Field, PositiveInt, PrivateAttr
from safetensors import SafetensorError

from space.config import Config, Frozen
from space.cost import cost
from space.errors import ConfigError, explain, nearest
from space.families import AnyConfig, UnknownFamilyError
from space.paths import as_path
from space.weights_file import params_in, size_of

FORMAT: Final = 2
"""Of preset files; a number more with every change that an older version cannot read. One without
weights is written as 1, which has all it needs."""

FILE: Final = "preset.json"
"""The preset in its folder."""

WEIGHTS_FILE: Final = "model.safetensors"
"""Its weights beside it."""

_FOLDER = Path(__file__).parent


class NewerPresetError(ConfigError):
    """A preset that a newer version of this program wrote."""


class WeightsError(ConfigError):
    """A preset has no weights, or their file is missing, damaged, or of another network."""


_LIST = Field(strict=False)
"""A tuple that JSON gives as a list."""


class Trained(Frozen):
    """What a preset with weights has: a digest of their file, and what the network expects."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the file."""
    size_bytes: PositiveInt
    pixel_mean: Annotated[tuple[float, ...], _LIST]
    """Of the training images, a channel, in units of a pixel value from 0 to 255."""
    pixel_std: Annotated[tuple[Annotated[float, Field(gt=0)], ...], _LIST]
    """Deviation, likewise: the network takes `(pixels - pixel_mean) / pixel_std`."""
    class_names: Annotated[tuple[str, ...], _LIST] = ()
    """By label; empty where the data set has none."""
    resize: Literal["crop", "squash", "pad"] = "crop"
    """What becomes of an image that is not `image_size` pixels a side: see `search.data.resize`."""


class Preset(Frozen):
    """A named configuration, its counts, and where it comes from.

    `num_params` (`params` there) and `macs` are in the file for whoever reads it without this
    program; they must be those of the configuration.

    Raises:
        ConfigError: the counts are not the configuration's.
        NewerPresetError: a newer version wrote it.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    format: Literal[1, 2] = 1
    """Of the file; 1 where it does not say."""
    name: Annotated[str, Field(min_length=1)]
    config: AnyConfig
    num_params: int = Field(alias="params")
    macs: int
    source: dict[str, Any] = Field(default_factory=dict)
    """A paper; or the study, trial, accuracy, recipe and data set it was found with."""
    trained: Trained | None = None
    """None of a configuration alone."""
    _folder: Path | None = PrivateAttr(None)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _no_newer_version_wrote_it(cls, given: Any) -> Any:
        found = given.get("format") if isinstance(given, dict) else None
        if isinstance(found, int) and found > FORMAT:
            raise NewerPresetError(
                f"preset {given.get('name')!r} was written by a newer version of mixer-search "
                f"(format {found}, this one reads {FORMAT}); upgrade mixer-search"
            )
        return given

    @pydantic.model_validator(mode="after")
    def _counts_are_the_configurations(self) -> Preset:
        bill = cost(self.config)
        for name, given, right in (
            ("params", self.num_params, bill.params),
            ("macs", self.macs, bill.macs),
        ):
            if given != right:
                raise ConfigError(
                    f"preset {self.name!r} says {name}={given:,}, its configuration has {right:,}; "
                    "mend whichever is wrong"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _trained_on_such_images(self) -> Preset:
        if self.trained is None:
            return self
        channels, classes = self.config.image_channels, self.config.num_classes
        for name, number, right in (
            ("pixel_mean", len(self.trained.pixel_mean), {channels}),
            ("pixel_std", len(self.trained.pixel_std), {channels}),
            ("class_names", len(self.trained.class_names), {0, classes}),
        ):
            if number not in right:
                raise ConfigError(
                    f"preset {self.name!r}: trained.{name} has {number}, its configuration "
                    f"{max(right)}; mend whichever is wrong"
                )
        return self

    @classmethod
    def of(
        cls, name: str, config: Config, source: dict[str, Any], trained: Trained | None = None
    ) -> Preset:
        """The preset of a configuration, counts filled in."""
        bill = cost(config)
        return cls(
            format=1 if trained is None else FORMAT,
            name=name,
            config=config,
            params=bill.params,
            macs=bill.macs,
            source=source,
            trained=trained,
        )

    def to_json(self) -> str:
        """The text of a preset file."""
        absent = {"trained"} if self.trained is None else None
        return self.model_dump_json(indent=2, exclude=absent) + "\n"

    @property
    def folder(self) -> Path | None:
        """The folder it was loaded from; None of a file, which has no weights."""
        return self._folder

    def weights(self) -> bytes:
        """The file of its weights, held against the digest.

        Raises:
            WeightsError: there are none, or the file is missing, cut off or changed.
        """
        if self.folder is None or self.trained is None:
            raise WeightsError(
                f"preset {self.name!r} is a configuration without weights; train it with `python "
                "-m search.train`, or export a trial whose weights are kept with `python -m "
                "search.export --study STUDY --out FOLDER`"
            )
        file = self.folder / WEIGHTS_FILE
        try:
            content = file.read_bytes()
        except OSError as error:
            raise WeightsError(
                f"weights {file} cannot be read ({error.strerror}); restore that file, or export "
                "the winner again"
            ) from None
        if hashlib.sha256(content).hexdigest() != self.trained.sha256:
            raise WeightsError(
                f"weights {file} ({len(content):,} bytes) are not those of {FILE} beside it "
                f"({self.trained.size_bytes:,} bytes): their SHA-256 differs; restore that file, "
                "or export the winner again"
            )
        return content

    def params(self) -> dict[str, Any]:
        """The parameter tree of its network: dictionaries of NumPy arrays, float32.

        Raises:
            WeightsError: there are none, or their file is missing, damaged, or of another network.
        """
        content = self.weights()
        try:
            params = params_in(content)
        except (SafetensorError, KeyError) as error:
            raise WeightsError(
                f"the weights of preset {self.name!r} are no safetensors file of this program "
                f"({error}); export the winner again"
            ) from None
        if (found := size_of(params)) != self.num_params:
            raise WeightsError(
                f"the weights of preset {self.name!r} are {found:,} numbers, its network has "
                f"{self.num_params:,}: they are of another one; export the winner again"
            )
        return params


def names() -> list[str]:
    """The presets that come with the program, sorted."""
    files = sorted(path.stem for path in _FOLDER.glob("*.json"))
    return sorted([*files, *(path.parent.name for path in _FOLDER.glob(f"*/{FILE}"))])


def load(name_or_path: str | Path) -> Preset:
    """A preset by its name, from a file, or from a folder with its weights.

    A file is whatever ends in `.json`, in capitals too; a folder whatever holds a `preset.json`,
    which may itself be named. A name goes before a folder of that name.

    Raises:
        ConfigError: no such preset, file or folder, or the file is not a preset.
    """
    path = as_path(name_or_path)
    if str(name_or_path) in names():
        path = _FOLDER / path
        path = path if path.is_dir() else path.with_suffix(".json")
    elif path.suffix.lower() != ".json" and not path.is_dir():
        name = str(name_or_path)
        raise ConfigError(
            f"there is no preset {name!r}{nearest(name, names())}; "
            f"known: {', '.join(names())}, or the path of a .json file or of a folder"
        )
    file = path / FILE if path.is_dir() else path
    preset = _read(file)
    if preset.trained and file.name == FILE:
        preset._folder = file.parent
    return preset


def _read(path: Path) -> Preset:
    try:
        return Preset.model_validate_json(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise ConfigError(f"preset file {path} cannot be read ({error.strerror})") from None
    except UnknownFamilyError as error:
        raise UnknownFamilyError(f"preset file {path}: {error}") from None
    except pydantic.ValidationError as error:
        raise ConfigError(f"preset file {path} is not a preset: {explain(error)}") from None


def save(preset: Preset, path: str | Path) -> None:
    """Writes a preset file; folders are made, a file that is there is replaced.

    Raises:
        ConfigError: the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(preset.to_json(), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"preset file {path} cannot be written ({error.strerror}); choose another with --out"
        ) from None
