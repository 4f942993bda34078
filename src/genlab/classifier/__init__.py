"""The digit classifier: accurate, calibrated, and with an embedding that generators are judged in."""
