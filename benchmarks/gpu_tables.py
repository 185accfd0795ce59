"""`report.md` of a report: what was measured, in tables; arithmetic and words only."""

from __future__ import annotations

from typing import Any

from space.quantities import format_count, format_seconds

Report = dict[str, Any]

FIRST_BAR = 200_000
"""Images a second of the 76-MMAC Mixer, or half of the roofline, whichever is less."""


def markdown(report: Report) -> str:
    """The whole report; parts that have no figures are named with the reason."""
    lines = [*_heading(report)]
    parts = report["parts"]
    for titles, draw in _SECTIONS:
        names = [name for name in titles if name in parts]
        notes = [name for name in titles if name in report["notes"]]
        if not names and not notes:
            continue
        lines += ["", f"## {next(iter(titles.values()))}", ""]
        lines += draw({name: parts[name] for name in names}) if names else ["not measured"]
        lines += [f"\n{titles[name]}: {report['notes'][name]}." for name in notes]
    lines += ["", "## Seconds", "", "| part | seconds |", "|---|---:|"]
    lines += [f"| {name} | {seconds:.1f} |" for name, seconds in report["seconds"].items()]
    lines += [f"| in all | {sum(report['seconds'].values()):.1f} |"]
    return "\n".join(lines) + "\n"


def _heading(report: Report) -> list[str]:
    device = report["device"]
    what = "Rehearsal of a GPU report" if report["rehearsal"] else "GPU report"
    card = device.get("name", device["device_kind"])
    memory = device.get("memory.total") or _bytes(device["memory_bytes"])
    facts = {
        "device": f"{card}, {memory}, computation in {device['dtype']}",
        "driver": device.get("driver_version", "-"),
        "power limit": device.get("power.limit", "-"),
        "host": f"{report['cpu_cores']} cores",
        "versions": ", ".join(f"{name} {number}" for name, number in report["versions"].items()),
        "images": f"{report['images']['dataset']}, digest {report['images']['digest']}",
        "revision": report["revision"] or "unknown",
        "date": report["date"],
        "command": f"`{report['command']}`",
    }
    lines = [f"# {what}: {card}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {fact} |" for name, fact in facts.items()]
    if report["rehearsal"]:
        lines += [
            "",
            "Every part in small, on a CPU: these figures say that it runs, not how fast.",
        ]
    return lines


def _ceilings(parts: Report) -> list[str]:
    found = parts["ceilings"]
    size = found["matrix_size"]
    return [
        f"- matrix product: {format_count(found['flops_per_second'])}FLOP/s ({size} x {size})",
        f"- copy: {format_count(found['bytes_per_second'])}B/s, read and written",
    ]


def _ladder(parts: Report) -> list[str]:
    lines = _speeds(parts["ladder"], {"network": lambda row: row["name"]})
    measured = [row for row in parts["ladder"] if "error" not in row]
    if measured:
        first = measured[0]
        half = 0.5 * first["images_per_second"] / first["roofline_fraction"]
        bar = min(FIRST_BAR, half)
        verdict = "met" if first["images_per_second"] >= bar else "not met"
        lines.append(
            f"\nFirst bar ({FIRST_BAR:,} images/s or half the roofline, which is {half:,.0f}): "
            f"{verdict} by {first['name']}, {first['images_per_second']:,.0f} images/s."
        )
    return lines


def _trials(parts: Report) -> list[str]:
    lines = ["| side | trials | in | trials an hour | mean accuracy |", "|---|---:|---:|---:|---:|"]
    for name, found in parts.items():
        side, seconds = name.replace("-", " "), format_seconds(found["seconds"])
        lines.append(
            f"| {side} | {found['trials']} | {seconds} | {found['trials_per_hour']:,.0f} | "
            f"{_percent(found['mean_accuracy'])} |"
        )
    if len(parts) == 2:
        ours, plain = parts["this-engine"], parts["plain-loop"]
        count = min(ours["trials"], plain["trials"])
        same = plain["ended_after_seconds"][count - 1] / ours["ended_after_seconds"][count - 1]
        ratio = ours["trials_per_hour"] / plain["trials_per_hour"]
        lines.append(
            f"\nRatio of trials an hour: {ratio:.2f}; "
            f"of the time to the first {count}: {same:.2f}. Cold caches, the same configurations "
            "in the same order, process start included."
        )
    return lines


