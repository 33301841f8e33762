"""Named optimizers and combinators as type checkers see them; written by ``python -m tests.typing.stub``."""

from typing import Literal

from torch import Tensor
from torch.optim.optimizer import ParamsT

from gradwright.optimizer.recipe import Recipe
from gradwright.recipes.averaged import averaged as averaged
from gradwright.recipes.averaged import polynomial_averaged as polynomial_averaged
from gradwright.recipes.averaged import power_averaged as power_averaged
from gradwright.recipes.combinators import adanorm as adanorm
from gradwright.recipes.combinators import cautious as cautious
from gradwright.recipes.combinators import grokfast as grokfast
from gradwright.recipes.combinators import lookahead as lookahead
from gradwright.recipes.combinators import untuned_warmup as untuned_warmup
from gradwright.recipes.conditioned import adaptively_clipped as adaptively_clipped
from gradwright.recipes.conditioned import centralized as centralized
from gradwright.recipes.conditioned import clipped as clipped
from gradwright.recipes.conditioned import softly_clipped as softly_clipped
from gradwright.recipes.conditioned import value_clipped as value_clipped
from gradwright.recipes.decay_forms import cautious_decay as cautious_decay
from gradwright.recipes.decay_forms import decoupled as decoupled
from gradwright.recipes.low_rank import low_rank as low_rank
from gradwright.recipes.regularised import constrained as constrained
from gradwright.recipes.regularised import norm_regularized as norm_regularized
from gradwright.recipes.schedule_free import schedule_free as schedule_free
from gradwright.recipes.thrifty import thrifty as thrifty

__all__ = [
    "ADOPT",
    "AMMSGD",
    "APOLLO",
    "ASGD",
    "BCOS",
    "CAME",
    "FOCUS",
    "FTRL",
    "KATE",
    "KLSOAP",
    "MADGRAD",
    "MARS",
    "NSGDA",
    "PNM",
    "QHM",
    "RACS",
    "SGD",
    "SGDP",
    "SGDS",
    "SM3",
    "SMMF",
    "SOAP",
    "SPAM",
    "AMAdamW",
    "AMSGrad",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "AdaGL",
    "AdaLo",
    "AdaMomentum",
    "AdaMuon",
    "AdaPNM",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adai",
    "Adam",
    "AdamAtan2",
    "AdamCPR",
    "AdamH",
    "AdamMini",
    "AdamNorm",
    "AdamP",
    "AdamS",
    "AdamW",
    "AdamW2",
    "Adamax",
    "Adan",
    "AggMo",
    "Amos",
    "Ano",
    "DAdaptAdam",
    "DAdaptSGD",
    "DiffGrad",
    "Dion",
    "Dion2",
    "DoG",
    "DoWG",
    "EAdam",
    "Fira",
    "Flora",
    "GaLore",
    "Grams",
    "KLShampoo",
    "LDoG",
    "LaProp",
    "Lamb",
    "Lars",
    "Lion",
    "MirrorMADGRAD",
    "Muon",
    "MuonH",
    "NAdam",
    "NAdamW",
    "NorMuon",
    "NovoGrad",
    "Padam",
    "Prodigy",
    "QHAdam",
    "RAdam",
    "RMSprop",
    "Ranger",
    "Rprop",
    "SAdam",
    "SPlus",
    "ScheduleFreeAdamW",
    "ScheduleFreeNorMuon",
    "ScheduleFreePlus",
    "ScheduleFreeRAdam",
    "ScheduleFreeSGD",
    "Scion",
    "Shampoo",
    "Signum",
    "SinkGD",
    "StableAdamW",
    "StableSPAM",
    "Surefoot",
    "Tiger",
    "Yogi",
    "adanorm",
    "adaptively_clipped",
    "averaged",
    "cautious",
    "cautious_decay",
    "centralized",
    "clipped",
    "constrained",
    "decoupled",
    "grokfast",
    "lookahead",
    "low_rank",
    "norm_regularized",
    "polynomial_averaged",
    "power_averaged",
    "schedule_free",
    "softly_clipped",
    "thrifty",
    "untuned_warmup",
    "value_clipped",
]

Number = float | Tensor

