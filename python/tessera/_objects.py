# SPDX-License-Identifier: MIT
"""Datasets, models and INRs."""
import ctypes
import dataclasses
import itertools
import os
import weakref
from ctypes import byref, c_char_p, c_double, c_float, c_size_t, c_uint8, c_void_p, create_string_buffer
from typing import Any, Callable, Dict, Optional, Sequence, Tuple, Union

import numpy as np

from . import _files
from ._library import (AdaptReport, AdaptSettings, CANCELLED, DatasetInfo, Images, INRInfo, Interrupted, ModelInfo,
                       STOPPED, TRAINING, RawError, StoppedError, call, error_of, interruptible, library, text)

Path = Union[str, "os.PathLike[str]"]
ImageLike = Union[np.ndarray, Path]

_SPLITS = {"train": 0, "val": 1, "test": 2}


# ---- arrays ------------------------------------------------------------------------------------

def _pointer(array, kind):
    return array.ctypes.data_as(ctypes.POINTER(kind))


def _pixels(images, axes, what):
    """uint8, or float32 from any float, dense, with the axis of channels."""
    images = np.asarray(images)
    if images.ndim == axes - 1:
        images = images[..., None]
    if images.ndim != axes:
        raise ValueError("%s: an array of %d axes; expected %s" % (
            what, images.ndim, "[n, height, width] or [n, height, width, channels]" if axes == 4 else
            "[height, width] or [height, width, channels]"))
    if images.dtype.kind == "f":
        return np.ascontiguousarray(images, np.float32)
    if images.dtype != np.uint8:
        raise TypeError("%s: an array of %s; expected uint8 (0 to 255) or floats (0 to 1)" % (what, images.dtype))
    return np.ascontiguousarray(images)


def _described(pixels):
    """struct tsr_images of pixels [n, height, width, channels], which must outlive it."""
    n, height, width, channels = pixels.shape
    return Images(type=1 if pixels.dtype == np.uint8 else 2, pixels=pixels.ctypes.data, n=n, height=height,
                  width=width, channels=channels)


def _labels(labels, shape):
    labels = np.asarray(labels)
    if labels.shape != shape:
        raise ValueError("labels: an array of shape %s; the images have %s" % (labels.shape, shape))
    if labels.dtype.kind not in "iu" or labels.min(initial=0) < 0 or labels.max(initial=0) > 65534:
        raise TypeError("labels: expected integers from 0 to 65534")
    return np.ascontiguousarray(labels, np.uint16)


def _is_path(thing):
    return isinstance(thing, (str, os.PathLike))


def read_image(path: Path, channels: int = 0) -> np.ndarray:
    """An image file (JPEG, PNG, BMP, PNM) as uint8 [height, width, channels].

    ``channels`` 1 or 3 converts; 0 keeps what the file has.
    """
    image = Images()
    call("image_from_file", text(path), channels, byref(image))
    try:
        shape = (image.height, image.width, image.channels)
        return np.ctypeslib.as_array(ctypes.cast(image.pixels, ctypes.POINTER(c_uint8)), shape).copy()
    finally:
        library.tsr_free(image.pixels)


# ---- what owns something of the library's ------------------------------------------------------

class _Owner:
    """Owns an object of the library, which is freed with it."""

    _kind = ""

    def __init__(self, handle):
        if not isinstance(handle, c_void_p) or not handle:
            raise TypeError("a %s comes from one of its class methods, such as %s.load()" % (
                type(self).__name__, type(self).__name__))
        self._handle = handle
        weakref.finalize(self, getattr(library, "tsr_%s_free" % self._kind), handle)


