# SPDX-License-Identifier: MIT
"""Test cases of unittest, counted as tests/run counts: "ok NAME", "not ok NAME", "skip NAME"."""
import os
import subprocess
import sys
import tempfile
import traceback
import unittest

import numpy as np

TESSERA, ROOT = os.environ["TESSERA"], os.path.dirname(os.environ["TSR_TESTS"])


class _Result(unittest.TestResult):
    def _say(self, word, test, detail=""):
        print("%s %s" % (word, (test.shortDescription() or test.id()).rstrip(".")))
        for line in detail.splitlines():
            print("# " + line)
        sys.stdout.flush()

    def addSuccess(self, test):
        self._say("ok", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._say("not ok", test, "".join(traceback.format_exception(*error)))

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._say("not ok", subtest, "".join(traceback.format_exception(*error)))

    def addSkip(self, test, reason):
        self._say("skip", test, reason)


def main():
    """Runs the test cases of the main module in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        result = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(_Result())
        os.chdir("/")
    sys.exit(not result.wasSuccessful())


def tessera(*arguments):
    """stdout of the program, which must succeed."""
    done = subprocess.run([TESSERA, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise AssertionError("tessera %s: exit %d: %s" % (" ".join(map(str, arguments)), done.returncode, done.stderr))
    return done.stdout


def waves(n, height, width, channels=3):
    """Images [n, height, width, channels] of multiples of 1/255, so that bytes and floats are the same."""
    y, x = np.mgrid[:height, :width]
    images = [[0.5 + 0.3 * np.sin(y / (3 + i) + c) * np.cos(x / (4 + i % 3) - i) for c in range(channels)]
              for i in range(n)]
    return (np.moveaxis(np.array(images), 1, -1) * 255).astype(np.uint8)


def psnr_db(a, b):
    return -10 * np.log10(((np.float64(a) - np.float64(b)) ** 2).mean())


def write_ppm(path, pixels):
    with open(path, "wb") as file:
        file.write(b"P6\n%d %d\n255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())
