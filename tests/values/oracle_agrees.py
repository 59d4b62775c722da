# SPDX-License-Identifier: BSD-3-Clause
"""The oracle agrees with a second formulation and with public greedy ids, and the int8 twin stays close to it."""
import cmath
import json
import math
import pathlib
import tempfile

import numpy as np

import int8_twin
import make_model
import oracle
import program

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
PROMPT = [1, 403, 407, 261, 378]
STEPS, TILE_POSITIONS = 40, 256
# Greatest and root mean square difference of a logit of stories260K, whose logits have a standard deviation of 7.4.
MOST_OFF, MOST_OFF_RMS = 1.0, 0.25


def random_model(folder, *words):
    return oracle.load(program.random_model(folder, *words))


def slow_frequency(config, pair):
    """By wavelength, as llama3 scaling is written down."""
    frequency = config.theta ** (-2 * pair / config.head_dim)
    if not config.rope:
        return frequency
    wavelength, whole = 2 * math.pi / frequency, config.rope["original_max_position_embeddings"]
    low, high, factor = (config.rope[key] for key in ("low_freq_factor", "high_freq_factor", "factor"))
    if wavelength < whole / high:
        return frequency
    if wavelength > whole / low:
        return frequency / factor
    smooth = (whole / wavelength - low) / (high - low)
    return (1 - smooth) * frequency / factor + smooth * frequency


def slow_norm(row, gain, epsilon):
    return row * gain / math.sqrt(sum(x * x for x in row) / len(row) + epsilon)


def slow_turn(head, position, config):
    """Lanes i and i + half as one complex number."""
    half, turned = len(head) // 2, head.copy()
    for i in range(half):
        z = complex(head[i], head[i + half]) * cmath.exp(1j * position * slow_frequency(config, i))
        turned[i], turned[i + half] = z.real, z.imag
    return turned


def slow_head(query, keys, values):
    weights = [math.exp(query @ key / math.sqrt(len(query))) for key in keys]
    return sum(weight * value for weight, value in zip(weights, values)) / sum(weights)


