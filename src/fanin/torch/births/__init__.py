"""The births recorder: a build is watched at the level where every write passes.

A dispatch mode sees each operation that touches memory (`recorder`); what memory holds and where
that came from is kept by storage (`histories`); the stack tells who asked (`fanin.torch.callers`);
what NumPy writes is seen by its result (`exposure`), and threads are heard too (`threads`); at the
end the tensors of the model are looked up (`assembling`).
"""

from fanin.torch.births.recording import record as record
