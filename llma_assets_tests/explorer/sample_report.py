"""A report as `explorer/report.py` makes it, over real traces, for tests of the page.

Sizes and figures follow from positions, so that a test knows them without a clustering: cluster `c` of `CLUSTERS` holds
every eighth item from `c` on, the rest is noise; items of cluster 1 fail and cost three times as much.
"""

from functools import cache
from typing import Any

from llma_assets.explorer.detail import detail, numbered_lines
from llma_assets.explorer.packing import brief_chunks, place_of
from llma_assets.summarization.extractive import summarize
from llma_assets.tables.trace_summaries import TRACE_SUMMARIES
from llma_assets.traces.text import render_trace
from llma_assets_tests.traces.trace_events import real_traces

Json = dict[str, Any]

CLUSTERS = (
    "Cancel Flight and Refund",
    "Gift Cards and Total Balance on Certificates",
    "Checked Bags and Changes to Upcoming Trip",
    "Upgrade to Business Class",
    "Nonstop Flight and Home Sooner",
    "Delayed Flight and Frustrated",
    "Book One-way Flight",
)
THEMES = ("Bookings and Refunds", "Seats and Bags", "Complaints")
START = 1_772_496_000  # 2026-03-03 00:00 UTC
DAY = 86_400


@cache
def details() -> tuple[tuple[str, Json], ...]:
    """Title and detail of each of the real traces that tests have."""
    found = []
    for events in real_traces():
        text = render_trace(events)
        summary = summarize(text)
        row = TRACE_SUMMARIES.blank() | {
            "summary_bullets": [{"text": note.text, "line_refs": note.line_refs} for note in summary.bullets],
            "interesting_notes": [{"text": note.text, "line_refs": note.line_refs} for note in summary.notes],
            "flow_diagram": summary.flow_diagram,
        }
        found.append((summary.title, detail(row, numbered_lines(text.text), text.line_count)))
    return tuple(found)


def metrics(indices: list[int], errors: int, cost: float, lift: float | None) -> Json:
    """The figures of a group in the shape of `explorer/groups.py`."""
    used = {"items": len(indices), "share": 1.0, "lift": lift}
    return {
        "item_count": len(indices),
        "avg_cost": cost,
        "total_cost": cost * len(indices),
        "avg_latency": 20.0,
        "p50_latency": 18.0,
        "p95_latency": 60.0,
        "avg_tokens": 1500.0,
        "avg_generations": 4.0,
        "cost_per_million_tokens": 3.0,
        "error_count": errors,
        "error_rate": errors / len(indices) if indices else None,
        "distinct_users": min(5, len(indices)),
        "models": [{"name": "gpt-5.4", **used}],
        "tools": [{"name": "get_user_details", **used}],
        "lift": {"avg_cost": lift, "avg_latency": 1.0, "p95_latency": 0.4, "avg_tokens": lift, "error_rate": None},
    }


def sample_report(count: int = 96, words: str = "") -> tuple[Json, list[bytes]]:
    """Report and chunks of a day with `count` traces in seven clusters, and a run that was skipped.

    Args:
        words: put into every text that comes from traces, as a hostile one would.
    """
    real = details()
    order = sorted(range(count), key=lambda i: (i % 8, i))
    members = {c: [i for i in order if i % 8 == c] for c in range(8)}
    ids = {c: c if c < len(CLUSTERS) else -1 for c in members}
    run = {
        "run_id": "airline_trace_20260310_000000",
        "level": "trace",
        "job_id": "default-trace",
        "job_name": f"Default - trace{words}",
        "window_start": "2026-03-03T00:00:00Z",
        "window_end": "2026-03-10T00:00:00Z",
        "status": "clustered",
        "items_in_window": count,
        "items_analyzed": count,
        "items_learned": count,
        "items_noise": len(members[7]),
        "method": "hdbscan",
        "items_shown": count,
        "quality": {"silhouette": 0.4, "stability": None},
        "warnings": [f"A warning.{words}"] if words else [],
        "earlier_run_id": "airline_trace_20260309_000000",
        "earlier_date": "2026-03-08",
        "metrics": metrics(order, len(members[1]), 0.1, None) | {"lift": {}},
        "themes": [theme(t, members, words) for t in range(len(THEMES))],
        "clusters": [cluster(c, ids[c], members[c], count, words) for c in members if members[c]],
        "gone": [{"title": f"Lost Bags{words}", "size": 7, "last_date": "2026-03-08", "lineage_id": "l/gone"}],
        "models": ["gpt-5.4", f"o3{words}"],
        "tools": ["get_user_details", f"cancel{words}"],
        "users": 5,
        "items": items(order, ids, members, words),
        "earlier": [earlier(words)],
    }
    skipped = {key: run[key] for key in ("job_name", "window_start", "window_end", "job_id")}
    skipped |= {"run_id": "airline_generation_20260310_000000", "level": "generation", "status": "skipped"}
    skipped |= {"job_name": "Default - generation", "reason": "too_few_items (12 of 20)"}
    told = [real[i % len(real)][1] for i in order]
    if words:
        told = [with_words(one, words) for one in told]
    report = {"schema": 1, "team": "airline", "date": "2026-03-09", "version": "0.1.0", "content": "text"}
    return report | {"runs": [run, skipped]}, brief_chunks(told)


