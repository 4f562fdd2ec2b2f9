"""Stops a run whose server is down, or whose model cannot do the work, before more is spent on it."""

from llma_assets.errors import FailFast, LlmaError, RetryLater
from llma_assets.llm.failures import ItemFailed
from llma_assets.vocabulary import Reason

# Calls in a row that failed for the server's fault, each after all of its attempts.
SERVER_FAILURES = 5
# Answers in a row that were of no use, each repaired once, while none has been of use.
USELESS_ANSWERS = 20


class Circuit:
    """Counts failures in a row; `error` is set once there are too many, and no call is made from then on."""

    def __init__(self, model_setting: str) -> None:
        self.error: LlmaError | None = None
        self._model_setting = model_setting
        self._failed = 0
        self._useless = 0
        self._works = False

    def answered(self) -> None:
        """A call was answered, whatever the answer is worth."""
        self._failed = 0

    def failed(self, failure: ItemFailed) -> None:
        """A call failed after all of its attempts."""
        if failure.reason != Reason.LLM_ERROR:
            self.answered()
            return
        self._failed += 1
        if self._failed >= SERVER_FAILURES and self.error is None:
            message = f"{self._failed} calls in a row failed at the server, the last one with: {failure}"
            self.error = FailFast(message) if failure.permanent else RetryLater(message)

    def useful(self) -> None:
        """An answer passed its checks."""
        self._works = True

    def useless(self, problem: str) -> None:
        """An answer and its repair did not pass their checks."""
        self._useless += 1
        if self._useless >= USELESS_ANSWERS and not self._works and self.error is None:
            self.error = FailFast(
                f"none of the first {self._useless} answers can be used, the last one because: {problem}; "
                f"the model in {self._model_setting} does not seem fit for this"
            )
