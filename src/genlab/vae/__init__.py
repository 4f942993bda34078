"""The variational autoencoder: a convolutional encoder and decoder around a Gaussian latent."""
