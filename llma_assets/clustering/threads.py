"""One thread for numeric work, so that sums are always taken in the same order.

BLAS and OpenMP split a sum by the number of threads, and a sum split otherwise differs in its last
bits. On one thread the same vectors give the same bytes whatever the machine's thread settings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

# Each brings a BLAS or OpenMP pool of its own.
_LIBRARIES = ("numpy", "scipy.linalg", "scipy.sparse.linalg", "sklearn.cluster", "hdbscan")


@contextmanager
def single_thread() -> Iterator[None]:
    """Hold every BLAS and OpenMP pool of this process at one thread; the old limits come back after.

    A limit reaches only libraries that are loaded when it is set. So all that the body will use is
    loaded here, before.
    """
    from threadpoolctl import threadpool_limits

    for name in _LIBRARIES:
        import_module(name)
    with threadpool_limits(limits=1):
        yield
