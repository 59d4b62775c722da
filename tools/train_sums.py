# SPDX-License-Identifier: BSD-3-Clause
"""Trains the model in configs/models/sums, which continues "347+585=" with "932"; --check only evaluates it."""
import argparse
import json
import math
import pathlib
import struct
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    sys.exit("train_sums.py needs PyTorch: apt-get install --no-install-recommends python3-torch libopenblas0-openmp")

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "configs" / "models" / "sums"
PIECES = ["<unk>", "<s>", "</s>", *"0123456789+=", " "]
UNK, BOS, EOS = 0, 1, 2
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 8,
    "vocab_size": len(PIECES),
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "torch_dtype": "float32",
}
OPERANDS = 1000  # operands are 0 ... 999
LENGTH = 14  # tokens of the longest sum: <s>999+999=1998</s>
HELD_OUT = 50  # one sum in so many is kept for the evaluation
IGNORED = -100  # target of a place that does not count in the loss
SEED = 20
WARMUP = 200
EXAMPLES = ("347+585=", "999+1=", "86+7=")


class Norm(nn.Module):
    """Divides by the root mean square and scales."""

    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config["hidden_size"]))
        self.eps = config["rms_norm_eps"]

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rotary_tables(config):
    """Cosine and sine for every position; both halves of a head turn by the same angles."""
    half = config["head_dim"] // 2
    speed = config["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(config["max_position_embeddings"], dtype=torch.float64)[:, None] * speed
    angle = torch.cat((angle, angle), -1)
    return angle.cos().float(), angle.sin().float()


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Attention(nn.Module):
    """Causal attention in which several query heads share one head of keys and values."""

    def __init__(self, config):
        super().__init__()
        hidden, self.head = config["hidden_size"], config["head_dim"]
        self.heads, self.shared = config["num_attention_heads"], config["num_key_value_heads"]
        self.q_proj = nn.Linear(hidden, self.heads * self.head, bias=False)
        self.k_proj = nn.Linear(hidden, self.shared * self.head, bias=False)
        self.v_proj = nn.Linear(hidden, self.shared * self.head, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head, hidden, bias=False)

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        q = self.q_proj(x).view(batch, length, self.heads, self.head).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, self.shared, self.head).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, self.shared, self.head).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        group = self.heads // self.shared
        q = q.reshape(batch, self.shared, group * length, self.head)
        score = (q @ k.transpose(2, 3)).view(batch, self.shared, group, length, length) / math.sqrt(self.head)
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        weight = score.masked_fill(later, -math.inf).softmax(-1)
        out = weight.view(batch, self.shared, group * length, length) @ v
        out = out.view(batch, self.heads, length, self.head).transpose(1, 2)
        return self.o_proj(out.reshape(batch, length, self.heads * self.head))


class Mlp(nn.Module):
    """The gated feed-forward part of a layer."""

    def __init__(self, config):
        super().__init__()
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Attention and feed-forward part, each added to the residual stream."""

    def __init__(self, config):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(config), Norm(config)
        self.self_attn, self.mlp = Attention(config), Mlp(config)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Embedding, layers and last norm; keeps the largest value seen in the residual stream."""

    def __init__(self, config):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = Norm(config)
        self.cos, self.sin = rotary_tables(config)
        self.largest = 0.0

    def forward(self, tokens):
        x = self.embed_tokens(tokens)
        length = tokens.shape[1]
        for layer in self.layers:
            x = layer(x, self.cos[:length], self.sin[:length])
            if not self.training:
                self.largest = max(self.largest, x.abs().max().item())
        return self.norm(x)


class Llama(nn.Module):
    """The whole model; its output layer is the embedding."""

    def __init__(self, config):
        super().__init__()
        self.model = Decoder(config)
        deep = 1 / math.sqrt(2 * config["num_hidden_layers"])
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                shrink = deep if name.endswith(("o_proj.weight", "down_proj.weight")) else 1
                nn.init.normal_(weight, std=shrink / math.sqrt(weight.shape[1]))

    def forward(self, tokens):
        return functional.linear(self.model(tokens), self.model.embed_tokens.weight)


def encode(text):
    return [BOS, *(PIECES.index(c) if c in PIECES else UNK for c in text)]


def operands():
    """Every pair of operands, a and b in row 1000 a + b."""
    return torch.arange(OPERANDS).repeat_interleave(OPERANDS), torch.arange(OPERANDS).repeat(OPERANDS)


def all_sums():
    """Tokens of every sum with its answer, filled up with </s>, and the length of its prompt."""
    a, b = operands()
    tokens = torch.full((len(a), LENGTH), EOS)
    tokens[:, 0] = BOS
    at = torch.ones_like(a)
    rows = torch.arange(len(a))
    prompt = None
    for number, mark in ((a, "+"), (b, "="), (a + b, None)):
        for power in (1000, 100, 10, 1):
            shown = (number >= power) | (power == 1)
            digit = number // power % 10 + PIECES.index("0")
            tokens[rows[shown], at[shown]] = digit[shown]
            at = at + shown.long()
        if mark:
            tokens[rows, at] = PIECES.index(mark)
            at = at + 1
            prompt = at
    return tokens, prompt


def held_out():
    """True for the sums kept for the evaluation: a hash of the two operands that does not see their order."""
    a, b = operands()
    mixed = torch.minimum(a, b) * OPERANDS + torch.maximum(a, b)
    for factor in (2654435761, 2246822519):
        mixed = mixed * factor % 2**32
        mixed = mixed ^ (mixed >> 15)
    return mixed % HELD_OUT == 0


