"""Published equations worked through by hand: given gradients, and the parameters that must come out."""

from __future__ import annotations

import numpy as np
import pytest

import gradwright as gw
from tests.families import rows
from tests.families.kinds import Worked
from tests.families.worked import M2, NAN, SHRINKING, G, H, S, eight_digits, matrix, scalar, vector
from tests.runs import run

NO_SCALE = {"relative_step": False, "scale_parameter": False}

ADAMS = [
    scalar("Adam", gw.Adam, 0.9000000100, 0.9366103604, 0.9022862539),
    scalar("Adam with a penalty", gw.Adam, 0.9000000050, 0.8771703825, 0.8131607474, weight_decay=0.1),
    scalar("Adam, large eps", gw.Adam, 0.9090909091, 0.9435238577, 0.9107179348, eps=1e-2),
    scalar("AdamW, decay at the old weights", gw.AdamW, 0.8900000100, 0.9177103603, 0.8742091502, weight_decay=0.1),
    scalar("Adam, b2=.5", gw.Adam, 0.9, 0.8097375893, 0.7338769022, steps=SHRINKING, betas=(0.9, 0.5)),
    scalar("AMSGrad, still Adam", gw.Adam, 0.9000000010, 0.8259189378, 0.7752674550, steps=SHRINKING, amsgrad=True),
    scalar(
        "AMSGrad",
        gw.Adam,
        *(0.9000000010, 0.8355397454, 0.7964880660),
        steps=SHRINKING,
        betas=(0.9, 0.5),
        amsgrad=True,
    ),
    scalar("AdaBelief", gw.AdaBelief, 0.8888888889, 0.9279949866, 0.8912507620, eps=1e-16),
    scalar("AdaBelief, eps 1e-8", gw.AdaBelief, 0.8889574249, 0.9280546018, 0.8913148872, eps=1e-8),
    eight_digits("Adam, S3", gw.Adam, 0.9, 0.88085020, 0.84610743),
    eight_digits("NAdam, torch", gw.NAdam, 0.89435482, 0.94273082, 0.90430433),
    eight_digits("NAdam, Dozat", gw.NAdam, 0.86895567, 0.92408298, 0.87801302, form="dozat"),
    eight_digits("NAdam, optax", gw.NAdam, 0.85263158, 0.87884773, 0.83346559, form="optax"),
    eight_digits("NAdamW, AlgoPerf", gw.NAdamW, 0.81, 0.83106479, 0.77905434, weight_decay=0),
    eight_digits("SGD, Nesterov", gw.SGD, 0.905, 0.9215, 0.87135, momentum=0.9, nesterov=True),
    eight_digits(
        "Lookahead of SGD", gw.lookahead(gw.SGD), 0.95, 0.99, 0.97, 0.96, steps=[0.5, -0.3, 0.2, 0.4], k=2, alpha=0.5
    ),
]

ADAFACTORS = [
    matrix(
        f"Adafactor, {form}",
        gw.Adafactor,
        {
            1: [[0.9787867966, 2.03], [2.9715395011, 3.9731671843]],
            3: [[0.9921708818, 1.9831945639], [2.9804111274, 3.9787007870]],
        },
        **knobs,
    )
    for form, knobs in {"paper": {}, "torch": {"form": "torch", "eps": (1.19e-7, 1e-3)}}.items()
] + [
    matrix(
        "Adafactor, momentum of the scaled update",
        gw.Adafactor,
        {
            1: [[0.9978786797, 2.003], [2.9971539501, 3.9973167184]],
            3: [[0.9995030338, 2.0021028707], [2.9926280507, 3.9955337878]],
        },
        momentum=0.9,
    ),
    matrix(
        "Adafactor, neither relative nor scaled",
        gw.Adafactor,
        {3: [[0.9972006875, 1.9938131077], [2.9928464740, 3.9922553164]]},
        **NO_SCALE,
    ),
    matrix(
        "Adafactor, clipped",
        gw.Adafactor,
        {
            2: [[0.9272881894, 2.1078659248], [2.8955460349, 3.9042728535]],
            3: [[0.8191882880, 2.0044409649], [2.9827235192, 3.8041840167]],
        },
        steps=[np.array(g) * size for g, size in zip(G, (5, 0.1, 20))],
        lr=0.1,
        **NO_SCALE,
    ),
    vector("Adafactor of a vector", gw.Adafactor, {3: [0.9909479307, -2.0127802480]}),
]

