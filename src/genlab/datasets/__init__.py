"""Raw data: where it comes from, its checksum, and how it is read. Nothing here knows a model."""
