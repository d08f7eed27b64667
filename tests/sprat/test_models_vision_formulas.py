"""Vision models: what follows from the formulas of their papers, computed by hand here."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import TaskError
from sprat.models.ddpm import DDPMUNet, time_features
from sprat.models.efficientnet import SameConv2d
from sprat.models.siamese import Siamese, contrastive_loss, distances, triplet_loss


def test_same_padding_gives_the_ceiling_and_pads_the_far_side_more() -> None:
    for n in range(5, 12):
        for kernel, stride in ((3, 1), (3, 2), (5, 2)):
            conv = SameConv2d(1, 1, kernel, stride, bias=False)
            assert conv(torch.rand(1, 1, n, n)).shape[2:] == (-(-n // stride),) * 2
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    nn.init.ones_(conv.weight)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.equal(conv(x), F.conv2d(F.pad(x, (0, 1, 0, 1)), conv.weight, stride=2))


def test_xresnet_blocks_start_as_their_skip() -> None:
    model = sp.models.XResNet(3, 2, widths=(64,), depth=2).eval()
    x = torch.rand(1, 64, 6, 6)
    assert torch.equal(model.body(x), x)


def test_vit_sees_where_a_patch_is_and_every_patch() -> None:
    torch.manual_seed(0)
    model = sp.models.ViT(1, 3, size=(8, 8), depth=2, width=16).eval()
    x = torch.rand(1, 1, 8, 8)
    moved = torch.cat([x[..., 4:], x[..., :4]], -1)
    assert not torch.allclose(model(x), model(moved), atol=1e-4)
    nn.init.zeros_(model.embed.place)  # without places, an order of patches is no order
    assert torch.allclose(model(x), model(moved), atol=1e-6)


def test_time_features_follow_their_formula() -> None:
    found = time_features(torch.tensor([0, 1, 250]), 6)
    rates = [1.0, 10_000**-0.5, 1e-4]
    wanted = [
        [f(t * r) for f in (torch.sin, torch.cos) for r in torch.tensor(rates)] for t in (0, 1, 250)
    ]
    assert torch.allclose(found, torch.tensor(wanted), atol=1e-5)


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (15, 21), (4, 4)])
def test_ddpm_gives_noise_of_the_pictures_size(size: tuple[int, int]) -> None:
    model = DDPMUNet(1, width=8)
    x, t = torch.rand(2, 1, *size), torch.tensor([0, 999])
    assert torch.equal(model(x, t), torch.zeros(2, 1, *size))  # the first guess: no noise
    for p in model.parameters():
        p.data += 0.3 * torch.randn(p.shape)
    out = model.eval()(x, t)
    assert out.shape == x.shape
    assert not torch.allclose(out, model(x, t + 20), atol=1e-3)


def test_ddpm_is_asked_for_a_class_or_for_any() -> None:
    model = DDPMUNet(1, width=8, num_classes=3).eval()
    for p in model.parameters():
        p.data += 0.3 * torch.randn(p.shape)
    x, t = torch.rand(2, 1, 8, 8), torch.tensor([4, 4])
    assert torch.equal(model(x, t), model(x, t, torch.tensor([-1, -1])))
    some = model(x, t, torch.tensor([0, -1]))
    assert torch.allclose(some[1], model(x, t)[1], atol=1e-6)
    assert not torch.allclose(some[0], model(x, t)[0], atol=1e-4)


def test_contrastive_loss_by_hand() -> None:
    codes = torch.tensor([[[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0], [0.6, 0.0]], [[1, 1], [1, 1.2]]])
    like = torch.tensor([1, 0, 0])
    # distances 5, 0.6, 0.2: ½ · 25, ½ · (1 − 0.6)², ½ · (1 − 0.2)²
    assert contrastive_loss(codes, like).item() == pytest.approx((12.5 + 0.08 + 0.32) / 3)
    # unlike pairs farther apart than the margin cost nothing
    assert contrastive_loss(codes[:1], torch.tensor([0])).item() == 0
    assert contrastive_loss(codes[1:2], torch.tensor([0]), margin=2).item() == pytest.approx(0.98)


def test_triplet_loss_by_hand() -> None:
    codes = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 0.5]], [[0.0, 0.0], [0.1, 0], [3, 4]]])
    # 1 − 0.25 + 0.2 = 0.95, and 0.01 − 25 + 0.2, which is less than nothing
    assert triplet_loss(codes).item() == pytest.approx(0.95 / 2)
    assert triplet_loss(codes, margin=25).item() == pytest.approx((25.75 + 0.01) / 2)
    assert torch.allclose(distances(codes)[:, 1:], torch.tensor([[1, 0.5], [0.1, 5]]))


def test_equal_pictures_leave_the_losses_with_a_gradient() -> None:
    codes = torch.ones(2, 2, 3, requires_grad=True)
    contrastive_loss(codes, torch.tensor([0, 1])).backward()
    assert codes.grad is not None
    assert codes.grad.isfinite().all()


def test_siamese_uses_the_same_weights_for_every_picture() -> None:
    model = Siamese(sp.models.LeNet(3, 4, width=4), 6).eval()
    a, b, c = torch.rand(3, 4, 3, 8, 8)
    codes = model((a, b, c))
    assert codes.shape == (4, 3, 6)
    assert torch.allclose(codes[:, 1], model.encode(b), atol=1e-6)
    assert torch.allclose(model(torch.stack([a, b, c], 1)), codes, atol=1e-6)
    assert torch.allclose(codes.norm(dim=-1), torch.ones(4, 3))
    with pytest.raises(TaskError, match=r"model\.encode"):
        model(torch.rand(2, 3, 8, 8))


def test_siamese_learns_what_is_alike(pictures: sp.Data) -> None:
    x, y = pictures.x.float() / 255, pictures.y
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(x), generator=generator)
    loader = [((x, x[order]), (y == y[order]).long())]
    model = Siamese(sp.models.LeNet(1, 3, width=4), 8, size=(9, 9))
    learn = sp.Learner(model, loader, loss=contrastive_loss, lr=0.02, device="cpu")
    history = learn.fit(15)
    assert history["train_loss"][-1] < 0.25 * history["train_loss"][0]
    d = distances(model.eval()((x, x[order])).detach())[:, 1]
    like = y == y[order]
    assert d[like].max() < d[~like].min()
