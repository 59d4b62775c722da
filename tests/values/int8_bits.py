# SPDX-License-Identifier: BSD-3-Clause
"""Chips compute what they say: int8 logits are the twin's, bit by bit; fp32 logits are the oracle's but for rounding.

Usage int8_bits.py LOGITS [--only NAME]; LOGITS is the program of logits.c. Each case is compiled once. Its prompt goes
through prefill passes and, in other runs, token by token: all of it in int8, and the first tokens in fp32, where no
mask, address or cycle is another. LPUSIM_LONG: all of it in fp32, too.
"""
import argparse
import pathlib
import subprocess
import tempfile
from types import SimpleNamespace

import numpy as np

import int8_twin
import oracle
from program import IS_LONG, SUMS, random_model

KV_STEP, MOST_TILE_POSITIONS = 32, 320
# Of an fp32 logit, in standard deviations of the model's logits.
MOST_OFF_FP32 = 1e-4
# Of the runs in fp32 that take the prompt token by token.
FEW_TOKENS = 4


def case(name, *words, stages=1, group=1, bucket=64, tokens=36, prompt=34, vectors=0, cut=None, columns=()):
    """Words make the model; none: sums. Slices of so many vectors cut an MLP after `cut` inner columns of a chip.
    Columns: which of o and down are split by them."""
    return SimpleNamespace(name=name, words=words, stages=stages, group=group, bucket=bucket, tokens=tokens,
                           prompt=prompt, vectors=vectors, cut=cut, columns=columns)


