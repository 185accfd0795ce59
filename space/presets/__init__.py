"""Presets: named configurations, one JSON file each.

The published Mixers and ViTs and our own small baselines lie beside this file; the winners of
studies lie where `search.export` wrote them. Both load alike:

    preset = load("mixer_b16")            # or load("runs/presets/mixer_cifar_knee.json")
    module = space.build.build(preset.config)
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pydantic
from pydantic import Field

from space.config import Config, Frozen
from space.cost import cost
from space.errors import ConfigError, explain, nearest
from space.families import AnyConfig, UnknownFamilyError
from space.paths import as_path

FORMAT: Final = 1
"""Of preset files; a number more with every change that an older version cannot read."""

_FOLDER = Path(__file__).parent


class NewerPresetError(ConfigError):
    """A preset that a newer version of this program wrote."""


class Preset(Frozen):
    """A named configuration, its counts, and where it comes from.

    `params` and `macs` are in the file for whoever reads it without this program; they must be
    those of the configuration.

    Raises:
        ConfigError: the counts are not the configuration's.
        NewerPresetError: a newer version wrote it.
    """

    format: Literal[1] = FORMAT
    """Of the file; 1 where it does not say."""
    name: Annotated[str, Field(min_length=1)]
    config: AnyConfig
    params: int
    macs: int
    source: dict[str, Any] = Field(default_factory=dict)
    """A paper; or the study, trial, accuracy, recipe and data set it was found with."""

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
            ("params", self.params, bill.params),
            ("macs", self.macs, bill.macs),
        ):
            if given != right:
                raise ConfigError(
                    f"preset {self.name!r} says {name}={given:,}, its configuration has {right:,}; "
                    "mend whichever is wrong"
                )
        return self

    @classmethod
    def of(cls, name: str, config: Config, source: dict[str, Any]) -> Preset:
        """The preset of a configuration, counts filled in."""
        bill = cost(config)
        return cls(name=name, config=config, params=bill.params, macs=bill.macs, source=source)

    def to_json(self) -> str:
        """The text of a preset file."""
        return self.model_dump_json(indent=2) + "\n"


def names() -> list[str]:
    """The presets that come with the program, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def load(name_or_path: str | Path) -> Preset:
    """A preset by its name, or from a file: whatever ends in `.json`, in capitals too.

    Raises:
        ConfigError: no such preset or file, or the file is not a preset.
    """
    path = as_path(name_or_path)
    if path.suffix.lower() != ".json":
        name = str(name_or_path)
        if name not in names():
            raise ConfigError(
                f"there is no preset {name!r}{nearest(name, names())}; "
                f"known: {', '.join(names())}, or the path of a .json file"
            )
        path = _FOLDER / f"{name}.json"
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
