"""The DCGAN's images: those of the data set as they are."""

from genlab.datasets.image_datamodule import ImageDataModule


class DcganDataModule(ImageDataModule):
    """An ``ImageDataModule``; the module takes its images to [-1, 1], which is the range of the generator's tanh."""
