"""Training as a function of a key, held against plain Python."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search import data as images
from search.spec.recipe import Augmentation, Recipe, steps_per_epoch
from search.train.device_data import DeviceData, put
from search.train.epoch import TrainState, initial_state, shuffle
from search.train.optimizer import Hyper, hyper_of, learning_rate
from search.train.program import Program, compile_program
from space.build import build
from space.config import MixerConfig, ViTConfig

DIGITS = {"image_size": 8, "image_channels": 1, "num_classes": 10}
MIXER = MixerConfig(
    **DIGITS, patch_size=4, hidden_dim=16, num_blocks=1, tokens_mlp_dim=8, channels_mlp_dim=32
)
VIT = ViTConfig(**DIGITS, patch_size=4, hidden_dim=16, num_blocks=1, mlp_dim=32, num_heads=2)
RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=3e-3)


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return put(images.load("digits", train_limit=300), jax.devices()[0])


@pytest.fixture(scope="module")
def program(data: DeviceData) -> Program:
    return compile_program(MIXER, RECIPE, data, jnp.float32)


def train(
    program: Program,
    data: DeviceData,
    recipe: Recipe = RECIPE,
    *seeds: int,
    config: MixerConfig | ViTConfig = MIXER,
    learn: bool = True,
) -> tuple[TrainState, list[dict[str, float]]]:
    """Of one seed the final state and the curve; of several, with a leading axis for the seed."""
    seeds = seeds or (0,)
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    state = jax.device_put(initial_state(config, seeds, recipe), may_alias=False)
    hyper = hyper_of(recipe, steps_per_epoch(recipe.batch_size, data.num_train))
    curve = []
    for epoch in range(1, recipe.epochs + 1):
        order, step_keys = shuffle(keys, jnp.int32(epoch), num_train=data.num_train)
        state, metrics = program.epoch(state, data, hyper, order, step_keys, jnp.bool(learn))
        curve.append({name: value.tolist() for name, value in metrics._asdict().items()})
    if len(seeds) == 1:
        state = jax.tree.map(lambda leaf: leaf[0], state)
        curve = [{name: value[0] for name, value in epoch.items()} for epoch in curve]
    return state, curve


@pytest.mark.parametrize("config", [MIXER, VIT], ids=["mixer", "vit"])
def test_an_untrained_network_guesses_all_classes_alike(
    config: MixerConfig | ViTConfig, data: DeviceData
) -> None:
    program = compile_program(config, RECIPE, data, jnp.float32)
    _, curve = train(program, data, config=config, learn=False)
    assert curve[0]["validation_loss"] == pytest.approx(math.log(10), abs=1e-6)


def test_training_lowers_the_loss_and_beats_guessing(program: Program, data: DeviceData) -> None:
    longer = RECIPE.model_copy(update={"epochs": 10})
    _, curve = train(program, data, longer)
    assert curve[-1]["train_loss"] < curve[0]["train_loss"]
    assert curve[-1]["validation_accuracy"] > 0.5


def test_the_same_seed_gives_the_same_curve_to_the_bit(program: Program, data: DeviceData) -> None:
    (first_state, first), (again_state, again) = (train(program, data) for _ in range(2))
    assert first == again
    jax.tree.map(np.testing.assert_array_equal, first_state.params, again_state.params)
    _, other = train(program, data, RECIPE, 1)
    assert other != first


def test_seed_learning_rate_and_epochs_are_arguments_of_one_program(
    program: Program, data: DeviceData
) -> None:
    other = Recipe(epochs=5, batch_size=32, learning_rate=1e-2, weight_decay=0.3, clip_norm=0.1)
    own = compile_program(MIXER, other, data, jnp.float32)
    _, from_this = train(program, data, other, 3)
    _, from_its_own = train(own, data, other, 3)
    assert from_this == from_its_own


def test_validation_equals_a_plain_loop_over_the_images(program: Program, data: DeviceData) -> None:
    state, curve = train(program, data)
    held_out = images.load("digits", train_limit=300)
    pixels = held_out.train_images.astype(np.float64)
    mean, std = pixels.mean((0, 1, 2)), pixels.std((0, 1, 2))
    network, losses, right = build(MIXER), [], 0
    for image, label in zip(held_out.validation_images, held_out.validation_labels, strict=True):
        normal = jnp.asarray(((image - mean) / std)[None], jnp.float32)
        logits = np.asarray(network.apply({"params": state.params}, normal))[0].astype(np.float64)
        losses.append(np.log(np.exp(logits).sum()) - logits[label])
        right += int(logits.argmax() == label)
    assert curve[-1]["validation_accuracy"] == pytest.approx(right / len(losses))
    assert curve[-1]["validation_loss"] == pytest.approx(np.mean(losses), rel=1e-4)


def test_the_data_are_read_not_remembered(program: Program, data: DeviceData) -> None:
    blank = data._replace(train_images=jnp.zeros_like(data.train_images))
    _, seen = train(program, data)
    _, blind = train(program, blank)
    assert blind[-1]["validation_accuracy"] < seen[-1]["validation_accuracy"]


def test_a_step_whose_loss_is_not_finite_is_named(program: Program, data: DeviceData) -> None:
    wild = RECIPE.model_copy(update={"learning_rate": 1e30, "warmup": 0.0, "clip_norm": 1e30})
    _, curve = train(program, data, wild)
    assert any(epoch["bad_step"] >= 0 for epoch in curve)
    first = next(epoch["bad_step"] for epoch in curve if epoch["bad_step"] >= 0)
    assert 1 <= first < steps_per_epoch(RECIPE.batch_size, data.num_train), (
        "step 0 has a finite loss"
    )


@pytest.mark.parametrize(("warmup", "total"), [(0, 100), (10, 100), (5, 6)])
def test_the_learning_rate_climbs_then_falls_to_zero(warmup: int, total: int) -> None:
    hyper = hyper_of(Recipe(learning_rate=0.1), 10)._replace(
        warmup_steps=jnp.float32(warmup), total_steps=jnp.float32(total)
    )
    rates = [float(learning_rate(jnp.int32(step), hyper)) for step in range(total + 1)]
    cosine = optax.cosine_decay_schedule(0.1, total - warmup)
    expected = [0.1 * (s + 1) / warmup for s in range(warmup)]
    expected += [float(cosine(s)) for s in range(total - warmup + 1)]
    np.testing.assert_allclose(rates, expected, atol=1e-7)


RATES = jax.jit(learning_rate)


@settings(max_examples=60)
@given(st.integers(1, 400), st.floats(0, 0.99), st.floats(1e-6, 1.0))
def test_the_learning_rate_reaches_its_peak_and_never_passes_it(
    total: int, warmup: float, peak: float
) -> None:
    recipe = Recipe(epochs=1, learning_rate=peak, warmup=warmup)
    rates = RATES(np.arange(400, dtype=np.int32), hyper_of(recipe, total))
    assert float(np.asarray(rates)[:total].max()) == np.float32(peak)


@pytest.mark.parametrize(("total", "warmup"), [(100, 0.1), (93, 0.0), (20, 0.5), (6, 5 / 6)])
def test_whole_steps_of_warm_up_give_the_rates_they_always_gave(total: int, warmup: float) -> None:
    """To the bit: studies that were begun go on."""
    hyper = hyper_of(Recipe(epochs=1, learning_rate=3e-3, warmup=warmup), total)
    assert float(hyper.warmup_steps).is_integer()

    def before(step: jax.Array, hyper: Hyper) -> jax.Array:
        climb = (step + 1) / jnp.maximum(hyper.warmup_steps, 1)
        rest = jnp.maximum(hyper.total_steps - hyper.warmup_steps, 1)
        fall = 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip((step - hyper.warmup_steps) / rest, 0, 1)))
        return hyper.learning_rate * jnp.where(step < hyper.warmup_steps, climb, fall)

    steps = np.arange(total + 1, dtype=np.int32)
    np.testing.assert_array_equal(
        jax.jit(learning_rate)(steps, hyper), jax.jit(before)(steps, hyper)
    )


@pytest.mark.slow
def test_one_step_is_optax_adamw_with_decay_on_kernels_only(data: DeviceData) -> None:
    # 97 images: no class is a tenth of them, where the head's gradient would be rounding alone
    recipe = Recipe(epochs=1, batch_size=97, weight_decay=0.1, label_smoothing=0.1, warmup=0.0)
    images_and_labels = {
        "train_images": data.train_images[:97],
        "train_labels": data.train_labels[:97],
    }
    whole = data._replace(**images_and_labels)
    program = compile_program(MIXER, recipe, whole, jnp.float32)
    before = jax.tree.map(lambda leaf: leaf[0], initial_state(MIXER, [0], RECIPE).params)
    state, _ = train(program, whole, recipe)

    def loss(params: dict[str, object]) -> jax.Array:
        logits = build(MIXER).apply({"params": params}, whole.normalise(whole.train_images))
        smooth = optax.smooth_labels(jax.nn.one_hot(whole.train_labels, 10), 0.1)
        return optax.softmax_cross_entropy(logits, smooth).mean()

    mask = jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", before)
    plain = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(1e-3, weight_decay=0.1, mask=mask)
    )
    gradients = jax.jit(jax.grad(loss))(before)
    updates, _ = plain.update(gradients, plain.init(before), before)
    expected = optax.apply_updates(before, updates)
    # the head's gradient is large; elsewhere it is exactly zero at the first step
    jax.tree.map(
        lambda got, want: np.testing.assert_allclose(got, want, atol=2e-5), state.params, expected
    )


@pytest.mark.slow
def test_training_with_everything_on_lowers_the_loss_of_every_seed(data: DeviceData) -> None:
    everything = Augmentation(
        crop_padding=1,
        flip=True,
        cutout=2,
        mixup_alpha=0.2,
        cutmix_alpha=1.0,
        rotate=20.0,
        shear=0.2,
        translate=0.1,
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
    )
    changes = {"augmentation": everything, "epochs": 2, "optimizer": "muon", "ema": 0.9}
    recipe = RECIPE.model_copy(update=changes)
    program = compile_program(MIXER, recipe, data, jnp.float32, num_seeds=2)
    _, curve = train(program, data, recipe, 0, 1)
    for one, other in zip(curve[0]["train_loss"], curve[1]["train_loss"], strict=True):
        assert other < one < 3
    assert len(set(curve[0]["train_loss"])) == 2


def test_an_epoch_visits_every_image_once_but_for_the_last_partial_batch() -> None:
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1)])
    orders = [np.asarray(shuffle(keys, jnp.int32(e), num_train=300)[0]) for e in (1, 2)]
    for order in orders:
        assert order.shape == (2, 300)
        np.testing.assert_array_equal(np.sort(order), np.tile(np.arange(300), (2, 1)))
    assert not np.array_equal(orders[0], orders[1]), "another epoch, another order"
    assert not np.array_equal(orders[0][0], orders[0][1]), "another seed, another order"
    assert steps_per_epoch(32, 300) * 32 == 288


def test_the_batches_of_an_epoch_are_the_order_it_is_given(
    program: Program, data: DeviceData
) -> None:
    """Twelve images sit out: with labels that no network can learn from, nothing changes."""
    keys = jax.random.key(0)[None]
    order, step_keys = shuffle(keys, jnp.int32(1), num_train=data.num_train)
    hyper = hyper_of(RECIPE, 9)

    def losses(labels: jax.Array) -> float:
        state = jax.device_put(initial_state(MIXER, [0], RECIPE), may_alias=False)
        changed = data._replace(train_labels=labels)
        _, metrics = program.epoch(state, changed, hyper, order, step_keys, jnp.bool(True))
        return float(metrics.train_loss[0])

    in_batches, left_out = order[0, :288], order[0, 288:]
    assert losses(data.train_labels.at[left_out].set(0)) == losses(data.train_labels)
    assert losses(data.train_labels.at[in_batches[7]].add(1)) != losses(data.train_labels)


@pytest.mark.parametrize(
    "config", [MIXER, pytest.param(VIT, marks=pytest.mark.slow)], ids=["mixer", "vit"]
)
def test_seeds_trained_at_once_are_the_seeds_trained_alone(
    config: MixerConfig | ViTConfig, data: DeviceData
) -> None:
    together = compile_program(config, RECIPE, data, jnp.float32, num_seeds=3)
    alone = compile_program(config, RECIPE, data, jnp.float32)
    _, curves = train(together, data, RECIPE, 4, 5, 9, config=config)
    for i, seed in enumerate((4, 5, 9)):
        _, curve = train(alone, data, RECIPE, seed, config=config)
        assert curves[0]["train_loss"][i] == pytest.approx(curve[0]["train_loss"], abs=1e-5)
        assert curves[-1]["validation_loss"][i] == pytest.approx(
            curve[-1]["validation_loss"], rel=1e-2
        )
    assert len(set(curves[0]["train_loss"])) == 3


def test_without_learning_nothing_changes(program: Program, data: DeviceData) -> None:
    state, curve = train(program, data, learn=False)
    before = jax.tree.map(lambda leaf: leaf[0], initial_state(MIXER, [0], RECIPE))
    jax.tree.map(np.testing.assert_array_equal, state, before)
    assert [epoch["bad_step"] for epoch in curve] == [-1] * 3


def test_a_program_knows_what_it_cost(program: Program, data: DeviceData) -> None:
    assert program.trace_seconds > 0
    assert program.compile_seconds > 0
    assert program.device_bytes > data.train_images.nbytes + data.validation_images.nbytes
