"""Where people meet fanin in other tools: pytest, Lightning, the Trainer of transformers, trackers.

Each module imports the tool it belongs to; nothing here is imported by the rest of fanin.
"""
