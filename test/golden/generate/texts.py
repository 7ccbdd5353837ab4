"""Bags of words: scikit-learn's CountVectorizer and TfidfVectorizer on texts with punctuation, scripts and case. Needs scikit-learn alone."""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

PIECES = ["the", "The", "a", "cat", "Cats", "don't", "e-mail", "x", "été", "ÜBER", "мир", "Мир", "日本語", "2024", "٣٤", "v2", "snake_case", "½", "a1", "I"]
GLUE = [" ", ", ", ". ", "! ", "\n", " - ", "…", "_", "'s "]
draw = np.random.RandomState(900)
WEIGHTS = 1 / (1 + np.arange(len(PIECES)))


def text():
    words = draw.choice(PIECES, size=draw.randint(0, 25), p=WEIGHTS / WEIGHTS.sum())
    return "".join(word + draw.choice(GLUE, p=[0.6] + [0.05] * 8) for word in words)


FIT, APPLY = [text() for _ in range(30)], [text() for _ in range(8)]
# our options, theirs
CASES = [
    ({}, CountVectorizer()),
    ({"weighting": "binary"}, CountVectorizer(binary=True)),
    ({"lowercase": False}, CountVectorizer(lowercase=False)),
    ({"minDocuments": 4}, CountVectorizer(min_df=4)),
    ({"token": r"[^\s]+"}, CountVectorizer(token_pattern=r"[^\s]+")),
    ({"vocabulary": ["cat", "dog", "the", "мир"]}, CountVectorizer(vocabulary=["cat", "dog", "the", "мир"])),
    ({"weighting": "tfidf"}, TfidfVectorizer()),
    ({"weighting": "tfidf", "norm": "l1", "minDocuments": 2}, TfidfVectorizer(norm="l1", min_df=2)),
    ({"weighting": "tfidf", "norm": "none"}, TfidfVectorizer(norm=None)),
]


def case(options, vectorizer):
    vectorizer.fit(FIT)
    names = vectorizer.get_feature_names_out()
    rows = [{names[j]: float(f"{row[j]:.7g}") for j in np.nonzero(row)[0]} for row in vectorizer.transform(APPLY).toarray()]
    return {"options": options, "words": sorted(names.tolist()), "rows": rows}


if __name__ == "__main__":
    made_by = {"generator": "generate/texts.py", "scikit-learn": sklearn.__version__, "numpy": np.__version__}
    body = {"madeBy": made_by, "fit": FIT, "apply": APPLY, "cases": [case(*row) for row in CASES]}
    lines = ",\n".join(f" {json.dumps(key)}: " + ("[\n" + ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in value) + "\n ]"
                       if isinstance(value, list) else json.dumps(value)) for key, value in body.items())
    path = pathlib.Path(__file__).parent.parent / "texts.json"
    path.write_text("{\n" + lines + "\n}\n")
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} kB")
