"""How the kernels are compiled and launched: one set of flags, one lock."""

import ctypes
import os
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from typing import Any, TypeVar, cast

import numba
import numpy as np

from .locks import ForkSafeLock

F = TypeVar("F", bound=Callable[..., Any])

# Never True: nnan and ninf would break masks, and NaN would no longer reach the output.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}
# Where the order of the operations is what makes the result exact.
IN_ORDER = {"contract"}

prange = numba.prange

_config: Any = numba.config


def _load_tbb() -> bool:
    """Load the tbb package's library, which lies where Numba does not look for it."""
    try:
        files = metadata.files("tbb") or []
        library = next(file for file in files if file.name == "libtbb.so.12")
        ctypes.CDLL(str(library.locate()), mode=ctypes.RTLD_GLOBAL)
    except (metadata.PackageNotFoundError, StopIteration, OSError):
        return False
    return True


def _choose_layer() -> None:
    # A layer that the user chose, in the environment or in numba.config, stays. Of the others,
    # omp terminates any process that forks after a kernel ran, as data loaders do; tbb starts a
    # parallel loop in a microsecond, workqueue in a hundred.
    if "NUMBA_THREADING_LAYER" not in os.environ and _config.THREADING_LAYER == "default":
        _config.THREADING_LAYER = "tbb" if _load_tbb() else "workqueue"


_choose_layer()
_threads_started = False

# workqueue aborts the process when two threads launch parallel kernels at once; other layers do
# not mind. One lock for all its kernels costs little: a kernel uses every thread that it may.
_lock = ForkSafeLock()


def _compile(function: F, fastmath: set[str], **options: bool) -> F:
    # Numba's published types leave out the options for wrappers, which nothing here needs.
    compiler: Any = numba.njit
    return cast(F, compiler(cache=True, nogil=True, error_model="numpy", fastmath=fastmath,
                            no_cfunc_wrapper=True, **options)(function))


def helper(function: F) -> F:
    """Compile a function that kernels call, and only they: there is no way in from Python."""
    return _compile(function, FASTMATH, no_cpython_wrapper=True)


def helper_in_order(function: F) -> F:
    """Compile a function that kernels call, its operations in the order they are written."""
    return _compile(function, IN_ORDER, no_cpython_wrapper=True)


def inlined(function: F) -> F:
    """Compile a helper into its callers: what it takes and gives stays in registers."""
    return _compile(function, FASTMATH, no_cpython_wrapper=True, forceinline=True)


@helper
def signed(index: int) -> int:
    """A parallel loop's index, which is unsigned, as a signed one; mixed, they become floats."""
    return np.int64(index)  # type: ignore[return-value]


def kernel(function: F) -> F:
    """Compile a parallel kernel; call it through `launch`."""
    return _compile(function, FASTMATH, parallel=True)


def serial_kernel(function: F) -> F:
    """Compile a kernel for work so small that starting threads would take longer."""
    return _compile(function, FASTMATH)


def _start_threads() -> None:
    # Compiling reads the environment again where that changed, and forgets the layer; so the
    # threads start first, which asking for their number does.
    global _threads_started
    if not _threads_started:
        _choose_layer()
        numba.get_num_threads()
        _threads_started = True


def compiled_for(kernel: Callable[..., None], arguments: Sequence[Any]) -> Callable[..., None]:
    """A kernel's code for arguments of these types; as it stands where compilation is off."""
    compile_for: Callable[[tuple[Any, ...]], Callable[..., None]] | None
    compile_for = getattr(kernel, "compile", None)
    if compile_for is None:
        return kernel
    with _lock:
        _start_threads()
    typeof: Callable[[Any], Any] = numba.typeof
    return compile_for(tuple(typeof(argument) for argument in arguments))


def run_together(calls: Iterable[tuple[Callable[..., None], Sequence[Any]]]) -> None:
    """Run kernels, one after the other; each with its arguments, the outputs among them."""
    # The error state matters only where compilation is off: NumPy's scalars warn, kernels do not.
    with np.errstate(all="ignore"):
        if _threads_started and _config.THREADING_LAYER != "workqueue":
            for kernel, arguments in calls:
                kernel(*arguments)
            return
        with _lock:
            _start_threads()
            for kernel, arguments in calls:
                kernel(*arguments)


def launch(kernel: Callable[..., None], *arguments: Any) -> None:
    """Run one kernel; its outputs are among the arguments."""
    run_together([(kernel, arguments)])
