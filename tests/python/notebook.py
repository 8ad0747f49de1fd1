# SPDX-License-Identifier: MIT
"""Runs the code of each notebook, cell by cell, as its kernel would, and looks at the outputs that are kept."""
import contextlib
import glob
import io
import json
import os
import re
import unittest

import numpy as np

import harness

EXAMPLES = os.path.join(harness.ROOT, "docs/examples")
# (what, by what): a short training.
SUBSTITUTIONS = [(r"\btime=\d+", "outer_steps=40, batch=2, val_images=4"), (r"width=24", "width=8")]


def code(notebook):
    """(source, outputs) of the code cells."""
    with open(notebook, encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    return [("".join(cell["source"]), cell["outputs"]) for cell in cells if cell["cell_type"] == "code"]


class Notebooks(unittest.TestCase):
    def test_runs(self):
        """the notebooks run, and inner steps help"""
        for notebook in glob.glob(EXAMPLES + "/*.ipynb"):
            with self.subTest(notebook=os.path.basename(notebook)):
                os.chdir(EXAMPLES)
                names, said = {"__name__": "__main__"}, io.StringIO()
                with contextlib.redirect_stdout(said):
                    for source, _ in code(notebook):
                        for what, by in SUBSTITUTIONS:
                            source = re.sub(what, by, source)
                        exec(compile(source, notebook, "exec"), names)
                self.assertTrue(np.all(np.diff(names["inr"].adaptation.psnr_db) > 0))
                self.assertEqual(names["large"].shape, tuple(4 * n for n in names["photo"].shape[:2]) + (3,))
                self.assertEqual(len(re.findall(r"^\S+\.jpg .* dB$", said.getvalue(), re.M)), 5)

    def test_outputs(self):
        """their outputs are kept: every cell was run, none failed, pictures are there"""
        notebooks = glob.glob(EXAMPLES + "/*.ipynb")
        self.assertTrue(notebooks)
        for notebook in notebooks:
            with self.subTest(notebook=os.path.basename(notebook)):
                outputs = [output for _, some in code(notebook) for output in some]
                self.assertFalse([output for output in outputs if output["output_type"] == "error"])
                pictures = [o for o in outputs if {"image/png", "image/jpeg"} & set(o.get("data", {}))]
                self.assertGreaterEqual(len(pictures), 4)
                text = json.dumps(outputs)
                self.assertNotIn("/home/", text)
                self.assertLess(os.path.getsize(notebook), 500000)


harness.main()
