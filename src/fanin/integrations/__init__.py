"""Where people meet the check: pytest, Lightning, the Trainer of transformers.

Each module imports the tool it belongs to; nothing here is imported by the rest of fanin.
"""
