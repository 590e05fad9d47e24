"""The networks of the tests as PyTorch modules, with the shape of their input without the batch."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

JET = (
    nn.Sequential(
        OrderedDict(
            fc1=nn.Linear(16, 64),
            relu1=nn.ReLU(),
            fc2=nn.Linear(64, 32),
            relu2=nn.ReLU(),
            fc3=nn.Linear(32, 32),
            relu3=nn.ReLU(),
            out=nn.Linear(32, 5),
            softmax=nn.Softmax(dim=1),
        )
    ),
    (16,),
)


class _Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.ModuleList([nn.Linear(36, 36, bias=False) for _ in range(6)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.dense[0](x))
        for layer in self.dense[1:]:
            x = functional.relu(layer(x) + x)
        return x


class _Conv1d(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(4, 8, 3)
        self.norm = nn.BatchNorm1d(8)
        self.pool = nn.AvgPool1d(2)
        self.conv2 = nn.Conv1d(8, 4, 3, stride=2, padding=1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(32, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.norm(self.conv1(x))))
        x = torch.tanh(self.conv2(x))
        return functional.softmax(self.out(self.dropout(self.flatten(x))), dim=1)


class _Conv2d(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.left = nn.Conv2d(4, 4, 3, padding="same", bias=False)
        self.right = nn.Conv2d(4, 2, 1)
        self.norm = nn.BatchNorm2d(6)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.out = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv(x)), 2)
        x = self.mean(self.norm(torch.cat([self.left(x), self.right(x)], 1)))
        return torch.sigmoid(self.out(x.view(x.size(0), -1)))


SKIP = (_Skip(), (36,))
CONV1D = (_Conv1d(), (4, 32))
CONV2D = (_Conv2d(), (1, 12, 12))
