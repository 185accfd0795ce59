"""The learning rates that were tried for a study, from the database."""

from __future__ import annotations

from pathlib import Path

from records import study, trial, vit

from runs.rates import read_rates
from runs.shown_study import rates_table
from runs.writer import open_writer


def test_rates_are_read_with_what_each_family_reached(tmp_path: Path) -> None:
    names = ["s.rate-0.004", "s.rate-0.001", "s.rate-0.002"]
    parent = study("s", spec=study().spec | {"rate_studies": names})
    accuracies = {"s.rate-0.001": (0.4, 0.5), "s.rate-0.004": (0.6, 0.3)}
    with open_writer(f"sqlite:///{tmp_path}/t.db") as store:
        store.put_study(parent)
        for name, (mixer, other) in accuracies.items():  # that of 0.002 is not there any more
            recipe = {"epochs": 2, "learning_rate": float(name.rpartition("-")[2])}
            store.put_study(study(name, spec={"recipe": recipe, "rate_of": "s"}))
            trials = [trial(0, accuracy=mixer), trial(1, accuracy=other, config=vit())]
            store.add_trials(name, trials)
        found = read_rates(store, parent)
    assert [(one.rate, one.epochs) for one in found] == [(0.001, 2), (0.004, 2)]
    assert dict(found[1].accuracies) == {"mixer": 0.6, "vit": 0.3}
    table = rates_table(found, {"mixer": 0.004, "vit": 0.001})
    assert list(table["Mixer"]) == ["40.00", "60.00 (chosen)"]
    assert list(table["ViT"]) == ["50.00 (chosen)", "30.00"]
