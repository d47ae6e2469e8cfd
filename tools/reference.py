"""What griffe has to be told about our code so that the reference shows it as it is meant.

Two habits of ours are unknown to it: the heading "Example:", of which it knows the plural alone and
takes the singular for prose, where a doctest turns into nested quotations; and re-exporting with
``from a import x as x``, which type checkers take as the mark of a public name.
"""

import ast
import re
from typing import Any

import griffe


class House(griffe.Extension):
    """Reads examples and public names as the house writes them."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the heading in the docstring of one object.

        Args:
            obj: A module, class, function or attribute that griffe has just read.
        """
        if obj.docstring is not None:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )

    def on_alias_instance(self, *, node: Any, alias: griffe.Alias, **_: Any) -> None:
        """Mark a re-exported name as public.

        Args:
            node: The import statement.
            alias: The name it brings.
        """
        if isinstance(node, ast.ImportFrom):
            marked = {name.asname for name in node.names if name.asname == name.name}
            alias.public = alias.name in marked or None