CASES = [
    case("sums, split as in configs/sums.cfg", stages=2, group=4),
    case("two query heads a KV head", "--seed", "1"),
    case("a KV head for all", "--kv-heads", "1", "--vocab", "161", "--seed", "2", group=2),
    case("KV heads on four chips each", "--kv-heads", "2", "--vocab", "157", "--untied", "--layers", "1", "--seed", "3",
         group=8),
    case("qwen2: biases, head_dim 64", "--bias", "--heads", "4", "--kv-heads", "2", "--head-dim", "64", "--dtype",
         "BF16", "--seed", "4", group=2),
    case("hidden 700: three tiles", "--hidden", "700", "--heads", "14", "--kv-heads", "2", "--head-dim", "50", "--ffn",
         "1100", "--layers", "1", "--seed", "5", group=2, tokens=24, prompt=18),
    case("hidden 1696: six tiles", "--hidden", "1696", "--ffn", "352", "--layers", "1", "--seed", "6", tokens=24,
         prompt=18),
    case("three stages", "--layers", "3", "--dtype", "F16", "--vocab", "1000", "--untied", "--bias", "--seed", "7",
         stages=3),
    case("three stages on three nodes", "--layers", "3", "--seed", "8", stages=3, group=4, tokens=20, prompt=18),
    case("four of 22 tiles of the cache", "--kv-heads", "2", "--layers", "1", "--seed", "9", bucket=704, tokens=100,
         prompt=98),
    case("no logit above zero, shares of the vocabulary padded", "--untied", "--below-zero", "--vocab", "157",
         "--layers", "1", "--seed", "11", group=8, tokens=12, prompt=10),
    case("a chip whose share of the vocabulary is empty", "--untied", "--vocab", "9", "--layers", "1", "--seed", "12",
         group=4, tokens=12, prompt=10),
    case("chips whose share would begin beyond the vocabulary", "--vocab", "17", "--layers", "1", "--seed", "13",
         group=8, tokens=12, prompt=10),
    case("a llama with all biases", "--all-biases", "--seed", "23", group=2),
    case("all biases on one chip, two tiles of inner columns", "--all-biases", "--ffn", "352", "--layers", "1", "--seed",
         "24", tokens=20, prompt=18),
    case("qwen3: norms of heads, a window in the second layer", "--family", "qwen3", "--window", "20", "--window-from",
         "1", "--seed", "14", group=2),
    case("mistral: a window inside a pass", "--family", "mistral", "--window", "7", "--layers", "1", "--seed", "15",
         bucket=128),
    case("mixtral", "--family", "mixtral", "--seed", "16", tokens=24, prompt=18),
    case("qwen3_moe: five of twelve experts on two chips", "--family", "qwen3_moe", "--experts", "12",
         "--experts-per-token", "5", "--expert-ffn", "48", "--seed", "17", group=2, tokens=24, prompt=18),
    case("experts weighed by the softmax of all logits", "--family", "qwen3_moe", "--plain-weights", "--seed", "25",
         group=2, tokens=24, prompt=18),
    case("qwen2_moe: a shared expert", "--family", "qwen2_moe", "--seed", "26", group=2, tokens=24, prompt=18),
    case("a shared expert of two tiles in two stages", "--family", "qwen2_moe", "--hidden", "700", "--heads", "4",
         "--head-dim", "40", "--shared-ffn", "1200", "--seed", "27", stages=2, group=2, tokens=20, prompt=18),
    case("wide experts: two tiles of each", "--family", "mixtral", "--hidden", "700", "--heads", "4", "--head-dim", "40",
         "--layers", "1", "--expert-ffn", "1600", "--experts", "4", "--seed", "18", group=4, tokens=20, prompt=18),
    case("gpt_oss on eight chips", "--family", "gpt_oss", "--yarn", "4", "--window", "20", "--kv-heads", "2",
         "--expert-ffn", "64", "--experts-per-token", "4", "--seed", "19", group=8, tokens=24, prompt=18),
    case("gpt_oss in two stages", "--family", "gpt_oss", "--yarn", "8", "--window", "9", "--layers", "3", "--expert-ffn",
         "64", "--seed", "20", stages=2, group=2, tokens=24, prompt=18),
    case("experts cut in two", "--family", "mixtral", "--hidden", "700", "--heads", "4", "--head-dim", "40", "--layers",
         "1", "--expert-ffn", "1600", "--experts", "4", "--seed", "21", stages=4, tokens=20, prompt=18, vectors=900,
         cut=816),
    case("an MLP cut in two", "--hidden", "700", "--heads", "4", "--head-dim", "40", "--layers", "1", "--ffn", "1600",
         "--seed", "22", stages=4, tokens=20, prompt=18, vectors=325, cut=960),
    case("o by columns, split as in configs/sums.cfg", stages=2, group=4, tokens=20, prompt=18, columns=("o",)),
    case("both by columns, a KV head for all", "--kv-heads", "1", "--vocab", "161", "--layers", "1", "--seed", "28",
         group=2, tokens=20, prompt=18, columns=("o", "down")),
    case("down by columns on eight chips, of which five have a tile", "--hidden", "1600", "--heads", "8", "--kv-heads",
         "2", "--head-dim", "40", "--ffn", "704", "--layers", "1", "--seed", "29", group=8, tokens=12, prompt=10,
         columns=("down",)),
    case("both by columns, four KV heads a chip, nine tiles", "--hidden", "2800", "--heads", "16", "--kv-heads", "8",
         "--head-dim", "40", "--ffn", "704", "--layers", "1", "--seed", "30", group=2, tokens=12, prompt=10,
         columns=("o", "down")),
    case("both by columns, all biases, many KV heads", "--all-biases", "--heads", "16", "--kv-heads", "16",
         "--head-dim", "16", "--layers", "1", "--seed", "31", group=4, tokens=12, prompt=10, columns=("o", "down")),
    case("both by columns, 32 KV heads on eight chips", "--heads", "32", "--kv-heads", "32", "--head-dim", "16",
         "--layers", "1", "--seed", "34", group=8, tokens=12, prompt=10, columns=("o", "down")),
    case("an MLP cut in two, both by columns", "--hidden", "700", "--heads", "4", "--head-dim", "40", "--layers", "1",
         "--ffn", "3200", "--seed", "35", stages=4, group=2, tokens=12, prompt=10, vectors=440, cut=960,
         columns=("o", "down")),
    case("o by columns with a window and norms of heads", "--family", "qwen3", "--window", "8", "--window-from", "1",
         "--seed", "32", group=4, tokens=20, prompt=18, columns=("o",)),
    case("o of a mixture by columns", "--family", "gpt_oss", "--yarn", "4", "--window", "9", "--kv-heads", "2",
         "--layers", "1", "--expert-ffn", "64", "--experts-per-token", "4", "--seed", "33", group=8, tokens=12,
         prompt=10, columns=("o",)),
    case("a full bucket", "--layers", "1", "--untied", "--vocab", "33", "--seed", "10", tokens=64, prompt=49, group=4),
]


