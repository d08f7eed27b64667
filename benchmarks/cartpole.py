"""A pole that learns to stand up: gradients through the simulator against trial and error.

Both ways train the same policy, three inputs and eight hidden units, on the same task: the pole
hangs, and after a second it has to be within 0.1 rad of upright, with the cart slower than 0.1 m/s.
One way differentiates the cost of a whole simulation. The other is REINFORCE (Williams, 1992): it
pushes with some chance, and makes likelier what went better than the batch's mean.
"""

import argparse
import time

import torch
from report import save, spread

from sprat.physics import Policy, rk4_step, solve
from sprat.physics.control import hanging, swing_up_cost, swing_up_system, upright_angle

TIMES = torch.linspace(0, 1, 26)
SCALE_N = 10.0  # the force for an output of 1
MOST = 200_000  # simulations, after which a way has failed


def stands(end: torch.Tensor) -> bool:
    """Whether a final state, (4,), is what was asked for."""
    return bool(upright_angle(end[2]).abs() < 0.1 and end[1].abs() < 0.1)


def by_gradients(seed: int) -> int:
    """Simulations until the pole stands, learning from the gradient of each."""
    torch.manual_seed(seed)
    policy = Policy(8, scale=SCALE_N)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.05)
    for simulations in range(1, MOST):
        path = solve(swing_up_system(policy), hanging(), TIMES).movedim(0, 1)
        if stands(path[0, -1]):
            return simulations
        optimizer.zero_grad()
        swing_up_cost(path).backward()
        optimizer.step()
    raise SystemExit(f"gradients: seed {seed} failed after {MOST:,} simulations")


def by_trial(seed: int, *, batch: int = 100, sigma_n: float = 5.0) -> int:
    """Simulations until the pole stands without noise, by REINFORCE with noise of `sigma_n` N."""
    torch.manual_seed(seed)
    policy = Policy(8, scale=SCALE_N)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
    for simulations in range(batch, MOST, batch):
        with torch.no_grad():
            tried = torch.cat([torch.zeros(25, 1), sigma_n * torch.randn(25, batch)], 1)
            path, seen, force = simulate(policy, tried)  # the first one without noise
            if stands(path[0, -1]):
                return simulations
            cost = torch.stack([swing_up_cost(one[None]) for one in path[1:]])
            advantage = (cost.mean() - cost) / cost.std()
        gap = force[:, 1:] - policy(TIMES[0], seen[:, 1:])
        likely = -(gap**2).sum(0) / (2 * sigma_n**2)
        optimizer.zero_grad()
        (-(likely * advantage).mean()).backward()
        optimizer.step()
    raise SystemExit(f"REINFORCE: seed {seed} failed after {MOST:,} simulations")


def simulate(
    policy: Policy, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Paths (B, 26, 4), the states seen (25, B, 4) and the forces (25, B), noise (25, B) added."""
    state = hanging(noise.shape[1])
    path, forces = [state], []
    for k, chance in enumerate(noise):
        force = policy(TIMES[k], state) + chance
        pushed = swing_up_system(lambda t, y, force=force: force)
        state = rk4_step(pushed, TIMES[k], state, TIMES[k + 1] - TIMES[k])
        path.append(state)
        forces.append(force)
    return torch.stack(path, 1), torch.stack(path[:-1]), torch.stack(forces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds each way has")
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    rows = {}
    for name, way in (("gradients through the simulator", by_gradients), ("REINFORCE", by_trial)):
        taken, seconds = [], []
        for seed in seeds:
            began = time.process_time()
            taken.append(way(seed))
            seconds.append(time.process_time() - began)
        rows[name] = {
            "simulations": spread(taken, 0),
            "processor_seconds": spread(seconds, 1),
        }
        print(f"{name:32} {taken} simulations, {[round(s, 1) for s in seconds]} s")
    what = f"simulations and processor seconds until the pole stands, over {len(seeds)} seeds"
    save("cartpole", what, rows, ["torch", "sprat"])


if __name__ == "__main__":
    main()
