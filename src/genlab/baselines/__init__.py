"""Models that need no training: a network that loses to these has learnt little."""
