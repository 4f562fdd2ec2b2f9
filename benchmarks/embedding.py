"""Speed, memory and quality of the embedders that run on this machine.

    python benchmarks/embedding.py <data folder> [--reference <folder of reference.json and .npy>]

Writes benchmarks/results/embedding.json. Rates are the best of three runs, as another process can
only make them worse; `per_cpu_s` is by processor time, which hardly depends on other processes.
"""

import argparse
import gzip
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from llma_assets.embedding import minilm
from llma_assets.embedding.bert_graph import INPUT, OUTPUT
from llma_assets.embedding.embedder import Embedder, unit_rows
from llma_assets.embedding.lsa import LsaEmbedder
from llma_assets.embedding.minilm import MiniLMEmbedder

RESULT = Path(__file__).parent / "results" / "embedding.json"
TRACE_FILES = ("tau2_airline", "arena_hard_v01", "gorilla_torchhub")
TEXT_CHARS = 600
KMEANS_SEEDS = 8
LIBRARIES = ("numpy", "onnx", "onnxruntime", "safetensors", "scikit-learn", "tokenizers")


def trace_texts(data: Path, count: int) -> list[str]:
    """The last 600 characters of `count` real conversations, no two alike."""
    texts = set()
    for name in TRACE_FILES:
        with gzip.open(data / f"{name}_events.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                if event["event"] != "$ai_generation":
                    continue
                properties = event["properties"]
                messages = (properties.get("$ai_input") or []) + (properties.get("$ai_output_choices") or [])
                said = [m["content"] for m in messages if m["role"] != "system" and isinstance(m.get("content"), str)]
                text = "\n".join(said)[-TEXT_CHARS:]
                if len(text) == TEXT_CHARS:
                    texts.add(text)
    return random.Random(0).sample(sorted(texts), count)


def queries(data: Path, count: int) -> tuple[list[str], list[str]]:
    """A sample of banking77: texts and intents."""
    import pyarrow.parquet as pq

    rows = pq.read_table(data / "banking77.parquet", columns=["text", "label"]).to_pylist()
    rows = random.Random(0).sample(rows, count)
    return [row["text"] for row in rows], [row["label"] for row in rows]


def rate(embedder: Embedder, texts: list[str]) -> dict[str, float]:
    embedder.embed(texts[:8])
    best = {"texts_per_s": 0.0, "texts_per_cpu_s": 0.0}
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        embedder.embed(texts)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        best["texts_per_s"] = max(best["texts_per_s"], round(len(texts) / wall, 1))
        best["texts_per_cpu_s"] = max(best["texts_per_cpu_s"], round(len(texts) / cpu, 1))
    return best


_COLD = """
import json, re, sys, time
from pathlib import Path
started = time.perf_counter()
from llma_assets.embedding.minilm import MiniLMEmbedder
imported = time.perf_counter()
embedder = MiniLMEmbedder()
loaded = time.perf_counter()
vectors = embedder.embed(json.load(sys.stdin))
done = time.perf_counter()
print(json.dumps({
    "import_s": round(imported - started, 3),
    "load_s": round(loaded - imported, 3),
    "embed_s": round(done - loaded, 2),
    "total_s": round(done - started, 2),
    # Not ru_maxrss: a child starts with its parent's.
    "peak_rss_mib": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024,
}))
"""


def cold(texts: list[str]) -> dict[str, float]:
    """A fresh process that embeds `texts`: load includes the check of the weights and the graph."""
    run = subprocess.run(
        [sys.executable, "-c", _COLD], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(run.stdout)
    return result


def lone_and_together(embedder: MiniLMEmbedder) -> list[dict[str, float]]:
    """Milliseconds of one core for a piece alone, and as one of 16 of its length."""
    rows = []
    generator = np.random.default_rng(0)
    for tokens in (15, 60, 160, 256):
        times = {}
        for texts in (1, 16):
            ids = generator.integers(1000, 30000, (texts, tokens))
            repeats = max(2, 6000 // ids.size)
            best = float("inf")
            for _ in range(4):
                started = time.process_time()
                for _ in range(repeats):
                    embedder._session.run([OUTPUT], {INPUT: ids})
                best = min(best, (time.process_time() - started) / repeats / texts)
            times[texts] = round(best * 1000, 2)
        rows.append({"tokens": tokens, "alone_ms": times[1], "of_16_ms": times[16]})
    return rows


class Variant:
    """The shipped embedder with another session behind it."""

    def __init__(self, session: Any, workers: int):
        self._base = MiniLMEmbedder(threads=workers)
        self._base._session = session
        self.model, self.dim = "variant", self._base.dim
        self.embed, self.parts = self._base.embed, self._base.parts


def sessions() -> dict[str, tuple[Any, int]]:
    """Other ways to run the same model: (session, pieces at once)."""
    import onnx
    import onnxruntime as ort
    from onnx import numpy_helper
    from onnxruntime.quantization import QuantType, quantize_dynamic

    embedder = MiniLMEmbedder()
    folder = minilm.find_model()
    _, tensors = minilm._read_weights(folder / minilm.WEIGHTS_FILE)
    shape = minilm.BertShape.of(minilm._read_json(folder / minilm.CONFIG_FILE, dict))
    graph = minilm.build_graph(shape, tensors)
    model = onnx.load_model_from_string(graph.model)
    for tensor in model.graph.initializer:
        if tensor.name in embedder._weights:
            tensor.CopyFrom(numpy_helper.from_array(embedder._weights[tensor.name], tensor.name))
    options = ort.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    made = {"fp32, one text shared by all cores": (ort.InferenceSession(model.SerializeToString(), options), 1)}
    single = ort.SessionOptions()
    single.intra_op_num_threads = 1
    known = {"DefaultTensorType": onnx.TensorProto.FLOAT}  # it cannot infer types through fused operators
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "fp32.onnx"), Path(scratch, "int8.onnx")
        onnx.save_model(model, source)
        for per_channel in (False, True):
            quantize_dynamic(source, target, per_channel=per_channel, weight_type=QuantType.QInt8, extra_options=known)
            name = f"int8 dynamic, weights by {'channel' if per_channel else 'tensor'}"
            made[name] = (ort.InferenceSession(target.read_bytes(), single), os.cpu_count() or 1)
    return made


def agreement(vectors: np.ndarray, labels: list[str]) -> dict[str, float]:
    """AMI of k-means (k = number of intents) with the intents, mean and standard error over seeds."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_mutual_info_score

    k = len(set(labels))
    scores = [
        adjusted_mutual_info_score(labels, KMeans(k, n_init=1, random_state=seed).fit_predict(vectors))
        for seed in range(KMEANS_SEEDS)
    ]
    error = float(np.std(scores, ddof=1)) / KMEANS_SEEDS**0.5
    return {"kmeans_ami": round(float(np.mean(scores)), 4), "standard_error": round(error, 4)}


def same_bytes(texts: list[str]) -> bool:
    """Whether one thread, two threads and another order of the texts give the same bytes."""
    one, two = MiniLMEmbedder(threads=1).embed(texts), MiniLMEmbedder(threads=2)
    return one.tobytes() == two.embed(texts).tobytes() == two.embed(texts[::-1])[::-1].tobytes()


def against_reference(folder: Path) -> dict[str, float]:
    """Cosine with vectors that torch made (texts of at most one piece; torch cuts the longer ones)."""
    embedder = MiniLMEmbedder()
    texts = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    expected = np.load(folder / "reference.npy", allow_pickle=False)
    whole = [len(tokens) <= minilm.PIECE_TOKENS - 2 for tokens in embedder._tokenize(texts)]
    cosines = (embedder.embed(texts).astype(np.float64) * unit_rows(expected)).sum(axis=1)[whole]
    return {"texts": int(sum(whole)), "min_cosine": round(float(cosines.min()), 9)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--reference", type=Path)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    traces, (texts, labels) = trace_texts(arguments.data, 500), queries(arguments.data, 2000)
    shipped = MiniLMEmbedder()
    vectors = shipped.embed(texts)
    tokens = {"trace": shipped._tokenize(traces), "query": shipped._tokenize(texts)}
    result: dict[str, Any] = {
        # Above 0 at the start: other processes shared the cores, and `texts_per_s` is too low.
        "load_average_at_start": round(load, 2),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
        "libraries": {name: version(name) for name in LIBRARIES},
        "model": shipped.model,
        "mean_tokens": {name: round(float(np.mean([len(t) + 2 for t in ids])), 1) for name, ids in tokens.items()},
        "team_day_of_500_texts_of_600_chars_cold": cold(traces),
        "one_text_cold": cold(traces[:1]),
        "alone_against_together": lone_and_together(shipped),
        "same_bytes_for_threads_and_order": same_bytes(traces[:30] + texts[:100]),
        "variants": {"fp32, one core a text (shipped)": _row(shipped, traces, texts, labels, vectors)},
    }
    for name, (session, workers) in sessions().items():
        result["variants"][name] = _row(Variant(session, workers), traces, texts, labels, vectors)
    result["variants"]["hashed words (smoke test)"] = _row(LsaEmbedder(), traces, texts, labels, None)
    if arguments.reference:
        result["against_torch"] = against_reference(arguments.reference)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def _row(
    embedder: Embedder, traces: list[str], texts: list[str], labels: list[str], shipped: np.ndarray | None
) -> dict[str, Any]:
    vectors = embedder.embed(texts)
    cosines = (
        {} if shipped is None else {"min_cosine_to_shipped": round(float((vectors * shipped).sum(axis=1).min()), 4)}
    )
    return {
        "trace_texts": rate(embedder, traces[:60]),
        "queries": rate(embedder, texts[:200]),
        **agreement(vectors, labels),
        **cosines,
    }


if __name__ == "__main__":
    main()
