"""Public cases that no look at the start can show, and why."""

UNSEEN: dict[str, str] = {
    "B41": "a vector of ones in front of a softplus is as sound as a spread one; that the class of "
    "the whole model would have filled it otherwise is known only to whoever builds that class",
    "B56": "multipliers of the width are numbers in the forward pass; at one width a net without "
    "them is an ordinary net",
    "B147": "the same seed gives other numbers on another device; there is one device here, and "
    "fanin's own draws are equal on all",
    "B149": "the same seed gives other numbers for another cut of the tensor; one process holds "
    "one cut, and fanin's own draws do not depend on it",
    "B156": "every draw from one generator shifts the next; that is how generators work, and "
    "no fault of a model. fanin's own draws are keyed by name",
    "B157": "the same: a layer without parameters shifts the draws behind it",
    "B171": "the start is right, and slow: time is measured by a profiler",
    "B172": "the start is right, and slow",
    "B174": "the start is right, and slow",
    "B176": "the build fails with an error of its own; its silent cousin is B106",
}
"""Number of the case to the reason."""


MISSED: dict[str, str] = {
    "B64": "a stack whose use does not tell that its first axis is a batch",
    "B82": "a batch norm behind the depthwise convolution takes the scale away",
    "B84": "the same, for a separable convolution; it learns, if slower",
    "B91": "torch's own default of a transposed convolution, which learns, if slower",
    "B96": "a gain that is a quarter too small: eight layers carry the signal",
    "B117": "one dead output unit of several: the others learn, and it opens later",
    "B119": "a branch beside a frozen network, too large only for whoever knows that it was to be "
    "small",
    "B124": "gains at zero that open with the first step, and cost some time",
    "B142": "new rows among old ones: told as a remark",
    "B159": "a leading direction that is nearly constant, within what chance gives a small matrix",
    "B161": "an error of 1e-2 in orthogonality: no harm to a start",
    "B166": "a truncation at another place, which leaves the standard deviation as asked",
}
"""Number of a case that is written here, and that the rules do not report, to the reason."""
