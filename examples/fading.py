"""A network that never trains.

Run: fanin check examples/fading.py:build --input 64x128 --classes 10
"""

from torch import nn


def build() -> nn.Module:
    """Stack eight layers and draw their weights by a number that someone remembered."""
    layers: list[nn.Module] = []
    for _ in range(8):
        layers += [nn.Linear(128, 128), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(128, 10))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
    return model