class _Filed(_Owner):
    """What has a file of its own."""

    @classmethod
    def load(cls, path: Path):
        """From a file."""
        handle = c_void_p()
        call(cls._kind + "_from_file", text(path), byref(handle))
        return cls(handle)

    @classmethod
    def from_bytes(cls, data: bytes):
        """From the bytes of a file."""
        handle = c_void_p()
        call(cls._kind + "_from_memory", data, len(data), byref(handle))
        return cls(handle)

    def save(self, path: Path) -> None:
        """To a file, which is replaced as a whole or not at all."""
        call(self._kind + "_to_file", self._handle, text(path))

    def to_bytes(self) -> bytes:
        """The bytes of its file."""
        data, size = c_void_p(), c_size_t()
        call(self._kind + "_to_memory", self._handle, byref(data), byref(size))
        try:
            return ctypes.string_at(data, size.value)
        finally:
            library.tsr_free(data)

    @classmethod
    def from_contents(cls, contents: Dict[str, Any]):
        """From what `contents()` gives: ``{"network": {"width": 32, ...}, ..., "init/layer0/weight": array}``,
        the groups and arrays of docs/formats.md. Needs h5py."""
        return cls.from_bytes(_files.write("tessera-" + cls._kind, contents))

    def contents(self) -> Dict[str, Any]:
        """What its file holds: for each group its attributes, a dictionary, and each array, under its path
        in the file. Needs h5py."""
        return _files.read(self.to_bytes())

    def __reduce__(self):
        return type(self).from_bytes, (self.to_bytes(),)


# ---- datasets ----------------------------------------------------------------------------------

class Dataset(_Owner):
    """Images of one size to train on.

    ``images``: an array [n, height, width, channels] or [n, height, width], uint8 or floats in 0..1; or the path of
    an HDF5 dataset, as ``tessera pack`` writes it. With an array: ``labels``, integers [n, height, width], label maps
    for the rule ``labels``; ``split``, "train", "val" or "test" (or 0, 1, 2) for each image, without which every
    image is in all three; ``names``, for messages.

    An array of uint8 or float32 that is contiguous is not copied and must not change.
    """

    _kind = "dataset"

    def __init__(self, images: ImageLike, labels: Optional[np.ndarray] = None,
                 split: Optional[Sequence] = None, names: Optional[Sequence[str]] = None):
        handle = c_void_p()
        if _is_path(images):
            if labels is not None or split is not None or names is not None:
                raise TypeError("labels, split and names of a dataset file are those in the file")
            call("dataset_from_file", text(images), byref(handle))
        else:
            raw = self._describe(_pixels(images, 4, "images"), labels, split, names)
            call("dataset_from_images", byref(raw), byref(handle))
        super().__init__(handle)

    def _describe(self, pixels, labels, split, names):
        raw, n = _described(pixels), len(pixels)
        self._kept = [pixels]
        if labels is not None:
            labels = _labels(labels, pixels.shape[:3])
            raw.labels, raw.label_count = labels.ctypes.data, int(labels.max(initial=0)) + 1
            self._kept.append(labels)
        if split is not None:
            split = [_SPLITS.get(s, s) for s in split]
            if len(split) != n or not all(s in _SPLITS.values() for s in split):
                raise ValueError("split: expected train, val or test for each of %d images" % n)
            split = np.array(split, np.uint8)
            raw.split = split.ctypes.data
            self._kept.append(split)
        if names is not None:
            if len(names) != n:
                raise ValueError("names: %d of %d images" % (len(names), n))
            names = (c_char_p * n)(*[text(name) for name in names])
            raw.names = names
            self._kept.append(names)
        return raw

    @property
    def info(self) -> Dict[str, int]:
        """images, height, width, channels; train, validation, test (images of each); label_count."""
        return _info("dataset", DatasetInfo, self._handle)


# ---- training ----------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a training stands, after an outer step. PSNR in dB, after the inner steps."""

    outer_step: int         #: done
    outer_steps: int        #: of the run; 0: it is bounded by time
    seconds: float
    seconds_bound: float
    train_psnr_db: float    #: mean over the images of this outer step
    val_psnr_db: float      #: at the last validation; NaN before the first
    skipped: int            #: images left out because something was not finite


class _Settings(_Owner):
    _kind = "settings"

    def __init__(self, chosen):
        handle = c_void_p()
        call("settings_create", byref(handle))
        super().__init__(handle)
        # Choosing an object sets its parameters to their defaults, so that objects come first: they are listed before
        # their parameters, and those of objects that are not chosen yet are not listed.
        listed = self.names()
        for name in sorted(chosen, key=lambda n: listed.index(n) if n in listed else len(listed)):
            call("settings_set", handle, text(name), text(str(chosen[name])))

    def names(self):
        each = (library.tsr_settings_name(self._handle, i) for i in itertools.count())
        return [name.decode() for name in itertools.takewhile(lambda name: name is not None, each)]

    def as_dict(self):
        result, value = {}, create_string_buffer(512)
        for name in self.names():
            call("settings_get", self._handle, text(name), value, len(value))
            result[name] = value.value.decode()
        return result