def slow_attention(layer, rows, config):
    """One output row for each row, head by head."""
    def heads(name, row):
        return np.split(layer[name] @ row + layer.get(f"{name}_bias", 0), len(layer[name]) // config.head_dim)

    x = [slow_norm(row, layer["attention_norm"], config.epsilon) for row in rows]
    keys = [[slow_turn(head, p, config) for head in heads("k", row)] for p, row in enumerate(x)]
    values = [heads("v", row) for row in x]
    shared = config.heads // config.kv_heads
    for p, row in enumerate(x):
        seen = slice(0, p + 1)
        mixed = [slow_head(slow_turn(query, p, config), [key[h // shared] for key in keys[seen]],
                           [value[h // shared] for value in values[seen]])
                 for h, query in enumerate(heads("q", row))]
        yield layer["o"] @ np.concatenate(mixed)


def slow_mlp(layer, row, config):
    x = slow_norm(row, layer["mlp_norm"], config.epsilon)
    hidden = [g / (1 + math.exp(-g)) * u for g, u in zip(layer["gate"] @ x, layer["up"] @ x)]
    return layer["down"] @ np.array(hidden)


def slow_logits(model, ids):
    config, weights = model.config, model.weights
    rows = [weights.embedding[token] for token in ids]
    for layer in weights.layers:
        rows = [row + out for row, out in zip(rows, slow_attention(layer, rows, config))]
        rows = [row + slow_mlp(layer, row, config) for row in rows]
    return np.array([weights.head @ slow_norm(row, weights.norm, config.epsilon) for row in rows])


def check_formulations(model):
    """All at once, in pieces through the cache, and slowly: the same logits."""
    ids = np.random.default_rng(7).integers(0, model.config.vocabulary, 24).tolist()
    whole = model.logits(ids)
    cache = model.new_cache()
    pieces = [model.logits(piece, cache) for piece in (ids[:9], ids[9:10], ids[10:11], ids[11:])]
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-11)
    np.testing.assert_allclose(slow_logits(model, ids), whole, rtol=0, atol=1e-11)


def check_head_order(model):
    """KV heads with their query heads in reverse order give the same logits."""
    ids, before = [3, 1, 4, 1, 5, 9], model.logits([3, 1, 4, 1, 5, 9])
    for layer in model.weights.layers:
        for name in ("q", "q_bias", "k", "k_bias", "v", "v_bias"):
            blocks = layer[name].reshape(model.config.kv_heads, -1, *layer[name].shape[1:])
            layer[name] = blocks[::-1].reshape(layer[name].shape)
        blocks = layer["o"].reshape(model.config.hidden, model.config.kv_heads, -1)
        layer["o"] = blocks[:, ::-1].reshape(layer["o"].shape)
    np.testing.assert_allclose(model.logits(ids), before, rtol=0, atol=1e-11)


def check_types(folder):
    """Each stored type reads back as the drawn values, rounded."""
    drawn = make_model.random_tensors(make_model.parse([str(folder)]))["model.embed_tokens.weight"]
    for dtype, bits in (("F32", 24), ("F16", 11), ("BF16", 8)):
        read = random_model(folder, "--dtype", dtype).weights.embedding
        mantissa = np.frexp(read)[0] * 2.0 ** bits
        normal = np.abs(read) > 2.0 ** -14
        assert (mantissa == np.rint(mantissa)).all() and (read != drawn).any(), dtype
        assert (np.abs(read / drawn - 1)[normal] <= 2.0 ** -bits).all(), dtype


def check_random_models(folder):
    check_formulations(random_model(folder, "--seed", "2"))
    model = random_model(folder, "--bias", "--untied", "--kv-heads", "2", "--head-dim", "16", "--dtype", "BF16")
    check_formulations(model)
    check_head_order(model)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rope_scaling": LLAMA3}))
    check_formulations(oracle.load(folder))
    check_types(folder)


def agreeing(found, expected):
    """How many ids agree, and the first place where they do not."""
    equal = [a == b for a, b in zip(found, expected)]
    return f"{sum(equal)} of {len(equal)} ids agree, the first {[*equal, False].index(False)} without a gap"


def compare_twin(folder, model, expected):
    """Both get the expected ids; the greatest and the mean difference are bounded, free decoding is reported."""
    ids = (PROMPT + expected)[:-1]
    exact = model.logits(ids)
    for group in (1, 2, 4):
        twin = int8_twin.Twin(folder, group, TILE_POSITIONS)
        logits = twin.logits(ids).astype(np.float64)
        off = np.abs(logits - exact)
        rms = math.sqrt((off[:STEPS] ** 2).mean())
        free = int8_twin.greedy(int8_twin.Twin(folder, group, TILE_POSITIONS), PROMPT, len(expected))
        forced = logits[len(PROMPT) - 1:].argmax(axis=1)
        print(f"int8 twin, group {group}: off by at most {off[:STEPS].max():.3f}, rms {rms:.4f} in {STEPS} steps, "
              f"at most {off.max():.3f} in all; given ids: {agreeing(forced, expected)}; "
              f"free: {agreeing(free, expected)}")
        assert off[:STEPS].max() <= MOST_OFF and rms <= MOST_OFF_RMS


def check_stories(folder):
    expected = oracle.id_list((folder / "greedy_ids.txt").read_text())
    model = oracle.load(folder)
    found = oracle.greedy(model, PROMPT, len(expected))
    assert found == expected, agreeing(found, expected)
    print(f"oracle: all {len(found)} public greedy ids")
    compare_twin(folder, model, expected)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        check_random_models(pathlib.Path(scratch))
    print("oracle: the formulations agree")
    check_stories(program.stories())


if __name__ == "__main__":
    main()
