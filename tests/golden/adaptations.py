#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes golden_adaptations.h5: float64 meta-gradients, by PyTorch's automatic differentiation, of
what inner/adaptations/ and meta/losses/ define.

A SIREN of two slots, tasks of images (items), and for each case an adaptation, a method (maml or
fomaml: gradients in the parameters are held fixed) and an outer loss: mean over items of f(mean of
rho). Numbers z adapt by K steps with a rate
per number and step and slot; stored are inputs, the squared error of each task after the last step,
and the derivatives with respect to theta, basis and rates. Rates that couple the numbers are matrices, as
inner/rates.h says: one of all numbers (full), or a left and a right one of each layer (kron). Layout: each case is a group; a weight
matrix stands before the bias of its layer, row by row.
Usage:  OPENBLAS_CORETYPE=SapphireRapids adaptations.py [FILE]
"""
import sys

import h5py
import numpy as np
import torch

WIDTH, HIDDEN, OUT, OMEGA_FIRST, OMEGA = 5, 1, 2, 3.0, 2.0
SLOTS, STEPS, NUMBERS, SHAPES = 2, 3, 7, [(WIDTH, 2)] + HIDDEN * [(WIDTH, WIDTH)] + [(OUT, WIDTH)]
SLOT = [1, 0, 1, 0, 0]
ITEM = [0, 0, 1, 1, 1]
POINTS = [9, 6, 8, 7, 5]
N_PARAMS = sum(o * i + o for o, i in SHAPES)
HUBER = 0.15
RANGES = {'elementwise': (0.05, 0.2), 'kron': (-0.2, 0.3), 'full': (-0.1, 0.15)}


def layers(phi):
    at = 0
    for o, i in SHAPES:
        yield phi[at:at + o * i].reshape(o, i), phi[at + o * i:at + o * i + o]
        at += o * i + o


def outputs(phi, x):
    parts = list(layers(phi))
    for n, (w, b) in enumerate(parts[:-1]):
        x = torch.sin((OMEGA_FIRST if n == 0 else OMEGA) * (x @ w.T + b))
    return x @ parts[-1][0].T + parts[-1][1] + 0.5


def biases():
    at, index = 0, []
    for o, i in SHAPES:
        index += range(at + o * i, at + o * i + o)
        at += o * i + o
    return index


def selected(adaptation):
    return torch.tensor(biases() if adaptation == 'biases' else range(N_PARAMS - OUT * (WIDTH + 1), N_PARAMS))


def expand(adaptation, theta, basis, z):
    if adaptation == 'all':
        return z
    if adaptation == 'latent':
        return theta + z @ basis
    return theta.index_put((selected(adaptation),), z)


def pull(adaptation, basis, g):
    if adaptation == 'all':
        return g
    return basis @ g if adaptation == 'latent' else g[selected(adaptation)]


def start(adaptation, theta):
    if adaptation == 'latent':
        return torch.zeros(NUMBERS, dtype=torch.float64)
    return theta if adaptation == 'all' else theta[selected(adaptation)]


def groups(adaptation):
    """Rows and columns of each group of numbers: a layer's weights, with its biases as the last column."""
    if adaptation == 'latent':
        return [(NUMBERS, 1)]
    if adaptation == 'biases':
        return [(o, 1) for o, i in SHAPES]
    return [(o, i + 1) for o, i in (SHAPES if adaptation == 'all' else SHAPES[-1:])]


def count_rates(kind, adaptation, n):
    if kind == 'full':
        return n * n
    return n if kind == 'elementwise' else sum(r * r + (c * c if c > 1 else 0) for r, c in groups(adaptation))