def _studies(parts: Report) -> list[str]:
    lines = [
        "| trials side by side | ended | stopped early | failed | in | trials an hour | "
        "a worker's device trains | the card computes | compiling, median |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for found in parts.values():
        compiling = found["median_compile_seconds"]
        lines.append(
            f"| {found['workers_per_device']} | {found['trials']} | {found['stopped']} | "
            f"{found['failed']} | {format_seconds(found['seconds'])} | "
            f"{found['trials_per_hour']:,.0f} | {_percent(found['busy_share'], 0)} | "
            f"{_percent(found['utilisation'] and found['utilisation'] / 100, 0)} | "
            f"{'-' if compiling is None else f'{compiling:.1f} s'} |"
        )
    lines.append("\nAs many trials as fit, cold caches, process start included.")
    rates = {found["workers_per_device"]: found["trials_per_hour"] for found in parts.values()}
    gains = [f"K = {k}: {rate / rates[1]:.2f}" for k, rate in rates.items() if 1 in rates and k > 1]
    if gains:
        lines.append(f"\nTrials an hour against one at a time: {', '.join(gains)}.")
    return lines


def _accuracy(parts: Report) -> list[str]:
    lines = [
        "| network | MACs | parameters | epochs | seeds | validation accuracy | mean | "
        "seconds an epoch, all seeds | compiling |",
        "|---|---:|---:|---:|---:|---|---:|---:|---:|",
    ]
    for found in parts["accuracy"]:
        each = found["accuracies"]
        lines.append(
            f"| {found['network']} | {format_count(found['macs'])} | {found['params']:,} | "
            f"{found['epochs']} | {len(each)} | {', '.join(_percent(a) for a in each)} | "
            f"{_percent(sum(each) / len(each))} | {found['epoch_seconds']:.3f} | "
            f"{found['compile_seconds']:.1f} s |"
        )
    lines.append("\nAs many epochs as fit for both, one recipe: the rate is tuned for neither.")
    return lines


def _seeds(parts: Report) -> list[str]:
    lines = [
        "| network | MACs | seeds at once | batch | images/s in all | against one | compile |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    alone: dict[str, float] = {}
    for row in parts["seeds"]:
        one = alone.setdefault(row["name"], row["images_per_second"])
        lines.append(
            f"| {row['name']} | {format_count(row['macs'])} | {row['seeds']} | "
            f"{row['batch_size']} | {row['images_per_second']:,.0f} | "
            f"{row['images_per_second'] / one:.2f} | {row['compile_seconds']:.1f} s |"
        )
    return lines


def _variants(parts: Report) -> list[str]:
    lines = [
        "| way | network | MACs | batch | images/s | program | compile |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    return lines + [
        f"| {row['variant']} | {row['name']} | {format_count(row['macs'])} | {row['batch_size']} | "
        f"{row['images_per_second']:,.0f} | {_bytes(row['device_bytes'])} | "
        f"{row['compile_seconds']:.1f} s |"
        for row in parts["variants"]
    ]


def _tokens(parts: Report) -> list[str]:
    return _speeds(
        parts["tokens"],
        {"tokens": lambda row: str(row["tokens"]), "network": lambda row: row["name"]},
    )


def _speeds(rows: list[dict[str, Any]], firsts: dict[str, Any]) -> list[str]:
    """A table of networks whose training was timed."""
    columns = [
        *firsts,
        *("MACs", "batch", "images/s", "roofline", "limited by", "program", "compile", "cached"),
    ]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(firsts) + "---:|" * 8]
    for row in rows:
        cells = [str(draw(row)) for draw in firsts.values()]
        if "error" in row:
            why = " ".join(row["error"].split()).replace("|", "/")
            cells += [*["-"] * 7, why]
        else:
            warm = row["compile_seconds_warm"]
            cells += [
                format_count(row["macs"]),
                str(row["batch_size"]),
                f"{row['images_per_second']:,.0f}",
                _percent(row["roofline_fraction"], 0),
                row["limited_by"],
                _bytes(row["device_bytes"]),
                f"{row['compile_seconds_cold']:.1f} s",
                "-" if warm is None else f"{warm:.2f} s",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def _bytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 2**20:,.0f} MiB"


_SECTIONS = (
    ({"ceilings": "Ceilings"}, _ceilings),
    ({"ladder": "Training speed"}, _ladder),
    ({"plain-loop": "Against a plain loop", "this-engine": "This engine"}, _trials),
    (
        {
            "study-k1": "A study, trials side by side on one device",
            "study-k2": "Two side by side",
            "study-k4": "Four side by side",
        },
        _studies,
    ),
    ({"accuracy": "A Mixer and a ViT of equal FLOPs"}, _accuracy),
    ({"seeds": "Several seeds at once"}, _seeds),
    ({"variants": "Other ways to compile, other batch sizes"}, _variants),
    ({"tokens": "Against the number of tokens"}, _tokens),
)
"""The titles of the parts that stand together, and what draws them."""
