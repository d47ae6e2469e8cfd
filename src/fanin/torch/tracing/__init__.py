"""The tracer: what one pass through a PyTorch model does, as data.

A recorder hears every call of torch (`recorder`), keeps track of what each tensor is
(`recording`, `origins`), and writes operations and uses of parameters down (`weighted`,
`elementwise`). The model is left as it was (`untouched`).
"""

from fanin.torch.tracing.tracer import trace as trace
