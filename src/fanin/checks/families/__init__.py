"""The families of rules, one module or package each."""
