"""Recipes for transformers, where what is written to the residual stream decides.

A stream that many branches write to grows with their number. Each recipe has its own answer: only
the last kernels of the branches are made smaller (`gpt2`, `llama`), or all that carries values
(`deepnet`, `t_fixup`). Query and key are never made smaller: they say where to look, not how much
is written. Layers and branches are counted on the traced network, not read off names.
"""

import math

from fanin.draws import TruncatedNormal
from fanin.recipes.companion import BESIDE
from fanin.recipes.network import KERNELS, Network, Stream, around, stands
from fanin.recipes.presets.attention import by_block
from fanin.recipes.rules import Decision, Formula, Recipe, Rule, tidy, written
from fanin.recipes.slots import Role, Slot
from fanin.schemes import constant, glorot_normal, glorot_uniform, normal, truncated_normal
from fanin.trace import Place

WEIGHTS = (*KERNELS, Role.EMBEDDING, Role.POSITIONAL)


def gpt2(std: float = 0.02) -> Recipe:
    """GPT-2: everything normal(0, 0.02), and what writes to the stream 1 / sqrt(branches) of that.

    The number of branches is 2 N for N layers of an attention and a feed-forward part each. The
    released code starts learned positions at 0.01; here, as in the ports, they get `std` as well.

    Args:
        std: Standard deviation of all but the writers.

    Returns:
        The recipe.

    References:
        Radford, Wu, Child, Luan, Amodei and Sutskever (2019), Language Models are Unsupervised
        Multitask Learners, section 2.3.
    """
    return Recipe(
        written("gpt2", std=std),
        (_writers(std), Rule(normal(0, std), f"all but the writers: {std:g}", role=WEIGHTS)),
        "Radford et al. (2019), Language Models are Unsupervised Multitask Learners, section 2.3",
        needs_trace=True,
    )


def llama(std: float = 0.02) -> Recipe:
    """Llama as torchtitan starts it: unit embeddings, writers scaled by depth, a head of its width.

    Kernels are normal(0, 0.02); those that write to the stream (behind the attention, and `w2` of
    the feed-forward part) are divided by sqrt(branches). torchtitan scales `w3` too, which writes
    nothing to the stream, and divides by the depth of the layer unless told: here all writers of a
    stream get the same, that of its whole depth.

    Args:
        std: Standard deviation of the kernels.

    Returns:
        The recipe.

    References:
        torchtitan 0.3, `init_weights` of torchtitan/models/llama3; its issue 3334 on `w3`.
    """
    head = Rule(_unit_head, "the head", role=KERNELS, place=Place.LAST)
    embedding = Rule(normal(0, 1), "embedding: unit normal", role=Role.EMBEDDING)
    rest = Rule(normal(0, std), f"all but the writers: {std:g}", role=WEIGHTS)
    return Recipe(
        written("llama", std=std),
        (_writers(std), head, BESIDE, embedding, rest),
        "torchtitan 0.3, models/llama3, without its scaling of w3 (issue 3334)",
        needs_trace=True,
    )


def bert(std: float = 0.02) -> Recipe:
    """BERT: a normal cut at 2 sigma for everything, which TensorFlow makes 12 percent narrower.

    `tf.truncated_normal_initializer(0.02)` cuts a Gaussian of standard deviation 0.02 and does not
    make up for the loss, so what BERT started from has 0.0176. So has this recipe.

    Args:
        std: Standard deviation before the cut.

    Returns:
        The recipe.

    References:
        Devlin, Chang, Lee and Toutanova (2019), BERT, arXiv 1810.04805: `create_initializer` of
        modeling.py in the released code.
    """
    cut = tidy(std / TruncatedNormal().parent_std)
    rule = Rule(truncated_normal(cut), f"everything: {std:g} before the cut", role=WEIGHTS)
    return Recipe(
        written("bert", std=std), (rule,), "Devlin et al. (2019), arXiv 1810.04805, modeling.py"
    )


