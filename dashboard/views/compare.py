"""Compare: two to ten studies, what each has reached for its cost, and how they were asked."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import also, chosen, reading
from dashboard.bounds import cost_axis
from dashboard.controls import chart
from dashboard.errors import errors_shown
from dashboard.kept import choices
from dashboard.style import row
from dashboard.theme import palette
from runs.compare_studies import (
    Comparable,
    comparable,
    histories,
    only_what_differs,
    reached_table,
    within_budgets_table,
)
from runs.compare_verdict import ONE_SEARCH, confirmed_verdicts, search_verdict
from runs.confirmed import Confirmed
from runs.plot.figures.compare import fronts_figure
from runs.plot.figures.hypervolume import hypervolumes_figure
from runs.snapshot import Snapshot
from runs.storage import StorageError

_MOST = 10


def page() -> None:
    st.header("Studies side by side")
    studies, confirmed = _chosen()
    if len(studies) < 2:
        return
    found = comparable(studies)
    for name, reason in found.left_out.items():
        st.warning("One is not compared:")
        st.text(f"{name}: {reason}.")
    for name, remark in found.remarks.items():
        st.warning("Differences are not those of the search alone:")
        st.text(f"{name}: {remark} than {next(iter(found.kept))}.")
    _verdict(found, confirmed)
    _reached(found, confirmed)
    _hypervolume(found)
    _specifications(studies)


def _verdict(found: Comparable, confirmed: Mapping[str, Confirmed]) -> None:
    """The first against every other: which is better, or that it cannot be told."""
    if len(found.kept) < 2:
        st.info("Fewer than two of them searched: choose others to compare.")
        return
    first, *others = same = _of_one_cost(found)
    lines = []
    for other in others:
        lines.append(f"Searches: {search_verdict(same, first, other)}")
        if first in confirmed and other in confirmed:
            fresh = confirmed_verdicts(confirmed, first, other)
            lines += [f"Confirmed: {said}" for said in fresh]
    if lines:
        with st.container(border=True):
            st.text("\n".join(lines))
            st.caption(ONE_SEARCH)


def _of_one_cost(found: Comparable) -> dict[str, Snapshot]:
    """Those whose hypervolumes compare."""
    return {name: one for name, one in found.kept.items() if name not in found.other_costs}


def _chosen() -> tuple[dict[str, Snapshot], dict[str, Confirmed]]:
    """The studies that are chosen, by the names they are shown under, and what fresh seeds say of
    those that were confirmed; fewer than two where it is said what to do."""
    known: dict[str, also.Listed] = {}
    for place, read in enumerate(also.listed()):
        if isinstance(read, StorageError):
            st.warning(f"Database {place + 1} cannot be read now:")
            st.text(str(read))
        else:
            known |= {study.key: study for study in read}
    if len(known) < 2:
        st.info(
            "There is one study only. To compare it with those of another database, start the "
            "dashboard with that one's URL too: `python -m dashboard --storage URL --also URL`"
        )
        return {}, {}
    picked = _picked(known)
    if len(picked) < 2:
        st.info("Choose two studies or more.")
        return {}, {}
    names = also.labels(known.values())
    follow = chosen.follows()
    found = {key: also.snapshot(known[key], follow=follow) for key in picked}
    fresh = {names[key]: also.confirmed(known[key], found[key]) for key in picked}
    if follow:
        _watch({known[key]: one for key, one in found.items()})
    studies = {names[key]: one for key, one in found.items()}
    return studies, {name: one for name, one in fresh.items() if one is not None}


@st.fragment(run_every=reading.SECONDS)
def _watch(shown: Mapping[also.Listed, Snapshot]) -> None:
    """Draws the page again when there is news of any of the studies."""
    with errors_shown():
        try:
            fresh = any(also.snapshot(one, follow=True) is not was for one, was in shown.items())
        except StorageError:
            return  # what is shown stays until its database answers again
        if fresh:
            st.rerun()


def _picked(known: Mapping[str, also.Listed]) -> list[str]:
    """At first the study that is looked at, and the newest other one that searches."""
    here = f"0#{chosen.now().snapshot.study.name}"
    here = here if here in known else next(iter(known))
    others = [key for key in known if key != here]
    other = next((key for key in others if known[key].searches), others[0])
    names = also.labels(known.values())
    key = choices("compare_studies", known, [here, other], most=_MOST)
    picked: list[str] = st.multiselect(
        "Studies",
        list(known),
        format_func=names.__getitem__,
        max_selections=_MOST,
        key=key,
        help="The first is what the others are compared with.",
    )
    return picked


def _reached(found: Comparable, confirmed: Mapping[str, Confirmed]) -> None:
    st.subheader("Accuracy against cost")
    with_front = {name: one for name, one in found.kept.items() if one.found}
    if not with_front:
        st.info("None of them has finished a configuration yet.")
        return
    own = next(iter(with_front.values())).study.cost
    axis = cost_axis("compare", own, [t for one in with_front.values() for t in one.found])
    chart(fronts_figure(found.kept, axis, palette=palette()), key=f"fronts by {axis.label}")
    st.caption(
        "The front of what each study searched, on validation accuracy; a colour a study, a marker "
        "a family. Studies that validate on the same images share their luck; with one seed a "
        "configuration, differences of a point are mostly noise."
    )
    st.dataframe(reached_table(found.kept, confirmed), hide_index=True, height="content")
    st.caption(
        "What each has reached, and the training FLOPs its search took. Of a search the best is "
        "partly luck; over fresh seeds stands what to expect."
    )
    budgets = within_budgets_table(found.kept, axis)
    if axis.direction == "minimize" and len(budgets):
        st.dataframe(budgets, hide_index=True, height="content")
        st.caption(
            "The most accurate of each study within a budget. ± is 95 %: of the images, and of the "
            "seeds where a study has several. Each was chosen for its accuracy, the more of them "
            "the luckier: `python -m search.confirm` trains them with fresh seeds."
        )


def _hypervolume(found: Comparable) -> None:
    st.subheader("Hypervolume against what it took")
    for name, reason in found.other_costs.items():
        st.text(f"{name} is left out: {reason}, and areas over different costs do not compare.")
    same = _of_one_cost(found)
    curves = histories(same)
    if not curves:
        st.info("None of them has finished a configuration yet.")
        return
    cost, names = next(iter(same.values())).study.cost, list(found.kept)
    left, right = row("compared", 2)
    with left:
        figure = hypervolumes_figure(curves, "training_flops", names, cost, palette=palette())
        chart(figure.update_layout(showlegend=False), key="compare by training FLOPs")
        st.caption(
            "What each has gained for the training FLOPs its search spent, those of trials that "
            "failed or were stopped early too; colours as above."
        )
    with right:
        figure = hypervolumes_figure(curves, "configurations", names, cost, palette=palette())
        chart(figure.update_layout(showlegend=False), key="compare by configurations")
        st.caption("The same after each configuration that finished, with all its seeds.")
    ceilings = {one.study.cost_ceiling for one in same.values()}
    if len(ceilings) > 1:
        st.caption(
            f"All are measured to one point, guessing at {cost.shortly(max(ceilings))}, the "
            "highest of their ceilings; the other pages measure each to its own."
        )


def _specifications(studies: Mapping[str, Snapshot]) -> None:
    st.subheader("What was asked differently")
    table = only_what_differs({name: one.study.spec for name, one in studies.items()})
    if table.empty:
        st.text("Nothing: their specifications are the same.")
        return
    st.dataframe(table, hide_index=True, height="content")
    st.caption("Entries of the specifications that are not the same in all of them.")


page()