def settings(**chosen) -> Dict[str, str]:
    """All settings of a training with their values, as text, where those of ``chosen`` are set."""
    return _Settings(chosen).as_dict()


def train(images: Union[Dataset, ImageLike], *, init: Optional["Model"] = None,
          progress: Optional[Callable[[Progress], Any]] = None, labels: Optional[np.ndarray] = None,
          split: Optional[Sequence] = None, **settings) -> "Model":
    """Meta-learns a model on images: a Dataset, or what one is made of (an array, with labels and split, or a path).

    Settings are those of ``tessera train`` under its names with ``_``, such as ``rule="grid 8x8"``, ``width=32``,
    ``outer_steps=1000`` (the default length) or ``time=60`` (seconds); `settings()` lists them. ``init``: a model
    whose initialisations to start from. ``progress`` is called after each outer step with a `Progress`; a true
    result ends the run, and its model is returned. Ctrl-C raises `Interrupted`, whose ``model`` is the one reached;
    so has the `Error` of a run that fails after its beginning.
    """
    dataset = images if isinstance(images, Dataset) else Dataset(images, labels, split)
    if isinstance(images, Dataset) and (labels is not None or split is not None):
        raise TypeError("labels and split are those of the dataset")
    chosen, handle, raw, raised = _Settings(settings), c_void_p(), RawError(), []

    def step(_, state):
        try:
            if came():
                return 1
            if progress is None:
                return 0
            s = state.contents
            return bool(progress(Progress(*[getattr(s, f.name) for f in dataclasses.fields(Progress)])))
        except BaseException as failure:        # no exception passes through C
            raised.append(failure)
            return 1

    model = None
    try:
        with interruptible() as came:
            status = library.tsr_model_train(dataset._handle, chosen._handle, init and init._handle, TRAINING(step),
                                             None, byref(handle), byref(raw))
            model = Model(handle) if handle else None
    except KeyboardInterrupt as failure:
        interrupted = Interrupted(*failure.args)
        interrupted.model = model
        raise interrupted from None
    if raised:
        raise raised[0]
    if status and not (status == STOPPED and model):
        error = error_of(status, raw)
        error.model = model
        raise error
    return model


# ---- models ------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Adaptation:
    """What adapting an image gave and cost."""

    psnr_db: np.ndarray     #: dB (peak 1) after 0, 1, ... inner steps, of the unclipped outputs
    inner_steps: int
    final_psnr_db: float    #: of the INR, which holds of each region the best of its steps
    seconds: float          #: of computing; finding the regions is not in it
    regions_seconds: float  #: of finding the regions, where the rule looks at the image
    regions: int            #: that have pixels
    numbers: int            #: adapted and stored, of all regions
    flops: float            #: essential floating-point operations


class Model(_Filed):
    """Meta-learned initialisations, from `train()` or a file, which `adapt()` turns into INRs of images."""

    _kind = "model"

    @property
    def info(self) -> Dict[str, Any]:
        """channels; height and width of the training images (0: unknown); slots; inner_steps; region_params; rule;
        network."""
        return _info("model", ModelInfo, self._handle)

    def __repr__(self):
        return "<tessera.Model: %(rule)s, %(network)s, %(slots)d slot(s) of %(region_params)d parameters>" % self.info

    def adapt(self, image: ImageLike, inner_steps: Optional[int] = None, *, labels: Optional[np.ndarray] = None,
              threads: int = 0, kernel: Optional[str] = None) -> "INR":
        """The INR of an image: an array [height, width, channels] or [height, width], uint8 or floats in 0..1, or the
        path of an image file.

        ``inner_steps``: as many as the model was trained for, unless given; 0 is the initialisation itself.
        ``labels``: the image's label map, integers [height, width], for the rule ``labels``. ``inr.adaptation`` tells
        what it gave. Ctrl-C ends it within a region.
        """
        if _is_path(image):
            image = read_image(image, self.info["channels"])
        pixels = _pixels(image, 3, "image")[None]
        raw, steps = _described(pixels), self.info["inner_steps"] if inner_steps is None else inner_steps
        if steps < 0:
            raise ValueError("inner_steps: %d; expected 0 or more" % steps)
        if labels is not None:
            labels = _labels(labels, pixels.shape[1:3])
            raw.labels = labels.ctypes.data
        psnr_db = (c_double * (steps + 1))()
        report, handle = AdaptReport(psnr_db=psnr_db, psnr_room=steps + 1), c_void_p()
        with interruptible() as came:
            chosen = AdaptSettings(inner_steps=steps, no_steps=steps == 0, threads=threads,
                                   kernel=kernel and text(kernel), cancelled=CANCELLED(lambda _: came()))
            status = call("model_adapt", self._handle, byref(raw), byref(chosen), byref(handle), byref(report),
                          keep=STOPPED)
        if status:
            raise StoppedError("interrupted")
        inr = INR(handle)
        inr.adaptation = Adaptation(np.array(psnr_db), *[getattr(report, f.name)
                                                         for f in dataclasses.fields(Adaptation)[1:]])
        return inr


