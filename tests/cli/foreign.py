# SPDX-License-Identifier: MIT
"""Writes a dataset and models as docs/formats.md says, with h5py and weights of numpy's own, and what their
reconstruction must give, from a few lines of numpy: foreign.py FOLDER"""
import json, sys
import h5py
import numpy as np

rng = np.random.default_rng(7)
folder = sys.argv[1]
N, H, W, C = 3, 21, 18, 3


def dataset():
    i, j = np.mgrid[:H, :W]
    images = np.stack([127 + 90 * np.sin(i[..., None] * a + j[..., None] * b) for a, b in rng.normal(0, .4, (N, 2, C))])
    images = images.astype(np.uint8)
    with h5py.File(folder + '/foreign-data.h5', 'w') as f:
        f['images'] = images
    return images


def layers(width, hidden, omega, slots):
    dims = [2] + [width] * (hidden + 1) + [C]
    out = []
    for l, (a, b) in enumerate(zip(dims, dims[1:])):
        c = 1 / a if l == 0 else np.sqrt(6 / a) / omega
        out.append([rng.uniform(-c, c, (slots, b, a)), rng.uniform(-.1, .1, (slots, b))])
    return out


def step_and_error(net, x, y, omegas, offset):
    """Gradient of the mean squared error, and the sum of squared errors."""
    acts, slopes = [x], []
    for (w, b), o in zip(net, omegas):
        z = acts[-1] @ w.T + b
        acts.append(np.sin(o * z)), slopes.append(o * np.cos(o * z))
    w, b = net[-1]
    r = acts[-1] @ w.T + b + offset - y
    d, grads = 2 * r / r.size, []
    for l in range(len(net) - 1, -1, -1):
        grads.append((d.T @ acts[l], d.sum(0)))
        if l:
            d = (d @ net[l][0]) * slopes[l - 1]
    return grads[::-1], (r * r).sum()


def psnr(image, regions, init, rates, steps, omegas, offset, coords):
    error = np.zeros(steps + 1)
    for k, (rows, cols) in enumerate(regions):
        slot = k if len(init[0][0]) > 1 else 0
        net = [[w[slot], b[slot]] for w, b in init]
        i, j = np.mgrid[rows, cols]
        x, y = coords(i, j, rows, cols), image[rows, cols].reshape(-1, C) / 255
        for s in range(steps + 1):
            grads, e = step_and_error(net, x, y, omegas, offset)
            error[s] += e
            rate = rates(min(s, 1), slot)
            net = [[w - rate * gw, b - rate * gb] for (w, b), (gw, gb) in zip(net, grads)]
    return -10 * np.log10(error / image.size)


def write(name, init, inner, rate, **network):
    with h5py.File(f'{folder}/{name}.h5', 'w') as f:
        f.attrs.update(format='tessera-model', format_version=1)
        f.create_group('network').attrs.update(kind='siren', in_dim=2, out_dim=C, **network)
        f.create_group('inner').attrs.update(**inner)
        f['inner/rate'] = rate
        for l, (w, b) in enumerate(init):
            f[f'init/layer{l}/weight'], f[f'init/layer{l}/bias'] = w, b
        return f


def whole(images):
    """One network, coordinates of Learnit: [0, 1), edge; a fixed rate; more steps than stated."""
    init = layers(9, 1, 40., 1)
    write('whole', init, dict(steps=2, rates='fixed'), np.float32(.02), width=9, hidden_layers=1, omega_first=40.,
          omega_hidden=40., output_offset=.5, coord_lo=0., coord_hi=1., coord_sampling='edge', coord_frame='image')
    with h5py.File(folder + '/whole.h5', 'a') as f:
        f.create_group('partition').attrs.update(rule='whole', slots='shared')
    coords = lambda i, j, r, c: np.stack([i / H, j / W], -1).reshape(-1, 2)
    return [psnr(x, [(slice(0, H), slice(0, W))], init, lambda s, k: .02, 4, [40., 40.], .5, coords) for x in images]


def grid(images):
    """A 2x3 grid with a slot for each region, one rate a step and slot, region frame, pixel centres."""
    init = layers(6, 2, 20., 6)
    rate = rng.uniform(.005, .03, (2, 6))
    write('grid', init, dict(steps=2, rates='per-step'), rate, width=6, hidden_layers=2, omega_first=8.,
          omega_hidden=20., output_offset=0., coord_lo=-1., coord_hi=1., coord_sampling='center', coord_frame='region')
    with h5py.File(folder + '/grid.h5', 'a') as f:
        f.create_group('partition').attrs.update(rule='grid', rows=2, cols=3, slots='per-region')
    r, c = [i * H // 2 for i in range(3)], [i * W // 3 for i in range(4)]
    regions = [(slice(r[i], r[i + 1]), slice(c[j], c[j + 1])) for i in range(2) for j in range(3)]
    local = lambda v, s: 2 * (v - s.start + .5) / (s.stop - s.start) - 1
    coords = lambda i, j, a, b: np.stack([local(i, a), local(j, b)], -1).reshape(-1, 2)
    return [psnr(x, regions, init, lambda s, k: rate[s, k], 4, [8., 20., 20.], 0., coords) for x in images]


images = dataset()
with open(folder + '/expected.json', 'w') as f:
    json.dump({name: np.mean(make(images), 0).tolist() for name, make in (('whole', whole), ('grid', grid))}, f)
