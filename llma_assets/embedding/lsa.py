"""Vectors without a model, for smoke tests: hashed words under a fixed random projection.

It sees which words and letter triples two texts share, and nothing of what they mean. Its groups
are coarse (`benchmarks/results/embedding.json` has how much is lost), and every output that rests
on it says so by its model id.

True latent semantic analysis learns its axes from the texts at hand, so that the vectors of two
days, or of a killed and a resumed run, would not share a space. Here each feature has its place
for ever: its hash names `_SIGNS` of the 256 coordinates, and a sign for each (a sparse random
projection: Achlioptas 2003; feature hashing: Weinberger et al. 2009). Word weights cannot depend on
the other texts either, so a list of function words stands in for inverse document frequency.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from llma_assets.embedding.embedder import EmbeddedPart, parts_in_order, unit_rows

DIM = 256
MAX_CHARS = 100_000  # of one text that are read
_SIGNS = 8  # coordinates a feature has: enough that two features rarely share most of theirs
_TRIPLE_WEIGHT = 0.5  # of a letter triple against a word: lets "refunds" and "refunded" meet
_WORD = re.compile(r"\w+")
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        "a about after all also am an and any are as at be because been before but by can could d did do does doing "
        "don for from get got had has have he her him his how i if in into is it its just ll m me more my no not now "
        "of on once one or other our out over re s she should so some such t than that the their them then there "
        "these they this to too up us ve very was we were what when where which while who why will with would you your "
        # the headings that every embedded text has
        "title flow summary interesting notes"
    )
)


class LsaEmbedder:
    """Stateless stand-in for latent semantic analysis; see the module's text.

    Args:
        seed: names the projection; part of the model id, as two projections share no space.
    """

    def __init__(self, seed: int = 42):
        # What was done, not what it stands in for: this id is what a reader of the data sees.
        self.model = f"hashed-words-smoke-test-{DIM}@{seed}"
        self.dim = DIM
        self._key = str(seed).encode()

    def parts(self, texts: Sequence[str], names: Sequence[str] = ()) -> Iterator[EmbeddedPart]:
        """The same vectors part by part, for work that is kept as it is done."""
        return parts_in_order(self.embed, texts)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of `texts` in their order: float32, shape (len(texts), 256), rows of length 1."""
        places: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        sums = np.zeros((len(texts), self.dim))
        for row, text in enumerate(texts):
            for feature, weight in _features(text).items():
                if feature not in places:
                    places[feature] = self._place(feature)
                coordinates, signs = places[feature]
                np.add.at(sums[row], coordinates, signs * weight)
        return unit_rows(sums)

    def _place(self, feature: str) -> tuple[np.ndarray, np.ndarray]:
        """The coordinates of a feature and its sign at each, shape (_SIGNS,) both."""
        # Not hash(): that one differs from process to process.
        digest = hashlib.blake2b(feature.encode("utf-8", "replace"), digest_size=4 * _SIGNS, key=self._key).digest()
        numbers = np.frombuffer(digest, dtype="<u4")
        return numbers % DIM, np.where(numbers >> 31, 1.0, -1.0)


def _features(text: str) -> dict[str, float]:
    """Weight by feature: words that carry meaning, and the letter triples in them."""
    words = _WORD.findall(text[:MAX_CHARS].lower())
    words = [word for word in words if word not in _FUNCTION_WORDS] or words
    counts: Counter[str] = Counter()
    for word in words:
        counts[f"w{word}"] += 1
        padded = f"<{word}>"
        counts.update(f"3{padded[start : start + 3]}" for start in range(len(padded) - 2))
    # A text without a word must have a direction too: a zero vector would count as a failure.
    if not counts:
        counts["empty"] = 1
    return {name: math.sqrt(n) * (1 if name[0] != "3" else _TRIPLE_WEIGHT) for name, n in counts.items()}
