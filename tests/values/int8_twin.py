# SPDX-License-Identifier: BSD-3-Clause
"""Runs a model in the LPU's own int8 arithmetic, bit by bit: usage int8_twin.py FOLDER --ids ...

What is fixed here is every rounding and the order of every sum. Rows between operations are float16; an operation
widens them to float32 and rounds once for each multiplication and addition. Only the reader of files is the oracle's.
"""
import math
import pathlib

import numpy as np

from oracle import arguments, read_config, read_weights, rope_frequencies, rope_gain

LANES, QUADS, BLOCK = 320, 4, 16
# Those of which each chip has whole outputs.
MATRICES = ("q", "k", "v", "gate", "up", "router", "shared_gate", "shared_up", "shared_router")
ONE_127TH = np.float32(1 / 127)


def f16(x):
    return x.astype(np.float16)


def wide(x):
    return np.asarray(x).astype(np.float32)


def product(a, b, immediate=1):
    """(a * b) * immediate, rounded twice."""
    return a * b * np.float32(immediate)


def each(function, x):
    """A function of libm in float64, rounded to float32."""
    return np.array([function(value) for value in x.ravel().tolist()]).astype(np.float32).reshape(x.shape)


def rsqrt(x):
    return each(lambda value: 1 / math.sqrt(value) if value else 0.0, x)


def running_sum(terms):
    """Over the first index, one term after the other, from +0: a term of 0 changes nothing."""
    total = np.zeros_like(terms[0])
    for term in terms:
        total = total + term
    return total


def side_sums(terms, tile_positions):
    """Over positions: tiles go west and east in turn; a side adds up sums of half a tile."""
    sides = [np.zeros_like(terms[0]), np.zeros_like(terms[0])]
    half = tile_positions // 2
    for first in range(0, len(terms), half):
        side = first // tile_positions % 2
        sides[side] = sides[side] + running_sum(terms[first:first + half])
    return sides[0] + sides[1]


def half_not_below(x):
    """The smallest float16 that is at least x, a float64."""
    nearest = f16(x)
    return np.where(nearest.astype(np.float64) < x, np.nextafter(nearest, np.float16(np.inf)), nearest)


class Matrix:
    """Weights [output, input] as int8 with a float16 scale for each output; kept wide, all values are exact."""

    def __init__(self, weights):
        peak = np.abs(weights).max(axis=1)
        scale = np.where(peak == 0, 1.0, half_not_below(peak / 127).astype(np.float64))
        self.w8 = np.clip(np.rint(weights / scale[:, None]), -127, 127)
        self.scale = wide(scale)

    def times(self, x8, row_scale, bias=None):
        """Of rows x8[row, input], integers in float64 as their sums are: both exact."""
        sums = wide(x8 @ self.w8.T)
        out = f16(product(product(sums, self.scale, ONE_127TH), wide(row_scale)[:, None]))
        return out if bias is None else f16(wide(out) + wide(bias))


def int8_rows(rows):
    """Each row as int8 (integers in float64), and its greatest magnitude."""
    peak = np.abs(rows).max(axis=-1)
    root = rsqrt(wide(peak))
    x8 = np.rint(product(wide(rows), product(root, root)[:, None]) * np.float32(127))
    return np.clip(x8, -127, 127).astype(np.float64), peak


def rotated(heads, cos, sin):
    """heads[row, head, lane]: each lane by the cosine, plus the other half's lane by the sine, negative in the low half."""
    low, high = np.split(wide(heads), 2, axis=-1)
    swapped = np.concatenate([high, low], axis=-1)
    cos, sin = np.concatenate([cos, cos], axis=-1)[:, None], np.concatenate([-sin, sin], axis=-1)[:, None]
    return f16(wide(heads) * wide(cos) + swapped * wide(sin))


def head_normed(heads, gain, epsilon):
    """heads[row, head, lane], each by its root mean square and a gain for each lane."""
    squares = wide(f16(product(wide(heads), wide(heads), 2.0 ** -6)))
    mean = running_sum(np.moveaxis(squares, -1, 0)) * np.float32(64 / heads.shape[-1])
    root = wide(f16(rsqrt(mean + np.float32(epsilon))))
    return f16(product(wide(heads), root[..., None]) * wide(gain))


