"""Deterministic names: run ids, event uuids and seeds come from the partition, never from the clock."""

import hashlib
import uuid
from datetime import datetime

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "llma-assets")


def clustering_run_id(team: str, level: str, window_end: datetime, job_id: str = "", run_label: str = "") -> str:
    """`{team}_{level}_{YYYYMMDD}_{HHMMSS}[_{job id}][_{run label}]`, from the exclusive window end."""
    parts = [team, level, window_end.strftime("%Y%m%d_%H%M%S"), job_id, run_label]
    return "_".join(part for part in parts if part)


def event_uuid(run_id: str, part: int) -> str:
    """UUIDv5 of one part of a clustering run's event."""
    return str(uuid.uuid5(NAMESPACE, f"{run_id}/{part}"))


def summary_uuid(team: str, level: str, item_id: str) -> str:
    """UUIDv5 of the summary event of one item: a new summary of it supersedes the old one."""
    return str(uuid.uuid5(NAMESPACE, f"{team}/{level}/{item_id}/summary"))


def seed_of(*parts: str) -> int:
    """A 32-bit seed from names; equal names, equal seed, on every machine."""
    return int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:4], "big")
