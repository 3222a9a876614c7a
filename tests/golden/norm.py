"""Writes norm.h: three steps of training through PyTorch's batch normalization, and its local
response normalization, whose alpha is divided by the number of channels in a window. Made with torch
2.15.0, seed 2.

python3 tests/golden/norm.py | clang-format > tests/golden/norm.h"""
import torch
import torch.nn.functional as F

torch.manual_seed(2)


def write(name, values):
    numbers = ', '.join(f'{v:.9g}' for v in values.detach().flatten().tolist())
    print(f'static const double golden_norm_{name}[] = {{{numbers}}};')


print('/* Made by norm.py. */')
print('/* x, target (3 steps, 2, 2, 3, 5); momentum 0.8, epsilon 1e-3; the loss is the mean of (y -')
print(' * target)^2, by SGD with 0.5. Then y of the last x when evaluating. */')
x = torch.randn(3, 2, 2, 3, 5) * 2 + 1
target = torch.randn(3, 2, 2, 3, 5)
layer = torch.nn.BatchNorm2d(5, eps=1e-3, momentum=0.2)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
write('x', x)
write('target', target)
means, variances, gammas, betas = [], [], [], []
for step in range(3):
    optimizer.zero_grad()
    y = layer(x[step].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    ((y - target[step]) ** 2).mean().backward()
    optimizer.step()
    for numbers, tensor in ((means, layer.running_mean), (variances, layer.running_var),
                            (gammas, layer.weight), (betas, layer.bias)):
        numbers.append(tensor.detach().clone())
write('running_mean', torch.stack(means))
write('running_var', torch.stack(variances))
write('weight', torch.stack(gammas))
write('bias', torch.stack(betas))
layer.eval()
write('y', layer(x[2].permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
print('/* lrn_y is of x[0] with radius 2, bias 1.5, alpha 0.3, beta 0.75. */')
y = F.local_response_norm(x[0].permute(0, 3, 1, 2), 5, 5 * 0.3, 0.75, 1.5)
write('lrn_y', y.permute(0, 2, 3, 1))
