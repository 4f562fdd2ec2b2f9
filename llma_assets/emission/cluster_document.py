"""A clustering run read back from JSON: what `llma clusters --json` prints, or its `$ai_*_clusters` events.

The text may come from anybody: every value that is used is checked, everything else is left out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import orjson

from llma_assets.clustering.result import NOISE
from llma_assets.errors import InputRejected

EVENT_NAMES = ("$ai_trace_clusters", "$ai_generation_clusters")
TOP_ITEMS = 5
MAX_TEXT_CHARS = 20_000
# Larger numbers are no counts of anything here, and smaller than what a float holds exactly.
_MAX_COUNT = 2**53

Json = dict[str, Any]
FieldCheck = Callable[[Any], Any]


def read_document(content: bytes, run: str | None = None) -> Json:
    """The run, themes and clusters of a file, in the shape of `llma clusters --json`; times as datetimes.

    Args:
        content: JSON or JSON lines: such a document, an event, or events in a list, under `results`, or a line each;
            properties as an object or as text. Other events are passed over.
        run: the clustering run that is meant, where there are several.

    Raises:
        InputRejected: it is none of these, a part of the run is missing, or a value is not what it must be; names it.
    """
    values = list(_values(content))
    documents = [value for value in values if isinstance(value, dict) and {"run", "clusters"} <= value.keys()]
    runs = {str(_of(document.get("run"), "run").get("clustering_run_id")): document for document in documents}
    runs |= {run_id: _from_events(run_id, parts) for run_id, parts in _parts_by_run(values).items()}
    if not runs:
        if any(isinstance(value, dict) and {"item_id", "cluster_id"} <= value.keys() for value in values):
            raise InputRejected("file: these are items; `llma export --format json` writes a run as a document")
        raise InputRejected(
            f"file: neither what `llma clusters --json` prints nor an event of {' or '.join(EVENT_NAMES)}"
        )
    if run is None and len(runs) > 1:
        raise InputRejected(f"file: holds {len(runs)} clustering runs; say which with --run: {', '.join(sorted(runs))}")
    if run is not None and run not in runs:
        raise InputRejected(f"--run: the file has no clustering run {run!r}, only {', '.join(sorted(runs))}")
    return _checked(runs[run] if run is not None else next(iter(runs.values())))


def _values(content: bytes) -> Iterator[Any]:
    """The JSON values that may be events or documents."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        whole = [orjson.loads(content)]
    except orjson.JSONDecodeError as problem:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2:
            raise InputRejected(f"file: not JSON: {problem}") from None
        whole = []
        for number, line in enumerate(lines, start=1):
            try:
                whole.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise InputRejected(f"file: line {number} is not JSON: {error}") from None
    for value in whole:
        rows = value.get("results") if isinstance(value, dict) else value
        if not isinstance(rows, list):
            yield value
            continue
        names = value.get("columns") if isinstance(value, dict) else None
        # A query's answer has rows without names, and the names beside them.
        yield from (dict(zip(names, row, strict=False)) if names and isinstance(row, list) else row for row in rows)


def _parts_by_run(values: Sequence[Any]) -> dict[str, dict[int, Json]]:
    """Properties of cluster events by clustering run and part; of one that came twice, the later."""
    found: dict[str, dict[int, Json]] = {}
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict) or value.get("event", EVENT_NAMES[0]) not in EVENT_NAMES:
            continue
        properties = _of(value.get("properties", value), f"event {number}: properties")
        if "$ai_clusters" not in properties:
            continue
        level = "generation" if value.get("event") == EVENT_NAMES[1] else "trace"
        told = {"$ai_part": 1, "$ai_clustering_level": level} | properties
        named = _fields(told, f"event {number}", {"$ai_clustering_run_id": _text, "$ai_part": _count}, {})
        found.setdefault(named["$ai_clustering_run_id"], {})[named["$ai_part"]] = told
    return found


