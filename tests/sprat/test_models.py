"""Models: parameter counts against arithmetic, shapes, and that each keeps what built it."""

import inspect

import pytest
import torch
from torch import nn

import sprat as sp


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_mlp_has_as_many_weights_as_arithmetic_says() -> None:
    assert count(sp.models.MLP(784, 10, [64])) == 784 * 64 + 64 + 64 * 10 + 10
    assert count(sp.models.MLP(784, 10, [])) == 7850
    assert count(sp.models.MLP(4, 2, [8, 8])) == (4 * 8 + 8) + (8 * 8 + 8) + (8 * 2 + 2)


def test_lenet_has_as_many_weights_as_arithmetic_says() -> None:
    model = sp.models.LeNet(1, 10, width=6, num_hiddens=84)
    convolutions = (25 * 1 * 6 + 6) + (25 * 6 * 12 + 12)
    linear = (12 * 16 * 84 + 84) + (84 * 10 + 10)
    assert count(model) == convolutions + linear


def test_resnet_block_adds_its_input() -> None:
    model = sp.models.ResNet(1, 3, widths=(4,), depth=1)
    block = model.body[0]
    nn.init.zeros_(block.conv2.weight)
    block.eval()
    x = torch.rand(2, 4, 5, 5)
    assert torch.allclose(block(x), x)  # nothing is added to what is positive already


def test_resnet_halves_at_every_stage() -> None:
    model = sp.models.ResNet(3, 5, widths=(4, 8, 16), depth=2)
    features = model.body(model.stem(torch.rand(2, 3, 32, 32)))
    assert features.shape == (2, 16, 8, 8)
    assert len(model.body) == 6


def test_vae_codes_and_paints() -> None:
    model = sp.models.VAE(1, (8, 6), num_latents=3, num_hiddens=16)
    mu, log_var = model.encode(torch.rand(5, 1, 8, 6))
    assert mu.shape == log_var.shape == (5, 3)
    assert model.decode(mu).shape == (5, 1, 8, 6)
    x = torch.rand(5, 1, 8, 6)
    assert torch.equal(model(x), model.decode(model.encode(x)[0]))


BUILT = {
    "MLP": (lambda: sp.models.MLP(48, 3), (2, 1, 8, 6)),
    "LeNet": (lambda: sp.models.LeNet(1, 3), (2, 1, 20, 17)),
    "ResNet": (lambda: sp.models.ResNet(1, 3), (2, 1, 20, 17)),
    "VAE": (lambda: sp.models.VAE(1, (8, 6)), (2, 1, 8, 6)),
}


@pytest.mark.parametrize("name", BUILT)
def test_every_model_takes_a_batch_and_learns_from_it(name: str) -> None:
    make, shape = BUILT[name]
    model = make()
    out = model(torch.rand(shape))
    assert len(out) == 2
    out.square().mean().backward()
    trained = [p.grad is not None for n, p in model.named_parameters() if "log_var" not in n]
    assert all(trained)


@pytest.mark.parametrize("name", BUILT)
def test_every_model_can_be_built_again_from_its_arguments(name: str) -> None:
    model = BUILT[name][0]()
    again = type(model)(**model.arguments)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }
    signature = set(inspect.signature(type(model)).parameters)
    assert set(model.arguments) == signature


def test_convolutional_models_take_pictures_of_any_size() -> None:
    for make in (BUILT["LeNet"][0], BUILT["ResNet"][0]):
        model = make().eval()
        for size in ((9, 9), (28, 28), (33, 20)):
            assert model(torch.rand(2, 1, *size)).shape == (2, 3)
