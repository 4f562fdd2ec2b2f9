"""Which files a person means: files, folders and patterns."""

import glob
from collections.abc import Sequence
from pathlib import Path

from llma_assets.errors import InputRejected

# Looked for in folders and in what patterns match; a file named outright may be called anything.
SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", ".jsonl.gz", ".ndjson.gz", ".json.gz")


def find_inputs(paths: Sequence[str]) -> list[Path]:
    """Input files named by `paths`: each once, in the order given; those of a folder or pattern sorted.

    Folders are searched with their subfolders, without following links to folders and without
    hidden files. `**` in a pattern matches any depth.

    Raises:
        InputRejected: a path matches no file; names it.
    """
    found: dict[Path, None] = {}
    for given in paths:
        matches = _matches(given)
        if not matches:
            raise InputRejected(f"{given!a}: no such file, or no {', '.join(SUFFIXES[:4])} file (or .gz of it) in it")
        found.update(dict.fromkeys(matches))
    return list(found)


def _matches(given: str) -> list[Path]:
    if "\0" in given or not given:
        return []
    path = Path(given)
    # Before any pattern: a name may hold brackets.
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        return [path]
    matched = sorted(Path(match) for match in glob.glob(given, recursive=True))  # noqa: PTH207
    files = [file for match in matched for file in (_in_folder(match) if match.is_dir() else [match])]
    return list(dict.fromkeys(files))


def _in_folder(folder: Path) -> list[Path]:
    inside = (path for path in folder.rglob("*") if path.name.lower().endswith(SUFFIXES) and path.is_file())
    return sorted(path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts))
