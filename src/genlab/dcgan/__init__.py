"""The DCGAN: a generator and a discriminator of convolutions, trained against each other."""
