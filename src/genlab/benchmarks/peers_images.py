"""What people would use instead of genlab's image models, written the way PyTorch's own examples do it.

Loops in single precision over a ``DataLoader`` of torchvision's MNIST with transforms: ``DcganLoop`` after PyTorch's
DCGAN tutorial, ``VaeLoop`` after its VAE example, ``train_classifier`` after its MNIST example with that one's own
network. The DCGAN and the VAE have the report's networks, in torch's own layers and with genlab's names of parameters:
only the way of training them differs.

Run as a program: options as JSON, and a JSON object on the last line that it prints.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

LATENT_DIM = 100
LEARNING_RATE = 2e-4
BATCH = 128


def upsampling(*, norm_first: bool) -> list[nn.Module]:
    """The transposed convolutions that both models end with: 128 maps of 7x7 to one of 28x28."""
    layers: list[nn.Module] = []
    for channels in (128, 64):
        norm_and_relu = [nn.BatchNorm2d(64), nn.ReLU()]
        layers.append(nn.ConvTranspose2d(channels, 64, 4, stride=2, padding=1))
        layers += norm_and_relu if norm_first else norm_and_relu[::-1]
    return [*layers, nn.ConvTranspose2d(64, 1, 3, stride=1, padding=1)]


class Generator(nn.Module):
    """Noise (B, 100) to images (B, 1, 28, 28) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *[nn.Linear(LATENT_DIM, 128 * 7 * 7), nn.Unflatten(1, (128, 7, 7)), nn.BatchNorm2d(128)],
            *upsampling(norm_first=True),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        """The images."""
        images: Tensor = self.layers(z)
        return images


class Discriminator(nn.Module):
    """Images (B, 1, 28, 28) to probabilities (B,) of being real."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
            layers += [nn.Dropout(0.0), nn.BatchNorm2d(after)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 2 * 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        """The probabilities."""
        return torch.sigmoid(self.layers(x)).view(-1)


class Encoder(nn.Module):
    """Images (B, 1, 28, 28) to the mean and log-variance (B, 2)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((1, 64, 1), (64, 64, 2), (64, 128, 2)):
            layers += [nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.ReLU(), nn.BatchNorm2d(after)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 7 * 7, 100), nn.ReLU())
        self.mu, self.logvar = nn.Linear(100, 2), nn.Linear(100, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance."""
        h = self.body(x)
        return self.mu(h), self.logvar(h)


class Decoder(nn.Module):
    """Latents (B, 2) to logits (B, 1, 28, 28)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *[nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 128 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (128, 7, 7))],
            *upsampling(norm_first=False),
        )

    def forward(self, z: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.layers(z)
        return logits


class DcganLoop:
    """The tutorial's loop: sigmoids and ``BCELoss`` against labels, two backward passes for the discriminator."""

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    figures = ("train/loss_discriminator", "train/loss_generator")

    def __init__(self) -> None:
        self.nets = nn.ModuleDict({"generator": Generator(), "discriminator": Discriminator()})
        self.generator, self.discriminator = self.nets["generator"], self.nets["discriminator"]
        self.criterion = nn.BCELoss()
        self.optimizer_d = optim.Adam(self.discriminator.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999))
        self.optimizer_g = optim.Adam(self.generator.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999))

    def step(self, images: Tensor) -> tuple[float, float]:
        """Update both networks on images in [-1, 1]; the losses of the discriminator and of the generator."""
        self.discriminator.zero_grad()
        labels = torch.full((len(images),), 1.0)
        noise = torch.randn(len(images), LATENT_DIM)
        loss_real = self.criterion(self.discriminator(images), labels)
        loss_real.backward()
        fake = self.generator(noise)
        labels.fill_(0.0)
        loss_fake = self.criterion(self.discriminator(fake.detach()), labels)
        loss_fake.backward()
        self.optimizer_d.step()

        self.generator.zero_grad()
        labels.fill_(1.0)
        loss_generator = self.criterion(self.discriminator(fake), labels)
        loss_generator.backward()
        self.optimizer_g.step()
        return (loss_real + loss_fake).item(), loss_generator.item()


