#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Independent PyTorch (CPU) peer for meta-learned piecewise SIREN image representations.

MAML (second or first order) and Reptile over the initialisation of one small SIREN per image region, optionally with a
learned learning rate per parameter and inner step.  Three interchangeable engines compute the same numbers:
  plain  torch.autograd exactly as one would write it: sin(omega*(x W + b)), create_graph=True, whole batch at once
  fused  torch.autograd, omega folded into the weights, sine with saved cosine (2 instead of 4 trig passes)
  tiled  no autograd: hand-written gradient and Hessian-vector product over pixel tiles, out= buffers, worker threads
Run with OPENBLAS_CORETYPE=SapphireRapids; for engine tiled also OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 and --workers 2.
"""
import argparse, itertools, json, math, os, resource, sys, threading, time
os.environ.setdefault('OPENBLAS_CORETYPE', 'SapphireRapids')
import numpy as np
import torch


# ------------------------------------------------------------------------------------------------ geometry
class Geometry:
    """Pixels of an HxW image, a label map, and the pixel lists of the two evaluation modes.
    coordinates: (row/H - 0.5, col/W - 0.5)."""

    def __init__(self, labels, R, mode, dtype):
        self.H, self.W = labels.shape[-2:]
        self.N, self.R, self.mode = self.H * self.W, R, mode
        i, j = torch.meshgrid(torch.arange(self.H, dtype=torch.float64) / self.H - .5,
                              torch.arange(self.W, dtype=torch.float64) / self.W - .5, indexing='ij')
        self.X = torch.stack([i, j], -1).reshape(-1, 2).to(dtype)
        self.lab = torch.as_tensor(labels).reshape(-1, self.N).long()          # [1 or B, N]
        self.dtype = dtype

    def lists(self, b):
        """per region: (pixel indices or None = all, per-pixel weight or None)"""
        lab = self.lab[b if self.lab.shape[0] > 1 else 0]
        if self.R == 1: return [(None, None)]
        if self.mode == 'gather': return [(torch.nonzero(lab == r)[:, 0], None) for r in range(self.R)]
        return [(None, (lab == r).to(self.dtype)[:, None]) for r in range(self.R)]

    def padded(self):
        """gather mode for autograd engines, one label map: [R,Pm] indices, [R,Pm,1] weights or None"""
        L = [torch.nonzero(self.lab[0] == r)[:, 0] for r in range(self.R)]
        Pm = max(1, max(map(len, L)))
        idx = torch.zeros(self.R, Pm, dtype=torch.long); w = torch.zeros(self.R, Pm, 1, dtype=self.dtype)
        for r, l in enumerate(L): idx[r, :len(l)] = l; w[r, :len(l)] = 1
        return idx, (None if all(len(l) == Pm for l in L) else w)


def grid_labels(H, W, R, C):
    r = np.searchsorted([(k * H) // R for k in range(1, R)], np.arange(H), side='right')
    c = np.searchsorted([(k * W) // C for k in range(1, C)], np.arange(W), side='right')
    return r[:, None] * C + c[None, :]


# ------------------------------------------------------------------------------------------------ network
class Arch:
    def __init__(self, width, hidden_layers, omega_first, omega):
        self.dims = [(2, width)] + [(width, width)] * hidden_layers + [(width, 3)]
        self.om = [omega_first] + [omega] * hidden_layers + [1.0]
        self.L = len(self.dims)

    def weights(self): return sum(i * o for i, o in self.dims)

    def init(self, n, gen, dtype):
        """list of W [n,in,out], b [n,out] alternating"""
        p = []
        for l, (i, o) in enumerate(self.dims):
            a = 1 / i if l == 0 else math.sqrt(6 / i) / (self.om[l] if l < self.L - 1 else 30.)
            p.append(((torch.rand(n, o, i, generator=gen, dtype=torch.float64) * 2 - 1) * a).transpose(1, 2).contiguous().to(dtype))
            p.append(((torch.rand(n, o, generator=gen, dtype=torch.float64) * 2 - 1) / math.sqrt(i)).to(dtype))
        return p


class _SinGrad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, g, z, s, c):
        ctx.save_for_backward(g, s, c); return g * c

    @staticmethod
    def backward(ctx, h):
        g, s, c = ctx.saved_tensors
        return h * c, (h * g).mul_(s).neg_(), None, None


class _Sin(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        s, c = torch.sin(z), torch.cos(z)
        ctx.save_for_backward(z, s, c); return s

    @staticmethod
    def backward(ctx, g):
        z, s, c = ctx.saved_tensors
        return _SinGrad.apply(g, z, s, c)


def net(arch, h, p, fused):
    """h [G,P,2]; p[2l] [G,in,out], p[2l+1] [G,out]"""
    for l in range(arch.L):
        W, b = p[2 * l], p[2 * l + 1]
        if l == arch.L - 1: return torch.baddbmm(b[:, None], h, W)
        if fused: h = _Sin.apply(torch.baddbmm((b * arch.om[l])[:, None], h, W * arch.om[l]))
        else: h = torch.sin(arch.om[l] * torch.baddbmm(b[:, None], h, W))


# ------------------------------------------------------------------------------------------------ autograd engines
class AutogradEngine:
    def __init__(self, arch, geo, a):
        self.arch, self.geo, self.a, self.fused = arch, geo, a, a.engine == 'fused'
        if geo.R > 1 and geo.mode == 'gather':
            self.idx, self.wt = geo.padded()
            self.Xg = geo.X[self.idx]
        elif geo.R > 1:
            self.mask = torch.stack([(geo.lab == r).to(geo.dtype)[:, :, None] for r in range(geo.R)])   # [R,1 or B,N,1]

    def predict(self, B, th):
        geo, R = self.geo, self.geo.R
        flat = [t.reshape(-1, *t.shape[2:]) for t in th]
        if R == 1: return net(self.arch, geo.X.expand(B, -1, -1), flat, self.fused)
        if geo.mode == 'gather': return net(self.arch, self.Xg.expand(B, -1, -1, -1).reshape(B * R, -1, 2), flat, self.fused)
        out = 0
        for r in range(R):
            out = out + self.mask[r] * net(self.arch, geo.X.expand(B, -1, -1), [t[:, r] for t in th], self.fused)
        return out

    def target(self, Y):
        if self.geo.R > 1 and self.geo.mode == 'gather': return Y[:, self.idx].reshape(-1, self.idx.shape[1], 3)
        return Y

    def loss(self, B, th, T, M):
        e = self.predict(B, th) - T
        if self.geo.R > 1 and self.geo.mode == 'gather' and self.wt is not None:
            return (e * e * self.wt.repeat(B, 1, 1)).sum() / M
        return (e * e).sum() / M

    def adapt(self, phi, lr, Y):
        """-> loss after K inner steps, whose graph nobody needs"""
        B, R, M, T = Y.shape[0], self.geo.R, Y.numel(), self.target(Y)
        th = [p[None].expand(B, R, *p.shape[1:]).contiguous() for p in phi]
        for k in range(self.a.inner_steps):
            th = [t.detach().requires_grad_(True) for t in th]
            g = torch.autograd.grad(self.loss(B, th, T, M), th)
            with torch.no_grad(): th = [t - (lr[i][k] if len(lr) > 1 else lr[0]) * d for i, (t, d) in enumerate(zip(th, g))]
        with torch.no_grad(): return float(self.loss(B, th, T, M))

    def meta(self, phi, lr, Y, order, reptile=False):
        """-> query loss, d/dphi, d/dlr (lists); Reptile: minus the mean displacement instead of d/dphi"""
        B, R, K, mb = Y.shape[0], self.geo.R, self.a.inner_steps, self.a.microbatch or Y.shape[0]
        M = Y.numel(); tot = 0.; acc = None; losses = []
        for b0 in range(0, B, mb):
            y = Y[b0:b0 + mb]; n = y.shape[0]; T = self.target(y)
            ph = [p.detach().requires_grad_(True) for p in phi]
            al = [x.detach().requires_grad_(True) for x in lr]
            th = [p[None].expand(n, R, *p.shape[1:]) for p in ph]
            for k in range(K):
                g = torch.autograd.grad(self.loss(n, th, T, M), th, create_graph=order == 2 and not reptile)
                th = [t - (al[i][k] if len(al) > 1 else al[0]) * d for i, (t, d) in enumerate(zip(th, g))]
            if reptile:
                with torch.no_grad():
                    tot += float(self.loss(n, th, T, M))
                    gp = [-((t - p[None]).sum(0) if p.shape[0] == R else (t - p[None]).sum((0, 1))[None] / R) / B
                          for t, p in zip(th, phi)]
                    gl = [torch.zeros_like(x) for x in lr]
            else:
                q = self.loss(n, th, T, M); tot += float(q)
                g = torch.autograd.grad(q, ph + al)
                gp, gl = list(g[:len(ph)]), list(g[len(ph):])
            acc = (gp, gl) if acc is None else ([x + y for x, y in zip(acc[0], gp)], [x + y for x, y in zip(acc[1], gl)])
        return tot, acc[0], acc[1]


# ------------------------------------------------------------------------------------------------ tiled engine
class _Buf:
    def __init__(self, arch, T, dtype):
        w = arch.dims[0][1]; n = arch.L - 1
        e = lambda *s: torch.empty(*s, dtype=dtype)
        self.s = [e(T, w) for _ in range(n)]; self.c = [e(T, w) for _ in range(n)]
        self.rz = [e(T, w) for _ in range(n)]; self.rx = [e(T, w) for _ in range(n)]
        self.e, self.d, self.re, self.rd, self.t = (e(T, w) for _ in range(5))
        self.o, self.ro = e(T, 3), e(T, 3)


class TiledEngine:
    """Everything by hand.  A work item is (group g = image*R + region, tile of its pixels)."""

    def __init__(self, arch, geo, a):
        self.arch, self.geo, self.a = arch, geo, a
        self.nw, self.tile = a.workers, a.tile
        self.buf = [_Buf(arch, self.tile, geo.dtype) for _ in range(self.nw)]
        self.cache = {}
        self.go, self.done = threading.Barrier(self.nw), threading.Barrier(self.nw)
        self.job = None
        for w in range(1, self.nw): threading.Thread(target=self._loop, args=(w,), daemon=True).start()

    def _loop(self, w):
        torch.set_num_threads(self.a.threads); torch.set_grad_enabled(False)
        while True:
            self.go.wait(); self._work(w); self.done.wait()

    def _work(self, w):
        kind, P, V, Y, M = self.job[:5]
        B = self.buf[w]; acc = self.acc[w]
        for n in self.counter:
            if n >= len(self.items): break
            g, X, pix, wt = self.items[n]
            T = X.shape[0]; b = g // self.geo.R
            y = Y[b][pix]
            if g not in acc: acc[g] = [torch.zeros_like(x[g]) for x in P]
            self.loss[w][g] = self.loss[w].get(g, 0.) + (self._grad if kind == 'g' else self._hvp)(B, [x[g] for x in P],
                              [x[g] for x in V] if V is not None else None, X, y, wt, T, M, acc[g])

    def _fwd(self, B, P, X, y, wt, T, M):
        L = self.arch.L; h = X
        for l in range(L - 1):
            z, s = B.c[l][:T], B.s[l][:T]
            torch.addmm(P[2 * l + 1], h, P[2 * l], out=z); torch.sin(z, out=s); torch.cos(z, out=z); h = s
        d = B.o[:T]
        torch.addmm(P[-1], h, P[-2], out=d); d.sub_(y)
        if wt is not None: d.mul_(wt)
        q = float(torch.dot(d.view(-1), d.view(-1))) / M
        return d.mul_(2 / M), q

    def _grad(self, B, P, V, X, y, wt, T, M, G):
        d, q = self._fwd(B, P, X, y, wt, T, M)
        for l in range(self.arch.L - 1, -1, -1):
            h = B.s[l - 1][:T] if l else X
            G[2 * l].addmm_(h.t(), d); G[2 * l + 1].add_(d.sum(0))
            if l:
                e = (B.d if (l & 1) else B.e)[:T]
                torch.mm(d, P[2 * l].t(), out=e); d = e.mul_(B.c[l - 1][:T])
        return q

    def _hvp(self, B, P, V, X, y, wt, T, M, G):
        L = self.arch.L
        d, q = self._fwd(B, P, X, y, wt, T, M)
        for l in range(L):
            o = B.rz[l][:T] if l < L - 1 else B.ro[:T]
            torch.addmm(V[2 * l + 1], B.s[l - 1][:T] if l else X, V[2 * l], out=o)
            if l: o.addmm_(B.rx[l - 1][:T], P[2 * l])
            if l < L - 1: torch.mul(o, B.c[l][:T], out=B.rx[l][:T])
        rd = o.mul_(2 / M)
        if wt is not None: rd.mul_(wt)
        for l in range(L - 1, -1, -1):
            G[2 * l].addmm_((B.s[l - 1][:T] if l else X).t(), rd); G[2 * l + 1].add_(rd.sum(0))
            if not l: break
            G[2 * l].addmm_(B.rx[l - 1][:T].t(), d)
            e, re = ((B.d, B.rd) if (l & 1) else (B.e, B.re))
            e, re, t, c = e[:T], re[:T], B.t[:T], B.c[l - 1][:T]
            torch.mm(rd, P[2 * l].t(), out=re); re.addmm_(d, V[2 * l].t())
            torch.mm(d, P[2 * l].t(), out=e)
            torch.mul(e, B.s[l - 1][:T], out=t)
            re.mul_(c).addcmul_(t, B.rz[l - 1][:T], value=-1)
            d, rd = e.mul_(c), re
        return q

    def setup(self, nB):
        if nB not in self.cache:
            it = []
            for b in range(nB):
                for r, (idx, wt) in enumerate(self.geo.lists(b)):
                    n = self.geo.N if idx is None else len(idx)
                    k = max(1, -(-n // self.tile))
                    for t in range(k):
                        lo, hi = n * t // k, n * (t + 1) // k
                        if hi == lo: continue
                        pix = slice(lo, hi) if idx is None else idx[lo:hi]
                        it.append((b * self.geo.R + r, self.geo.X[pix].contiguous(), pix, None if wt is None else wt[lo:hi]))
            self.cache[nB] = it
        self.items = self.cache[nB]

    def scale(self, P):                                   # omega into weights and biases
        return [x * self.arch.om[i // 2] for i, x in enumerate(P)]

    def run(self, kind, P, V, Y, M):
        self.acc = [{} for _ in range(self.nw)]; self.loss = [{} for _ in range(self.nw)]
        self.counter = itertools.count()
        self.job = (kind, self.scale(P), self.scale(V) if V is not None else None, Y, M)
        if self.nw > 1: self.go.wait()
        self._work(0)
        if self.nw > 1: self.done.wait()
        G = [torch.zeros_like(x) for x in P]
        for acc in self.acc:
            for g, l in acc.items():
                for i, x in enumerate(l): G[i][g].add_(x, alpha=self.arch.om[i // 2])
        per = np.zeros(P[0].shape[0])
        for l in self.loss:
            for g, q in l.items(): per[g] += q
        return per, G

    def expand(self, phi, nB):
        return [p.expand(self.geo.R, *p.shape[1:]).repeat(nB, *([1] * (p.dim() - 1))) for p in phi]

    def fold(self, g, p, nB):                             # sum over everything that shares a parameter
        g = g.reshape(nB, self.geo.R, *g.shape[1:])
        return g.sum(0) if p.shape[0] == self.geo.R else g.sum((0, 1))[None]

    def rate(self, lr, i, k, nB):
        return lr[0] if len(lr) == 1 else lr[i][k].expand(self.geo.R, *lr[i].shape[2:]).repeat(nB, *([1] * (lr[i].dim() - 2)))

    @torch.no_grad()
    def meta(self, phi, lr, Y, order, reptile=False):
        nB, K, M = Y.shape[0], self.a.inner_steps, Y.numel()
        self.setup(nB)
        th, gs = [self.expand(phi, nB)], []
        for k in range(K):
            _, g = self.run('g', th[k], None, Y, M); gs.append(g)
            th.append([t - self.rate(lr, i, k, nB) * x for i, (t, x) in enumerate(zip(th[k], g))])
        if reptile:
            q = sum(float(x) for x in self.loss_only(th[K], Y, M))
            return q, [-self.fold(t - s, p, nB) / (nB * (1 if p.shape[0] == self.geo.R else self.geo.R))
                       for t, s, p in zip(th[K], th[0], phi)], [torch.zeros_like(x) for x in lr]
        per, v = self.run('g', th[K], None, Y, M)
        gl = [torch.zeros_like(x) for x in lr]
        for k in range(K - 1, -1, -1):
            for i in range(len(v)):
                if len(lr) == 1: gl[0] -= (gs[k][i] * v[i]).sum()
                else: gl[i][k] -= self.fold(gs[k][i] * v[i], phi[i], nB)
            if order == 2:
                _, h = self.run('h', th[k], [self.rate(lr, i, k, nB) * x for i, x in enumerate(v)], Y, M)
                v = [x - y for x, y in zip(v, h)]
        return per.sum(), [self.fold(x, p, nB) for x, p in zip(v, phi)], gl

    def loss_only(self, P, Y, M): return self.run('g', P, None, Y, M)[0]

    @torch.no_grad()
    def evaluate(self, phi, lr, Y, Btrain):
        """squared-error sums per step, image and region: [K+1, B, R] (adaptation scaled as in a batch of Btrain)"""
        nB, K = Y.shape[0], self.a.inner_steps
        self.setup(nB); M = Y[0].numel() * Btrain
        th = self.expand(phi, nB); out = []
        for k in range(K + 1):
            per, g = self.run('g', th, None, Y, M)
            out.append(per.reshape(nB, self.geo.R) * M)
            if k < K: th = [t - self.rate(lr, i, k, nB) * x for i, (t, x) in enumerate(zip(th, g))]
        return np.stack(out)


# ------------------------------------------------------------------------------------------------ data
def load_images(path, size, lo=0, hi=None):
    if path.endswith('.npy'): A = np.load(path, mmap_mode='r'); n = len(A)
    else:
        import h5py
        A = h5py.File(path, 'r')['images']; n = len(A)
    return A, n


def crop(A, idx, size, dtype):
    idx = np.asarray(idx); o = np.argsort(idx); x = np.asarray(A[idx[o]] if isinstance(A, np.ndarray) else A[list(idx[o])])
    x = x[np.argsort(o)]
    h, w = x.shape[1:3]
    assert min(h, w) >= size, 'images are smaller than --size'
    t, l = (h - size) // 2, (w - size) // 2
    return torch.from_numpy(np.ascontiguousarray(x[:, t:t + size, l:l + size])).to(dtype).div_(255).reshape(len(idx), -1, 3)


def synthetic(n, size, gen, dtype):
    c = torch.stack(torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing='ij'), -1).reshape(-1, 2)
    y = torch.full((n, size * size, 3), .5)
    for _ in range(8):
        f = torch.randn(n, 2, 1, generator=gen) * 12; a = (torch.rand(n, 1, 3, generator=gen) - .5) * .3
        y += torch.sin(c @ f + 6 * torch.rand(n, 1, 1, generator=gen)) * a
    return y.clamp_(0, 1).to(dtype)


class Clock:
    """Wall and own CPU seconds of each step, and how much of the machine other processes used meanwhile: medians are
    taken over the undisturbed steps when there are any (this harness shares its cores with other jobs)."""

    def __init__(self): self.rows = []; self.ncpu = os.cpu_count()

    def _busy(self):
        f = open('/proc/stat').readline().split()[1:9]
        return (sum(map(int, f)) - int(f[3]) - int(f[4])) / os.sysconf('SC_CLK_TCK')

    def start(self): self.t, self.c, self.b = time.perf_counter(), time.process_time(), self._busy()

    def stop(self, keep=True):
        w, c, b = time.perf_counter() - self.t, time.process_time() - self.c, self._busy() - self.b
        if keep: self.rows.append((w, c, max(0., b - c) / w / self.ncpu))
        return w

    def clean(self): return [r for r in self.rows if r[2] < .06]

    def summary(self, gflop):
        use = self.clean(); n = len(use); use = use or self.rows
        m, c, b = float(np.median([r[0] for r in use])), float(np.median([r[1] for r in use])), min(r[0] for r in self.rows)
        d = dict(seconds_median=m, seconds_min=b, cpu_seconds_median=c, steps=len(self.rows), clean_steps=n, gflop_essential=gflop,
                 other_load=float(np.mean([r[2] for r in use])), gflops_median=gflop / m, gflops_best=gflop / b, peak_rss_mib=peak_rss_mib())
        print('seconds: median %.4f (%d of %d steps undisturbed, other load %.0f%%) min %.4f cpu/%d %.4f | %.1f GFLOP -> %.0f GF/s (best %.0f, by cpu %.0f) | peak RSS %.0f MiB' % (
            m, n, len(self.rows), d['other_load'] * 100, b, self.ncpu, c / self.ncpu, gflop, gflop / m, gflop / b, gflop / c * self.ncpu, d['peak_rss_mib']))
        return d


def peak_rss_mib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def essential_flops(a, weights, order, algo):
    F = 2. * weights * a.size ** 2 * a.batch
    n = 3 * a.inner_steps if algo == 'reptile' else 3 * a.inner_steps + 3 + (6 * a.inner_steps if order == 2 else 0)
    return F * n


# ------------------------------------------------------------------------------------------------ main
def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    A = p.add_argument
    A('--width', type=int, default=128); A('--hidden-layers', type=int, default=3)
    A('--omega-first', type=float, default=30.); A('--omega', type=float, default=30.)
    A('--size', type=int, default=178); A('--batch', type=int, default=4); A('--inner-steps', type=int, default=3)
    A('--order', type=int, choices=(1, 2), default=2); A('--algo', choices=('maml', 'reptile'), default='maml')
    A('--inner-lr-mode', choices=('fixed', 'per_param_per_step'), default='per_param_per_step')
    A('--inner-lr', type=float, default=1e-5); A('--outer-lr', type=float, default=1e-4)
    A('--reptile-outer', choices=('sgd', 'adam'), default='sgd')
    A('--grid', type=int, nargs=2, default=(1, 1), metavar=('R', 'C')); A('--labels', help='.npy HxW label map instead of --grid')
    A('--init', choices=('shared', 'per_partition'), default='shared')
    A('--mode', choices=('dense-mask', 'gather'), default='gather')
    A('--data'); A('--test-count', type=int, default=32); A('--test-data')
    A('--iters', type=int, default=100); A('--max-seconds', type=float, default=0)
    A('--patience', type=float, default=60, help='--time-only: go on at most this long for --iters undisturbed steps')
    A('--seed', type=int, default=0)
    A('--eval-every', type=int, default=0); A('--time-only', action='store_true'); A('--report', metavar='JSON')
    A('--engine', choices=('plain', 'fused', 'tiled'), default='tiled'); A('--microbatch', type=int, default=0)
    A('--tile', type=int, default=1024); A('--workers', type=int, default=2, help='tiled engine: python threads')
    A('--threads', type=int, default=0, help='torch threads (default: 1 for tiled, 2 otherwise)')
    A('--forward-only', choices=('forward', 'gradient', 'adapt'), help='time just this for one image: adapt is all inner steps and the error after them'); A('--double', action='store_true')
    A('--selftest', metavar='GOLDEN_H5')
    return p


def selftest(path):
    """all SIREN cases of golden.h5 through all engines and both modes, in float64"""
    import h5py
    bad = 0.; n = 0
    with h5py.File(path) as f:
        for name, g in f.items():
            if g.attrs['act'] != b'siren': continue
            B, R, K = (int(g.attrs[k]) for k in ('B', 'R', 'K'))
            arch = Arch(int(g.attrs['width']), int(g.attrs['hidden_layers']), float(g.attrs['omega_first']), float(g.attrs['omega']))
            lab = g['in/labels'][:]; one = bool((lab == lab[0]).all())

            def unpack(v, lead):              # flat [..., P] in (out,in) order -> list of [..., in, out], [..., out]
                v = torch.as_tensor(v); o = []
                p = 0
                for i, q in arch.dims:
                    o.append(v[..., p:p + i * q].reshape(*v.shape[:-1], q, i).transpose(-1, -2)); p += i * q
                    o.append(v[..., p:p + q]); p += q
                return o
            pack = lambda L: torch.cat([x.transpose(-1, -2).reshape(*x.shape[:-2], -1) if i % 2 == 0 else x for i, x in enumerate(L)], -1)
            phi = unpack(g['in/init'][:], 1)
            lr = g['in/lr'][()]
            lrs = [torch.as_tensor(lr)] if np.ndim(lr) == 0 else [x for x in unpack(lr, 2)]
            Y = torch.as_tensor(g['in/target'][:])
            for eng, mode, order in itertools.product(('plain', 'fused', 'tiled'), ('dense-mask', 'gather'), (1, 2, 0)):
                if eng != 'tiled' and not one and mode == 'gather': continue
                a = parser().parse_args(['--engine', eng, '--mode', mode, '--inner-steps', str(K), '--tile', '20', '--microbatch', '1' if order == 2 else '0'])
                if not one and eng != 'tiled': a.microbatch = 0
                a.threads = 1
                geo = Geometry(lab[:1] if one else lab, R, mode, torch.float64)
                E = (TiledEngine if eng == 'tiled' else AutogradEngine)(arch, geo, a)
                q, gp, gl = E.meta(phi, lrs, Y, order or 1, order == 0)
                if order == 0: c = [(-pack(gp), g['out/reptile_delta'][:])]
                else: c = [(pack(gp), g['out/meta%d_init' % order][:]), (pack(gl) if len(lrs) > 1 else gl[0], g['out/meta%d_lr' % order][()])]
                c.append((torch.tensor(q, dtype=torch.float64), g['out/loss_steps'][K]))
                e = max(float(np.abs(x.numpy() - y).max() / np.abs(y).max()) for x, y in c)
                bad = max(bad, e); n += 1
                if e > 1e-11: print('MISMATCH', name, eng, mode, order, e)
                if eng == 'tiled' and order == 0:
                    se = E.evaluate(phi, lrs, Y, B).sum(-1) / Y[0].numel()
                    bad = max(bad, float(np.abs(-10 * np.log10(se) - g['out/psnr'][:]).max()))
    print('selftest: %d comparisons, worst relative difference %.2e' % (n, bad))
    return 0 if bad < 1e-11 else 1


def main():
    a = parser().parse_args()
    if a.selftest: torch.set_num_threads(1); return selftest(a.selftest)
    a.threads = a.threads or (1 if a.engine == 'tiled' else 2)
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed); gen = torch.Generator().manual_seed(a.seed)
    dt = torch.float64 if a.double else torch.float32
    arch = Arch(a.width, a.hidden_layers, a.omega_first, a.omega)
    labels = np.load(a.labels) if a.labels else grid_labels(a.size, a.size, *a.grid)
    R = int(labels.max()) + 1
    geo = Geometry(labels, R, a.mode, dt)
    eng = (TiledEngine if a.engine == 'tiled' else AutogradEngine)(arch, geo, a)
    ev = eng if a.engine == 'tiled' else None
    n_init = R if a.init == 'per_partition' else 1
    phi = arch.init(n_init, gen, dt)
    lr = [torch.tensor(a.inner_lr, dtype=dt)] if a.inner_lr_mode == 'fixed' else \
        [torch.full((a.inner_steps, *p.shape), a.inner_lr, dtype=dt) for p in phi]
    learn_lr = a.inner_lr_mode != 'fixed' and a.algo == 'maml'
    params = phi + (lr if learn_lr else [])
    opt = None
    if a.algo == 'maml' or a.reptile_outer == 'adam': opt = torch.optim.Adam(params, lr=a.outer_lr)

    if a.data:
        A, n = load_images(a.data, a.size)
        if a.test_data: At, nt = load_images(a.test_data, a.size); test = crop(At, np.arange(min(nt, a.test_count)), a.size, dt); ntrain = n
        else: ntrain = n - a.test_count; test = crop(A, np.arange(ntrain, n), a.size, dt)
        order = torch.randperm(ntrain, generator=gen).numpy(); pos = 0
    else: pool = synthetic(max(a.batch, 4), a.size, gen, dt); test = None

    def batch(it):
        nonlocal order, pos
        if not a.data: return pool[torch.arange(it * a.batch, (it + 1) * a.batch) % len(pool)]
        if pos + a.batch > ntrain: order = torch.randperm(ntrain, generator=gen).numpy(); pos = 0
        i = order[pos:pos + a.batch]; pos += a.batch
        return crop(A, i, a.size, dt)

    rep = dict(vars(a)); rep['torch'] = str(torch.__version__); rep['eval'] = []; rep['weights_per_pixel'] = arch.weights()

    if a.forward_only:
        F = 2. * arch.weights() * geo.N * a.batch; M = a.batch * geo.N * 3; Y = batch(0)
        ck = Clock(); t1 = time.time()
        for it in itertools.count():
            ck.start()
            if a.forward_only == 'adapt': eng.adapt(phi, lr, Y)
            elif a.engine == 'tiled':
                with torch.no_grad(): eng.setup(a.batch); eng.run('g', eng.expand(phi, a.batch), None, Y, M)
            elif a.forward_only == 'forward':
                with torch.no_grad(): eng.loss(a.batch, [p[None].expand(a.batch, R, *p.shape[1:]) for p in phi], eng.target(Y), M)
            else:
                ph = [p.detach().requires_grad_(True) for p in phi]
                torch.autograd.grad(eng.loss(a.batch, [p[None].expand(a.batch, R, *p.shape[1:]) for p in ph], eng.target(Y), M), ph)
            ck.stop(it >= 2)
            if it >= 2 and (len(ck.clean()) >= a.iters or (it >= a.iters + 1 and time.time() - t1 > a.patience)): break
        rep.update(ck.summary(F * {'forward': 1, 'gradient': 3, 'adapt': 3 * a.inner_steps + 1}[a.forward_only] / 1e9))
        if a.report: json.dump(rep, open(a.report, 'w'), indent=1)
        return 0

    def evaluate(it, wall):
        nonlocal ev
        if ev is None: ev = TiledEngine(arch, Geometry(labels, R, 'gather', dt), parser().parse_args(
            ['--engine', 'tiled', '--inner-steps', str(a.inner_steps), '--tile', str(a.tile), '--workers', '1']))
        se = np.concatenate([ev.evaluate(phi, lr, test[i:i + 1], a.batch) for i in range(len(test))], 1)
        cnt = np.bincount(labels.reshape(-1), minlength=R) * 3.
        tot = -10 * np.log10(se.sum(-1) / geo.N / 3)
        with np.errstate(invalid='ignore', divide='ignore'): per = -10 * np.log10(se / cnt)
        e = dict(iter=it, train_seconds=wall, psnr=tot.mean(1).tolist(), psnr_std=tot.std(1).tolist(), psnr_region=np.nanmean(per, 1).tolist())
        rep['eval'].append(e)
        print('eval iter %d  train %.1f s  PSNR per step %s' % (it, wall, ' '.join('%.3f' % x for x in e['psnr'])), flush=True)
        if R > 1: print('  per partition after step %d: %s' % (a.inner_steps, ' '.join('%.2f' % x for x in e['psnr_region'][-1])), flush=True)

    ck, wall, ql, t1 = Clock(), 0., [], time.time()
    if test is not None and not a.time_only: evaluate(0, 0.)
    for it in itertools.count():
        Y = batch(it)
        ck.start()
        q, gp, gl = eng.meta(phi, lr, Y, a.order, a.algo == 'reptile')
        with torch.no_grad():
            if opt is None:
                for p, g in zip(phi, gp): p.sub_(g, alpha=a.outer_lr)
            else:
                for p, g in zip(params, gp + gl): p.grad = g
                opt.step()
        wall += ck.stop(it >= (1 if a.time_only else 0)); ql.append(float(q))
        if not a.time_only and a.eval_every and (it + 1) % a.eval_every == 0 and test is not None: evaluate(it + 1, wall)
        if not a.time_only and (it + 1) % 20 == 0: print('iter %d  query loss %.5f  %.3f s/step' % (it + 1, sum(ql[-20:]) / 20, np.median([r[0] for r in ck.rows[-20:]])), flush=True)
        if a.max_seconds and wall > a.max_seconds: break
        if not a.time_only and it + 1 >= a.iters: break
        if a.time_only and (len(ck.clean()) >= a.iters or (it >= a.iters and time.time() - t1 > a.patience)): break
    if test is not None and not a.time_only and not (rep['eval'] and rep['eval'][-1]['iter'] == it + 1): evaluate(it + 1, wall)
    rep.update(ck.summary(essential_flops(a, arch.weights(), a.order, a.algo) / 1e9))
    rep.update(outer_steps=it + 1, query_loss=ql, train_seconds=wall, test_images=0 if test is None else len(test))
    if a.report: json.dump(rep, open(a.report, 'w'), indent=1)
    return 0


if __name__ == '__main__': sys.exit(main())
