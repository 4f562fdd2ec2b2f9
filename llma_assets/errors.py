"""The error families of the project.

An error says what is wrong, with field, value and allowed range; its family says what the
caller should do about it.
"""


class LlmaError(Exception):
    """Base of every error that this package raises on purpose."""


class InputRejected(LlmaError):
    """The input or a setting is wrong. Trying again without changing it cannot help."""


class FailFast(LlmaError):
    """The outside world refuses for good (bad key, unknown model, exhausted quota)."""


class RetryLater(LlmaError):
    """The outside world is busy or broken for now; the same call may succeed later."""


class WaitingForBatch(RetryLater):
    """Work was handed to a server that does it within a day; running the same again collects it."""


class BudgetExhausted(LlmaError):
    """The next call could cost more than is left of a budget. What was paid for is kept."""


class PartitionLocked(LlmaError):
    """Another live process is writing the same partition."""


class PartitionMissing(LlmaError):
    """A partition was read that has not been written."""


class PartitionCorrupt(LlmaError):
    """A stored partition does not pass its checksums or is not a Parquet file."""


class MissingExtra(LlmaError):
    """An optional dependency or a model file is not installed; the message says what to type."""
