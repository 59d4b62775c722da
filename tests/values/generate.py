# SPDX-License-Identifier: BSD-3-Clause
"""generate prints a model's words and nothing else on standard output, and says by name why it cannot."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import h5py

import oracle
from program import CONFIG, PROGRAM, SUMS, generated, must, random_model, run, settings

PROMPT, IDS, ANSWER, END = "347+585=", [1, 6, 7, 10, 13, 8, 11, 8, 14], [12, 6, 5], 2


def says(text, *words, ranks=0):
    found = must("generate", CONFIG, *words, ranks=ranks)
    assert found == text, f"{words} on {ranks} ranks: {found!r} instead of {text!r}"


def refused(messages, *words, ranks=(0,)):
    """Status 2, nothing on standard output, and these messages once each, by one rank."""
    for count in ranks:
        done = run("generate", CONFIG, *words, ranks=count)
        assert done.returncode == 2 and done.stdout == "", (words, done.returncode, done.stdout, done.stderr)
        for message in messages:
            assert done.stderr.count(message) == 1, f"{words}: {message!r} is not said once:\n{done.stderr}"


def check_text():
    ids, line = "--prompt-ids=" + ",".join(map(str, IDS)), " ".join(map(str, [*ANSWER, END])) + "\n"
    says("932\n", "--prompt", PROMPT, "--max-new", "8")
    says("932\n", ids, "--max-new=55", "--quiet", ranks=2)
    says(line, "--prompt", PROMPT, "--max-new=8", "--print-ids", ranks=2)
    says(line, ids, "--max-new=8", "--print-ids", "--quiet")
    says("932\n", "--prompt", PROMPT, "--max-new=3")
    says("9\n", "--prompt", PROMPT, "--max-new=1")
    says("12\n", "--prompt", PROMPT, "--max-new=1", "--print-ids")
    says("\n", ids + ",12,6,5", "--max-new=4")


def check_empty_prompt():
    expected = oracle.greedy(oracle.load(SUMS), [1], 6, [END])
    assert generated([1], 6) == expected
    says(" ".join(map(str, expected)) + "\n", "--prompt", "", "--max-new=6", "--print-ids")


def check_prompt_faults():
    text = ["--prompt", PROMPT]
    refused(["vocab.json: character 'x' (U+0078) of the text has no piece; known are:  +0123456789="],
            "--prompt", "3x4=", "--max-new=4", ranks=(0, 2))
    refused(["token 2 of the prompt is 16; sums knows ids 0 to 15", "token 4 of the prompt is 2147483647; sums"],
            "--prompt-ids", "1,16,15,2147483647", "--max-new=4")
    refused(["9 prompt tokens and 56 to generate take 65 positions; bucket.max_sequence = 64"], *text, "--max-new=56",
            ranks=(0, 2))
    refused(["66 is more than bucket.max_sequence = 64"], *text, "--max-new=65")


def changed(folder, **keys):
    """A copy of sums with other keys in its config.json; its file of weights and the words that choose it."""
    shutil.copytree(SUMS, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **keys}))
    return folder / "model.safetensors", ["--max-new=4", *settings(model__path=folder)]


def check_model_faults(scratch):
    weights, words = changed(scratch / "without")
    weights.unlink()
    refused([f"{weights.parent}: no weights: neither model.safetensors nor model.safetensors.index.json lies there"],
            "--prompt", PROMPT, *words, ranks=(0, 2))
    weights, words = changed(scratch / "shape", intermediate_size=192)
    refused([f"{weights}: model.layers.3.mlp.gate_proj.weight: shape [160, 64], expected [192, 64]",
             f"{weights}: model.layers.0.mlp.down_proj.weight: shape [64, 160], expected [64, 192]"],
            "--prompt", PROMPT, *words)
    weights, words = changed(scratch / "short")
    weights.write_bytes(weights.read_bytes()[:-4])
    refused([f"{weights}: model.norm.weight: data_offsets"], "--prompt", PROMPT, *words)
    weights.write_bytes(weights.read_bytes()[:1000])
    refused([f"{weights}: header of", "or a truncated one"], "--prompt", PROMPT, *words)
    weights, words = changed(scratch / "wordless")
    (weights.parent / "vocab.json").unlink()
    says("12 6 5 2\n", "--prompt-ids", ",".join(map(str, IDS)), *words)
    refused([f"{weights.parent / 'vocab.json'}: cannot be read"], "--prompt", PROMPT, *words)


def check_broken_text(scratch):
    """Ids of single bytes say what is no UTF-8; JSON shows it with U+FFFD."""
    folder = random_model(scratch / "bytes", "--layers", "1", "--vocab", "262")
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", "a", "b"]
    words = {"type": "sentencepiece-bpe", "bos_id": 1, "eos_id": 2, "unk_id": 0, "byte_offset": 3,
             "pieces": [{"piece": text, "score": 0} for text in texts]}
    (folder / "vocab.json").write_text(json.dumps(words))
    shown = must(CONFIG, "--json", "--quiet", *settings(
        model__path=folder, lpu__pipeline_stages=1, workload__prompt="ab", workload__decode_tokens=12))
    values = json.loads(shown)["values"]
    assert "\ufffd" in values["text"] and any(3 + 0x80 <= token < 259 for token in values["tokens"]), values


def check_record(scratch):
    """The file names the prompt of the command line, and not that of the configuration."""
    out = scratch / "generated.h5"
    says("2\n", "--prompt", "1+1=", "--max-new=8", f"--out={out}")
    with h5py.File(out) as file:
        configuration, line = (file["run"].attrs[name] for name in ("configuration", "command_line"))
    assert PROMPT not in configuration and "generate" in line and "--prompt 1+1=" in line, (configuration, line)


def check_full_output():
    """What nobody gets is a failure."""
    if not os.path.exists("/dev/full"):
        return
    for words in (["generate", CONFIG, "--prompt", PROMPT, "--max-new=4"], [CONFIG], [CONFIG, "--json"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, *map(str, words)], stdout=full, stderr=subprocess.PIPE, text=True,
                                  check=False)
        assert done.returncode == 5, (words, done.returncode)
        assert done.stderr.count("standard output: cannot be written: No space left") == 1, done.stderr


def check_full_bucket(scratch):
    """The last token comes from the last position but one; nothing ends the text of this model."""
    folder = random_model(scratch / "random", "--kv-heads", "2", "--layers", "1")
    expected = oracle.greedy(oracle.load(folder), [7] * 34, 30)
    words = settings(model__path=folder, lpu__pipeline_stages=1, lpu__tensor_group=2)
    assert generated([7] * 34, 30, *words) == expected


def check_run(steps, *words, ranks=0):
    """A run goes on behind the end token, its text does not."""
    shown = must(CONFIG, *words, ranks=ranks)
    for line in (r"values +numbers of fp32 moved and computed by the programs",
                 rf" +equal to the reference, token for token: {steps} of {steps}", r"text +347\+585=932"):
        assert re.search(f"^{line}$", shown, re.M), f"no line {line!r} in\n{shown}"


def check_run_faults(scratch):
    """What a configuration says of its prompt has to be so."""
    _, words = changed(scratch / "headless")
    vocabulary = scratch / "headless" / "vocab.json"
    words_of = json.loads(vocabulary.read_text())
    words_of["bos_id"], words_of["pieces"][1]["piece"] = -1, "x"
    vocabulary.write_text(json.dumps(words_of))
    refused(["the prompt has no token: headless has no begin token"], "--prompt", "", *words)
    for message, keys in (("workload.prompt_tokens: 8, but the prompt has 9 tokens; 0 would count them",
                           {"workload__prompt_tokens": 8}),
                          ("token 2 of the prompt is 16; sums knows ids 0 to 15",
                           {"workload__prompt": "", "workload__prompt_ids": "1,16"})):
        for ranks in (0, 2):
            done = run(CONFIG, *settings(**keys), ranks=ranks)
            assert done.returncode == 2 and done.stderr.count(message) == 1, (keys, done.stderr)


def check_drawn_prompt():
    """Without words the prompt is drawn; the model computes on."""
    shown = must(CONFIG, *settings(workload__prompt="", workload__prompt_tokens=5))
    assert re.search(r"equal to the reference, token for token: 4 of 4$", shown, re.M), shown


def check_counted():
    """A prompt's tokens are counted, and the echo of the configuration says so."""
    assert "    prompt_tokens = 9; # counted\n" in must(CONFIG, "--check")


with tempfile.TemporaryDirectory() as made:
    check_counted()
    check_text()
    check_empty_prompt()
    check_prompt_faults()
    check_model_faults(pathlib.Path(made))
    check_broken_text(pathlib.Path(made))
    check_full_bucket(pathlib.Path(made))
    check_record(pathlib.Path(made))
    check_full_output()
    check_run_faults(pathlib.Path(made))
    check_drawn_prompt()
    check_run(4, ranks=2)
    check_run(8, *settings(workload__decode_tokens=8))
print("generate says what the model says")
