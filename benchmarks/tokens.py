"""How many tokens a piece of text is: from the input tokens that providers reported for real calls.

    python benchmarks/tokens.py DATA_FOLDER DEMO_LAKE

A generation's input holds the same system prompt and tools as the generation before it, plus what was said since. So
within one trace the reported tokens rise with the text in a straight line; its slope is free of everything that is
not in the text. One slope a trace (least squares, at least `MIN_CALLS` calls that differ by `MIN_PIECES` pieces), then
percentiles over the traces of a model. The same for bytes, to show how much worse they tell it.

`labels` measures a lake in which `llma demo` has run: pieces for each cluster in the prompt that names them.
"""

import argparse
import gzip
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from llma_assets.clustering.result import NOISE
from llma_assets.labeling.label import ClusterEvidence, ItemEvidence
from llma_assets.labeling.prompt import build_messages
from llma_assets.lake import Lake
from llma_assets.llm.labeler import PROMPT_VERSION
from llma_assets.llm.prompts import load_prompt
from llma_assets.llm.tokens import pieces_of

RESULT = Path(__file__).parent / "results" / "tokens.json"
FILE = "tau2_airline_events.jsonl.gz"
MIN_CALLS = 4
MIN_PIECES = 500
OPENAI = re.compile(r"(ft:)?(gpt-|o\d)")


def spoken(messages: list[dict[str, Any]]) -> str:
    """What a model reads of its messages: contents, tool names and arguments."""
    parts: list[str] = []
    for message in messages:
        content = message.get("content")
        if content is not None:
            parts.append(content if isinstance(content, str) else json.dumps(content))
        for call in message.get("tool_calls") or []:
            function = call.get("function") or call
            arguments = function.get("arguments")
            parts += [function.get("name") or "", arguments if isinstance(arguments, str) else json.dumps(arguments)]
    return "\n".join(parts)


def slopes(path: Path) -> tuple[dict[str, list[tuple[float, float]]], int]:
    """(tokens a piece, tokens a byte) of each usable trace, by model; and the number of calls read."""
    talks: defaultdict[tuple[str, str, str], list[tuple[int, int, int]]] = defaultdict(list)
    with gzip.open(path) as lines:
        for line in lines:
            event = json.loads(line)
            said = event["properties"]
            messages = said.get("$ai_input")
            if event["event"] != "$ai_generation" or not said.get("$ai_input_tokens") or not isinstance(messages, list):
                continue
            text = spoken(messages)
            # An agent and the simulated user share a trace; their system prompts tell them apart.
            speaker = str(messages[0].get("content"))[:300] if messages else ""
            talk = talks[said["$ai_model"], said["$ai_trace_id"], speaker]
            talk.append((said["$ai_input_tokens"], pieces_of(text), len(text.encode())))
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for (model, _, _), calls in talks.items():
        tokens, pieces, size = np.array(calls, dtype=float).T
        if len(calls) >= MIN_CALLS and np.ptp(pieces) >= MIN_PIECES:
            found[model].append((np.polyfit(pieces, tokens, 1)[0], np.polyfit(size, tokens, 1)[0]))
    return found, sum(map(len, talks.values()))


def spread(values: list[float]) -> dict[str, float]:
    """5th percentile, median and 95th."""
    low, middle, high = np.percentile(values, [5, 50, 95])
    return {"p5": round(float(low), 3), "median": round(float(middle), 3), "p95": round(float(high), 3)}


def label_prompts(home: Path) -> list[dict[str, Any]]:
    """The clusters of a lake, and the prompt that would name them."""
    lake, prompt = Lake(str(home)), load_prompt(PROMPT_VERSION)
    empty = sum(pieces_of(message["content"]) for message in build_messages(prompt, [], "mark"))
    result = []
    for day in [day for team in lake.teams("cluster_labels") for day in lake.days("cluster_labels", team)]:
        rows = lake.read("cluster_labels", day).to_pylist()
        for run in lake.read("cluster_assignments", day).to_pylist():
            of_run = [row for row in rows if row["clustering_run_id"] == run["clustering_run_id"]]
            evidence = [_evidence(json.loads(row["evidence"])) for row in of_run if row["cluster_id"] != NOISE]
            if evidence:
                full = sum(pieces_of(message["content"]) for message in build_messages(prompt, evidence, "mark"))
                result.append(
                    {
                        "run": run["clustering_run_id"],
                        "items": run["items_analyzed"],
                        "clusters": len(evidence),
                        "pieces_per_cluster": round((full - empty) / len(evidence)),
                    }
                )
    return result


def _evidence(raw: dict[str, Any]) -> ClusterEvidence:
    members = {
        side: tuple(ItemEvidence(**item | {n: tuple(item[n]) for n in ("bullets", "notes")}) for item in raw[side])
        for side in ("near", "edge")
    }
    return ClusterEvidence(raw["cluster_id"], raw["size"], **members, terms=tuple(map(tuple, raw["terms"])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help=f"folder with {FILE}")
    parser.add_argument("lake", type=Path, help="lake in which `llma demo` has run")
    arguments = parser.parse_args()
    found, calls = slopes(arguments.data / FILE)
    models: dict[str, dict[str, Any]] = {
        model: {
            "traces": len(pairs),
            "tokens_per_piece": spread([piece for piece, _ in pairs]),
            "tokens_per_byte": spread([size for _, size in pairs]),
        }
        for model, pairs in sorted(found.items())
    }
    openai = [pair[0] for model, pairs in found.items() if OPENAI.match(model) for pair in pairs]
    others = {model: facts["tokens_per_piece"] for model, facts in models.items() if not OPENAI.match(model)}
    result = {
        "file": FILE,
        "calls": calls,
        "openai": {"traces": len(openai), **spread(openai)},
        "others": {
            # Some of these reports leave out what came from the cache, so the low percentiles say nothing.
            "least_median": min(one["median"] for one in others.values()),
            "median_of_medians": round(float(np.median([one["median"] for one in others.values()])), 3),
            "most_p95": max(one["p95"] for one in others.values()),
        },
        "models": models,
        "labels": label_prompts(arguments.lake),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
