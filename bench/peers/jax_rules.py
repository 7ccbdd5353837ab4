"""PyTorch's update rules for JAX: each a function (g, p, slots, step) -> (p, slots) of one array."""

import jax
import jax.numpy as jnp

mix = lambda a, b, keep: keep * a + (1 - keep) * b


def sgd(o):
    momentum = o.get("momentum", 0)
    if not momentum:
        return lambda g, p, s, t: (p - o["lr"] * g, s), 0

    def rule(g, p, s, t):
        v = momentum * s[0] + g
        return p - o["lr"] * v, [v]
    return rule, 1


def adam(o, decay=0.0):
    b1, b2, eps = 0.9, 0.999, o.get("eps", 1e-8)

    def rule(g, p, s, t):
        m, v = mix(s[0], g, b1), mix(s[1], g * g, b2)
        p = p - o["lr"] * decay * p
        root = jnp.sqrt(v) / jnp.sqrt(1 - b2**t) + eps
        return p - o["lr"] / (1 - b1**t) * m / root, [m, v]
    return rule, 2


def rmsprop(o):
    def rule(g, p, s, t):
        v = mix(s[0], g * g, 0.99)
        return p - o["lr"] * g / (jnp.sqrt(v) + 1e-8), [v]
    return rule, 1


def adagrad(o):
    def rule(g, p, s, t):
        v = s[0] + g * g
        return p - o["lr"] * g / (jnp.sqrt(v) + 1e-10), [v]
    return rule, 1


def adadelta(o):
    rho, eps = 0.9, 1e-6

    def rule(g, p, s, t):
        v = mix(s[0], g * g, rho)
        d = jnp.sqrt(s[1] + eps) / jnp.sqrt(v + eps) * g
        return p - o["lr"] * d, [v, mix(s[1], d * d, rho)]
    return rule, 2


def adamax(o):
    def rule(g, p, s, t):
        m, u = mix(s[0], g, 0.9), jnp.maximum(0.999 * s[1], jnp.abs(g) + 1e-8)
        return p - o["lr"] / (1 - 0.9**t) * m / u, [m, u]
    return rule, 2


def nadam(o):
    """As if t were large: the product of momenta is a number of the step, not of an element."""
    b1, b2 = 0.9, 0.999

    def rule(g, p, s, t):
        now, then = b1 * (1 - 0.5 * 0.96 ** (t * 0.004)), b1 * (1 - 0.5 * 0.96 ** ((t + 1) * 0.004))
        m, v = mix(s[0], g, b1), mix(s[1], g * g, b2)
        root = jnp.sqrt(v / (1 - b2**t)) + 1e-8
        return p - o["lr"] * ((1 - now) * g + then / (1 - b1 ** (t + 1)) * m) / root, [m, v]
    return rule, 2


rules = {
    "SGD": sgd, "Adam": adam, "AdamW": lambda o: adam(o, 0.01), "RMSprop": rmsprop, "Adagrad": adagrad, "Adadelta": adadelta,
    "Adamax": adamax, "NAdam": nadam,
}


def rule(name, options):
    """The rule and how many slots it has; None where there is none."""
    return rules[name](options) if name in rules else None


def apply(rule, parameters, gradients, slots, step):
    leaves, tree = jax.tree.flatten(parameters)
    done = [
        rule(g, p, s, step)
        for g, p, s in zip(jax.tree.leaves(gradients), leaves, zip(*map(jax.tree.leaves, slots)) if slots else [[]] * len(leaves))
    ]
    return tree.unflatten([p for p, _ in done]), [tree.unflatten([s[i] for _, s in done]) for i in range(len(slots))]
