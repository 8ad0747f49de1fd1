# SPDX-License-Identifier: MIT
"""libtessera by ctypes: where it is found, what tessera.h declares of it, and its errors.

Internal; the classes of the package are built on it.
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import threading
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_char, c_char_p, c_double, c_float, c_int, c_size_t,
                    c_uint8, c_uint16, c_uint64, c_void_p)

SONAME = "libtessera.so.0.1"        # the binary interface that is declared below


# ---- errors ------------------------------------------------------------------------------------

class Error(Exception):
    """What the library refuses, in its own words.

    ``status`` is the short name of its kind, such as ``"not found"``. ``model`` is the model that a
    training had reached when it failed or was interrupted, or None.
    """

    status = ""
    model = None


class ArgumentError(Error, ValueError):
    """A call broke the contract of a function."""


class ConfigError(Error, ValueError):
    """A setting is out of range or contradicts another."""


class NoMemoryError(Error, MemoryError):
    """There is not enough memory."""


class FileError(Error, OSError):
    """A file cannot be opened, read or written."""


class FormatError(Error, ValueError):
    """A file is not what it claims to be, or is damaged."""


class VersionError(Error, ValueError):
    """A file is of a newer format."""


class ShapeError(Error, ValueError):
    """Two things do not fit each other."""


class NotFoundError(Error, LookupError):
    """There is no setting, choice or file content of this name."""


class NumericError(Error, ArithmeticError):
    """Something is not finite, or diverges."""


class StoppedError(Error):
    """A callback asked to stop."""


class UnsupportedError(Error, NotImplementedError):
    """This library cannot do that."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a training. ``model`` is what it had reached, or None."""

    model = None


STOPPED = 10
_ERRORS = (None, ArgumentError, ConfigError, NoMemoryError, FileError, FormatError, VersionError, ShapeError,
           NotFoundError, NumericError, StoppedError, UnsupportedError)


# ---- structs -----------------------------------------------------------------------------------

class RawError(Structure):
    _fields_ = [("status", c_int), ("file", c_char_p), ("line", c_int), ("message", c_char * 1024)]


class Sized(Structure):
    """A struct that begins with its size, which tells the library what its caller knows."""

    def __init__(self, **members):
        super().__init__(size=ctypes.sizeof(type(self)), **members)


class Images(Sized):
    _fields_ = [("size", c_size_t), ("type", c_int), ("pixels", c_void_p), ("n", c_size_t), ("height", c_size_t),
                ("width", c_size_t), ("channels", c_size_t), ("labels", c_void_p), ("label_count", c_size_t),
                ("split", c_void_p), ("names", POINTER(c_char_p))]


class DatasetInfo(Sized):
    _fields_ = [("size", c_size_t)] + [(name, c_size_t) for name in (
        "images", "height", "width", "channels", "train", "validation", "test", "label_count")]


class Progress(Structure):
    _fields_ = [("size", c_size_t), ("outer_step", c_uint64), ("outer_steps", c_uint64), ("seconds", c_double),
                ("seconds_bound", c_double), ("train_psnr_db", c_double), ("val_psnr_db", c_double),
                ("skipped", c_uint64)]


class ModelInfo(Sized):
    _fields_ = [("size", c_size_t)] + [(name, c_size_t) for name in (
        "channels", "height", "width", "slots", "inner_steps", "region_params")] + [
            ("rule", c_char * 128), ("network", c_char * 128)]


CANCELLED = CFUNCTYPE(c_int, c_void_p)
TRAINING = CFUNCTYPE(c_int, c_void_p, POINTER(Progress))


class AdaptSettings(Sized):
    _fields_ = [("size", c_size_t), ("inner_steps", c_size_t), ("no_steps", c_int), ("threads", c_size_t),
                ("kernel", c_char_p), ("cancelled", CANCELLED), ("user", c_void_p)]


class AdaptReport(Sized):
    _fields_ = [("size", c_size_t), ("psnr_db", POINTER(c_double)), ("psnr_room", c_size_t),
                ("inner_steps", c_size_t), ("final_psnr_db", c_double), ("seconds", c_double),
                ("regions_seconds", c_double), ("regions", c_size_t), ("numbers", c_size_t), ("flops", c_double)]


class INRInfo(Sized):
    _fields_ = [("size", c_size_t)] + [(name, c_size_t) for name in (
        "height", "width", "channels", "regions", "region_params")] + [
            ("rule", c_char * 128), ("network", c_char * 128)]


# ---- functions ---------------------------------------------------------------------------------

