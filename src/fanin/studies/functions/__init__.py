"""Functions of one variable: reading them, looking over their ground, and descending on them.

The smallest case of everything the studies are about: the start is one number, the network one
formula, and what training can reach from where can be seen whole.
"""
