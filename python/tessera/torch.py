# SPDX-License-Identifier: MIT
"""Models and INRs as PyTorch modules, and back.

    import tessera, tessera.torch

    inr = tessera.torch.INR.from_tessera(model.adapt("photo.jpg"))
    values = inr(coordinates)                           # differentiable in coordinates and weights

    module = tessera.torch.Model.from_tessera(model)
    pictures, phi = module(images)                      # [batch, height, width, channels], adapted together
    loss = ((pictures - images) ** 2).mean()
    loss.backward()                                     # the exact meta-gradient, by automatic differentiation
    module.to_tessera().save("model.h5")

This is a reference in plain autograd, not a fast path: libtessera computes the same in C. Everything follows
docs/formats.md. Works with PyTorch 1.13 and later; parameters may be of any floating-point type, on any device.
"""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor, nn

from . import _objects

__all__ = ["INR", "Model", "Network", "Geometry"]


# ---- the network of a region -------------------------------------------------------------------

class Network:
    """What the attributes of /network say, as functions of parameters. A vector of parameters holds W_0 [out, in],
    b_0, W_1, ... in this order."""

    def __init__(self, attributes: Dict[str, Any]):
        self.attributes = dict(attributes)
        at = self.attributes
        self.kind = at["kind"]
        if self.kind not in ("siren", "finer", "gaussian", "relu-pe"):
            raise ValueError("network of kind \"%s\": none of siren, finer, gaussian, relu-pe" % self.kind)
        self.octaves = int(at.get("octaves", 0)) if self.kind == "relu-pe" else 0
        first = at["in_dim"] * 2 * self.octaves if self.octaves else at["in_dim"]
        widths = [int(first)] + [int(at["width"])] * (int(at["hidden_layers"]) + 1) + [int(at["out_dim"])]
        self.shapes = list(zip(widths[1:], widths[:-1]))        # of the weights, [out, in]
        self.ends = list(np.cumsum([size for out, n in self.shapes for size in (out * n, out)]))
        self.n_params = int(self.ends[-1])

    def layers(self, phi: Tensor) -> List[Tuple[Tensor, Tensor]]:
        """Views of phi [..., n_params]: for each layer weight [..., out, in] and bias [..., out]."""
        parts = [phi[..., start:end] for start, end in zip([0] + self.ends, self.ends)]
        return [(parts[2 * l].unflatten(-1, shape) if hasattr(phi, "unflatten") else
                 parts[2 * l].reshape(phi.shape[:-1] + shape), parts[2 * l + 1])
                for l, shape in enumerate(self.shapes)]

    def _encode(self, x: Tensor) -> Tensor:
        if not self.octaves:
            return x
        powers = 2.0 ** torch.arange(self.octaves, dtype=x.dtype, device=x.device)
        e = (x[..., None] * (powers * float(self.attributes["pe_omega"]))).flatten(-2)
        return torch.cat([torch.sin(e), torch.cos(e)], -1)

    def _activate(self, z: Tensor, omega: float) -> Tensor:
        if self.kind == "relu-pe":
            return torch.relu(z)
        if self.kind == "gaussian":
            return torch.exp(-(omega * z) ** 2)
        return torch.sin(omega * (z.abs() + 1) * z if self.kind == "finer" else omega * z)

    def __call__(self, phi: Tensor, x: Tensor) -> Tensor:
        """phi [..., n_params], x [..., points, in_dim] -> [..., points, out_dim]."""
        a, last = self._encode(x), len(self.shapes) - 1
        for l, (weight, bias) in enumerate(self.layers(phi)):
            z = a @ weight.transpose(-1, -2) + bias[..., None, :]
            if l < last:
                a = self._activate(z, float(self.attributes.get("omega_hidden" if l else "omega_first", 1)))
        return z + float(self.attributes["output_offset"])

    def arrays(self, prefix: str, phi: Tensor, names=("weight", "bias")) -> Dict[str, np.ndarray]:
        """The arrays of a file."""
        return {"%s/layer%d/%s" % (prefix, l, name): part.detach().cpu().numpy().astype(np.float32)
                for l, pair in enumerate(self.layers(phi)) for name, part in zip(names, pair)}

    def vector(self, contents: Dict[str, Any], prefix: str, names=("weight", "bias"), axes: int = 1) -> np.ndarray:
        """The reverse: [..., n_params], where the first `axes` axes of the arrays count."""
        arrays = [np.asarray(contents["%s/layer%d/%s" % (prefix, l, name)], np.float32)
                  for l in range(len(self.shapes)) for name in names]
        return np.concatenate([array.reshape(array.shape[:axes] + (-1,)) for array in arrays], -1)