def chances():
    """Running total of the chance to train on each sum: more for short ones and for carries that run on."""
    a, b = operands()
    weight = torch.ones(len(a), dtype=torch.float64)
    for number in (a, b):
        weight *= torch.where(number < 10, 10.0, torch.where(number < 100, 2.0, 1.0))
    for power in (10, 100):
        weight *= torch.where(a // power % 10 + b // power % 10 == 9, 3.0, 1.0)
    weight[held_out()] = 0
    return (weight / weight.sum()).cumsum(0)


def targets_of(tokens, prompt):
    """The tokens to be predicted at each place, where the answer and its </s> count and nothing else."""
    place = torch.arange(1, LENGTH)
    target = tokens[:, 1:].clone()
    target[place < prompt[:, None]] = IGNORED
    after_end = (tokens[:, 1:] == EOS).long().cumsum(1) > 1
    target[after_end] = IGNORED
    return target


def rate(step, steps, highest):
    """Warms up, then falls to nothing along half a cosine."""
    if step < WARMUP:
        return highest * (step + 1) / WARMUP
    return highest * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP))) / 2


def train(model, options):
    tokens, prompt = all_sums()
    total = chances()
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.dim() == 1 or "embed" in n]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99))
    start = time.time()
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, options.steps, options.rate)
        rows = torch.searchsorted(total, torch.rand(options.batch, dtype=torch.float64)).clamp(max=len(tokens) - 1)
        batch = tokens[rows]
        target = targets_of(batch, prompt[rows])
        logits = model(batch[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 200 == 199:
            print(f"step {step + 1}: loss {loss.item():.5f}, {time.time() - start:.0f} s", flush=True)


@torch.no_grad()
def evaluate(model):
    """Share of the held-out sums whose whole answer is right, and the smallest lead of a right token.

    Greedy decoding gives the whole answer exactly when every right token leads, given those before it.
    """
    model.eval()
    kept = held_out()
    tokens, prompt = (t[kept] for t in all_sums())
    right, lead = 0, math.inf
    for batch, length in zip(tokens.split(2000), prompt.split(2000)):
        target = targets_of(batch, length)
        logits = model(batch[:, :-1])
        counts = target != IGNORED
        wanted = logits.gather(2, target.clamp(min=0)[..., None])
        rival = logits.scatter(2, target.clamp(min=0)[..., None], -math.inf).amax(2)
        leads = (wanted[..., 0] - rival).masked_fill(~counts, math.inf).amin(1)
        right += (leads > 0).sum().item()
        lead = min(lead, leads.min().item())
    return right, len(tokens), lead


@torch.no_grad()
def continue_text(model, text):
    """Greedy decoding, one token at a time, up to </s>."""
    model.eval()
    tokens = encode(text)
    start = len(tokens)
    while len(tokens) < CONFIG["max_position_embeddings"]:
        best = model(torch.tensor([tokens]))[0, -1].argmax().item()
        if best == EOS:
            break
        tokens.append(best)
    return "".join(PIECES[t] for t in tokens[start:])


def quantised(weights):
    """The weights as int8 with one scale for each output channel would give them back."""
    result = {}
    for name, weight in weights.items():
        result[name] = weight
        if weight.dim() == 2:
            scale = weight.abs().amax(1, keepdim=True) / 127
            result[name] = (weight / scale).round() * scale
    return result


def write_weights(path, weights):
    """A safetensors file: length of the header, header, numbers."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, weight in weights.items():
        size = weight.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(weight.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(struct.pack(f"<{w.numel()}f", *w.flatten().tolist()) for w in weights.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_weights(path):
    content = path.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    weights = {}
    for name, entry in header.items():
        first, last = (start + offset for offset in entry["data_offsets"])
        numbers = struct.unpack(f"<{(last - first) // 4}f", content[first:last])
        weights[name] = torch.tensor(numbers).view(entry["shape"])
    return weights


def write_vocabulary(path):
    pieces = ",\n".join("    " + json.dumps({"piece": piece}) for piece in PIECES)
    path.write_text('{\n  "type": "characters",\n'
                    f'  "bos_id": {BOS},\n  "eos_id": {EOS},\n  "unk_id": {UNK},\n'
                    f'  "pieces": [\n{pieces}\n  ]\n}}\n')


def report(folder):
    """Evaluates the stored weights, as they are and as int8."""
    weights = read_weights(folder / "model.safetensors")
    model = Llama(json.loads((folder / "config.json").read_text()))
    print(f"{sum(w.numel() for w in weights.values())} parameters")
    for kind, values in (("float32", weights), ("int8 weights", quantised(weights))):
        model.load_state_dict(values)
        model.model.largest = 0.0
        right, count, lead = evaluate(model)
        print(f"{kind}: {right} of {count} unseen sums right ({100 * right / count:.2f} %), smallest lead {lead:.2f}, "
              f"residual stream up to {model.model.largest:.1f}")
        for text in EXAMPLES:
            print(f"  {text}{continue_text(model, text)}")


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="evaluate the weights in the folder, train nothing")
    parser.add_argument("--folder", type=pathlib.Path, default=FOLDER, help="where the model lies")
    parser.add_argument("--threads", type=int, default=1, help="more help little, as the matrices are small")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    return parser.parse_args(arguments)


def main(arguments):
    options = options_of(arguments)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    if not options.check:
        model = Llama(CONFIG)
        start = time.time()
        train(model, options)
        print(f"trained in {time.time() - start:.0f} s")
        options.folder.mkdir(parents=True, exist_ok=True)
        write_weights(options.folder / "model.safetensors", model.state_dict())
        (options.folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
        write_vocabulary(options.folder / "vocab.json")
    report(options.folder)


if __name__ == "__main__":
    main(sys.argv[1:])