class ADOPT(Recipe[...]):
    """Adam that divides each gradient by the moment of those before it, and averages afterwards."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.9999),
        eps: Number = 1e-06,
        weight_decay: Number = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AMAdamW(Recipe[...]):
    """AdamW whose momentum coefficient is worked out anew at each step, one for each tensor."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.89, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.01,
        pull: Number = 0.1,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AMMSGD(Recipe[...]):
    """SGD whose momentum coefficient is worked out anew at each step, one for the whole model."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        momentum: Number = 0.9,
        pull: Number = 0.1,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AMSGrad(Recipe[...]):
    """Adam that divides by the largest second moment so far, in the three forms in circulation."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        form: Literal["raw", "corrected", "paper"] = "raw",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class APOLLO(Recipe[...]):
    """The gradient itself, as long as Adam makes it in a small random view: SGD's memory, and nearly Adam's steps."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-06,
        weight_decay: Number = 0.0,
        rank: int = 256,
        gap: int = 200,
        scale: Number = 1.0,
        scale_type: Literal["channel", "tensor"] = "channel",
        growth: Number = 1.01,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class ASGD(Recipe[...]):
    """Averaged stochastic gradient descent, as ``torch.optim.ASGD``."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        lambd: Number = 0.0001,
        alpha: Number = 0.75,
        t0: Number = 1000000.0,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdEMAMix(Recipe[...]):
    """AdamW with a second, very slow momentum beside the fast one."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        alpha: Number = 2.0,
        alpha_warmup: Number = 0.0,
        beta3_warmup: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdaBelief(Recipe[...]):
    """Adam that trusts a gradient as far as it agrees with the average of those before."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-16,
        weight_decay: Number = 0.0,
        rectify: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdaBound(Recipe[...]):
    """Adam that turns into SGD: the rate of each entry is squeezed into bounds that close."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        final_ratio: Number = 100.0,
        gamma: Number = 0.001,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdaGL(Recipe[...]):
    """Adam on a fractional difference of the gradient's history, eased where the gradient is steady."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        alpha: Number = 0.5,
        history: int = 10,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdaLo(Recipe[...]):
    """Momentum with one learning rate that follows the loss; call ``step(loss=loss)`` or ``step(closure)``."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: Number = 0.01,
        kappa: Number = 3.0,
        eps: Number = 1e-08,
        mode: Literal["adversarial", "compliant"] = "adversarial",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdaMomentum(Recipe[...]):
    """Adam whose second moment is that of the momentum, not of the gradient."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        form: Literal["raw", "corrected"] = "raw",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdaMuon(Recipe[...]):
    """Muon whose entries are evened out by a full-size second moment."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: Number = 1e-08,
        weight_decay: Number = 0.1,
        nesterov: bool = False,
        stabilize: bool = True,
        coefficients: str = "keller",
        norm: Literal["frobenius", "schatten"] = "frobenius",
        split: int | tuple[int, ...] = 1,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdaPNM(Recipe[...]):
    """Adam with positive-negative momentum."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        beta0: Number = 1.0,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        amsgrad: bool = True,
        decoupled_weight_decay: bool = True,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Adadelta(Recipe[...]):
    """AdaDelta: RMSprop whose steps are measured by those before them, as ``torch.optim.Adadelta``."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        rho: Number = 0.9,
        eps: Number = 1e-06,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Adafactor(Recipe[...]):
    """Adam without a momentum, with a factored second moment and a step relative to the weights."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        beta2_decay: Number = -0.8,
        eps: tuple[float, float] = (1e-30, 0.001),
        d: Number = 1.0,
        weight_decay: Number = 0.0,
        momentum: Number | None = None,
        relative_step: bool = True,
        scale_parameter: bool = True,
        form: Literal["paper", "torch"] = "paper",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Adagrad(Recipe[...]):
    """AdaGrad: the gradient over the root of the sum of all its squares, as ``torch.optim.Adagrad``."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        lr_decay: Number = 0.0,
        weight_decay: Number = 0.0,
        initial_accumulator_value: Number = 0.0,
        eps: Number = 1e-10,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Adai(Recipe[...]):
    """SGD whose momentum, and not whose learning rate, adapts: long where gradients are small beside the others."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        betas: tuple[float, float] = (0.1, 0.99),
        eps: Number = 0.001,
        weight_decay: Number = 0.0,
        dampening: Number = 1.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Adam(Recipe[...]):
    """Adam; weight decay, if any, is an L2 penalty, as in ``torch.optim.Adam``."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamAtan2(Recipe[...]):
    """AdamW with an arctangent in place of division and ε: exactly scale-free, and every step is bounded."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: Number = 0.01,
        a: Number = 1.0,
        b: Number = 1.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamCPR(Recipe[...]):
    """Adam with constrained parameter regularisation: each matrix is held to a size instead of decaying."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        kappa_init_method: Literal["uniform", "dependent", "warm_start", "inflection_point"] = "inflection_point",
        kappa_init_param: Number | None = None,
        reg_function: Literal["l2", "l1", "std", "huber"] = "l2",
        kappa_update: Number = 1.0,
        reg_step_size: int = 200,
        reg_ema_decay: Number = 0.9,
        reg_by_lr: bool = False,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamH(Recipe[...]):
    """Adam on a sphere: every matrix keeps the norm R it began with."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.018,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: Number = 1e-08,
        floor: Number = 0.001,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamMini(Recipe[...]):
    """AdamW with one second moment for each block of the Hessian, which halves the state."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        heads: int | None = None,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamNorm(Recipe[...]):
    """AdaNorm's Adam: gradients shorter than usual enter the momentum at the usual length."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        gamma: Number = 0.95,
        form: Literal["paper", "authors"] = "paper",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamP(Recipe[...]):
    """Adam without the part of its step that only makes weights in front of a normalisation longer."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        delta: Number = 0.1,
        wd_ratio: Number = 0.1,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamS(Recipe[...]):
    """Adam with stable weight decay: the decay is divided by one root mean square of the whole model."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0001,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamW(Recipe[...]):
    """Adam with decoupled weight decay, as ``torch.optim.AdamW``."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.01,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AdamW2(Recipe[...]):
    """AdamW for transformers without warm-up: no step adds more than a share τ to a matrix's largest singular value."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.01,
        tau: Number = 0.01,
        floor: Number = 0.001,
        iterations: int = 3,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Adamax(Recipe[...]):
    """Adam in the infinity norm, from the same paper: divided by a decaying maximum of the gradient's size."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.002,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Adan(Recipe[...]):
    """Nesterov momentum without an extra gradient: the average of gradient differences looks ahead."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float, float] = (0.98, 0.92, 0.99),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        no_prox: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class AggMo(Recipe[...]):
    """Aggregated momentum: the mean of three heavy balls, of which the quick ones damp the slow one."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        betas: tuple[float, float, float] = (0.0, 0.9, 0.99),
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Amos(Recipe[...]):
    """Adam-like steps and weight decay that fall by themselves, sized by where the weights are expected to end."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        beta: Number = 0.999,
        eta: Number | None = None,
        momentum: Number | None = None,
        clip: Number | None = None,
        extra_l2: Number = 0.0,
        c_coef: Number = 0.25,
        d_coef: Number = 0.25,
        eps: Number = 2.350988701644575e-38,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Ano(Recipe[...]):
    """The momentum's sign and the gradient's size, for gradients with much noise."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.0001,
        betas: tuple[float, float] = (0.92, 0.99),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class BCOS(Recipe[...]):
    """Block-coordinate optimal steps: AdamW at half its memory, as the moment is told from the momentum."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        momentum: Number = 0.9,
        eps: Number = 1e-06,
        weight_decay: Number = 0.1,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class CAME(Recipe[...]):
    """Adafactor with a momentum, divided by a factored estimate of how unsteady the update is."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.0002,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
        eps: tuple[float, float] = (1e-30, 1e-16),
        clip_threshold: Number = 1.0,
        weight_decay: Number = 0.0,
        debias: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class DAdaptAdam(Recipe[...]):
    """Adam whose step size is learned by D-Adaptation."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        decoupled_weight_decay: bool = False,
        use_bias_correction: bool = False,
        d0: Number = 1e-06,
        growth_rate: Number | None = None,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class DAdaptSGD(Recipe[...]):
    """SGD whose step size is learned by D-Adaptation."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        momentum: Number = 0.9,
        weight_decay: Number = 0.0,
        d0: Number = 1e-06,
        growth_rate: Number | None = None,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class DiffGrad(Recipe[...]):
    """Adam with friction where the gradient hardly changes (diffGrad)."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Dion(Recipe[...]):
    """Muon's direction of a low rank, by one power iteration a step; what is left out stays in the momentum."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        momentum: Number = 0.95,
        weight_decay: Number = 0.01,
        rank_fraction: Number = 1.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Dion2(Recipe[...]):
    """Muon of the largest rows of the momentum alone, say a quarter; the others gather until their turn comes."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        momentum: Number = 0.95,
        weight_decay: Number = 0.01,
        fraction: Number = 0.25,
        coefficients: str = "polar_express",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class DoG(Recipe[...]):
    """SGD with the distance gone over the root of all squared gradients as its step, evaluated at an average."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        reps_rel: Number = 1e-06,
        weight_decay: Number = 0.0,
        eps: Number = 1e-08,
        gamma: Number = 8.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class DoWG(Recipe[...]):
    """DoG whose sum weighs each squared gradient with the distance at which it was met."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        d0: Number = 0.01,
        weight_decay: Number = 0.0,
        eps: Number = 0.0001,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class EAdam(Recipe[...]):
    """Adam whose ε is stored in the second moment at every step instead of added to its root."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        amsgrad: bool = False,
        form: Literal["stored", "averaged"] = "stored",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class FOCUS(Recipe[...]):
    """The sign of a momentum, and a pull of one size to where the weights have been."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        gamma: Number = 0.1,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class FTRL(Recipe[...]):
    """FTRL-Proximal: follow the regularised leader, which sets weights that are of no use to exactly zero."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        beta: Number = 1.0,
        l1: Number = 0.0,
        l2: Number = 0.0,
        initial_accumulator_value: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Fira(Recipe[...]):
    """GaLore that does not drop the rest of the gradient: it goes along, as long as Adam would have made it."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-06,
        weight_decay: Number = 0.0,
        rank: int = 128,
        gap: int = 200,
        scale: Number = 0.25,
        growth: Number = 1.01,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Flora(Recipe[...]):
    """Adafactor with a momentum of which a random view is kept."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        momentum: Number = 0.9,
        beta2_decay: Number = -0.8,
        eps: tuple[float, float] = (1e-30, 0.001),
        d: Number = 1.0,
        weight_decay: Number = 0.0,
        rank: int = 16,
        gap: int = 1000,
        relative_step: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class GaLore(Recipe[...]):
    """Adam of the gradient in its k leading singular directions, which are found anew every few steps."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-06,
        weight_decay: Number = 0.0,
        rank: int = 128,
        gap: int = 200,
        scale: Number = 0.25,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Grams(Recipe[...]):
    """Adam's size and the gradient's sign: an entry whose momentum points elsewhere is turned around."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-06,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class KATE(Recipe[...]):
    """AdaGrad without the root in its denominator, and with one in its numerator."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        eta: Number = 0.9,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class KLSOAP(Recipe[...]):
    """SOAP in the eigenvectors of factors that are fitted to each other, and without correction."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: Number = 1e-08,
        weight_decay: Number = 0.01,
        precondition_frequency: int = 10,
        shampoo_beta: Number | None = None,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class KLShampoo(Recipe[...]):
    """Shampoo with a root of one half on each side and without a graft, since each side sees what the other whitens."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: Number = 1e-08,
        weight_decay: Number = 0.01,
        precondition_frequency: int = 10,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class LDoG(Recipe[...]):
    """DoG with a distance, a sum of squared gradients and so a step size of its own for each tensor."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        reps_rel: Number = 1e-06,
        weight_decay: Number = 0.0,
        eps: Number = 1e-08,
        gamma: Number = 8.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class LaProp(Recipe[...]):
    """Adam the other way round: each gradient is divided by the root of its moment first, and averaged then."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.0004,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-15,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Lamb(Recipe[...]):
    """Adam's direction with decay inside, made as long as the tensor: large batches keep their step size."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-06,
        weight_decay: Number = 0.01,
        bias_correction: bool = True,
        clip: tuple[float, float] | None = None,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Lars(Recipe[...]):
    """Momentum with a learning rate for each layer, in proportion to its weights over its gradient."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        momentum: Number = 0.9,
        weight_decay: Number = 0.0005,
        trust_coefficient: Number = 0.001,
        nesterov: bool = False,
        form: Literal["paper", "simclr", "popular", "timm"] = "paper",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Lion(Recipe[...]):
    """The sign of a two-speed momentum."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.0001,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class MADGRAD(Recipe[...]):
    """Momentumised, adaptive dual averaging: AdaGrad with a cube root, from where the weights began."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        momentum: Number = 0.9,
        weight_decay: Number = 0.0,
        eps: Number = 1e-06,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class MARS(Recipe[...]):
    """AdamW on variance-reduced gradients, the MARS-AdamW of the paper in its cheap form (one gradient a step)."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.003,
        betas: tuple[float, float] = (0.95, 0.99),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        gamma: Number = 0.025,
        amsgrad: bool = False,
        form: Literal["authors", "timm"] = "authors",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class MirrorMADGRAD(Recipe[...]):
    """MADGRAD in its mirror descent form, which forgets where the weights began."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        momentum: Number = 0.9,
        weight_decay: Number = 0.0,
        eps: Number = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Muon(Recipe[...]):
    """The orthogonal polar factor of a momentum, for the hidden matrices of a network."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.02,
        momentum: Number = 0.95,
        weight_decay: Number = 0.0,
        nesterov: bool = True,
        coefficients: str = "keller",
        adjust_lr: Literal["original", "match_rms_adamw", "spectral", "unit_rms_norm"] = "original",
        norm: Literal["frobenius", "schatten"] = "frobenius",
        split: int | tuple[int, ...] = 1,
        lazy: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class MuonH(Recipe[...]):
    """Muon on a sphere: every matrix keeps the norm R it began with."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.018,
        momentum: Number = 0.95,
        nesterov: bool = True,
        coefficients: str = "keller",
        norm: Literal["frobenius", "schatten"] = "frobenius",
        split: int | tuple[int, ...] = 1,
        floor: Number = 0.001,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class NAdam(Recipe[...]):
    """Adam with Nesterov momentum."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.002,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        momentum_decay: Number = 0.004,
        decoupled_weight_decay: bool = False,
        form: Literal["torch", "dozat", "optax"] = "torch",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class NAdamW(Recipe[...]):
    """AdamW with a Nesterov average, the form that the AlgoPerf baselines run."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.01,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class NSGDA(Recipe[...]):
    """Normalised gradient descent with momentum: every step has the length lr."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        momentum: Number = 0.9,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        over: Literal["tensor", "all"] = "tensor",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class NorMuon(Recipe[...]):
    """Muon whose rows, the neurons, are evened out by a second moment of one number each."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.02,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: Number = 1e-10,
        weight_decay: Number = 0.0,
        nesterov: bool = True,
        coefficients: str = "keller",
        form: Literal["code", "paper"] = "code",
        norm: Literal["frobenius", "schatten"] = "frobenius",
        split: int | tuple[int, ...] = 1,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class NovoGrad(Recipe[...]):
    """Momentum of gradients of unit length: the second moment is one number a tensor."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.95, 0.98),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        averaging: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class PNM(Recipe[...]):
    """SGD with positive-negative momentum, whose noise is larger than that of an average with the same mean."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        momentum: Number = 0.9,
        beta0: Number = 1.0,
        weight_decay: Number = 0.0,
        decoupled_weight_decay: bool = True,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Padam(Recipe[...]):
    """Partially adaptive Adam: a power of the root between that of SGD and Adam's own."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        partial: Number = 0.25,
        amsgrad: bool = True,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Prodigy(Recipe[...]):
    """Adam that learns the size of its step: an estimate d of the distance to the solution, which never falls."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        beta3: Number | None = None,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        decoupled_weight_decay: bool = True,
        use_bias_correction: bool = False,
        safeguard_warmup: bool = False,
        d0: Number = 1e-06,
        d_coef: Number = 1.0,
        growth_rate: Number | None = None,
        slice_p: int = 1,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class QHAdam(Recipe[...]):
    """Adam with quasi-hyperbolic averages: each is put together with what it averages."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.995, 0.999),
        nus: tuple[float, float] = (0.7, 1.0),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class QHM(Recipe[...]):
    """Quasi-hyperbolic momentum: an average of the gradients and the gradient itself, in fixed shares."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        momentum: Number = 0.999,
        nu: Number = 0.7,
        weight_decay: Number = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class RACS(Recipe[...]):
    """The gradient over averages of its rows and of its columns, and a limit to how fast steps may grow."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.02,
        beta: Number = 0.9,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        alpha: Number = 0.05,
        growth: Number = 1.01,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class RAdam(Recipe[...]):
    """Adam with a built-in warm-up: steps are rectified by how much the second moment still varies."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        decoupled_weight_decay: bool = False,
        degenerated_to_sgd: bool = True,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class RMSprop(Recipe[...]):
    """RMSprop: the gradient over the root of an average of its squares, as ``torch.optim.RMSprop``."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        alpha: Number = 0.99,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        momentum: Number | None = None,
        centered: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Ranger(Recipe[...]):
    """RAdam on centralised gradients, in Lookahead."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.95, 0.999),
        eps: Number = 1e-05,
        weight_decay: Number = 0.0,
        k: int = 6,
        alpha: Number = 0.5,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Rprop(Recipe[...]):
    """Resilient backpropagation: each entry has a step of its own, longer while its gradient keeps its sign."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-06, 50.0),
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SAdam(Recipe[...]):
    """Adam with a softplus of the root in place of ε; with ``amsgrad`` it is SAMSGrad."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 0.0,
        weight_decay: Number = 0.0,
        smooth: Number = 50.0,
        amsgrad: bool = False,
        form: Literal["authors", "ranger21"] = "authors",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SGD(Recipe[...]):
    """Stochastic gradient descent with momentum, Nesterov momentum and an L2 penalty, as ``torch.optim.SGD``."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        momentum: Number | None = None,
        dampening: Number = 0.0,
        weight_decay: Number = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SGDP(Recipe[...]):
    """SGD with momentum without the part of its step that only makes weights in front of a normalisation longer."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        momentum: Number = 0.9,
        weight_decay: Number = 0.0,
        delta: Number = 0.1,
        wd_ratio: Number = 0.1,
        nesterov: bool = False,
        eps: Number = 1e-08,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SGDS(Recipe[...]):
    """SGD with stable weight decay: decoupled, at the size of the steps that momentum makes."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        momentum: Number | None = None,
        dampening: Number = 0.0,
        weight_decay: Number = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SM3(Recipe[...]):
    """AdaGrad with one accumulator for each row and each column instead of one for each entry."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        momentum: Number | None = None,
        eps: Number = 1e-30,
        weight_decay: Number = 0.0,
        form: Literal["I", "II"] = "II",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SMMF(Recipe[...]):
    """Adam whose two averages are both kept as row and column sums of a nearly square matrix, and signs in bits."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        momentum: Number = 0.9,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        beta2_decay: Number = -0.5,
        growth_rate: Number = 0.999,
        signs: Literal["ternary", "binary"] = "ternary",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SOAP(Recipe[...]):
    """Adam in the eigenbasis of Shampoo's preconditioner, which turns a little every few steps."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.003,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: Number = 1e-08,
        weight_decay: Number = 0.01,
        shampoo_beta: Number | None = None,
        precondition_frequency: int = 10,
        max_precond_dim: int = 10000,
        precondition_1d: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SPAM(Recipe[...]):
    """Adam that clips single entries far beyond what they have been, and forgets its averages from time to time."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-06,
        weight_decay: Number = 0.0,
        threshold: Number = 5000.0,
        reset_every: int = 500,
        wait: int = 20,
        warmup: int = 150,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SPlus(Recipe[...]):
    """The sign of a momentum in Shampoo's eigenvectors, and an average of the weights to evaluate with."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.1,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: Number = 0.01,
        ema_rate: Number = 0.999,
        inverse_every: int = 100,
        max_dim: int = 10000,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class ScheduleFreeAdamW(Recipe[...]):
    """AdamW without a schedule: gradients are taken between a fast iterate and its running average."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        warmup_steps: Number = 0.0,
        r: Number = 0.0,
        weight_lr_power: Number = 2.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class ScheduleFreeNorMuon(Recipe[...]):
    """SF-NorMuon: orthogonal steps evened out by rows, without a schedule."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        betas: tuple[float, float] = (0.95, 0.95),
        sf_beta: Number = 0.9,
        eps: Number = 1e-10,
        weight_decay: Number = 0.0,
        warmup_steps: Number = 0.0,
        coefficients: str = "you",
        r: Number = 0.0,
        weight_lr_power: Number = 2.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class ScheduleFreePlus(Recipe[...]):
    """ScheduleFree+: Adam without schedule and learning rate; the loss says how far to go."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        betas: tuple[float, float] = (0.9, 0.95),
        sf_beta1: Number = 0.9,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        f_star: Number = 0.0,
        polyak_beta: Number = 0.0,
        c_warmup: Number = 0.0,
        r: Number = 0.0,
        weight_lr_power: Number = 2.0,
        sf_beta1_max: Number = 0.965,
        sf_beta1_anneal_steps: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class ScheduleFreeRAdam(Recipe[...]):
    """Schedule-free RAdam: rectification takes the place of the warm-up too."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        r: Number = 0.0,
        weight_lr_power: Number = 2.0,
        silent_sgd_phase: bool = True,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class ScheduleFreeSGD(Recipe[...]):
    """SGD without a schedule, and with an average in the place of momentum."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        momentum: Number = 0.9,
        weight_decay: Number = 0.0,
        warmup_steps: Number = 0.0,
        r: Number = 0.0,
        weight_lr_power: Number = 2.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Scion(Recipe[...]):
    """A step to the point of a norm ball that the momentum likes best; each layer has the norm that fits it."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.000244140625,
        momentum: Number = 0.9,
        radius: Number = 50.0,
        head_radius: Number = 3000.0,
        constrained: bool = True,
        ball: Literal["auto", "spectral", "sign", "column", "row", "token", "rms"] = "auto",
        coefficients: str = "keller",
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Shampoo(Recipe[...]):
    """A root of the gradient's Gram matrix on each side of a matrix, at the length of a method that is known."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 1e-12,
        weight_decay: Number = 0.0,
        graft: Literal["adam", "adagrad", "sgd", "none"] = "adam",
        graft_eps: Number = 1e-08,
        form: Literal["root", "eigenvalue"] = "root",
        accumulate: bool = False,
        precondition_frequency: int = 10,
        max_precond_dim: int = 1024,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Signum(Recipe[...]):
    """The sign of a momentum."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.0001,
        momentum: Number = 0.9,
        weight_decay: Number = 0.0,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class SinkGD(Recipe[...]):
    """The gradient with rows and columns of one length, and no state at all."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.002,
        weight_decay: Number = 0.0,
        iterations: int = 5,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class StableAdamW(Recipe[...]):
    """AdamW that takes a shorter step with a tensor whose gradients are larger than its second moment expects."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: Number = 1e-06,
        weight_decay: Number = 0.01,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class StableSPAM(Recipe[...]):
    """AdamW behind two clips that follow what is usual, and with restarts: made for training in four bits."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        gammas: tuple[float, float] = (0.7, 0.9),
        theta: Number = 0.999,
        eps: Number = 1e-08,
        weight_decay: Number = 0.0,
        reset_every: int = 1000,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Surefoot(Recipe[...]):
    """No learning rate to find, no schedule, no warm-up: every size is found in training."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1.0,
        betas: tuple[float, float] = (0.8, 0.999),
        relative_step: Number = 0.04,
        rate: Number = 0.03,
        down: Number = 0.35,
        release: Number = 0.25,
        cap: Number = 0.1,
        cap_steps: Number = 400.0,
        keep: Number = 0.25,
        split: int = 1,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Tiger(Recipe[...]):
    """The sign of one average, sized by the weights, which gathers micro-batches without a gradient buffer."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.001,
        momentum: Number = 0.965,
        weight_decay: Number = 0.01,
        accumulate: int = 1,
        shrink: Number = 0.99,
        floor: Number = 0.001,
        lazy: bool = False,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...

class Yogi(Recipe[...]):
    """Adam whose second moment shrinks no faster than it grows."""

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: Number = 0.001,
        weight_decay: Number = 0.0,
        initial_accumulator_value: Number = 1e-06,
        *,
        maximize: bool = False,
        state: Literal["auto", "float32", "bfloat16", "8bit", "parameter"] = "auto",
        weights: Literal["plain", "split24", "split32", "stochastic"] = "plain",
        engine: str = "auto",
        skip_nonfinite: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool | None = None,
        differentiable: Literal[False] | None = None,
    ) -> None: ...
