"""Language models against torch's own layers, published sizes and naive formulas."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import TaskError
from sprat.models.gpt import CausalAttention
from sprat.models.language import generate, sharpen
from sprat.models.rnn import Recurrent, activation_penalty, variational_dropout
from sprat.models.smollm2 import GroupedAttention, RMSNorm, rotate

TORCHS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}

LANGUAGE = {
    "RNNLM": lambda: sp.models.RNNLM(11, width=8, num_hiddens=12),
    "RNNLM untied": lambda: sp.models.RNNLM(11, width=8, num_hiddens=12, tied=False, cell="gru"),
    "GPT": lambda: sp.models.GPT(11, context=24, width=16, num_layers=2, num_heads=2),
    "SmolLM2": lambda: sp.models.SmolLM2(
        11, context=24, width=16, num_hiddens=24, num_layers=2, num_heads=4, num_kv_heads=2
    ),
}


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def tokens(length: int = 9, batch: int = 2, vocab: int = 11) -> torch.Tensor:
    return torch.randint(0, vocab, (batch, length), generator=torch.Generator().manual_seed(3))


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        gpt2 = sp.models.GPT(50_257, context=1024, width=768, num_layers=12, num_heads=12)
        awd = sp.models.RNNLM(10_000, **sp.models.RNNLM.AWD)
        smol = sp.models.SmolLM2()
    assert count(gpt2) == 124_439_808  # the smallest GPT-2, its embedding counted once
    assert count(awd) == 24_221_600  # what the authors' code prints for Penn Treebank
    assert count(smol) == 134_515_008  # SmolLM2-135M


@pytest.mark.parametrize("cell", TORCHS)
def test_recurrent_layers_are_torchs(cell: str) -> None:
    ours, theirs = Recurrent(5, 7, cell), TORCHS[cell](5, 7, batch_first=True)
    assert count(ours) == count(theirs)
    theirs.load_state_dict({f"{k}_l0": v for k, v in ours.state_dict().items()})
    x = torch.randn(3, 6, 5)
    first, state = ours(x[:, :4])
    second, _ = ours(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), theirs(x)[0])


def test_weight_drop_leaves_out_whole_connections_for_the_whole_text() -> None:
    layer = Recurrent(3, 40, "rnn", weight_drop=0.5)
    for p in (layer.weight_ih, layer.bias_ih, layer.bias_hh):
        nn.init.zeros_(p)
    nn.init.constant_(layer.weight_hh, 0.01)
    start = (torch.ones(1, 1, 40),)
    y, _ = layer(torch.zeros(1, 1, 3), start)
    kept = y.detach().atanh()[0, 0] / 0.02  # connections that were kept, each scaled up by 2
    torch.testing.assert_close(kept, kept.round(), atol=1e-3, rtol=0)
    assert kept.unique().numel() > 3
    assert kept.mean() == pytest.approx(20, abs=3)
    layer.eval()
    torch.testing.assert_close(
        layer(torch.zeros(1, 1, 3), start)[0], torch.full((1, 1, 40), 0.4).tanh()
    )


def test_variational_dropout_is_the_same_at_every_time_and_keeps_the_mean() -> None:
    x = torch.ones(50, 7, 40)
    y = variational_dropout(x, 0.25, training=True)
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert y.mean() == pytest.approx(1, abs=0.05)
    assert not torch.equal(y[0], y[1])  # but not for every text
    assert variational_dropout(x, 0.25, training=False) is x


def test_embedding_dropout_leaves_out_whole_words() -> None:
    model = sp.models.RNNLM(400, width=4, num_hiddens=4, num_layers=1, embedding_drop=0.5)
    seen = []
    model.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.arange(400).repeat(2)[None]
    model(x)
    ratio = (seen[0][0] / model.embedding(x)[0]).detach()
    assert torch.equal(ratio[:400], ratio[400:])  # a word is gone wherever it stands
    assert torch.equal(ratio, ratio[:, :1].expand_as(ratio))  # and gone wholly
    assert set(ratio.round().unique().tolist()) == {0.0, 2.0}


def test_ar_and_tar_are_their_formula() -> None:
    raw, dropped = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    size = sum(v**2 for v in dropped.flatten().tolist()) / 24
    jumps = [
        (raw[b, t + 1, c] - raw[b, t, c]) ** 2 for b in range(2) for t in range(2) for c in range(4)
    ]
    expected = 3 * size + 0.5 * float(sum(jumps)) / 16
    assert float(activation_penalty(raw, dropped, alpha=3, beta=0.5)) == pytest.approx(
        expected, rel=1e-5
    )
    assert torch.isfinite(activation_penalty(raw[:, :1], dropped[:, :1]))


def test_awd_phase_adds_the_penalty_to_the_loss() -> None:
    from sprat.phases.awd import AWDPhase

    x = tokens(6, 8)
    model = sp.models.RNNLM(11, width=8, num_hiddens=8)
    loss = lambda y_hat, y: F.cross_entropy(y_hat.flatten(0, 1), y.flatten())  # noqa: E731
    raw, dropped, _ = model.hidden(x)
    expected = loss(model(x), x) + activation_penalty(raw, dropped, alpha=5.0, beta=3.0)
    learn = sp.Learner(
        model, ([(x, x)],), loss=loss, phases=[AWDPhase(alpha=5.0, beta=3.0)], device="cpu"
    )
    learn.fit(1)
    row = learn.history.rows[-1]
    assert row["train_loss"] == pytest.approx(float(expected.detach()), rel=1e-5)
    assert row["train_penalty"] > 0


def test_a_gpt_is_torchs_encoder_with_a_mask_and_the_norm_first() -> None:
    model = sp.models.GPT(11, context=9, width=16, num_layers=2, num_heads=2).eval()
    x = tokens()
    h = model.embedding(x) + model.position.weight
    for block in model.blocks:
        theirs = nn.TransformerEncoderLayer(
            16,
            2,
            64,
            0.0,
            lambda v: F.gelu(v, approximate="tanh"),
            batch_first=True,
            norm_first=True,
        )
        ours = block.state_dict()
        names = {"attention.qkv.": "self_attn.in_proj_", "attention.out": "self_attn.out_proj"}
        names |= {"mlp.0": "linear1", "mlp.2": "linear2"}
        weights = {}
        for name, value in ours.items():
            for a, b in names.items():
                name = name.replace(a, b)
            weights[name] = value
        theirs.load_state_dict(weights)
        h = theirs(h, nn.Transformer.generate_square_subsequent_mask(9), is_causal=True)
    torch.testing.assert_close(model(x), model.norm(h) @ model.embedding.weight.T)


def naive_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """softmax(QKᵀ / √d) V, token by token, each looking at no later one: (L, d) each."""
    rows = []
    for i in range(len(q)):
        scores = torch.stack([q[i] @ k[j] / math.sqrt(q.shape[1]) for j in range(i + 1)])
        rows.append(scores.softmax(0) @ v[: i + 1])
    return torch.stack(rows)


def test_grouped_attention_is_naive_attention_with_shared_keys() -> None:
    layer = GroupedAttention(16, 4, 2, base=100.0)
    x = torch.randn(1, 5, 16)
    heads = []
    for head in range(4):
        q = rotate(layer.q(x)[..., 4 * head :][..., :4][None], 0, 100.0)[0, 0]
        group = head // 2  # heads 0 and 1 share the first keys and values
        k = rotate(layer.k(x)[..., 4 * group :][..., :4][None], 0, 100.0)[0, 0]
        heads.append(naive_attention(q, k, layer.v(x)[0, :, 4 * group :][:, :4]))
    torch.testing.assert_close(layer(x)[0][0], layer.out(torch.cat(heads, 1)))


def test_rotation_is_multiplication_by_complex_numbers_and_only_distance_counts() -> None:
    x, y = torch.randn(1, 1, 6, 8), torch.randn(1, 1, 6, 8)
    speed = 50.0 ** (-torch.arange(0, 8, 2) / 8)
    turns = torch.polar(torch.ones(6, 4), torch.arange(3, 9)[:, None] * speed)
    expected = torch.view_as_real(torch.view_as_complex(x.view(1, 1, 6, 4, 2)) * turns)
    torch.testing.assert_close(rotate(x, 3, 50.0), expected.flatten(-2))
    near, far = (rotate(x, s, 50.0)[..., 1, :] @ rotate(y, s, 50.0)[..., 4, :].mT for s in (0, 17))
    torch.testing.assert_close(near, far)


def test_rms_norm_is_torchs() -> None:
    ours, theirs = RMSNorm(7, 1e-5), nn.RMSNorm(7, 1e-5)
    x = torch.randn(2, 3, 7)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("name", LANGUAGE)
def test_reading_in_pieces_gives_what_reading_at_once_gives(name: str) -> None:
    model, x = LANGUAGE[name]().eval(), tokens(12)
    state, pieces = None, []
    for piece in x.split([1, 5, 1, 3, 2], 1):
        logits, state = model.extend(piece, state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, 1), model(x))


@pytest.mark.parametrize("name", LANGUAGE)
def test_no_token_sees_what_comes_later(name: str) -> None:
    model, x = LANGUAGE[name]().eval(), tokens(8)
    changed = x.clone()
    changed[:, 5] = (x[:, 5] + 1) % 11
    before, after = model(x), model(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert (before[:, 5:] - after[:, 5:]).abs().amax((0, 2)).min() > 1e-6


@pytest.mark.parametrize("name", LANGUAGE)
def test_generating_with_the_cache_draws_what_generating_without_it_draws(name: str) -> None:
    model, prompt = LANGUAGE[name]().eval(), tokens(4)

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(5)

    got = generate(model, prompt, 12, temperature=0.9, top_k=7, generator=generator())
    assert got.shape == (2, 16)
    assert torch.equal(got[:, :4], prompt)
    slow, chance = prompt, generator()
    with torch.no_grad():
        for _ in range(12):
            p = sharpen(model(slow)[:, -1], temperature=0.9, top_k=7)
            slow = torch.cat([slow, torch.multinomial(p, 1, generator=chance)], 1)
    assert torch.equal(got, slow)
    assert torch.equal(
        got, generate(model, prompt, 12, temperature=0.9, top_k=7, generator=generator())
    )


def test_temperature_nothing_takes_the_likeliest() -> None:
    model, prompt = LANGUAGE["GPT"]().eval(), tokens(4)
    got = generate(model, prompt, 5, temperature=0)
    assert torch.equal(got[:, 4:], model(got)[:, 3:-1].argmax(-1))


def test_a_stop_token_ends_each_text_and_then_all() -> None:
    class Counts(nn.Module):
        """After token n comes n + 1."""

        def extend(self, x: torch.Tensor, state: None = None) -> tuple[torch.Tensor, None]:
            return F.one_hot(x + 1, 20).float() * 100, None

    got = generate(Counts(), torch.tensor([[1], [3]]), 15, stop=6)
    assert got.tolist() == [[1, 2, 3, 4, 5, 6], [3, 4, 5, 6, 6, 6]]


def test_sharpening_by_hand() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()[None]
    close = torch.testing.assert_close
    close(sharpen(logits), logits.exp())
    close(sharpen(logits, temperature=0.5), logits.exp() ** 2 / (logits.exp() ** 2).sum())
    close(sharpen(logits, top_k=2), torch.tensor([[0.625, 0.375, 0, 0]]))
    close(sharpen(logits, top_p=0.5), torch.tensor([[1.0, 0, 0, 0]]))
    close(sharpen(logits, top_p=0.51), torch.tensor([[0.625, 0.375, 0, 0]]))
    # The nucleus is taken of what top-k has left: 0.5 / 0.8 = 0.625 reaches 0.6 alone.
    close(sharpen(logits, top_k=2, top_p=0.6), torch.tensor([[1.0, 0, 0, 0]]))
    close(sharpen(logits, temperature=0), torch.tensor([[1.0, 0, 0, 0]]))
    shuffled = logits[:, [2, 0, 3, 1]]
    close(sharpen(shuffled, top_k=2), torch.tensor([[0, 0.625, 0, 0.375]]))


def test_draws_follow_the_probabilities() -> None:
    class Fixed(nn.Module):
        def extend(self, x: torch.Tensor, state: None = None) -> tuple[torch.Tensor, None]:
            return torch.tensor([0.5, 0.3, 0.2]).log().expand(len(x), 1, 3), None

    got = generate(
        Fixed(),
        torch.zeros(4000, 1, dtype=torch.int64),
        1,
        top_p=0.75,
        generator=torch.Generator().manual_seed(0),
    )
    shares = got[:, 1].bincount(minlength=3) / 4000
    torch.testing.assert_close(shares, torch.tensor([0.625, 0.375, 0]), atol=0.03, rtol=0)
    assert shares[2] == 0


@pytest.mark.parametrize("name", LANGUAGE)
def test_every_weight_learns_and_a_text_can_be_learnt_by_heart(name: str) -> None:
    model, x = LANGUAGE[name](), tokens(12, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(120):
        loss = F.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(p.grad is not None for p in model.parameters())
    assert float(loss.detach()) < 0.8 < math.log(11)


@pytest.mark.parametrize("name", LANGUAGE)
def test_groups_hold_every_weight_once(name: str) -> None:
    model = LANGUAGE[name]()
    grouped = [p for group in model.groups() for p in group.parameters()]
    assert len(grouped) == len({id(p) for p in grouped})
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("name", LANGUAGE)
def test_arguments_build_it_again_and_no_two_names_share_a_tensor(name: str) -> None:
    model = LANGUAGE[name]()
    again = type(model)(**copy.deepcopy(model.arguments)).eval()
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again(tokens()), model.eval()(tokens()))
    places = [v.data_ptr() for v in model.state_dict().values()]
    assert len(places) == len(set(places))  # safetensors refuses shared ones


def test_features_are_what_the_head_reads() -> None:
    gpt, rnn = LANGUAGE["GPT"]().eval(), LANGUAGE["RNNLM"]().eval()
    x = tokens()
    torch.testing.assert_close(gpt.features(x) @ gpt.embedding.weight.T, gpt(x))
    torch.testing.assert_close(rnn.read_out(rnn.features(x)), rnn(x))


def test_attention_drops_only_in_training() -> None:
    layer, x = CausalAttention(8, 2, dropout=0.5), torch.randn(2, 4, 8)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: LANGUAGE["GPT"]()(tokens(30)), "30 tokens; this GPT sees 24"),
        (lambda: LANGUAGE["SmolLM2"]()(tokens(30)), "30 tokens; this model sees 24"),
        (lambda: LANGUAGE["RNNLM"]()(tokens(3) + 9), "the vocabulary has 0…10"),
        (lambda: LANGUAGE["GPT"]()(tokens(3) - 9), "the vocabulary has 0…10"),
        (lambda: sp.models.GPT(5, width=10, num_heads=3), "can't be shared among 3 heads"),
        (lambda: sp.models.SmolLM2(5, width=10, num_heads=5, num_kv_heads=2), "doesn't divide"),
        (lambda: sp.models.RNNLM(5, num_layers=0), "num_layers=0"),
        (lambda: sp.models.RNNLM(5, cell="mamba"), "cell='mamba'"),
        (lambda: sp.models.RNNLM(5, weight_drop=1.5), "weight_drop=1.5"),
        (lambda: sharpen(torch.zeros(1, 3), temperature=-1.0), "temperature=-1.0"),
        (lambda: sharpen(torch.zeros(1, 3), top_k=0), "top_k=0"),
        (lambda: sharpen(torch.zeros(1, 3), top_p=1.5), "top_p=1.5"),
        (lambda: sharpen(torch.zeros(1, 3), top_p=0.0), "top_p=0.0"),
        (lambda: generate(LANGUAGE["GPT"](), tokens(0), 3), "a prompt of 0 tokens"),
    ],
)
def test_mistakes_are_named_with_their_fix(call, says) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TaskError, match=says) as caught:
        call()
    assert "fix:" in str(caught.value)


@pytest.mark.parametrize("options", [{"temperature": 1e-40}, {"top_k": 1}, {"top_p": 1e-9}])
def test_at_its_sharpest_only_the_likeliest_is_left(options: dict[str, float]) -> None:
    logits = torch.tensor([[3e4, 2.9e4, -torch.inf], [-5.0, -4.0, -3.0]])
    assert sharpen(logits, **options).tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("options", [{"temperature": 1e9}, {"top_k": 999}, {"top_p": 1.0}])
def test_at_its_widest_nothing_is_left_out(options: dict[str, float]) -> None:
    p = sharpen(torch.linspace(0, 8, 500)[None], **options)
    assert bool((p > 0).all())
    assert float(p.sum()) == pytest.approx(1)


@pytest.mark.parametrize("options", [{"temperature": float("nan")}, {"top_p": float("nan")}])
def test_sampling_by_what_is_no_number(options: dict[str, float]) -> None:
    with pytest.raises(TaskError, match="Sampling got"):
        sharpen(torch.zeros(1, 3), **options)
