"""timm's `config.json`: a network as its code calls it, and back.

The fields are those that timm 1.0.31 writes and reads (`timm/models/_hub.py`). A file of ours names
an architecture and all that makes it another size; a file of timm's own names the architecture
alone, whose sizes are in `timm/models/mlp_mixer.py` and `vision_transformer.py`.

timm's architectures of Mixers refuse arguments for what they set themselves, patch, blocks and
channels (`dict(patch_size=16, ..., **kwargs)`). A Mixer with those of one is called by its name,
without them, and `timm.create_model` loads it. Any other is made by timm's class `MlpMixer` from
the same arguments.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from search.formats.layout import LayoutError
from search.formats.proof import FormatError
from space.config import Config, MixerConfig, ViTConfig
from space.errors import MixerSearchError, listed
from space.families import parse_config
from space.presets import Preset

_CROP_MODES: Final = {"crop": "center", "squash": "squash", "pad": "border"}
"""What `Trained.resize` is called there (`timm/data/transforms_factory.py`)."""

_NO_CHANGE: Final = re.compile(r".*_rate|weight_init|fix_init|nlhb|num_classes|dynamic_img_\w+")
"""Arguments that change the training, or what other image sizes do: not the network."""

_MIXERS: Final = {
    f"mixer_{size}{patch}_224": {"patch_size": patch, "num_blocks": blocks, "embed_dim": channels}
    for size, blocks, channels in (("s", 8, 512), ("b", 12, 768), ("l", 24, 1024))
    for patch in (16, 32)
}
"""What each architecture sets."""

_VITS: Final = {
    "tiny": (12, 192, 3),
    "small": (12, 384, 6),
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
    "huge": (32, 1280, 16),
}
"""Blocks, channels, heads."""


def timm_config(preset: Preset) -> dict[str, Any]:
    """What stands in `config.json` for a trained network.

    Raises:
        FormatError: timm has no network of that family.
    """
    assert preset.trained
    config, trained = preset.config, preset.trained
    architecture, pool, stem, width, arguments = _arguments(config)
    side, channels, classes = config.image_size, config.image_channels, config.num_classes
    return {
        "architecture": architecture,
        "num_classes": classes,
        "num_features": width,
        "global_pool": pool,
        **({"label_names": list(trained.class_names)} if trained.class_names else {}),
        "model_args": {"img_size": side, "in_chans": channels, **arguments},
        "pretrained_cfg": {
            "num_classes": classes,
            "input_size": [channels, side, side],
            "fixed_input_size": True,
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": _CROP_MODES[trained.resize],
            "mean": [value / 255 for value in trained.pixel_mean],
            "std": [value / 255 for value in trained.pixel_std],
            "first_conv": stem,
            "classifier": "head",
        },
    }


def _arguments(config: Config) -> tuple[str, str, str, int, dict[str, Any]]:
    """Architecture, pooling, first layer, channels, and its arguments for this network."""
    if isinstance(config, MixerConfig):
        widths = (config.tokens_mlp_dim, config.channels_mlp_dim)
        ratios = {"mlp_ratio": [ratio_of(width, config.hidden_dim) for width in widths]}
        if named := architecture_of(config):
            return named, "avg", "stem.proj", config.hidden_dim, ratios
        return "mixer_b16_224", "avg", "stem.proj", config.hidden_dim, {**_sizes(config), **ratios}
    if isinstance(config, ViTConfig):
        has_token = config.classifier == "token"
        pool = "token" if has_token else "avg"
        arguments = {
            "patch_size": config.patch_size,
            "embed_dim": config.hidden_dim,
            "depth": config.num_blocks,
            "num_heads": config.num_heads,
            "mlp_ratio": ratio_of(config.mlp_dim, config.hidden_dim),
            "class_token": has_token,
            "global_pool": pool,
            "fc_norm": False,  # the norm is before the pooling here
            "act_layer": "gelu_tanh",
        }
        return "vit_base_patch16_224", pool, "patch_embed.proj", config.hidden_dim, arguments
    raise FormatError(
        f"timm has no network of family {config.family!r}, only of mixer and vit; export it "
        "without --format timm"
    )


def architecture_of(config: MixerConfig) -> str | None:
    """timm's architecture with its patch, blocks and channels; None where there is none."""
    sizes = _sizes(config)
    return next((name for name, theirs in _MIXERS.items() if theirs == sizes), None)


def _sizes(config: MixerConfig) -> dict[str, int]:
    return {
        "patch_size": config.patch_size,
        "num_blocks": config.num_blocks,
        "embed_dim": config.hidden_dim,
    }


def ratio_of(width: int, hidden_dim: int) -> float:
    """The ratio of which timm's `int(ratio * dim)` makes this width: it cuts decimals off."""
    ratio = width / hidden_dim
    return ratio if int(ratio * hidden_dim) == width else math.nextafter(ratio, math.inf)


