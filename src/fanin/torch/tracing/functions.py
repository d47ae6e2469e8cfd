"""The functions of torch by what they do to a signal.

Names only: `torch.relu`, `Tensor.relu_` and `torch.nn.functional.relu` are all "relu". A function
that is in no table is recorded as what it is, an operation of kind "other".
"""

from typing import Any

from fanin.calls import format_number

ACTIVATIONS: dict[str, str] = {
    "relu": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "erf": "erf",
    "silu": "silu",
    "mish": "mish",
    "softplus": "softplus",
    "softsign": "softsign",
    "selu": "selu",
    "hardtanh": "hardtanh",
    "hardsigmoid": "hardsigmoid",
    "hardswish": "hardswish",
    "relu6": "relu6",
    "sin": "sin",
    "gelu": "gelu",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
    "celu": "celu",
    "rrelu": "rrelu",
    "prelu": "prelu",
    "logsigmoid": "logsigmoid",
    "log_sigmoid": "logsigmoid",
    "hardshrink": "hardshrink",
    "softshrink": "softshrink",
    "tanhshrink": "tanhshrink",
    "threshold": "threshold",
    "cos": "cos",
    "exp": "exp",
    "abs": "abs",
    "square": "square",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "reciprocal": "reciprocal",
    "log": "log",
    "log1p": "log1p",
    "expm1": "expm1",
    "sinh": "sinh",
    "cosh": "cosh",
    "atan": "atan",
    "sign": "sign",
    "clamp": "clamp",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
    "clip": "clamp",
    "pow": "pow",
    "__rpow__": "pow",
    "maximum": "maximum",
    "minimum": "minimum",
    "nan_to_num": "nan_to_num",
}
"""Functions of one signal, element by element."""

PARAMETERS = {
    "leaky_relu": ("negative_slope", 0.01),
    "elu": ("alpha", 1.0),
    "celu": ("alpha", 1.0),
}
"""Activations with a parameter: its name in torch and its default."""

RANGES: dict[str, tuple[int, tuple[str, ...], tuple[float, ...]]] = {
    "hardtanh": (1, ("min_val", "max_val"), (-1.0, 1.0)),
    "softplus": (1, ("beta", "threshold"), (1.0, 20.0)),
}
"""Activations that have their name only with these arguments: where they stand, names, values."""

VIEWS = frozenset(
    [
        "view", "reshape", "permute", "transpose", "t", "T", "mT", "H", "mH", "swapaxes",
        "swapdims", "movedim", "moveaxis", "squeeze", "unsqueeze", "flatten", "unflatten", "ravel",
        "expand", "expand_as", "view_as", "reshape_as", "broadcast_to", "repeat",
        "repeat_interleave", "tile", "contiguous", "clone", "detach", "data", "real", "chunk",
        "split", "split_with_sizes", "tensor_split", "unbind", "select", "narrow", "__getitem__",
        "index_select", "take_along_dim", "gather", "flip", "roll", "rot90", "to", "type",
        "type_as", "float", "double", "half", "bfloat16", "cpu", "cuda", "requires_grad_",
        "view_as_real", "view_as_complex", "masked_fill", "masked_fill_", "tril", "triu",
        "diagonal", "unfold", "im2col", "pixel_shuffle", "pixel_unshuffle", "pad", "interpolate",
        "upsample", "fold", "col2im", "positive", "resolve_conj", "as_strided", "adjoint",
        "channel_shuffle", "atleast_2d", "atleast_3d", "hsplit", "vsplit", "nan_to_num_",
    ]
)  # fmt: skip
"""What a signal passes through unchanged, as far as its size goes."""

CASTS = frozenset(["to", "type", "type_as", "float", "double", "half", "bfloat16", "cpu", "cuda"])
"""Views that change the type or the device, not the shape."""

SAME_PLACE = frozenset(
    ["contiguous", "clone", "detach", "data", "requires_grad_", "positive", "resolve_conj"]
)
"""Views after which every element is where it was, and that say nothing."""

NORMS = frozenset(
    [
        "layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm",
        "local_response_norm", "normalize",
    ]
)  # fmt: skip

POOLS = frozenset(
    [
        "max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d",
        "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
        "adaptive_max_pool2d", "adaptive_max_pool3d", "lp_pool1d", "lp_pool2d",
        "max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices",
        "fractional_max_pool2d",
    ]
)  # fmt: skip

DROPOUTS = frozenset(
    [
        "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "alpha_dropout",
        "feature_alpha_dropout",
    ]
)  # fmt: skip

JOINS = frozenset(
    ["cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack"]
)

SOFTMAXES = frozenset(["softmax", "log_softmax", "softmin", "gumbel_softmax", "_softmax"])

STATISTICS = frozenset(
    [
        "mean", "sum", "var", "std", "norm", "vector_norm", "var_mean", "std_mean", "amax", "amin",
        "max", "min", "logsumexp", "median", "prod", "nanmean",
    ]
)  # fmt: skip
"""Functions that make few numbers of many."""

LOSSES = frozenset(
    [
        "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss",
        "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div", "ctc_loss",
        "gaussian_nll_loss", "poisson_nll_loss", "margin_ranking_loss", "cosine_embedding_loss",
        "hinge_embedding_loss", "triplet_margin_loss", "multi_margin_loss",
        "multilabel_margin_loss", "soft_margin_loss", "multilabel_soft_margin_loss",
    ]
)  # fmt: skip

