"""Networks whose size others have published."""

from __future__ import annotations

from records import CIFAR, IMAGENET, mixer, vit

from space.config import Config


def named_mixer(patch_size: int, L: int, C: int, D_S: int, D_C: int) -> Config:
    return mixer(
        IMAGENET,
        patch_size=patch_size,
        num_blocks=L,
        hidden_dim=C,
        tokens_mlp_dim=D_S,
        channels_mlp_dim=D_C,
    )


def named_vit(patch_size: int, L: int, C: int, heads: int, classifier: str = "token") -> Config:
    return vit(
        IMAGENET,
        patch_size=patch_size,
        num_blocks=L,
        hidden_dim=C,
        mlp_dim=4 * C,
        num_heads=heads,
        classifier=classifier,
    )


# Parameters: google-research/vision_transformer, vit_jax/models_test.py (the Mixers B/16, B/32 and
# L/16, and the ViTs), else initialising the published module; MACs: the formulas of the papers,
# for which timm publishes the same (its GMACs less 5 x LayerNorm elements).
PUBLISHED = {
    "Mixer-S/32": (named_mixer(32, 8, 512, 256, 2048), 19_104_624, 1_002_426_368),
    "Mixer-S/16": (named_mixer(16, 8, 512, 256, 2048), 18_528_264, 3_776_958_464),
    "Mixer-B/32": (named_mixer(32, 12, 768, 384, 3072), 60_293_428, 3_237_722_112),
    "Mixer-B/16": (named_mixer(16, 12, 768, 384, 3072), 59_880_472, 12_601_767_936),
    "Mixer-L/32": (named_mixer(32, 24, 1024, 512, 4096), 206_939_264, 11_253_293_056),
    "Mixer-L/16": (named_mixer(16, 24, 1024, 512, 4096), 208_196_168, 44_547_678_208),
    "Mixer-H/14": (named_mixer(14, 32, 1280, 640, 5120), 432_350_952, 120_989_911_040),
    "ViT-Ti/16": (named_vit(16, 12, 192, 3), 5_717_416, 1_253_683_200),
    "ViT-S/16": (named_vit(16, 12, 384, 6), 22_050_664, 4_598_882_304),
    "ViT-B/16": (named_vit(16, 12, 768, 12), 86_567_656, 17_563_828_224),
    "ViT-L/16": (named_vit(16, 24, 1024, 16), 304_326_632, 61_554_712_576),
    "ViT-H/14": (named_vit(14, 32, 1280, 16), 632_045_800, 167_295_109_120),
    "CIFAR Mixer": (
        mixer(
            CIFAR,
            patch_size=4,
            num_blocks=8,
            hidden_dim=128,
            tokens_mlp_dim=64,
            channels_mlp_dim=512,
        ),
        1_132_170,
        75_891_968,
    ),
    "ViT-Ti/4, 32 px": (
        vit(CIFAR, patch_size=4, num_blocks=12, hidden_dim=192, mlp_dim=768, num_heads=3),
        5_362_762,
        365_107_584,
    ),
}
# The same source; no MACs are published for these.
PUBLISHED_PARAMS = {
    "ViT-B/32": (named_vit(32, 12, 768, 12), 88_224_232),
    "ViT-L/32": (named_vit(32, 24, 1024, 16), 306_535_400),
    "ViT-S/32": (named_vit(32, 12, 384, 6), 22_878_952),
    "ViT-B/8": (named_vit(8, 12, 768, 12), 86_576_872),
    "ViT-S/16 mean-pooled": (named_vit(16, 12, 384, 6, "gap"), 22_049_896),
    "ViT-S/32 mean-pooled": (named_vit(32, 12, 384, 6, "gap"), 22_878_184),
    "ViT-B/16 mean-pooled": (named_vit(16, 12, 768, 12, "gap"), 86_566_120),
    "ViT-B/32 mean-pooled": (named_vit(32, 12, 768, 12, "gap"), 88_222_696),
}
