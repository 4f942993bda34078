"""The commands: the only place that knows Hydra, the Trainer's options and what a run folder is made of."""
