"""The character RNN: a tanh cell, its forward and backward passes written by hand, and what surrounds it."""