# ---- INRs --------------------------------------------------------------------------------------

class INR(_Filed):
    """An image as small networks, from `Model.adapt()` or a file."""

    _kind = "inr"
    #: What adapting gave; None where the INR comes from a file.
    adaptation: Optional[Adaptation] = None

    @property
    def info(self) -> Dict[str, Any]:
        """height, width, channels of the image; regions; region_params; rule; network."""
        return _info("inr", INRInfo, self._handle)

    def __repr__(self):
        return "<tessera.INR: %(height)dx%(width)dx%(channels)d, %(rule)s, %(network)s>" % self.info

    @property
    def params(self) -> np.ndarray:
        """A copy of the parameters, float32 [regions, region_params]; of a region W_0 [out, in], b_0, W_1, ..."""
        info = self.info
        params = np.empty((info["regions"], info["region_params"]), np.float32)
        for region in range(info["regions"]):
            call("inr_get_params", self._handle, region, _pointer(params[region], c_float))
        return params

    def eval(self, coordinates: np.ndarray, threads: int = 0) -> np.ndarray:
        """Values, float32 [..., channels], not clipped, at coordinates [..., 2]: row and column in pixels of the
        image, so that (0, 0) is the centre of its first pixel. Computed in float32."""
        coordinates = np.ascontiguousarray(coordinates, np.float32)
        if coordinates.ndim == 0 or coordinates.shape[-1] != 2:
            raise ValueError("coordinates: an array of shape %s; expected [..., 2]" % (coordinates.shape,))
        values = np.empty(coordinates.shape[:-1] + (self.info["channels"],), np.float32)
        call("inr_eval", self._handle, _pointer(coordinates, c_float), coordinates.size // 2, threads,
             _pointer(values, c_float))
        return values

    def render(self, size: Optional[Tuple[int, int]] = None, *, scale: Optional[float] = None, dtype=np.uint8,
               threads: int = 0) -> np.ndarray:
        """The picture, [height, width, channels], at ``size`` (height, width), or at ``scale`` times the image's
        own. ``dtype`` uint8: clipped and rounded; float32: as the networks give it."""
        info = self.info
        if size is not None and scale is not None:
            raise TypeError("size and scale exclude each other")
        if size is None:
            size = [max(1, int(info[side] * (1 if scale is None else scale) + 0.5)) for side in ("height", "width")]
        height, width = map(int, size)
        if height < 1 or width < 1:
            raise ValueError("size: %dx%d; expected sides of 1 or more" % (height, width))
        if np.dtype(dtype) not in (np.uint8, np.float32):
            raise TypeError("dtype: %s; expected uint8 or float32" % np.dtype(dtype))
        # Refused by the library before it writes, sides that are too large must not be allocated here.
        if height > 65535 or width > 65535 or height * width > 1 << 28:
            raise ValueError("size: %dx%d; sides are 1 to 65535, and pixels at most 2^28" % (height, width))
        name, kind = ("inr_render_bytes", c_uint8) if np.dtype(dtype) == np.uint8 else ("inr_render_floats", c_float)
        picture = np.empty((height, width, info["channels"]), dtype)
        call(name, self._handle, height, width, threads, _pointer(picture, kind))
        return picture


def _info(kind, struct, handle):
    info = struct()
    call(kind + "_get_info", handle, byref(info))
    values = {name: getattr(info, name) for name, _ in struct._fields_[1:]}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
