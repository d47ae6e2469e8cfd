"""The public verbs: each tells a model's framework by its type and hands over to that room."""
