"""``python -m fanin`` is the program `fanin`."""

from fanin.cli.main import main

main()
