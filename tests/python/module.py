# SPDX-License-Identifier: MIT
"""The module `tessera` against numpy, h5py and the program."""
import concurrent.futures
import ctypes
import gc
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import threading
import unittest

import h5py
import numpy as np

import harness
import tessera
from tessera import _library

H, W = 20, 26
IMAGES = harness.waves(6, H, W)
FLOATS = IMAGES.astype(np.float32) / 255
SMALL = dict(width=8, hidden_layers=1, batch=2, outer_steps=12, warmup=2)


def small(images=IMAGES, **settings):
    return tessera.train(images, **{**SMALL, "rule": "grid 3x2", **settings})


MODEL = small()


class Library(unittest.TestCase):
    def test_layouts(self):
        """structs are laid out as the compiler lays out those of tessera.h"""
        structs = {"error": _library.RawError, "images": _library.Images, "dataset_info": _library.DatasetInfo,
                   "training_progress": _library.Progress, "model_info": _library.ModelInfo,
                   "adapt_settings": _library.AdaptSettings, "adapt_report": _library.AdaptReport,
                   "inr_info": _library.INRInfo}
        lines, want = [], []
        for name, struct in structs.items():
            lines.append('printf("%%zu\\n", sizeof(struct tsr_%s));' % name)
            want.append(ctypes.sizeof(struct))
            for member, _ in struct._fields_:
                lines.append('printf("%%zu\\n", offsetof(struct tsr_%s, %s));' % (name, member))
                want.append(getattr(struct, member).offset)
        lines.append('printf("%d\\n", TSR_ERR_INTERRUPTED);')
        want.append(_library.STOPPED)
        with open("layout.c", "w") as file:
            file.write("#include <stdio.h>\n#include <tessera.h>\nint main(void) { %s return 0; }\n" % "\n".join(lines))
        subprocess.run([os.environ.get("CC", "cc").split()[-1], "-I" + os.path.join(harness.ROOT, "include"),
                        "layout.c", "-o", "layout"], check=True)
        self.assertEqual([int(word) for word in subprocess.check_output("./layout").split()], want)

    def test_all_functions(self):
        """every function of tessera.h is there, with as many arguments"""
        with open(os.path.join(harness.ROOT, "include/tessera.h")) as file:
            text = " ".join(line for line in file.read().split("\n") if not line.startswith(("#", " *", "/*")))
        declared = {}
        for part in text.split("TSR_PUBLIC ")[1:]:
            head, _, rest = part.partition("(")
            arguments = rest.split(");")[0]
            declared[head.split("tsr_")[-1]] = 0 if arguments.strip() == "void" else arguments.count(",") + 1
        bound = {name: len(arguments) for name, arguments in _library._FUNCTIONS.items()}
        bound.update({name: len(arguments) for name, (_, arguments) in _library._OTHERS.items()})
        self.assertEqual(bound, declared)
        self.assertGreater(len(declared), 30)

    def found(self, place, **environment):
        """Library that the module, copied to a place, loads."""
        shutil.copytree(os.path.join(harness.ROOT, "python/tessera"), os.path.join(place, "tessera"), dirs_exist_ok=True)
        environment = {**{k: v for k, v in os.environ.items() if k != "TESSERA_LIBRARY"}, "PYTHONPATH": place,
                       **environment}
        return subprocess.run([sys.executable, "-B", "-c", "import tessera; print(tessera._library.library._name)"],
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_is_found(self):
        """libtessera is found by TESSERA_LIBRARY, and in a lib folder above an installed module"""
        library = os.environ["TESSERA_LIBRARY"]
        self.assertEqual(self.found("a", TESSERA_LIBRARY=library).stdout.strip(), library)
        os.makedirs("b/usr/lib")
        os.symlink(library, "b/usr/lib/libtessera.so.0.1")
        done = self.found("b/usr/lib/python3/dist-packages")
        self.assertEqual(done.stdout.strip(), os.path.realpath("b") + "/usr/lib/libtessera.so.0.1", done.stderr)
        wrong = self.found("a", TESSERA_LIBRARY="/nowhere/libtessera.so")
        self.assertIn("TESSERA_LIBRARY", wrong.stderr)
        self.assertIn("/nowhere/libtessera.so", wrong.stderr)


class Training(unittest.TestCase):
    def test_program(self):
        """train() gives the bits of tessera train"""
        with h5py.File("d.h5", "w") as file:
            file.create_dataset("images", data=IMAGES, chunks=(1, H, W, 3))
        harness.tessera("train", "d.h5", "-o", "t.h5", "--grid", "3x2", "--width", 8, "--hidden-layers", 1, "--batch", 2,
                        "--outer-steps", 12, "--warmup", 2, "--quiet")
        theirs = tessera.Model.load("t.h5").contents()
        for name, model in (("array", MODEL), ("floats", small(FLOATS)), ("file", small("d.h5")),
                            ("dataset", small(tessera.Dataset("d.h5")))):
            ours = model.contents()
            with self.subTest(images=name):
                self.assertEqual(ours.keys(), theirs.keys())
                for key, value in theirs.items():
                    np.testing.assert_array_equal(ours[key], value)
        self.assertFalse(np.array_equal(small(seed=1).contents()["init/layer0/weight"], theirs["init/layer0/weight"]))

    def test_progress(self):
        """progress is told of every outer step, and can stop"""
        seen = []
        model = small(progress=lambda p: seen.append(p) or p.outer_step == 5)
        self.assertEqual([p.outer_step for p in seen], [1, 2, 3, 4, 5])
        self.assertEqual({p.outer_steps for p in seen}, {12})
        self.assertTrue(all(np.isfinite(p.train_psnr_db) and p.skipped == 0 for p in seen))
        self.assertIsInstance(model, tessera.Model)

    def test_progress_raises(self):
        """what progress raises comes out"""
        with self.assertRaisesRegex(ZeroDivisionError, "zero"):
            small(progress=lambda p: p.outer_step == 3 and 1 / 0)

    def test_interrupt(self):
        """Ctrl-C ends a training with the model reached, and an adaptation, and leaves its handler"""
        def interrupt(p):
            if p.outer_step == 3:
                os.kill(os.getpid(), signal.SIGINT)
        before = signal.default_int_handler     # a job in the background ignores it from the start
        signal.signal(signal.SIGINT, before)
        with self.assertRaises(KeyboardInterrupt) as caught:
            small(progress=interrupt, outer_steps=100000)
        self.assertIs(signal.getsignal(signal.SIGINT), before)
        self.assertEqual(caught.exception.model.adapt(IMAGES[0]).adaptation.inner_steps, 3)
        big = np.tile(IMAGES[0], (20, 20, 1))
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            MODEL.adapt(big, 10000)

    def test_dataset(self):
        """datasets know their splits, labels and names, and keep their arrays"""
        labels = (np.mgrid[:H, :W][1] > 10)[None] * np.ones((6, 1, 1), int)
        dataset = tessera.Dataset(IMAGES.copy(), labels=labels, split=["train"] * 3 + ["val"] * 2 + ["test"],
                                  names=list("abcdef"))
        gc.collect()
        self.assertEqual(dataset.info, dict(images=6, height=H, width=W, channels=3, train=3, validation=2, test=1,
                                            label_count=2))
        model = tessera.train(dataset, rule="labels", **SMALL)
        self.assertEqual(model.adapt(IMAGES[0], labels=labels[0]).info["regions"], 2)
        with self.assertRaisesRegex(tessera.ConfigError, "label map"):
            model.adapt(IMAGES[0])
        for wrong in (dict(split=["train"] * 5), dict(split=["some"] * 6), dict(labels=labels[:2]), dict(names="ab"),
                      dict(labels=labels + 0.5)):
            with self.assertRaises((ValueError, TypeError)):
                tessera.Dataset(IMAGES, **wrong)

    def test_init(self):
        """a training starts from another's initialisations"""
        on = tessera.train(IMAGES, init=MODEL, rule="grid 3x2", **{**SMALL, "outer_steps": 1, "outer_lr": 1e-9})
        np.testing.assert_allclose(on.contents()["init/layer1/weight"], MODEL.contents()["init/layer1/weight"], atol=1e-6)

    def test_settings(self):
        """settings have the names of the program's options, whatever their order"""
        values = tessera.settings(omega_first=12.5, net="siren", rows=5, rule="grid 3x6", time="90")
        self.assertEqual((values["omega_first"], values["rule"], values["time"]), ("12.5", "grid 5x6", "90"))
        for chosen in (dict(outer_loss="huber", huber_delta="0.5"), dict(adapt="latent", numbers="5"),
                       dict(method="multi-step", anneal="0.5"), dict(rule="segment", n_regions="5", merge="area"),
                       dict(net="gaussian", omega_first="7")):
            for order in (chosen, dict(reversed(list(chosen.items())))):
                values = tessera.settings(**order)
                self.assertEqual({name: values[name] for name in list(chosen)[1:]}, dict(list(chosen.items())[1:]), order)
        with self.assertRaisesRegex(tessera.NotFoundError, "colour"):
            tessera.train(IMAGES, colour="red")
        with self.assertRaisesRegex(ValueError, "width"):
            tessera.train(IMAGES, width=0)


class Adapting(unittest.TestCase):
    def test_psnr(self):
        """PSNR after each inner step is numpy's, for bytes, floats, files and the program alike"""
        harness.write_ppm("i.ppm", IMAGES[1])
        MODEL.save("m.h5")
        for image in (IMAGES[1], FLOATS[1], FLOATS[1].astype(np.float64), "i.ppm", np.asfortranarray(IMAGES[1])):
            inr = MODEL.adapt(image)
            for k, found in enumerate(inr.adaptation.psnr_db):
                after = MODEL.adapt(image, k)
                picture = harness.psnr_db(after.render(dtype=np.float32), FLOATS[1])
                self.assertAlmostEqual(after.adaptation.final_psnr_db, picture, places=4)
                self.assertAlmostEqual(found, picture, places=2)        # less where a region has been better
                self.assertLess(found, picture + 1e-4)
        line = harness.tessera("adapt", "m.h5", "i.ppm", "-o", "i.inr.h5").splitlines()[-1].split("\t")
        np.testing.assert_allclose([float(f) for f in line[3:7]], inr.adaptation.psnr_db, atol=6e-4)
        np.testing.assert_array_equal(tessera.INR.load("i.inr.h5").params, inr.params)
        self.assertEqual(inr.adaptation.numbers, 6 * MODEL.info["region_params"])

    def test_grey(self):
        """a grey image needs no axis of channels"""
        grey = IMAGES[..., 0]
        self.assertEqual(small(grey).adapt(grey[0]).render().shape, (H, W, 1))

    def test_errors(self):
        """what does not fit is refused in words"""
        for error, words, call in (
                (tessera.ShapeError, "channels", lambda: MODEL.adapt(IMAGES[0, ..., :1])),
                (tessera.ConfigError, "grid 3x2", lambda: MODEL.adapt(IMAGES[0, :2, :1])),
                (tessera.FileError, "nowhere.png", lambda: MODEL.adapt("nowhere.png")),
                (tessera.NotFoundError, "gpu", lambda: MODEL.adapt(IMAGES[0], kernel="gpu")),
                (tessera.ArgumentError, "nan", lambda: MODEL.adapt(FLOATS[0] * np.nan)),
                (tessera.FormatError, "HDF5", lambda: tessera.Model.from_bytes(b"nonsense")),
                (TypeError, "int64", lambda: MODEL.adapt(IMAGES[0].astype(int))),
                (ValueError, "axes", lambda: MODEL.adapt(IMAGES)),
                (ValueError, "inner_steps", lambda: MODEL.adapt(IMAGES[0], -1)),
                (TypeError, "load", lambda: tessera.INR("x.inr.h5"))):
            with self.subTest(words=words), self.assertRaisesRegex(error, words):
                call()
        try:
            tessera.INR.load("nowhere.h5")
        except OSError as error:
            self.assertEqual(error.status, "input/output error")
            self.assertIn("nowhere.h5", str(error))

    def test_threads(self):
        """threads share a model"""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            inrs = list(pool.map(lambda i: MODEL.adapt(IMAGES[i % 6], threads=1), range(24)))
        for i, inr in enumerate(inrs):
            np.testing.assert_array_equal(inr.params, inrs[i % 6].params)

    def test_memory(self):
        """what the library allocates goes with its object"""
        def use():
            for _ in range(60):
                MODEL.adapt(big, 1).to_bytes()
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        big = np.tile(IMAGES[0], (6, 6, 1))
        model = tessera.train(IMAGES, rule="cell 4x4", **{**SMALL, "outer_steps": 1})
        size = len(model.adapt(big, 1).to_bytes())
        before = use()
        self.assertLess((use() - before) * 1024, 20 * size)


class INRs(unittest.TestCase):
    def setUp(self):
        self.inr = MODEL.adapt(IMAGES[2])

    def test_values(self):
        """values at pixel centres are the picture, and lists will do"""
        at = np.stack(np.mgrid[:H, :W], -1)
        np.testing.assert_allclose(self.inr.eval(at), self.inr.render(dtype=np.float32), atol=1e-6)
        self.assertEqual(self.inr.eval([3.5, 4]).shape, (3,))
        self.assertEqual(self.inr.eval(np.zeros((0, 2))).shape, (0, 3))
        with self.assertRaisesRegex(ValueError, "coordinates"):
            self.inr.eval(np.zeros((4, 3)))
        with self.assertRaisesRegex(tessera.ArgumentError, "row is nan"):
            self.inr.eval([np.nan, 0])

    def test_sizes(self):
        """pictures have any size and are those of the program"""
        self.inr.save("i.inr.h5")
        for options, arguments in ((("--scale", 1.5), dict(scale=1.5)), (("--size", "7x9"), dict(size=(7, 9)))):
            harness.tessera("render", "i.inr.h5", "-o", "p.png", "--force", *options)
            np.testing.assert_array_equal(self.inr.render(**arguments), tessera.read_image("p.png"))
        for wrong in (dict(size=(0, 4)), dict(size=(99999, 1)), dict(dtype=int), dict(size=(2, 2), scale=2)):
            with self.assertRaises((ValueError, TypeError)):
                self.inr.render(**wrong)

    def test_round_trips(self):
        """models and INRs survive files, bytes, contents and pickling"""
        self.inr.save("i.h5")
        for again in (tessera.INR.load("i.h5"), tessera.INR.from_bytes(self.inr.to_bytes()),
                      tessera.INR.from_contents(self.inr.contents()), pickle.loads(pickle.dumps(self.inr))):
            np.testing.assert_array_equal(again.params, self.inr.params)
            self.assertEqual(again.info, self.inr.info)
        for again in (tessera.Model.from_contents(MODEL.contents()), pickle.loads(pickle.dumps(MODEL))):
            np.testing.assert_array_equal(again.adapt(IMAGES[2]).params, self.inr.params)
        self.assertIn("grid 3x2", repr(MODEL))
        self.assertIn("20x26x3", repr(self.inr))

    def test_params(self):
        """params are those of the file, layer by layer"""
        contents = self.inr.contents()
        parts = [contents["regions/layer%d/%s" % (l, name)].reshape(6, -1) for l in range(3) for name in ("weight", "bias")]
        np.testing.assert_array_equal(np.concatenate(parts, 1), self.inr.params)


class Reports(unittest.TestCase):
    def test_eval(self):
        """the report of tessera eval as arrays"""
        with h5py.File("d2.h5", "w") as file:
            file.create_dataset("images", data=IMAGES, chunks=(1, H, W, 3))
        MODEL.save("m2.h5")
        harness.tessera("eval", "m2.h5", "d2.h5", "--json", "e.json")
        report = tessera.read_report("e.json")
        each = np.array([MODEL.adapt(image).adaptation.psnr_db for image in IMAGES])
        np.testing.assert_allclose(report["psnr_db"], each.mean(0), atol=1e-4)
        self.assertEqual(report["regions"]["psnr_db"].shape, (6, 4))
        self.assertEqual(report["regions"]["region"].tolist(), list(range(6)))
        self.assertEqual(report["config"]["network"]["width"], 8)

    def test_null(self):
        """null among numbers is NaN"""
        with open("n.json", "w") as file:
            json.dump({"a": [1, None], "b": [], "c": [{"d": 1}, {"e": 2}], "f": ["x"]}, file)
        report = tessera.read_report("n.json")
        self.assertTrue(np.isnan(report["a"][1]))
        self.assertEqual((report["b"], report["f"]), ([], ["x"]))
        self.assertEqual(report["c"], [{"d": 1}, {"e": 2}])


harness.main()
