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
