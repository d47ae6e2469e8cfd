"""Random numbers as a pure function of seed, name and index.

`value = f(seed, name, index)`: no state, no order, no device. A seed and a parameter's name give a
key, the key and a flat index give 32 random bits, and a law turns the bits into a float32. The room
holds the readable NumPy reference and the compiled kernel, which give the same bits.
"""

from fanin.draws.keys import VERSION as VERSION
from fanin.draws.keys import key as key
from fanin.draws.laws import Constant as Constant
from fanin.draws.laws import Law as Law
from fanin.draws.laws import Normal as Normal
from fanin.draws.laws import TruncatedNormal as TruncatedNormal
from fanin.draws.laws import Uniform as Uniform
from fanin.draws.sampling import fill as fill
from fanin.draws.sampling import permutation as permutation
from fanin.draws.sampling import sample as sample
from fanin.draws.sampling import words as words
