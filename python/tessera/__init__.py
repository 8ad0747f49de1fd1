# SPDX-License-Identifier: MIT
"""tessera: images as small coordinate networks, from initial weights that are meta-learned.

    import numpy as np
    import tessera

    model = tessera.train(images, rule="grid 8x8", width=32, time=60)      # uint8 [n, height, width, 3]
    inr = model.adapt("photo.jpg")
    inr.adaptation.psnr_db                                                  # after 0, 1, 2, 3 inner steps
    inr.eval([[10.5, 20.25]])                                               # row and column, in pixels
    inr.render(scale=2)                                                     # uint8 [2 height, 2 width, 3]
    inr.save("photo.inr.h5")

The module calls libtessera by ctypes and needs numpy; h5py too for the contents of files, and PyTorch for
`tessera.torch`. What the library refuses is raised as a subclass of `Error` with its sentence. Models and INRs may be
used by several threads at once and can be pickled. HDF5 does not bear being used by h5py in another thread while
tessera reads or writes a file.
"""
from ._files import read_report
from ._library import (ArgumentError, ConfigError, Error, FileError, FormatError, Interrupted, NoMemoryError,
                       NotFoundError, NumericError, ShapeError, StoppedError, UnsupportedError, VersionError, library)
from ._objects import Adaptation, Dataset, INR, Model, Progress, read_image, settings, train

__version__ = library.tsr_version().decode()

__all__ = ["train", "settings", "read_image", "read_report", "Dataset", "Model", "INR", "Adaptation", "Progress",
           "Error", "ArgumentError", "ConfigError", "FileError", "FormatError", "Interrupted", "NoMemoryError",
           "NotFoundError", "NumericError", "ShapeError", "StoppedError", "UnsupportedError", "VersionError"]