# ---- regions -----------------------------------------------------------------------------------

class Geometry:
    """Regions of an image of height x width under /partition, and what their networks see of it.

    window: int [regions, 4], row, column, height and width of each region's frame. pixel, mask, weight:
    [regions, most], the pixels that each network is adapted to (row * width + column), which of them are there, and
    how much each counts in the picture. x: float [regions, most, 2], their coordinates.
    """

    def __init__(self, network: Dict[str, Any], partition: Dict[str, Any], height: int, width: int,
                 labels: Optional[np.ndarray] = None):
        self.network, self.height, self.width = network, height, width
        self.rule, self.overlap = partition["rule"], int(partition.get("overlap", 0))
        self.labels = None
        if self.rule in ("quadtree", "segment", "labels"):
            if labels is None:
                raise ValueError("the rule %s needs a label map" % self.rule)
            self.labels = np.asarray(labels, np.int64).reshape(height, width)
            self._follow(int(partition["n_regions"]))
        else:
            self._divide(partition)
        self.x = self.coordinates_of(np.arange(self.n_regions)[:, None], self.pixel // width, self.pixel % width)

    def _divide(self, partition):
        cells = {"whole": lambda: (1, 1, 0, 0),
                 "grid": lambda: (int(partition["rows"]), int(partition["cols"]), 0, 0),
                 "cell": lambda: (-(-self.height // int(partition["cell_height"])),
                                  -(-self.width // int(partition["cell_width"])),
                                  int(partition["cell_height"]), int(partition["cell_width"]))}
        if self.rule not in cells:
            raise ValueError("partition rule \"%s\": none of whole, grid, cell, quadtree, segment, labels" % self.rule)
        rows, cols, cell_height, cell_width = cells[self.rule]()
        if rows > self.height or cols > self.width:
            raise ValueError("grid %dx%d: an image of %dx%d pixels has fewer" % (rows, cols, self.height, self.width))
        self.row_edge, row_window = self._side(self.height, rows, cell_height)
        self.col_edge, col_window = self._side(self.width, cols, cell_width)
        self.row_share, self.col_share = self._shares(self.row_edge), self._shares(self.col_edge)
        self.n_regions, self.n_cols = rows * cols, cols
        self.window = np.array([(r, c, h, w) for r, h in row_window for c, w in col_window])
        pixels = [((r + np.arange(h))[:, None] * self.width + c + np.arange(w)).ravel() for r, c, h, w in self.window]
        self._pad(pixels, [self.row_share[i // cols][p // self.width] * self.col_share[i % cols][p % self.width]
                           for i, p in enumerate(pixels)])

    def _side(self, length, n, cell):
        """Edges [n + 1] of the cells along a side, and (first pixel, size) of their windows."""
        edge = [min(i * cell if cell else i * length // n, length) for i in range(n + 1)]
        windows = []
        for i in range(n):
            size = min((cell or edge[i + 1] - edge[i]) + 2 * self.overlap, length)
            windows.append((min(max(edge[i] - self.overlap, 0), length - size), size))
        return np.array(edge), windows

    def _fade(self, distance):
        return np.where(distance > self.overlap, 0, np.cos(np.pi / 2 * distance / (self.overlap + 1)) ** 2)

    def _shares(self, edge):
        """[cells, pixels of the side] that sum to 1 over the cells."""
        x = np.arange(edge[-1])
        distance = np.maximum(np.maximum(edge[:-1, None] - x, x - edge[1:, None] + 1), 0)
        share = self._fade(distance)
        return share / share.sum(0)

    def _follow(self, n_regions):
        self.n_regions = n_regions
        share = np.zeros((n_regions, self.height, self.width))
        own = torch.from_numpy(self.labels[None] == np.arange(n_regions)[:, None, None]).float()
        for d in range(self.overlap, -1, -1):       # all pixels at most d away, the nearer ones last
            reached = nn.functional.max_pool2d(own[None], 2 * d + 1, 1, d)[0].numpy() > 0
            share[reached] = self._fade(np.float64(d))
        self.share = share / share.sum(0)
        pixels = [np.flatnonzero(s) for s in share]
        self.window = np.zeros((n_regions, 4), np.int64)
        for r, p in enumerate(pixels):
            if len(p):
                row, col = p // self.width, p % self.width
                self.window[r] = row.min(), col.min(), row.max() - row.min() + 1, col.max() - col.min() + 1
        self._pad(pixels, [self.share[r].ravel()[p] for r, p in enumerate(pixels)])

    def _pad(self, pixels, weights):
        most = max(map(len, pixels))
        self.pixel = np.zeros((self.n_regions, most), np.int64)
        self.mask, self.weight = np.zeros((self.n_regions, most)), np.zeros((self.n_regions, most))
        for r, (p, w) in enumerate(zip(pixels, weights)):
            self.pixel[r, :len(p)], self.mask[r, :len(p)], self.weight[r, :len(p)] = p, 1, w

    def frame(self, region, axis):
        """(origin, length), in pixels, of what the range of coordinates spans."""
        if self.network["coord_frame"] == "image":
            return 0, (self.height, self.width)[axis]
        return self.window[region, axis], np.maximum(self.window[region, 2 + axis], 1)

    def coordinates_of(self, region, row, col):
        """Coordinates [..., 2] that the networks of the regions give the positions, which may be tensors."""
        return np.stack([self._coordinate(region, axis, at) for axis, at in ((0, row), (1, col))], -1)

    def _coordinate(self, region, axis, at):
        lo, hi = float(self.network["coord_lo"]), float(self.network["coord_hi"])
        (origin, n), sampling = self.frame(region, axis), self.network["coord_sampling"]
        i = at - origin
        if sampling == "endpoints":
            t = np.where(n > 1, i / np.maximum(n - 1, 1), 0.5) if isinstance(i, np.ndarray) else (
                i / (n - 1) if n > 1 else i * 0 + 0.5)
        else:
            t = (i + (0.5 if sampling == "center" else 0)) / n
        return lo + (hi - lo) * t

    def shares_at(self, points: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which regions count at points [n, 2] (row, column) and how much: index of the point, region, weight."""
        if self.overlap == 0:
            row, col = (np.clip(np.floor(points[:, axis] + 0.5).astype(np.int64), 0, n - 1)
                        for axis, n in enumerate((self.height, self.width)))
            region = self.labels[row, col] if self.labels is not None else (
                (np.searchsorted(self.row_edge, row, "right") - 1) * self.n_cols +
                np.searchsorted(self.col_edge, col, "right") - 1)
            return np.arange(len(points)), region, np.ones(len(points))
        row, col = np.clip(points[:, 0], 0, self.height - 1), np.clip(points[:, 1], 0, self.width - 1)
        (r0, r1, u), (c0, c1, v) = _between(row, self.height), _between(col, self.width)
        if self.labels is not None:
            s = self.share
            weight = ((1 - u) * ((1 - v) * s[:, r0, c0] + v * s[:, r0, c1]) +
                      u * ((1 - v) * s[:, r1, c0] + v * s[:, r1, c1]))
        else:
            of_row = (1 - u) * self.row_share[:, r0] + u * self.row_share[:, r1]
            of_col = (1 - v) * self.col_share[:, c0] + v * self.col_share[:, c1]
            weight = (of_row[:, None] * of_col[None]).reshape(self.n_regions, len(points))
        region, point = np.nonzero(weight > 0)
        return point, region, weight[region, point]


def _between(x, n):
    first = np.floor(x).astype(np.int64)
    return first, np.minimum(first + 1, n - 1), x - first


# ---- INR ---------------------------------------------------------------------------------------

class INR(nn.Module):
    """The picture as a function of (row, column), with all regions' parameters, ``phi`` [regions, n_params]."""

    def __init__(self, network: Dict[str, Any], partition: Dict[str, Any], phi: Tensor,
                 labels: Optional[np.ndarray] = None):
        super().__init__()
        self.network, self.partition = Network(network), dict(partition)
        self.geometry = Geometry(self.network.attributes, partition, int(partition["image_height"]),
                                 int(partition["image_width"]), labels)
        self.phi = nn.Parameter(torch.as_tensor(phi).clone())
        if self.phi.shape != (self.geometry.n_regions, self.network.n_params):
            raise ValueError("phi: a tensor of shape %s; expected (%d, %d), regions and parameters of each" % (
                tuple(self.phi.shape), self.geometry.n_regions, self.network.n_params))

    @classmethod
    def from_tessera(cls, inr: "_objects.INR") -> "INR":
        contents = inr.contents()
        return cls(contents["network"], contents["partition"], torch.from_numpy(inr.params),
                   contents.get("partition/labels"))

    def to_tessera(self) -> "_objects.INR":
        """As an INR of which all parameters are stored."""
        contents = {"network": self.network.attributes, "partition": self.partition}
        if self.geometry.labels is not None:
            contents["partition/labels"] = self.geometry.labels.astype(np.uint16)
        contents.update(self.network.arrays("regions", self.phi))
        return _objects.INR.from_contents(contents)

    def forward(self, coordinates: Tensor) -> Tensor:
        """Values [..., channels], not clipped, at coordinates [..., 2], row and column in pixels of the image."""
        points = coordinates.reshape(-1, 2)
        out = points.new_zeros(len(points), self.network.shapes[-1][0], dtype=self.phi.dtype)
        at, region, weight = self.geometry.shares_at(points.detach().cpu().numpy().astype(np.float64))
        for r in np.unique(region):
            share = np.flatnonzero(region == r)
            index = torch.from_numpy(at[share]).to(points.device)
            x = torch.stack([self.geometry._coordinate(r, axis, points[index, axis]) for axis in (0, 1)], -1)
            y = self.network(self.phi[r], x.to(self.phi.dtype))
            out = out.index_add(0, index, y * torch.from_numpy(weight[share]).to(y)[:, None])
        return out.reshape(coordinates.shape[:-1] + out.shape[1:])

    def render(self, size: Optional[Sequence[int]] = None) -> Tensor:
        """The picture [height, width, channels], not clipped, at size (height, width), the image's own by default."""
        own = self.geometry.height, self.geometry.width
        sides = [(torch.arange(n, dtype=torch.float64, device=self.phi.device) + 0.5) * length / n - 0.5
                 for n, length in zip(size or own, own)]
        return self(torch.stack(torch.meshgrid(*sides, indexing="ij"), -1))


# ---- model -------------------------------------------------------------------------------------

class Adapted(NamedTuple):
    """What `Model.adapt()` gives, for a batch."""

    pictures: Tensor        #: [batch, height, width, channels], not clipped
    phi: Tensor             #: [batch, regions, n_params]
    psnr_db: Tensor         #: [batch, inner steps + 1] of the pictures after each inner step, detached


class Model(nn.Module):
    """Initialisations and inner rates of a model, which `forward()` adapts to a batch of images by plain gradient
    steps.

    Parameters: ``theta`` [slots, n_params]; ``rate`` [steps, slots, numbers] (or with ones where numbers share a
    rate); with ``adapt`` latent ``basis`` [slots, D, n_params]. ``attributes``: those of the file's groups network,
    partition and inner.
    """

    def __init__(self, network: Dict[str, Any], partition: Dict[str, Any], inner: Dict[str, Any], theta: Tensor,
                 rate: Tensor, basis: Optional[Tensor] = None, anchors: Optional[Dict[str, np.ndarray]] = None):
        super().__init__()
        self.network, self.partition, self.inner = Network(network), dict(partition), dict(inner)
        self.anchors = dict(anchors or {})      # arrays of /partition, which pass through
        self.adapted = str(inner.get("adapt", "all"))
        if self.adapted not in ("all", "last", "biases", "latent"):
            raise ValueError("adapt \"%s\": none of all, last, biases, latent" % self.adapted)
        self.theta, self.rate = nn.Parameter(theta.clone()), nn.Parameter(rate.clone())
        self.basis = nn.Parameter(basis.clone()) if basis is not None else None
        if self.adapted == "latent" and self.basis is None:
            raise ValueError("adapt latent needs a basis [slots, D, n_params]")

    # -- files --

    @classmethod
    def from_tessera(cls, model: "_objects.Model") -> "Model":
        contents = model.contents()
        network, inner = Network(contents["network"]), contents["inner"]
        names = ("weight_rate", "bias_rate")
        if "inner/rate" in contents:
            rate = np.asarray(contents["inner/rate"], np.float32)
        else:
            rate = network.vector(contents, "inner", names, axes=2)
        basis = contents.get("init/basis")
        return cls(network.attributes, contents["partition"], inner, torch.from_numpy(network.vector(contents, "init")),
                   torch.from_numpy(rate), None if basis is None else torch.from_numpy(basis),
                   {name: contents[name] for name in ("partition/anchors", "partition/anchor_weights")
                    if name in contents})

    @classmethod
    def from_layers(cls, layers: Sequence[nn.Linear], *, omega_first: float = 30.0, omega_hidden: float = 30.0,
                    kind: str = "siren", inner_steps: int = 3, rate: float = 1e-2, rule: str = "whole",
                    coords: Tuple[float, float] = (-1.0, 1.0), sampling: str = "center", frame: str = "image",
                    output_offset: float = 0.0) -> "Model":
        """A network meta-learned elsewhere, given by its linear layers, which all regions start from; adapted by
        plain gradient steps of ``rate``. rule: "whole", "grid RxC" or "cell PxQ". What the coordinates were in
        training must be told: their range, ``sampling`` (edge, center, endpoints) and ``frame`` (image, region)."""
        name, *sizes = rule.replace("x", " ").split()
        keys = {"whole": (), "grid": ("rows", "cols"), "cell": ("cell_height", "cell_width")}.get(name)
        if keys is None or len(sizes) != len(keys):
            raise ValueError("rule \"%s\": expected whole, grid RxC or cell PxQ" % rule)
        network = dict(kind=kind, in_dim=layers[0].in_features, out_dim=layers[-1].out_features,
                       width=layers[0].out_features, hidden_layers=len(layers) - 2, omega_first=float(omega_first),
                       omega_hidden=float(omega_hidden), output_offset=float(output_offset), coord_lo=float(coords[0]),
                       coord_hi=float(coords[1]), coord_sampling=sampling, coord_frame=frame)
        partition = dict(zip(keys, map(int, sizes)), rule=name, slots="shared")
        theta = torch.cat([part.detach().reshape(-1) for layer in layers for part in (layer.weight, layer.bias)])
        return cls(network, partition, dict(steps=int(inner_steps), rates="fixed", adapt="all"), theta[None],
                   torch.tensor(float(rate)))

    def to_tessera(self) -> "_objects.Model":
        contents = {"network": self.network.attributes, "partition": self.partition, "inner": self.inner}
        contents.update(self.anchors)
        contents.update(self.network.arrays("init", self.theta))
        if self.adapted == "all" and str(self.inner["rates"]).startswith("per-param"):
            contents.update(self.network.arrays("inner", self.rate, ("weight_rate", "bias_rate")))
        else:
            contents["inner/rate"] = self.rate.detach().cpu().numpy().astype(np.float32)
        if self.basis is not None:
            contents["init/basis"] = self.basis.detach().cpu().numpy().astype(np.float32)
        return _objects.Model.from_contents(contents)

    # -- the inner loop --

    def _numbers(self) -> Tuple[Tensor, List[int]]:
        """Which parameters adapt (indices), and how many in each group that may share a rate."""
        network = self.network
        starts, sizes = [0] + network.ends[:-1], [b - a for a, b in zip([0] + network.ends, network.ends)]
        if self.adapted == "all":
            return torch.arange(network.n_params), [a + b for a, b in zip(sizes[::2], sizes[1::2])]
        if self.adapted == "last":
            return torch.arange(int(starts[-2]), network.n_params), [int(sizes[-2] + sizes[-1])]
        return (torch.cat([torch.arange(int(a), int(a + n)) for a, n in zip(starts[1::2], sizes[1::2])]),
                [int(n) for n in sizes[1::2]])

    def _rate(self, k: int, slot: Tensor) -> Tensor:
        """Rates of inner step k for regions of these slots, [regions, numbers] or [regions, 1]; past the last step
        those of the last."""
        rate = self.rate
        if rate.dim() == 0:
            return rate.reshape(1, 1)
        if rate.dim() == 2:
            rate = rate[..., None]
        rate = rate[min(k, len(rate) - 1)][slot]
        if self.inner["rates"] == "per-layer-per-step" and self.adapted != "latent":
            rate = rate.repeat_interleave(torch.tensor(self._numbers()[1], device=rate.device), -1)
        return rate

    def _scaled(self, k: int, slot: Tensor, gradient: Tensor) -> Tensor:
        """What inner step k takes from the numbers [batch, regions, numbers]."""
        n, kind = gradient.shape[-1], str(self.inner["rates"])
        if kind not in ("kron-per-layer-per-step", "full-per-step"):
            return self._rate(k, slot) * gradient
        rate, at, parts = self._rate(k, slot), 0, []

        def square(rows):
            nonlocal at
            at += rows * rows
            return rate[:, at - rows * rows:at].reshape(-1, rows, rows)

        groups = [(n, 1)] if kind == "full-per-step" or self.adapted == "latent" else self._groups()
        for group, (rows, columns) in zip(gradient.split([r * c for r, c in groups], -1), groups):
            inner = rows * (columns - 1)
            matrix = torch.cat([group[..., :inner].unflatten(-1, (rows, columns - 1)), group[..., inner:, None]], -1)
            matrix = square(rows) @ matrix
            if columns > 1:
                matrix = matrix @ square(columns)
            parts += [matrix[..., :-1].flatten(-2), matrix[..., -1]]
        return torch.cat(parts, -1)

    def _groups(self) -> List[Tuple[int, int]]:
        """Rows and columns of each group of numbers: weights of a layer, its biases as the last column."""
        ends = [0] + [int(end) for end in self.network.ends]
        layers = [(c - b, (c - a) // (c - b)) for a, b, c in zip(ends[:-2:2], ends[1:-1:2], ends[2::2])]
        return {"all": layers, "last": layers[-1:]}.get(self.adapted, [(rows, 1) for rows, _ in layers])

    def _start(self, slot: Tensor, batch: int) -> Tensor:
        theta = self.theta[slot].expand(batch, -1, -1)
        if self.adapted == "latent":
            return theta.new_zeros(batch, len(slot), self.basis.shape[1])
        return theta[..., self._numbers()[0].to(theta.device)]

    def _expand(self, z: Tensor, slot: Tensor) -> Tensor:
        """phi [batch, regions, n_params] of the adapted numbers."""
        if self.adapted == "all":
            return z
        theta = self.theta[slot].expand(len(z), -1, -1)
        if self.adapted == "latent":
            return theta + torch.einsum("brd,rdn->brn", z, self.basis[slot])
        return theta.index_copy(2, self._numbers()[0].to(z.device), z)

    def regions(self, height: int, width: int, labels: Optional[np.ndarray] = None) -> Geometry:
        return Geometry(self.network.attributes, self.partition, height, width, labels)

    def adapt(self, images: Tensor, inner_steps: Optional[int] = None, labels: Optional[np.ndarray] = None,
              create_graph: bool = False) -> Adapted:
        """Adapts to images [batch, height, width, channels] in 0..1 together. ``labels``, an integer array [height,
        width], are the regions of all of them, where the rule follows the image (of an INR of tessera's:
        ``inr.contents()["partition/labels"]``). What comes back is of each region the best of its steps, as from
        `tessera.Model.adapt`; with ``create_graph`` it is the last, which can be differentiated through the inner
        steps. More steps than trained repeat the last rates, plainly."""
        images = images.to(self.theta)
        batch, height, width, channels = images.shape
        geometry = self.regions(height, width, labels)
        pixel = torch.from_numpy(geometry.pixel).to(images.device)
        x, mask, weight = (torch.from_numpy(a).to(images) for a in (geometry.x, geometry.mask, geometry.weight))
        y = images.reshape(batch, height * width, channels)[:, pixel.reshape(-1)].reshape(
            (batch,) + tuple(pixel.shape) + (channels,))
        slot = torch.arange(geometry.n_regions, device=images.device)
        slot = slot * 0 if self.partition.get("slots", "shared") == "shared" else slot
        over = mask.new_tensor(float(height * width)) if self.inner.get("loss") == "image" else mask.sum(1).clamp(min=1)

        def picture(out):
            flat = (out * weight[..., None]).reshape(batch, -1, channels)
            whole = flat.new_zeros(batch, height * width, channels).index_add(1, pixel.reshape(-1), flat)
            return whole.reshape(images.shape)

        figures, steps = [], int(self.inner["steps"]) if inner_steps is None else inner_steps
        # What counts when steps are compared: a region's own pixels; of those that overlap, all that it sees.
        counts = mask if geometry.overlap else weight
        least, best = mask.new_full(mask.shape[:1], float("inf")).expand(batch, -1), None

        def look(z, out, least, best):
            """Notes the PSNR of a step, and which regions never were better."""
            with torch.no_grad():
                figures.append(-10 * torch.log10(((picture(out) - images).double() ** 2).mean((1, 2, 3))))
                error = (((out - y) ** 2).sum(-1) * counts).sum(-1)
                better = error < least
                return torch.where(better, error, least), z if best is None else torch.where(better[..., None], z, best)

        z = self._start(slot, batch)
        if not create_graph:
            z = z.detach()
        with torch.enable_grad():
            for k in range(steps):
                z = z if z.requires_grad else z.requires_grad_()
                out = self.network(self._expand(z, slot), x)
                least, best = look(z, out, least, best)
                error = (((out - y) ** 2).sum(-1) * mask).sum(-1) / (over * channels)
                # The sum's gradient is each region's own: no region sees another's numbers.
                gradient, = torch.autograd.grad(error.sum(), z, create_graph=create_graph)
                z = z - self._scaled(k, slot, gradient)
                if not create_graph:
                    z = z.detach()
        phi = self._expand(z, slot)
        out = self.network(phi, x)
        least, best = look(z, out, least, best)
        if not create_graph:
            phi = self._expand(best, slot)
            out = self.network(phi, x)
        return Adapted(picture(out), phi, torch.stack(figures, 1))

    def forward(self, images: Tensor, inner_steps: Optional[int] = None,
                labels: Optional[np.ndarray] = None) -> Tuple[Tensor, Tensor]:
        """Pictures and phi of adapted images, which can be differentiated through the inner steps."""
        adapted = self.adapt(images, inner_steps, labels, create_graph=True)
        return adapted.pictures, adapted.phi

    def inr(self, phi: Tensor, height: int, width: int, labels: Optional[np.ndarray] = None) -> INR:
        """One image's adapted parameters [regions, n_params] as an INR."""
        partition = {key: value for key, value in self.partition.items() if key != "slots"}
        partition.update(image_height=height, image_width=width)
        return INR(self.network.attributes, partition, phi.detach(), labels)
