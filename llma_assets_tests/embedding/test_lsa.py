"""The embedder for smoke tests: honest about what it is, the same everywhere."""

import os
import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llma_assets.embedding.embedder import check_vectors
from llma_assets.embedding.lsa import LsaEmbedder

TEXTS = [
    "my card was declined at the shop",
    "the shop declined my new card again",
    "please rebook the cancelled flight to Oslo",
    "flights to Oslo were cancelled, rebooking failed",
]


def test_texts_that_share_words_are_near() -> None:
    vectors = LsaEmbedder().embed(TEXTS)
    near = vectors @ vectors.T
    assert vectors.shape == (4, 256)
    assert vectors.dtype == np.float32
    assert min(near[0, 1], near[2, 3]) > 0.4 > 0.2 > np.abs(near[:2, 2:]).max()


def test_the_model_id_says_what_it_is_and_names_the_seed() -> None:
    assert LsaEmbedder(7).model == "hashed-words-smoke-test-256@7"
    assert not np.allclose(LsaEmbedder(7).embed(TEXTS), LsaEmbedder(8).embed(TEXTS))


def test_function_words_alone_do_not_bring_texts_together() -> None:
    first, second = LsaEmbedder().embed(["what is the status of my order", "what is the colour of my dog"])
    assert first @ second < 0.3


@settings(max_examples=60)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_any_text_has_a_unit_vector_of_its_own(texts: list[str], random: object) -> None:
    embedder = LsaEmbedder()
    vectors = embedder.embed(texts)
    assert check_vectors(vectors, len(texts), 256, [str(n) for n in range(len(texts))]) == [None] * len(texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert embedder.embed([text])[0].tobytes() == vector.tobytes()


def test_hostile_texts() -> None:
    vectors = LsaEmbedder().embed(["", " \n", "!?", "\ud800 half a pair", "the of and", "x" * 300_000])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    code = "from llma_assets.embedding.lsa import LsaEmbedder as E; import sys, hashlib; " + (
        "print(hashlib.sha256(E().embed(sys.argv[1:]).tobytes()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, *TEXTS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1
    assert LsaEmbedder().embed([]).shape == (0, 256)