def attended(queries, keys, values, tile_positions, window=None, sinks=None):
    """queries[n, head, lane] of the last n positions at keys and values [position, head, lane] up to the query's own, of
    which a window counts in its own; a head's sink adds to its denominator alone."""
    shared = queries.shape[1] // keys.shape[1]
    keys = np.repeat(wide(keys), shared, axis=1)[:, None]
    values = np.repeat(wide(values), shared, axis=1)[:, None]
    scores = wide(f16(running_sum(np.moveaxis(wide(queries) * keys, -1, 0))))
    behind = np.arange(len(keys) - len(queries), len(keys)) - np.arange(len(keys))[:, None]
    scores[(behind < 0) | (behind >= (window or len(keys)))] = -np.inf
    most = scores.max(axis=0) if sinks is None else np.maximum(scores.max(axis=0), wide(sinks))
    weights = wide(f16(each(math.exp, scores - most)))[..., None]
    above, below = side_sums(weights * values, tile_positions), side_sums(weights, tile_positions)
    if sinks is not None:
        below = below + wide(f16(each(math.exp, wide(sinks) - most)))[..., None]
    root = rsqrt(below)
    return f16(product(product(above, root), root))


def combined(partial_rows, rows, bias=None):
    """The chips' rows added as a tree, then those of the residual stream, and a bias."""
    terms = [wide(partial) for partial in partial_rows]
    while len(terms) > 1:
        terms = [terms[i] + terms[i + 1] for i in range(0, len(terms), 2)]
    total = terms[0] + wide(rows)
    return f16(total if bias is None else total + wide(bias))


def gated(gate, up):
    tanh = each(math.tanh, wide(gate) * np.float32(0.5))
    half = product(wide(gate), wide(up), 0.5)
    return f16(half * tanh + half)


def clamped(gate, up, limit, alpha):
    """The gate of a gpt_oss; its sigmoid is half of 1 + tanh."""
    limit = wide(f16(np.float64(limit)))
    gate = -np.maximum(-wide(gate), -limit)
    up = np.maximum(-np.maximum(-wide(up), -limit), -limit)
    half = gate * np.float32(0.5)
    return f16((half * each(math.tanh, -gate * (np.float32(-0.5) * np.float32(alpha))) + half) * (up + np.float32(1)))


def shares(logits, order, normalises):
    """Softmax of one row's chosen logits, the greatest first, or of all."""
    powers = each(math.exp, wide(logits) - wide(logits[order[0]]))
    counted = powers[order] if normalises else wide(f16(powers))
    root = wide(f16(rsqrt(running_sum(counted[:, None]))))
    return f16(product(wide(f16(powers[order])), root) * root)


def split_inputs(weights, group):
    """Each chip's share of the input columns, quantised by itself."""
    return [Matrix(share) for share in np.split(weights, group, axis=1)]


def pieces(inner, group, cut, whole=False):
    """[piece][chip] of inner columns along the last axis: all of a chip's, or those before and behind the cut; whole:
    the chips' side by side, as one."""
    parts = np.split(inner, group, axis=-1)
    cuts = [parts] if cut is None else [[part[..., :cut] for part in parts], [part[..., cut:] for part in parts]]
    return [[np.concatenate(parts, axis=-1)] for parts in cuts] if whole else cuts


