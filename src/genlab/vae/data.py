"""The VAE's images: those of the data set as they are."""

from genlab.datasets.image_datamodule import ImageDataModule


class VaeDataModule(ImageDataModule):
    """An ``ImageDataModule``; the model makes its images binary, for it decides what they are likely under."""
