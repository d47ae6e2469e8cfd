"""The recipes that people have published, one file per family, each with its source."""