_OUT, _ERR, _PATH = POINTER(c_void_p), POINTER(RawError), c_char_p
# Arguments of the functions that return a status; those that do not are in _OTHERS, with results.
_FUNCTIONS = {
    "image_from_file": (_PATH, c_size_t, POINTER(Images), _ERR),
    "dataset_from_images": (POINTER(Images), _OUT, _ERR),
    "dataset_from_file": (_PATH, _OUT, _ERR),
    "dataset_get_info": (c_void_p, POINTER(DatasetInfo), _ERR),
    "settings_create": (_OUT, _ERR),
    "settings_set": (c_void_p, c_char_p, c_char_p, _ERR),
    "settings_get": (c_void_p, c_char_p, c_char_p, c_size_t, _ERR),
    "model_train": (c_void_p, c_void_p, c_void_p, TRAINING, c_void_p, _OUT, _ERR),
    "model_from_file": (_PATH, _OUT, _ERR),
    "model_from_memory": (c_char_p, c_size_t, _OUT, _ERR),
    "model_to_file": (c_void_p, _PATH, _ERR),
    "model_to_memory": (c_void_p, _OUT, POINTER(c_size_t), _ERR),
    "model_get_info": (c_void_p, POINTER(ModelInfo), _ERR),
    "model_adapt": (c_void_p, POINTER(Images), POINTER(AdaptSettings), _OUT, POINTER(AdaptReport), _ERR),
    "inr_from_file": (_PATH, _OUT, _ERR),
    "inr_from_memory": (c_char_p, c_size_t, _OUT, _ERR),
    "inr_to_file": (c_void_p, _PATH, _ERR),
    "inr_to_memory": (c_void_p, _OUT, POINTER(c_size_t), _ERR),
    "inr_get_info": (c_void_p, POINTER(INRInfo), _ERR),
    "inr_get_params": (c_void_p, c_size_t, POINTER(c_float), _ERR),
    "inr_eval": (c_void_p, POINTER(c_float), c_size_t, c_size_t, POINTER(c_float), _ERR),
    "inr_render_floats": (c_void_p, c_size_t, c_size_t, c_size_t, POINTER(c_float), _ERR),
    "inr_render_bytes": (c_void_p, c_size_t, c_size_t, c_size_t, POINTER(c_uint8), _ERR),
}
_OTHERS = {
    "version": (c_char_p, ()),
    "status_name": (c_char_p, (c_int,)),
    "free": (None, (c_void_p,)),
    "settings_name": (c_char_p, (c_void_p, c_size_t)),
    "dataset_free": (None, (c_void_p,)),
    "settings_free": (None, (c_void_p,)),
    "model_free": (None, (c_void_p,)),
    "inr_free": (None, (c_void_p,)),
}


def candidates():
    """Where libtessera may be, best first: TESSERA_LIBRARY alone if it is set; else beside the
    sources, in a lib folder above this one, and where the system's loader looks."""
    named = os.environ.get("TESSERA_LIBRARY")
    if named:
        return [named]
    here = pathlib.Path(__file__).resolve()
    source = here.parents[2]
    found = [source / "libtessera.so"] if (source / "include" / "tessera.h").exists() else []
    found += [folder / lib / SONAME for folder in here.parents for lib in ("", "lib")]
    return [str(path) for path in found if path.exists()] + [SONAME]


def _open():
    tried = []
    for path in candidates():
        try:
            library = ctypes.CDLL(path)
            break
        except OSError as failure:
            tried.append(str(failure))
    else:
        raise ImportError("libtessera cannot be loaded (%s): run make, or make install, or name it in the "
                          "environment variable TESSERA_LIBRARY" % "; ".join(tried))
    for name, arguments in _FUNCTIONS.items():
        function = getattr(library, "tsr_" + name)
        function.restype, function.argtypes = c_int, arguments
    for name, (result, arguments) in _OTHERS.items():
        function = getattr(library, "tsr_" + name)
        function.restype, function.argtypes = result, arguments
    return library


library = _open()


def call(name, *arguments, keep=None):
    """Calls tsr_NAME() with an error of its own; raises what went wrong. `keep`: returns the status
    instead if it is this one."""
    error = RawError()
    status = getattr(library, "tsr_" + name)(*arguments, byref(error))
    if status == 0 or status == keep:
        return status
    raise error_of(status, error)


def error_of(status, raw):
    kind = _ERRORS[status] if 0 < status < len(_ERRORS) else Error
    error = kind(raw.message.decode("utf-8", "replace"))
    error.status = library.tsr_status_name(status).decode()
    return error


def text(value):
    """A path or a string as the library takes it."""
    return os.fsencode(value)


@contextlib.contextmanager
def interruptible():
    """While the library computes, Ctrl-C is only noted: yields a function that says whether it came.
    Afterwards the handler that was there is told. Only the main thread gets signals."""
    came = []
    if threading.current_thread() is not threading.main_thread() or not callable(signal.getsignal(signal.SIGINT)):
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, lambda *signal_and_frame: came.append(signal_and_frame))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        before(*came[0])