def theme(number: int, members: dict[int, list[int]], words: str) -> Json:
    own = [i for c in range(len(CLUSTERS)) if c % len(THEMES) == number for i in members[c]]
    share = len(own) / sum(map(len, members.values()))
    title = THEMES[number] + words
    return {"theme_id": number, "title": title, "description": "", "size": len(own), "share": share} | {
        "metrics": metrics(own, 0, 0.1, 1.0)
    }


def cluster(c: int, cluster_id: int, own: list[int], count: int, words: str) -> Json:
    fails, noise, share = c == 1, cluster_id < 0, len(own) / count
    return {
        "cluster_id": cluster_id,
        "theme_id": None if noise else c % len(THEMES),
        "title": "Outliers" if noise else CLUSTERS[c] + words,
        "description": f"- What these have in common{words}\n- Typical: “please”",
        "size": len(own),
        "share": share,
        "keywords": [f"refund{words}", "flight"],
        "label_source": "keywords",
        "name_reason": "noise" if noise else "kept",
        "lineage_id": None if noise else f"l/{c}",
        "first_seen": None if noise else "2026-03-09" if c == 4 else "2026-03-03",
        "change": None if noise else "born" if c == 4 else "kept",
        "previous_title": f"Formerly{words}" if c == 2 else None,
        "earlier_size": None if noise or c == 4 else 5,
        "badges": [name for name, on in (("errors", fails), ("new", c == 4), ("grown", c == 0)) if on],
        "metrics": metrics(own, len(own) if fails else 0, 0.3 if fails else 0.1, 3.0 if fails else 0.7),
        "trend": [] if noise else [{"date": f"2026-03-0{d}", "size": d + c, "share": 0.1} for d in (7, 8, 9)],
        "x": float(c % 3),
        "y": float(c // 3),
    }


def items(order: list[int], ids: dict[int, int], members: dict[int, list[int]], words: str) -> Json:
    real = details()
    place = {i: rank for own in members.values() for rank, i in enumerate(own)}
    # A square spiral around each middle: points apart, the same ones every time.
    across = {i: 0.04 * (rank % 9) for i, rank in place.items()}
    return {
        "id": [f"trace-{i}{words}" for i in order],
        "trace": [0 for _ in order],
        "cluster": [ids[i % 8] for i in order],
        "rank": [place[i] for i in order],
        "x": [round(i % 8 % 3 + across[i], 4) for i in order],
        "y": [round(i % 8 // 3 + 0.04 * (place[i] // 9 % 9) + 0.0004 * (place[i] // 81), 4) for i in order],
        "t": [START + i * 7 * DAY // len(order) for i in order],
        "title": [real[i % len(real)][0] + words for i in order],
        "cost": [0.3 if i % 8 == 1 else 0.1 if i % 5 else None for i in order],
        "latency": [float(1 + i % 60) for i in order],
        "tokens": [1000 + i for i in order],
        "errors": [int(i % 8 == 1) for i in order],
        "user": [i % 5 for i in order],
        "models": [[i % 2] for i in order],
        "tools": [[0, 1] if i % 3 else [] for i in order],
        "distance": [0.01 * place[i] for i in order],
        "borderline": [int(place[i] == 9) for i in order],
        "detail": [place_of(number) for number in range(len(order))],
    }


def earlier(words: str) -> Json:
    """The day before: all clusters but the new one, and one that is gone."""
    before = [
        {"cluster_id": c, "title": title + words, "size": 6, "share": 0.1, "lineage_id": f"l/{c}"}
        | {"metrics": {"avg_cost": 0.1, "error_rate": 0.0}}
        for c, title in enumerate(CLUSTERS)
        if c != 4
    ]
    lost = {"cluster_id": 9, "title": f"Lost Bags{words}", "size": 7, "share": 0.12, "lineage_id": "l/gone"}
    before.append(lost | {"metrics": {"avg_cost": None, "error_rate": None}})
    return {"run_id": "airline_trace_20260309_000000", "date": "2026-03-08", "clusters": before}


def with_words(told: Json, words: str) -> Json:
    """A detail whose every text ends in `words`."""
    flow = told["flow"] and told["flow"] | {
        "nodes": [node | {"label": node["label"] + words} for node in told["flow"]["nodes"]]
    }
    notes = {name: [note | {"text": note["text"] + words} for note in told[name]] for name in ("bullets", "notes")}
    return told | notes | {"flow": flow, "lines": [[number, text + words] for number, text in told["lines"]]}
