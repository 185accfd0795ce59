"""How good is it?

    import search

    result = search.run_study("mixer_digits")    # or a StudySpec, or a .toml file
    result.front, result.frame, result.best(max_flops="2M")
    result.export("winner.json")
    search.confirm_study("mixer_digits")         # its front over fresh seeds, test read once
    search.finetune_study(spec, preset)          # trained weights, trained on with other images

Nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.confirmation import confirm_study
    from search.finetuning import finetune_study
    from search.launch import run_study
    from search.result import StudyResult
    from search.spec.recipe import Recipe
    from search.spec.studies import StudySpec

__all__ = ["Recipe", "StudyResult", "StudySpec", "confirm_study", "finetune_study", "run_study"]


def __getattr__(name: str) -> Any:
    match name:
        case "confirm_study":
            from search.confirmation import confirm_study

            return confirm_study
        case "finetune_study":
            from search.finetuning import finetune_study

            return finetune_study
        case "run_study":
            from search.launch import run_study

            return run_study
        case "StudyResult":
            from search.result import StudyResult

            return StudyResult
        case "StudySpec":
            from search.spec.studies import StudySpec

            return StudySpec
        case "Recipe":
            from search.spec.recipe import Recipe

            return Recipe
        case _:
            raise AttributeError(f"module 'search' has no attribute {name!r}")