def tile_positions(bucket):
    """The compiler takes the fewest, even number of equal tiles."""
    for tiles in range(2, bucket, 2):
        positions = bucket // tiles
        if bucket % tiles == 0 and positions % KV_STEP == 0 and positions <= MOST_TILE_POSITIONS:
            return positions
    raise ValueError(f"a bucket of {bucket} positions has no tiles")


def runs_of(one):
    """Numerics, prompt tokens and tokens of each run of a case."""
    few = one.tokens if IS_LONG else FEW_TOKENS
    return [("int8", one.prompt, one.tokens), ("fp32", one.prompt, one.tokens), ("int8", 1, one.tokens), ("fp32", 1, few)]


def chip_logits(program, folder, one, ids):
    """For each run [step, vocabulary] of the steps from the last token of the prompt on."""
    file = folder / "logits.bin"
    words = [program, one.folder, file, one.stages, one.group, one.bucket, one.vectors,
             ",".join(one.columns) or "none", ",".join(map(str, ids))]
    runs = [":".join(map(str, run)) for run in runs_of(one)]
    done = subprocess.run([*map(str, words), *runs], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{one.name}: status {done.returncode}\n{done.stdout}{done.stderr}"
    steps = np.cumsum([tokens - prompt + 1 for _, prompt, tokens in runs_of(one)])
    return np.split(np.fromfile(file, np.float32).reshape(steps[-1], -1), steps[:-1])


def check_bits(found, expected, what):
    """Each number is a float16, and the same one; a zero has its sign."""
    halves = found.astype(np.float16)
    assert (halves.astype(np.float32).view(np.uint32) == found.view(np.uint32)).all(), f"{what}: more than float16"
    other = np.argwhere(halves.view(np.uint16) != expected.view(np.uint16))
    assert len(other) == 0, (f"{what}: {len(other)} of {found.size} logits differ, the first in step {other[0][0]}, "
                             f"token {other[0][1]}: {halves[tuple(other[0])]} and {expected[tuple(other[0])]}")


def check_close(found, exact, what):
    """Near the oracle, and the same choice of a token; returns the greatest error in standard deviations."""
    off = np.abs(found - exact).max() / exact.std()
    assert off <= MOST_OFF_FP32, f"{what}: a logit is off by {off:.2e} standard deviations"
    assert (found.argmax(axis=1) == exact.argmax(axis=1)).all(), f"{what}: another token"
    return off


def report(one, found, exact, worst):
    """How far int8 is off the oracle is reported, not bounded."""
    off = np.abs(found.astype(np.float64) - exact)
    same = (found.argmax(axis=1) == exact.argmax(axis=1)).sum()
    print(f"{one.name}: {one.stages} x {one.group} chips, {len(found)} steps, logits of spread {exact.std():.2f}; fp32 "
          f"off by {worst:.1e} of it; int8 the twin's bits, off by {off.max():.3f} at most, "
          f"{np.sqrt((off ** 2).mean()):.4f} rms, {same} tokens the oracle's", flush=True)


def check(program, one, scratch):
    one.folder = random_model(scratch / "model", *one.words) if one.words else SUMS
    model = oracle.load(one.folder)
    ids = np.random.default_rng(7).integers(0, model.config.vocabulary, one.tokens).tolist()
    exact = model.logits(ids)
    expected = int8_twin.Twin(one.folder, one.group, tile_positions(one.bucket), one.cut,
                              one.columns).logits(ids)
    worst = []
    for (numerics, prompt, tokens), found in zip(runs_of(one), chip_logits(program, scratch, one, ids)):
        what = f"{one.name}, {numerics}, {'prefill' if prompt > 1 else 'one by one'}"
        if numerics == "int8":
            check_bits(found, expected[prompt - 1:tokens], what)
        else:
            worst.append(check_close(found, exact[prompt - 1:tokens], what))
    report(one, expected, exact, max(worst))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--only", default="", help="cases with this in their name")
    options = parser.parse_args()
    chosen = [one for one in CASES if options.only in one.name]
    assert chosen, f"no case is called {options.only!r}"
    for one in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            check(options.program, one, pathlib.Path(scratch))


if __name__ == "__main__":
    main()
