"""Which files a person means."""

from pathlib import Path

import pytest

from llma_assets.errors import InputRejected
from llma_assets.ingest import find_inputs

FILES = ["b.jsonl", "a.jsonl.gz", "sub/c.parquet", "sub/deep/d.NDJSON", "e.json", "notes.txt", ".hidden/f.jsonl"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in (
        "b.jsonl",
        "a.jsonl.gz",
        "sub/c.parquet",
        "sub/deep/d.NDJSON",
        "e.json",
        "notes.txt",
        ".hidden/f.jsonl",
        "g[1].jsonl",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def names(found: list[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in found]


ALL = ["a.jsonl.gz", "b.jsonl", "e.json", "g[1].jsonl", "sub/c.parquet", "sub/deep/d.NDJSON"]


def test_a_folder_is_searched_for_known_names(folder: Path) -> None:
    assert names(find_inputs([str(folder)]), folder) == ALL


def test_a_file_named_outright_may_be_called_anything(folder: Path) -> None:
    assert names(find_inputs([str(folder / "notes.txt"), str(folder / "g[1].jsonl")]), folder) == [
        "notes.txt",
        "g[1].jsonl",
    ]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jsonl*", ["a.jsonl.gz", "b.jsonl", "g[1].jsonl"]),
        ("**/*.parquet", ["sub/c.parquet"]),
        ("s*", ["sub/c.parquet", "sub/deep/d.NDJSON"]),
    ],
)
def test_patterns(folder: Path, pattern: str, found: list[str]) -> None:
    assert names(find_inputs([str(folder / pattern)]), folder) == found


def test_each_file_once_in_the_order_given(folder: Path) -> None:
    given = [str(folder / "sub"), str(folder / "b.jsonl"), str(folder)]
    assert names(find_inputs(given), folder) == [*ALL[4:], "b.jsonl", "a.jsonl.gz", "e.json", "g[1].jsonl"]


@pytest.mark.parametrize("given", ["absent.jsonl", "*.absent", "", "a\0b", "empty", "line\nbreak"])
def test_a_path_that_matches_nothing_is_named(folder: Path, given: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InputRejected) as caught:
        find_inputs([str(folder), str(folder / given) if given else given])
    assert ascii(given)[1:-1] in str(caught.value) and "\n" not in str(caught.value)
