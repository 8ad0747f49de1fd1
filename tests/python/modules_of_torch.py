# SPDX-License-Identifier: MIT
"""`tessera.torch` against the library: two independent implementations of docs/formats.md."""
import unittest

import h5py
import numpy as np
import torch

import harness
import tessera
import tessera.torch as tt

H, W = 26, 34
IMAGES = harness.waves(6, H, W)
Y, X = np.mgrid[:H, :W]
LABELS = np.stack([(Y + 2 * i > 12) + (X > 20) * 1 for i in range(6)])
POINTS = np.random.default_rng(0).uniform(-3, 40, (300, 2)).astype(np.float32)

CASES = ([dict(rule=rule) for rule in ("whole", "grid 3x4", "cell 8x11", "quadtree 7", "segment 5", "labels")] +
         [dict(rule=rule, overlap=2) for rule in ("grid 3x4", "cell 8x11", "labels", "quadtree 4")] +
         [dict(rule="grid 3x4", slots="per-region"), dict(rule="segment 4", slots="per-region"),
          dict(rule="labels", slots="per-class")] +
         [dict(net=net) for net in ("relu-pe", "relu-pe, octaves 0", "gaussian", "finer")] +
         [dict(adapt=adapt, rates=rates) for adapt in ("all", "last", "biases", "latent 5")
          for rates in ("fixed", "per-step", "per-layer-per-step", "per-param", "per-param-per-step",
                        "kron-per-layer-per-step", "full-per-step")] +
         [dict(coords_sampling=sampling, coords_frame=frame) for sampling in ("edge", "endpoints")
          for frame in ("image", "region")] + [dict(inner_loss="image", inner_lr=0.3)])


def trained(steps=6, **settings):
    settings = dict(dict(rule="grid 2x2", width=8, outer_steps=steps, batch=2, threads=1), **settings)
    return tessera.train(IMAGES, labels=LABELS if settings["rule"] == "labels" else None, **settings)


def tensor(images):
    return torch.from_numpy(images.astype(np.float32) / 255)


class Round(unittest.TestCase):
    def test_all(self):
        """every rule, slot, network, adaptation, rate and frame: there, compared, and back"""
        for case in CASES:
            with self.subTest(**case):
                self.one(trained(**case), LABELS[0] if case.get("rule") == "labels" else None)

    def one(self, model, labels):
        inr, module = model.adapt(IMAGES[0], labels=labels), tt.Model.from_tessera(model)
        regions = inr.contents().get("partition/labels")
        adapted = module.adapt(tensor(IMAGES[:1]), labels=regions)
        np.testing.assert_allclose(adapted.psnr_db[0], inr.adaptation.psnr_db, atol=1e-4)
        np.testing.assert_allclose(adapted.pictures[0].detach(), inr.render(dtype=np.float32), atol=1e-5)
        mine = tt.INR.from_tessera(inr)
        np.testing.assert_allclose(mine(torch.from_numpy(POINTS)).detach(), inr.eval(POINTS), atol=1e-5)
        np.testing.assert_allclose(mine.render((9, 50)).detach(), inr.render((9, 50), dtype=np.float32), atol=1e-5)
        np.testing.assert_array_equal(mine.to_tessera().eval(POINTS), inr.eval(POINTS))
        again = module.to_tessera().adapt(IMAGES[0], labels=labels)
        np.testing.assert_array_equal(again.adaptation.psnr_db, inr.adaptation.psnr_db)

    def test_best(self):
        """rates that are too high: of each region the best step is kept, by both"""
        module = tt.Model.from_tessera(trained(rates="fixed"))
        with torch.no_grad():
            module.rate *= 300
        adapted = module.adapt(tensor(IMAGES[:1]))
        inr = module.to_tessera().adapt(IMAGES[0])
        self.assertGreater(inr.adaptation.final_psnr_db, inr.adaptation.psnr_db[-1] + 1)
        np.testing.assert_allclose(adapted.pictures[0].detach(), inr.render(dtype=np.float32), atol=1e-4)

    def test_differs(self):
        """the comparison tells models apart"""
        one, other = trained(), trained(seed=1)
        adapted = tt.Model.from_tessera(one).adapt(tensor(IMAGES[:1])).psnr_db[0].numpy()
        self.assertGreater(np.abs(adapted - other.adapt(IMAGES[0]).adaptation.psnr_db).max(), 1e-3)


