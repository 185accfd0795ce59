"""What fresh seeds say of a front, as a section of a report."""

from __future__ import annotations

from runs.confirmed import Confirmed
from runs.confirmed_words import (
    confirmed_table,
    failed_lines,
    front_sentence,
    marks_sentence,
    optimism_sentence,
    split_sentence,
    undecided_sentence,
)
from runs.plot.figures.confirmed import confirmed_figure, difference_figure, optimism_figure
from runs.report.section import Figure, Part, Section, Table


def confirmed_section(found: Confirmed) -> Section:
    """The fronts over fresh seeds, the families' difference, who is on a front, and optimism."""
    said = [split_sentence(found), front_sentence(found), undecided_sentence(found)]
    parts: list[Part] = [
        Figure(
            figure=confirmed_figure(found),
            caption=f"{marks_sentence(found)}.",
        )
    ]
    for each in found.comparisons:
        one, other = each.families
        volume = each.hypervolume
        parts.append(
            Figure(
                figure=difference_figure(found, each),
                caption=f"Accuracy of {one} less that of {other} at every budget; the band holds "
                f"at all of them together with {100 * found.level:g} %. In all "
                f"{volume.value:+.3f} ({volume.low:+.3f} to {volume.high:+.3f}) accuracy × "
                "decades.",
            )
        )
    parts.append(
        Table(
            frame=confirmed_table(found),
            caption="Support is the share of draws in which a configuration is on the front of its "
            "group; optimism, in points, what the search's one training had more than fresh seeds.",
        )
    )
    if (sentence := optimism_sentence(found)) is not None:
        caption = f"{sentence}. Open: the search's training; filled: the mean over fresh seeds."
        parts.append(Figure(figure=optimism_figure(found), caption=caption))
    sentences = [f"{one}." for one in (*said, *failed_lines(found)) if one]
    return Section(title="Confirmed front", sentences=sentences, parts=parts)