def _from_events(run_id: str, parts: Mapping[int, Json]) -> Json:
    """The document that a run's events are made from, as far as they say it."""
    first = parts[min(parts)]
    last = _fields({"$ai_parts": len(parts)} | first, run_id, {"$ai_parts": _count}, {})["$ai_parts"]
    if sorted(parts) != list(range(1, min(last, len(parts)) + 1)) or last != len(parts):
        raise InputRejected(f"file: {run_id} has parts 1 to {last}; there are only {sorted(parts)[:10]}")
    clusters: dict[int, Json] = {}
    for part in sorted(parts):
        for number, entry in enumerate(_list(parts[part]["$ai_clusters"], "$ai_clusters")):
            cluster = dict(_of(entry, f"$ai_clusters[{number}]"))
            traces = _of(cluster.get("traces", {}), f"$ai_clusters[{number}].traces")
            # A large cluster comes in pieces, each with a part of its items.
            more = {"theme_id": _count, "size": _count}
            ids = _fields(cluster, f"$ai_clusters[{number}]", {"cluster_id": _id}, more)
            known = clusters.setdefault(ids["cluster_id"], cluster | ids | {"traces": {}})
            known["traces"] |= traces
    total = first.get("$ai_total_items_analyzed", first.get("$ai_total_traces_analyzed"))
    for cluster in clusters.values():
        metrics = _of(cluster.get("metrics") or {}, "metrics")
        cluster |= {name: metrics.get(name) for name in _METRICS}
        cluster["top_items"] = _top_items(cluster["traces"])
        if cluster["size"] is None:
            cluster["size"] = len(cluster["traces"])
        if isinstance(total, int) and total:
            cluster["share"] = cluster["size"] / total
    noise = clusters.get(NOISE, {}).get("size", 0)
    run = {
        "clustering_run_id": run_id,
        "level": first["$ai_clustering_level"],
        "job_name": first.get("$ai_clustering_job_name"),
        "window_start": first.get("$ai_window_start"),
        "window_end": first.get("$ai_window_end"),
        "status": "clustered",
        "items_in_window": first.get("$ai_total_traces_analyzed", total),
        "items_analyzed": total,
        "items_learned": first.get("$ai_sampled_traces_count"),
        "items_noise": noise,
        "cluster_count": len(clusters) - (NOISE in clusters),
        "method": _of(first.get("$ai_clustering_params") or {}, "$ai_clustering_params").get("method"),
    }
    return {"run": run, "themes": _themes(first, clusters, total), "clusters": list(clusters.values())}


def _top_items(traces: Mapping[str, Any]) -> list[Json]:
    entries: list[Json] = [{"item_id": item_id} | _of(entry, f"traces.{item_id}") for item_id, entry in traces.items()]
    for entry in entries:
        entry["trace_timestamp"] = entry.get("timestamp")
    ranked = [entry for entry in entries if isinstance(entry.get("rank"), int)]
    return sorted(ranked, key=lambda entry: entry["rank"])[:TOP_ITEMS]


def _themes(first: Json, clusters: Mapping[int, Json], total: Any) -> list[Json]:
    """Themes as the clusters name them, described where the event does so."""
    told = _rows(first.get("$ai_themes") or [], "$ai_themes", {"theme_id": _count}, {"description": _any_text})
    described = {theme["theme_id"]: theme["description"] for theme in told}
    found: dict[int, Json] = {}
    for cluster in clusters.values():
        theme_id = cluster["theme_id"]
        if theme_id is not None:
            named = {"theme_id": theme_id, "title": cluster.get("theme_title"), "description": described.get(theme_id)}
            theme = found.setdefault(theme_id, named | {"clusters": 0, "items": 0})
            theme["clusters"] += 1
            theme["items"] += cluster["size"]
            theme["share"] = theme["items"] / total if isinstance(total, int) and total else None
    return [found[theme_id] for theme_id in sorted(found)]


def _of(value: Any, where: str) -> Json:
    """An object, or the one that a text holds."""
    value = _parsed(value, where)
    if not isinstance(value, dict):
        raise InputRejected(f"{where}: {_short(value)} is no object")
    return value


def _list(value: Any, where: str) -> list[Any]:
    """A list, or the one that a text holds."""
    value = _parsed(value, where)
    if not isinstance(value, list):
        raise InputRejected(f"{where}: {_short(value)} is no list")
    return value


