"""Exact solutions: least squares by numpy.linalg.lstsq (with a penalty as further rows), principal components by the SVD. float64."""

from common import draws, np, numbers, write


def regression(rows, features, outputs, l2, bias, seed):
    x = draws(seed, rows, features) + (0.7 if bias else 0)
    y = np.round(x @ draws(seed + 1, features, outputs) + draws(seed + 2, rows, outputs, scale=0.5) + 1.3, 2)
    means = (x.mean(0), y.mean(0)) if bias else (np.zeros(features), np.zeros(outputs))
    penalty = np.sqrt(l2 * rows * outputs) * np.eye(features)
    kernel = np.linalg.lstsq(np.vstack([x - means[0], penalty]), np.vstack([y - means[1], np.zeros((features, outputs))]), rcond=None)[0]
    offset = means[1] - means[0] @ kernel
    loss = np.mean((x @ kernel + offset - y) ** 2) + l2 * np.sum(kernel**2)
    return {"x": numbers(x), "y": numbers(y), "options": {"l2": l2, "useBias": bias}, "kernel": numbers(kernel), "bias": numbers(offset), "loss": float(loss)}


def pca(rows, features, components, center, seed):
    x = np.round(draws(seed, rows, features) @ draws(seed + 1, features, features, scale=0.7) + 0.4, 2)
    mean = x.mean(0) if center else np.zeros(features)
    _, sizes, right = np.linalg.svd(x - mean, full_matrices=True)
    directions = right[:components].T
    directions = directions * np.sign(directions[np.argmax(np.abs(directions), axis=0), np.arange(components)])
    variances = np.zeros(features)
    variances[:len(sizes)] = sizes**2 / rows
    return {"x": numbers(x), "count": components, "options": {"center": center}, "components": numbers(directions),
            "variances": numbers(variances[:components]), "mean": numbers(mean), "explained": float(variances[:components].sum() / variances.sum()),
            "reconstruction": numbers((x - mean) @ directions @ directions.T + mean)}


if __name__ == "__main__":
    write("solve", __file__, {
        "regressions": [regression(12, 3, 2, 0, True, 950), regression(12, 3, 2, 0.13, True, 960), regression(9, 4, 1, 0, False, 970),
                        regression(9, 4, 1, 0.7, False, 980), regression(5, 8, 2, 0.05, True, 990)],
        "components": [pca(14, 5, 5, True, 1000), pca(14, 5, 2, False, 1010), pca(6, 9, 4, True, 1020), pca(20, 1, 1, True, 1030)],
    })
