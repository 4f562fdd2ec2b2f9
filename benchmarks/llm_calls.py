"""Summaries through a local OpenAI-compatible server: wall time, CPU time of the client, memory.

`python benchmarks/llm_calls.py` starts an asyncio server in a process of its own, which gives a fixed summary after a
fixed time, and asks it through the whole of what a run uses: the SDK, retries, budget ledger, redaction, records and
the journal that survives a kill. Texts are those of the demo's traces. Results go to
benchmarks/results/llm_calls.json.
"""

import asyncio
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from llma_assets.lake import Lake
from llma_assets.llm.summarizer import OpenAISummarizer
from llma_assets.llm.task import LlmTask
from llma_assets.llm.work import opened
from llma_assets.settings import load_settings
from llma_assets.summarization.outcome import ItemText
from llma_assets.team_day import TeamDay
from llma_assets.traces.event import Event
from llma_assets.traces.text import render_trace

RESULT = Path(__file__).parent / "results" / "llm_calls.json"
NOTE = {"text": "The user asks for a refund and the agent gives it.", "line_refs": "L5-9"}
SUMMARY = {"title": "Refund of a cancelled flight", "flow_steps": ["request", "lookup", "refund"],
           "summary_bullets": [NOTE] * 6, "interesting_notes": [NOTE]}  # fmt: skip
# Calls, calls in flight, seconds that an answer takes.
CASES = [(200, 25, 1.0), (2_000, 100, 0.5)]
MODEL = "bench-model"


def main() -> None:
    """Measure each case in a fresh process and write the result."""
    context = multiprocessing.get_context("spawn")
    cases = []
    for calls, concurrency, answer_s in CASES:
        port, result = context.Queue(), context.Queue()
        server = context.Process(target=serve, args=(answer_s, port), daemon=True)
        server.start()
        client = context.Process(target=measure, args=(port.get(), calls, concurrency, answer_s, result))
        client.start()
        cases.append(result.get())
        client.join()
        server.terminate()
        print(json.dumps(cases[-1]))
    versions = {name: version(name) for name in ("openai", "httpx2", "pyarrow")}
    facts = {"cores": os.cpu_count(), "python": sys.version.split()[0], "versions": versions, "cases": cases}
    RESULT.write_text(json.dumps(facts, indent=1) + "\n")


def measure(port: int, calls: int, concurrency: int, answer_s: float, result: Any) -> None:
    """Summarize `calls` items and put the figures into `result`."""
    texts = demo_texts()
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(
            home=home,
            openai_base_url=f"http://127.0.0.1:{port}/v1",
            openai_summary_model=MODEL,
            openai_concurrency=concurrency,
            redaction="always",
            budget_usd=1_000.0,
            prices={MODEL: {"input_usd": 0.4, "output_usd": 1.6}},
        )
        task = LlmTask("trace_summaries", TeamDay("bench", date(2026, 3, 9)))
        with opened(settings, task, Lake(home), lambda: datetime.now(UTC), {}) as (access, _):
            # One call first: loading the SDK and compiling the patterns is not a cost of each call.
            list(OpenAISummarizer.from_settings(settings, access).summarize([ItemText(("trace", "first"), texts[0])]))
            rss_before, cpu_before, began = peak_mib(), cpu_s(), time.monotonic()
            kept: Counter[str] = Counter()
            done: Counter[str] = Counter()

            def items() -> Iterator[ItemText]:
                for number in range(calls):
                    yield ItemText(("trace", f"t{number}"), texts[number % len(texts)])

            summarizer = OpenAISummarizer.from_settings(settings, access)
            for outcome in summarizer.summarize(items(), lambda outcome: kept.update([outcome.key[1]])):
                done.update([outcome.key[1]] if outcome.summary else [])
            wall_s, cpu = time.monotonic() - began, cpu_s() - cpu_before
    assert set(done.values()) == {1} and set(kept.values()) == {1} and len(done) == len(kept) == calls
    result.put(
        {
            "calls": calls,
            "concurrency": concurrency,
            "answer_s": answer_s,
            "ideal_s": answer_s * calls / concurrency,
            "wall_s": round(wall_s, 2),
            "client_cpu_ms_per_call": round(1_000 * cpu / calls, 2),
            "rss_growth_mib": round(peak_mib() - rss_before, 1),
        }
    )


def demo_texts() -> list[Any]:
    """Text representations of the first 100 traces of the demo's airline agent."""
    table = pq.read_table(str(files("llma_assets.demo") / "data" / "airline.parquet"))
    traces: dict[str, list[Event]] = {}
    for row in table.to_pylist():
        properties = json.loads(row["properties"])
        ids = (properties["$ai_trace_id"], properties.get("$ai_span_id"), properties.get("$ai_parent_id"))
        event = Event(row["uuid"], row["event"], datetime.fromisoformat(row["timestamp"]), *ids, properties)
        traces.setdefault(event.trace_id, []).append(event)
    return [render_trace(traces[trace_id]) for trace_id in sorted(traces)[:100]]


def cpu_s() -> float:
    """CPU seconds of this process, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(answer_s: float, port: Any) -> None:
    """A server that answers any chat completion after `answer_s`."""
    answer = {
        "id": "c", "object": "chat.completion", "created": 0, "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": json.dumps(SUMMARY), "refusal": None}}],
        "usage": {"prompt_tokens": 9_000, "completion_tokens": 300, "total_tokens": 9_300},
    }  # fmt: skip
    body = json.dumps(answer).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            await asyncio.sleep(answer_s)
            writer.write(reply)

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(quiet, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    main()