CONVOLUTIONS = {
    "conv1d": (1, False),
    "conv2d": (2, False),
    "conv3d": (3, False),
    "conv_transpose1d": (1, True),
    "conv_transpose2d": (2, True),
    "conv_transpose3d": (3, True),
}
"""Number of kernel axes, and whether it is a transposed convolution."""

RECURRENT = {
    "lstm": 4,
    "gru": 3,
    "rnn_tanh": 1,
    "rnn_relu": 1,
    "lstm_cell": 4,
    "gru_cell": 3,
    "rnn_tanh_cell": 1,
    "rnn_relu_cell": 1,
}
"""Blocks stacked in each kernel."""

PACKINGS = frozenset(["_pack_padded_sequence", "_pad_packed_sequence"])
"""How sequences of different length are laid end to end, and side by side again."""

SUMS = frozenset(["add", "sub", "subtract", "__rsub__", "rsub", "__radd__", "__add__", "__sub__"])
PRODUCTS = frozenset(
    [
        "neg", "negative", "mul", "multiply", "div", "divide", "true_divide", "__rdiv__",
        "__rmul__", "__rtruediv__",
    ]
)  # fmt: skip

PLAIN = frozenset(
    [
        "size", "dim", "ndimension", "numel", "stride", "storage_offset", "data_ptr",
        "is_contiguous", "is_floating_point", "is_complex", "get_device", "element_size",
        "nelement", "item", "tolist", "__len__", "__repr__", "__format__", "__bool__", "__int__",
        "__float__", "__index__", "__contains__", "__hash__", "__iter__", "register_hook",
        "is_meta", "backward", "retain_grad", "is_nonzero", "equal", "allclose", "__setstate__",
        "__reduce_ex__", "untyped_storage", "is_same_size", "__eq__", "__ne__", "__lt__", "__gt__",
        "__le__", "__ge__", "eq", "ne", "lt", "gt", "le", "ge", "isnan", "isinf", "isfinite",
        "any", "all", "argmax", "argmin", "argsort", "is_inference", "numpy", "is_pinned",
        "_is_view", "zeros", "ones", "empty", "full", "arange", "zeros_like", "ones_like",
        "empty_like", "full_like", "rand", "randn", "rand_like", "randn_like", "tensor",
        "as_tensor", "new_zeros", "new_ones", "new_empty", "new_full", "new_tensor", "is_conj",
        "is_neg", "shape", "dtype", "device", "requires_grad", "grad_fn", "grad", "is_leaf",
        "ndim", "layout", "itemsize", "nbytes", "is_cuda", "is_cpu", "is_sparse", "is_quantized",
        "is_mps", "is_xpu", "is_nested", "output_nr", "_version", "_backward_hooks", "is_mkldnn",
        "is_coalesced", "one_hot", "finfo", "iinfo", "result_type", "promote_types", "can_cast",
        "linspace", "eye", "tril_indices", "triu_indices", "is_tensor", "multinomial", "bernoulli",
        "bernoulli_", "normal_", "uniform_", "nonzero", "searchsorted", "bucketize", "logical_and",
        "logical_or", "logical_not", "__and__", "__or__", "__invert__", "bitwise_not",
        "bitwise_and", "bitwise_or", "int", "long", "bool", "short",
    ]
)  # fmt: skip
"""Functions whose result carries no signal, or is none."""


def function_name(func: Any) -> str:
    """Name a function the way its tables here do.

    Args:
        func: What a torch function mode is given: a function, a method, or the getter of a
            property.

    Returns:
        The name of the function or property, without the underscore of the in-place form.
    """
    name = getattr(func, "__name__", "")
    if name == "__get__":
        return getattr(getattr(func, "__self__", None), "__name__", "")
    if name.startswith("__i") and name.endswith("__") and name not in PLAIN:
        return name[3:-2]
    return name


def plain_name(name: str) -> str:
    """Take the underscore of the in-place form off.

    Args:
        name: As `function_name` gives it.

    Returns:
        ``"relu"`` for ``"relu_"``.

    Example:
        >>> plain_name("relu_"), plain_name("__getitem__")
        ('relu', '__getitem__')
    """
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def activation_text(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Write an activation as `fanin.theory` reads it.

    Args:
        name: Name of the function, a key of `ACTIVATIONS`.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Returns:
        Such as ``"leaky_relu(0.2)"``; for one that theory does not know, torch's own name.

    Example:
        >>> activation_text("leaky_relu", (None, 0.2), {}), activation_text("relu", (None,), {})
        ('leaky_relu(0.2)', 'relu')
    """
    text = ACTIVATIONS[name]
    if text == "gelu":
        return "gelu_tanh" if kwargs.get("approximate", "none") == "tanh" else "gelu"
    if text in RANGES:
        place, keywords, usual = RANGES[text]
        given = tuple(
            kwargs.get(name, args[place + own] if len(args) > place + own else default)
            for own, (name, default) in enumerate(zip(keywords, usual, strict=True))
        )
        if given == usual:
            return text
        return "relu6" if text == "hardtanh" and given == (0, 6) else f"{text}{given}"
    if text in PARAMETERS:
        keyword, default = PARAMETERS[text]
        value = kwargs.get(keyword, args[1] if len(args) > 1 else default)
        return f"{text}({format_number(float(value))})"
    if text == "pow":
        exponent = kwargs.get("exponent", args[1] if len(args) > 1 else None)
        return f"pow({exponent})" if isinstance(exponent, int | float) else "pow"
    return text
