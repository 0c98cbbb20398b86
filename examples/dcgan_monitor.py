"""A deep convolutional GAN in plain PyTorch, and the three lines that give it a doctor.

    python examples/dcgan_monitor.py            a healthy run on the built-in digits
    python examples/dcgan_monitor.py --sick     with one latent for a whole batch, a slip that losses hide: it is told

The networks, the loss and the loop are written here in the manner of the usual tutorials: the discriminator ends in a sigmoid,
real and fake batches go through it apart, and the generator's backward pass leaves gradients in the discriminator. The lines
marked with (1), (2), (3) are all that ganwise needs. The records are written to a table, which `ganwise doctor` reads, too.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

import ganwise as gw

LATENT, WIDTH, BATCH = 32, 16, 64


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *(nn.ConvTranspose2d(LATENT, 2 * WIDTH, 2, bias=False), nn.BatchNorm2d(2 * WIDTH), nn.ReLU(True)),
            *(nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(True)),
            *(nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1), nn.Tanh()),
        )

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.main(z)
        return images


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *(nn.Conv2d(1, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2, True)),
            *(nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * WIDTH), nn.LeakyReLU(0.2, True)),
            *(nn.Conv2d(2 * WIDTH, 1, 2), nn.Sigmoid()),
        )

    def forward(self, x: Tensor) -> Tensor:
        probabilities: Tensor = self.main(x)
        return probabilities.flatten()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--sick", action="store_true", help="one latent for a whole batch, as a slip in the code")
    parser.add_argument("--out", default="records.csv", help="where the records go")
    settings = parser.parse_args()
    torch.manual_seed(0)
    images = torch.as_tensor(gw.load("digits").part("train")).permute(0, 3, 1, 2).float() / 127.5 - 1
    net_g, net_d, criterion = Generator(), Discriminator(), nn.BCELoss()
    optimizer_d = torch.optim.Adam(net_d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_g = torch.optim.Adam(net_g.parameters(), lr=2e-4, betas=(0.5, 0.999))

    monitor = gw.Monitor(net_g, net_d, loss="bce", every=20)  # (1) a short run: more records than by default

    ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)
    for step in range(settings.steps):
        real = images[torch.randint(len(images), (BATCH,))]
        latents = torch.randn(1 if settings.sick else BATCH, LATENT, 1, 1).expand(BATCH, -1, -1, -1)
        fake = net_g(latents)

        net_d.zero_grad()
        on_real, on_fake = net_d(real), net_d(fake.detach())
        loss_d = criterion(on_real, ones) + criterion(on_fake, zeros)
        loss_d.backward()
        optimizer_d.step()

        net_g.zero_grad()
        loss_g = criterion(net_d(fake), ones)
        loss_g.backward()
        optimizer_g.step()

        monitor.step(on_real, on_fake, fake, real=real, loss_d=loss_d, loss_g=loss_g)  # (2)

        if (step + 1) % 500 == 0:
            print(f"step {step + 1:,}: loss_d {loss_d:.3f}, loss_g {loss_g:.3f}, the doctor says: {monitor.verdict}")

    print(f"\nverdict: {monitor.verdict}")  # (3)
    for finding in monitor.findings:
        print(f"- {finding.problem} ({finding.severity}) since step {finding.since_step:,}: {finding.evidence}")
    for gap in monitor.not_judged:
        print(f"- not judged: {gap}")
    print(f"records: {monitor.report(settings.out)}")


if __name__ == "__main__":
    main()
