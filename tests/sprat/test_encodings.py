"""Encodings go there and come back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sprat as sp
from sprat.errors import TaskError

shapes = st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 6), st.integers(1, 6))


def picture(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@given(shapes, st.integers(0, 2**31))
def test_to_float_comes_back_exactly(shape: tuple[int, ...], seed: int) -> None:
    x = picture(shape, seed)
    encoded = sp.ToFloat().encode(x)
    assert encoded.dtype == torch.float32
    assert 0 <= float(encoded.min()) <= float(encoded.max()) <= 1
    back = sp.ToFloat().decode(encoded)
    assert torch.equal((back * 255).round().to(torch.uint8), x)


@given(
    shapes,
    st.integers(0, 2**31),
    st.floats(-1, 2, width=32),
    st.floats(0.0625, 3, width=32),
)
def test_normalize_comes_back(shape: tuple[int, ...], seed: int, mean: float, std: float) -> None:
    x = sp.ToFloat().encode(picture(shape, seed))
    encoding = sp.Normalize((mean,) * shape[1], (std,) * shape[1])
    torch.testing.assert_close(encoding.decode(encoding.encode(x)), x, atol=1e-5, rtol=1e-5)


@given(shapes, st.integers(0, 2**31))
def test_a_whole_task_comes_back(shape: tuple[int, ...], seed: int) -> None:
    x = picture(shape, seed)
    task = sp.Task(
        sp.Image(channels=shape[1]),
        sp.Label(["a", "b"]),
        encodings=[sp.ToFloat(), sp.Normalize((0.3,) * shape[1], (0.2,) * shape[1])],
    )
    batch = task.encode(sp.Batch(x, torch.zeros(len(x), dtype=torch.int64)))
    back = task.decode_input(batch.x)
    assert torch.equal((back * 255).round().to(torch.uint8), x)
    assert task.decode_target(batch.y) == ["a"] * len(x)


def test_normalized_data_has_mean_0_and_deviation_1(pictures: sp.Data) -> None:
    encoding = sp.Normalize.of(pictures)
    x = encoding.encode(sp.ToFloat().encode(pictures.x))
    assert float(x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(x.std()) == pytest.approx(1, abs=1e-4)


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 10)), min_size=1, max_size=5),
)
def test_points_come_back(places: list[tuple[float, float]]) -> None:
    points = torch.tensor([places], dtype=torch.float32)  # (1, points, 2), x to 20 and y to 10
    encoding = sp.ScalePoints((10, 20))
    encoded = encoding.encode(points)
    assert float(encoded.abs().max()) <= 1 + 1e-6
    torch.testing.assert_close(
        encoding.decode(encoded).reshape(points.shape), points, atol=1e-4, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), (0.0,)), ((0.5,), (-1.0,)), ((0.5, 0.5), (1.0,))]
)
def test_senseless_statistics_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(TaskError, match="Normalize got"):
        sp.Normalize(mean, std)


def test_another_number_of_channels_is_named() -> None:
    with pytest.raises(TaskError, match="Normalize has 3 channels") as caught:
        sp.Task(
            sp.Image(channels=1),
            sp.Label(["a", "b"]),
            encodings=[sp.ToFloat(), sp.Normalize((0.5,) * 3, (0.5,) * 3)],
        )
    assert "Normalize.of(data)" in caught.value.fix


def test_encodings_leave_alone_what_they_do_not_fit(pictures: sp.Data, task: sp.Task) -> None:
    batch = task.encode(sp.Batch(pictures.x, pictures.y))
    assert torch.equal(batch.y, pictures.y)
    assert batch.x.dtype == torch.float32


@pytest.mark.parametrize(
    ("encodings", "fix"),
    [
        ([sp.Normalize((0.5,), (0.5,))], r"before Normalize"),
        ([sp.Normalize((0.5,), (0.5,)), sp.ToFloat()], r"before Normalize"),
        ([sp.ToFloat(), sp.ScalePoints((5, 5))], "leave ScalePoints out"),
    ],
)
def test_an_encoding_that_fits_no_block_is_refused(encodings: list[sp.Encoding], fix: str) -> None:
    with pytest.raises(sp.errors.TaskError, match=fix):
        sp.Task(sp.Image(1), sp.Label(["a", "b"]), encodings=encodings)


def test_statistics_may_be_given_as_lists() -> None:
    x = torch.rand(2, 3, 4, 4)
    expected = sp.Normalize((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    given = sp.Normalize([0.5, 0.4, 0.3], [0.2, 0.2, 0.1])
    assert given == expected
    torch.testing.assert_close(given.encode(x), expected.encode(x))
    torch.testing.assert_close(given.decode(given.encode(x)), x)