class VaeLoop:
    """The example's loop: a cross-entropy of pixels and a KL, both summed over the batch.

    Two lines are other ones, so that the same is computed: images are made binary at random, as genlab does, and the
    cross-entropy is of logits. That of the example's sigmoids is cut off where they round to 0 or 1, and takes longer.
    """

    transform = transforms.ToTensor()
    figures = ("train/loss",)

    def __init__(self) -> None:
        self.nets = nn.ModuleDict({"encoder": Encoder(), "decoder": Decoder()})
        self.optimizer = optim.Adam(self.nets.parameters(), lr=LEARNING_RATE)

    def step(self, images: Tensor) -> tuple[float]:
        """Update on images in [0, 1]; the loss in nats an image."""
        images = torch.bernoulli(images)
        self.optimizer.zero_grad()
        mu, logvar = self.nets["encoder"](images)
        std = torch.exp(0.5 * logvar)
        logits = self.nets["decoder"](mu + torch.randn_like(std) * std)
        cross_entropy = functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        divergence = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        loss = cross_entropy + divergence
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return (loss.item() / len(images),)


LOOPS: Mapping[str, type[DcganLoop] | type[VaeLoop]] = {"dcgan": DcganLoop, "vae": VaeLoop}


def loader_of(root: str, train: bool, transform: Any, batch: int, workers: int) -> DataLoader[Any]:
    """Batches as torchvision's documentation makes them; nothing is downloaded."""
    images = datasets.MNIST(root, train=train, transform=transform)
    return DataLoader(images, batch_size=batch, shuffle=train, num_workers=workers)


def rate(model: str, root: str, workers: int, warm_up: int, steps: int) -> dict[str, float]:
    """Images a second over ``steps`` steps, after some that are not timed."""
    loop = LOOPS[model]()
    batches = endless(loader_of(root, True, loop.transform, BATCH, workers))
    began = 0.0
    for number in range(warm_up + steps):
        losses = loop.step(next(batches))
        if number % 50 == 0:
            print(f"[{number}/{warm_up + steps}]", *(f"{loss:.4f}" for loss in losses))
        if number + 1 == warm_up:
            began = time.perf_counter()
    return {"rate": BATCH * steps / (time.perf_counter() - began)}


def endless(loader: DataLoader[Any]) -> Iterator[Tensor]:
    """Whole batches of images, pass after pass."""
    while True:
        for images, _ in loader:
            if len(images) == loader.batch_size:
                yield images


class Net(nn.Module):
    """The network of PyTorch's MNIST example: two convolutions, two linear layers, dropout between them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1), nn.Conv2d(32, 64, 3, 1)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities (B, 10) of images (B, 1, 28, 28)."""
        x = functional.relu(self.conv2(functional.relu(self.conv1(x))))
        x = torch.flatten(self.dropout1(functional.max_pool2d(x, 2)), 1)
        x = self.dropout2(functional.relu(self.fc1(x)))
        return functional.log_softmax(self.fc2(x), dim=1)


def train_classifier(root: str, goal: float, passes: int, seed: int, batch: int = 64) -> dict[str, float]:
    """Train with Adadelta and ``StepLR`` until the test accuracy, taken after each pass, is ``goal``.

    Raises ``RuntimeError`` if it is not after ``passes``.
    """
    torch.manual_seed(seed)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    train, test = loader_of(root, True, transform, batch, 0), loader_of(root, False, transform, 1000, 0)
    model = Net()
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    for number in range(1, passes + 1):
        model.train()
        for i, (images, labels) in enumerate(train):
            optimizer.zero_grad()
            loss = functional.nll_loss(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if i % 10 == 0:
                print(f"pass {number}, batch {i}: {loss.item():.4f}")
        accuracy = accuracy_of(model, test)
        print(f"pass {number}: {accuracy:.4f}")
        if accuracy >= goal:
            return {"accuracy": accuracy, "passes": number}
        scheduler.step()
    raise RuntimeError(f"the MNIST example is below {goal} after {passes} passes")


@torch.no_grad()
def accuracy_of(model: nn.Module, loader: DataLoader[Any]) -> float:
    """The share of images that are read rightly."""
    model.eval()
    right = sum(int((model(images).argmax(dim=1) == labels).sum()) for images, labels in loader)
    return right / len(loader.dataset)  # type: ignore[arg-type]


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the options say: ``{"task": "rate" or "train_classifier", ...}`` with that function's arguments."""
    options = json.loads((sys.argv[1:] if argv is None else argv)[0])
    task = {"rate": rate, "train_classifier": train_classifier}[options.pop("task")]
    print(json.dumps(task(**options)))  # type: ignore[operator]
    return 0


if __name__ == "__main__":
    sys.exit(main())