SIGNS = [
    matrix(
        "Lion",
        gw.Lion,
        {1: [[0.989, 2.008], [2.987, 3.986]], 3: [[0.9870129890, 1.9839960080], [2.9810389870, 3.9780219860]]},
        state={"two_speed.m": [[0.0005001, 0.0015298], [0.0024353, 0.0029504]]},
        lr=0.01,
        weight_decay=0.1,
    ),
    matrix(
        "Tiger, kernel",
        gw.Tiger,
        {
            1: [[0.7234001085, 2.2683840532], [2.7179228829, 3.7151842701]],
            3: [[0.7271457321, 2.2642576741], [2.1945544843, 3.1867346249]],
        },
        state={"accumulating_ema.m": [[0.0017542875, 0.0056089250], [0.0079666125, 0.0099046500]]},
        lr=0.1,
    ),
    matrix(
        "Tiger, embedding",
        gw.Tiger,
        {
            1: [[0.8403049782, 2.1549516053], [2.6358400077, 3.6323044738]],
            3: [[0.8223124347, 2.1324676432], [2.0185092655, 3.0089802292]],
        },
        role="embedding",
        lr=0.1,
    ),
    vector("Tiger, bias", gw.Tiger, {3: [0.85, -2.05]}, role="bias", lr=0.1),
    matrix(
        "Tiger, two micro-steps a step",
        gw.Tiger,
        {4: [[1.0034189228, 2.5267313365], [2.4463946158, 3.4410198062]]},
        steps=[*G, G[0]],
        lr=0.1,
        accumulate=2,
    ),
    matrix(
        "Tiger, mean gradients",
        gw.Tiger,
        {2: [[1.0034189228, 2.5267313365], [2.4463946158, 3.4410198062]]},
        steps=[(np.array(G[0]) + G[1]) / 2, (np.array(G[2]) + G[0]) / 2],
        lr=0.1,
    ),
    vector(
        "Tiger, gain with a NaN",
        gw.Tiger,
        {1: [1.15, 0.75], 2: [1.1485, 0.7525], 3: [1.0985, 0.8025]},
        start=[1.2, 0.8],
        steps=[H[0], [NAN, 1], H[2]],
        state={"accumulating_ema.m": [0.0203875, -0.0106225]},
        role="gain",
        lr=0.1,
    ),
]

OTHERS = [
    matrix(
        "LAMB",
        gw.Lamb,
        {
            1: [[0.7275585084, 2.2643504387], [2.7221617757, 3.7194640837]],
            3: [[0.8275855135, 2.1204361179], [1.9620221795, 3.3880280402]],
        },
        lr=0.1,
    ),
    matrix(
        "Cautious AdamW",
        gw.cautious(gw.AdamW),
        {
            1: [[0.90000001, 2.099999995], [2.9000000033, 3.9000000025]],
            3: [[0.9570810729, 2.0547800200], [2.7433345410, 3.8597973515]],
        },
        lr=0.1,
        weight_decay=0,
    ),
    vector("Lion, two entries", gw.Lion, {2: [0.98, -2.02]}, steps=[[1, 1], [-0.05, 1]], lr=0.01),
    vector("Cautious Lion", gw.cautious(gw.Lion), {2: [0.99, -2.03]}, steps=[[1, 1], [-0.05, 1]], lr=0.01),
    matrix(
        "Muon",
        gw.Muon,
        {
            1: [[0.98650162, 2.00397474], [2.98968928, 3.98016564]],
            2: [[1.00251162, 1.99842564], [2.98470937, 3.96687183]],
        },
        steps=M2,
        tolerance=1e-7,
        lr=0.02,
    ),
    # Worked with a momentum sum where ours is an average: orthogonalised, the two are the same.
    matrix(
        "Muon, scaled to match AdamW",
        gw.Muon,
        {
            1: [[0.99709104, 1.99856211], [2.99554184, 3.993195]],
            2: [[0.99835811, 1.99577879], [2.99184204, 3.98732177]],
        },
        steps=M2,
        tolerance=1e-7,
        lr=0.01,
        weight_decay=0.1,
        adjust_lr="match_rms_adamw",
    ),
    Worked(
        "AdaLo, adversarial",
        gw.AdaLo,
        {},
        1.0,
        S,
        {1: 0.9999984496, 2: 0.9999986104, 3: 0.9999909092},
        {"loss_scale": 7.675575415e-4},
        losses=[2.3, 2.0, 1.5],
    ),
    Worked(
        "AdaLo, compliant",
        gw.AdaLo,
        {"mode": "compliant"},
        1.0,
        S,
        {1: 0.9933348837, 2: 0.9936902626, 3: 0.9836856468},
        {"loss_scale": 7.675575415e-4},
        losses=[2.3, 2.0, 1.5],
    ),
]


@pytest.mark.parametrize("row", [*ADAMS, *ADAFACTORS, *SIGNS, *OTHERS, *rows("WORKED")], ids=lambda row: row.name)
def test_the_trajectory_has_its_worked_numbers(row):
    walk = run(row.recipe, [row.start], [[g] for g in row.steps], roles=[row.role], losses=row.losses, **row.knobs)
    for t, expected in row.after.items():
        np.testing.assert_allclose(walk.history[t - 1][0], expected, rtol=0, atol=row.tolerance, err_msg=f"step {t}")
    for key, expected in row.state.items():
        np.testing.assert_allclose(walk.state(key), expected, rtol=0, atol=row.tolerance, err_msg=key)