def vit(std: float = 0.02) -> Recipe:
    """Vision transformers as DeiT starts them: a normal cut at 2 sigma, also for positions.

    Factors on the branches (LayerScale) start by depth: 0.1 up to 18 layers, 1e-5 up to 24, 1e-6
    beyond. timm's `trunc_normal_` cuts at 2 and not at 2 sigma, that is nothing; this one cuts.

    Args:
        std: Standard deviation, after the cut.

    Returns:
        The recipe.

    References:
        Touvron, Cord, Douze, Massa, Sablayrolles and Jegou (2021), Training data-efficient image
        transformers, arXiv 2012.12877, section 6; Touvron, Cord, Sablayrolles, Synnaeve and Jegou
        (2021), Going deeper with Image Transformers, arXiv 2103.17239, section 2, for the factors.
    """
    placed = Rule(
        truncated_normal(std), "positions and tokens", place=(Place.POSITION, Place.TOKEN)
    )
    rest = Rule(truncated_normal(std), f"everything: {std:g}", role=WEIGHTS)
    scales = Rule(_layer_scale, "branch scale", role=Role.SCALE)
    return Recipe(
        written("vit", std=std),
        (placed, scales, rest),
        "Touvron et al. (2021), arXiv 2012.12877, section 6; arXiv 2103.17239, section 2",
    )


def deepnet() -> Recipe:
    """DeepNet: Glorot's variance, times beta squared for all that carries values in a branch.

    With N layers of an encoder and M of a decoder, beta is ``(8 N)**-1/4`` for an encoder alone,
    ``(8 M)**-1/4`` for a decoder alone; where both are there, ``0.87 (N**4 M)**-1/16`` in the
    encoder and ``(12 M)**-1/4`` in the decoder. Query and key have gain 1, also where they share a
    tensor with the value. The model itself has to multiply its stream by alpha before each norm,
    which a note tells.

    Returns:
        The recipe.

    References:
        Wang, Ma, Dong, Huang, Zhang and Wei (2022), DeepNet: Scaling Transformers to 1,000 Layers,
        arXiv 2203.00555, figure 2.
    """

    def branch(slot: Slot, network: Network) -> Decision:
        beta, _, words = deepnet_factors(slot, network)
        return by_block(slot, glorot_normal(), glorot_normal(beta), words)

    return Recipe(
        "deepnet",
        (
            _in_branch(branch, "values in a branch, times beta"),
            BESIDE,
            Rule(_by_width, "embedding: width**-1/2", role=Role.EMBEDDING),
            Rule(glorot_normal(), "outside the branches: Glorot", role=KERNELS),
        ),
        "Wang et al. (2022), arXiv 2203.00555, figure 2",
        needs_trace=True,
        remarks=_alphas,
    )


def t_fixup() -> Recipe:
    """T-Fixup: transformers without layer norm or warm-up.

    Glorot's variance everywhere, but values, attention outputs and feed-forward kernels are
    multiplied by ``0.67 N**-1/4`` in an encoder of N layers and by ``(9 M)**-1/4`` in a decoder of
    M, and the embeddings, of standard deviation ``width**-1/2``, by the latter.

    Returns:
        The recipe.

    References:
        Huang, Perez, Ba and Volkovs (2020), Improving Transformer Optimization Through Better
        Initialization, ICML, section 3.2.
    """

    def branch(slot: Slot, network: Network) -> Decision:
        stream = _stream_of(slot, network)
        factor = _decoder_factor(stream) if stream.crossed else 0.67 * stream.layers**-0.25
        words = f"T-Fixup, {'decoder' if stream.crossed else 'encoder'} of {stream.layers} layers"
        return by_block(slot, glorot_uniform(), glorot_uniform(tidy(factor)), words)

    return Recipe(
        "t_fixup",
        (
            _in_branch(branch, "values in a branch, made smaller by depth"),
            BESIDE,
            Rule(_fixed_embedding, "embedding: made smaller by depth", role=Role.EMBEDDING),
            Rule(glorot_uniform(), "outside the branches: Glorot", role=KERNELS),
        ),
        "Huang, Perez, Ba and Volkovs (2020), ICML, section 3.2",
        needs_trace=True,
        remarks=_norms,
    )


