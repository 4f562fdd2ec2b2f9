"""Bringing files of events into the lake. See `run.ingest_file`."""

from llma_assets.ingest.inputs import find_inputs
from llma_assets.ingest.limits import Limits
from llma_assets.ingest.quarantine import QuarantineReason
from llma_assets.ingest.report import IngestReport
from llma_assets.ingest.run import MAX_BAD_SHARE, ingest_file

__all__ = ["MAX_BAD_SHARE", "IngestReport", "Limits", "QuarantineReason", "find_inputs", "ingest_file"]
