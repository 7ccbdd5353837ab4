/** Keras's epsilon. */
export const kEpsilon = 1e-7;
