"""What a type checker says of calls of recipes: lines that end in "error: CODE" are wrong, all others right."""

import torch

import gradwright

model = torch.nn.Linear(3, 2)
p = model.parameters()

gradwright.AdamW(p)
gradwright.AdamW(model.named_parameters(), 1e-3, (0.9, 0.99), engine="eager", maximize=True)
gradwright.AdamW([{"params": list(p), "lr": 0.1}], lr=torch.tensor(1e-3), foreach=False, fused=None)
gradwright.SGD(p, lr=0.1, momentum=None, nesterov=False, capturable=False, differentiable=False)
gradwright.Muon(p, adjust_lr="match_rms_adamw", split=(512, 128, 128))
gradwright.Lamb(p, clip=(0.0, 10.0))
gradwright.cautious(gradwright.AdamW)(p, lr=0.1, engine="eager")
gradwright.AdamW.bind(lr=0.1)(p)
gradwright.to_torch(gradwright.SGD(p, lr=0.1))["state"]
optimizer: torch.optim.Optimizer = gradwright.Lion(p)

gradwright.AdamW(p, learning_rate=0.1)  # error: call-arg
gradwright.AdamW(p, lr="fast")  # error: arg-type
gradwright.AdamW(p, betas=0.9)  # error: arg-type
gradwright.AdamW(p, engine=3)  # error: arg-type
gradwright.AdamW(p, maximise=True)  # error: call-arg
gradwright.AdamW(p, maximize="yes")  # error: arg-type
gradwright.AdamW(p, differentiable=True)  # error: arg-type
gradwright.AdamW(p, 1e-3, (0.9, 0.99), 1e-8, 0.1, False, True)  # error: call-arg
gradwright.Muon(p, adjust_lr="no such rule")  # error: arg-type
gradwright.AdamW()  # error: call-arg