def deepnet_factors(slot: Slot, network: Network) -> tuple[float, float, str]:
    """Compute DeepNet's two factors for the stream of a parameter.

    Args:
        slot: A parameter in a branch.
        network: All parameters.

    Returns:
        Beta, alpha, and which formula it was.
    """
    stream = _stream_of(slot, network)
    behind = [other for other in network.streams if other.crossed and other.index > stream.index]
    if behind and not stream.crossed:
        n, m = stream.layers, behind[0].layers
        both = (n**4 * m) ** (1 / 16)
        return tidy(0.87 / both), 0.81 * both, f"encoder, N={n}, with a decoder, M={m}"
    # 8 N for two branches in a layer, 12 M for three: four for each branch.
    count = stream.branches
    kind = f"decoder, M={stream.layers}" if stream.crossed else f"N={stream.layers}"
    return tidy((4 * count) ** -0.25), count**0.25, kind


def _stream_of(slot: Slot, network: Network) -> Stream:
    stream = network.stream(slot)
    # The rules are for parameters in a branch, so there is one.
    return Stream(0, 1, 0) if stream is None else stream


def _in_branch(formula: Formula, reason: str) -> Rule:
    places = (Place.BRANCH, Place.WRITER)
    return Rule(formula, reason, role=KERNELS, place=places, essential=True)


def _writers(std: float) -> Rule:
    def formula(slot: Slot, network: Network) -> Decision:
        count = network.branches(slot)
        scheme = normal(0, tidy(std / math.sqrt(count)))
        return scheme, f"residual writer: {std:g} / sqrt({count} branches)"

    return Rule(formula, "residual writers", role=KERNELS, place=Place.WRITER, essential=True)


def _unit_head(slot: Slot, _: Network) -> Decision:
    fans = slot.fans
    width = fans.fan_in if fans is not None and fans.fan_in else 1.0
    return truncated_normal(tidy(width**-0.5), 3.0), "the head: fan_in**-1/2, cut at 3 sigma"


def _layer_scale(slot: Slot, network: Network) -> Decision:
    stream = network.stream(slot)
    layers = 0 if stream is None else stream.layers
    value = 0.1 if layers <= 18 else 1e-5 if layers <= 24 else 1e-6
    return constant(value), f"branch scale of {layers} layers"


def _width(slot: Slot) -> float:
    return slot.fans.fan_out if slot.fans is not None else float(slot.shape[-1])


def _by_width(slot: Slot, _: Network) -> Decision:
    return normal(0, tidy(_width(slot) ** -0.5)), "embedding: width**-1/2"


def _fixed_embedding(slot: Slot, network: Network) -> Decision:
    attending = [stream for stream in network.streams if stream.attentions]
    last = next((stream for stream in attending if stream.crossed), None) or (
        attending[0] if attending else Stream(0, 1, 0)
    )
    std = _width(slot) ** -0.5 * _decoder_factor(last)
    return normal(0, tidy(std)), f"embedding: width**-1/2 * (9 * {last.layers})**-1/4"


def _decoder_factor(stream: Stream) -> float:
    return (9 * stream.layers) ** -0.25


def _alphas(network: Network) -> tuple[str, ...]:
    told = dict[str, None]()
    for view in network.views:
        if view.role in KERNELS and stands(view, Place.WRITER):
            _, alpha, words = deepnet_factors(view, network)
            told[
                f"deepnet sets weights only: the model must multiply its stream by alpha = "
                f"{alpha:.4g} before each sum ({words})"
            ] = None
    norms = {branch.norm for view in network.views if (branch := around(view).branch) is not None}
    if norms and "after" not in norms:
        told["deepnet is for norms after the sum, and this network has none there"] = None
    return tuple(told)


def _norms(network: Network) -> tuple[str, ...]:
    count = sum(slot.role is Role.NORM_GAIN for slot in network.slots)
    if not count:
        return ()
    return (f"t_fixup is for transformers without norms, and this one has {count} norm gains",)
