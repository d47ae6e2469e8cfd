"""Networks that act: policies, values, their copies and their noise."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Cage
from zoo.data import normal, whole

AGENTS = Cage("agents")


def orthogonal(fan_in: int, fan_out: int, gain: float = math.sqrt(2)) -> nn.Linear:
    layer = nn.Linear(fan_in, fan_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


class ActorCritic(nn.Module):
    """PPO: orthogonal, 0.01 for the policy so that it starts undecided, 1 for the value."""

    def __init__(self, *, continuous: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(orthogonal(8, 64), nn.Tanh(), orthogonal(64, 64), nn.Tanh())
        self.policy, self.value = orthogonal(64, 4, 0.01), orthogonal(64, 1, 1.0)
        if continuous:
            self.log_std = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(x)
        return self.policy(hidden), self.value(hidden)[:, 0]


def chosen(output: tuple[Tensor, Tensor], action: Tensor, gain: Tensor) -> Tensor:
    logits, value = output
    entropy = functional.cross_entropy(logits, action, reduction="none")
    return (entropy * gain).mean() + 0.5 * (value - gain).square().mean()


AGENTS.add(
    "actor_critic",
    lambda: ActorCritic(continuous=False),
    lambda: (normal(64, 8), whole(64, below=4), normal(64, seed=1)),
    chosen,
    "the policy's gain 0.01 keeps it undecided",
)


class Gaussian(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = ActorCritic(continuous=True)

    def forward(self, x: Tensor, action: Tensor, gain: Tensor) -> Tensor:
        mean, value = self.net(x)
        law = torch.distributions.Normal(mean, self.net.log_std.exp(), validate_args=False)
        wanted = -(law.log_prob(action).sum(-1) * gain).mean()
        return wanted + 0.5 * (value - gain).square().mean()


AGENTS.add(
    "gaussian_policy",
    Gaussian,
    lambda: (normal(64, 8), normal(64, 4, seed=1), normal(64, seed=2)),
    None,
    "log_std starts at zero",
)


class Dueling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.value, self.advantage = nn.Linear(64, 1), nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.body(x)
        advantage = self.advantage(hidden)
        return self.value(hidden) + advantage - advantage.mean(-1, keepdim=True)


class Learner(nn.Module):
    """DQN with its target network."""

    def __init__(self) -> None:
        super().__init__()
        self.online = Dueling()
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def forward(self, now: Tensor, action: Tensor, reward: Tensor, after: Tensor) -> Tensor:
        guess = self.online(now).gather(1, action[:, None])[:, 0]
        with torch.no_grad():
            truth = reward + 0.99 * self.target(after).amax(-1)
        return functional.smooth_l1_loss(guess, truth)


AGENTS.add(
    "dueling_with_target",
    Learner,
    lambda: (normal(32, 8), whole(32, below=4), normal(32, seed=1), normal(32, 8, seed=2)),
    None,
    "the target network is a copy on purpose",
)


class TwinCritics(nn.Module):
    """SAC: two critics from different draws."""

    def __init__(self) -> None:
        super().__init__()
        self.critics = nn.ModuleList(
            nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
                          nn.Linear(64, 1))
            for _ in range(2)
        )  # fmt: skip

    def forward(self, state: Tensor, action: Tensor, truth: Tensor) -> Tensor:
        both = torch.cat([state, action], -1)
        return torch.stack(
            [(own(both)[:, 0] - truth).square().mean() for own in self.critics]
        ).sum()


AGENTS.add(
    "twin_critics",
    TwinCritics,
    lambda: (normal(64, 8), normal(64, 4, seed=1), normal(64, seed=2)),
)


class Deterministic(nn.Module):
    """DDPG: the last layer within 0.003, so that the first actions are near zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 64), nn.Linear(64, 64)
        self.last = nn.Linear(64, 4)
        nn.init.uniform_(self.last.weight, -3e-3, 3e-3)
        nn.init.uniform_(self.last.bias, -3e-3, 3e-3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.first(x).relu()).relu()).tanh()


AGENTS.add(
    "deterministic_policy",
    Deterministic,
    lambda: (normal(64, 8),),
    None,
    "the paper's bound 0.003 of the last layer",
)


class Noisy(nn.Module):
    """NoisyNet: the noise of each weight has one size, sigma / sqrt(fan_in)."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        reach = fan_in**-0.5
        self.mean = nn.Parameter(torch.empty(fan_out, fan_in).uniform_(-reach, reach))
        self.sigma = nn.Parameter(torch.full((fan_out, fan_in), 0.5 * reach))
        self.bias = nn.Parameter(torch.empty(fan_out).uniform_(-reach, reach))
        self.bias_sigma = nn.Parameter(torch.full((fan_out,), 0.5 * reach))

    def forward(self, x: Tensor) -> Tensor:
        one, other = (
            torch.randn(size).sign() * torch.randn(size).abs().sqrt() for size in self.mean.shape
        )
        weight = self.mean + self.sigma * torch.outer(one, other)
        return functional.linear(x, weight, self.bias + self.bias_sigma * one)


@AGENTS.healthy(lambda: (normal(32, 8), normal(32, 4, seed=1)), fine="sigma is one number")
def noisy() -> nn.Module:
    return nn.Sequential(Noisy(8, 64), nn.ReLU(), Noisy(64, 4))


class World(nn.Module):
    """A recurrent model of what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.GRU(12, 32, batch_first=True)
        self.next, self.reward = nn.Linear(32, 8), nn.Linear(32, 1)

    def forward(self, states: Tensor, actions: Tensor) -> Any:
        hidden = self.body(torch.cat([states, actions], -1))[0]
        missed = (self.next(hidden[:, :-1]) - states[:, 1:]).square().mean()
        return {"loss": missed + self.reward(hidden).square().mean()}


AGENTS.add("world_model", World, lambda: (normal(8, 6, 8), normal(8, 6, 4, seed=1)))