class Twin:
    """group: chips that share a layer; tile_positions: cache positions of a tile of keys or values; cut: inner columns
    of a chip in the first of two pieces of an MLP, which is quantised and added by itself; columns: which of o and down
    are split by their outputs, so that their inputs are quantised as one row."""

    def __init__(self, folder, group, tile_positions, cut=None, columns=()):
        folder = pathlib.Path(folder)
        self.config, self.group, self.tile_positions, self.cut = read_config(folder), group, tile_positions, cut
        self.columns = columns
        kv_heads = self.config.kv_heads
        weights = read_weights(folder, self.config)
        width = weights.layers[0]["expert_gate" if self.config.experts else "gate"].shape[-2]
        if self.config.heads % group or width % group or (kv_heads % group and group % kv_heads):
            raise ValueError(f"{folder}: heads, KV heads or FFN do not split over {group} chips")
        self.frequencies, self.gain = rope_frequencies(self.config), rope_gain(self.config)
        self.embedding = Matrix(weights.embedding.T)
        self.layers = [self.prepared(layer) for layer in weights.layers]
        self.norm, self.head = f16(weights.norm), Matrix(weights.head)
        empty = np.zeros((0, kv_heads, self.config.head_dim), np.float16)
        self.cache = [(empty, empty) for _ in self.layers]

    def prepared(self, layer):
        """The layer as the chips hold it; the queries' weights and bias, or the gains of their norm, bring the scale of
        the scores."""
        scale = 1 / math.sqrt(self.config.head_dim)
        bringing = ("q_norm",) if "q_norm" in layer else ("q", "q_bias")
        layer = {**layer, **{name: layer[name] * scale for name in bringing if name in layer}}
        ready = {name: Matrix(layer[name]) for name in MATRICES if name in layer}
        ready["o"] = split_inputs(layer["o"], 1 if "o" in self.columns else self.group)
        if "shared_down" in layer:
            ready["shared_down"] = split_inputs(layer["shared_down"], self.group)
        if "down" in layer:
            ready["down"] = self.in_pieces(layer["down"], "down" in self.columns)
        ready.update({name: [Matrix(one) for one in layer[name]] for name in ("expert_gate", "expert_up") if name in layer})
        if "expert_down" in layer:
            ready["expert_down"] = [self.in_pieces(one) for one in layer["expert_down"]]
        ready.update({name: f16(array) for name, array in layer.items() if name.endswith(("_norm", "_bias", "sinks"))})
        return ready

    def in_pieces(self, weights, whole=False):
        return [[Matrix(part) for part in parts] for parts in pieces(weights, self.group, self.cut, whole)]

    def logits(self, ids):
        """float16 [len(ids), vocabulary]; ids follow the positions that are in the cache, and join them."""
        rows = f16(wide(self.embedding.w8[:, ids].T) * self.embedding.scale)
        for n, layer in enumerate(self.layers):
            rows = self.after_attention(n, layer, rows)
            rows = self.after_mlp(layer, rows)
        return self.head.times(*self.normed(rows, self.norm))

    def normed(self, rows, gain):
        """int8 rows do not depend on the root mean square; their scales do."""
        x8, peak = int8_rows(f16(product(wide(rows), wide(gain))))
        root = f16(rsqrt(self.mean_square(rows) + np.float32(self.config.epsilon)))
        return x8, f16(product(wide(peak), wide(root)))

    def mean_square(self, rows):
        """Tiles are dealt to four quads, which add up lane by lane; lanes are added in two halves."""
        tiles = math.ceil(self.config.hidden / LANES)
        columns = BLOCK * math.ceil(math.ceil(self.config.hidden / tiles) / BLOCK)
        places = math.ceil(tiles / QUADS)
        squares = np.zeros((places * QUADS, LANES, len(rows)), np.float32)
        tile, lane = np.divmod(np.arange(self.config.hidden), columns)
        squares[tile, lane] = product(wide(rows), wide(rows), 2.0 ** -6).T
        lanes = np.zeros(squares.shape[1:], np.float32)
        for quads in squares.reshape(places, QUADS, *lanes.shape):
            lanes = lanes + (quads[0] + quads[1])
            lanes = lanes + (quads[2] + quads[3])
        west, east = (running_sum(half) for half in np.split(wide(f16(lanes)), 2))
        return (west + east) * np.float32(64 / self.config.hidden)

    def after_attention(self, n, layer, rows):
        x = self.normed(rows, layer["attention_norm"])
        q, k, v = (self.heads(layer, name, x) for name in "qkv")
        first = len(self.cache[n][0])
        angles = np.arange(first, first + len(rows))[:, None] * self.frequencies
        cos, sin = f16(self.gain * np.cos(angles)), f16(self.gain * np.sin(angles))
        keys = np.concatenate([self.cache[n][0], rotated(k, cos, sin)])
        values = np.concatenate([self.cache[n][1], v])
        self.cache[n] = keys, values
        out = attended(rotated(q, cos, sin), keys, values, self.tile_positions, self.config.windows[n],
                       layer.get("sinks"))
        return self.shared_product(layer["o"], out.reshape(len(rows), -1), rows, layer.get("o_bias"))

    def heads(self, layer, name, x):
        heads = layer[name].times(*x, layer.get(f"{name}_bias")).reshape(len(x[0]), -1, self.config.head_dim)
        gain = layer.get(f"{name}_norm")
        return heads if gain is None else head_normed(heads, gain, self.config.epsilon)

    def after_mlp(self, layer, rows):
        x = self.normed(rows, layer["mlp_norm"])
        if self.config.experts:
            alone = [slice(n, n + 1) for n in range(len(rows))]
            return np.concatenate([self.after_experts(layer, (x[0][n], x[1][n]), rows[n]) for n in alone])
        gate, up = (layer[name].times(*x, layer.get(f"{name}_bias")) for name in ("gate", "up"))
        inner = pieces(gated(gate, up), self.group, self.cut, "down" in self.columns)
        for matrices, parts in zip(layer["down"], inner):
            rows = combined([matrix.times(*int8_rows(part)) for matrix, part in zip(matrices, parts)], rows,
                            layer.get("down_bias"))
        return rows

    def shared_product(self, matrices, inputs, rows, bias=None):
        """Each chip quantises its own share of the inputs and multiplies it by its share of the weights; of one share,
        all of them."""
        parts = np.split(inputs, len(matrices), axis=-1)
        return combined([matrix.times(*int8_rows(part)) for matrix, part in zip(matrices, parts)], rows, bias)

    def after_experts(self, layer, x, row):
        """Of one row: each chip adds up what its shares of the chosen experts give, by their weights; the first has the
        biases."""
        logits = layer["router"].times(*x)[0]
        logits = f16(wide(logits) + wide(layer.get("router_bias", np.float16(0))))
        order = np.argsort(-wide(logits), kind="stable")[:self.config.experts_per_token]
        weights = shares(logits, order, self.config.normalises)
        given = [self.one_expert(layer, e, x) for e in order]
        shared = self.shared_expert(layer, x)
        for piece in range(len(given[0])):
            sums = [f16(running_sum([wide(one[piece][rank]) * wide(weight) for one, weight in zip(given, weights)]))
                    for rank in range(self.group)]
            row = combined([f16(wide(mine) + wide(other)) for mine, other in zip(sums, shared)] if shared else sums, row)
        return row

    def shared_expert(self, layer, x):
        """[chip] of what it gives, by its weight, in float32; None: there is none."""
        if "shared_gate" not in layer:
            return None
        logit = wide(layer["shared_router"].times(*x))
        weight = f16((each(math.tanh, logit * np.float32(0.5)) + np.float32(1)) * np.float32(0.5))
        inner = gated(layer["shared_gate"].times(*x), layer["shared_up"].times(*x))
        return [wide(matrix.times(*int8_rows(part))) * wide(weight)
                for matrix, part in zip(layer["shared_down"], np.split(inner, self.group, axis=-1))]

    def one_expert(self, layer, e, x):
        """[piece][chip] of what it gives."""
        def bias(name):
            return layer[name][e] if name in layer else None

        gate = layer["expert_gate"][e].times(*x, bias("expert_gate_bias"))
        up = layer["expert_up"][e].times(*x, bias("expert_up_bias"))
        limit = self.config.gate_limit
        inner = gated(gate, up) if limit is None else clamped(gate, up, limit, self.config.gate_alpha)
        return [[matrix.times(*int8_rows(part), bias("expert_down_bias") if rank == 0 else None)
                 for rank, (matrix, part) in enumerate(zip(matrices, parts))]
                for matrices, parts in zip(layer["expert_down"][e], pieces(inner, self.group, self.cut))]


def decode(twin, ids, count, end_tokens=()):
    """At most count new ids, as the oracle's greedy, and the logits [step, vocabulary] of prompt and new ids."""
    logits, new = [twin.logits(ids)], []
    while True:
        new.append(int(logits[-1][-1].argmax()))
        if len(new) == count or new[-1] in end_tokens:
            return new, np.concatenate(logits)
        logits.append(twin.logits(new[-1:]))


def greedy(twin, ids, count, end_tokens=()):
    return decode(twin, ids, count, end_tokens)[0]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--group", type=int, default=1, help="chips that share a layer: 1, 2, 4 or 8")
    parser.add_argument("--tile-positions", type=int, required=True, help="positions of a tile of the cache")
    parser.add_argument("--logits", type=pathlib.Path, help="an .npy file for float16 logits [step, vocabulary]")
    options = parser.parse_args()
    twin = Twin(options.folder, options.group, options.tile_positions)
    new, logits = decode(twin, options.ids, options.count, options.end)
    if options.logits:
        with options.logits.open("wb") as file:
            np.save(file, logits)
    print(*new)


if __name__ == "__main__":
    main()