class Learning(unittest.TestCase):
    def test_eval(self):
        """a batch adapts to the PSNR of tessera eval, after a training of some length"""
        model = trained(200, rule="cell 9x9", width=16, outer_lr=5e-3, warmup=20)
        model.save("m.h5")
        with h5py.File("d.h5", "w") as file:
            file.create_dataset("images", data=IMAGES, chunks=(1, H, W, 3))
        harness.tessera("eval", "m.h5", "d.h5", "--json", "e.json")
        psnr = tt.Model.from_tessera(model).adapt(tensor(IMAGES)).psnr_db.mean(0).numpy()
        report = tessera.read_report("e.json")
        self.assertGreater(report["psnr_db"][3], report["psnr_db"][0] + 10)
        np.testing.assert_allclose(psnr, report["psnr_db"], atol=2e-3)

    def test_meta_gradient(self):
        """the meta-gradient is that of finite differences of the library's own adaptation"""
        model = trained(rates="per-step", inner_steps=2)
        module = tt.Model.from_tessera(model)
        pictures, _ = module(tensor(IMAGES[:1]))
        loss = ((pictures - tensor(IMAGES[:1])) ** 2).mean()
        loss.backward()
        direction = torch.sign(module.theta.grad)
        step = 1e-4
        slope = (self.error(model, direction, step) - self.error(model, direction, -step)) / (2 * step)
        self.assertAlmostEqual(slope / float((module.theta.grad * direction).sum()), 1, places=2)

    def error(self, model, direction, step):
        moved = tt.Model.from_tessera(model)
        with torch.no_grad():
            moved.theta += step * direction
        return 10 ** (-moved.to_tessera().adapt(IMAGES[0]).adaptation.psnr_db[-1] / 10)

    def test_training(self):
        """what PyTorch meta-learns is better in tessera, too"""
        module = tt.Model.from_tessera(trained(3))
        before = module.to_tessera().adapt(IMAGES[0]).adaptation.psnr_db[-1]
        optimizer, images = torch.optim.Adam(module.parameters(), 3e-3), tensor(IMAGES)
        for _ in range(30):
            optimizer.zero_grad()
            ((module(images)[0] - images) ** 2).mean().backward()
            optimizer.step()
        self.assertGreater(module.to_tessera().adapt(IMAGES[0]).adaptation.psnr_db[-1], before + 1)

    def test_layers(self):
        """a network of somebody's linear layers"""
        torch.manual_seed(0)
        layers = [torch.nn.Linear(2, 16), torch.nn.Linear(16, 16), torch.nn.Linear(16, 3)]
        x = torch.stack(torch.meshgrid(*[(torch.arange(n) + 0.5) / n * 2 - 1 for n in (H, W)], indexing="ij"), -1)
        a = torch.sin(20 * layers[0](x))
        want = layers[2](torch.sin(10 * layers[1](a))).detach().numpy()
        module = tt.Model.from_layers(layers, omega_first=20, omega_hidden=10, rule="whole", rate=1e-3)
        model = module.to_tessera()
        np.testing.assert_allclose(model.adapt(IMAGES[0], 0).render(dtype=np.float32), want, atol=1e-5)
        np.testing.assert_allclose(module.adapt(tensor(IMAGES[:1])).psnr_db[0], model.adapt(IMAGES[0]).adaptation.psnr_db,
                                   atol=1e-4)
        self.assertEqual(tt.Model.from_layers(layers, rule="grid 2x3").to_tessera().info["rule"], "grid 2x3")
        with self.assertRaisesRegex(ValueError, "segment"):
            tt.Model.from_layers(layers, rule="segment 4")

    def test_gradient(self):
        """values can be differentiated in the coordinates"""
        inr = tt.INR.from_tessera(trained().adapt(IMAGES[0])).double()
        at = torch.tensor([[4.3, 5.2], [20.1, 30.9]], dtype=torch.float64, requires_grad=True)
        inr(at).sum().backward()
        moved = at.detach().clone()
        moved[:, 1] += 1e-6
        slope = (inr(moved).sum(-1) - inr(at.detach()).sum(-1)).detach() / 1e-6
        np.testing.assert_allclose(at.grad[:, 1], slope, rtol=1e-4, atol=1e-7)


harness.main()
