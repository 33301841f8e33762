"""The problem of the worked numbers: a quadratic of three weights in two tensors, of which gradients are computed."""

import numpy as np
import torch

A = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, -0.3], [0.5, -0.3, 1.5]])
C = np.array([0.1, -0.2, 0.3])
START = np.array([1.0, -2.0, 0.5])


def gradient(x):
    return A @ x - C


class Quadratic:
    """f(θ) = ½ θᵀAθ − cᵀθ with θ = (p, q), p a weight of two entries and q a bias of one."""

    def __init__(self, recipe, start=START, dtype=torch.float64, **knobs):
        values = torch.from_numpy(np.asarray(start)).to(dtype)
        self.p, self.q = values[:2].clone().requires_grad_(), values[2:].clone().requires_grad_()
        self.optimizer = recipe([("weight", self.p), ("bias", self.q)], **knobs)
        self.calls = 0

    @property
    def x(self):
        return torch.cat([self.p, self.q])

    def loss(self):
        a, c = (torch.from_numpy(one).to(self.p.dtype) for one in (A, C))
        return 0.5 * self.x @ a @ self.x - c @ self.x

    def closure(self):
        self.calls += 1
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        return loss

    def step(self, count=1, **arguments):
        for _ in range(count):
            self.optimizer.step(self.closure, **arguments)
        return self.x.detach().numpy()