def config_of(facts: dict[str, Any]) -> Config:
    """The network that a `config.json` describes.

    Raises:
        LayoutError: it is no Mixer and no ViT as they are here, or says too little.
    """
    name = facts.get("architecture")
    given: dict[str, Any] = facts.get("model_args") or {}
    cfg = facts.get("pretrained_cfg") or facts
    try:
        channels, side, _ = cfg.get("input_size") or (3, 224, 224)
        task = {
            "image_size": _side(given.get("img_size", side)),
            "image_channels": given.get("in_chans", channels),
            "num_classes": facts.get("num_classes", cfg.get("num_classes")),
        }
        if name in _MIXERS:
            return _mixer_of(task, _MIXERS[name], given)
        if match := re.fullmatch(rf"vit_({'|'.join(_VITS)})_patch(\d+)_\d+", str(name)):
            return _vit_of(task, match, given)
    except (TypeError, ValueError, AttributeError, MixerSearchError) as error:
        raise LayoutError(
            f"config.json describes no network of this program ({error}); name its configuration "
            "with --like"
        ) from None
    raise LayoutError(
        f"config.json is of the architecture {name!r}, and only mixer_* and vit_*_patch* as first "
        "published are known here; name its configuration with --like if it is one of these"
    )


def _mixer_of(task: dict[str, Any], sizes: dict[str, int], given: dict[str, Any]) -> Config:
    args = {**sizes, "mlp_ratio": (0.5, 4.0), "global_pool": "avg", "stem_norm": False}
    args = _with(args, given)
    _must_be(args, global_pool=("avg",), stem_norm=(False,))
    ratios = args["mlp_ratio"]
    ratios = ratios if isinstance(ratios, list | tuple) else (ratios, ratios)
    tokens, hidden = (int(ratio * args["embed_dim"]) for ratio in ratios)
    return parse_config(
        {
            "family": "mixer",
            **task,
            "patch_size": _side(args["patch_size"]),
            "hidden_dim": args["embed_dim"],
            "num_blocks": args["num_blocks"],
            "tokens_mlp_dim": tokens,
            "channels_mlp_dim": hidden,
        }
    )


def _vit_of(task: dict[str, Any], match: re.Match[str], given: dict[str, Any]) -> Config:
    depth, width, heads = _VITS[match[1]]
    args: dict[str, Any] = {
        "depth": depth,
        "embed_dim": width,
        "num_heads": heads,
        "patch_size": int(match[2]),
    }
    args |= {"mlp_ratio": 4.0, "class_token": True, "global_pool": "token", "fc_norm": None}
    args |= {"act_layer": "gelu", "no_embed_class": False, "qkv_bias": True, "pos_embed": "learn"}
    args = _with(args, given)
    _must_be(args, global_pool=("token", "avg"), act_layer=("gelu", "gelu_tanh"))
    _must_be(args, no_embed_class=(False,), qkv_bias=(True,), pos_embed=("learn",))
    has_token = args["global_pool"] == "token"
    _must_be(args, class_token=(has_token,), fc_norm=(None, False) if has_token else (False,))
    return parse_config(
        {
            "family": "vit",
            **task,
            "patch_size": _side(args["patch_size"]),
            "hidden_dim": args["embed_dim"],
            "num_blocks": args["depth"],
            "mlp_dim": int(args["mlp_ratio"] * args["embed_dim"]),
            "num_heads": args["num_heads"],
            "classifier": "token" if has_token else "gap",
        }
    )


def _with(args: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of an architecture, some replaced."""
    known = {*args, "img_size", "in_chans"}
    if unknown := [name for name in given if name not in known and not _NO_CHANGE.fullmatch(name)]:
        raise ValueError(f"it has {listed(unknown, 5)}, which no network here has")
    return args | given


def _must_be(args: dict[str, Any], **possible: tuple[Any, ...]) -> None:
    for name, values in possible.items():
        if args[name] not in values:
            raise ValueError(
                f"it has {name} = {args[name]!r}, networks here {' or '.join(map(repr, values))}"
            )


def _side(size: Any) -> Any:
    """Of an image or a patch, which are squares here."""
    if isinstance(size, list | tuple):
        if len(set(size)) != 1:
            raise ValueError(f"{' x '.join(map(str, size))} is no square")
        return size[0]
    return size


def trained_of(facts: dict[str, Any], config: Config) -> dict[str, Any]:
    """What a `config.json` says of the images, as far as it fits the network.

    Returns:
        `pixel_mean`, `pixel_std`, `class_names` and `resize`, as `space.presets.Trained` has them.
    """
    cfg = facts.get("pretrained_cfg") or facts
    told: dict[str, Any] = {}
    for name, theirs in (("pixel_mean", "mean"), ("pixel_std", "std")):
        values = cfg.get(theirs)
        if isinstance(values, list) and len(values) == config.image_channels:
            told[name] = tuple(255.0 * float(value) for value in values)
    names = facts.get("label_names") or cfg.get("label_names")
    if isinstance(names, list) and len(names) == config.num_classes:
        told["class_names"] = tuple(map(str, names))
    modes = {theirs: ours for ours, theirs in _CROP_MODES.items()}
    if cfg.get("crop_mode") in modes:
        told["resize"] = modes[cfg["crop_mode"]]
    return told
