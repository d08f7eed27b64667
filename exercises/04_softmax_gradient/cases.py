import torch

from chapterhouse.exercise import Case, close, satisfies


def problem(rng, n, d, k, scale=1.0, dtype=torch.float32):
    x, W, b = (
        torch.tensor(rng.normal(size=shape), dtype=dtype) for shape in ((n, d), (d, k), (k,))
    )
    return x, torch.tensor(rng.integers(0, k, size=n), dtype=torch.int64), scale * W, b


def loss(x, y, W, b):
    log_p = torch.log_softmax(x @ W + b, 1)
    return -log_p[torch.arange(len(y)), y].mean()


def as_measured(value, x, y, W, b):
    """The slopes that nudging each parameter up and down gives, one at a time."""
    for name, given, at in zip("Wb", value, (0, 1), strict=True):
        start = (W, b)[at]
        if tuple(given.shape) != tuple(start.shape):
            return (
                f"the slopes for {name} have shape {tuple(given.shape)}, not {tuple(start.shape)}"
            )
        for k in range(start.numel()):
            nudged = []
            for way in (1e-5, -1e-5):
                moved = start.clone()
                moved.view(-1)[k] += way
                nudged.append(loss(x, y, *((moved, b) if at == 0 else (W, moved))))
            measured = float(nudged[0] - nudged[1]) / 2e-5
            if not abs(float(given.reshape(-1)[k]) - measured) < 1e-6:
                return f"a slope for {name} differs from the one measured by nudging it"
    return True


def cases(rng):
    yield Case(
        "two samples",
        "softmax_gradient",
        args=problem(rng, 2, 3, 2),
        check=close(atol=1e-5),
        visible=True,
    )
    yield Case(
        "a batch of forty",
        "softmax_gradient",
        args=problem(rng, 40, 6, 5),
        check=close(atol=1e-5),
        message="Average over the samples, and keep the shapes of W and b.",
        points=2,
    )
    yield Case(
        "measured",
        "softmax_gradient",
        args=problem(rng, 9, 4, 3, dtype=torch.float64),
        check=satisfies(as_measured),
        message="Nudge one parameter by a little, see how the loss changes, and compare.",
        points=3,
    )
    yield Case(
        "scores in the hundreds",
        "softmax_gradient",
        args=problem(rng, 12, 4, 6, scale=200.0),
        check=close(atol=1e-4),
        message="A large score must not become infinite or nan: subtract each row's largest first.",
        points=2,
    )