def scaled(kind, adaptation, rates, g):
    """What is taken from z."""
    if kind == 'elementwise':
        return rates * g
    if kind == 'full':
        return rates.reshape(len(g), len(g)) @ g
    out, at, of = [], 0, 0
    for r, c in groups(adaptation):
        weights, bias = g[at:at + r * (c - 1)].reshape(r, c - 1), g[at + r * (c - 1):at + r * c].reshape(r, 1)
        left, of = rates[of:of + r * r].reshape(r, r), of + r * r
        y = left @ torch.cat([weights, bias], 1)
        if c > 1:
            y, of = y @ rates[of:of + c * c].reshape(c, c), of + c * c
        out += [y[:, :-1].reshape(-1), y[:, -1]]
        at += r * c
    return torch.cat(out)


def rho(loss, r):
    if loss != 'huber':
        return r ** 2
    return torch.where(r.abs() <= HUBER, r ** 2, 2 * HUBER * r.abs() - HUBER ** 2)


def outer_loss(case, theta, basis, rates, tasks):
    adaptation, method, loss, kind = case
    sums, values, errors = {}, {}, []
    for (x, y), slot, item in zip(tasks, SLOT, ITEM):
        z = start(adaptation, theta[slot])
        for k in range(STEPS):
            phi = expand(adaptation, theta[slot], basis[slot], z)
            g, = torch.autograd.grad(((outputs(phi, x) - y) ** 2).mean(), phi, create_graph=True)
            g = pull(adaptation, basis[slot], g.detach() if method == 'fomaml' else g)
            z = z - scaled(kind, adaptation, rates[k, slot], g)
        r = outputs(expand(adaptation, theta[slot], basis[slot], z), x) - y
        errors.append((r ** 2).sum())
        sums[item] = sums.get(item, 0) + rho(loss, r).sum()
        values[item] = values.get(item, 0) + y.numel()
    means = [sums[i] / values[i] for i in sums]
    if loss == 'log-mse':
        means = [1e-3 * torch.log(m) for m in means]
    return sum(means) / len(means), torch.stack(errors)


def main():
    random = np.random.default_rng(12)
    draw = lambda lo, hi, *shape: torch.tensor(random.uniform(lo, hi, shape), dtype=torch.float64, requires_grad=True)
    cases = [(a, m, 'mse') for a in ('latent', 'biases', 'last') for m in ('maml', 'fomaml')]
    cases += [('latent', m, l) for m in ('maml', 'fomaml') for l in ('log-mse', 'huber')]
    cases = [c + ('elementwise',) for c in cases]
    cases += [('latent', 'maml', 'mse', 'full'), ('latent', 'fomaml', 'mse', 'full'), ('biases', 'maml', 'mse', 'kron'),
              ('last', 'maml', 'mse', 'kron'), ('all', 'maml', 'mse', 'kron'), ('all', 'fomaml', 'mse', 'kron')]
    with h5py.File(sys.argv[1] if len(sys.argv) > 1 else 'golden_adaptations.h5', 'w') as f:
        tasks = [(draw(-1, 1, n, 2).detach(), draw(0, 1, n, OUT).detach()) for n in POINTS]
        f['x'] = np.concatenate([x.numpy().ravel() for x, y in tasks])
        f['y'] = np.concatenate([y.numpy().ravel() for x, y in tasks])
        theta, basis = draw(-0.7, 0.7, SLOTS, N_PARAMS), draw(-0.5, 0.5, SLOTS, NUMBERS, N_PARAMS)
        f['theta'], f['basis'] = theta.detach().numpy(), basis.detach().numpy()
        for case in cases:
            n = start(case[0], theta[0]).numel()
            kind = case[3]
            rates = draw(*RANGES[kind], STEPS, SLOTS, count_rates(kind, case[0], n))
            loss, errors = outer_loss(case, theta, basis, rates, tasks)
            d = torch.autograd.grad(loss, (theta, basis, rates), allow_unused=True)
            group = f.create_group('_'.join(case[:3] if kind == 'elementwise' else case))
            group['rates'], group['error'] = rates.detach().numpy(), errors.detach().numpy()
            for name, value in zip(('d_theta', 'd_basis', 'd_rates'), d):
                if value is not None:
                    group[name] = value.numpy()
            print(case, n, float(loss))


if __name__ == '__main__':
    main()