def _parsed(value: Any, where: str) -> Any:
    """What a text holds; what is no text as it is."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InputRejected(f"{where}: not JSON: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT_CHARS:
        raise InputRejected(f"{_short(value)} is no text of 1 to {MAX_TEXT_CHARS} characters")
    return value


def _texts(value: Any) -> list[str]:
    return [_text(text) for text in _list(value, "texts")]


def _any_text(value: Any) -> str:
    return value if value == "" else _text(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
        raise InputRejected(f"{_short(value)} is no whole number of at least 0")
    return value


def _id(value: Any) -> int:
    return value if value == NOISE and not isinstance(value, bool) else _count(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise InputRejected(f"{_short(value)} is no number")
    return value


def _time(value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(_text(value))
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputRejected(f"{_short(value)} is no time like 2026-01-31T00:00:00Z") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


_METRICS = ("avg_cost", "total_cost", "avg_latency", "avg_tokens", "error_count", "error_rate")
# What each value must be; those of the second table may be null or missing, and are null then.
_RUN = {"clustering_run_id": _text, "level": _text, "items_analyzed": _count}
_RUN_MORE = {
    "job_name": _any_text, "window_start": _time, "window_end": _time, "status": _text, "reason": _text,
    "items_in_window": _count, "items_learned": _count, "items_noise": _count, "cluster_count": _count,
    "min_items": _count, "method": _text,
}  # fmt: skip
_THEME = {"theme_id": _count, "title": _text, "clusters": _count, "items": _count}
_THEME_MORE = {"description": _any_text, "share": _number}
_CLUSTER = {"cluster_id": _id, "size": _count, "title": _text}
_CLUSTER_MORE = {
    "description": _any_text, "share": _number, "theme_id": _count, "theme_title": _text, "label_source": _text,
    "keywords": _texts, "lineage_id": _text, "change": _text,
} | dict.fromkeys(_METRICS, _number)  # fmt: skip
_ITEM = {"rank": _count, "item_id": _text}
_ITEM_MORE = {"title": _any_text, "distance_to_centroid": _number, "trace_timestamp": _time}


def _checked(raw: Json) -> Json:
    run = _fields(_of(raw.get("run"), "run"), "run", _RUN, _RUN_MORE)
    themes = _rows(raw.get("themes") or [], "themes", _THEME, _THEME_MORE)
    clusters = _rows(raw["clusters"], "clusters", _CLUSTER, _CLUSTER_MORE)
    for number, (cluster, given) in enumerate(zip(clusters, _list(raw["clusters"], "clusters"), strict=True)):
        where = f"clusters[{number}].top_items"
        top = _list(given.get("top_items") or [], where)[:TOP_ITEMS]
        cluster["top_items"] = _rows(top, where, _ITEM, _ITEM_MORE)
    (cluster_id, times), *_ = Counter(cluster["cluster_id"] for cluster in clusters).most_common(1) or [(0, 0)]
    if times > 1:
        raise InputRejected(f"clusters: cluster_id {cluster_id} is there {times} times")
    run |= {"items_in_window": run["items_in_window"] or run["items_analyzed"]}
    clusters.sort(key=lambda cluster: (cluster["cluster_id"] == NOISE, -cluster["size"], cluster["cluster_id"]))
    return {"run": run, "themes": themes, "clusters": clusters}


def _rows(values: Any, where: str, required: Mapping[str, FieldCheck], more: Mapping[str, FieldCheck]) -> list[Json]:
    rows = enumerate(_list(values, where))
    return [_fields(_of(row, f"{where}[{n}]"), f"{where}[{n}]", required, more) for n, row in rows]


def _fields(given: Json, where: str, required: Mapping[str, FieldCheck], more: Mapping[str, FieldCheck]) -> Json:
    found: Json = {}
    for name, check in {**required, **more}.items():
        value = given.get(name)
        try:
            found[name] = None if value is None and name in more else check(value)
        except InputRejected as problem:
            raise InputRejected(f"{where}.{name}: {problem}") from None
    return found
