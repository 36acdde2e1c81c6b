r"""The closest networks to a conditional Glow that FrEIA 0.2 and normflows 1.7.3 build; see flows_vs_peers.py."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS, SIZE, SCALES, BATCH = 2, 64, 3, 8
Loss = Callable[[Tensor, Tensor], Tensor]


class Pooled(nn.Module):
    """The condition averaged to every scale, with no parameters."""

    def forward(self, condition: Tensor) -> list[Tensor]:
        levels = [condition]
        for _ in range(SCALES):
            levels.append(functional.avg_pool2d(levels[-1], 2))
        return levels[1:]


def freia_glow(steps: int, hidden: int) -> tuple[nn.Module, Loss, Callable]:
    import FrEIA.framework as framework
    import FrEIA.modules as modules

    def network(inputs: int, outputs: int) -> nn.Module:
        last = nn.Conv2d(hidden, outputs, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        first, second = nn.Conv2d(inputs, hidden, 3, padding=1), nn.Conv2d(hidden, hidden, 1)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)

    conditions = [framework.ConditionNode(CHANNELS, SIZE // 2**i, SIZE // 2**i) for i in range(1, SCALES + 1)]
    nodes = [framework.InputNode(CHANNELS, SIZE, SIZE)]
    outputs = []
    for scale in range(SCALES):
        nodes.append(framework.Node(nodes[-1], modules.HaarDownsampling, {}))
        channels = nodes[-1].output_dims[0][0]
        for _ in range(steps):
            nodes.append(framework.Node(nodes[-1], modules.ActNorm, {}))
            rotation = torch.linalg.qr(torch.randn(channels, channels)).Q
            nodes.append(framework.Node(nodes[-1], modules.Fixed1x1Conv, {"M": rotation}))
            arguments = {"subnet_constructor": network, "clamp": 0.5, "clamp_activation": "TANH"}
            nodes.append(
                framework.Node(nodes[-1], modules.AffineCouplingOneSided, arguments, conditions=conditions[scale])
            )
        if scale + 1 < SCALES:
            nodes.append(framework.Node(nodes[-1], modules.Split, {}))
            outputs.append(framework.OutputNode(nodes[-1].out1))
    outputs.append(framework.OutputNode(nodes[-1]))
    graph = framework.GraphINN([*nodes, *conditions, *outputs])

    def loss(x: Tensor, c: Tensor) -> Tensor:
        z, logdet = graph(x, c=Pooled()(c))
        return (0.5 * sum((part**2).flatten(1).sum(1) for part in z) - logdet).mean() / x[0].numel()

    def sample(n: int, c: Tensor) -> Tensor:
        with torch.no_grad():
            shapes = [o.input_dims[0] for o in outputs]
            parts = []
            for size in [BATCH] * (n // BATCH):
                z = [torch.randn(size, *shape) for shape in shapes]
                parts.append(graph(z, c=[level.expand(size, -1, -1, -1) for level in Pooled()(c[:1])], rev=True)[0])
            return torch.cat(parts)

    return graph, loss, sample


def normflows_glow(steps: int, hidden: int) -> tuple[nn.Module, Loss, Callable]:
    import normflows as nf

    latents, merges, flows = [], [], []
    for i in range(SCALES):
        width = CHANNELS * 2 ** (SCALES + 1 - i)
        blocks = [nf.flows.GlowBlock(width, hidden, split_mode="channel", scale=True) for _ in range(steps)]
        flows.append([*blocks, nf.flows.Squeeze()])
        if i > 0:
            merges.append(nf.flows.Merge())
        cells = SIZE // 2 ** (SCALES - i)
        shape = (width if i == 0 else width // 2, cells, cells)
        latents.append(nf.distributions.DiagGaussian(shape, trainable=False))
    flow = nf.MultiscaleFlow(latents, flows, merges, class_cond=False)

    def loss(x: Tensor, c: Tensor) -> Tensor:
        return flow.forward_kld(x) / x[0].numel()

    def sample(n: int, c: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([flow.sample(BATCH)[0] for _ in range(n // BATCH)])

    return flow, loss, sample
